package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/dispatcher"
	"github.com/penstock-io/penstock/state"
)

// dead is about what nobody could load: chunks of jobs, and messages that are no job. What it shows is in the object
// store: the dead letters on NATS are news of it.
func (a *app) dead() *cobra.Command {
	c := command("dead", "Show, replay or discard what could not be loaded", cobra.NoArgs,
		func(c *cobra.Command, _ []string) error { return c.Help() })
	c.AddCommand(a.deadList(), a.deadShow(), a.deadReplay(), a.deadDiscard())
	return c
}

// deadTarget is what the arguments of show, replay and discard name: chunks of a job, or one refused message.
type deadTarget struct {
	job     contracts.JobID
	chunks  []int
	message string // id; "" for a job
}

// onDead makes a subcommand about one job's chunks or one message.
func (a *app) onDead(
	use, short string, n need, run func(context.Context, *plant, deadTarget) error,
) *cobra.Command {
	return command(use, short, cobra.MinimumNArgs(1), func(c *cobra.Command, args []string) (err error) {
		chunks := make([]int, len(args)-1)
		for i, text := range args[1:] {
			if chunks[i], err = strconv.Atoi(text); err != nil || chunks[i] < 0 {
				return usageError(fmt.Errorf("chunk %q: expected a number from 0", text))
			}
		}
		if err := contracts.CheckName("job", args[0]); err != nil {
			return usageError(err)
		}
		p, err := a.plant(c, n)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, p.Close()) }()
		t := deadTarget{job: contracts.JobID(args[0]), chunks: chunks}
		if len(chunks) == 0 {
			if _, err := p.store.Refused(c.Context(), args[0]); err == nil {
				t = deadTarget{message: args[0]}
			} else if contracts.KindOf(err) != contracts.KindMissing {
				return err
			}
		}
		return run(c.Context(), p, t)
	})
}

func (a *app) deadReplay() *cobra.Command {
	return a.onDead("replay JOB [CHUNK…]", "Load dead chunks of an ended job, as they would have been loaded then",
		needRoles, func(ctx context.Context, p *plant, t deadTarget) error {
			if t.message != "" {
				return a.replayMessage(ctx, p, t.message)
			}
			job, err := p.store.Job(ctx, t.job)
			if err != nil {
				return err
			}
			if err := p.freshEnough(ctx, job); err != nil {
				return err
			}
			if err := p.withinLimit(ctx, job); err != nil {
				return err
			}
			n, err := dispatcher.Reopen(ctx, p.store, t.job, t.chunks, time.Now())
			if err != nil {
				return err
			}
			if n == 0 {
				fmt.Fprintf(a.Err, "job %s has no dead chunk: nothing to replay\n", t.job)
				return nil
			}
			return a.seeReopened(ctx, p, job)
		})
}

// seeReopened waits for the end of a job that was reopened, with roles in this process as the settings say.
func (a *app) seeReopened(ctx context.Context, p *plant, job contracts.AcceptedJob) error {
	workers, err := p.settings.integer("workers", 0)
	if err != nil {
		return usageError(err)
	}
	again := contracts.Event{
		V: contracts.Version, Job: job.ID, Pipeline: job.Pipeline, Kind: contracts.EventControl, Time: time.Now().UTC(),
	}
	if err := p.queue.PublishEvent(ctx, again); err != nil {
		return err
	}
	report, err := a.runJob(ctx, p, job.Job, workers, "")
	if err != nil {
		return err
	}
	return a.finish(report)
}

// freshEnough refuses a replay of writes so old that rows which were deleted since could come back.
func (p *plant) freshEnough(ctx context.Context, job contracts.AcceptedJob) error {
	c, err := p.pipelines.Compiled(ctx, job.Pipeline, job.Revision)
	if err != nil {
		return err
	}
	table := c.Table()
	grace, err := p.target.GCGrace(ctx, table.Keyspace, table.Name)
	if err != nil {
		return err
	}
	if age := time.Since(job.Accepted); age > grace {
		return contracts.Errorf(contracts.KindConfig, "job %s is %s old, and table %s.%s forgets after %s what was deleted "+
			"(gc_grace_seconds): deleted rows could come back; `penstock retry %s` loads what is missing by a new job",
			job.ID, age.Round(time.Second), table.Keyspace, table.Name, grace, job.ID)
	}
	return nil
}

// replayMessage publishes a message again that was refused: what it lacked may be there now.
func (a *app) replayMessage(ctx context.Context, p *plant, id string) error {
	r, err := p.store.Refused(ctx, id)
	if err != nil {
		return err
	}
	if want := p.subjects().Job(contracts.LastToken(r.Subject)); r.Subject != want {
		return contracts.Errorf(contracts.KindConfig, "message %s came on %s: expected one on %s", id, r.Subject, want)
	}
	if err := p.store.DiscardRefused(ctx, id); err != nil { // first: if it is refused again, it is listed again
		return err
	}
	if err := p.queue.PublishJob(ctx, contracts.LastToken(r.Subject), r.Data); err != nil {
		return errors.Join(err, p.store.PutRefused(context.WithoutCancel(ctx), r))
	}
	fmt.Fprintf(a.Err,
		"message %s is published again: `penstock jobs` shows its job, or `penstock dead list` why not\n", id)
	return nil
}

func (a *app) deadDiscard() *cobra.Command {
	return a.onDead("discard JOB [CHUNK…]", "Note that dead chunks have been seen: list leaves them out", needStore,
		func(ctx context.Context, p *plant, t deadTarget) error {
			if t.message != "" {
				return p.store.DiscardRefused(ctx, t.message)
			}
			if _, err := p.store.Job(ctx, t.job); err != nil {
				return err
			}
			if len(t.chunks) > 0 {
				return p.discard(ctx, t)
			}
			for c, err := range p.store.Dead(ctx, t.job) {
				if err == nil {
					err = p.store.Discard(ctx, t.job, c.Chunk)
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
}

func (p *plant) discard(ctx context.Context, t deadTarget) error {
	for _, n := range t.chunks {
		if _, err := p.deadCompletion(ctx, t.job, n); err != nil {
			return err
		}
		if err := p.store.Discard(ctx, t.job, n); err != nil {
			return err
		}
	}
	return nil
}

// deadCompletion is what became of a chunk that is dead.
func (p *plant) deadCompletion(ctx context.Context, job contracts.JobID, chunk int) (contracts.Completion, error) {
	c, done, err := p.store.Completion(ctx, job, chunk)
	if contracts.KindOf(err) == contracts.KindMissing || err == nil && done {
		return c, contracts.Errorf(contracts.KindConfig,
			"chunk %d of job %s is not dead: `penstock dead list %s` lists those that are", chunk, job, job)
	}
	return c, err
}

// planOf is a job's plan, read by chunk; nil where there is none.
func (p *plant) planOf(ctx context.Context, job contracts.JobID) (*state.PlanReader, error) {
	plan, err := p.store.Plan(ctx, job)
	if contracts.KindOf(err) == contracts.KindMissing {
		return nil, nil
	}
	return p.store.PlanReader(plan), err
}
