package sqlite

import (
	"bytes"
	"context"
	"database/sql/driver"
	"encoding/binary"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
)

func (t target) partition() bool { return t.Role == cql.PartitionKey }

// applyStatics merges the static cells of each partition in the batch with those of the table, and gives every entry
// the outcome.
func (tx *transaction) applyStatics(b *batch) error {
	all := b.all()
	for len(all) > 0 {
		n := 1
		for n < len(all) && bytes.Equal(all[n].partition, all[0].partition) {
			n++
		}
		if err := tx.applyPartition(all[:n]); err != nil {
			return err
		}
		all = all[n:]
	}
	return nil
}

func (tx *transaction) applyPartition(entries []entry) error {
	state := make([]cell, tx.plan.statics)
	if err := readStatics(background, tx.session, tx.plan, entries[0].partition, state); err != nil {
		return err
	}
	changed := false
	for _, e := range entries {
		for i, c := range e.cells[tx.plan.keys : tx.plan.keys+tx.plan.statics] {
			if c.newer(state[i]) {
				state[i], changed = c, true
			}
		}
	}
	for _, e := range entries {
		copy(e.cells[tx.plan.keys:], state)
	}
	if !changed {
		return nil
	}
	return tx.storeStatics(&entries[0], state)
}

func (tx *transaction) storeStatics(e *entry, state []cell) error {
	err := tx.exec(background, "INSERT OR REPLACE INTO _penstock_static (table_id, partition, cells) VALUES (?, ?, ?)",
		tx.plan.table, e.partition, packStatics(tx.plan, state))
	if err != nil {
		return err
	}
	st, err := tx.prepare(tx.plan.updatePartition())
	if err != nil {
		return err
	}
	st.start()
	if err := tx.bindCells(st, e, tx.plan.keys, tx.plan.keys+tx.plan.statics); err != nil {
		return err
	}
	for i, c := range tx.plan.keyColumns() {
		if c.partition() {
			if err := tx.bindCells(st, e, i, i+1); err != nil {
				return err
			}
		}
	}
	_, err = st.run(background)
	return err
}

// packStatics writes, for each static cell that was ever written, its slot, its time and its packed value.
func packStatics(p *plan, state []cell) []byte {
	var out []byte
	for i, c := range p.staticColumns() {
		if state[i].at == never {
			continue
		}
		out = binary.AppendUvarint(out, uint64(c.slot))
		out = binary.BigEndian.AppendUint64(out, uint64(state[i].at))
		if state[i].bytes == nil {
			out = cql.AppendNull(out)
		} else {
			out = cql.AppendValue(out, state[i].bytes)
		}
	}
	return out
}

// readStatics reads a partition's static cells into state, which lies beside the plan's static columns.
func readStatics(ctx context.Context, s *session, p *plan, partition []byte, state []cell) error {
	for i := range state {
		state[i] = cell{at: never}
	}
	const get = "SELECT cells FROM _penstock_static WHERE table_id = ? AND partition = ?"
	return s.query(ctx, get, func(row []driver.Value) error {
		packed, ok := row[0].([]byte)
		if !ok || !unpackStatics(p, packed, state) {
			return contracts.Errorf(contracts.KindConfig, "static columns in _penstock_static are damaged: restore the file")
		}
		return nil
	}, p.table, partition)
}

func unpackStatics(p *plan, packed []byte, state []cell) bool {
	for len(packed) > 0 {
		slot, n := binary.Uvarint(packed)
		if n <= 0 || len(packed) < n+12 {
			return false
		}
		at, rest := int64(binary.BigEndian.Uint64(packed[n:])), packed[n+8:]
		if size := int32(binary.BigEndian.Uint32(rest)); int64(size) > int64(len(rest)-4) {
			return false
		}
		var v cql.Value
		v, packed = cql.NextValue(rest)
		for i, c := range p.staticColumns() {
			if uint64(c.slot) == slot {
				state[i] = cell{bytes: v.Bytes, at: at}
			}
		}
	}
	return true
}
