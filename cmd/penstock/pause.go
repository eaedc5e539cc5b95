package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/state"
)

// pause lets a job rest, and resume lets it go on.
func (a *app) pause() *cobra.Command {
	return a.onJob("pause JOB", "Start no further chunk of a job until resume; what is in flight ends",
		needStore|needQueue, func(ctx context.Context, p *plant, id contracts.JobID) error {
			now, err := p.ask(ctx, id, state.Pause, state.Run, state.Resume)
			if err == nil && now == state.Cancel {
				err = contracts.Errorf(contracts.KindConfig, "job %s is asked to end: expected one that goes on", id)
			}
			if err == nil {
				fmt.Fprintf(a.Err, "job %s is asked to rest: `penstock status %s` says how far it is, "+
					"`penstock resume %s` lets it go on\n", id, id, id)
			}
			return err
		})
}

func (a *app) resume() *cobra.Command {
	return a.onJob("resume JOB", "Let a paused job go on", needStore|needQueue,
		func(ctx context.Context, p *plant, id contracts.JobID) error {
			now, err := p.ask(ctx, id, state.Resume, state.Pause, state.Paused)
			if err == nil && now != state.Resume {
				err = contracts.Errorf(contracts.KindConfig, "job %s is not paused: expected one that is", id)
			}
			if err == nil {
				fmt.Fprintf(a.Err, "job %s is asked to go on\n", id)
			}
			return err
		})
}

// ask moves the control of a job that has not ended, from wherever it is where nothing is said, and has the dispatcher
// look at it, which it would do by itself in a while. What the job is asked then is returned.
func (p *plant) ask(
	ctx context.Context, id contracts.JobID, to state.Control, from ...state.Control,
) (now state.Control, err error) {
	job, err := p.store.Job(ctx, id)
	if err != nil {
		return "", err
	}
	if r, err := p.store.Report(ctx, id); err == nil {
		return "", contracts.Errorf(contracts.KindConfig, "job %s is over: %s", id, r.State)
	}
	if now = to; len(from) == 0 {
		err = p.store.SetControl(ctx, id, to)
	} else {
		now, err = p.store.MoveControl(ctx, id, to, from...)
	}
	if err != nil {
		return now, err
	}
	return now, p.queue.PublishEvent(ctx, contracts.Event{
		V: contracts.Version, Job: id, Pipeline: job.Pipeline, Kind: contracts.EventControl, Time: time.Now().UTC(),
	})
}
