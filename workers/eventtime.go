package workers

import (
	"cmp"
	"iter"
	"slices"

	"github.com/penstock-io/penstock/cql"
)

// Under event time a later time wins, column by column, and among equal times the later record. The chains from record
// to record say who comes before whom, so they are made to follow this order; then all else is as without event time,
// but that a row needs a statement for each time that its cells have.

// sortByTime links the entries of each group in the order of their times.
func (b *batch) sortByTime() {
	var chain []int32
	for g := range b.groups {
		if b.groups[g].count == 1 {
			continue
		}
		chain = chain[:0]
		for i := b.groups[g].last; i >= 0; i = b.entries[i].prev {
			chain = append(chain, i)
		}
		b.sort(chain)
		before := int32(-1)
		for _, i := range chain {
			b.entries[i].prev, before = before, i
		}
		b.groups[g].last = before
	}
}

// sort orders entries by time, and those of one time as they were read.
func (b *batch) sort(entries []int32) {
	slices.SortFunc(entries, func(x, y int32) int {
		return cmp.Or(cmp.Compare(b.entries[x].at, b.entries[y].at), cmp.Compare(x, y))
	})
}

// inOrder yields all entries, each after those that it wins over.
func (b *batch) inOrder() iter.Seq[int32] {
	return func(yield func(int32) bool) {
		order := make([]int32, len(b.entries))
		for i := range order {
			order[i] = int32(i)
		}
		if b.timed {
			b.sort(order)
		}
		for _, i := range order {
			if !yield(i) {
				return
			}
		}
	}
}

// timedRows appends the rows of a group: the one of its latest time, which the row as a whole has, and one for each
// earlier time from which a cell is left.
func (b *batch) timedRows(g *group, dst []cql.Row) []cql.Row {
	taken := make([]bool, len(b.columns))
	for i := g.last; i >= 0; {
		e := &b.entries[i]
		b.scratch = unset(b.scratch[:0], len(b.columns))
		wins := i == g.last
		for ; i >= 0 && b.entries[i].at == e.at; i = b.entries[i].prev {
			if b.takeCells(i, taken) {
				wins = true
			}
		}
		if !wins {
			continue
		}
		start := len(b.merged)
		b.merged = pack(b.merged, b.scratch)
		dst = append(dst, cql.Row{
			Values: b.merged[start:len(b.merged):len(b.merged)], Partition: int(e.partition), Key: int(e.key), Timestamp: e.at,
		})
	}
	return dst
}

// takeCells takes an entry's key and those of its cells that no entry after it has set. It says whether there were any.
func (b *batch) takeCells(i int32, taken []bool) (any bool) {
	packed := b.packed(i)
	var v cql.Value
	for c := range b.columns {
		v, packed = cql.NextValue(packed)
		switch {
		case b.columns[c].Role <= cql.ClusteringKey:
			b.scratch[c] = v
		case !v.Unset && !taken[c]:
			b.scratch[c], taken[c], any = v, true, true
		}
	}
	return any
}
