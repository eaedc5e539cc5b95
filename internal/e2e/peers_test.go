package e2e

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/penstock-io/penstock/contracts"
)

// What other loaders get wrong, each on the whole path, into Cassandra and into SQLite.

// onBoth runs a test on both targets.
func onBoth(t *testing.T, test func(*testing.T, *lab)) {
	t.Helper()
	for name, start := range map[string]func(*testing.T, ...string) *lab{"Cassandra": newLab, "SQLite": newFileLab} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, start(t))
		})
	}
}

// load runs a load to its end, which must have the code.
func (l *lab) load(code int, more ...string) contracts.Report {
	l.t.Helper()
	return l.report(l.run(append([]string{"load", "--output", "json"}, more...)...), code)
}

// rows reads columns of a table by the database's driver alone: each row is its values joined by |, sorted; null is -.
func (l *lab) rows(table string, columns ...string) []string {
	l.t.Helper()
	list := strings.Join(columns, ", ")
	if l.db != "" {
		shown := "coalesce(" + strings.Join(columns, ", '-'), coalesce(") + ", '-')"
		return slices.Sorted(slices.Values(l.query("SELECT " + shown + " FROM " + table)))
	}
	all := []string{}
	scanner := l.cql.Query("SELECT " + list + " FROM " + l.keyspace + "." + table).PageSize(5000).Iter().Scanner()
	for scanner.Next() {
		texts, into := make([]*string, len(columns)), make([]any, len(columns))
		for i := range texts {
			into[i] = &texts[i]
		}
		l.must(scanner.Scan(into...))
		shown := make([]string, len(columns))
		for i, text := range texts {
			if shown[i] = "-"; text != nil {
				shown[i] = *text
			}
		}
		all = append(all, strings.Join(shown, "|"))
	}
	l.must(scanner.Err())
	slices.Sort(all)
	return all
}

func (l *lab) expectRows(want []string, table string, columns ...string) {
	l.t.Helper()
	slices.Sort(want)
	got := l.rows(table, columns...)
	if slices.Equal(got, want) {
		return
	}
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			l.t.Errorf("row %d is %.200q, expected %.200q", i, got[i], want[i])
			break
		}
	}
	l.t.Errorf("%d rows, expected %d", len(got), len(want))
}

// pipeline writes a pipeline of texts, keyed by the first column, and gives its path. settings are further keys.
func (l *lab) pipeline(name, settings string, columns ...string) string {
	l.t.Helper()
	text := fmt.Sprintf("name: %s\nsource: {format: csv}\ntable: {keyspace: %s, name: %s, partition_key: [%s], "+
		"clustering_key: [%s], create: true}\n%s\ncolumns:\n", name, l.keyspace, name, columns[0], columns[1], settings)
	for _, c := range columns {
		text += "  - {name: " + c + ", type: text}\n"
	}
	return l.file(name+".yaml", text)
}

// read gives a file's text.
func (l *lab) read(path string) string {
	l.t.Helper()
	data, err := os.ReadFile(path)
	l.must(err)
	return string(data)
}

// repeated is a CSV file in which each key comes three times, at each of the distances, and then the keys and the
// columns of the last record of each. All values of a record are different, and in no order.
func repeated(file int, distances []int) (text string, last map[string]string) {
	var b strings.Builder
	last = map[string]string{}
	b.WriteString("k,c,v1,v2,v3,v4,v5\n")
	for _, distance := range distances {
		for i := range 3 * distance {
			key := fmt.Sprintf("%d|%d", distance, i%distance)
			values := make([]string, 5)
			for v := range values {
				h := fnv.New32a()
				fmt.Fprint(h, file, distance, i, v)
				values[v] = fmt.Sprintf("%08x", h.Sum32())
			}
			last[key] = key + "|" + strings.Join(values, "|")
			b.WriteString(strings.ReplaceAll(last[key], "|", ",") + "\n")
		}
	}
	return b.String(), last
}

// TestRepeatedKeysNeverTear has keys come again at distances 1, 7, 500 and 6000, across chunks, and in three files:
// each row is that of its last record, in every column.
func TestRepeatedKeysNeverTear(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]string{"a chunk for each file": "8MiB", "many chunks": "64KiB"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onBoth(t, func(t *testing.T, l *lab) {
				var last map[string]string
				for file := range 3 {
					text, all := repeated(file, []int{1, 7, 500, 6000})
					last = all
					l.putText(fmt.Sprintf("in/%d.csv", file), text)
				}
				columns := []string{"k", "c", "v1", "v2", "v3", "v4", "v5"}
				r := l.load(0, "--chunk-size", size, "--workers", "2", l.pipeline("torn", "", columns...),
					"s3://"+l.bucket+"/in/")
				if r.Records.Read != 3*3*6508 || (r.Chunks.Total > 3) != (size == "64KiB") {
					t.Errorf("report %+v", r)
				}
				want := []string{}
				for _, row := range last {
					want = append(want, row)
				}
				l.expectRows(want, "torn", columns...)
			})
		})
	}
}

// TestQuotedNewlinesAtChunkEdges cuts a file of quoted line breaks anywhere: each record comes once, and its line
// breaks stay as they are, CRLF and all.
func TestQuotedNewlinesAtChunkEdges(t *testing.T) {
	t.Parallel()
	for _, size := range []string{"16B", "31B"} {
		t.Run(size, func(t *testing.T) {
			t.Parallel()
			onBoth(t, func(t *testing.T, l *lab) {
				notes := []string{"a\r\nb", "\r\n\r\n", "\n", "one\rtwo", "x,\"y\"\r\n,z\r\n", "plain", "\"\r\n\""}
				var b strings.Builder
				b.WriteString("k,c,note\r\n")
				want := []string{}
				for i := range 60 {
					note := notes[i%len(notes)]
					fmt.Fprintf(&b, "k%d,c,\"%s\"\r\n", i, strings.ReplaceAll(note, `"`, `""`))
					want = append(want, fmt.Sprintf("k%d|c|%s", i, note))
				}
				r := l.load(0, "--chunk-size", size, "--workers", "2", l.pipeline("breaks", "", "k", "c", "note"),
					l.putText("breaks.csv", b.String()))
				if r.Records != (contracts.Counts{Read: 60, Written: 60}) || r.Chunks.Total < 20 {
					t.Errorf("report %+v", r)
				}
				l.expectRows(want, "breaks", "k", "c", "note")
			})
		})
	}
}

// TestEmptyFieldsOverOlderRows loads records with empty fields over rows that have values: by default these stay, under
// nulls: delete they go. A quoted nothing is an empty text.
func TestEmptyFieldsOverOlderRows(t *testing.T) {
	t.Parallel()
	for nulls, second := range map[string]string{"unset": "k|2|a|b|", "delete": "k|2|-|-|"} {
		t.Run(nulls, func(t *testing.T) {
			t.Parallel()
			onBoth(t, func(t *testing.T, l *lab) {
				pipeline := l.pipeline("empty", "nulls: "+nulls, "k", "c", "a", "b", "e")
				l.load(0, pipeline, l.putText("1.csv", "k,c,a,b,e\nk,1,a,b,e\nk,2,a,b,e\n"))
				l.load(0, pipeline, l.putText("2.csv", "k,c,a,b,e\nk,2,,,\"\"\nk,3,,,x\n"))
				l.expectRows([]string{"k|1|a|b|e", second, "k|3|-|-|x"}, "empty", "k", "c", "a", "b", "e")
			})
		})
	}
}

// TestOneBadRowInABatch has the database refuse some of many rows: these are rejects, with its words; all others are in
// the table.
func TestOneBadRowInABatch(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 70_000)
	for name, bad := range map[string]string{"partition key": long + ",c,v", "clustering key": "k,1" + long + ",v"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			var b strings.Builder
			b.WriteString("k,c,v\n")
			want := []string{}
			for i := range 300 {
				if i == 100 || i == 101 || i == 250 {
					b.WriteString(bad + "\n")
				}
				row := fmt.Sprintf("k,%d,v%d", i, i)
				if i%3 == 0 {
					row = fmt.Sprintf("k%d,%d,v%d", i, i, i)
				}
				b.WriteString(row + "\n")
				want = append(want, strings.ReplaceAll(row, ",", "|"))
			}
			r := l.load(3, l.pipeline("bad", "", "k", "c", "v"), l.putText("bad.csv", b.String()))
			if r.Records != (contracts.Counts{Read: 303, Written: 300, Rejected: 3}) || r.Rejects.ByRule["database"] != 3 {
				t.Errorf("report %+v", r)
			}
			rejects := strings.Split(strings.TrimSpace(l.ok("rejects", string(r.Job))), "\n")
			numbers := []int64{}
			for _, line := range rejects {
				var reject contracts.Reject
				l.must(json.Unmarshal([]byte(line), &reject))
				numbers = append(numbers, *reject.Record)
				if !strings.Contains(reject.Reason, "65535") || *reject.Raw != bad {
					t.Errorf("reject %.300s", line)
				}
			}
			slices.Sort(numbers)
			if !slices.Equal(numbers, []int64{101, 103, 253}) {
				t.Errorf("records %d are rejects", numbers)
			}
			l.expectRows(want, "bad", "k", "c", "v")
		})
	}
}

// TestKilledAndRunAgain kills a load and runs the same command again: it goes on with what was not done, and with
// little else.
func TestKilledAndRunAgain(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, l *lab) {
		path, want, records := l.readingsFile(tinyFile)
		events, source := l.events("*"), l.putFile("readings.csv", path)
		command := []string{
			"load", "--output", "json", "--log-level", "debug", "--chunk-size", tinyChunk, "--workers", "2", l.readings(),
			source,
		}
		first := l.start(command...)
		l.awaitKind(events, contracts.EventChunkDone, 10)
		first.Signal(syscall.SIGKILL)
		killed := first.end()
		second := l.run(command...)
		r := l.report(second, 0)
		if r.Records.Read != records || r.Chunks.Dead != 0 || !strings.Contains(killed.errOut, string(r.Job)) {
			t.Errorf("report %+v, expected %d records of the job that was killed", r, records)
		}
		// What the killed process held comes again, to be found done or to be loaded: two chunks at most.
		loads := strings.Count(second.errOut, `msg="chunk taken"`) - strings.Count(second.errOut, "work=scan")
		if limit := r.Chunks.Total - 10 + 2; loads > limit {
			t.Errorf("%d of %d chunks were taken again, expected at most %d", loads, r.Chunks.Total, limit)
		}
		compareReadings(t, l, want)
	})
}
