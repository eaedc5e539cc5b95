package workers

import (
	"bytes"
	"hash/maphash"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
)

// batch collects the rows of one or more whole segments and merges those of one key. Its buffers are kept from one
// chunk to the next. Not safe for concurrent use.
type batch struct {
	columns []cql.Column
	rows    []byte // packed rows, as the transformer appended them
	raws    []byte // raw records, for rejects
	entries []entry
	groups  []group
	index   []int32 // open addressing over groups: position+1, 0 for free; a power of two long
	seed    maphash.Seed
	merged  []byte // packed rows of groups with more than one record
	scratch []cql.Value
	statics statics
	limit   int     // of rows, in bytes
	timed   bool    // records have event times, which decide instead of their order
	owners  []int32 // of the rows that finish made: their groups
}

// entry is one record that became a row.
type entry struct {
	row, rowLen    int32 // in rows
	raw, rawLen    int32 // in raws
	partition, key int32 // ends of the keys' values in the row
	part           int32 // of the chunk
	prev           int32 // the record before it of the same segment and key; -1 for none
	offset, length int64 // in the object
	record         int64 // as in position: from 1 in the object, or from -1 down in the part
	at             int64 // event time in microseconds; 0 where records have none
}

// group is the records of one key in one segment: what becomes one row.
type group struct {
	segment int64 // ordinal
	last    int32 // entry
	count   int32
}

func newBatch() *batch {
	return &batch{seed: maphash.MakeSeed(), index: make([]int32, 1024), limit: maxRows}
}

// reset empties the batch for rows of a table.
func (b *batch) reset(columns []cql.Column) {
	b.columns, b.statics = columns, newStatics(columns)
	b.rows, b.raws, b.merged = b.rows[:0], b.raws[:0], b.merged[:0]
	b.entries, b.groups = b.entries[:0], b.groups[:0]
	clear(b.index)
}

func (b *batch) empty() bool { return len(b.entries) == 0 }

// maxRows bounds the rows of a batch, in bytes. What a segment becomes may be many times its size, and a segment cannot
// be written in pieces.
const maxRows = 1 << 30

// full says that the batch holds enough to be written at the next segment boundary: a segment's worth of records, or of
// rows that are much longer than these.
func (b *batch) full(segment int64) bool {
	return int64(len(b.raws)) >= segment || int64(len(b.rows)) >= 4*segment
}

// add takes the row that was just appended to b.rows.
func (b *batch) add(segment int64, part int, row cql.Row, r *contracts.Record, number int64) {
	e := entry{
		row: int32(len(b.rows) - len(row.Values)), rowLen: int32(len(row.Values)),
		raw: int32(len(b.raws)), rawLen: int32(len(r.Raw)),
		partition: int32(row.Partition), key: int32(row.Key), part: int32(part), prev: -1,
		offset: r.Offset, length: r.Length, record: number, at: row.Timestamp,
	}
	b.raws = append(b.raws, r.Raw...)
	at := int32(len(b.entries))
	if g := b.group(segment, row.KeyBytes()); g != nil {
		e.prev = g.last
		g.last = at
		g.count++
	} else {
		b.groups = append(b.groups, group{segment: segment, last: at, count: 1})
	}
	b.entries = append(b.entries, e)
}

// drop takes the records of the last part back out and says how many there were.
func (b *batch) drop(part int) int64 {
	kept := len(b.entries)
	for kept > 0 && b.entries[kept-1].part == int32(part) {
		kept--
	}
	dropped := int64(len(b.entries) - kept)
	if dropped == 0 {
		return 0
	}
	b.rows, b.raws = b.rows[:b.entries[kept].row], b.raws[:b.entries[kept].raw]
	b.entries = b.entries[:kept]
	for len(b.groups) > 0 && int(b.groups[len(b.groups)-1].last) >= kept {
		b.groups = b.groups[:len(b.groups)-1] // parts share no segment, so a group is of one part
	}
	clear(b.index)
	b.reindex()
	return dropped
}

// group finds the group of a key, or makes a place for one that the caller appends, and gives nil.
func (b *batch) group(segment int64, key []byte) *group {
	if 2*(len(b.groups)+1) > len(b.index) {
		b.grow()
	}
	slot := b.slot(segment, key)
	if n := b.index[slot]; n > 0 {
		return &b.groups[n-1]
	}
	b.index[slot] = int32(len(b.groups)) + 1
	return nil
}

// slot is where a key's group is in the index, or would be.
func (b *batch) slot(segment int64, key []byte) uint64 {
	mask := uint64(len(b.index) - 1)
	slot := (maphash.Bytes(b.seed, key) ^ uint64(segment)*0x9e3779b97f4a7c15) & mask
	for {
		n := b.index[slot]
		if n == 0 {
			return slot
		}
		if g := &b.groups[n-1]; g.segment == segment && bytes.Equal(b.keyOf(g.last), key) {
			return slot
		}
		slot = (slot + 1) & mask
	}
}

func (b *batch) grow() {
	b.index = make([]int32, 2*len(b.index))
	b.reindex()
}

func (b *batch) reindex() {
	for i := range b.groups {
		g := &b.groups[i]
		b.index[b.slot(g.segment, b.keyOf(g.last))] = int32(i) + 1
	}
}

func (b *batch) keyOf(i int32) []byte {
	e := &b.entries[i]
	return b.rows[e.row : e.row+e.key]
}

func (b *batch) packed(i int32) []byte {
	e := &b.entries[i]
	return b.rows[e.row : e.row+e.rowLen]
}

// value is a column's value in a record's row.
func (b *batch) value(i int32, column int) (v cql.Value) {
	packed := b.packed(i)
	for range column + 1 {
		v, packed = cql.NextValue(packed)
	}
	return v
}

func (b *batch) rawOf(e *entry) []byte { return b.raws[e.raw : e.raw+e.rawLen] }
