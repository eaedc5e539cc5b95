package tabletest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/penstock-io/penstock/cql"
)

// anyOrder writes the same rows in several orders, cut into calls in several ways, and compares each table with what
// the rule says: per cell the latest write wins, at equal times a delete, then the greater value.
func anyOrder(t *testing.T, f Funcs) {
	cols := []cql.Column{
		key("p", cql.Int), clustering("c", cql.Int), static("s", cql.Int),
		regular("a", cql.Text), regular("b", cql.Int), regular("d", cql.Double),
	}
	rows := randomRows(cql.Table{Keyspace: f.Keyspace, Columns: cols}, rand.New(rand.NewPCG(1, 2)), 400)
	expected := showAll(model(cols, rows))
	for seed := range uint64(4) {
		x := create(t, f, fmt.Sprintf("any_order_%d", seed), cols...)
		rnd := rand.New(rand.NewPCG(3, seed))
		shuffled := slices.Clone(rows)
		rnd.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		writePieces(x, shuffled, rnd)
		x.equal(expected, x.cells())
		writePieces(x, rows, rnd)
		x.equal(expected, x.cells())
	}
}

func writePieces(x *fixture, rows []cql.Row, rnd *rand.Rand) {
	for len(rows) > 0 {
		n := min(len(rows), 1+rnd.IntN(120))
		x.write(rows[:n]...)
		rows = rows[n:]
	}
}

// randomRows are few keys and few times, so that every rule is met.
func randomRows(table cql.Table, rnd *rand.Rand, n int) []cql.Row {
	var rows []cql.Row
	for range n {
		values := []any{rnd.IntN(4), rnd.IntN(8)}
		for _, v := range []any{rnd.IntN(9), fmt.Sprint("v", rnd.IntN(9)), rnd.IntN(9) - 4, f64(float64(rnd.IntN(9) - 4))} {
			switch rnd.IntN(5) {
			case 0:
				v = nil
			case 1, 2:
				v = unset{}
			}
			values = append(values, v)
		}
		rows = append(rows, pack(table, 1+rnd.Int64N(12), values...))
	}
	return rows
}

// model computes the table that rows make, sorted by key bytes.
func model(cols []cql.Column, rows []cql.Row) []cql.CellRow {
	statics, regulars := map[string]*cql.CellRow{}, map[string]*cql.CellRow{}
	var order []string
	for _, r := range rows {
		if regulars[string(r.KeyBytes())] == nil {
			order = append(order, string(r.KeyBytes()))
		}
		apply(statics, string(r.PartitionBytes()), cols, cql.Static, r)
		apply(regulars, string(r.KeyBytes()), cols, cql.Regular, r)
	}
	slices.Sort(order)
	var out []cql.CellRow
	for _, k := range order {
		row := *regulars[k]
		var partition []byte
		for i, c := range cols {
			switch c.Role {
			case cql.PartitionKey:
				partition = cql.AppendValue(partition, row.Values[i].Bytes)
			case cql.Static:
				s := statics[string(partition)]
				row.Values[i], row.Times[i] = s.Values[i], s.Times[i]
			}
			if row.Values[i].Bytes == nil {
				row.Times[i] = 0
			}
		}
		out = append(out, row)
	}
	return out
}

func apply(to map[string]*cql.CellRow, k string, cols []cql.Column, role cql.Role, r cql.Row) {
	have := to[k]
	if have == nil {
		have = &cql.CellRow{Values: make([]cql.Value, len(cols)), Times: make([]int64, len(cols))}
		to[k] = have
	}
	rest := r.Values
	for i, c := range cols {
		var v cql.Value
		v, rest = cql.NextValue(rest)
		switch {
		case c.Role < cql.Static:
			have.Values[i] = v
		case c.Role == role && !v.Unset && wins(v, r.Timestamp, have.Values[i], have.Times[i]):
			have.Values[i], have.Times[i] = v, r.Timestamp
		}
	}
}

func wins(v cql.Value, at int64, have cql.Value, haveAt int64) bool {
	switch {
	case at != haveAt:
		return at > haveAt
	case have.Bytes == nil:
		return false
	default:
		return v.Null() || bytes.Compare(v.Bytes, have.Bytes) > 0
	}
}
