package dispatcher

import (
	"context"
	"maps"
	"slices"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/state"
	"github.com/penstock-io/penstock/status"
)

// reconcile asks the object store about everything that is out, and publishes again what has no outcome. A chunk that
// is still queued is not queued twice, and one that is loaded twice changes nothing, so this is safe at any time.
func (w *window) reconcile(ctx context.Context) error {
	again := w.r.d.store.PlanReader(w.r.plan)
	for _, n := range slices.Sorted(maps.Keys(w.asked)) {
		if err := w.recoverScan(ctx, again, n); err != nil {
			return err
		}
	}
	for _, n := range slices.Sorted(maps.Keys(w.out)) {
		if err := w.recoverLoad(ctx, again, n); err != nil {
			return err
		}
	}
	return w.flush(ctx)
}

func (w *window) recoverScan(ctx context.Context, plan *state.PlanReader, n int) error {
	c, err := plan.Chunk(ctx, n)
	if err != nil {
		return err
	}
	work := w.asked[n]
	delete(w.asked, n)
	if work == contracts.Rescan {
		return w.askAgain(ctx, n, c)
	}
	return w.ask(ctx, n, work, c.Parts)
}

func (w *window) recoverLoad(ctx context.Context, plan *state.PlanReader, n int) error {
	done, isDone, err := w.r.d.store.Completion(ctx, w.r.id, n)
	if err == nil {
		w.r.fold(status.OutcomeOf(done, isDone))
		return nil
	}
	if contracts.KindOf(err) != contracts.KindMissing {
		return err
	}
	c, err := plan.Chunk(ctx, n)
	if err != nil {
		return err
	}
	return w.publish(ctx, contracts.Load, n, w.placed(c, w.out[n]))
}
