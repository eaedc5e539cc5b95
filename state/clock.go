package state

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"

	"github.com/penstock-io/penstock/contracts"
)

type clock struct {
	V    int    `json:"v"`
	Next int64  `json:"next"` // microseconds: the first free timestamp
	By   string `json:"by"`   // random, so that no reservation takes an equal document for its own
}

// Clock is a table's clock as it was read. It may be old: whoever reserves by it finds out.
type Clock struct {
	store *Store
	table string
	seen  version
}

// Clock reads the clock of a table, keyspace.table. It is for those who have something else to do meanwhile.
func (s *Store) Clock(ctx context.Context, table string) (*Clock, error) {
	seen, err := s.look(ctx, "clocks/"+table)
	if err != nil {
		return nil, fmt.Errorf("read the write clock of %s: %w", table, err)
	}
	return &Clock{s, table, seen}, nil
}

// Reserve is Clock and the clock's Reserve.
func (s *Store) Reserve(ctx context.Context, table string, n int64, now time.Time) (base int64, err error) {
	c, err := s.Clock(ctx, table)
	if err != nil {
		return 0, err
	}
	return c.Reserve(ctx, n, now)
}

// Reserve takes n timestamps of the table, [base, base+n): disjoint from every other reservation, later than all before
// it, and at least now. A clock that steps back only makes the range start where the last ended.
func (c *Clock) Reserve(ctx context.Context, n int64, now time.Time) (base int64, err error) {
	err = c.store.updateFrom(ctx, "clocks/"+c.table, c.seen, func(old []byte) ([]byte, error) {
		var at clock
		if old != nil {
			if err := contracts.Unmarshal(old, &at); err != nil {
				return nil, err
			}
		}
		base = max(at.Next, now.UnixMicro())
		return json.Marshal(clock{V: contracts.Version, Next: base + n, By: rand.Text()})
	})
	if err != nil {
		return 0, fmt.Errorf("reserve %d write timestamps of %s: %w", n, c.table, err)
	}
	return base, nil
}
