package state_test

import (
	"testing"
	"time"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/state"
)

// TestRefusedAgain: a message that is published again and refused again is news, with the reason of this time.
func TestRefusedAgain(t *testing.T) {
	t.Parallel()
	s, ctx := open(t), t.Context()
	first := state.Refused{
		Subject: "penstock.jobs.p", Time: time.Unix(1, 0).UTC(), Reason: "no pipeline", Data: []byte("x"),
	}
	must(t, s.PutRefused(ctx, first))
	refused := func() (all []state.Refused) {
		t.Helper()
		for r, err := range s.AllRefused(ctx) {
			must(t, err)
			all = append(all, r)
		}
		return all
	}
	id := refused()[0].ID
	must(t, s.DiscardRefused(ctx, id))
	if seen, err := s.DiscardedRefused(ctx, id); err != nil || !seen {
		t.Fatalf("found %t, %v: it was discarded", seen, err)
	}
	again := first
	again.Time, again.Reason = time.Unix(2, 0).UTC(), "no source"
	must(t, s.PutRefused(ctx, again))
	all := refused()
	if len(all) != 1 || all[0].ID != id || !all[0].Time.Equal(first.Time) || all[0].Reason != "no source" {
		t.Errorf("found %+v, expected one, since %s, for %q", all, first.Time, again.Reason)
	}
	if seen, err := s.DiscardedRefused(ctx, id); err != nil || seen {
		t.Errorf("found %t, %v: nobody has seen it this time", seen, err)
	}
}

// TestDeadChunksThatAreReopenedMeanwhile are passed over by whoever lists them.
func TestDeadChunksThatAreReopenedMeanwhile(t *testing.T) {
	t.Parallel()
	s, ctx := open(t), t.Context()
	for n := range 3 {
		_, err := s.PutDead(ctx, contracts.Completion{Job: "j1", Chunk: n})
		must(t, err)
	}
	var found []int
	for c, err := range s.Dead(ctx, "j1") {
		must(t, err)
		if found = append(found, c.Chunk); c.Chunk == 0 {
			must(t, s.Reopen("j1", time.Unix(1, 0)).Chunk(ctx, 1))
		}
	}
	if len(found) != 2 || found[1] != 2 {
		t.Errorf("found %v, expected 0 and 2", found)
	}
	if f, err := s.Failures(ctx, "j1", 0); err != nil || f == nil || len(f) != 0 {
		t.Errorf("found %v, %v, expected none, and not null", f, err)
	}
}
