package workers

import (
	"bytes"
	"hash/maphash"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
)

// batch collects the rows of one or more whole segments and merges those of one key. What it holds lies in pages, which
// it gives back when it is reset. Not safe for concurrent use.
type batch struct {
	columns   []cql.Column
	partition int   // columns of the partition key, which come first
	keys      int   // columns of the primary key
	rows      packs // as the transformer appended them
	entries   list[entry]
	groups    list[group]
	index     list[int32] // open addressing over groups: position+1, 0 for free; a power of two long
	seed      maphash.Seed
	merged    packs // rows that are of more than one record
	scratch   []cql.Value
	statics   statics
	share     int64       // bytes that the batch may take
	size      int64       // bytes of the records that became rows
	beside    int64       // bytes that finish will take
	timed     bool        // records have event times, which decide instead of their order
	times     list[int64] // of entries, where timed: microseconds
	owners    []int32     // where timed, of the rows that finish made: their groups
	kept      bool        // the records themselves are held, too
	sources   list[source]
	raws      packs
}

// entry is one record that became a row.
type entry struct {
	row    uint32 // where in rows
	length int32  // of the row
	part   int32  // of the chunk
	prev   int32  // the record before it of the same segment and key; -1 for none
	offset int64  // in the object
}

// source is what else is known of an entry's record.
type source struct {
	raw    uint32 // where in raws
	cut    int32  // length there, at most the record limit
	length int64
	number int64 // as in position: from 1 in the object, or from -1 down in the part
}

// group is the records of one key in one segment: what becomes one row.
type group struct {
	segment int64  // ordinal
	last    int32  // entry
	hash    uint32 // of the key
}

// The bytes of an item of each list.
const (
	entryBytes  = 24
	groupBytes  = 16
	slotBytes   = 4
	timeBytes   = 8
	sourceBytes = 24
)

// What finish takes besides the pages: for each row a cql.Row, an owner, and what the writer needs to sort them; with
// static columns, for each record its group and the record before it, and for each partition, of which there are no
// more than records, two entries of maps with its key.
const (
	rowBeside    = 48 + 4 + 20
	staticBeside = 12
	tenantBeside = 280
)

func newBatch(p *pools) *batch {
	b := &batch{seed: maphash.MakeSeed()}
	b.rows.pool, b.merged.pool, b.raws.pool = &p.bytes, &p.bytes, &p.bytes
	b.entries.pool, b.groups.pool, b.index.pool = &p.entries, &p.groups, &p.slots
	b.times.pool, b.sources.pool = &p.times, &p.sources
	return b
}

// open readies an empty batch for rows of a table.
func (b *batch) open(columns []cql.Column, timed, kept bool) {
	b.columns, b.statics, b.timed, b.kept = columns, newStatics(columns), timed, kept
	b.partition, b.keys = 0, 0
	for _, c := range columns {
		if c.Role == cql.PartitionKey {
			b.partition++
		}
		if c.Role <= cql.ClusteringKey {
			b.keys++
		}
	}
}

// reset empties the batch and gives its pages back.
func (b *batch) reset() {
	b.rows.truncate(0)
	b.raws.truncate(0)
	b.merged.truncate(0)
	b.entries.truncate(0)
	b.groups.truncate(0)
	b.index.truncate(0)
	b.times.truncate(0)
	b.sources.truncate(0)
	b.statics = newStatics(b.columns)
	b.size, b.beside = 0, 0
}

func (b *batch) empty() bool { return b.entries.n == 0 }

// full says that the batch holds enough to be written at the next segment boundary: the better part of a segment, or
// rows that are much longer than it. What is read and how large segments are decide, and not who reads: so reject
// objects are cut alike at every try.
func (b *batch) full(segment int64) bool { return b.size >= segment/2 || b.bytes() >= 4*segment }

// bytes is what the batch takes, or will take when it is finished.
func (b *batch) bytes() int64 {
	items := len(b.entries.pages)*entryBytes + len(b.groups.pages)*groupBytes + len(b.index.pages)*slotBytes +
		len(b.times.pages)*timeBytes + len(b.sources.pages)*sourceBytes
	return int64(items)*pageItems + b.rows.size + b.raws.size + b.beside
}

// add takes a row, of which the transformer has appended the values to b.rows.tail().
func (b *batch) add(segment int64, part int, row cql.Row, r *contracts.Record, number int64) {
	at := int32(b.entries.n)
	e := entry{row: b.rows.keep(row.Values), length: int32(len(row.Values)), part: int32(part), prev: -1, offset: r.Offset}
	if g := b.group(segment, row.KeyBytes()); g.last >= 0 {
		if before := b.entry(g.last); before.prev < 0 { // it is merged from now on
			b.beside += int64(before.length)
		}
		e.prev, g.last = g.last, at
		b.beside += int64(e.length)
	} else {
		g.last = at
		b.beside += rowBeside
	}
	b.entries.add(e)
	b.size += int64(len(r.Raw))
	if b.timed {
		b.times.add(row.Timestamp)
		b.beside += rowBeside + int64(e.length)
	}
	if b.hasStatics() {
		b.beside += staticBeside + tenantBeside + int64(e.length)
	}
	if b.kept {
		b.sources.add(source{raw: b.raws.keep(r.Raw), cut: int32(len(r.Raw)), length: r.Length, number: number})
	}
}

// drop takes the records of the last part back out and says how many there were.
func (b *batch) drop(part int) int64 {
	kept := b.entries.n
	for kept > 0 && b.entry(int32(kept-1)).part == int32(part) {
		kept--
	}
	dropped := int64(b.entries.n - kept)
	if dropped == 0 {
		return 0
	}
	b.rows.truncate(b.entry(int32(kept)).row)
	if b.kept {
		b.raws.truncate(b.sources.at(int32(kept)).raw)
		b.sources.truncate(kept)
	}
	if b.timed {
		b.times.truncate(kept)
	}
	b.entries.truncate(kept)
	groups := b.groups.n
	for groups > 0 && int(b.groups.at(int32(groups-1)).last) >= kept {
		groups-- // parts share no segment, so a group is of one part
	}
	b.groups.truncate(groups)
	b.reindex(b.index.n)
	return dropped
}

// group finds the group of a key, or makes one without records.
func (b *batch) group(segment int64, key []byte) *group {
	if 2*(b.groups.n+1) > b.index.n {
		b.reindex(max(pageItems, 2*b.index.n))
	}
	hash := b.hash(segment, key)
	slot := b.slot(hash, segment, key)
	if n := *slot; n > 0 {
		return b.groups.at(n - 1)
	}
	b.groups.add(group{segment: segment, last: -1, hash: hash})
	*slot = int32(b.groups.n)
	return b.groups.at(*slot - 1)
}

func (b *batch) hash(segment int64, key []byte) uint32 {
	return uint32(maphash.Bytes(b.seed, key) ^ uint64(segment)*0x9e3779b97f4a7c15)
}

// slot is where a key's group is in the index, or would be. Packed keys of as many values are equal where one is the
// other's beginning.
func (b *batch) slot(hash uint32, segment int64, key []byte) *int32 {
	mask := uint32(b.index.n - 1)
	for at := hash & mask; ; at = (at + 1) & mask {
		slot := b.index.at(int32(at))
		if *slot == 0 {
			return slot
		}
		g := b.groups.at(*slot - 1)
		if g.hash == hash && g.segment == segment && bytes.HasPrefix(b.packed(g.last), key) {
			return slot
		}
	}
}

// reindex makes an index of so many slots.
func (b *batch) reindex(slots int) {
	b.index.resize(slots)
	mask := uint32(slots - 1)
	for i := range int32(b.groups.n) {
		at := b.groups.at(i).hash & mask
		for *b.index.at(int32(at)) > 0 {
			at = (at + 1) & mask
		}
		*b.index.at(int32(at)) = i + 1
	}
}

func (b *batch) entry(i int32) *entry { return b.entries.at(i) }

func (b *batch) packed(i int32) []byte {
	e := b.entry(i)
	return b.rows.at(e.row, e.length)
}

// row is a record's row, or one made of it, whose values these are.
func (b *batch) row(values []byte, timestamp int64) cql.Row {
	row, rest := cql.Row{Values: values, Timestamp: timestamp}, values
	for c := range b.keys {
		_, rest = cql.NextValue(rest)
		if row.Key = len(values) - len(rest); c < b.partition {
			row.Partition = row.Key
		}
	}
	return row
}

// value is a column's value in a record's row.
func (b *batch) value(i int32, column int) (v cql.Value) {
	packed := b.packed(i)
	for range column + 1 {
		v, packed = cql.NextValue(packed)
	}
	return v
}

// records are how many records a group has.
func (b *batch) records(g *group) (n int64) {
	for i := g.last; i >= 0; i = b.entry(i).prev {
		n++
	}
	return n
}
