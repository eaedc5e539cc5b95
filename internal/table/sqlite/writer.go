package sqlite

import (
	"context"
	"slices"
	"time"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
)

// transactionRows bounds a transaction, and so how long another process waits for its turn.
const transactionRows = 10_000

// pacedRows are the rows of a transaction that waits for a budget: as many as of a batch for Cassandra.
const pacedRows = 100

// Writer writes the rows of one pipeline to one table. It is safe for concurrent use and needs no closing.
type Writer struct {
	db    *DB
	name  string
	plan  *plan
	pace  func(ctx context.Context, rows, bytes int) error // nil: no row waits
	meter cql.WriteMeter                                   // nil: nobody counts
}

// Writer checks the table's columns and types against t; columns that t lacks are fine if they are no keys. Errors:
// missing, config (another column or type; a TTL, which SQLite does not know), denied, unavailable.
func (db *DB) Writer(ctx context.Context, t cql.Table, o cql.WriteOptions) (*Writer, error) {
	if o.TTL > 0 {
		return nil, contracts.Errorf(contracts.KindConfig,
			"table %s: write.ttl is %d and SQLite rows do not expire: set it to 0 or load into Cassandra", t.FullName(), o.TTL)
	}
	w := &Writer{db: db, name: t.FullName(), pace: o.Pace, meter: o.Meter}
	err := db.writing(ctx, "open table "+w.name, func(s *session) (err error) {
		w.plan, err = prepareTable(ctx, s, t)
		return err
	})
	if err != nil {
		return nil, err
	}
	return w, nil
}

// Write writes rows, each at its own time, and returns when they are in the file. Equal calls change nothing when they
// are repeated; rows of one call may share keys and come in any order. Refusals are rows that a constraint of a table
// made by hand forbids. Errors: unavailable (the same call may succeed later), config (the table has changed), denied,
// and those of the pace.
func (w *Writer) Write(ctx context.Context, rows []cql.Row, _ time.Time) ([]cql.Refusal, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	order := sortRows(rows)
	if w.pace == nil {
		return w.writeInOrder(ctx, rows, order)
	}
	var refused []cql.Refusal
	for part := range slices.Chunk(order, pacedRows) {
		if err := w.paced(ctx, rows, part); err != nil {
			return nil, err
		}
		more, err := w.writeInOrder(ctx, rows, part)
		if err != nil {
			return nil, err
		}
		refused = append(refused, more...)
	}
	return refused, nil
}

// paced waits until some rows may be written. It holds nothing meanwhile that other writers need.
func (w *Writer) paced(ctx context.Context, rows []cql.Row, order []int) error {
	bytes := 0
	for _, i := range order {
		bytes += len(rows[i].Values)
	}
	return w.pace(ctx, len(order), bytes)
}

// writeInOrder writes the rows at some places of rows.
func (w *Writer) writeInOrder(ctx context.Context, rows []cql.Row, order []int) ([]cql.Refusal, error) {
	var refused []cql.Refusal
	hopeful := true
	err := w.db.writing(ctx, "write to table "+w.name, func(s *session) error {
		for len(order) > 0 {
			n := min(transactionRows, len(order))
			part := &transaction{session: s, rows: rows, hopeful: hopeful}
			began := time.Now()
			err := s.transaction(ctx, func() (err error) {
				if part.plan, err = refresh(background, s, w.plan); err != nil {
					return err
				}
				return part.write(ctx, order[:n])
			})
			if err != nil {
				return err
			}
			if w.meter != nil {
				w.meter.Batch(n, time.Since(began))
			}
			refused, order, hopeful = append(refused, part.refused...), order[n:], part.hopeful
		}
		return nil
	})
	return refused, err
}

// transaction writes some rows of a call.
type transaction struct {
	*session
	plan    *plan
	rows    []cql.Row
	next    int64 // rowid of the next fresh row
	times   cellTimes
	hopeful bool // the last rows were all fresh, so insert the next without looking
	refused []cql.Refusal
}

func (tx *transaction) write(ctx context.Context, order []int) error {
	if err := tx.begin(); err != nil {
		return err
	}
	b := newBatch(tx.plan, min(len(order), tx.plan.batchRows()))
	for len(order) > 0 {
		if err := ctx.Err(); err != nil {
			return contracts.Errorf(contracts.KindInterrupted, "write rows: %w", err)
		}
		order = b.fill(tx.rows, order)
		err := tx.apply(b)
		if refuses(err) {
			err = tx.oneByOne(b)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// oneByOne finds the rows that are to blame for a batch's failure. A batch in part applied may be applied again.
func (tx *transaction) oneByOne(b *batch) error {
	one := newBatch(tx.plan, 1)
	for _, e := range b.all() {
		for _, i := range e.rows {
			one.fill(tx.rows, []int{i})
			err := tx.apply(one)
			switch {
			case refuses(err):
				tx.refused = append(tx.refused, cql.Refusal{Row: i, Reason: err.Error()})
			case err != nil:
				return err
			}
		}
	}
	return nil
}
