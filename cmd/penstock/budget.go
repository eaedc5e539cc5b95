package main

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/penstock-io/penstock/budget"
	"github.com/penstock-io/penstock/internal/queue"
	"github.com/penstock-io/penstock/pipeline"
)

// budgets are this process's purses, one for each pipeline: its revisions draw on one budget.
type budgets struct {
	queue  *queue.Queue
	log    *slog.Logger
	now    func() time.Time
	mu     sync.Mutex
	purses map[string]*budget.Purse
}

// newBudgets is nil without a queue: a command without one shares nothing with workers.
func newBudgets(q *queue.Queue, log *slog.Logger, now func() time.Time) *budgets {
	if q == nil {
		return nil
	}
	return &budgets{queue: q, log: log, now: now, purses: map[string]*budget.Purse{}}
}

// pace gives what the writer of a revision waits for before each batch; nil where nothing is limited.
func (b *budgets) pace(c *pipeline.Compiled) func(ctx context.Context, rows, bytes int) error {
	rows, bytes := c.Budget()
	rates := budget.Rates{Rows: rows, Bytes: bytes}
	if b == nil || rates.None() {
		return nil
	}
	return b.purse(c.Spec().Name).Pace(rates)
}

func (b *budgets) purse(name string) *budget.Purse {
	b.mu.Lock()
	defer b.mu.Unlock()
	if p := b.purses[name]; p != nil {
		return p
	}
	if len(b.purses) >= maxCompiled {
		clear(b.purses)
	}
	p := budget.NewPurse(name, b.queue.Budget(name), b.log, b.now)
	b.purses[name] = p
	return p
}
