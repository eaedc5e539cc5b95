package workers

import "github.com/penstock-io/penstock/cql"

// A static column belongs to the partition, so all rows of a partition in a segment write it at one timestamp: only the
// row of the record that set it last may carry it. That record owns it.

// statics say who owns what. They are empty for tables without static columns.
type statics struct {
	first  int // the columns [first, first+n) are static
	n      int
	group  []int32 // of each entry
	before []int32 // for each entry the one before it in the same partition and segment; -1 for none
	owners map[tenancy][]int32
}

// tenancy is a partition in a segment. Its owners are entries, one for each static column; -1 where no record sets it.
type tenancy struct {
	segment   int64
	partition string
}

func newStatics(columns []cql.Column) statics {
	var s statics
	for c := range columns {
		if columns[c].Role == cql.Static {
			if s.n == 0 {
				s.first = c
			}
			s.n++
		}
	}
	return s
}

func (b *batch) hasStatics() bool { return b.statics.n > 0 }

// settle finds the owners, and takes each static value off the rows of those who do not own it.
func (s *statics) settle(b *batch, rows []cql.Row) {
	s.groupEntries(b)
	s.before = append(s.before[:0], make([]int32, b.entries.n)...)
	s.owners = map[tenancy][]int32{}
	latest := map[tenancy]int32{} // entry+1
	for i := range b.inOrder() {
		t := s.tenancy(b, i)
		s.before[i] = latest[t] - 1
		latest[t] = i + 1
	}
	for t, last := range latest {
		owners := make([]int32, s.n)
		for c := range owners {
			owners[c] = s.find(b, last-1, c, nil)
		}
		s.owners[t] = owners
	}
	for i := range rows {
		rows[i].Values = s.strip(b, int32(b.owner(i)), rows[i].Values)
	}
}

func (s *statics) groupEntries(b *batch) {
	s.group = append(s.group[:0], make([]int32, b.entries.n)...)
	for g := range int32(b.groups.n) {
		for i := b.groups.at(g).last; i >= 0; i = b.entry(i).prev {
			s.group[i] = g
		}
	}
}

func (s *statics) tenancy(b *batch, i int32) tenancy {
	row := b.row(b.packed(i), 0)
	return tenancy{b.groups.at(s.group[i]).segment, string(row.PartitionBytes())}
}

// find goes back from an entry to the first of its partition that sets a static column and is not guilty.
func (s *statics) find(b *batch, i int32, c int, guilty map[int32]string) int32 {
	for ; i >= 0; i = s.before[i] {
		if _, bad := guilty[i]; !bad && !b.value(i, s.first+c).Unset {
			return i
		}
	}
	return -1
}

// strip packs a group's row without the static values of records that do not own them.
func (s *statics) strip(b *batch, g int32, packed []byte) []byte {
	b.scratch = unset(b.scratch[:0], len(b.columns))
	fillUnset(b.scratch, packed)
	changed := false
	for c, owner := range s.owners[s.tenancy(b, b.groups.at(g).last)] {
		v := &b.scratch[s.first+c]
		if !v.Unset && s.group[owner] != g {
			*v, changed = cql.Value{Unset: true}, true
		}
	}
	if !changed {
		return packed
	}
	return b.repack()
}
