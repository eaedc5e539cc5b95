package main

import (
	"context"
	"errors"
	"math"
	"runtime/debug"

	"golang.org/x/sync/errgroup"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/dispatcher"
	"github.com/penstock-io/penstock/internal/objects"
	"github.com/penstock-io/penstock/internal/ops"
	"github.com/penstock-io/penstock/internal/queue"
	"github.com/penstock-io/penstock/workers"
)

// The story packages' interfaces return their own message types: these thin adapters say that queue's is one.

// dispatcherInbox makes streams and consumers again that are gone: NATS may forget everything.
type dispatcherInbox struct {
	*queue.Puller
	queue *queue.Queue
}

func (i dispatcherInbox) Next(ctx context.Context) (dispatcher.Message, error) {
	m, err := i.Puller.Next(ctx)
	if contracts.KindOf(err) == contracts.KindMissing {
		return nil, errors.Join(err, i.queue.Setup(ctx))
	}
	if err != nil {
		return nil, err
	}
	return m, nil
}

type workerInbox struct {
	*queue.Puller
	metrics *ops.Metrics // nil: nobody counts
}

func (i workerInbox) Next(ctx context.Context) (workers.Message, error) {
	m, err := i.Puller.Next(ctx)
	if err != nil {
		return nil, err
	}
	if i.metrics != nil && m.Deliveries() > 1 {
		i.metrics.Redelivered()
	}
	return m, nil
}

// runDispatcher dispatches until ctx ends.
func (p *plant) runDispatcher(ctx context.Context) error {
	cfg, err := p.dispatcherConfig()
	if err != nil {
		return err
	}
	jobs, err := p.queue.Jobs(ctx)
	if err != nil {
		return err
	}
	defer jobs.Stop()
	notifications, err := p.queue.Notifications(ctx)
	if err != nil {
		return err
	}
	defer notifications.Stop()
	d := dispatcher.New(cfg, dispatcher.Parts{
		Store: p.store, Objects: p.objects, Queue: p.dispatcherQueue(), Pipelines: p.pipelines,
		Jobs: dispatcherInbox{jobs, p.queue}, Notifications: dispatcherInbox{notifications, p.queue},
		Rejects: p.rejectDocs(),
	})
	p.watch.dispatching(d)
	return d.Run(ctx)
}

func (p *plant) dispatcherConfig() (cfg dispatcher.Config, err error) {
	v := p.settings
	cfg = dispatcher.Config{
		Owner: p.owner, Solo: p.solo(), Local: p.solo(), Subjects: p.subjects(),
		RejectsBucket: v.str("rejects_bucket"), Log: p.log, Now: p.timing.now, Lease: p.timing.lease,
	}
	var errs [5]error
	cfg.ChunkSize, errs[0] = v.chunkSize()
	cfg.MaxRecord, errs[1] = v.size("max_record", 1, dispatcher.MaxChunkSize)
	cfg.Window, errs[2] = v.integer("window", 2)
	cfg.Reconcile, errs[3] = v.duration("reconcile")
	cfg.Workers, errs[4] = p.maxWorkers()
	if p.solo() && !v.given("window") {
		cfg.Window = soloWindow(v)
	}
	return cfg, errors.Join(errs[:]...)
}

// maxWorkers is how many chunks all workers have in flight. Of one process it is known.
func (p *plant) maxWorkers() (int, error) {
	if p.solo() && !p.settings.given("max_workers") {
		return p.settings.integer("workers", 0)
	}
	return p.settings.integer("max_workers", 1)
}

// soloWindow keeps the workers of one process busy and no more: the chunks of a job wait behind those that are queued
// of others, and there is no autoscaler here to show a backlog to.
func soloWindow(v values) int {
	workers, err := v.integer("workers", 0)
	if err != nil {
		return leastWindow // whoever starts the workers says what is wrong
	}
	return max(leastWindow, 4*workers)
}

const leastWindow = 8

// runWorkers works until ctx ends, reading so many chunks at a time.
func (p *plant) runWorkers(ctx context.Context, concurrency int) error {
	v := p.settings
	cfg := workers.Config{
		Name: p.owner, Concurrency: concurrency, Subjects: p.subjects(), Log: p.log,
		Now: p.timing.now, Lease: p.timing.lease,
	}
	var err error
	if cfg.Attempts, err = v.integer("attempts", 1); err != nil {
		return err
	}
	if cfg.Grace, err = v.duration("grace"); err != nil {
		return err
	}
	if cfg.Memory, err = v.memory(); err != nil {
		return err
	}
	limitHeap(cfg.Memory)
	chunks, err := p.queue.Chunks(ctx)
	if err != nil {
		return err
	}
	defer chunks.Stop()
	if p.metrics != nil {
		cfg.Meter = p.metrics
	}
	return workers.New(cfg, workers.Parts{
		Store: p.store, Objects: p.objects, Queue: p.workersQueue(), Chunks: slowed(workerInbox{chunks, p.metrics}),
		Pipelines: p.pipelines,
		Tables:    p.pipelines, Rejects: p.rejectDocs(), RejectDocs: p.rejectDocs(),
	}).Run(ctx)
}

// besidesRows is what a process takes beside the rows that its workers hold: batches on their way, readers, and
// whatever is embedded.
const besidesRows = 72 << 20

// limitHeap makes the garbage collector work harder rather than let the process outgrow what its workers may take. A
// limit that the environment sets (GOMEMLIMIT) stays.
func limitHeap(memory int64) {
	if debug.SetMemoryLimit(-1) == math.MaxInt64 {
		debug.SetMemoryLimit(memory + besidesRows)
	}
}

// rejectDocs are the reject objects.
func (p *plant) rejectDocs() *objects.Docs {
	return objects.NewDocs(p.s3, p.settings.str("rejects_bucket"))
}

// runRoles runs a dispatcher, and workers unless there are none, until ctx ends.
func (p *plant) runRoles(ctx context.Context, concurrency int) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return p.runDispatcher(ctx) })
	if concurrency > 0 {
		g.Go(func() error { return p.runWorkers(ctx, concurrency) })
	}
	err := g.Wait()
	if contracts.KindOf(err) == contracts.KindInterrupted {
		return nil
	}
	return err
}
