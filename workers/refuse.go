package workers

import (
	"context"
	"maps"
	"slices"

	"github.com/penstock-io/penstock/cql"
)

// A row that the database refuses is taken apart: the record at fault is a reject, the others of its key still become
// the row. Trials must not tear it: two values of one cell at one timestamp would be decided by value. So records are
// tried one after the other, the last one first, each with those cells only that no later record has written. What is
// accepted is final, and of what is refused nothing is in the table. Under event time, where a group may be many rows,
// the last one is the one that counts latest, and a culprit may have cells in a row that was not refused.

// inquest finds the records that the database does not take, and writes the rest of their rows.
type inquest struct {
	l      *loader
	b      *batch
	open   []*trial
	groups map[int32]int    // of each guilty entry
	guilty map[int32]string // reasons by entry
	rows   map[int]bool     // groups that were refused
	held   map[cell]bool    // static cells that a trial has written
	lost   []cell           // static cells whose owner was found guilty, with the next owner
}

// trial is what is left of a refused group.
type trial struct {
	group int
	next  int32  // the entry to try; -1 when all were
	share []bool // the columns that it is tried with
	taken []bool // the columns that later entries have written
	wrote bool   // a later entry is in the table
}

// cell is an entry's value of a static column, counted from the first static one.
type cell struct {
	entry  int32
	column int
}

// refuse deals with the rows that the database refused, and gives, for each group, how many of its records it lost.
func (l *loader) refuse(ctx context.Context, b *batch, refused []cql.Refusal) (map[int]int64, error) {
	q := &inquest{
		l: l, b: b, groups: map[int32]int{}, guilty: map[int32]string{}, rows: map[int]bool{}, held: map[cell]bool{},
	}
	for _, r := range refused {
		q.rows[int(b.owner(r.Row))] = true
	}
	arraigned := map[int]bool{}
	for _, r := range refused {
		if group := int(b.owner(r.Row)); !arraigned[group] {
			arraigned[group] = true
			q.arraign(group, r.Reason)
		}
	}
	for len(q.open) > 0 {
		if err := q.round(ctx); err != nil {
			return nil, err
		}
	}
	if err := q.replaceLost(ctx); err != nil {
		return nil, err
	}
	lost := map[int]int64{}
	for i := range q.guilty {
		lost[q.groups[i]]++
	}
	return lost, l.tellRefused(ctx, b, slices.Sorted(maps.Keys(q.guilty)), q.guilty)
}

// arraign opens the trial of a refused group. A record that was alone in it is guilty without one.
func (q *inquest) arraign(group int, reason string) {
	b := q.b
	g := b.groups.at(int32(group))
	if b.entry(g.last).prev < 0 {
		q.convict(group, g.last, reason)
		return
	}
	columns := len(b.columns)
	q.open = append(q.open, &trial{
		group: group, next: g.last, share: make([]bool, columns), taken: make([]bool, columns),
	})
}

// round tries one record of each open trial.
func (q *inquest) round(ctx context.Context) error {
	var rows []cql.Row
	var tried []*trial
	for _, t := range q.open {
		if row, ok := q.nextShare(t); ok {
			rows, tried = append(rows, row), append(tried, t)
		}
	}
	reasons, err := q.write(ctx, rows)
	if err != nil {
		return err
	}
	for n, t := range tried {
		if reason, bad := reasons[n]; bad {
			q.convict(t.group, t.next, reason)
		} else {
			q.acquit(t)
		}
		t.next = q.b.entry(t.next).prev
	}
	q.open = slices.DeleteFunc(q.open, func(t *trial) bool { return t.next < 0 })
	return nil
}

func (q *inquest) write(ctx context.Context, rows []cql.Row) (map[int]string, error) {
	refused, err := q.l.writer.Write(ctx, rows, q.l.work.BaseTime)
	reasons := map[int]string{}
	for _, r := range refused {
		reasons[r.Row] = r.Reason
	}
	return reasons, err
}

// nextShare goes to the next record that has something of its own to write; false where there is none left.
func (q *inquest) nextShare(t *trial) (cql.Row, bool) {
	b := q.b
	for ; t.next >= 0; t.next = b.entry(t.next).prev {
		values := unset(make([]cql.Value, 0, len(b.columns)), len(b.columns))
		fillUnset(values, b.packed(t.next))
		any := !t.wrote
		for c := range values {
			key := b.columns[c].Role <= cql.ClusteringKey
			t.share[c] = !key && !values[c].Unset && q.mayWrite(t, c)
			any = any || t.share[c]
			if !key && !t.share[c] {
				values[c] = cql.Value{Unset: true}
			}
		}
		if any {
			return q.row(t.next, t.group, values), true
		}
	}
	return cql.Row{}, false
}

// mayWrite says whether a column is the record's to write.
func (q *inquest) mayWrite(t *trial, column int) bool {
	b := q.b
	if b.columns[column].Role != cql.Static {
		return !t.taken[column]
	}
	return b.statics.owners[b.statics.tenancy(b, t.next)][column-b.statics.first] == t.next
}

func (q *inquest) row(i int32, group int, values []cql.Value) cql.Row {
	b := q.b
	at := q.l.work.Base + b.groups.at(int32(group)).segment
	if b.timed {
		at = b.time(i)
	}
	return b.row(pack(nil, values), at)
}

func (q *inquest) acquit(t *trial) {
	t.wrote = true
	for c, tried := range t.share {
		switch {
		case !tried:
		case q.b.columns[c].Role == cql.Static:
			q.held[cell{t.next, c - q.b.statics.first}] = true
		default:
			t.taken[c] = true
		}
	}
}

// convict finds a record guilty. The static columns that it owned go to the records before it, but for those that it
// has in the table.
func (q *inquest) convict(group int, i int32, reason string) {
	q.guilty[i], q.groups[i] = reason, group
	b := q.b
	if !b.hasStatics() {
		return
	}
	owners := b.statics.owners[b.statics.tenancy(b, i)]
	for c, owner := range owners {
		if owner != i || q.inTable(cell{i, c}, group) {
			continue
		}
		if owners[c] = b.statics.find(b, b.statics.before[i], c, q.guilty); owners[c] >= 0 {
			q.lost = append(q.lost, cell{owners[c], c})
		}
	}
}

// inTable says whether an owner's static cell was written: in a trial, or with a row that was not refused.
func (q *inquest) inTable(owned cell, group int) bool {
	return q.held[owned] || !q.rows[group] && !slices.Contains(q.lost, owned)
}

// replaceLost writes the static cells that fell to records which were through already. One that is refused here makes
// its record a reject, too, though other cells of that record are in the table.
func (q *inquest) replaceLost(ctx context.Context) error {
	for n := 0; n < len(q.lost); n++ {
		lost := q.lost[n]
		if _, bad := q.guilty[lost.entry]; bad || q.held[lost] {
			continue
		}
		group := int(q.b.statics.group[lost.entry])
		reasons, err := q.write(ctx, []cql.Row{q.row(lost.entry, group, q.only(lost))})
		if err != nil {
			return err
		}
		if reason, bad := reasons[0]; bad {
			q.convict(group, lost.entry, reason)
		} else {
			q.held[lost] = true
		}
	}
	return nil
}

// only is a record's key and one static value.
func (q *inquest) only(of cell) []cql.Value {
	b := q.b
	values := unset(make([]cql.Value, 0, len(b.columns)), len(b.columns))
	fillUnset(values, b.packed(of.entry))
	for c := range values {
		if b.columns[c].Role > cql.ClusteringKey && c != b.statics.first+of.column {
			values[c] = cql.Value{Unset: true}
		}
	}
	return values
}
