package dispatcher

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/go-co-op/gocron/v2"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/pipeline"
)

// A job that a trigger makes has an id derived from what triggered it, so that notifications that come twice, two
// dispatchers, and the reconciling listing all make the same job.

// triggered yields the current revisions that have a trigger. One that does not compile is told of and passed over.
func (d *Dispatcher) triggered(ctx context.Context) ([]*pipeline.Compiled, error) {
	var with []*pipeline.Compiled
	for name, err := range d.store.Pipelines(ctx) {
		if err != nil {
			return nil, err
		}
		revision, err := d.store.Current(ctx, name)
		if err != nil {
			return nil, err
		}
		c, err := d.pipelines.Compiled(ctx, name, revision)
		if contracts.KindOf(err).Transient() {
			return nil, err
		}
		if err != nil {
			d.cfg.Log.Warn("pipeline passed over: its trigger is not heeded", "pipeline", name, "err", err)
			continue
		}
		if c.Trigger() != nil {
			with = append(with, c)
		}
	}
	return with, nil
}

// heededAtOnce is the number of notifications that are heeded at a time: many files that arrive are one look at what
// pipelines wait for.
const heededAtOnce = 32

// heedAll makes jobs of bucket notifications.
func (d *Dispatcher) heedAll(ctx context.Context) {
	var g sync.WaitGroup
	for range heededAtOnce {
		g.Go(func() {
			d.each(ctx, d.notifications, func(m Message) { d.settle(ctx, m, d.heed(ctx, m.Data())) })
		})
	}
	g.Wait()
}

func (d *Dispatcher) heed(ctx context.Context, data []byte) error {
	arrivals, err := parseNotification(data)
	if err != nil || len(arrivals) == 0 {
		return err
	}
	pipelines, err := d.waiting.ask(ctx, d.triggered)
	if err != nil {
		return err
	}
	for _, a := range arrivals {
		for _, c := range pipelines {
			if err := d.heedArrival(ctx, a, c); err != nil {
				return err
			}
		}
	}
	return nil
}

// heedArrival submits a job if the pipeline waits for such an object. The object itself, not the notification, says
// which version there is.
func (d *Dispatcher) heedArrival(ctx context.Context, a arrival, c *pipeline.Compiled) error {
	t := c.Trigger()
	if t.Schedule != "" || t.Bucket != a.bucket {
		return nil
	}
	for _, key := range a.keys {
		if !matchesTrigger(key, t.Prefix, t.Suffix) {
			continue
		}
		o, err := d.objects.Stat(ctx, a.bucket, key)
		if contracts.KindOf(err) == contracts.KindMissing {
			continue // escaped the other way, or deleted since
		}
		if err == nil {
			err = d.submitObject(ctx, c, o)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// submitObject makes the one job of this object version, unless the ledger has it.
func (d *Dispatcher) submitObject(ctx context.Context, c *pipeline.Compiled, o contracts.Object) error {
	name := c.Spec().Name
	_, err := d.store.Loaded(ctx, name, o)
	if contracts.KindOf(err) != contracts.KindMissing {
		return err
	}
	// A listing tells milliseconds and a look at the object does not: the id must not depend on who found it.
	at := o.Modified.Truncate(time.Second)
	_, err = d.Accept(ctx, contracts.Job{
		ID:       contracts.NewJobID(at, strings.Join([]string{name, o.Bucket, o.Key, o.Version()}, "\x00")),
		Pipeline: name, Source: []string{exactSource(o)}, Trigger: "bucket",
	})
	return err
}

// keepSchedules runs ticks as they fall due, and between them lists watched buckets for what no notification told of.
func (d *Dispatcher) keepSchedules(ctx context.Context) error {
	last := d.cfg.Now().UTC()
	listed := time.Time{}
	for ctx.Err() == nil {
		now := d.cfg.Now().UTC()
		pipelines, err := d.triggered(ctx)
		if err == nil {
			err = d.tickAll(ctx, pipelines, last, now)
		}
		if err == nil && now.Sub(listed) >= d.cfg.Reconcile {
			listed = now
			err = d.listWatched(ctx, pipelines)
		}
		if err == nil {
			last = now
		} else if ctx.Err() == nil {
			d.cfg.Log.Warn("triggers held up: trying again", "err", err)
		}
		pause(ctx, min(d.cfg.Reconcile, untilMinute(now)))
	}
	return nil
}

// untilMinute is the time until a schedule may fall due again.
func untilMinute(now time.Time) time.Duration {
	return now.Truncate(time.Minute).Add(time.Minute).Sub(now)
}

func (d *Dispatcher) tickAll(ctx context.Context, pipelines []*pipeline.Compiled, last, now time.Time) error {
	for _, c := range pipelines {
		t := c.Trigger()
		if t.Schedule == "" {
			continue
		}
		due, err := lastTick(t.Schedule, last, now)
		if err == nil && !due.IsZero() {
			err = d.tick(ctx, c, due)
		}
		if contracts.KindOf(err).Transient() {
			return err
		}
		if err != nil {
			d.cfg.Log.Warn("scheduled load passed over", "pipeline", c.Spec().Name, "err", err)
		}
	}
	return nil
}

// lastTick is the last time in (last, now] at which the schedule falls due; zero for none. Ticks that were missed are
// not made up for one by one: the last of them loads all that is new.
func lastTick(schedule string, last, now time.Time) (due time.Time, err error) {
	cron := gocron.NewDefaultCron(false)
	if err := cron.IsValid(schedule, time.UTC, now); err != nil {
		return due, fmt.Errorf("schedule %q: %w", schedule, err)
	}
	for next := cron.Next(last); !next.IsZero() && !next.After(now); next = cron.Next(next) {
		due = next
	}
	return due, nil
}

// tick submits the tick's job if there is anything new.
func (d *Dispatcher) tick(ctx context.Context, c *pipeline.Compiled, due time.Time) error {
	name, t := c.Spec().Name, c.Trigger()
	fresh, err := d.anyNew(ctx, c)
	if err != nil || !fresh {
		return err
	}
	_, err = d.Accept(ctx, contracts.Job{
		ID: contracts.NewJobID(due, name+"\x00schedule"), Pipeline: name, Trigger: "schedule",
		Source: []string{"s3://" + t.Bucket + "/" + EscapeGlob(t.Prefix) + "**" + EscapeGlob(t.Suffix)},
	})
	return err
}

func (d *Dispatcher) anyNew(ctx context.Context, c *pipeline.Compiled) (bool, error) {
	found := false
	err := d.eachNew(ctx, c, func(contracts.Object) (bool, error) {
		found = true
		return false, nil
	})
	return found, err
}

// eachNew calls fn for each watched object that the ledger lacks, until fn says stop.
func (d *Dispatcher) eachNew(ctx context.Context, c *pipeline.Compiled, fn func(contracts.Object) (bool, error)) error {
	t := c.Trigger()
	ledger := d.store.Ledger(ctx, c.Spec().Name)
	defer ledger.Close()
	for o, err := range d.objects.List(ctx, t.Bucket, t.Prefix, "") {
		if err != nil {
			return fmt.Errorf("list s3://%s/%s for pipeline %s: %w", t.Bucket, t.Prefix, c.Spec().Name, err)
		}
		if !matchesTrigger(o.Key, t.Prefix, t.Suffix) {
			continue
		}
		known, err := ledger.Has(o)
		if err != nil {
			return err
		}
		if known {
			continue
		}
		if more, err := fn(o); err != nil || !more {
			return err
		}
	}
	return nil
}

// listWatched submits what lies in watched buckets and no notification told of.
func (d *Dispatcher) listWatched(ctx context.Context, pipelines []*pipeline.Compiled) error {
	for _, c := range pipelines {
		if c.Trigger().Schedule != "" {
			continue
		}
		err := d.eachNew(ctx, c, func(o contracts.Object) (bool, error) { return true, d.submitObject(ctx, c, o) })
		if contracts.KindOf(err).Transient() {
			return err
		}
		if err != nil {
			d.cfg.Log.Warn("watched bucket not listed", "pipeline", c.Spec().Name, "err", err)
		}
	}
	return nil
}
