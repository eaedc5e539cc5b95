package sqlite

import (
	"bytes"
	"context"
	"database/sql/driver"

	"github.com/penstock-io/penstock/contracts"
)

// lookup is what the table holds of an entry's row, and after merge what it is to hold.
type lookup struct {
	found   bool
	changed bool
	rowid   int64
	values  []driver.Value // of the regular columns that the pipeline writes
	times   driver.Value   // to be stored
}

// statements run to their end whatever the caller's context says: transactions are short, and the driver starts a
// goroutine for each statement that can be cancelled.
var background = context.Background()

func (tx *transaction) begin() error {
	tx.times = newCellTimes(tx.plan.slots)
	return tx.query(background, "SELECT max("+tx.plan.rowid+") FROM "+tx.plan.name, func(row []driver.Value) error {
		last, _ := row[0].(int64)
		tx.next = last + 1
		return nil
	})
}

// apply writes a batch: static columns first, for fresh rows show their partition's; then fresh rows in statements of
// many, then rows that change. A hopeful insert that meets an existing row is undone by SQLite and done the long way.
func (tx *transaction) apply(b *batch) error {
	if tx.plan.statics > 0 {
		if err := tx.applyStatics(b); err != nil {
			return err
		}
	}
	b.forget()
	if tx.hopeful {
		if err := tx.insertFresh(b); !refuses(err) {
			return err
		}
	}
	if err := tx.lookUp(b); err != nil {
		return err
	}
	if err := tx.insertFresh(b); err != nil {
		return err
	}
	tx.hopeful = len(b.fresh) == b.used
	for i := range b.all() {
		if l := &b.lookups[i]; l.changed {
			if err := tx.update(l); err != nil {
				return err
			}
		}
	}
	return nil
}

// lookUp reads the rows that exist and merges the entries into them.
func (tx *transaction) lookUp(b *batch) error {
	for from := 0; from < b.used; {
		n := powerOfTwo(b.used - from)
		st, err := tx.prepare(tx.plan.find(n))
		if err != nil {
			return err
		}
		st.start()
		for i := range b.entries[from : from+n] {
			if err := tx.bindCells(st, &b.entries[from+i], 0, tx.plan.keys); err != nil {
				return err
			}
		}
		err = st.each(background, func(row []driver.Value) error {
			i := from + int(row[0].(int64))
			return tx.merge(&b.entries[i], &b.lookups[i], row[1:])
		})
		if err != nil {
			return err
		}
		from += n
	}
	return nil
}

// bindCells adds the columns [from, to) of an entry.
func (tx *transaction) bindCells(st *statement, e *entry, from, to int) error {
	for i := from; i < to; i++ {
		v, err := tx.value(i, e.cells[i].bytes)
		if err != nil {
			return err
		}
		st.add(v)
	}
	return nil
}

func (tx *transaction) value(column int, b []byte) (driver.Value, error) {
	if b == nil {
		return nil, nil
	}
	v, err := toSQL(tx.plan.columns[column].Type, b)
	if err != nil {
		return nil, contracts.Errorf(contracts.KindInternal, "column %s: %w", tx.plan.columns[column].Name, err)
	}
	return v, nil
}

// merge decides cell by cell between an entry and the row that exists.
func (tx *transaction) merge(e *entry, l *lookup, row []driver.Value) error {
	l.found, l.rowid, l.values = true, row[0].(int64), l.values[:0]
	ct, first := tx.times, tx.plan.keys+tx.plan.statics
	ct.clear()
	for i, c := range tx.plan.regularColumns() {
		ct.present[c.slot] = row[2+i] != nil
		if !c.written {
			ct.present[c.slot] = row[2+i] == int64(1)
		}
	}
	if err := ct.decode(row[1]); err != nil {
		return err
	}
	for i, c := range tx.plan.regularColumns() {
		if !c.written {
			continue
		}
		kept, next := row[2+i], e.cells[first+i]
		takes, v, err := tx.decide(first+i, next, kept, ct.at[c.slot])
		switch {
		case err != nil:
			return err
		case takes:
			ct.at[c.slot], ct.present[c.slot] = next.at, v != nil
			kept, l.changed = v, true
		}
		l.values = append(l.values, kept)
	}
	if l.changed {
		l.times = ct.encode(e.at)
	}
	return nil
}

// decide says whether a cell replaces the stored one and with what. Stored values are read back to native bytes only at
// equal times, and only where they differ.
func (tx *transaction) decide(column int, next cell, stored driver.Value, at int64) (bool, driver.Value, error) {
	if next.at < at || next.at == never || next.at == at && stored == nil {
		return false, nil, nil
	}
	v, err := tx.value(column, next.bytes)
	if err != nil || next.at > at || v == nil {
		return err == nil, v, err
	}
	if same(v, stored) {
		return false, nil, nil
	}
	native, err := fromSQL(tx.plan.columns[column].Type, stored)
	if err != nil {
		return false, nil, contracts.Errorf(contracts.KindConfig, "column %s: %w", tx.plan.columns[column].Name, err)
	}
	return next.newer(cell{bytes: native, at: at}), v, nil
}

func same(a, b driver.Value) bool {
	x, ok := a.([]byte)
	y, both := b.([]byte)
	if ok || both {
		return ok && both && bytes.Equal(x, y)
	}
	return a == b
}

func (tx *transaction) update(l *lookup) error {
	st, err := tx.prepare(tx.plan.update())
	if err != nil {
		return err
	}
	st.start()
	for _, v := range l.values {
		st.add(v)
	}
	st.add(l.rowid)
	if _, err := st.run(background); err != nil {
		return err
	}
	return tx.exec(background, tx.plan.insertTimes(1), l.rowid, l.times)
}

// insertFresh inserts the entries that have no row yet.
func (tx *transaction) insertFresh(b *batch) error {
	fresh := b.fresh[:0]
	for i := range b.all() {
		if !b.lookups[i].found {
			fresh = append(fresh, &b.entries[i])
		}
	}
	b.fresh = fresh
	for len(fresh) > 0 {
		n := powerOfTwo(len(fresh))
		if err := tx.insert(fresh[:n]); err != nil {
			return err
		}
		fresh = fresh[n:]
	}
	return nil
}

func (tx *transaction) insert(fresh []*entry) error {
	rows, err := tx.prepare(tx.plan.insert(len(fresh)))
	if err != nil {
		return err
	}
	sides, err := tx.prepare(tx.plan.insertTimes(len(fresh)))
	if err != nil {
		return err
	}
	rows.start()
	sides.start()
	for i, e := range fresh {
		id := tx.next + int64(i)
		if tx.plan.alias {
			v, err := tx.value(0, e.cells[0].bytes)
			if err != nil {
				return err
			}
			id = v.(int64)
		} else {
			rows.add(id)
		}
		for i := range tx.plan.columns {
			if tx.plan.inserted(i) {
				if err := tx.bindCells(rows, e, i, i+1); err != nil {
					return err
				}
			}
		}
		sides.add(id)
		sides.add(tx.timesOf(e))
	}
	if _, err := rows.run(background); err != nil {
		return err
	}
	tx.next += int64(len(fresh))
	_, err = sides.run(background)
	return err
}

// timesOf are a fresh row's times.
func (tx *transaction) timesOf(e *entry) driver.Value {
	tx.times.clear()
	first := tx.plan.keys + tx.plan.statics
	for i, c := range tx.plan.regularColumns() {
		tx.times.at[c.slot], tx.times.present[c.slot] = e.cells[first+i].at, e.cells[first+i].bytes != nil
	}
	return tx.times.encode(e.at)
}
