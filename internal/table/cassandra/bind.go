package cassandra

import (
	"context"
	"encoding/binary"
	"sync"

	"github.com/gocql/gocql"
	"github.com/penstock-io/penstock/cql"
)

// cell hands a value's bytes to the driver as they are; nil is null.
type cell []byte

// MarshalCQL is called on a pointer into a slab, so that handing over a value allocates nothing.
func (c *cell) MarshalCQL(gocql.TypeInfo) ([]byte, error) { return *c, nil }

// bound is the memory behind one batch's arguments.
type bound struct {
	cells   []cell
	args    []any
	times   []byte
	ttl     [4]byte
	entries []gocql.BatchEntry
}

var bounds = sync.Pool{New: func() any { return new(bound) }}

// execute sends a batch. The driver has copied all arguments into its frame when this returns.
func (w *Writer) execute(ctx context.Context, s *gocql.Session, rows []cql.Row, batch []entry, ttl int32) error {
	b := bounds.Get().(*bound)
	defer b.free()
	b.reserve(len(batch), w.arguments())
	binary.BigEndian.PutUint32(b.ttl[:], uint32(ttl))
	for _, e := range batch {
		b.bind(w, rows[e.row])
	}
	req := s.NewBatch(gocql.UnloggedBatch).WithContext(ctx)
	req.SetConsistency(w.consistency)
	req.Entries = b.entries
	return s.ExecuteBatch(req)
}

// arguments is the number of values of one statement: columns, timestamp, and TTL where there is one.
func (w *Writer) arguments() int {
	n := len(w.table.Columns) + 1
	if w.ttl > 0 {
		n++
	}
	return n
}

// reserve makes room, so that no append moves what arguments point to.
func (b *bound) reserve(rows, arguments int) {
	if n := rows * arguments; cap(b.cells) < n {
		b.cells, b.args = make([]cell, 0, n), make([]any, 0, n)
	}
	if cap(b.times) < 8*rows {
		b.times, b.entries = make([]byte, 0, 8*rows), make([]gocql.BatchEntry, 0, rows)
	}
}

// bind adds a row's statement.
func (b *bound) bind(w *Writer, r cql.Row) {
	start := len(b.args)
	for packed := r.Values; len(packed) > 0; {
		var v cql.Value
		if v, packed = cql.NextValue(packed); v.Unset {
			b.args = append(b.args, gocql.UnsetValue)
			continue
		}
		b.add(v.Bytes)
	}
	n := len(b.times)
	b.times = binary.BigEndian.AppendUint64(b.times, uint64(r.Timestamp))
	b.add(b.times[n:])
	if w.ttl > 0 {
		b.add(b.ttl[:])
	}
	b.entries = append(b.entries, gocql.BatchEntry{Stmt: w.insert, Args: b.args[start:], Idempotent: true})
}

func (b *bound) add(value []byte) {
	b.cells = append(b.cells, value)
	b.args = append(b.args, &b.cells[len(b.cells)-1])
}

// free gives the memory back without the rows that it points to.
func (b *bound) free() {
	clear(b.cells)
	clear(b.entries)
	b.cells, b.args, b.times, b.entries = b.cells[:0], b.args[:0], b.times[:0], b.entries[:0]
	bounds.Put(b)
}
