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
	for i := range int32(b.groups.n) {
		g := b.groups.at(i)
		if b.entry(g.last).prev < 0 {
			continue
		}
		chain = chain[:0]
		for i := g.last; i >= 0; i = b.entry(i).prev {
			chain = append(chain, i)
		}
		b.sort(chain)
		before := int32(-1)
		for _, i := range chain {
			b.entry(i).prev, before = before, i
		}
		g.last = before
	}
}

// sort orders entries by time, and those of one time as they were read.
func (b *batch) sort(entries []int32) {
	slices.SortFunc(entries, func(x, y int32) int {
		return cmp.Or(cmp.Compare(b.time(x), b.time(y)), cmp.Compare(x, y))
	})
}

func (b *batch) time(i int32) int64 { return *b.times.at(i) }

// inOrder yields all entries, each after those that it wins over.
func (b *batch) inOrder() iter.Seq[int32] {
	return func(yield func(int32) bool) {
		order := make([]int32, b.entries.n)
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
		at := b.time(i)
		b.scratch = unset(b.scratch[:0], len(b.columns))
		wins := i == g.last
		for ; i >= 0 && b.time(i) == at; i = b.entry(i).prev {
			if b.takeCells(i, taken) {
				wins = true
			}
		}
		if wins {
			dst = append(dst, b.row(b.repack(), at))
		}
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
