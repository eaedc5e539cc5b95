package sqlite

import (
	"bytes"
	"context"
	"database/sql/driver"
	"errors"
	"iter"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
)

// Cells reads every row of t in the order of its keys, in t's column order, with the time of each cell. Rows may be
// kept. The last element of a sequence that fails is an error: missing, config, unavailable.
func (db *DB) Cells(ctx context.Context, t cql.Table) iter.Seq2[cql.CellRow, error] {
	return func(yield func(cql.CellRow, error) bool) {
		var p *plan
		err := db.writing(ctx, "read table "+t.FullName(), func(s *session) (err error) {
			p, err = prepareTable(ctx, s, t)
			return err
		})
		if err == nil {
			err = db.reading(ctx, "read table "+t.FullName(), func(s *session) error {
				r := &reader{session: s, plan: p, times: newCellTimes(p.slots), statics: make([]cell, p.statics)}
				return r.each(ctx, func(row cql.CellRow) bool { return yield(row, nil) })
			})
		}
		if err != nil && !errors.Is(err, errStopped) {
			yield(cql.CellRow{}, err)
		}
	}
}

// errStopped says that the consumer of a sequence has seen enough.
var errStopped = errors.New("the reader stopped")

// reader turns stored rows into cells.
type reader struct {
	*session
	plan      *plan
	times     cellTimes
	partition []byte // whose static cells are in statics
	statics   []cell // for their times
}

func (r *reader) each(ctx context.Context, yield func(cql.CellRow) bool) error {
	st, err := r.prepare(r.plan.scan())
	if err != nil {
		return err
	}
	return st.each(background, func(row []driver.Value) error {
		if err := ctx.Err(); err != nil {
			return contracts.Errorf(contracts.KindInterrupted, "read rows: %w", err)
		}
		cells, err := r.row(ctx, row)
		if err == nil && !yield(cells) {
			err = errStopped
		}
		return err
	})
}

func (r *reader) row(ctx context.Context, row []driver.Value) (cql.CellRow, error) {
	cells, first := make([]cell, len(r.plan.columns)), r.plan.keys+r.plan.statics
	if err := r.shared(ctx, row[:first], cells[:first]); err != nil {
		return cql.CellRow{}, err
	}
	if err := r.regulars(row[first+1:], cells[first:]); err != nil {
		return cql.CellRow{}, err
	}
	out := cql.CellRow{Values: make([]cql.Value, len(r.plan.order)), Times: make([]int64, len(r.plan.order))}
	for i, at := range r.plan.order {
		out.Values[i].Bytes = cells[at].bytes
		if cells[at].bytes != nil && cells[at].at != never {
			out.Times[i] = cells[at].at
		}
	}
	return out, nil
}

// shared reads the key and the static cells. Their times are read where a new partition begins.
func (r *reader) shared(ctx context.Context, row []driver.Value, cells []cell) error {
	var partition []byte
	for i, c := range r.plan.columns[:len(cells)] {
		b, err := r.native(c, row[i])
		if err != nil {
			return err
		}
		cells[i] = cell{bytes: b, at: never}
		if c.partition() {
			partition = cql.AppendValue(partition, b)
		}
	}
	if r.plan.statics > 0 && !bytes.Equal(partition, r.partition) {
		r.partition = partition
		if err := readStatics(ctx, r.session, r.plan, partition, r.statics); err != nil {
			return err
		}
	}
	for i, s := range r.statics {
		cells[r.plan.keys+i].at = s.at
	}
	return nil
}

// regulars reads the times and the regular cells.
func (r *reader) regulars(row []driver.Value, cells []cell) error {
	r.times.clear()
	for i, c := range r.plan.regularColumns() {
		r.times.present[c.slot] = c.written && row[1+i] != nil
	}
	if err := r.times.decode(row[0]); err != nil {
		return err
	}
	for i, c := range r.plan.regularColumns() {
		if !c.written {
			continue
		}
		b, err := r.native(c, row[1+i])
		if err != nil {
			return err
		}
		cells[i] = cell{bytes: b, at: r.times.at[c.slot]}
	}
	return nil
}

func (r *reader) native(c target, v driver.Value) ([]byte, error) {
	b, err := fromSQL(c.Type, v)
	if err != nil {
		return nil, contracts.Errorf(contracts.KindConfig, "column %s: %w", c.Name, err)
	}
	return b, nil
}
