package status_test

import (
	"testing"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/internal/objects"
	"github.com/penstock-io/penstock/internal/teststore"
	"github.com/penstock-io/penstock/state"
	"github.com/penstock-io/penstock/status"
)

// client talks to the one gateway that a process may run.
var client *objects.S3

func TestMain(m *testing.M) { teststore.Main(m, func(c *objects.S3) { client = c }) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestCatchUpAfterAReplay: a snapshot that a deposed leader saved has a chunk dead that was reopened.
func TestCatchUpAfterAReplay(t *testing.T) {
	t.Parallel()
	s := state.New(teststore.Docs(t, client))
	late := status.NewProgress(2)
	late.Apply(status.Outcome{Chunk: 1, Counts: contracts.Counts{Read: 4, Rejected: 4}})
	snapshot, err := late.Snapshot()
	must(t, err)
	must(t, s.SaveProgress(t.Context(), "j1", snapshot))
	p, err := status.CatchUp(t.Context(), s, "j1", 2)
	if err != nil || p.Has(1) || p.Counts != (contracts.Counts{}) {
		t.Errorf("found %+v, %v", p, err)
	}
}

// TestCatchUp starts from every kind of snapshot; what is stored decides.
func TestCatchUp(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := state.New(teststore.Docs(t, client))
	counts := func(n int64) contracts.Counts { return contracts.Counts{Read: n, Written: n} }
	for _, n := range []int{0, 3, 7} { // 7 is of no chunk of this plan
		_, err := s.PutDone(ctx, contracts.Completion{Job: "j1", Chunk: n, Counts: counts(1)})
		must(t, err)
	}
	for _, n := range []int{1, 3} { // 3 was dead first
		_, err := s.PutDead(ctx, contracts.Completion{Job: "j1", Chunk: n, Counts: counts(10),
			Error: &contracts.ErrorInfo{Kind: contracts.KindInput, Message: "broken"}})
		must(t, err)
	}
	early := status.NewProgress(5)
	early.Apply(status.Outcome{Chunk: 0, Done: true, Counts: counts(1)})
	early.Apply(status.Outcome{Chunk: 3, Counts: counts(10)})
	snapshot, err := early.Snapshot()
	must(t, err)
	other, err := status.NewProgress(99).Snapshot()
	must(t, err)
	for _, c := range []struct {
		name string
		data []byte
	}{{"none", nil}, {"an early one", snapshot}, {"one of another plan", other}, {"garbage", []byte("?")}} {
		if c.data != nil {
			must(t, s.SaveProgress(ctx, "j1", c.data))
		}
		p, err := status.CatchUp(ctx, s, "j1", 5)
		if err != nil || p.Done != 2 || len(p.Dead) != 1 || p.Counts != counts(12) || !p.IsDone(3) || p.Has(2) {
			t.Errorf("%s: found %+v, %v", c.name, p, err)
		}
	}
}
