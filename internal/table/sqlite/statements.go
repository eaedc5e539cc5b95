package sqlite

import (
	"math/bits"
	"strconv"
	"strings"
)

// maxRows bounds the rows of one statement, maxParameters its parameters (SQLITE_MAX_VARIABLE_NUMBER).
const (
	maxRows       = 128
	maxParameters = 32766
)

// batchRows is how many rows of the plan's width fit one statement.
func (p *plan) batchRows() int { return powerOfTwo(min(maxRows, maxParameters/(len(p.columns)+1))) }

// powerOfTwo is the largest one up to n: statements come in these sizes only, so that few are prepared.
func powerOfTwo(n int) int { return 1 << (bits.Len(uint(n)) - 1) }

// inserted are the columns of a fresh row: static ones all, for the row shows its partition's values.
func (p *plan) inserted(i int) bool { return i < p.keys+p.statics || p.columns[i].written }

func (p *plan) insert(rows int) string {
	var names []string
	if !p.alias {
		names = append(names, p.rowid)
	}
	for i, c := range p.columns {
		if p.inserted(i) {
			names = append(names, c.sql)
		}
	}
	return "INSERT INTO " + p.name + " (" + strings.Join(names, ", ") + ") VALUES " +
		repeat("("+repeat("?", len(names))+")", rows)
}

func (p *plan) insertTimes(rows int) string {
	return "INSERT OR REPLACE INTO _penstock_cells (table_id, row, times) VALUES " +
		repeat("("+strconv.FormatInt(p.table, 10)+", ?, ?)", rows)
}

// find selects, for rows given by their keys, the number of the key, then what selected says.
func (p *plan) find(rows int) string {
	var b strings.Builder
	b.WriteString("WITH k(i")
	for i := range p.keys {
		b.WriteString(", k" + strconv.Itoa(i))
	}
	b.WriteString(") AS (VALUES ")
	for i := range rows {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("(" + strconv.Itoa(i) + ", " + repeat("?", p.keys) + ")")
	}
	b.WriteString(") SELECT k.i, " + p.selected() + " FROM k CROSS JOIN " + p.name + " t ON ")
	for i, c := range p.keyColumns() {
		if i > 0 {
			b.WriteString(" AND ")
		}
		b.WriteString("t." + c.sql + " = k.k" + strconv.Itoa(i))
	}
	return b.String() + p.joinTimes()
}

// selected lists rowid, times and the regular columns: the value of those that the pipeline writes, of the others only
// whether there is one. The plus keeps the driver from reading meaning into declared types.
func (p *plan) selected() string {
	var b strings.Builder
	b.WriteString("t." + p.rowid + ", c.times")
	for _, c := range p.regularColumns() {
		if c.written {
			b.WriteString(", +t." + c.sql)
		} else {
			b.WriteString(", t." + c.sql + " IS NOT NULL")
		}
	}
	return b.String()
}

func (p *plan) joinTimes() string {
	return " LEFT JOIN _penstock_cells c ON c.table_id = " + strconv.FormatInt(p.table, 10) + " AND c.row = t." + p.rowid
}

func (p *plan) update() string {
	var sets []string
	for _, c := range p.regularColumns() {
		if c.written {
			sets = append(sets, c.sql+" = ?")
		}
	}
	return "UPDATE " + p.name + " SET " + strings.Join(sets, ", ") + " WHERE " + p.rowid + " = ?"
}

func (p *plan) updatePartition() string {
	var sets, keys []string
	for _, c := range p.staticColumns() {
		sets = append(sets, c.sql+" = ?")
	}
	for _, c := range p.keyColumns() {
		if c.partition() {
			keys = append(keys, c.sql+" = ?")
		}
	}
	return "UPDATE " + p.name + " SET " + strings.Join(sets, ", ") + " WHERE " + strings.Join(keys, " AND ")
}

// scan selects all rows in the order of their keys: keys and static columns, then what selected says.
func (p *plan) scan() string {
	var keys, names []string
	for i, c := range p.columns[:p.keys+p.statics] {
		names = append(names, "+t."+c.sql)
		if i < p.keys {
			keys = append(keys, "t."+c.sql)
		}
	}
	return "SELECT " + strings.Join(names, ", ") + ", " + p.selected() + " FROM " + p.name + " t" + p.joinTimes() +
		" ORDER BY " + strings.Join(keys, ", ")
}

func repeat(s string, n int) string {
	return strings.TrimSuffix(strings.Repeat(s+", ", n), ", ")
}
