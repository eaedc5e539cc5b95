package chunk_test

import (
	"testing"

	"github.com/penstock-io/penstock/chunk"
	"github.com/penstock-io/penstock/contracts"
)

// BenchmarkCompose takes a prefix over a chunk by its scan.
func BenchmarkCompose(b *testing.B) {
	m := &memory{data: []byte("a,b\n\"c\nd\",e\n")}
	part := contracts.Part{Object: m.object("a.csv"), End: int64(len(m.data))}
	outs, err := chunk.ScanPart(b.Context(), m, part, dialects["default"])
	if err != nil {
		b.Fatal(err)
	}
	p := chunk.StartPrefix()
	b.ReportAllocs()
	for b.Loop() {
		if p = p.Then(outs); !p.Known() {
			b.Fatal(p)
		}
	}
}
