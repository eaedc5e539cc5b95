package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/internal/objects"
	"github.com/penstock-io/penstock/pipeline"
	"github.com/penstock-io/penstock/verify"
	"github.com/penstock-io/penstock/workers"
)

// sampledChunks is the number of chunks that a verification takes for a sample.
const sampledChunks = 16

// verify compares the table with the sources of a job.
func (a *app) verify() *cobra.Command {
	var full bool
	o := verify.Options{}
	c := a.onJob("verify JOB", "Read a job's sources again and compare the table with them", needStore|needTarget,
		func(ctx context.Context, p *plant, id contracts.JobID) error {
			if full {
				o.Sample = 0
			}
			if o.Repair {
				if err := p.mayRepair(ctx, id); err != nil {
					return err
				}
			}
			r, err := p.verifier().Verify(ctx, id, o, a.comparing(id))
			if err != nil {
				return err
			}
			return a.printVerified(r)
		})
	c.Flags().IntVar(&o.Sample, "sample", sampledChunks, "chunks to compare, spread over the job")
	c.Flags().BoolVar(&full, "full", false, "compare all chunks")
	c.Flags().BoolVar(&o.Repair, "repair", false, "write what is missing, at the times of the job")
	c.PreRunE = func(c *cobra.Command, _ []string) error {
		switch {
		case full && c.Flags().Changed("sample"):
			return usageError(errors.New("--sample and --full: expected one of them"))
		case o.Sample < 1:
			return usageError(fmt.Errorf("--sample %d: expected 1 or more chunks, or --full", o.Sample))
		}
		return nil
	}
	return c
}

// verifier is what compares and traces, joined to this plant.
func (p *plant) verifier() verify.Parts {
	return verify.Parts{
		Store: p.store, Objects: p.objects, Pipelines: p.pipelines, Tables: verifyTables{p.pipelines}, Now: time.Now,
		Rejects: objects.NewDocs(p.s3, p.settings.str("rejects_bucket")),
	}
}

type verifyTables struct{ *pipelines }

func (t verifyTables) Reader(ctx context.Context, c *pipeline.Compiled) (verify.Reader, error) {
	return t.target.reader(ctx, c.Table(), c.WriteOptions())
}

func (t verifyTables) Writer(ctx context.Context, c *pipeline.Compiled) (workers.Writer, error) {
	return t.pipelines.Writer(ctx, c)
}

// mayRepair refuses to write again what is older than the table remembers deletions: it would bring deleted cells back.
func (p *plant) mayRepair(ctx context.Context, id contracts.JobID) error {
	job, err := p.store.Job(ctx, id)
	if err != nil {
		return err
	}
	c, err := p.pipelines.Compiled(ctx, job.Pipeline, job.Revision)
	if err != nil {
		return err
	}
	grace, err := p.target.GCGrace(ctx, c.Table().Keyspace, c.Table().Name)
	if err != nil || time.Since(job.Accepted) < grace {
		return err
	}
	return contracts.Errorf(contracts.KindConfig, "--repair: job %s is of %s, and table %s forgets deletions after %s "+
		"(gc_grace_seconds): what was deleted since would come back: load the sources again instead, with --force",
		id, job.Accepted.Format(time.DateOnly), c.Table().FullName(), grace)
}

// comparing says every few seconds how far a verification is.
func (a *app) comparing(id contracts.JobID) func(done, total int) {
	said := time.Now()
	return func(done, total int) {
		if time.Since(said) >= 5*time.Second {
			said = time.Now()
			fmt.Fprintf(a.Err, "job %s: %d of %d chunks compared\n", id, done, total)
		}
	}
}

// printVerified writes the result; its exit code tells what came of it.
func (a *app) printVerified(r verify.Result) error {
	if a.output == "json" {
		if err := a.printJSON(r); err != nil {
			return err
		}
	} else {
		a.describeVerified(r)
	}
	switch {
	case !r.Right():
		return exitError{code: exitFailed}
	case r.Mended > 0:
		return exitError{code: exitRejects}
	default:
		return nil
	}
}

func (a *app) describeVerified(r verify.Result) {
	fmt.Fprintf(a.Out, "job %s: %d chunks, %d rows compared\n", r.Job, r.Chunks, r.Rows)
	fmt.Fprintf(a.Out, "  cells    %d right, %d superseded, %d missing, %d differ\n",
		r.Cells.Right, r.Cells.Superseded, r.Cells.Missing, r.Cells.Differs)
	if r.Unloaded > 0 {
		fmt.Fprintf(a.Out, "  passed   %d chunks that the job has not loaded\n", r.Unloaded)
	}
	if r.Mended > 0 {
		fmt.Fprintf(a.Out, "  mended   %d cells\n", r.Mended)
	}
	for _, d := range r.Differences {
		fmt.Fprintf(a.Out, "  %-8s %s\n", d.Verdict, describeDifference(d))
	}
	if hidden := r.Cells.Missing + r.Cells.Differs - int64(len(r.Differences)); hidden > 0 {
		fmt.Fprintf(a.Out, "  and %d more\n", hidden)
	}
	for _, e := range r.Errors {
		fmt.Fprintf(a.Out, "  source   %s: %s\n", e.Kind, e.Message)
	}
	if hidden := r.Sources - len(r.Errors); hidden > 0 {
		fmt.Fprintf(a.Out, "  and %d more sources\n", hidden)
	}
	if r.Cells.Missing > 0 {
		fmt.Fprintf(a.Out, "  next     `penstock verify %s --full --repair` writes what is missing\n", r.Job)
	}
	if r.Cells.Differs > 0 {
		fmt.Fprintln(a.Out, "  next     of two values of one write time the greater stays: what --repair leaves different, "+
			"a new load with --force writes")
	}
}

func describeDifference(d verify.Difference) string {
	from := fmt.Sprintf("(%s, byte %d)", d.Object, d.Offset)
	if d.Column == "" {
		return fmt.Sprintf("%s: no such row %s", describeKey(d.Key), from)
	}
	found := shownText(d.Found)
	if d.Time != nil {
		found += " of " + verify.When(*d.Time)
	}
	return fmt.Sprintf("%s: %s: expected %s, found %s %s",
		describeKey(d.Key), d.Column, shownText(d.Expected), found, from)
}

func describeKey(key map[string]string) string {
	var parts []string
	for _, name := range slices.SortedFunc(maps.Keys(key), cmp.Compare) {
		parts = append(parts, fmt.Sprintf("%s=%q", name, key[name]))
	}
	return strings.Join(parts, " ")
}

func shownText(s *string) string {
	if s == nil {
		return "nothing"
	}
	return fmt.Sprintf("%q", *s)
}
