package status_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/internal/teststore"
	"github.com/penstock-io/penstock/state"
	"github.com/penstock-io/penstock/status"
)

// TestRecordsBeforeAChunkCountOnlyDoneOnes has objects of several chunks, of which some are dead, have no outcome, or
// share a chunk with others.
func TestRecordsBeforeAChunkCountOnlyDoneOnes(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := state.New(teststore.Docs(t, client))
	w := s.NewPlan("j1")
	part := func(key string, whole bool) contracts.Part {
		return contracts.Part{Object: contracts.Object{Bucket: "b", Key: key, ETag: "e"}, Whole: whole}
	}
	later := part("f", false)
	later.Records = -1
	for _, parts := range [][]contracts.Part{
		{part("a", false)}, {part("a", false)}, {part("a", false)}, // 0 to 2: all done
		{part("b", true), part("c", true)},                                             // 3
		{part("d", false)}, {part("d", false)}, {part("d", false)}, {part("d", false)}, // 4 to 7: 5 dead
		{part("e", false)}, {part("e", false)}, {part("e", false)}, // 8 to 10: 9 has no outcome
		{later}, {later}, // 11 and 12: of rejects that are loaded again, from the midst of an object on
	} {
		must(t, w.Add(ctx, state.Planned{Parts: parts}))
	}
	plan, err := w.Seal(ctx, state.Plan{Totals: contracts.PlanTotals{Chunks: w.Chunks()}})
	must(t, err)
	for n := range w.Chunks() {
		c := contracts.Completion{Job: "j1", Chunk: n, Counts: contracts.Counts{Read: int64(n + 10), Rejected: 1}}
		switch n {
		case 5:
			_, err = s.PutDead(ctx, c)
		case 9:
		default:
			_, err = s.PutDone(ctx, c)
		}
		must(t, err)
	}
	var found []string
	for c, err := range status.InOrder(ctx, s, plan) {
		must(t, err)
		found = append(found, fmt.Sprintf("%d:%d", c.Chunk, c.Before))
	}
	want := []string{"0:0", "1:10", "2:21", "3:0", "4:0", "5:14", "6:-1", "7:-1", "8:0", "10:-1", "11:-1", "12:-1"}
	if !slices.Equal(found, want) {
		t.Errorf("found %v, expected %v", found, want)
	}
}
