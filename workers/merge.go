package workers

import "github.com/penstock-io/penstock/cql"

// Merging is what keeps rows whole: two writes of one cell with the same timestamp would be decided by value, not by
// order, so that columns of different records could meet in one row.

// finish gives the batch's rows in the groups' order: one a group, at its segment's timestamp, or under event time one
// for each time that a group needs. Nothing is added to the batch after it.
func (b *batch) finish(base int64, dst []cql.Row) []cql.Row {
	b.owners = b.owners[:0]
	if b.timed {
		b.sortByTime()
	}
	for i := range b.groups {
		if b.timed {
			dst = b.timedRows(&b.groups[i], dst)
		} else {
			dst = append(dst, b.row(&b.groups[i], base))
		}
		for len(b.owners) < len(dst) {
			b.owners = append(b.owners, int32(i))
		}
	}
	if b.hasStatics() {
		b.statics.settle(b, dst)
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
