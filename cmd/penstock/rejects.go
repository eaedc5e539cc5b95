package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/internal/objects"
)

// rejects prints a job's rejects, in the order of the files that they are from.
func (a *app) rejects() *cobra.Command {
	return a.onJob("rejects JOB", "Print a job's rejects as NDJSON", needStore,
		func(ctx context.Context, p *plant, id contracts.JobID) error {
			if _, err := p.store.Job(ctx, id); err != nil {
				return err
			}
			keys, err := rejectKeys(ctx, p, id)
			if err != nil {
				return err
			}
			docs := objects.NewDocs(p.s3, p.settings.str("rejects_bucket"))
			for _, key := range keys {
				data, _, err := docs.Get(ctx, key)
				if err != nil {
					return fmt.Errorf("rejects of job %s: %w", id, err)
				}
				if _, err := a.Out.Write(data); err != nil {
					return err
				}
			}
			return nil
		})
}

// rejectKeys are the reject objects that canonical completions name: others may be left over from attempts that died.
func rejectKeys(ctx context.Context, p *plant, id contracts.JobID) ([]string, error) {
	var keys []string
	seen := map[int]bool{}
	for chunk, err := range p.store.Ended(ctx, id) {
		if err != nil {
			return nil, err
		}
		if seen[chunk] {
			continue
		}
		seen[chunk] = true
		c, _, err := p.store.Completion(ctx, id, chunk)
		if err != nil {
			return nil, err
		}
		keys = append(keys, c.Rejects...)
	}
	slices.Sort(keys) // they begin with the segment's ordinal
	return keys, nil
}
