package main

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
	"github.com/penstock-io/penstock/internal/ops"
	"github.com/penstock-io/penstock/pipeline"
	"github.com/penstock-io/penstock/state"
	"github.com/penstock-io/penstock/workers"
)

// pipelines compiles revisions and opens their writers, each once. Revisions never change; a writer is let go of when
// its table does not fit any more.
type pipelines struct {
	store    *state.Store
	target   target
	budgets  *budgets
	metrics  *ops.Metrics // nil: nobody counts
	mu       sync.Mutex
	compiled map[string]*pipeline.Compiled
	writers  map[*pipeline.Compiled]workers.Writer
	prepared map[*pipeline.Compiled]time.Time // when the table was last found to be as the revision has it
}

func newPipelines(s *state.Store, t target, b *budgets, m *ops.Metrics) *pipelines {
	return &pipelines{
		store: s, target: t, budgets: b, metrics: m,
		compiled: map[string]*pipeline.Compiled{}, writers: map[*pipeline.Compiled]workers.Writer{},
		prepared: map[*pipeline.Compiled]time.Time{},
	}
}

// maxCompiled bounds the revisions that are kept ready.
const maxCompiled = 256

// Compiled gives a stored revision, ready to transform records.
func (p *pipelines) Compiled(ctx context.Context, name, revision string) (*pipeline.Compiled, error) {
	key := name + "@" + revision
	p.mu.Lock()
	c := p.compiled[key]
	p.mu.Unlock()
	if c != nil {
		return c, nil
	}
	source, err := p.store.Pipeline(ctx, name, revision)
	if err != nil {
		return nil, err
	}
	if c, err = p.compile(ctx, name, source); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.compiled) >= maxCompiled {
		clear(p.compiled)
		clear(p.writers)
		clear(p.prepared)
	}
	p.compiled[key] = c
	return c, nil
}

// compile makes a spec ready, with the user types that its keyspace has.
func (p *pipelines) compile(ctx context.Context, file string, source []byte) (*pipeline.Compiled, error) {
	spec, findings := pipeline.Parse(file, source)
	if len(findings) > 0 {
		return nil, findingsError(findings)
	}
	var udts map[string]cql.Type
	if p.target != nil {
		var err error
		_, udts, err = p.target.Describe(ctx, spec.Table.Keyspace, spec.Table.Name)
		if err != nil && contracts.KindOf(err) != contracts.KindMissing {
			return nil, err
		}
	}
	c, findings := pipeline.Compile(spec, udts)
	if len(findings) > 0 {
		return nil, findingsError(findings)
	}
	return c, nil
}

// findingsError is findings as one error.
func findingsError(findings []pipeline.Finding) error {
	lines := make([]string, len(findings))
	for i, f := range findings {
		lines[i] = f.String()
	}
	return contracts.Errorf(contracts.KindConfig, "%s", strings.Join(lines, "\n"))
}

// preparedFor is how long a table that was found well is taken to be so: many small jobs are one look. A table that
// changes meanwhile is found out by the workers, as one that changes under a job is.
const preparedFor = time.Second

// Prepare makes the table where the pipeline says so, and checks that it is as the pipeline has it.
func (p *pipelines) Prepare(ctx context.Context, c *pipeline.Compiled) error {
	p.mu.Lock()
	fresh := time.Since(p.prepared[c]) < preparedFor
	p.mu.Unlock()
	if fresh {
		return nil
	}
	begin := time.Now()
	if err := p.prepare(ctx, c); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.prepared[c] = begin
	return nil
}

func (p *pipelines) prepare(ctx context.Context, c *pipeline.Compiled) error {
	if c.Creates() {
		if err := p.target.Create(ctx, c.Table(), c.Types()); err != nil {
			return err
		}
	}
	_, err := p.target.writer(ctx, c.Table(), c.WriteOptions())
	return err
}

// Writer gives the writer of a revision's rows.
func (p *pipelines) Writer(ctx context.Context, c *pipeline.Compiled) (workers.Writer, error) {
	p.mu.Lock()
	w := p.writers[c]
	p.mu.Unlock()
	if w != nil {
		return w, nil
	}
	o := c.WriteOptions()
	o.Pace = p.budgets.pace(c)
	if p.metrics != nil {
		o.Meter = p.metrics
	}
	w, err := p.target.writer(ctx, c.Table(), o)
	if err != nil {
		return nil, err
	}
	if p.metrics != nil {
		w = meteredWriter{w, c.Spec().Name, p.metrics}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if first := p.writers[c]; first != nil {
		return first, nil // its calls share one bound of batches in flight
	}
	p.writers[c] = w
	return w, nil
}
