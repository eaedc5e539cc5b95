package cassandra

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gocql/gocql"
	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
)

// maxTTL is Cassandra's, 20 years.
const maxTTL = 20 * 365 * 24 * 60 * 60

// Writer writes rows of one table. It is safe for concurrent use; its calls share one bound of batches in flight.
type Writer struct {
	db          *DB
	table       cql.Table
	insert      string
	consistency gocql.Consistency
	ttl         int64
	pace        func(ctx context.Context, rows, bytes int) error // nil: no batch waits
	meter       cql.WriteMeter                                   // nil: nobody counts
	limit       *limiter
	patience    time.Duration
	warn        thresholds
	multi       []bool // of the columns behind the key: those that the server stores as many cells
	fits        atomic.Pointer[fit]
}

// Writer checks that t fits the table that exists, which may have more columns outside its key. Errors: missing (no
// table), config (a column that does not fit, an unknown consistency, a TTL beyond 20 years, a table that cannot be
// written twice with one result).
func (db *DB) Writer(ctx context.Context, t cql.Table, o cql.WriteOptions) (*Writer, error) {
	w := &Writer{db: db, table: t, insert: cql.Insert(t, o.TTL > 0), ttl: o.TTL, pace: o.Pace,
		meter: o.Meter, limit: newLimiter(), patience: patience}
	for _, c := range t.Columns {
		if !isKey(c.Role) {
			w.multi = append(w.multi, c.Type.Multi())
		}
	}
	var err error
	if w.consistency, err = consistency(o.Consistency); err != nil {
		return nil, err
	}
	if o.TTL < 0 || o.TTL > maxTTL {
		return nil, contracts.Errorf(contracts.KindConfig, "write.ttl %d: expected 0 to %d seconds (20 years)",
			o.TTL, maxTTL)
	}
	if err := w.checkSchema(ctx); err != nil {
		return nil, err
	}
	if w.warn, err = db.thresholds(ctx); err != nil {
		return nil, err
	}
	return w, w.checkReplay(ctx)
}

// InFlight is how many batches are on their way, and how many may be at the moment.
func (w *Writer) InFlight() (batches, limit int) {
	w.limit.mu.Lock()
	defer w.limit.mu.Unlock()
	return w.limit.inFlight, w.limit.limit
}

// consistency reads a level for writes; "" is LOCAL_QUORUM.
func consistency(name string) (gocql.Consistency, error) {
	c := gocql.LocalQuorum
	if name == "" {
		return c, nil
	}
	if err := c.UnmarshalText([]byte(strings.ToUpper(name))); err != nil {
		return c, contracts.Errorf(contracts.KindConfig,
			"write.consistency %q: expected ANY, ONE, TWO, THREE, QUORUM, ALL, LOCAL_QUORUM, EACH_QUORUM or LOCAL_ONE", name)
	}
	return c, nil
}

// Write writes rows and returns when the database has acknowledged each or refused it for good; Refusals are sorted by
// row. A row whose TTL, counted from baseTime, has run out counts as acknowledged. On an error nothing is known about
// any row, and the same call may be made again: it writes the same. Errors: unavailable, denied, config (the table was
// changed or dropped, by whomever, before the last row was written), interrupted (ctx), internal, those of the pace.
func (w *Writer) Write(ctx context.Context, rows []cql.Row, baseTime time.Time) ([]cql.Refusal, error) {
	inner, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c := &call{w: w, rows: rows, expires: baseTime.Add(time.Duration(w.ttl) * time.Second)}
	c.progress.Store(time.Now().UnixNano())
	c.sendAll(inner, cancel)
	if inner.Err() != nil {
		return nil, explain(ctx, "write to "+w.table.FullName(), context.Cause(inner))
	}
	if err := w.checkWritten(ctx, rows); err != nil {
		return nil, err
	}
	slices.SortFunc(c.refusals, func(a, b cql.Refusal) int { return cmp.Compare(a.Row, b.Row) })
	return c.refusals, nil
}

// entry is a row in the order of writing. Its cost is what the server will count for it.
type entry struct {
	token     int64
	row, cost int32
}

// sorted orders rows by token, as the database stores their partitions. Rows of a partition keep their order: the
// server sorts them at no cost that could be measured.
func (w *Writer) sorted(rows []cql.Row) []entry {
	entries := make([]entry, len(rows))
	var scratch []byte
	for i, r := range rows {
		e := &entries[i]
		e.row, e.cost = int32(i), int32(w.cost(r))
		e.token, scratch = cql.Token(r.PartitionBytes(), scratch)
	}
	slices.SortFunc(entries, func(a, b entry) int {
		if a.token != b.token {
			return cmp.Compare(a.token, b.token)
		}
		return cmp.Compare(a.row, b.row)
	})
	return entries
}
