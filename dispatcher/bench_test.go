package dispatcher

import (
	"fmt"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/state"
)

// BenchmarkPlan plans small objects, which share chunks, and one that is split into as many ranges.
func BenchmarkPlan(b *testing.B) {
	const objects = 10_000
	many, one := newMemory(), newMemory()
	for i := range objects {
		o := contracts.Object{Bucket: "b", Key: fmt.Sprintf("%06d.csv", i), ETag: "e", Size: 9}
		many.objects = append(many.objects, o)
	}
	one.add("s3://b/big", objects*100)
	one.data["big"] = []byte("k,v\n" + strings.Repeat("1,2\n", objects*25))[:objects*100]
	for name, m := range map[string]*memory{"objects": many, "ranges": one} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			p := Planning{
				Objects: m, Pipeline: compiled(b, csvSpec), Sources: []string{"s3://b"}, SegmentSize: 100,
				Emit: func(state.Planned) error { return nil },
			}
			for b.Loop() {
				if out, err := p.Plan(b.Context()); err != nil || out.Totals.Segments < objects {
					b.Fatal(out, err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/objects, "ns/part")
		})
	}
}
