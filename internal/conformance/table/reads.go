package tabletest

import (
	"slices"
	"testing"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
)

// read asks for rows by their keys, which are values of the key columns alone.
func (x *fixture) read(keys ...[]any) []cql.CellRow {
	x.t.Helper()
	r, err := x.f.Reader(x.t.Context(), x.table, cql.WriteOptions{})
	if err != nil {
		x.t.Fatalf("reader of %s: %v", x.table.Name, err)
	}
	rows := make([]cql.Row, len(keys))
	for i, k := range keys {
		rows[i] = x.key(k)
	}
	found, err := r.Read(x.t.Context(), rows)
	if err != nil {
		x.t.Fatalf("read %d rows of %s: %v", len(rows), x.table.Name, err)
	}
	if len(found) != len(rows) {
		x.t.Fatalf("%d rows read of %s, expected one for each of %d keys", len(found), x.table.Name, len(rows))
	}
	return found
}

// key packs a key; without clustering values it asks for a partition.
func (x *fixture) key(values []any) cql.Row {
	var r cql.Row
	for i, v := range values {
		r.Values = appendAny(r.Values, v)
		if x.table.Columns[i].Role == cql.PartitionKey {
			r.Partition = len(r.Values)
		}
	}
	r.Key = len(r.Values)
	return r
}

// wantRead compares what is read with rows as want takes them; nil where there is nothing.
func (x *fixture) wantRead(found []cql.CellRow, rows ...[]any) {
	x.t.Helper()
	var expected []string
	for _, r := range rows {
		expected = append(expected, showWanted(r))
	}
	x.equal(expected, found)
}

func readByKey(t *testing.T, f Funcs) {
	x := create(t, f, "by_key", key("p1", cql.Text), key("p2", cql.Int), clustering("c1", cql.Int),
		clustering("c2", cql.Text), static("s", cql.Text), regular("a", cql.Int), regular("b", cql.Text))
	x.write(
		x.row(1, "p", 1, 1, "x", "s", 1, "b"), x.row(1, "p", 1, 1, "y", unset{}, unset{}, ""),
		x.row(2, "p", 1, 2, "", unset{}, 3, unset{}), x.row(1, "q", 1, 1, "x", unset{}, 4, nil),
	)
	x.write(x.row(5, "p", 1, 1, "x", unset{}, nil, "later"))
	x.wantRead(x.read(
		[]any{"q", 1, 1, "x"}, []any{"p", 1, 1, "y"}, []any{"q", 1, 1, "y"}, []any{"p", 1, 2, ""}, []any{"r", 1, 1, "x"},
		[]any{"p", 1, 1, "x"}, []any{"p", 1, 1, "y"},
	),
		[]any{"q", 1, 1, "x", nil, at{4, 1}, nil}, []any{"p", 1, 1, "y", at{"s", 1}, nil, at{"", 1}}, nil,
		[]any{"p", 1, 2, "", at{"s", 1}, at{3, 2}, nil}, nil,
		[]any{"p", 1, 1, "x", at{"s", 1}, nil, at{"later", 5}}, []any{"p", 1, 1, "y", at{"s", 1}, nil, at{"", 1}},
	)
	x.wantRead(x.read())
}

// readMany asks for more rows than one question takes, of few partitions and of many, half of which are not there.
func readMany(t *testing.T, f Funcs) {
	x := create(t, f, "read_many", key("id", cql.Int), clustering("seq", cql.Int), regular("a", cql.Int))
	var rows []cql.Row
	var keys, expected [][]any
	for i := range 600 {
		k := []any{i % 3, i}
		if i >= 300 {
			k = []any{i, 0}
		}
		keys = append(keys, k)
		if i%2 == 1 {
			expected = append(expected, nil)
			continue
		}
		rows = append(rows, x.row(int64(i), k[0], k[1], i))
		expected = append(expected, []any{k[0], k[1], at{i, int64(i)}})
	}
	x.write(rows...)
	slices.Reverse(keys)
	slices.Reverse(expected)
	x.wantRead(x.read(keys...), expected...)
}

func readTypes(t *testing.T, f Funcs) {
	ss := samples()
	x := createTypes(t, f, "read_types", ss)
	first, second := every(1, ss, 0), every(2, ss, 1)
	x.write(x.row(1, first...), x.row(2, second...))
	x.wantRead(x.read([]any{2}, []any{1}, []any{3}), timed(second, 2), timed(first, 1), nil)
}

func readStatics(t *testing.T, f Funcs) {
	x := create(t, f, "read_statics", key("p", cql.Int), clustering("c", cql.Int),
		static("s", cql.Text), static("z", cql.Text), regular("a", cql.Int))
	x.write(x.row(1, 1, 1, "old", "z", 5), x.row(2, 1, 2, "new", unset{}, 6), x.row(1, 2, 1, unset{}, unset{}, 7))
	x.wantRead(x.read([]any{1, 3}, []any{1}, []any{1, 1}, []any{2, 2}, []any{2}, []any{3}, []any{2, 1}),
		[]any{1, nil, at{"new", 2}, at{"z", 1}, nil}, []any{1, nil, at{"new", 2}, at{"z", 1}, nil},
		[]any{1, 1, at{"new", 2}, at{"z", 1}, at{5, 1}}, nil, nil, nil, []any{2, 1, nil, nil, at{7, 1}})
}

func readBareRows(t *testing.T, f Funcs) {
	x := create(t, f, "read_bare", key("id", cql.Int), clustering("seq", cql.Text))
	x.write(x.row(1, 1, "a"), x.row(1, 1, "b"))
	x.wantRead(x.read([]any{1, "a"}, []any{1, "c"}, []any{1, "b"}), []any{1, "a"}, nil, []any{1, "b"})
	y := create(t, f, "read_nulls", key("id", cql.Int), regular("a", cql.Int))
	y.write(y.row(1, 1, unset{}), y.row(1, 2, nil))
	y.wantRead(y.read([]any{2}, []any{3}, []any{1}), []any{2, nil}, nil, []any{1, nil})
}

func readMismatch(t *testing.T, f Funcs) {
	_ = create(t, f, "read_other", key("id", cql.Int), regular("a", cql.Int))
	for _, c := range []struct {
		table string
		kind  contracts.Kind
		cols  []cql.Column
	}{
		{"read_other", contracts.KindConfig, []cql.Column{key("id", cql.Int), regular("a", cql.Text)}},
		{"read_none", contracts.KindMissing, []cql.Column{key("id", cql.Int)}},
	} {
		table := cql.Table{Keyspace: f.Keyspace, Name: c.table, Columns: c.cols}
		_, err := f.Reader(t.Context(), table, cql.WriteOptions{})
		wantError(t, err, c.kind, c.table)
	}
}
