package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/contracts"
)

const tracedPipeline = `
name: traced
source: {format: csv}
table: {keyspace: %s, name: traced, partition_key: [id], clustering_key: [seq], create: true}
columns:
  - {name: id, type: text}
  - {name: seq, type: int}
  - {name: place, type: text, static: true}
  - {name: level, type: int}
  - {name: note, type: text}
`

// traced is what `penstock trace --output json` prints.
type traced struct {
	Table string            `json:"table"`
	Key   map[string]string `json:"key"`
	Cells []struct {
		Column string  `json:"column"`
		Value  *string `json:"value"`
		Time   int64   `json:"time"`
		Job    *struct {
			ID      contracts.JobID `json:"id"`
			Segment int64           `json:"segment"`
			Chunk   int             `json:"chunk"`
			Object  string          `json:"object"`
			Start   int64           `json:"start"`
			End     int64           `json:"end"`
		} `json:"job"`
		Source *struct {
			Offset int64   `json:"offset"`
			Length int64   `json:"length"`
			Raw    *string `json:"raw"`
		} `json:"source"`
		Note string `json:"note"`
	} `json:"cells"`
}

func (l *lab) trace(key ...string) traced {
	l.t.Helper()
	var v traced
	out := l.ok(append([]string{"trace", "traced", "--output", "json"}, key...)...)
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		l.t.Fatalf("trace: %v\n%s", err, out)
	}
	return v
}

// tracedFile is a file of keys of its own, with quoted line breaks and with records whose cells are of two lines.
func tracedFile(id string, lines int) string {
	var b strings.Builder
	b.WriteString("id,seq,place,level,note\n")
	for i := range lines {
		fmt.Fprintf(&b, "%s,%d,,%d,\"line\n%d\"\n", id, i/2*2, i, i)
		fmt.Fprintf(&b, "%s,%d,,,later %d\n", id, i/2*2, i)
	}
	fmt.Fprintf(&b, "%s,0,\"the, place\",,\n", id)
	return b.String()
}

// TestTraceFindsTheRecord traces cells of objects of every kind to the bytes that they were read from.
func TestTraceFindsTheRecord(t *testing.T) {
	t.Parallel()
	for name, lab := range map[string]func(*testing.T, ...string) *lab{"SQLite": newFileLab, "Cassandra": newLab} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := lab(t)
			files := map[string]string{}
			for file, lines := range map[string]int{
				"in/plain.csv": 400, "in/stream.csv.gz": 300, "in/blocks.csv.bgz": 900, "in/small1.csv": 2, "in/small2.csv": 3,
			} {
				files[file] = tracedFile(strings.Split(file[3:], ".")[0], lines)
				l.putText(file, string(compressed(t, file, []byte(files[file]))))
			}
			pipeline := l.file("traced.yaml", fmt.Sprintf(tracedPipeline, l.keyspace))
			r := l.report(l.run("load", "--output", "json", "--chunk-size", "1KiB", pipeline, "s3://"+l.bucket+"/in/"), 0)
			if r.Chunks.Total < 10 {
				t.Fatalf("%d chunks, expected many", r.Chunks.Total)
			}
			for file, text := range files {
				id := strings.Split(file[3:], ".")[0]
				last := strings.Count(text, "later") - 1
				for _, seq := range []int{0, last / 4 * 2, last / 2 * 2} {
					checkTrace(t, l.trace("id="+id, fmt.Sprint("seq=", seq)), r.Job, "s3://"+l.bucket+"/"+file, text)
				}
				alone := l.trace("id=" + id)
				checkTrace(t, alone, r.Job, "s3://"+l.bucket+"/"+file, text)
				if len(alone.Cells) != 1 || alone.Cells[0].Column != "place" {
					t.Errorf("of the partition alone: %+v, expected its static column", alone)
				}
			}
		})
	}
}

// checkTrace compares what a trace says with the file, and each cell with the record that it names.
func checkTrace(t *testing.T, found traced, job contracts.JobID, object, text string) {
	t.Helper()
	columns := map[string]string{}
	for _, c := range found.Cells {
		if c.Job == nil || c.Source == nil || c.Source.Raw == nil || c.Value == nil || c.Note != "" {
			t.Errorf("%v: cell %+v is not traced", found.Key, c)
			continue
		}
		raw := *c.Source.Raw
		from, to := c.Source.Offset, c.Source.Offset+c.Source.Length
		if c.Job.ID != job || c.Job.Object != object || to > int64(len(text)) || text[from:to] != raw {
			t.Errorf("%v: %s is from %q at %d of %s: not so in the file", found.Key, c.Column, raw, from, c.Job.Object)
		}
		plain := !strings.HasSuffix(object, "z")
		if from < c.Job.Start && plain || from >= c.Job.End {
			t.Errorf("%v: record at %d lies outside of its segment, %d to %d", found.Key, from, c.Job.Start, c.Job.End)
		}
		if !strings.Contains(strings.ReplaceAll(raw, `""`, `"`), *c.Value) {
			t.Errorf("%v: %s is %q, and its record %q", found.Key, c.Column, *c.Value, raw)
		}
		columns[c.Column] = raw
	}
	if level, note := columns["level"], columns["note"]; level == note && level != "" {
		t.Errorf("%v: level and note are both from %q, expected the last record that set each", found.Key, level)
	}
	if _, whole := found.Key["seq"]; whole && (columns["level"] == "" || columns["note"] == "" || columns["place"] == "") {
		t.Errorf("%v: cells %v, expected level, note and place", found.Key, columns)
	}
}

// TestTraceKnowsForeignCells traces what somebody else wrote, at a time of his own and at one of a job.
func TestTraceKnowsForeignCells(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	source := l.putText("a.csv", "id,seq,place,level,note\na,1,p,1,n\nb,1,,2,\n")
	pipeline := l.file("traced.yaml", fmt.Sprintf(tracedPipeline, l.keyspace))
	r := l.report(l.run("load", "--output", "json", pipeline, source), 0)
	table := l.keyspace + ".traced"
	l.exec("UPDATE " + table + " SET level = 7 WHERE id = 'a' AND seq = 1")
	at := l.writetime(table, "note", "a", 1)
	l.exec("INSERT INTO "+table+" (id, seq, note) VALUES ('c', 1, 'x') USING TIMESTAMP ?", at)
	found := l.trace("id=a", "seq=1")
	var told []string
	for _, c := range found.Cells {
		told = append(told, fmt.Sprintf("%s %t %t %q", c.Column, c.Job != nil, c.Source != nil, c.Note))
	}
	foreign := `"not written by a Penstock job of this store"`
	want := []string{`place true true ""`, `level false false ` + foreign, `note true true ""`}
	if fmt.Sprint(told) != fmt.Sprint(want) {
		t.Errorf("cells %q, expected %q", told, want)
	}
	if c := l.trace("id=c", "seq=1").Cells[0]; c.Job == nil || c.Job.ID != r.Job || c.Source != nil ||
		!strings.Contains(c.Note, "somebody else wrote it at a time of this job") {
		t.Errorf("a cell at a job's time: %+v", c)
	}
	if r := l.run("trace", "traced", "id=d", "seq=1"); r.code != 1 || !strings.Contains(r.errOut, "no row of this key") {
		t.Errorf("a row that is not there: exit %d: %s", r.code, r.errOut)
	}
}
