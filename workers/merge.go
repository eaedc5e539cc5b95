package workers

import (
	"slices"

	"github.com/penstock-io/penstock/cql"
)

// Merging is what keeps rows whole: two writes of one cell with the same timestamp would be decided by value, not by
// order, so that columns of different records could meet in one row.

// finish gives the batch's rows, one a group and in the groups' order, each at its segment's timestamp.
func (b *batch) finish(base int64, dst []cql.Row) []cql.Row {
	for i := range b.groups {
		dst = append(dst, b.row(&b.groups[i], base))
	}
	if slices.ContainsFunc(b.columns, func(c cql.Column) bool { return c.Role == cql.Static }) {
		b.mergeStatics(dst)
	}
	return dst
}

func (b *batch) row(g *group, base int64) cql.Row {
	e := &b.entries[g.last]
	values := b.packed(g.last)
	if g.count > 1 {
		values = b.mergeRecords(g.last)
	}
	return cql.Row{Values: values, Partition: int(e.partition), Key: int(e.key), Timestamp: base + g.segment}
}

// mergeRecords packs, for each column, the last value that a record of the group has set.
func (b *batch) mergeRecords(last int32) []byte {
	b.scratch = unset(b.scratch[:0], len(b.columns))
	for i := last; i >= 0; i = b.entries[i].prev {
		fillUnset(b.scratch, b.packed(i))
	}
	start := len(b.merged)
	b.merged = pack(b.merged, b.scratch)
	return b.merged[start:len(b.merged):len(b.merged)]
}

func unset(dst []cql.Value, n int) []cql.Value {
	for range n {
		dst = append(dst, cql.Value{Unset: true})
	}
	return dst
}

// fillUnset takes from a packed row the values that dst lacks.
func fillUnset(dst []cql.Value, packed []byte) {
	for c := range dst {
		var v cql.Value
		v, packed = cql.NextValue(packed)
		if dst[c].Unset {
			dst[c] = v
		}
	}
}

func pack(dst []byte, values []cql.Value) []byte {
	for _, v := range values {
		switch {
		case v.Unset:
			dst = cql.AppendUnset(dst)
		case v.Bytes == nil:
			dst = cql.AppendNull(dst)
		default:
			dst = cql.AppendValue(dst, v.Bytes)
		}
	}
	return dst
}

// staticKey is a partition in a segment.
type staticKey struct {
	segment   int64
	partition string
}

// mergeStatics lets one row of each partition, that of its last record, carry the last set value of each static
// column, and takes them off the others. Records, not groups, say which is last.
func (b *batch) mergeStatics(rows []cql.Row) {
	type carrier struct {
		values []cql.Value
		row    int
	}
	partitions := map[staticKey]*carrier{}
	rowOf := b.rowsOfEntries()
	for i := len(b.entries) - 1; i >= 0; i-- {
		row := rowOf[i]
		key := staticKey{b.groups[row].segment, string(rows[row].PartitionBytes())}
		c := partitions[key]
		if c == nil {
			c = &carrier{values: unset(nil, len(b.columns)), row: row}
			partitions[key] = c
		}
		b.fillStatics(c.values, b.packed(int32(i)))
	}
	for i := range rows {
		c := partitions[staticKey{b.groups[i].segment, string(rows[i].PartitionBytes())}]
		rows[i].Values = b.withStatics(rows[i].Values, c.values, c.row == i)
	}
}

// rowsOfEntries says for each entry which group it is in.
func (b *batch) rowsOfEntries() []int {
	of := make([]int, len(b.entries))
	for g := range b.groups {
		for i := b.groups[g].last; i >= 0; i = b.entries[i].prev {
			of[i] = g
		}
	}
	return of
}

func (b *batch) fillStatics(dst []cql.Value, packed []byte) {
	for c := range b.columns {
		var v cql.Value
		v, packed = cql.NextValue(packed)
		if b.columns[c].Role == cql.Static && dst[c].Unset {
			dst[c] = v
		}
	}
}

// withStatics packs a row again with the given statics, or without any.
func (b *batch) withStatics(packed []byte, statics []cql.Value, carries bool) []byte {
	b.scratch = unset(b.scratch[:0], len(b.columns))
	fillUnset(b.scratch, packed)
	for c := range b.columns {
		if b.columns[c].Role != cql.Static {
			continue
		}
		b.scratch[c] = cql.Value{Unset: true}
		if carries {
			b.scratch[c] = statics[c]
		}
	}
	start := len(b.merged)
	b.merged = pack(b.merged, b.scratch)
	return b.merged[start:len(b.merged):len(b.merged)]
}
