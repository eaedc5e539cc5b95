package workers

import "github.com/penstock-io/penstock/cql"

// Merging is what keeps rows whole: two writes of one cell with the same timestamp would be decided by value, not by
// order, so that columns of different records could meet in one row.

// finish gives the batch's rows in the groups' order: one a group, at its segment's timestamp, or under event time one
// for each time that a group needs. They are valid until the batch is reset; nothing is added to it after finish.
func (b *batch) finish(base int64) []cql.Row {
	rows := make([]cql.Row, 0, b.groups.n)
	b.owners = b.owners[:0]
	if b.timed {
		b.sortByTime()
	}
	for i := range int32(b.groups.n) {
		g := b.groups.at(i)
		if !b.timed {
			rows = append(rows, b.mergedRow(g, base))
			continue
		}
		rows = b.timedRows(g, rows)
		for len(b.owners) < len(rows) {
			b.owners = append(b.owners, i)
		}
	}
	if b.hasStatics() {
		b.statics.settle(b, rows)
	}
	return rows
}

// owner is the group of a row that finish made.
func (b *batch) owner(row int) int {
	if b.timed {
		return int(b.owners[row])
	}
	return row
}

func (b *batch) mergedRow(g *group, base int64) cql.Row {
	values := b.packed(g.last)
	if b.entry(g.last).prev >= 0 {
		values = b.mergeRecords(g.last)
	}
	return b.row(values, base+g.segment)
}

// mergeRecords packs, for each column, the last value that a record of the group has set.
func (b *batch) mergeRecords(last int32) []byte {
	b.scratch = unset(b.scratch[:0], len(b.columns))
	for i := last; i >= 0; i = b.entry(i).prev {
		fillUnset(b.scratch, b.packed(i))
	}
	return b.repack()
}

// repack packs the values in scratch.
func (b *batch) repack() []byte {
	values := pack(b.merged.tail(), b.scratch)
	return b.merged.at(b.merged.keep(values), int32(len(values)))
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
