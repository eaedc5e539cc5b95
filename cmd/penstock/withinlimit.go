package main

import (
	"context"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/status"
)

// withinLimit refuses a replay in a job whose loaded chunks alone have more rejects than its pipeline lets pass: it
// would end again before a dead chunk is looked at. A limit in percent is judged at the end.
func (p *plant) withinLimit(ctx context.Context, job contracts.AcceptedJob) error {
	c, err := p.pipelines.Compiled(ctx, job.Pipeline, job.Revision)
	if err != nil {
		return err
	}
	most, percent, limited := c.Limit()
	if !limited || percent >= 0 {
		return nil
	}
	plan, err := p.store.Plan(ctx, job.ID)
	if contracts.KindOf(err) == contracts.KindMissing {
		return nil // whoever reopens it says what is wrong
	}
	if err != nil {
		return err
	}
	progress, err := status.CatchUp(ctx, p.store, job.ID, plan.Totals.Chunks)
	if err != nil {
		return err
	}
	for chunk := range progress.Dead {
		progress.Revive(chunk)
	}
	if n := progress.Counts.Rejected; n > most {
		return contracts.Errorf(contracts.KindConfig, "job %s has %d rejects in what it loaded, more than rejects.max %d: "+
			"it would end at once; `penstock retry %s` loads it again as a whole", job.ID, n, most, job.ID)
	}
	return nil
}
