package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/pipeline"
)

// compileFor finds a job's pipeline: a file's, the table's own, or the one that was applied by that name.
func (a *app) compileFor(
	ctx context.Context, p *plant, f loadFlags, name string, sources []string,
) (*pipeline.Compiled, error) {
	if f.table != "" {
		spec, err := p.tableSpec(ctx, f.table, sources)
		if err != nil {
			return nil, err
		}
		return p.pipelines.compile(ctx, f.table, spec.Canonical())
	}
	source, err := a.readFile(name)
	if err == nil {
		return p.pipelines.compile(ctx, name, source)
	}
	if !errors.Is(err, fs.ErrNotExist) || contracts.CheckName("pipeline", name) != nil {
		return nil, usageError(fmt.Errorf("pipeline: %w: expected a file, or the name of an applied pipeline", err))
	}
	revision, err := p.store.Current(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("no file %s, and: %w", name, err)
	}
	return p.pipelines.Compiled(ctx, name, revision)
}

// apply stores a spec and makes it the current revision of its pipeline. A table that exists must fit it.
func (p *plant) apply(ctx context.Context, c *pipeline.Compiled) error {
	s := c.Spec()
	if err := p.checkTable(ctx, c); err != nil {
		return err
	}
	if err := p.store.SavePipeline(ctx, s.Name, s.Revision(), s.Canonical()); err != nil {
		return err
	}
	if err := p.store.SetCurrent(ctx, s.Name, s.Revision()); err != nil {
		return err
	}
	return p.noteTarget(ctx, s.Name)
}

// checkTable refuses a table that the pipeline cannot write, or not safely, and warns of one that forgets deletions at
// once. One that is not there yet is looked at when a job needs it.
func (p *plant) checkTable(ctx context.Context, c *pipeline.Compiled) error {
	t := c.Table()
	_, err := p.target.writer(ctx, t, c.WriteOptions())
	if contracts.KindOf(err) == contracts.KindMissing {
		return nil
	}
	if err != nil {
		return err
	}
	grace, err := p.target.GCGrace(ctx, t.Keyspace, t.Name)
	if err == nil && grace == 0 {
		p.log.Warn("the table has gc_grace_seconds = 0: a chunk that is replayed after a delete brings the deleted row back",
			"pipeline", c.Spec().Name, "table", t.FullName())
	}
	return err
}

// noteTarget warns where a pipeline goes on into another database: the ledger knows versions of objects, not targets.
func (p *plant) noteTarget(ctx context.Context, name string) error {
	now, err := targetText(p.settings)
	if err != nil {
		return err
	}
	before, err := p.store.SwapTarget(ctx, name, now)
	if err == nil && before != "" && before != now {
		p.log.Warn("this pipeline was last loaded into another target: what it loaded there is skipped here without --force",
			"pipeline", name, "before", before, "now", now)
	}
	return err
}

// tableSpec makes a spec of an existing table; the first source's name says the format.
func (p *plant) tableSpec(ctx context.Context, name string, sources []string) (*pipeline.Spec, error) {
	keyspace, table, ok := strings.Cut(name, ".")
	if !ok || keyspace == "" || table == "" || strings.Contains(table, ".") {
		return nil, usageError(fmt.Errorf("--table %q: expected KEYSPACE.TABLE", name))
	}
	t, _, err := p.target.Describe(ctx, keyspace, table)
	if err != nil {
		return nil, err
	}
	return pipeline.FromTable(t, contracts.Format{Name: formatOf(sources[0])}), nil
}

// formatOf guesses a format by a file's name: csv unless it says otherwise.
func formatOf(source string) string {
	name := strings.ToLower(source)
	for _, compressed := range []string{".gz", ".gzip", ".zst", ".zstd"} {
		name = strings.TrimSuffix(name, compressed)
	}
	switch path.Ext(name) {
	case ".tsv", ".tab":
		return "tsv"
	case ".ndjson", ".jsonl", ".json":
		return "ndjson"
	default:
		return "csv"
	}
}
