package dispatcher

import (
	"slices"
	"testing"
	"time"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/state"
)

// TestSmallJobBesideAHugeOne counts the chunks of a job of 100,000 that are ahead of a job of one chunk, which comes
// later: no more than the window holds.
func TestSmallJobBesideAHugeOne(t *testing.T) {
	t.Parallel()
	l := newLab(t, ndjsonSpec)
	l.cfg.ChunkSize, l.cfg.Window, l.cfg.Reconcile = 16, 8, time.Hour
	huge, small := l.put("huge", numberedJSON(85_000)), l.put("small", numberedJSON(1))
	d, _ := l.run()
	l.accept(d, "huge", huge)
	ctx := t.Context()
	for range 5 * l.cfg.Window {
		w, _ := l.queue.take(ctx)
		must(t, l.serve(ctx, w))
	}
	if plan, err := l.store.Plan(ctx, "huge"); err != nil || plan.Totals.Chunks < 100_000 {
		t.Fatalf("found %+v, %v", plan.Totals, err)
	}
	held, _ := l.queue.take(ctx) // a worker is busy meanwhile
	isSmall := func(w contracts.ChunkWork) bool { return w.Job == "small" }
	l.accept(d, "small", small)
	l.await(func() bool { return slices.ContainsFunc(l.queue.waiting, isSmall) })
	ahead := 0
	for {
		w, _ := l.queue.take(ctx)
		must(t, l.serve(ctx, w))
		if isSmall(w) {
			break
		}
		ahead++
	}
	if ahead > l.cfg.Window {
		t.Errorf("%d chunks went first, expected at most the %d of the window", ahead, l.cfg.Window)
	}
	expectReport(t, l.report("small"), contracts.StateDone, 1, totals(1, 1, 0, 0))
	must(t, l.serve(ctx, held))
	must(t, l.store.SetControl(ctx, "huge", state.Cancel))
	must(t, l.queue.PublishEvent(ctx, contracts.Event{Job: "huge", Kind: contracts.EventControl}))
	if r := l.report("huge"); r.State != contracts.StateCancelled {
		t.Errorf("found %+v", r)
	}
}
