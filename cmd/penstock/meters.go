package main

import (
	"context"
	"time"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
	"github.com/penstock-io/penstock/dispatcher"
	"github.com/penstock-io/penstock/internal/ops"
	"github.com/penstock-io/penstock/internal/queue"
	"github.com/penstock-io/penstock/workers"
)

// Meters stand between the story packages and what they are joined to, and count what goes by.

// meteredQueue counts dead letters, and what dispatchers tell of.
type meteredQueue struct {
	*queue.Queue
	metrics    *ops.Metrics
	dispatches bool
}

func (p *plant) dispatcherQueue() dispatcher.Queue {
	if p.metrics == nil {
		return p.queue
	}
	return meteredQueue{p.queue, p.metrics, true}
}

func (p *plant) workersQueue() workers.Queue {
	if p.metrics == nil {
		return p.queue
	}
	return meteredQueue{p.queue, p.metrics, false}
}

func (q meteredQueue) PublishDead(ctx context.Context, subject string, data []byte, reason string) error {
	err := q.Queue.PublishDead(ctx, subject, data, reason)
	if err == nil {
		var of struct {
			Pipeline string `json:"pipeline"`
		}
		_ = contracts.Unmarshal(data, &of) // what cannot be read has no pipeline
		q.metrics.DeadLetter(of.Pipeline)
	}
	return err
}

func (q meteredQueue) PublishEvent(ctx context.Context, e contracts.Event) error {
	err := q.Queue.PublishEvent(ctx, e)
	switch {
	case err != nil || !q.dispatches:
	case e.Kind == contracts.EventAccepted:
		q.metrics.Heard(e.Pipeline)
	case e.Kind == contracts.EventChunkDead:
		q.metrics.Buried(e.Pipeline)
	case e.Report != nil:
		q.metrics.JobEnded(*e.Report)
	}
	return err
}

// meteredWriter counts rows.
type meteredWriter struct {
	workers.Writer
	pipeline string
	metrics  *ops.Metrics
}

func (w meteredWriter) Write(ctx context.Context, rows []cql.Row, baseTime time.Time) ([]cql.Refusal, error) {
	refused, err := w.Writer.Write(ctx, rows, baseTime)
	if err != nil {
		return refused, err
	}
	bytes := 0
	for _, r := range rows {
		bytes += len(r.Values)
	}
	for _, r := range refused {
		bytes -= len(rows[r.Row].Values)
	}
	w.metrics.Wrote(w.pipeline, int64(len(rows)-len(refused)), int64(bytes))
	return refused, nil
}

// inFlight sums up the batches on their way to all tables, and how many may be.
func (p *pipelines) inFlight() (batches, limit int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range p.writers {
		if m, ok := w.(meteredWriter); ok {
			w = m.Writer
		}
		if l, ok := w.(interface{ InFlight() (batches, limit int) }); ok {
			n, most := l.InFlight()
			batches, limit = batches+n, limit+most
		}
	}
	return batches, limit
}
