package dispatcher

import (
	"context"
	"slices"
	"time"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/state"
	"github.com/penstock-io/penstock/status"
)

// Reopen has chunks of a job that has ended loaded again; none named means all that are not done. They are loaded as
// they would have been then, at the same timestamps, so that whatever was written later stays. It returns how many they
// are, with those that a worker finished after the job's end: only a new report knows of them. The next leader that
// looks at the store takes the job up. Of a job that is being replayed already it returns how many of these chunks have
// no outcome yet, and does nothing.
//
// Only a job whose chunks had all come to an outcome can be reopened: what was stopped would stop again.
func Reopen(
	ctx context.Context, store *state.Store, id contracts.JobID, chunks []int, now time.Time,
) (int, error) {
	plan, report, err := reopenable(ctx, store, id)
	if err != nil {
		return 0, err
	}
	progress, err := status.CatchUp(ctx, store, id, plan.Totals.Chunks)
	if err != nil {
		return 0, err
	}
	if chunks, err = undone(progress, id, chunks); err != nil {
		return 0, err
	}
	if report == nil {
		return pending(progress, id, chunks)
	}
	late := progress.Done - report.Chunks.Done
	if len(chunks)+late == 0 {
		return 0, nil
	}
	again, reader := store.Reopen(id, now), store.PlanReader(plan)
	scanned := 0 // scans before this chunk are as they should be
	for _, n := range chunks {
		if err := clearScans(ctx, again, reader, n, scanned); err != nil {
			return 0, err
		}
		if err := again.Chunk(ctx, n); err != nil {
			return 0, err
		}
		scanned = n + 1
		progress.Revive(n)
	}
	snapshot, err := progress.Snapshot()
	if err != nil {
		return 0, err
	}
	return len(chunks) + late, again.Commit(ctx, snapshot)
}

// reopenable gives the plan and report of a job that can be reopened; no report where it was, and is not over again.
func reopenable(
	ctx context.Context, store *state.Store, id contracts.JobID,
) (plan state.Plan, _ *contracts.Report, err error) {
	if _, err = store.Job(ctx, id); err != nil {
		return plan, nil, err
	}
	report, err := store.Report(ctx, id)
	if contracts.KindOf(err) == contracts.KindMissing {
		if err = store.Activate(ctx, id); err != nil { // as a replay that broke off has left it, perhaps
			return plan, nil, err
		}
		reopened, err := store.Reopened(ctx, id)
		if err == nil && !reopened {
			err = notOver(id)
		}
		if err != nil {
			return plan, nil, err
		}
		plan, err = store.Plan(ctx, id)
		return plan, nil, err
	}
	if err != nil {
		return plan, nil, err
	}
	if t := report.Chunks; report.State == contracts.StateCancelled || t.Total == 0 || t.Total != t.Done+t.Dead {
		return plan, nil, contracts.Errorf(contracts.KindConfig, "job %s ended before its chunks were through (%s): "+
			"they cannot be replayed: `penstock retry %s` loads what is missing by a new job", id, report.State, id)
	}
	plan, err = store.Plan(ctx, id)
	return plan, &report, err
}

func notOver(id contracts.JobID) error {
	return contracts.Errorf(contracts.KindConfig,
		"job %s is not over: expected one that has ended: `penstock status %s --watch` waits for that", id, id)
}

// pending counts those chunks of a job that is being replayed which have no outcome yet.
func pending(p *status.Progress, id contracts.JobID, chunks []int) (n int, err error) {
	for _, c := range chunks {
		if !p.Has(c) {
			n++
		}
	}
	if n == 0 {
		return 0, notOver(id)
	}
	return n, nil
}

// undone are the chunks that are not done, of those named or of all, in order.
func undone(p *status.Progress, id contracts.JobID, named []int) ([]int, error) {
	if len(named) == 0 {
		for n := range p.Total {
			if !p.IsDone(n) {
				named = append(named, n)
			}
		}
		return named, nil
	}
	for _, n := range named {
		if n < 0 || n >= p.Total || p.IsDone(n) {
			return nil, contracts.Errorf(contracts.KindConfig,
				"chunk %d of job %s is not dead: `penstock dead list %s` lists those that are", n, id, id)
		}
	}
	named = slices.Clone(named)
	slices.Sort(named)
	return slices.Compact(named), nil
}

// clearScans has the failed scans up to a chunk made again, its own one included: without those before it nobody knows
// where its records start, and without its own where its compressed blocks end.
func clearScans(ctx context.Context, again state.Reopening, plan *state.PlanReader, n, scanned int) error {
	for ; n >= scanned; n-- {
		if err := again.Scan(ctx, n); err != nil {
			return err
		}
		c, err := plan.Chunk(ctx, n)
		if err != nil || !c.Follows {
			return err
		}
	}
	return nil
}
