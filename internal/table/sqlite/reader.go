package sqlite

import (
	"bytes"
	"context"
	"database/sql/driver"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
)

// Reader reads rows of one table by their primary keys. It is safe for concurrent use and needs no closing.
type Reader struct{ w *Writer }

// Reader makes a reader of t's columns. Errors: those of Writer.
func (db *DB) Reader(ctx context.Context, t cql.Table, o cql.WriteOptions) (*Reader, error) {
	w, err := db.Writer(ctx, t, o)
	if err != nil {
		return nil, err
	}
	return &Reader{w}, nil
}

// Read gives what the table holds of each row, by its key: values and times in the order of the columns, no values
// where it holds nothing. Where it holds static cells of a row's partition but not the row, the clustering key is null;
// a row without clustering values asks for these alone. A cell that was deleted has the time at which it was. Errors:
// unavailable, config (the table was changed), denied, interrupted.
func (r *Reader) Read(ctx context.Context, rows []cql.Row) ([]cql.CellRow, error) {
	out := make([]cql.CellRow, len(rows))
	err := r.w.db.reading(ctx, "read from table "+r.w.name, func(s *session) error {
		p, err := refresh(background, s, r.w.plan)
		if err != nil {
			return err
		}
		k := &keyReader{reader: reader{session: s, plan: p, times: newCellTimes(p.slots), statics: make([]cell, p.statics)}}
		for from := 0; from < len(rows); {
			if err := ctx.Err(); err != nil {
				return contracts.Errorf(contracts.KindInterrupted, "read rows: %w", err)
			}
			n := powerOfTwo(min(len(rows)-from, p.batchRows()))
			if err := k.read(rows[from:from+n], out[from:from+n]); err != nil {
				return err
			}
			from += n
		}
		return nil
	})
	return out, err
}

// keyReader is a reader of rows that are named by their keys.
type keyReader struct{ reader }

func (k *keyReader) read(rows []cql.Row, out []cql.CellRow) error {
	cells := make([][]cell, len(rows))
	if err := k.find(rows, cells); err != nil {
		return err
	}
	for i, row := range rows {
		there := cells[i] != nil
		if !there {
			cells[i] = make([]cell, len(k.plan.columns))
		}
		static, err := k.readPartition(row, cells[i])
		if err != nil {
			return err
		}
		if there || static {
			out[i] = k.cellRow(row, cells[i], there)
		}
	}
	return nil
}

// find reads the rows that are there.
func (k *keyReader) find(rows []cql.Row, cells [][]cell) error {
	st, err := k.prepare(k.plan.find(len(rows)))
	if err != nil {
		return err
	}
	st.start()
	for _, row := range rows {
		packed := row.KeyBytes()
		for _, c := range k.plan.keyColumns() {
			var v cql.Value
			if len(packed) > 0 {
				v, packed = cql.NextValue(packed)
			}
			bound, err := k.bound(c, v)
			if err != nil {
				return err
			}
			st.add(bound)
		}
	}
	first := k.plan.keys + k.plan.statics
	return st.each(background, func(row []driver.Value) error {
		all := make([]cell, len(k.plan.columns))
		cells[row[0].(int64)] = all
		return k.regulars(row[2:], all[first:])
	})
}

// bound is a key's value as SQLite compares it; nothing equals one that is missing.
func (k *keyReader) bound(c target, v cql.Value) (driver.Value, error) {
	if v.Bytes == nil {
		return nil, nil
	}
	bound, err := toSQL(c.Type, v.Bytes)
	if err != nil {
		return nil, contracts.Errorf(contracts.KindInput, "column %s: %w", c.Name, err)
	}
	return bound, nil
}

// readPartition adds the static cells of a row's partition; false where there are none.
func (k *keyReader) readPartition(row cql.Row, cells []cell) (static bool, err error) {
	if k.plan.statics == 0 {
		return false, nil
	}
	if !bytes.Equal(k.partition, row.PartitionBytes()) || k.partition == nil {
		k.partition = row.PartitionBytes()
		if err := readStatics(background, k.session, k.plan, k.partition, k.statics); err != nil {
			return false, err
		}
	}
	for i, c := range k.statics {
		cells[k.plan.keys+i] = c
		static = static || c.bytes != nil
	}
	return static, nil
}

// cellRow puts cells into the order of the pipeline's columns, with the key as it was asked for.
func (k *keyReader) cellRow(row cql.Row, cells []cell, there bool) cql.CellRow {
	key := row.KeyBytes()
	if !there {
		key = row.PartitionBytes()
	}
	out := cql.CellRow{Values: make([]cql.Value, len(k.plan.order)), Times: make([]int64, len(k.plan.order))}
	for i, at := range k.plan.order {
		switch {
		case at >= k.plan.keys:
			out.Values[i].Bytes = cells[at].bytes
			if cells[at].at != never {
				out.Times[i] = cells[at].at
			}
		case len(key) > 0:
			out.Values[i], key = cql.NextValue(key)
		}
	}
	return out
}
