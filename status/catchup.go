package status

import (
	"context"
	"maps"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/state"
)

// CatchUp folds what the object store knows of a job of so many chunks: the last snapshot, and what is stored since.
// What is dead in the snapshot only was reopened.
func CatchUp(ctx context.Context, store *state.Store, job contracts.JobID, total int) (*Progress, error) {
	p, err := restore(ctx, store, job, total)
	if err != nil {
		return nil, err
	}
	reopened := maps.Clone(p.Dead)
	for chunk, err := range store.Ended(ctx, job) {
		if err != nil {
			return nil, err
		}
		if chunk >= total || p.IsDone(chunk) {
			continue
		}
		c, done, err := store.Completion(ctx, job, chunk)
		if contracts.KindOf(err) == contracts.KindMissing {
			continue
		}
		if err != nil {
			return nil, err
		}
		delete(reopened, chunk)
		p.Apply(OutcomeOf(c, done))
	}
	for chunk := range reopened {
		p.Revive(chunk)
	}
	return p, nil
}

func restore(ctx context.Context, store *state.Store, job contracts.JobID, total int) (*Progress, error) {
	snapshot, err := store.Progress(ctx, job)
	if contracts.KindOf(err) == contracts.KindMissing {
		return NewProgress(total), nil
	}
	if err != nil {
		return nil, err
	}
	p, err := Restore(snapshot, total)
	if err != nil {
		return NewProgress(total), nil // a snapshot only spares work: what is stored says all that it says
	}
	return p, nil
}
