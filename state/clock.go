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

// Reserve takes n timestamps of a table, [base, base+n): disjoint from every other reservation, later than all before
// it, and at least now. table is keyspace.table. A clock that steps back only makes the range start where the last
// ended.
func (s *Store) Reserve(ctx context.Context, table string, n int64, now time.Time) (base int64, err error) {
	err = s.update(ctx, "clocks/"+table, func(old []byte) ([]byte, error) {
		var c clock
		if old != nil {
			if err := contracts.Unmarshal(old, &c); err != nil {
				return nil, err
			}
		}
		base = max(c.Next, now.UnixMicro())
		return json.Marshal(clock{V: contracts.Version, Next: base + n, By: rand.Text()})
	})
	if err != nil {
		return 0, fmt.Errorf("reserve %d write timestamps of %s: %w", n, table, err)
	}
	return base, nil
}
