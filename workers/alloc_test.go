package workers

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/penstock-io/penstock/chunk"
	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
	"github.com/penstock-io/penstock/pipeline"
)

const readingSpec = `
name: readings
source: {format: csv}
table: {keyspace: lab, name: readings, partition_key: [device], clustering_key: [at, seq]}
columns:
  - {name: device, type: text}
  - {name: at, type: timestamp}
  - {name: seq, type: bigint, from: $offset}
  - {name: level, type: int}
  - {name: voltage, type: double}
  - {name: note, type: text}
`

// readings are CSV records of keys of their own.
func readings(n int) []byte {
	var b bytes.Buffer
	b.WriteString("device,at,level,voltage,note\n")
	for i := range n {
		fmt.Fprintf(&b, "device-%d,2026-01-01T00:00:%02dZ,%d,%d.5,all is well\n", i%97, i%60, i, i%7)
	}
	return b.Bytes()
}

// reading is a loader in the middle of a part.
type reading struct {
	l    *loader
	t    *pipeline.Transformer
	part contracts.Part
	spec chunk.Spec
	rows []cql.Row
}

func newReading(t testing.TB, n int) *reading {
	t.Helper()
	c := compiled(t, readingSpec)
	r := newRig(c, write(accepting))
	r.source.data["o"] = readings(n)
	l := newLoader(r.Workers)
	w := work(r.source.part("o", "none", 0, 1))
	l.work = w
	l.expect(w, false, l.w.memory.most)
	must(t, l.open(t.Context(), w))
	part := w.Parts[0]
	return &reading{
		l: l, part: part, t: c.Bind(pipeline.ObjectContext{Job: w.Job, BaseTime: w.BaseTime, Object: part.Object}),
		spec: chunk.Spec{Format: c.Format(), Inputs: c.Inputs(), MaxRecord: w.MaxRecord},
	}
}

// pass takes every record of the part into the batch.
func (r *reading) pass(t testing.TB) {
	ctx := t.Context()
	r.l.batch.reset()
	reader, err := chunk.NewReader(ctx, r.l.w.Objects, r.part, r.spec)
	must(t, err)
	defer reader.Close()
	for {
		rec, err := reader.Next()
		if err != nil {
			break
		}
		if err := r.l.take(ctx, position{}, r.t, rec); err != nil {
			t.Fatal(err)
		}
	}
	r.rows = r.l.batch.finish(base)
}

// TestRecordsDoNotAllocate: what a pass allocates does not depend on the number of records.
func TestRecordsDoNotAllocate(t *testing.T) {
	const records = 5000
	r := newReading(t, records)
	r.pass(t)
	if n := testing.AllocsPerRun(3, func() { r.pass(t) }); n > records/50 {
		t.Errorf("%.0f allocations for %d records", n, records)
	}
	if got := len(r.rows); got != records {
		t.Errorf("found %d rows", got)
	}
}

// TestMergedRecordsDoNotAllocate: nor does merging.
func TestMergedRecordsDoNotAllocate(t *testing.T) {
	const records = 5000
	r := newReading(t, records)
	key := cql.AppendValue(nil, []byte("k"))
	add := func() {
		r.l.batch.reset()
		r.l.batch.open(r.l.batch.columns[:2], false, false)
		for i := range records {
			values := cql.AppendUnset(append(r.l.batch.rows.tail(), key...))
			row := cql.Row{Values: values, Partition: len(key), Key: len(key)}
			r.l.batch.add(0, 0, row, &contracts.Record{Offset: int64(i)}, 0)
		}
		r.rows = r.l.batch.finish(base)
	}
	add()
	if n := testing.AllocsPerRun(3, add); n > 5 || len(r.rows) != 1 {
		t.Errorf("%.0f allocations for %d records in %d rows", n, records, len(r.rows))
	}
}

func BenchmarkRecord(b *testing.B) {
	const records = 10_000
	r := newReading(b, records)
	r.pass(b)
	b.SetBytes(int64(len(readings(records))))
	b.ReportAllocs()
	for b.Loop() {
		r.pass(b)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/records, "ns/record")
}
