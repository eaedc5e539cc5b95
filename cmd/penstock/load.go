package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/dispatcher"
)

// loadFlags are what load and submit are told besides the settings.
type loadFlags struct {
	table string
	force bool
}

func (f *loadFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.table, "table", "", "KEYSPACE.TABLE: load without a pipeline, by the names of its columns")
	c.Flags().BoolVar(&f.force, "force", false, "load what the ledger says is loaded, too")
}

// load applies a pipeline, submits one job, sees it to its end and prints its report.
func (a *app) load() *cobra.Command {
	var f loadFlags
	c := command("load PIPELINE SOURCE…", "Load files and wait for the report", cobra.ArbitraryArgs,
		func(c *cobra.Command, args []string) error { return a.runLoad(c, f, args) })
	f.add(c)
	return c
}

func (a *app) runLoad(c *cobra.Command, f loadFlags, args []string) (err error) {
	name, sources, err := f.split(args)
	if err != nil {
		return err
	}
	p, err := a.plant(c, needRoles)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	report, err := a.loadOne(c.Context(), p, f, name, sources)
	if err != nil {
		return err
	}
	return a.finish(report)
}

// split tells the pipeline from the sources.
func (f loadFlags) split(args []string) (name string, sources []string, err error) {
	if slices.Contains(args, "") {
		return "", nil, usageError(errors.New("an argument is empty: expected a source: is a variable not set?"))
	}
	if f.table != "" && len(args) > 0 && slices.Contains([]string{".yaml", ".yml"}, filepath.Ext(args[0])) {
		return "", nil, usageError(fmt.Errorf("--table takes no pipeline: expected sources only, found %s", args[0]))
	}
	if f.table == "" && len(args) > 0 {
		name, args = args[0], args[1:]
	}
	if len(args) == 0 {
		return "", nil, usageError(errors.New("no source: expected `penstock load PIPELINE SOURCE…` " +
			"or `penstock load --table KEYSPACE.TABLE SOURCE…`"))
	}
	return name, args, nil
}

// loadOne runs one job in this process, or leaves it to others, and gives its report.
func (a *app) loadOne(
	ctx context.Context, p *plant, f loadFlags, name string, sources []string,
) (r contracts.Report, err error) {
	workers, err := p.settings.integer("workers", 0)
	if err != nil {
		return r, usageError(err)
	}
	job, err := a.newJob(ctx, p, f, name, sources)
	if err != nil {
		return r, err
	}
	old, err := p.interrupted(ctx, job)
	if err != nil {
		return r, err
	}
	return a.runJob(ctx, p, job, workers, old)
}

// runJob publishes a job and sees it to its end, with roles in this process as it was asked to. An old job that was
// interrupted goes first; what it leaves to load, since files may have changed, is the new one's.
func (a *app) runJob(
	ctx context.Context, p *plant, job contracts.Job, workers int, old contracts.JobID,
) (r contracts.Report, err error) {
	if p.solo() && workers == 0 {
		return r, usageError(errors.New("--workers 0 leaves the work to others, and NATS is embedded in this process: " +
			"expected a worker, or --nats, or a `penstock up` on the same --data"))
	}
	ctx, stop := a.startRoles(ctx, p, workers)
	defer func() {
		if rerr := stop(); rerr != nil {
			err = rerr // why the job was not seen to its end
		}
	}()
	if old == "" {
		return a.submitAndFollow(ctx, p, job)
	}
	return a.takeUp(ctx, p, old, job)
}

// takeUp sees an interrupted job to its end, and then loads what the ledger lacks.
func (a *app) takeUp(
	ctx context.Context, p *plant, old contracts.JobID, job contracts.Job,
) (contracts.Report, error) {
	first := job
	first.ID = old
	before, err := a.submitAndFollow(ctx, p, first)
	if err != nil || (before.Error != nil && before.Error.Kind == contracts.KindLimit) {
		return before, err
	}
	after, err := a.submitAndFollow(ctx, p, job)
	if err != nil || after.Objects.Loaded+after.Objects.Failed == 0 {
		return before, err
	}
	fmt.Fprintf(a.Err, "job %s, which was interrupted, ended as %s: `penstock report %s`\n", old, before.State, old)
	return after, nil
}

// startRoles runs dispatcher and workers beside the command; the returned function ends them. If they end by
// themselves, so does the returned context.
func (a *app) startRoles(ctx context.Context, p *plant, workers int) (_ context.Context, stop func() error) {
	if p.settings.str(attached) != "" && workers == 0 {
		return ctx, func() error { return nil }
	}
	roles, cancel := context.WithCancelCause(ctx)
	done := make(chan error, 1)
	go func() {
		done <- p.runRoles(roles, workers)
		cancel(errRolesEnded)
	}()
	return roles, func() error {
		cancel(nil)
		return <-done
	}
}

// errRolesEnded is why a context of startRoles ended where nobody interrupted it.
var errRolesEnded = errors.New("dispatcher and workers of this process ended before the job did")

// newJob applies the pipeline and makes a job of the sources.
func (a *app) newJob(ctx context.Context, p *plant, f loadFlags, name string, sources []string) (contracts.Job, error) {
	compiled, err := a.compileFor(ctx, p, f, name, sources)
	if err == nil {
		_, err = inPlace(sources) // before anything is stored
	}
	if err == nil {
		err = p.apply(ctx, compiled)
	}
	if err != nil {
		return contracts.Job{}, err
	}
	addresses, err := p.addresses(ctx, sources)
	if err != nil {
		return contracts.Job{}, err
	}
	size, err := p.settings.chunkSize()
	if err != nil {
		return contracts.Job{}, usageError(err)
	}
	if err := dispatcher.CheckSources(addresses); err != nil {
		return contracts.Job{}, usageError(err)
	}
	job := contracts.Job{
		V: contracts.Version, Pipeline: compiled.Spec().Name, Revision: compiled.Spec().Revision(),
		Source: addresses, Force: f.force, ChunkSize: size, Trigger: "cli",
	}
	job.ID = contracts.NewJobID(time.Now(), p.owner+randomText(8))
	return job, nil
}

// interrupted finds an active job that asks for exactly this; "" where there is none, or all is to be loaded anew.
func (p *plant) interrupted(ctx context.Context, job contracts.Job) (contracts.JobID, error) {
	if job.Force {
		return "", nil
	}
	return p.underWay(ctx, job)
}

// takenUp is a command's job by its id: that of an active one which asks for exactly this, or a new one.
func (p *plant) takenUp(ctx context.Context, job contracts.Job) (_ contracts.Job, err error) {
	if job.ID, err = p.underWay(ctx, job); job.ID == "" {
		job.ID = contracts.NewJobID(time.Now(), p.owner+randomText(8))
	}
	return job, err
}

// underWay finds an active job that asks for exactly this.
func (p *plant) underWay(ctx context.Context, job contracts.Job) (contracts.JobID, error) {
	for id, err := range p.store.ActiveJobs(ctx) {
		if err != nil {
			return "", err
		}
		old, err := p.store.Job(ctx, id)
		if contracts.KindOf(err) == contracts.KindMissing {
			continue // a marker without a job
		}
		if err != nil {
			return "", err
		}
		if _, err := p.store.Report(ctx, id); contracts.KindOf(err) != contracts.KindMissing {
			continue // over, and about to be taken off the list
		}
		want := job
		want.ID = old.ID
		if fmt.Sprint(want) == fmt.Sprint(old.Job) {
			p.log.Warn("taking up a job that was interrupted", "job", id)
			return id, nil
		}
	}
	return "", nil
}

// finish prints a report and turns it into the exit code.
func (a *app) finish(r contracts.Report) error {
	if err := a.printReport(r); err != nil {
		return err
	}
	switch r.State {
	case contracts.StateDone:
		return nil
	case contracts.StateDoneRejects:
		return exitError{code: exitRejects}
	default:
		return exitError{code: exitFailed}
	}
}
