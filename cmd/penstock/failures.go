package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/penstock-io/penstock/contracts"
)

// printFailures writes what went wrong with each object of a job: NDJSON for programs, a line each for people.
func (a *app) printFailures(ctx context.Context, p *plant, id contracts.JobID) error {
	if _, err := p.store.Job(ctx, id); err != nil {
		return err
	}
	plan, err := p.store.Plan(ctx, id)
	if err != nil && contracts.KindOf(err) != contracts.KindMissing {
		return err
	}
	for _, e := range plan.Failures {
		a.printFailure(e)
	}
	for chunk, err := range p.store.Ended(ctx, id) {
		if err != nil {
			return err
		}
		c, done, err := p.store.Completion(ctx, id, chunk)
		if contracts.KindOf(err) == contracts.KindMissing {
			continue // reopened since it was listed
		}
		if err != nil {
			return err
		}
		if !done {
			a.printChunkFailures(c)
		}
	}
	if hidden := plan.Totals.Failed - int64(len(plan.Failures)); hidden > 0 {
		fmt.Fprintf(a.Err, "and %d more that could not be planned\n", hidden)
	}
	return nil
}

func (a *app) printChunkFailures(c contracts.Completion) {
	if len(c.Parts) == 0 && c.Error != nil {
		a.printFailure(*c.Error)
	}
	for _, part := range c.Parts {
		if part.Error != nil {
			a.printFailure(*part.Error)
		}
	}
}

func (a *app) printFailure(e contracts.ErrorInfo) {
	if a.output != "json" {
		fmt.Fprintf(a.Out, "%s: %s\n", e.Kind, e.Message)
		return
	}
	if data, err := json.Marshal(e); err == nil {
		fmt.Fprintf(a.Out, "%s\n", data)
	}
}
