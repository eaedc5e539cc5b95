package e2e

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/contracts"
)

// weights are records of which each seventh has a unit that the first revision of the pipeline does not know. The key
// of each rejected record comes again later, in a record that is fine, but for the last ones.
type weights struct {
	format   string
	data     bytes.Buffer
	rejected map[string]int // weight by key, of the rejected records
	later    map[string]int // of the last record of each key
}

func newWeights(format, prefix string, n int) *weights {
	w := &weights{format: format, rejected: map[string]int{}, later: map[string]int{}}
	if format == "csv" {
		w.data.WriteString("note,id,n\n")
	}
	for i := range n {
		id := fmt.Sprintf("%s-%03d", prefix, i)
		if i%7 == 3 {
			w.record(id, fmt.Sprintf("%dkg", i))
			w.rejected[id] = i
		} else {
			w.record(id, fmt.Sprint(i))
		}
		w.later[id] = i
		if again := fmt.Sprintf("%s-%03d", prefix, i-10); (i-10)%7 == 3 {
			w.record(again, fmt.Sprint(1000+i))
			w.later[again] = 1000 + i
		}
	}
	return w
}

func (w *weights) record(id, n string) {
	if w.format == "csv" {
		fmt.Fprintf(&w.data, "\"a \"\"note\"\"\nof %s,1\n\",%s,%s\n", id, id, n)
		return
	}
	fmt.Fprintf(&w.data, "{\"note\":\"of %s\",\"id\":%q,\"n\":%q}\n", id, id, n)
}

const weightsPipeline = `
name: weights
source: {format: %s}
table: {keyspace: lab, name: weights, partition_key: [id], create: true}
columns:
  - {name: id, type: text}
  - {name: n, type: int%s}
`

// TestRejectsAreLoadedAgain mends a pipeline and loads what it rejected before: of split, packed and compressed
// objects, just these records or their objects in order.
func TestRejectsAreLoadedAgain(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"csv", "ndjson"} {
		for _, whole := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, whole %t", format, whole), func(t *testing.T) {
				t.Parallel()
				rejectsAgain(newFileLab(t), format, whole)
			})
		}
	}
}

func rejectsAgain(l *lab, format string, whole bool) {
	inputs := map[string]*weights{
		"split": newWeights(format, "split", 100), "small": newWeights(format, "small", 8),
		"tiny": newWeights(format, "tiny", 5), "zipped.gz": newWeights(format, "zipped", 100),
		"blocks.bgz": newWeights(format, "blocks", 200), "frames.frames.zst": newWeights(format, "frames", 200),
	}
	want := map[string]int{}
	rejects := int64(0)
	for name, w := range inputs {
		data := compressed(l.t, "."+name, w.data.Bytes())
		l.put("in/"+name, bytes.NewReader(data), int64(len(data)))
		for id, n := range w.later {
			want[id] = n
		}
		for id, n := range w.rejected {
			if !whole {
				want[id] = n // it wins over the later record
			}
			rejects++
		}
	}
	clean := newWeights(format, "clean", 3) // without rejects: no job of rejects reads it
	l.put("in/clean", &clean.data, int64(clean.data.Len()))
	for id, n := range clean.later {
		want[id] = n
	}
	first := l.report(l.run("load", l.file("v1.yaml", fmt.Sprintf(weightsPipeline, format, "")), "s3://"+l.bucket+"/in/",
		"--chunk-size", "700B", "--output", "json"), 3)
	if first.Records.Rejected != rejects || first.Chunks.Total < 10 {
		l.t.Fatalf("found %+v, %+v; expected %d rejects", first.Records, first.Chunks, rejects)
	}
	again := []string{"rejects", string(first.Job), "--replay", "--output", "json"}
	if whole {
		again = append(again, "--whole")
	}
	unmended := l.run(again...)
	if r := l.report(unmended, 3); r.Records.Rejected != rejects || !strings.Contains(unmended.errOut, "is as it was") {
		l.t.Errorf("the pipeline as it was: %+v\n%s", r.Records, unmended.errOut)
	}
	l.apply(l.file("v2.yaml", fmt.Sprintf(weightsPipeline, format, `, expr: 'replace(n, "kg", "")'`)))
	result := l.run(again...)
	mended := l.report(result, 0)
	if warned := strings.Contains(result.errOut, "win over later records"); warned == whole {
		l.t.Errorf("it said %q", result.errOut)
	}
	if read := mended.Records.Read; mended.State != contracts.StateDone || mended.Objects.Loaded != 6 ||
		(!whole && read != rejects) || (whole && read != first.Records.Read-int64(len(clean.later))) {
		l.t.Errorf("found %+v, %+v", mended.Records, mended.Objects)
	}
	rows := []string{}
	for id, n := range want {
		rows = append(rows, fmt.Sprintf("%s|%d", id, n))
	}
	slices.Sort(rows)
	if got := l.query("SELECT id, n FROM weights ORDER BY id"); !slices.Equal(got, rows) {
		l.t.Errorf("table\n%q, expected\n%q", got, rows)
	}
}

// TestRejectsThatAreNotThereAnyMore: an object that changed, and one that the pipeline now reads so that other records
// begin in it, are explicit errors.
func TestRejectsThatAreNotThereAnyMore(t *testing.T) {
	t.Parallel()
	l := newFileLab(t)
	l.putText("in/a.csv", "id,n\na,1\nb,x\nc,3\n")
	l.putText("in/b.csv", "id,n\n\"d\nd\",y\ne,5\n")
	pipeline := l.file("v1.yaml", smallPipeline)
	first := l.report(l.run("load", pipeline, "s3://"+l.bucket+"/in/", "--output", "json"), 3)
	l.putText("in/a.csv", "id,n\na,1\nb,2\nc,3\n")
	l.apply(l.file("v2.yaml", strings.Replace(smallPipeline, "{format: csv}",
		`{format: csv, csv: {quote: "'", comment: '"'}}`, 1)))
	r := l.report(l.run("rejects", string(first.Job), "--replay", "--output", "json"), 1)
	if r.Objects != (contracts.ObjectTotals{Total: 2, Failed: 2}) || r.Records.Read != 0 {
		t.Errorf("found %+v, %+v", r.Objects, r.Records)
	}
	failures := l.ok("report", string(r.Job), "--failures")
	for _, text := range []string{"a.csv: the object changed", "b.csv: byte 5: 1 rejected records begin where none"} {
		if !strings.Contains(failures, text) {
			t.Errorf("failures\n%s\nexpected %q", failures, text)
		}
	}
	if r := l.run("rejects", string(first.Job), "--whole"); r.code != 2 || !strings.Contains(r.errOut, "--replay") {
		t.Errorf("exit %d, %q", r.code, r.errOut)
	}
}
