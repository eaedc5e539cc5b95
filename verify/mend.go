package verify

import (
	"context"

	"github.com/penstock-io/penstock/cql"
	"github.com/penstock-io/penstock/workers"
)

// mend writes what is wrong, as the load did and at its times, looks again, and gives what is wrong still. It does
// nothing where no repair was asked for.
func (c *comparison) mend(ctx context.Context, m workers.Merged, wrong []finding) ([]finding, error) {
	if c.writer == nil || len(wrong) == 0 {
		return wrong, nil
	}
	rows, of := c.repairs(m, wrong)
	refused, err := c.writer.Write(ctx, rows, c.job.Accepted)
	if err != nil {
		return nil, err
	}
	no := map[int]bool{}
	for _, r := range refused {
		no[r.Row] = true
	}
	found, err := c.reader.Read(ctx, rows)
	if err != nil {
		return nil, err
	}
	var still []finding
	for n, f := range wrong {
		if no[of[n]] {
			still = append(still, f)
			continue
		}
		g := c.again(rows[of[n]], f, found[of[n]])
		if g.verdict == Right {
			c.out.Mended++
		}
		still = c.count(still, g)
	}
	return still, nil
}

// again judges a cell after its repair. Nothing where a value was just acknowledged was deleted at a later time.
func (c *comparison) again(row cql.Row, f finding, found cql.CellRow) finding {
	g := finding{column: -1, verdict: Missing}
	if f.column >= 0 {
		g = c.cell(row, f.column, f.want, found)
	}
	g.row, g.there = f.row, isThere(c.table, found)
	switch {
	case f.column < 0 && g.there:
		g.verdict = Right
	case g.verdict == Missing && g.found.Bytes == nil:
		g.verdict = Superseded
	}
	return g
}

// repairs are rows of nothing but keys and wrong cells, and for each finding its row. A list that is not frozen and
// differs is left alone: elements written again at the same time would stand beside those that are there.
func (c *comparison) repairs(m workers.Merged, wrong []finding) (rows []cql.Row, of []int) {
	for n, f := range wrong {
		if n == 0 || wrong[n-1].row != f.row {
			rows = append(rows, m.Rows[f.row])
			rows[len(rows)-1].Values = c.only(m.Rows[f.row], wrong[n:])
		}
		of = append(of, len(rows)-1)
	}
	return rows, of
}

// only packs a row's key and those of its cells that the first findings are about.
func (c *comparison) only(row cql.Row, wrong []finding) []byte {
	keep := make([]bool, len(c.table.Columns))
	for _, f := range wrong {
		if f.row != wrong[0].row {
			break
		}
		if f.column >= 0 {
			t := c.table.Columns[f.column].Type
			keep[f.column] = f.verdict == Missing || !t.Multi() || t.Kind != cql.List
		}
	}
	var out []byte
	packed := row.Values
	for i := range c.table.Columns {
		var v cql.Value
		v, packed = cql.NextValue(packed)
		switch {
		case c.table.Columns[i].Role > cql.ClusteringKey && !keep[i]:
			out = cql.AppendUnset(out)
		case v.Bytes == nil:
			out = cql.AppendNull(out)
		default:
			out = cql.AppendValue(out, v.Bytes)
		}
	}
	return out
}
