package status

import (
	"testing"

	"github.com/penstock-io/penstock/contracts"
)

// BenchmarkFold folds the outcomes of a big job's chunks, each told twice, and takes a snapshot.
func BenchmarkFold(b *testing.B) {
	const chunks = 100_000
	o := Outcome{Done: true, Counts: contracts.Counts{Read: 9, Written: 8, Rejected: 1}, Bytes: 1 << 20,
		Rules: map[contracts.Rule]int64{contracts.RuleType: 1}}
	b.ReportAllocs()
	for b.Loop() {
		p := NewProgress(chunks)
		for i := range 2 * chunks {
			o.Chunk = i / 2
			p.Apply(o)
		}
		if _, err := p.Snapshot(); err != nil || !p.Complete() {
			b.Fatal(err, p.Done)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/chunks, "ns/chunk")
}
