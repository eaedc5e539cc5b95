package cassandra

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gocql/gocql"
	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
)

// patience is how long a call goes on without any acknowledgement before it reports the database unavailable.
const patience = 30 * time.Second

// call is one Write.
type call struct {
	w        *Writer
	rows     []cql.Row
	expires  time.Time    // when the rows' TTL runs out; without meaning where there is no TTL
	progress atomic.Int64 // when a batch was last acknowledged, Unix nanoseconds

	schema    sync.Once // checked when the database first refuses a batch
	schemaErr error

	mu       sync.Mutex
	refusals []cql.Refusal
}

// sendAll sends every batch of the call, as many at once as the limiter lets, and waits for them. The first error ends
// it through fail. A sender goes on to the next batch when there is one, since growing a stack for each would cost more
// than the rest of what we do.
func (c *call) sendAll(ctx context.Context, fail context.CancelCauseFunc) {
	var senders sync.WaitGroup
	defer senders.Wait()
	work := make(chan []entry)
	defer close(work)
	started := 0
	entries := c.w.db.nodes().group(c.w.sorted(c.rows))
	for batch := range spread(slices.Collect(c.w.batches(c.rows, entries))) {
		if err := c.pace(ctx, batch); err != nil {
			fail(err)
			return
		}
		if c.w.limit.acquire(ctx) != nil {
			return
		}
		select {
		case work <- batch:
			continue
		default:
		}
		if started < maxInFlight {
			started++
			senders.Go(func() {
				for next := range work {
					c.sendOne(ctx, next, fail)
				}
			})
		}
		work <- batch
	}
}

// pace waits until a batch may be sent. It holds no slot meanwhile: batches that are in flight go on.
func (c *call) pace(ctx context.Context, batch []entry) error {
	if c.w.pace == nil {
		return nil
	}
	bytes := 0
	for _, e := range batch {
		bytes += len(c.rows[e.row].Values)
	}
	return c.w.pace(ctx, len(batch), bytes)
}

// sendOne sends a batch whose slot is taken, and gives the slot back.
func (c *call) sendOne(ctx context.Context, batch []entry, fail context.CancelCauseFunc) {
	defer c.w.limit.release()
	if err := c.send(ctx, batch); err != nil {
		fail(err)
	}
}

// send writes a batch until it is acknowledged. What the database refuses for good is halved until the refused row is
// alone.
func (c *call) send(ctx context.Context, batch []entry) error {
	err := c.retry(ctx, batch)
	if !refused(err) {
		return err
	}
	if err := c.checkOnce(ctx); err != nil {
		return err
	}
	if len(batch) == 1 {
		c.refuse(batch[0].row, err)
		return nil
	}
	half := len(batch) / 2
	if err := c.send(ctx, batch[:half]); err != nil {
		return err
	}
	return c.send(ctx, batch[half:])
}

// checkOnce looks whether the table still fits, when the database first refuses a batch of the call.
func (c *call) checkOnce(ctx context.Context) error {
	c.schema.Do(func() { c.schemaErr = changed(c.w.checkSchema(ctx)) })
	return c.schemaErr
}

// refused says that the database understood the request and will never take it.
func refused(err error) bool { return code(err) == gocql.ErrCodeInvalid && !unknownTable(err) }

// unknownTable says that the node does not know the table. After its making that is so for a while, on a busy node for
// half a minute and more, although the schema's own tables list it: no fault of a row, and none that stays. The
// protocol has no code for it in a write.
func unknownTable(err error) bool {
	e, ok := errors.AsType[gocql.RequestError](err)
	return ok && e.Code() == gocql.ErrCodeInvalid &&
		(strings.Contains(e.Message(), "does not exist") || strings.Contains(e.Message(), "unconfigured table"))
}

func (c *call) refuse(row int32, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refusals = append(c.refusals, cql.Refusal{Row: int(row), Reason: err.Error()})
}

// retry sends a batch again while the database is unavailable: the same bytes with the same timestamps. Errors are
// those that another try would not mend, or KindUnavailable when patience has run out.
func (c *call) retry(ctx context.Context, batch []entry) error {
	began := time.Now()
	for n := 0; ; n++ {
		err := c.attempt(ctx, batch)
		if err == nil || refused(err) {
			return err
		}
		if unknownTable(err) {
			if gone := c.checkOnce(ctx); gone != nil {
				return gone
			}
			err = contracts.Errorf(contracts.KindUnavailable,
				"write to %s: its node does not know the table yet, which the schema lists: %w", c.w.table.FullName(), err)
		}
		err = explain(ctx, "write to "+c.w.table.FullName(), err)
		if !transient(err) {
			return err
		}
		if c.stalled(began) > c.w.patience {
			return err
		}
		if c.w.meter != nil {
			c.w.meter.Retry(reason(err))
		}
		if err := wait(ctx, jitter(backoff(n))); err != nil {
			return err
		}
	}
}

// transient says that another try may mend it. A server's internal error may be a passing one; if it stays, its kind
// tells the caller that waiting does not help.
func transient(err error) bool { return unavailable(err) || code(err) == gocql.ErrCodeServer }

// stalled is how long nothing was acknowledged.
func (c *call) stalled(began time.Time) time.Duration {
	last := time.Unix(0, c.progress.Load())
	if began.After(last) {
		last = began
	}
	return time.Since(last)
}

func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d/2+1) }

// attempt sends a batch once, and replaces a session that has lost every host.
func (c *call) attempt(ctx context.Context, batch []entry) error {
	ttl, alive := c.remaining()
	if !alive {
		return nil
	}
	s, err := c.w.db.session(ctx)
	if err != nil {
		return err
	}
	start := time.Now()
	err = c.w.execute(ctx, s, c.rows, batch, ttl)
	switch {
	case err == nil:
		now := time.Now()
		c.progress.Store(now.UnixNano())
		c.w.limit.succeeded(now.Sub(start))
		if c.w.meter != nil {
			c.w.meter.Batch(len(batch), now.Sub(start))
		}
	case lostHosts(err):
		if _, broken := c.w.db.replace(ctx, s); broken != nil {
			return broken
		}
	case overload(err):
		c.w.limit.overloaded(start)
	}
	return err
}

// remaining is what is left of the rows' TTL in whole seconds; they are not alive without a whole one. 0 is for ever.
func (c *call) remaining() (seconds int32, alive bool) {
	if c.w.ttl == 0 {
		return 0, true
	}
	left := time.Until(c.expires) / time.Second
	return int32(min(left, maxTTL)), left >= 1
}

// overload says that fewer batches in flight may help.
func overload(err error) bool {
	switch code(err) {
	case gocql.ErrCodeOverloaded, gocql.ErrCodeWriteTimeout:
		return true
	}
	return errors.Is(err, gocql.ErrTimeoutNoResponse)
}
