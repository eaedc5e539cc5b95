package verify

import (
	"context"
	"slices"

	"github.com/penstock-io/penstock/contracts"
)

// maxJobs is the number of jobs, the newest ones, among which the writer of a cell is looked for.
const maxJobs = 10_000

// recentJobs are the newest jobs of the store, the newest first.
func (p Parts) recentJobs(ctx context.Context) ([]contracts.JobID, error) {
	var ids []contracts.JobID
	for id, err := range p.Store.Jobs(ctx) {
		if err != nil {
			return nil, err
		}
		if ids = append(ids, id); len(ids) == 2*maxJobs {
			ids = append(ids[:0], ids[maxJobs:]...)
		}
	}
	ids = ids[max(0, len(ids)-maxJobs):]
	slices.Reverse(ids)
	return ids, nil
}

// writers finds, for each of some write times of a table, the job that has it among its own.
func (p Parts) writers(ctx context.Context, table string, times []int64) (map[int64]opened, error) {
	found := map[int64]opened{}
	ids, err := p.recentJobs(ctx)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if len(found) == len(times) {
			break
		}
		if err := p.claims(ctx, id, table, times, found); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// claims enters a job for those of the times that are its own.
func (p Parts) claims(
	ctx context.Context, id contracts.JobID, table string, times []int64, found map[int64]opened,
) error {
	plan, err := p.Store.Plan(ctx, id)
	if err != nil {
		return missingIsFine(err)
	}
	owns := func(at int64) bool { return at >= plan.Base && at < plan.Base+plan.Totals.Segments }
	if !slices.ContainsFunc(times, owns) {
		return nil
	}
	job, err := p.open(ctx, id)
	if err != nil || job.pipeline.Table().FullName() != table || traceable(job.pipeline) != nil {
		return err
	}
	for _, at := range times {
		if owns(at) {
			found[at] = job
		}
	}
	return nil
}
