package state

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/penstock-io/penstock/contracts"
)

type clock struct {
	V    int    `json:"v"`
	Next int64  `json:"next"` // microseconds: the first free timestamp
	By   string `json:"by"`   // random, so that no reservation takes an equal document for its own
}

// tableClock is a table's clock as this process knows it. Who has the turn moves the stored one on for all who wait, by
// what was written or seen last: so many reservations at once cost one request.
type tableClock struct {
	store   *Store
	key     string
	turn    chan struct{} // holds one token while somebody has the turn
	seen    version       // of who has the turn: it may be old, and then the document is read again
	next    int64         // of who has the turn: [next, until) is stored as taken, and nobody has it
	until   int64
	mu      sync.Mutex
	waiting []*reservation
}

// reservation is of [base, base+n). Whoever serves it closes served.
type reservation struct {
	n      int64
	now    int64 // microseconds
	base   int64
	served chan struct{}
}

// aheadMicros are taken beforehand by a process that is alone, where it took some within that time: so a clock is not
// written for each of many jobs, and never goes further ahead of the time of day.
const aheadMicros = 100_000

// Alone says that no other process reserves timestamps here as long as this one runs.
func (s *Store) Alone() { s.alone = true }

// maxClocks bounds the tables whose clocks are remembered.
const maxClocks = 1024

func (s *Store) clock(table string) *tableClock {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.clocks[table]
	if c == nil {
		if len(s.clocks) >= maxClocks {
			clear(s.clocks)
		}
		c = &tableClock{store: s, key: "clocks/" + table, turn: make(chan struct{}, 1)}
		s.clocks[table] = c
	}
	return c
}

// Reserve takes n timestamps of the table (keyspace.table), [base, base+n): disjoint from every other reservation,
// later than all before it, and at least now. A clock that steps back only makes the range start where the last ended.
func (s *Store) Reserve(ctx context.Context, table string, n int64, now time.Time) (base int64, err error) {
	r := &reservation{n: n, now: now.UnixMicro(), served: make(chan struct{})}
	if err := s.clock(table).reserve(ctx, r); err != nil {
		return 0, fmt.Errorf("reserve %d write timestamps of %s: %w", n, table, err)
	}
	return r.base, nil
}

// reserve waits to be served, or for the turn to serve all who wait. Who leaves before may be served all the same, and
// then nobody uses these timestamps.
func (c *tableClock) reserve(ctx context.Context, r *reservation) error {
	c.mu.Lock()
	c.waiting = append(c.waiting, r)
	c.mu.Unlock()
	defer c.withdraw(r)
	select {
	case <-r.served:
		return nil
	case <-ctx.Done():
		return contracts.Errorf(contracts.KindInterrupted, "%w", context.Cause(ctx))
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	}
	select {
	case <-r.served:
		return nil
	default:
		return c.serve(ctx)
	}
}

func (c *tableClock) withdraw(r *reservation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = slices.DeleteFunc(c.waiting, func(one *reservation) bool { return one == r })
}

// serve serves all who wait. Where it cannot, the next of them has the turn.
func (c *tableClock) serve(ctx context.Context) error {
	c.mu.Lock()
	all := c.waiting
	c.waiting = nil
	c.mu.Unlock()
	served, left := c.give(all)
	err := c.move(ctx, left)
	if err == nil {
		served, left = all, nil
	}
	for _, r := range served {
		close(r.served)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = append(left, c.waiting...)
	return err
}

// give serves those for whom what was taken beforehand is enough.
func (c *tableClock) give(all []*reservation) (served, left []*reservation) {
	for i, r := range all {
		base := max(c.next, r.now)
		if base+r.n > c.until {
			return all[:i], all[i:]
		}
		r.base, c.next = base, base+r.n
	}
	return all, nil
}

// move moves the stored clock on, by compare-and-swap until it wins.
func (c *tableClock) move(ctx context.Context, all []*reservation) (err error) {
	if len(all) == 0 {
		return nil
	}
	if c.seen.etag == "" {
		if c.seen, err = c.store.look(ctx, c.key); err != nil {
			return err
		}
	}
	var next, until int64
	c.seen, err = c.store.updateFrom(ctx, c.key, c.seen, func(old []byte) ([]byte, error) {
		var at clock
		if old != nil {
			if err := contracts.Unmarshal(old, &at); err != nil {
				return nil, err
			}
		}
		busy := c.store.alone && at.Next > all[0].now-aheadMicros
		for _, r := range all {
			r.base = max(at.Next, r.now)
			at.Next = r.base + r.n
		}
		if next = at.Next; busy {
			at.Next += aheadMicros
		}
		until = at.Next
		return json.Marshal(clock{V: contracts.Version, Next: at.Next, By: rand.Text()})
	})
	if err == nil {
		c.next, c.until = next, until
	}
	return err
}
