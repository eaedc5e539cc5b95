package workers

import (
	"cmp"
	"context"
	"slices"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
)

// A row that the database refuses is taken apart: the record at fault is a reject, the others of its key still become
// the row. Trials must not tear it: two values of one cell at one timestamp would be decided by value. So each trial
// writes, of one record, only those cells that the merged row would have from it; what is accepted is final, because a
// record is only ever taken away from after it.

// culprit is a record that the database does not take.
type culprit struct {
	entry  int32
	reason string
}

// resolve finds the culprits of a refused group and writes the rest of it.
func (l *loader) resolve(ctx context.Context, g *group, row cql.Row, reason string) ([]culprit, error) {
	var left []int32
	for i := g.last; i >= 0; i = l.batch.entries[i].prev {
		left = append(left, i)
	}
	if len(left) == 1 {
		return []culprit{{left[0], reason}}, nil
	}
	var guilty []culprit
	for len(left) > 0 {
		bad, err := l.trial(ctx, left, row)
		if err != nil {
			return nil, err
		}
		if len(bad) == 0 {
			break
		}
		guilty = append(guilty, bad...)
		left = slices.DeleteFunc(left, func(i int32) bool {
			return slices.ContainsFunc(bad, func(c culprit) bool { return c.entry == i })
		})
	}
	slices.SortFunc(guilty, func(a, b culprit) int { return cmp.Compare(a.entry, b.entry) })
	return guilty, nil
}

// trial writes the merged row of the records in left (last first), each record's share alone, and gives those that
// were refused.
func (l *loader) trial(ctx context.Context, left []int32, like cql.Row) ([]culprit, error) {
	taken := make([]bool, len(l.batch.columns))
	var rows []cql.Row
	var of []int32
	for _, i := range left {
		if share, any := l.batch.share(i, taken); any {
			r := like
			r.Values = share
			rows = append(rows, r)
			of = append(of, i)
		}
	}
	refused, err := l.writer.Write(ctx, rows, l.work.BaseTime)
	if err != nil {
		return nil, err
	}
	bad := make([]culprit, 0, len(refused))
	for _, r := range refused {
		bad = append(bad, culprit{of[r.Row], r.Reason})
	}
	return bad, nil
}

// share packs the key of a record and those of its cells that no later record has set, and marks them taken. The
// latest record always has a share: the row itself exists by it.
func (b *batch) share(i int32, taken []bool) (packed []byte, any bool) {
	values := unset(nil, len(b.columns))
	fillUnset(values, b.packed(i))
	any = !slices.Contains(taken, true)
	for c := range values {
		if b.columns[c].Role <= cql.ClusteringKey {
			taken[c] = true
			continue
		}
		if taken[c] || values[c].Unset {
			values[c] = cql.Value{Unset: true}
			continue
		}
		taken[c], any = true, true
	}
	return pack(nil, values), any
}

// refuse deals with the rows that the database refused, and gives, for each group, how many of its records are rejects.
func (l *loader) refuse(ctx context.Context, rows []cql.Row, refused []cql.Refusal) (map[int]int, error) {
	rejected := map[int]int{}
	for _, r := range refused {
		guilty, err := l.resolve(ctx, &l.batch.groups[r.Row], rows[r.Row], r.Reason)
		if err != nil {
			return nil, err
		}
		rejected[r.Row] = len(guilty)
		for _, c := range guilty {
			e := &l.batch.entries[c.entry]
			p := contracts.Problem{Rule: contracts.RuleDatabase, Reason: c.reason}
			if err := l.rejectEntry(ctx, e, p); err != nil {
				return nil, err
			}
		}
	}
	return rejected, nil
}
