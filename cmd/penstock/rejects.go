package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/internal/objects"
	"github.com/penstock-io/penstock/status"
)

// rejects prints a job's rejects, in the order of the files that they are from.
func (a *app) rejects() *cobra.Command {
	var replay, whole bool
	c := command("rejects JOB", "Print a job's rejects as NDJSON, or load them again", cobra.ExactArgs(1),
		func(c *cobra.Command, args []string) (err error) {
			if whole && !replay {
				return usageError(errors.New("--whole: expected --replay with it"))
			}
			if err := contracts.CheckName("job", args[0]); err != nil {
				return usageError(err)
			}
			need, run := needStore, a.printRejects
			if replay {
				need, run = needRoles, func(ctx context.Context, p *plant, id contracts.JobID) error {
					return a.replayRejects(ctx, p, id, whole)
				}
			}
			p, err := a.plant(c, need)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, p.Close()) }()
			return run(c.Context(), p, contracts.JobID(args[0]))
		})
	c.Flags().BoolVar(&replay, "replay", false, "load these records again, by the pipeline as it is now")
	c.Flags().BoolVar(&whole, "whole", false, "with --replay: load the whole files that they are of, in order")
	return c
}

// printRejects writes the reject objects that canonical completions name, since others may be left over from attempts
// that died. It holds one of them at a time.
func (a *app) printRejects(ctx context.Context, p *plant, id contracts.JobID) error {
	if _, err := p.store.Job(ctx, id); err != nil {
		return err
	}
	plan, err := p.store.Plan(ctx, id)
	if contracts.KindOf(err) == contracts.KindMissing {
		return nil
	} else if err != nil {
		return err
	}
	docs := objects.NewDocs(p.s3, p.settings.str("rejects_bucket"))
	for chunk, err := range status.InOrder(ctx, p.store, plan) {
		if err != nil {
			return err
		}
		for _, key := range chunk.Rejects {
			data, _, err := docs.Get(ctx, key)
			if err != nil {
				return fmt.Errorf("rejects of job %s: %w", id, err)
			}
			if err := a.printNumbered(data, chunk.Before); err != nil {
				return err
			}
		}
	}
	return nil
}

// printNumbered writes rejects with the number of each in its object, where the chunk that wrote them did not know it
// and all before it are counted by now.
func (a *app) printNumbered(data []byte, before int64) error {
	for line := range bytes.Lines(data) {
		if before >= 0 {
			line = numbered(line, before)
		}
		if _, err := a.Out.Write(line); err != nil {
			return err
		}
	}
	return nil
}

// numbered fills in a reject's record. All else stays as the worker wrote it, what a newer one may have added too.
func numbered(line []byte, before int64) []byte {
	unknown := []byte(`"record":null`) // in a string its quotes would be escaped
	var r contracts.Reject
	if !bytes.Contains(line, unknown) || json.Unmarshal(line, &r) != nil || r.Record != nil || r.InChunk == 0 {
		return line
	}
	return bytes.Replace(line, unknown, fmt.Appendf(nil, `"record":%d`, before+r.InChunk), 1)
}
