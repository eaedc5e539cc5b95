package dispatcher

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/penstock-io/penstock/contracts"
)

// errDeposed ends a reign when another dispatcher leads.
var errDeposed = errors.New("another dispatcher leads")

// lead tries to become the leader, reigns while it is, and gives the lease up at the end.
func (d *Dispatcher) lead(ctx context.Context) error {
	for ctx.Err() == nil {
		if won, err := d.tryLead(ctx); err != nil && ctx.Err() == nil {
			d.cfg.Log.Warn("leadership not to be had", "err", err)
		} else if won {
			d.cfg.Log.Info("leading", "owner", d.cfg.Owner)
			d.court.forgetRests()
			d.leads.Store(true)
			err := d.reign(ctx)
			d.leads.Store(false)
			d.resign(ctx)
			if err != nil && ctx.Err() == nil {
				d.cfg.Log.Warn("no longer leading", "err", err)
			}
		}
		pause(ctx, d.cfg.Lease/5)
	}
	return nil
}

func (d *Dispatcher) tryLead(ctx context.Context) (bool, error) {
	if d.cfg.Solo {
		return true, nil
	}
	return d.store.TryLead(ctx, d.cfg.Owner, d.cfg.Now(), d.cfg.Lease)
}

func (d *Dispatcher) resign(ctx context.Context) {
	if d.cfg.Solo {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := d.store.Resign(ctx, d.cfg.Owner); err != nil {
		d.cfg.Log.Debug("lease not given up", "err", err)
	}
}

// reign runs jobs until ctx ends or the lease is lost. It returns when all its runners have.
func (d *Dispatcher) reign(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	stop, err := d.queue.Events(ctx, "", false, func(e contracts.Event) { d.hear(ctx, e) })
	if err != nil {
		return err
	}
	defer stop()
	d.court.reign(true)
	defer d.court.reign(false)
	g.Go(func() error { return d.keepLease(ctx) })
	g.Go(func() error { return d.findJobs(ctx) })
	g.Go(func() error { return d.startJobs(ctx) })
	g.Go(func() error { return d.keepSchedules(ctx) })
	return g.Wait()
}

func (d *Dispatcher) hear(ctx context.Context, e contracts.Event) {
	switch e.Kind {
	case contracts.EventAccepted:
		d.court.echoed(e.Job)
		return
	case contracts.EventControl: // a job that rests has no runner
		d.court.recall(e.Job)
	}
	d.court.deliver(ctx, e)
}

func (d *Dispatcher) keepLease(ctx context.Context) error {
	last := d.cfg.Now()
	for pause(ctx, d.cfg.Lease/5) {
		won, err := d.tryLead(ctx)
		switch {
		case err == nil && !won:
			return errDeposed
		case err == nil:
			last = d.cfg.Now()
		case d.cfg.Now().Sub(last) > d.cfg.Lease:
			return err
		}
	}
	return nil
}

// findJobs announces what the store holds: jobs that were accepted while nobody led, or whose news was lost. It also
// clears the queue of what would never leave it.
func (d *Dispatcher) findJobs(ctx context.Context) error {
	for {
		for id, err := range d.store.ActiveJobs(ctx) {
			if err != nil {
				if ctx.Err() == nil {
					d.cfg.Log.Warn("active jobs not listed", "err", err)
				}
				break
			}
			d.court.announce(id)
		}
		if err := d.queue.Sweep(ctx); err != nil && ctx.Err() == nil {
			d.cfg.Log.Warn("queue not swept", "err", err)
		}
		if !pause(ctx, d.cfg.Reconcile) {
			return nil
		}
	}
}

// startJobs runs what waits, as room allows.
func (d *Dispatcher) startJobs(ctx context.Context) error {
	var running sync.WaitGroup
	defer running.Wait()
	for {
		for r := d.court.next(d.newRunner); r != nil; r = d.court.next(d.newRunner) {
			running.Go(func() {
				defer d.court.leave(r)
				defer close(r.ended)
				r.run(ctx)
			})
		}
		select {
		case <-ctx.Done():
			return nil
		case <-d.court.wake:
		}
	}
}
