package main

import (
	"context"
	"log/slog"

	"golang.org/x/sync/errgroup"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/dispatcher"
	"github.com/penstock-io/penstock/internal/ops"
	"github.com/penstock-io/penstock/internal/queue"
)

// watch is what shows a role's process to those who run it. nil where nobody listens: all of its methods may be called.
type watch struct {
	health  *ops.Health
	metrics *ops.Metrics
	server  *ops.Server
}

// newWatch begins to answer probes, if the settings say where: nothing is ready yet. When ctx ends the process drains.
func newWatch(ctx context.Context, v values, log *slog.Logger) (*watch, error) {
	addr, err := v.listen()
	if addr == "" || err != nil {
		return nil, err
	}
	w := &watch{health: ops.NewHealth(ctx.Done(), "nats", "s3", "table"), metrics: ops.NewMetrics(versionText)}
	w.metrics.Depend(w.health)
	if w.server, err = ops.Listen(addr, w.health, w.metrics, log); err != nil {
		return nil, usageError(err)
	}
	log.Info("listening for probes and scrapes", "addr", w.server.Addr())
	return w, nil
}

func (w *watch) close() error {
	if w == nil {
		return nil
	}
	return w.server.Close()
}

// note takes the word of a server that the process needs.
func (w *watch) note(part string, err error) {
	if w != nil {
		w.health.Note(part, err)
	}
}

// dispatching shows how a dispatcher stands.
func (w *watch) dispatching(d *dispatcher.Dispatcher) {
	if w == nil {
		return
	}
	w.server.Go(w.metrics.Dispatching(func() ops.Standing { return ops.Standing(d.Standing()) }))
}

// openPatiently opens what a role needs, each part by itself: one that is away is waited for, and told of.
func (p *plant) openPatiently(ctx context.Context, role queue.Role, w *watch) error {
	if p.watch = w; w != nil {
		p.closers = append([]func() error{w.close}, p.closers...) // last, since a process that drains is asked, too
		p.metrics = w.metrics
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, part := range p.roleParts(role) {
		g.Go(func() error {
			_, err := retryOpen(ctx, p.log, func() (struct{}, error) {
				err := part.open(ctx)
				w.note(part.name, err)
				return struct{}{}, err
			})
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	p.join()
	p.keepAsking(role)
	return nil
}

func (p *plant) roleParts(role queue.Role) []part {
	if role != queue.Worker {
		return p.parts(needRoles)
	}
	return append(p.parts(needStore|needTarget), part{"nats", func(ctx context.Context) error {
		err := p.openWorkersQueue(ctx)
		if contracts.KindOf(err) == contracts.KindMissing { // a dispatcher comes
			err = contracts.Errorf(contracts.KindUnavailable, "%w", err)
		}
		return err
	}})
}

// keepAsking asks the servers that the process needs, now and then, until the watch is closed.
func (p *plant) keepAsking(role queue.Role) {
	w := p.watch
	if w == nil {
		return
	}
	w.metrics.Writing(p.pipelines.inFlight)
	for part, ask := range map[string]func(context.Context) error{
		"nats": func(ctx context.Context) error { return p.queue.Ping(ctx, role) }, "s3": p.askStore, "table": p.target.Ping,
	} {
		w.server.Go(func(ctx context.Context) { w.health.Watch(ctx, part, ask) })
	}
}

// askStore reads a document that need not be there.
func (p *plant) askStore(ctx context.Context) error {
	_, _, err := p.docs.Get(ctx, "leader")
	if contracts.KindOf(err) == contracts.KindMissing {
		return p.s3.HasBucket(ctx, p.settings.str("state_bucket"))
	}
	return err
}

// watched runs a role's main loop.
func (p *plant) watched(ctx context.Context, name string, loop func(context.Context) error) error {
	if p.watch == nil {
		return loop(ctx)
	}
	return p.watch.health.Loop(ctx, name, loop)
}
