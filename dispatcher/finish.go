package dispatcher

import (
	"context"
	"fmt"
	"time"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/state"
	"github.com/penstock-io/penstock/status"
)

// end closes the job: objects tallied and entered in the ledger, queue emptied, report stored, end announced. Each step
// may be done twice. cause is why the job as a whole stopped; nil where its chunks are through.
func (r *runner) end(ctx context.Context, stopped contracts.State, cause error) error {
	if stopped != "" {
		if err := r.d.queue.Purge(ctx, r.id); err != nil {
			return err
		}
	}
	objects, err := r.tally(ctx, stopped)
	if err != nil {
		return fmt.Errorf("tally the objects of %s: %w", r.id, err)
	}
	report := status.Account{
		Job: r.job, Plan: r.plan, Progress: r.progress, Objects: objects, Stopped: stopped, Error: contracts.Info(cause),
		Rejects: fmt.Sprintf("s3://%s/%s/%s/", r.d.cfg.RejectsBucket, r.job.Pipeline, r.id),
	}.Report(r.d.cfg.Now())
	if report, err = r.d.store.EndJob(ctx, report); err != nil {
		return err
	}
	return r.announce(ctx, report)
}

// announce tells of the job's end and takes it off the active list. A leader that died before it was through is
// followed by one that says it again.
func (r *runner) announce(ctx context.Context, report contracts.Report) error {
	err := r.d.queue.PublishEvent(ctx, contracts.Event{
		V: contracts.Version, Job: r.id, Pipeline: report.Pipeline, Kind: contracts.EventKind(report.State),
		Time: r.d.cfg.Now().UTC(), Counts: &report.Records, Bytes: report.Bytes, Error: report.Error, Report: &report,
	})
	if err != nil {
		return err
	}
	r.d.cfg.Log.Info("job ended", "job", r.id, "state", report.State, "read", report.Records.Read,
		"written", report.Records.Written, "rejected", report.Records.Rejected)
	// Whoever waits for the job may end this process now: it is worth a moment not to be told of an old job again.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return r.d.store.Forget(ctx, r.id)
}

// tally walks the plan once: an object is loaded when every part of it is, and failed when one part failed.
func (r *runner) tally(ctx context.Context, stopped contracts.State) (contracts.ObjectTotals, error) {
	t := r.plan.Totals
	totals := contracts.ObjectTotals{Total: t.Objects, Skipped: t.Skipped, Failed: t.Failed}
	if r.progress == nil || stopped == contracts.StateFailed {
		return totals, nil // what a job that failed as a whole has loaded is no reason to skip it the next time
	}
	entering := r.d.store.Enter(r.job.Pipeline, r.id, r.d.cfg.Now())
	err := r.eachObject(ctx, func(o contracts.Object, fate fate) error {
		switch fate {
		case loaded:
			totals.Loaded++
			entering.Note(o)
		case failed:
			totals.Failed++
		}
		return nil
	})
	if err != nil || r.job.Rejects != "" { // of some records: the job that rejected them knows what is loaded
		return totals, err
	}
	return totals, r.enter(ctx, entering)
}

// enter enters what is loaded in the ledger. Runs that could not be merged are merged by a later job.
func (r *runner) enter(ctx context.Context, entering *state.Entering) error {
	untidy, err := entering.Commit(ctx, func(add func(contracts.Object) error) error {
		return r.eachObject(ctx, func(o contracts.Object, fate fate) error {
			if fate != loaded {
				return nil
			}
			return add(o)
		})
	})
	if err != nil || !untidy {
		return err
	}
	if err := r.d.store.MergeLedger(ctx, r.job.Pipeline); err != nil && ctx.Err() == nil {
		r.d.cfg.Log.Warn("runs of the ledger not merged: the next job tries again", "pipeline", r.job.Pipeline, "err", err)
	}
	return nil
}

// fate is what became of an object, or of a part of it. The greater one decides for the object.
type fate uint8

const (
	loaded fate = iota
	unread      // the job stopped before
	failed
)

// eachObject calls fn for each planned object, in order.
func (r *runner) eachObject(ctx context.Context, fn func(contracts.Object, fate) error) error {
	plan := r.d.store.PlanReader(r.plan)
	var current contracts.Object
	var worst fate
	for n := range r.progress.Total {
		c, err := plan.Chunk(ctx, n)
		if err != nil {
			return err
		}
		fates, err := r.fates(ctx, n, len(c.Parts))
		if err != nil {
			return err
		}
		for i, part := range c.Parts {
			if part.Object.Key != current.Key || part.Object.Bucket != current.Bucket {
				if err := pass(current, worst, fn); err != nil {
					return err
				}
				current, worst = part.Object, loaded
			}
			worst = max(worst, fates[i])
		}
	}
	return pass(current, worst, fn)
}

// pass passes an object on, if there is one.
func pass(o contracts.Object, f fate, fn func(contracts.Object, fate) error) error {
	if o.Bucket == "" {
		return nil
	}
	return fn(o, f)
}

// fates says what became of a chunk's parts.
func (r *runner) fates(ctx context.Context, n, parts int) ([]fate, error) {
	fates := make([]fate, parts)
	if r.progress.IsDone(n) {
		return fates, nil
	}
	if !r.progress.Has(n) {
		return fill(fates, unread), nil
	}
	c, done, err := r.d.store.Completion(ctx, r.id, n)
	if done || contracts.KindOf(err) == contracts.KindMissing { // and this is old news: what is stored is read once more
		err = contracts.Errorf(contracts.KindChanged,
			"chunk %d of job %s is not dead any more: it was reopened, or done late", n, r.id)
	}
	if err != nil || len(c.Parts) != parts {
		return fill(fates, failed), err
	}
	for i, p := range c.Parts {
		if p.Error != nil {
			fates[i] = failed
		}
	}
	return fates, nil
}

func fill(fates []fate, f fate) []fate {
	for i := range fates {
		fates[i] = f
	}
	return fates
}
