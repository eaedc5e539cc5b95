package verify

import (
	"context"

	"github.com/penstock-io/penstock/cql"
)

// mend writes what is wrong, as the load did and at its times, and looks again. A value that is there again may lie
// under a null of a later segment, which looked right while there was nothing: so it goes on until nothing is wrong
// that was not tried.
func (s *slice) mend(ctx context.Context) error {
	s.tried = map[cell]bool{}
	for {
		rows, of := s.repairs()
		if len(rows) == 0 {
			return nil
		}
		refused, err := s.c.writer.Write(ctx, rows, s.c.job.Accepted)
		if err != nil {
			return err
		}
		for _, r := range refused {
			for _, one := range of[r.Row] {
				s.tried[one] = false
			}
		}
		if err := s.judge(ctx); err != nil {
			return err
		}
	}
}

// repairs are rows of nothing but keys and of the wrong cells that were not tried yet, and for each row its cells.
func (s *slice) repairs() (rows []cql.Row, of [][]cell) {
	var now []cell
	for n, f := range s.wrong {
		if s.mayTry(f) {
			now = append(now, f.cell)
			s.tried[f.cell] = true
		}
		if next := n + 1; next < len(s.wrong) && s.wrong[next].row == f.row || len(now) == 0 {
			continue
		}
		row := s.rows[f.row]
		row.Values = s.only(row, now)
		rows, of, now = append(rows, row), append(of, now), nil
	}
	return rows, of
}

// mayTry says that a cell is to be written. Of a list that is not frozen the elements would be doubled if they were
// written again at their time.
func (s *slice) mayTry(f finding) bool {
	if _, tried := s.tried[f.cell]; tried {
		return false
	}
	if f.verdict == Missing || f.column < 0 {
		return true
	}
	t := s.c.table.Columns[f.column].Type
	return t.Kind != cql.List || !t.Multi()
}

// only packs a row's key and some of its cells.
func (s *slice) only(row cql.Row, cells []cell) []byte {
	keep := make([]bool, len(s.c.table.Columns))
	for _, one := range cells {
		if one.column >= 0 {
			keep[one.column] = true
		}
	}
	var out []byte
	packed := row.Values
	for i, column := range s.c.table.Columns {
		var v cql.Value
		v, packed = cql.NextValue(packed)
		switch {
		case column.Role > cql.ClusteringKey && !keep[i]:
			out = cql.AppendUnset(out)
		case v.Bytes == nil:
			out = cql.AppendNull(out)
		default:
			out = cql.AppendValue(out, v.Bytes)
		}
	}
	return out
}
