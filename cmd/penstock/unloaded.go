package main

import (
	"context"
	"slices"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/dispatcher"
	"github.com/penstock-io/penstock/state"
)

// again is the job that loads what an ended one could not load. The ledger knows what that is, but not for a job that
// did not ask it: what such a job failed to load may have been loaded by another one before.
func (p *plant) again(ctx context.Context, old contracts.AcceptedJob) (contracts.Job, error) {
	job := old.Job
	if !old.Force {
		return job, nil
	}
	plan, err := p.store.Plan(ctx, old.ID)
	if contracts.KindOf(err) == contracts.KindMissing || err == nil && plan.Error != nil {
		return job, nil // not planned: nothing was loaded
	}
	if err == nil {
		job.Source, err = p.unloaded(ctx, old, plan)
	}
	return job, err
}

// unloaded are the sources of a job that it could not load: each object of which a part failed or was not read, and
// what could not be planned.
func (p *plant) unloaded(ctx context.Context, old contracts.AcceptedJob, plan state.Plan) ([]string, error) {
	sources, size := []string{}, 0
	add := func(source string) error {
		if n := len(sources); n > 0 && sources[n-1] == source {
			return nil
		}
		sources = append(sources, source)
		if size += len(source); size > maxJobMessage {
			return contracts.Errorf(contracts.KindConfig, "job %s failed to load more objects than one job can name: "+
				"expected fewer; load their prefix with `penstock load --force`", old.ID)
		}
		return nil
	}
	if int64(len(plan.Failures)) < plan.Totals.Failed {
		return nil, contracts.Errorf(contracts.KindConfig, "job %s failed to plan %d objects and knows only %d of them: "+
			"expected fewer; load their prefix with `penstock load --force`", old.ID, plan.Totals.Failed, len(plan.Failures))
	}
	for _, f := range plan.Failures {
		if f.Object == nil {
			return old.Source, nil
		}
		source := *f.Object
		if !slices.Contains(old.Source, source) {
			source = dispatcher.ExactAddress(source)
		}
		if err := add(source); err != nil {
			return nil, err
		}
	}
	reader := p.store.PlanReader(plan)
	for n := range plan.Totals.Chunks {
		c, done, err := p.store.Completion(ctx, old.ID, n)
		if done {
			continue
		}
		if err != nil && contracts.KindOf(err) != contracts.KindMissing {
			return nil, err
		}
		planned, err := reader.Chunk(ctx, n)
		if err != nil {
			return nil, err
		}
		for i, part := range planned.Parts {
			if i < len(c.Parts) && c.Parts[i].Error == nil {
				continue
			}
			if err := add(dispatcher.ExactAddress(part.Object.Address())); err != nil {
				return nil, err
			}
		}
	}
	return sources, nil
}
