package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/state"
	"github.com/penstock-io/penstock/status"
)

// onJob makes a command about one job.
func (a *app) onJob(
	use, short string, n need, run func(context.Context, *plant, contracts.JobID) error,
) *cobra.Command {
	return command(use, short, cobra.ExactArgs(1), func(c *cobra.Command, args []string) (err error) {
		if err := contracts.CheckName("job", args[0]); err != nil {
			return usageError(err)
		}
		p, err := a.plant(c, n)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, p.Close()) }()
		return run(c.Context(), p, contracts.JobID(args[0]))
	})
}

// submit publishes a job and prints its id.
func (a *app) submit() *cobra.Command {
	var f loadFlags
	var wait bool
	c := command("submit PIPELINE SOURCE…", "Publish a job and print its id", cobra.ArbitraryArgs,
		func(c *cobra.Command, args []string) (err error) {
			name, sources, err := f.split(args)
			if err != nil {
				return err
			}
			p, err := a.plant(c, needAll)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, p.Close()) }()
			job, err := a.newJob(c.Context(), p, f, name, sources)
			if err != nil {
				return err
			}
			if wait && p.solo() {
				return usageError(errors.New("--wait: nobody loads anything here: " +
					"expected --nats, or a `penstock up` on the same --data; or use `penstock load`"))
			}
			if wait {
				report, err := a.submitAndFollow(c.Context(), p, job)
				if err != nil {
					return err
				}
				return a.finish(report)
			}
			if err := a.publish(c.Context(), p, job); err != nil {
				return err
			}
			if p.solo() {
				fmt.Fprintln(a.Err, "published, but nobody works on it: expected --nats, or a `penstock up` on the same --data, "+
					"which takes it up when it starts")
			}
			return nil
		})
	f.add(c)
	c.Flags().BoolVar(&wait, "wait", false, "wait for the report")
	return c
}

func (a *app) publish(ctx context.Context, p *plant, job contracts.Job) error {
	if err := p.publish(ctx, job); err != nil {
		return err
	}
	if a.output == "json" {
		return a.printJSON(map[string]any{"job": job.ID, "pipeline": job.Pipeline, "source": job.Source})
	}
	fmt.Fprintln(a.Out, job.ID)
	return nil
}

// jobs lists all jobs.
func (a *app) jobs() *cobra.Command {
	return command("jobs", "List the jobs, newest last", cobra.NoArgs, func(c *cobra.Command, _ []string) (err error) {
		p, err := a.plant(c, needStore)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, p.Close()) }()
		all := []contracts.Report{}
		for id, err := range p.store.Jobs(c.Context()) {
			if err != nil {
				return err
			}
			r, err := account(c.Context(), p, id)
			if contracts.KindOf(err) == contracts.KindMissing {
				continue // a marker without a job
			}
			if err != nil {
				return err
			}
			all = append(all, r)
		}
		if a.output == "json" {
			return a.printJSON(all)
		}
		for _, r := range all {
			fmt.Fprintf(a.Out, "%-26s %-18s %-24s %10d written %8d rejected\n",
				r.Job, r.State, r.Pipeline, r.Records.Written, r.Records.Rejected)
		}
		return nil
	})
}

// account is a job's report, or how far it is where it has not ended.
func account(ctx context.Context, p *plant, id contracts.JobID) (contracts.Report, error) {
	r, err := soFar(ctx, p, id)
	if err != nil || r.State.Final() {
		return r, err
	}
	control, err := p.store.Control(ctx, id)
	if control == state.Pause || control == state.Paused {
		r.State = contracts.StatePaused
	}
	return r, err
}

// soFar says how far a job is by its report, or by the last snapshot and what is stored since.
func soFar(ctx context.Context, p *plant, id contracts.JobID) (contracts.Report, error) {
	job, err := p.store.Job(ctx, id)
	if err != nil {
		return contracts.Report{}, err
	}
	report, err := p.store.Report(ctx, id)
	if contracts.KindOf(err) != contracts.KindMissing {
		return report, err
	}
	acc := status.Account{Job: job, Rejects: p.rejectsAddress(job)}
	acc.Plan, err = p.store.Plan(ctx, id)
	if contracts.KindOf(err) == contracts.KindMissing {
		return acc.Running(time.Now()), nil
	}
	if err != nil {
		return report, err
	}
	acc.Objects = contracts.ObjectTotals{
		Total: acc.Plan.Totals.Objects, Skipped: acc.Plan.Totals.Skipped, Failed: acc.Plan.Totals.Failed,
	}
	acc.Progress, err = status.CatchUp(ctx, p.store, id, acc.Plan.Totals.Chunks)
	return acc.Running(time.Now()), err
}

// over gives the report of a job that has ended.
func (p *plant) over(ctx context.Context, id contracts.JobID) (contracts.Report, error) {
	r, err := p.store.Report(ctx, id)
	if contracts.KindOf(err) == contracts.KindMissing {
		err = contracts.Errorf(contracts.KindConfig,
			"job %s is not over: expected one that has ended: `penstock status %s --watch` waits for that", id, id)
	}
	return r, err
}

func (p *plant) rejectsAddress(job contracts.AcceptedJob) string {
	return fmt.Sprintf("s3://%s/%s/%s/", p.settings.str("rejects_bucket"), job.Pipeline, job.ID)
}

// status prints one job's state, or each of its events until the end.
func (a *app) status() *cobra.Command {
	var watch bool
	c := a.onJob("status JOB", "Print a job's state", needStore|needQueue,
		func(ctx context.Context, p *plant, id contracts.JobID) error {
			if watch {
				return a.watch(ctx, p, id)
			}
			r, err := account(ctx, p, id)
			if err != nil {
				return err
			}
			return a.printReport(r)
		})
	c.Flags().BoolVar(&watch, "watch", false, "print each event until the job ends")
	return c
}

// watch prints events, one a line, and in the end the report.
func (a *app) watch(ctx context.Context, p *plant, id contracts.JobID) error {
	if _, err := p.store.Job(ctx, id); err != nil {
		return err
	}
	events := make(chan contracts.Event, 64)
	stop, err := p.queue.Events(ctx, id, true, func(e contracts.Event) {
		select {
		case events <- e:
		case <-ctx.Done():
		}
	})
	if err != nil {
		return err
	}
	defer drain(events, stop)
	look := time.NewTicker(2 * time.Second)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return exitError{code: exitInterrupted}
		case e := <-events:
			a.printEvent(e)
			if r, over := p.ended(ctx, e); over {
				return a.finish(r)
			}
		case <-look.C:
			// Events are kept for some days only; the report stays.
			if r, err := p.store.Report(ctx, id); err == nil {
				return a.finish(r)
			}
		}
	}
}

func (a *app) printEvent(e contracts.Event) {
	if a.output == "json" {
		if data, err := json.Marshal(e); err == nil {
			fmt.Fprintf(a.Err, "%s\n", data)
		}
		return
	}
	line := e.Time.Format(time.TimeOnly) + " " + string(e.Kind)
	if e.Chunk != nil {
		line += fmt.Sprintf(" %d", *e.Chunk)
	}
	if e.Counts != nil {
		line += fmt.Sprintf(": %d read, %d written, %d rejected", e.Counts.Read, e.Counts.Written, e.Counts.Rejected)
	}
	if e.Error != nil {
		line += ": " + e.Error.Message
	}
	fmt.Fprintln(a.Err, line)
}

// report prints the report of a job that has ended, or each of its errors.
func (a *app) report() *cobra.Command {
	var failures bool
	c := a.onJob("report JOB", "Print a job's report", needStore,
		func(ctx context.Context, p *plant, id contracts.JobID) error {
			if failures {
				return a.printFailures(ctx, p, id)
			}
			r, err := account(ctx, p, id)
			if err != nil {
				return err
			}
			if !r.State.Final() {
				fmt.Fprintf(a.Err, "job %s is not over: its report so far\n", id)
				return a.printReport(r)
			}
			return a.finish(r)
		})
	c.Flags().BoolVar(&failures, "failures", false, "print each object's error instead, one a line")
	return c
}

// retry loads what an ended job named and the ledger lacks, by a new job: what failed then, and nothing twice.
func (a *app) retry() *cobra.Command {
	return a.onJob("retry JOB", "Load again what an ended job could not load", needRoles,
		func(ctx context.Context, p *plant, id contracts.JobID) error {
			old, err := p.store.Job(ctx, id)
			if err != nil {
				return err
			}
			if _, err := p.over(ctx, id); err != nil {
				return err
			}
			job, err := p.again(ctx, old)
			if err != nil {
				return err
			}
			if len(job.Source) == 0 {
				fmt.Fprintf(a.Err, "job %s has loaded all of its objects: nothing to retry\n", id)
				return nil
			}
			if job, err = p.takenUp(ctx, job); err != nil {
				return err
			}
			workers, err := p.settings.integer("workers", 0)
			if err != nil {
				return usageError(err)
			}
			report, err := a.runJob(ctx, p, job, workers, "")
			if err != nil {
				return err
			}
			return a.finish(report)
		})
}

// cancel ends a job.
func (a *app) cancel() *cobra.Command {
	return a.onJob("cancel JOB", "Start no further chunk of a job; what is in flight ends", needStore|needQueue,
		func(ctx context.Context, p *plant, id contracts.JobID) error {
			if _, err := p.ask(ctx, id, state.Cancel); err != nil {
				return err
			}
			fmt.Fprintf(a.Err, "job %s is asked to end: `penstock report %s` says when it has\n", id, id)
			return nil
		})
}
