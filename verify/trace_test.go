package verify

import (
	"testing"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/state"
)

// TestTracedBytes: a segment's bytes are those that belong to no other.
func TestTracedBytes(t *testing.T) {
	t.Parallel()
	o := opened{plan: state.Plan{SegmentSize: 1000}}
	blocks := func(end int64) *contracts.Blocks { return &contracts.Blocks{Start: 5000, End: end} }
	for _, c := range []struct {
		name       string
		part       contracts.Part
		segment    int64
		start, end int64
	}{
		{"a range", contracts.Part{Start: 40, End: 1040, Compression: "none", Segment: 7}, 7, 40, 1040},
		{"of a stream", contracts.Part{End: 90, Whole: true, Compression: "gzip", Segment: 7}, 9, 2000, 3000},
		{"of blocks", contracts.Part{Start: 40, End: 90, Compression: "gzip", Segment: 7, Blocks: blocks(7500)}, 8,
			6000, 7000},
		{"the last of blocks", contracts.Part{Start: 40, End: 90, Compression: "gzip", Segment: 7, Blocks: blocks(7500)}, 9,
			7000, 7500},
		{"of blocks without a known end", contracts.Part{Start: 40, End: 90, Compression: "zstd", Segment: 7,
			Blocks: blocks(-1)}, 9, 7000, 8000},
	} {
		if j := tracedJob(o, c.segment, 0, c.part); j.Start != c.start || j.End != c.end {
			t.Errorf("%s: bytes %d to %d, expected %d to %d", c.name, j.Start, j.End, c.start, c.end)
		}
	}
}
