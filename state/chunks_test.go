package state_test

import (
	"slices"
	"sync"
	"testing"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/state"
)

func completion(chunk int, worker string) contracts.Completion {
	return contracts.Completion{
		Job: "j1", Chunk: chunk, Worker: worker, Counts: contracts.Counts{Read: 3, Written: 2, Rejected: 1},
		Rules: contracts.RuleCounts{contracts.RuleType: 1}, Parts: []contracts.PartResult{{Bytes: 7}},
	}
}

func TestFirstCompletionCounts(t *testing.T) {
	t.Parallel()
	s := open(t)
	seen := make([]string, 8)
	race(8, func(i int) {
		c, err := s.PutDone(t.Context(), completion(4, string(rune('a'+i))))
		if err != nil {
			t.Error(err)
		}
		seen[i] = c.Worker
	})
	stored, done, err := s.Completion(t.Context(), "j1", 4)
	if err != nil || !done || len(slices.Compact(seen)) != 1 || stored.Worker != seen[0] {
		t.Errorf("callers saw %v, stored is %q, done %t, %v", seen, stored.Worker, done, err)
	}
	if stored.Counts.Rejected != 1 || stored.Rules[contracts.RuleType] != 1 || stored.Parts[0].Bytes != 7 {
		t.Errorf("found %+v", stored)
	}
}

func TestDoneBeatsDead(t *testing.T) {
	t.Parallel()
	s, ctx := open(t), t.Context()
	_, _, err := s.Completion(ctx, "j1", 0)
	expectKind(t, err, contracts.KindMissing)
	dead := completion(0, "undertaker")
	dead.Error = contracts.Info(contracts.Errorf(contracts.KindInput, "broken"))
	_, err = s.PutDead(ctx, dead)
	must(t, err)
	c, done, err := s.Completion(ctx, "j1", 0)
	if err != nil || done || c.Error == nil || c.Error.Message != "broken" {
		t.Errorf("found %+v, done %t, %v", c, done, err)
	}
	_, err = s.PutDone(ctx, completion(0, "phoenix"))
	must(t, err)
	if c, done, err = s.Completion(ctx, "j1", 0); err != nil || !done || c.Worker != "phoenix" {
		t.Errorf("found %+v, done %t, %v", c, done, err)
	}
}

func TestEnded(t *testing.T) {
	t.Parallel()
	d, ctx := docs(t), t.Context()
	s := state.New(d)
	for _, n := range []int{0, 9, 10, 1_000_000_007} {
		_, err := s.PutDone(ctx, completion(n, "w"))
		must(t, err)
	}
	_, err := s.PutDead(ctx, completion(9, "w"))
	must(t, err)
	_, err = s.PutDead(ctx, completion(2, "w"))
	must(t, err)
	must(t, d.Put(ctx, "jobs/j1/done/readme", nil))
	must(t, d.Put(ctx, "jobs/j10/done/000000005", nil)) // of another job
	var found []int
	for n, err := range s.Ended(ctx, "j1") {
		must(t, err)
		found = append(found, n)
	}
	if want := []int{0, 9, 10, 1_000_000_007, 2, 9}; !slices.Equal(found, want) {
		t.Errorf("found %v, expected %v", found, want)
	}
}

func TestFirstScanCounts(t *testing.T) {
	t.Parallel()
	s, ctx := open(t), t.Context()
	_, err := s.Scan(ctx, "j1", 3)
	expectKind(t, err, contracts.KindMissing)
	first := contracts.ScanResult{Job: "j1", Chunk: 3, Outcomes: []contracts.Outcome{{Start: 1, End: 2, Records: 5}}}
	_, err = s.PutScan(ctx, first)
	must(t, err)
	again, err := s.PutScan(ctx, contracts.ScanResult{Job: "j1", Chunk: 3})
	if err != nil || !slices.Equal(again.Outcomes, first.Outcomes) {
		t.Errorf("found %+v, %v", again, err)
	}
}

func TestFailuresOfManyAreAllCounted(t *testing.T) {
	t.Parallel()
	s := open(t)
	var mu sync.Mutex
	var counts []int
	race(8, func(int) {
		n, err := s.AddFailure(t.Context(), "j1", 0, contracts.ErrorInfo{Kind: contracts.KindInternal, Message: "no"})
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		counts = append(counts, n)
		mu.Unlock()
	})
	slices.Sort(counts)
	if !slices.Equal(counts, []int{1, 2, 3, 4, 5, 6, 7, 8}) {
		t.Errorf("found %v: expected each count once", counts)
	}
	if n, err := s.AddFailure(t.Context(), "j1", 1, contracts.ErrorInfo{}); err != nil || n != 1 {
		t.Errorf("another chunk: found %d, %v", n, err)
	}
}

func TestProgressIsKept(t *testing.T) {
	t.Parallel()
	s, ctx := open(t), t.Context()
	_, err := s.Progress(ctx, "j1")
	expectKind(t, err, contracts.KindMissing)
	must(t, s.SaveProgress(ctx, "j1", []byte("one")))
	must(t, s.SaveProgress(ctx, "j1", []byte("two")))
	if got, err := s.Progress(ctx, "j1"); err != nil || string(got) != "two" {
		t.Errorf("found %q, %v", got, err)
	}
}
