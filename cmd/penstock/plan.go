package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/penstock-io/penstock/chunk"
	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
	"github.com/penstock-io/penstock/dispatcher"
	"github.com/penstock-io/penstock/pipeline"
	"github.com/penstock-io/penstock/state"
)

// sampledObjects is the number of objects of which a dry run reads the first records.
const sampledObjects = 3

// dryRun is what `penstock plan` prints.
type dryRun struct {
	Pipeline string                `json:"pipeline"`
	Totals   contracts.PlanTotals  `json:"totals"`
	Failures []contracts.ErrorInfo `json:"failures"`
	Columns  []string              `json:"columns"`
	Rows     [][]*string           `json:"rows"` // canonical text; null for null and unset
	Rejects  []contracts.Reject    `json:"rejects"`
	Filtered int                   `json:"filtered"`
}

// plan is a dry run.
func (a *app) plan() *cobra.Command {
	var f loadFlags
	var sample int
	c := command("plan PIPELINE SOURCE…", "Show what a load would do, without writing a row", cobra.ArbitraryArgs,
		func(c *cobra.Command, args []string) (err error) {
			name, sources, err := f.split(args)
			if err != nil {
				return err
			}
			p, err := a.plant(c, needStore|needTarget)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, p.Close()) }()
			run, err := a.dryRun(c.Context(), p, f, name, sources, sample)
			if err != nil {
				return err
			}
			return a.printDryRun(run)
		})
	f.add(c)
	c.Flags().IntVar(&sample, "sample", 5, "records of each of the first objects to show")
	return c
}

func (a *app) dryRun(
	ctx context.Context, p *plant, f loadFlags, name string, sources []string, sample int,
) (*dryRun, error) {
	compiled, err := a.compileFor(ctx, p, f, name, sources)
	if err != nil {
		return nil, err
	}
	size, err := p.settings.chunkSize()
	if err != nil {
		return nil, usageError(err)
	}
	workers, err := p.maxWorkers()
	if err != nil {
		return nil, usageError(err)
	}
	addresses, err := inPlace(sources)
	if err != nil {
		return nil, err
	}
	run := &dryRun{Pipeline: compiled.Spec().Name, Failures: []contracts.ErrorInfo{}, Rejects: []contracts.Reject{}}
	var samples []contracts.Part
	planning := dispatcher.Planning{
		Objects: p.objects, Pipeline: compiled, Sources: addresses, SegmentSize: size, Workers: workers,
		Emit: func(c state.Planned) error {
			samples = sampleParts(samples, c)
			return nil
		},
	}
	if !f.force {
		ledger := p.store.Ledger(ctx, run.Pipeline)
		defer ledger.Close()
		planning.Loaded = ledger.Has
	}
	out, err := planning.Plan(ctx)
	if err != nil {
		return nil, err
	}
	run.Totals = out.Totals
	run.Failures = append(run.Failures, out.Failures...)
	for _, part := range samples {
		if err := run.read(ctx, p, compiled, part, sample); err != nil {
			run.Failures = append(run.Failures, *contracts.Info(err))
		}
	}
	return run, nil
}

// sampleParts keeps the beginnings of the first objects.
func sampleParts(samples []contracts.Part, c state.Planned) []contracts.Part {
	for _, part := range c.Parts {
		if len(samples) < sampledObjects && !c.Follows {
			samples = append(samples, part)
		}
	}
	return samples
}

// read transforms the first records of a part.
func (r *dryRun) read(ctx context.Context, p *plant, c *pipeline.Compiled, part contracts.Part, n int) (err error) {
	maxRecord, err := p.settings.size("max_record", 1, dispatcher.MaxChunkSize)
	if err != nil {
		return usageError(err)
	}
	table := c.Table()
	if r.Columns == nil {
		for _, column := range table.Columns {
			r.Columns = append(r.Columns, column.Name)
		}
	}
	reader, err := chunk.NewReader(ctx, p.objects, part, chunk.Spec{
		Format: c.Format(), Inputs: c.Inputs(), Strict: c.Strict(), Required: c.Inputs()[:c.Required()], MaxRecord: maxRecord,
	})
	if err != nil {
		return err
	}
	defer reader.Close() // read as far as was needed
	t := c.Bind(pipeline.ObjectContext{Object: part.Object})
	for range n {
		rec, err := reader.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := r.take(t, table, part.Object, rec); err != nil {
			return err
		}
	}
	return nil
}

func (r *dryRun) take(t *pipeline.Transformer, table cql.Table, o contracts.Object, rec *contracts.Record) error {
	problem := rec.Problem
	if problem == nil {
		_, row, result, p := t.Transform(rec, nil)
		switch result {
		case pipeline.Filtered:
			r.Filtered++
			return nil
		case pipeline.Rowed:
			return r.show(table, row)
		}
		problem = p
	}
	raw := string(rec.Raw)
	r.Rejects = append(r.Rejects, contracts.Reject{
		Pipeline: r.Pipeline, Object: o.Address(), Version: o.Version(), Offset: rec.Offset, Length: rec.Length,
		Column: problem.Column, Rule: problem.Rule, Value: problem.Value, Reason: problem.Reason, Raw: &raw,
	})
	return nil
}

func (r *dryRun) show(table cql.Table, row cql.Row) error {
	shown := make([]*string, len(table.Columns))
	packed := row.Values
	for i, column := range table.Columns {
		var v cql.Value
		if v, packed = cql.NextValue(packed); v.Bytes == nil {
			continue
		}
		text, err := column.Type.AppendCanonical(nil, v.Bytes)
		if err != nil {
			return err
		}
		s := string(text)
		shown[i] = &s
	}
	r.Rows = append(r.Rows, shown)
	return nil
}

func (a *app) printDryRun(r *dryRun) error {
	if a.output == "json" {
		if err := a.printJSON(r); err != nil {
			return err
		}
	} else {
		a.describeDryRun(r)
	}
	if len(r.Failures)+len(r.Rejects) > 0 {
		return exitError{code: exitFailed}
	}
	return nil
}

func (a *app) describeDryRun(r *dryRun) {
	t := r.Totals
	fmt.Fprintf(a.Out, "pipeline %s: %d objects (%d loaded before, %d failed), %d bytes, %d chunks\n",
		r.Pipeline, t.Objects, t.Skipped, t.Failed, t.Bytes, t.Chunks)
	for _, row := range r.Rows {
		for i, v := range row {
			text := "(none)"
			if v != nil {
				text = *v
			}
			fmt.Fprintf(a.Out, "  %s=%s", r.Columns[i], text)
		}
		fmt.Fprintln(a.Out)
	}
	if r.Filtered > 0 {
		fmt.Fprintf(a.Out, "  %d of the sampled records are filtered by `where`\n", r.Filtered)
	}
	for _, rej := range r.Rejects {
		fmt.Fprintf(a.Out, "  reject: %s: byte %d: column %q: %s: %s\n",
			rej.Object, rej.Offset, rej.Column, rej.Rule, rej.Reason)
	}
	for _, f := range r.Failures {
		fmt.Fprintf(a.Out, "  failure: %s: %s\n", f.Kind, f.Message)
	}
}
