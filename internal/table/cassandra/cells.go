package cassandra

import (
	"context"
	"encoding/binary"
	"iter"
	"strconv"
	"strings"

	"github.com/gocql/gocql"
	"github.com/penstock-io/penstock/cql"
)

// cellsPage is the number of rows fetched at once.
const cellsPage = 500

// copied takes a value's bytes from the driver, whose own are those of a page.
type copied struct{ value cql.Value }

// UnmarshalCQL keeps the difference between null and empty.
func (c *copied) UnmarshalCQL(_ gocql.TypeInfo, data []byte) error {
	c.value = cql.Value{}
	if data != nil {
		c.value.Bytes = append(make([]byte, 0, len(data)), data...)
	}
	return nil
}

// Cells reads the whole table in token order: t's columns as bytes, and when each was written. The time of an unfrozen
// collection or user type is that of its newest cell; 0 before Cassandra 5, which cannot tell. The iteration ends after
// the first error.
func (db *DB) Cells(ctx context.Context, t cql.Table) iter.Seq2[cql.CellRow, error] {
	return func(yield func(cql.CellRow, error) bool) {
		version, err := db.release(ctx)
		if err != nil {
			yield(cql.CellRow{}, err)
			return
		}
		s, err := db.session(ctx)
		if err != nil {
			yield(cql.CellRow{}, err)
			return
		}
		query, timed := selectCells(t, version >= 5)
		rows := s.Query(query).WithContext(ctx).PageSize(cellsPage).Iter()
		values, dest := make([]copied, len(t.Columns)+len(timed)), []any{}
		for i := range values {
			dest = append(dest, &values[i])
		}
		for rows.Scan(dest...) {
			if !yield(cellRow(values, len(t.Columns), timed), nil) {
				_ = rows.Close()
				return
			}
		}
		if err := rows.Close(); err != nil {
			yield(cql.CellRow{}, explain(ctx, "read table "+t.FullName(), err))
		}
	}
}

// selectCells selects t's columns, then the write times of the columns whose indexes it returns.
func selectCells(t cql.Table, maxTimes bool) (query string, timed []int) {
	var columns, times []string
	for i, c := range t.Columns {
		name := cql.Ident(c.Name)
		columns = append(columns, name)
		switch {
		case isKey(c.Role) || c.Type.Multi() && !maxTimes:
			continue
		case c.Type.Multi():
			times = append(times, "maxwritetime("+name+")")
		default:
			times = append(times, "writetime("+name+")")
		}
		timed = append(timed, i)
	}
	return "SELECT " + strings.Join(append(columns, times...), ", ") + " FROM " + t.FullName(), timed
}

func cellRow(values []copied, columns int, timed []int) cql.CellRow {
	row := cql.CellRow{Values: make([]cql.Value, columns), Times: make([]int64, columns)}
	for i := range columns {
		row.Values[i] = values[i].value
	}
	for i, column := range timed {
		if b := values[columns+i].value.Bytes; len(b) == 8 {
			row.Times[column] = int64(binary.BigEndian.Uint64(b))
		}
	}
	return row
}

// release is the major version of the server.
func (db *DB) release(ctx context.Context) (int, error) {
	version := ""
	err := db.with(ctx, "read the server's version", func(s *gocql.Session) error {
		return s.Query(`SELECT release_version FROM system.local`).WithContext(ctx).Scan(&version)
	})
	major, _, _ := strings.Cut(version, ".")
	n, _ := strconv.Atoi(major) // 0 where it is no number: the older way works everywhere
	return n, err
}
