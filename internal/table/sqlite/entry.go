package sqlite

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/penstock-io/penstock/cql"
)

// cell is what a column of a row is to be: nothing said (at never), deleted (no bytes) or a value.
type cell struct {
	bytes []byte
	at    int64
}

// newer says that c replaces old: the later one does, at equal times a delete, then the greater value.
func (c cell) newer(old cell) bool {
	switch {
	case c.at != old.at:
		return c.at > old.at
	case c.at == never || old.bytes == nil:
		return false
	default:
		return c.bytes == nil || bytes.Compare(c.bytes, old.bytes) > 0
	}
}

// entry is all that is written to one row of the table: one row of the pipeline, or several of one key.
type entry struct {
	key       []byte // packed
	partition []byte // packed
	rows      []int  // of the caller
	at        int64  // latest time
	cells     []cell // beside plan.columns; keys have no time
}

// batch are entries in the order of their keys. Their memory is used again by the next batch.
type batch struct {
	plan    *plan
	entries []entry
	used    int
	lookups []lookup // beside entries
	fresh   []*entry
}

func newBatch(p *plan, size int) *batch {
	b := &batch{plan: p, entries: make([]entry, size), lookups: make([]lookup, size)}
	for i := range b.entries {
		b.entries[i].cells = make([]cell, len(p.columns))
	}
	return b
}

func (b *batch) all() []entry { return b.entries[:b.used] }

// forget drops what was looked up; the values' memory stays.
func (b *batch) forget() {
	for i := range b.lookups {
		b.lookups[i].found, b.lookups[i].changed = false, false
	}
}

// fill takes rows in the given order until it is full or they end, and returns the rest.
func (b *batch) fill(rows []cql.Row, order []int) (rest []int) {
	b.used = 0
	for n, i := range order {
		last := b.used - 1
		if last < 0 || !bytes.Equal(b.entries[last].key, rows[i].KeyBytes()) {
			if b.used == len(b.entries) {
				return order[n:]
			}
			last = b.used
			b.used++
			b.entries[last].start(rows[i])
		}
		b.entries[last].absorb(b.plan, rows[i], i)
	}
	return nil
}

func (e *entry) start(r cql.Row) {
	e.key, e.partition, e.rows, e.at = r.KeyBytes(), r.PartitionBytes(), e.rows[:0], r.Timestamp
	for i := range e.cells {
		e.cells[i] = cell{at: never}
	}
}

// absorb merges a row of the same key.
func (e *entry) absorb(p *plan, r cql.Row, row int) {
	e.rows = append(e.rows, row)
	e.at = max(e.at, r.Timestamp)
	packed := r.Values
	var v cql.Value
	for _, i := range p.order {
		v, packed = cql.NextValue(packed)
		if v.Unset {
			continue
		}
		c := cell{bytes: v.Bytes, at: r.Timestamp}
		if v.Bytes != nil && deletes(p.columns[i].Type, v.Bytes) {
			c.bytes = nil
		}
		if i < p.keys || c.newer(e.cells[i]) {
			e.cells[i] = c
		}
	}
}

// sortRows orders rows by key, column by column, near enough to the order of the table's index to write it page by
// page. Rows of one key, and of one partition, are neighbours.
func sortRows(rows []cql.Row) []int {
	order := make([]int, len(rows))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(compareKeys(rows[a].KeyBytes(), rows[b].KeyBytes()), a-b)
	})
	return order
}

func compareKeys(a, b []byte) int {
	for len(a) > 0 && len(b) > 0 {
		var x, y cql.Value
		x, a = cql.NextValue(a)
		y, b = cql.NextValue(b)
		if c := bytes.Compare(x.Bytes, y.Bytes); c != 0 {
			return c
		}
	}
	return len(a) - len(b)
}
