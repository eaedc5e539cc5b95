package dispatcher

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/state"
)

const mib = 1 << 20

// TestSegmentsAreChosen: by what there is to load and who is to load it, and not at all where a size is given.
func TestSegmentsAreChosen(t *testing.T) {
	t.Parallel()
	lines := bytes.Repeat([]byte("{}\n"), maxHead)
	for name, c := range map[string]struct {
		sizes   []int64
		workers int
		given   int64
		segment int64
		chunks  int
		loaded  int // so many of the first objects are in the ledger
	}{
		"nothing":                  {workers: 2, segment: 8 * mib},
		"one byte":                 {sizes: []int64{1}, workers: 2, segment: 8 * mib, chunks: 1},
		"a share for each":         {sizes: []int64{60 * mib}, workers: 2, segment: 10 * mib, chunks: 6},
		"a byte more":              {sizes: []int64{60*mib + 1}, workers: 2, segment: 11 * mib, chunks: 6},
		"in whole MiB":             {sizes: []int64{100e6}, workers: 2, segment: 16 * mib, chunks: 6},
		"not below the least":      {sizes: []int64{32 * mib}, workers: 64, segment: 8 * mib, chunks: 4},
		"not above the most":       {sizes: []int64{1024 * mib}, workers: 2, segment: 32 * mib, chunks: 32},
		"over objects":             {sizes: []int64{30 * mib, 30 * mib}, workers: 2, segment: 10 * mib, chunks: 6},
		"no workers":               {sizes: []int64{30 * mib}, segment: 10 * mib, chunks: 3},
		"given":                    {sizes: []int64{60 * mib}, workers: 2, given: 30 * mib, segment: 30 * mib, chunks: 2},
		"loaded ones do not count": {sizes: []int64{600 * mib, 54 * mib}, workers: 2, loaded: 1, segment: 9 * mib, chunks: 6},
		"enough before the last":   {sizes: []int64{300 * mib, mib, mib}, workers: 1, segment: 32 * mib, chunks: 11},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMemory()
			for i, size := range c.sizes {
				m.add(fmt.Sprintf("s3://b/%03d", i), size)
				m.data[fmt.Sprintf("%03d", i)] = lines // the head is read of an object that is split
			}
			ask := func(p *Planning) {
				p.SegmentSize, p.Workers = c.given, c.workers
				p.Loaded = func(contracts.Object) (bool, error) { c.loaded--; return c.loaded >= 0, nil }
			}
			chunks, out, err := planOf(t, m, ndjsonSpec, ask)
			if must(t, err); out.SegmentSize != c.segment || len(chunks) != c.chunks {
				t.Errorf("found %d chunks of %d bytes, expected %d of %d", len(chunks), out.SegmentSize, c.chunks, c.segment)
			}
			inOrder(t, chunks, out.Totals.Segments)
		})
	}
}

// inOrder wants parts in order of objects and offsets, and ordinals that leave nothing out.
func inOrder(t *testing.T, chunks []state.Planned, segments int64) {
	t.Helper()
	next, last := int64(0), contracts.Part{}
	for _, c := range chunks {
		for _, p := range c.Parts {
			before := contracts.CompareObjects(last.Object, p.Object)
			if p.Segment != next || before > 0 || before == 0 && p.Start < last.End {
				t.Fatalf("found %+v behind %+v, expected ordinal %d", p, last, next)
			}
			next, last = p.Segment+p.Segments, p
		}
	}
	if next != segments {
		t.Errorf("found ordinals up to %d, expected %d", next, segments)
	}
}

// TestHoldingIsBounded: of more small objects than are held the first decide, and none is lost.
func TestHoldingIsBounded(t *testing.T) {
	t.Parallel()
	p := &planner{Planning: Planning{
		Pipeline: compiled(t, ndjsonSpec), Workers: 1, Emit: func(state.Planned) error { return nil },
	}}
	for i := range maxHeld + 1 {
		must(t, p.take(t.Context(), found{object: contracts.Object{Bucket: "b", Key: fmt.Sprint(i), Size: 1000}}))
		if held := len(p.held); held != (i+1)%maxHeld && i < maxHeld {
			t.Fatalf("%d objects held of %d", held, i+1)
		}
	}
	want := segmentFor(maxHeld*1000, 1)
	if p.SegmentSize != want || len(p.held) != 0 || p.out.Totals.Segments != maxHeld+1 {
		t.Errorf("found segments of %d bytes, %d held, %+v; expected %d", p.SegmentSize, len(p.held), p.out.Totals, want)
	}
}
