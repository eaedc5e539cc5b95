package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/contracts"
)

// TestRejectsOfASplitFileHaveTheirNumbers loads files whose chunks do not know how many records come before them: once
// all are done, each reject has the number of its line, at any chunk size.
func TestRejectsOfASplitFileHaveTheirNumbers(t *testing.T) {
	t.Parallel()
	const lines = 400
	bad := func(i int) bool { return i%37 == 5 || i == 1 || i == lines || i == 200 || i == 201 }
	for _, c := range []struct{ name, source, line, spoilt string }{
		{"a.ndjson", "{format: ndjson}", `{"id":"k%d","n":1}`, `{"id":"k%d","n":"one"}`},
		{"a.txt", "{format: text, text: {fields: [id, n]}}", "k%d 1", "k%d one"},
		{"a.csv", "{format: csv, csv: {header: false, quoted_newlines: false}}", "k%d,1", `k%d,"1`},
		{"quoted.csv", "{format: csv, csv: {header: false}}", "k%d,\"1\"", `k%d,"1"x`},
	} {
		var file strings.Builder
		var want []int64
		for i := 1; i <= lines; i++ {
			line := c.line
			if bad(i) {
				line = c.spoilt
				want = append(want, int64(i))
			}
			fmt.Fprintf(&file, line+"\n", i)
			if i%50 == 0 {
				file.WriteString("\n") // no record
			}
		}
		for _, size := range []string{"100B", "1KiB", "8MiB"} {
			t.Run(c.name+" by "+size, func(t *testing.T) {
				t.Parallel()
				l := newHome(t)
				id, n := "{name: id, type: text}", "{name: n, type: int}"
				if strings.Contains(c.source, "header: false") {
					id, n = "{name: id, type: text, from: 0}", "{name: n, type: int, from: 1}"
				}
				pipeline := l.file("p.yaml", fmt.Sprintf("name: numbers\nsource: %s\n"+
					"table: {keyspace: lab, name: numbers, partition_key: [id], create: true}\ncolumns: [%s, %s]\n", c.source, id, n))
				r := l.report(l.run("load", "--output", "json", "--chunk-size", size, pipeline, l.file(c.name, file.String())), 3)
				if r.Records.Read != lines || r.Chunks.Total > 1 != (size != "8MiB") {
					t.Errorf("report %+v, expected %d records", r, lines)
				}
				if got := l.rejected(r.Job, file.String()); !slices.Equal(got, want) {
					t.Errorf("rejects are records %d\nexpected %d", got, want)
				}
			})
		}
	}
}

// rejected are the numbers of a job's rejects, whose offsets must be those of their lines.
func (l *lab) rejected(job contracts.JobID, file string) (numbers []int64) {
	l.t.Helper()
	for line := range strings.Lines(l.ok("rejects", string(job))) {
		var r contracts.Reject
		l.must(json.Unmarshal([]byte(line), &r))
		if r.Record == nil {
			l.t.Fatalf("reject %s has no number", line)
		}
		if want, _, _ := strings.Cut(file[r.Offset:], "\n"); *r.Raw != want {
			l.t.Errorf("reject %s, expected the line %q", line, want)
		}
		numbers = append(numbers, *r.Record)
	}
	return numbers
}
