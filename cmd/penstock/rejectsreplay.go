package main

import (
	"context"
	"fmt"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/dispatcher"
)

// replayRejects loads again what an ended job rejected, by the pipeline as it is now: just these records, or the whole
// objects that they are of.
func (a *app) replayRejects(ctx context.Context, p *plant, id contracts.JobID, whole bool) error {
	old, err := p.store.Job(ctx, id)
	if err != nil {
		return err
	}
	report, err := p.over(ctx, id)
	if err != nil {
		return err
	}
	if report.Records.Rejected == 0 {
		fmt.Fprintf(a.Err, "job %s has no rejects: nothing to load\n", id)
		return nil
	}
	job := contracts.Job{
		V: contracts.Version, Pipeline: old.Pipeline, Source: old.Source, Rejects: id, Trigger: "cli",
	}
	if job.Revision, err = p.store.Current(ctx, old.Pipeline); err != nil {
		return err
	}
	if whole {
		job.Rejects, job.Force, job.ChunkSize = "", true, old.ChunkSize
		if job.Source, err = p.rejectedSources(ctx, id); err != nil {
			return err
		}
	}
	if report.Chunks.Dead > 0 {
		fmt.Fprintf(a.Err, "rejects of the %d dead chunks of job %s are left out: `penstock dead replay %s` comes first\n",
			report.Chunks.Dead, id, id)
	}
	a.warnOfReplay(old, job)
	if job, err = p.takenUp(ctx, job); err != nil {
		return err
	}
	workers, err := p.settings.integer("workers", 0)
	if err != nil {
		return usageError(err)
	}
	if report, err = a.runJob(ctx, p, job, workers, ""); err != nil {
		return err
	}
	return a.finish(report)
}

func (a *app) warnOfReplay(old contracts.AcceptedJob, job contracts.Job) {
	if job.Revision == old.Revision {
		fmt.Fprintf(a.Err, "pipeline %s is as it was: expect the same rejects, unless the table has changed\n", job.Pipeline)
	}
	if job.Rejects != "" {
		fmt.Fprintln(a.Err, "these records will win over later records of the same keys, in their files and in jobs since: "+
			"--whole loads their files again in order")
	}
}

// rejectedSources are the objects that have rejects, each once. A job names no more of them than its message holds.
func (p *plant) rejectedSources(ctx context.Context, id contracts.JobID) (sources []string, err error) {
	plan, err := p.store.Plan(ctx, id)
	if err != nil {
		return nil, err
	}
	seen, size := map[string]bool{}, 0
	for n := range plan.Totals.Chunks {
		err := p.store.EachReject(ctx, p.rejectDocs(), id, n, func(r contracts.Reject) error {
			if seen[r.Object] {
				return nil
			}
			seen[r.Object] = true
			sources = append(sources, dispatcher.ExactAddress(r.Object))
			if size += len(r.Object); size > maxJobMessage {
				return contracts.Errorf(contracts.KindConfig, "the rejects of job %s are of more objects than one job can name: "+
					"expected fewer; load their prefix with `penstock load --force`", id)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return sources, nil
}
