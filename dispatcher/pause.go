package dispatcher

import (
	"context"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/state"
)

// A job that is paused has no runner and none of its chunks is queued. It stays active, so the leader looks at it each
// time it looks at the store, and empties the queue again of what a leader that was deposed may have published.

// rests says whether the job is paused, and sees to it that it is. A job that is to go on is told of and goes on. News
// comes before the control moves on, so that a leader that dies in between is followed by one that tells it again.
func (r *runner) rests(ctx context.Context) (bool, error) {
	control, err := r.control(ctx)
	if err != nil {
		return false, err
	}
	r.resting.Store(control == state.Pause || control == state.Paused)
	switch control {
	case state.Pause, state.Paused:
		if err := r.d.queue.Purge(ctx, r.id); err != nil || control == state.Paused {
			return true, err
		}
		return true, r.turn(ctx, contracts.EventPaused, state.Pause, state.Paused)
	case state.Resume:
		return false, r.turn(ctx, contracts.EventResumed, state.Resume, state.Run)
	}
	return false, nil
}

// turn tells that what a user asked is in effect, and notes it, unless he has changed his mind.
func (r *runner) turn(ctx context.Context, kind contracts.EventKind, from, to state.Control) error {
	r.d.event(ctx, contracts.Event{Job: r.id, Pipeline: r.job.Pipeline, Kind: kind})
	r.d.cfg.Log.Info("job "+string(kind), "job", r.id)
	_, err := r.d.store.MoveControl(ctx, r.id, to, from)
	return err
}

// control is what is asked of the job. What is asked after this has the job looked at again.
func (r *runner) control(ctx context.Context) (state.Control, error) {
	r.recalled.Store(false)
	return r.d.store.Control(ctx, r.id)
}
