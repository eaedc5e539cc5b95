package cassandra

import (
	"context"
	"encoding/binary"
	"sync"

	"github.com/gocql/gocql"
	"github.com/penstock-io/penstock/cql"
)

// The driver would take memory for each value of a batch, and look the statement up for each row. So it is given one
// row for all: the partition key of the first, by which it finds the node, and as the last value the whole batch,
// folded, which the connection unfolds on its way out (unfold.go).

// cell hands a value's bytes to the driver as they are; nil is null.
type cell []byte

// MarshalCQL is called on a pointer, so that handing over a value allocates nothing.
func (c *cell) MarshalCQL(gocql.TypeInfo) ([]byte, error) { return *c, nil }

// bound is the memory behind one batch's arguments.
type bound struct {
	folded cell
	keys   []cell
	args   []any
	entry  [1]gocql.BatchEntry
}

var bounds = sync.Pool{New: func() any { return new(bound) }}

// execute sends a batch. The driver has copied all arguments into its frame when this returns.
func (w *Writer) execute(ctx context.Context, s *gocql.Session, rows []cql.Row, batch []entry, ttl int32) error {
	b := bounds.Get().(*bound)
	defer b.free()
	for _, e := range batch {
		b.fold(w, rows[e.row], ttl)
	}
	b.route(w, rows[batch[0].row])
	req := s.NewBatch(gocql.UnloggedBatch).WithContext(ctx)
	req.SetConsistency(w.consistency)
	req.Entries = b.entry[:]
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

// fold adds a row's values as the protocol has them, which is how the row has them too, behind their length.
func (b *bound) fold(w *Writer, r cql.Row, ttl int32) {
	start := len(b.folded)
	b.folded = append(b.folded, 0, 0, 0, 0)
	b.folded = append(b.folded, r.Values...)
	b.folded = appendInt64(b.folded, r.Timestamp)
	if w.ttl > 0 {
		b.folded = appendInt32(b.folded, ttl)
	}
	binary.BigEndian.PutUint32(b.folded[start:], uint32(len(b.folded)-start-4))
}

func appendInt64(dst []byte, n int64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(dst, 8), uint64(n))
}

func appendInt32(dst []byte, n int32) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(dst, 4), uint32(n))
}

// route makes the arguments: the partition key, nulls, and the folded batch.
func (b *bound) route(w *Writer, first cql.Row) {
	for packed := first.PartitionBytes(); len(packed) > 0; {
		var v cql.Value
		v, packed = cql.NextValue(packed)
		b.keys = append(b.keys, v.Bytes)
	}
	for i := range b.keys {
		b.args = append(b.args, &b.keys[i])
	}
	for len(b.args) < w.arguments()-1 {
		b.args = append(b.args, (*cell)(nil))
	}
	b.args = append(b.args, &b.folded)
	b.entry[0] = gocql.BatchEntry{Stmt: w.insert, Args: b.args, Idempotent: true}
}

// free gives the memory back without the row that it points to; what a huge row needed is not kept.
func (b *bound) free() {
	if cap(b.folded) > keepBuffer {
		b.folded = nil
	}
	clear(b.keys)
	b.folded, b.keys, b.args = b.folded[:0], b.keys[:0], b.args[:0]
	bounds.Put(b)
}
