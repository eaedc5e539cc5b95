package tabletest

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
)

func createTwice(t *testing.T, f Funcs) {
	x := create(t, f, "twice", key("id", cql.Int), regular("v", cql.Text))
	x.write(x.row(1, 1, "kept"))
	if err := f.Create(t.Context(), x.table, nil); err != nil {
		t.Fatalf("second create: %v", err)
	}
	x.want([]any{1, at{"kept", 1}})
}

func describeRoundTrip(t *testing.T, f Funcs) {
	table := typesTable(f, "described", samples())
	if err := f.Create(t.Context(), table, udts); err != nil {
		t.Fatalf("create: %v", err)
	}
	found, types, err := f.Describe(t.Context(), f.Keyspace, table.Name)
	if err != nil {
		t.Fatalf("describe: %v", err)
	}
	if found.Keyspace != table.Keyspace || found.Name != table.Name {
		t.Errorf("found %s, expected %s", found.FullName(), table.FullName())
	}
	compareColumns(t, found.Columns, table.Columns)
	if !reflect.DeepEqual(types["address"], addressType) {
		t.Errorf("type address is %+v, expected %+v", types["address"], addressType)
	}
}

// compareColumns ignores the order of columns that are no keys.
func compareColumns(t *testing.T, found, expected []cql.Column) {
	t.Helper()
	found, expected = inOrder(found), inOrder(expected)
	if len(found) != len(expected) {
		t.Fatalf("%d columns, expected %d: %+v", len(found), len(expected), found)
	}
	for i := range found {
		if !reflect.DeepEqual(found[i], expected[i]) {
			t.Errorf("column %d is %+v, expected %+v", i, found[i], expected[i])
		}
	}
}

func inOrder(cols []cql.Column) []cql.Column {
	out := slices.Clone(cols)
	slices.SortStableFunc(out, func(a, b cql.Column) int {
		switch {
		case a.Role != b.Role:
			return int(a.Role) - int(b.Role)
		case a.Role < cql.Static:
			return 0
		default:
			return strings.Compare(a.Name, b.Name)
		}
	})
	return out
}

func missingTable(t *testing.T, f Funcs) {
	create(t, f, "present", key("id", cql.Int))
	if _, _, err := f.Describe(t.Context(), f.Keyspace, "absent"); err == nil {
		t.Error("describe of a missing table: no error")
	} else {
		wantError(t, err, contracts.KindMissing, "absent")
	}
	absent := cql.Table{Keyspace: f.Keyspace, Name: "absent", Columns: []cql.Column{key("id", cql.Int)}}
	_, err := f.Writer(t.Context(), absent, cql.WriteOptions{})
	wantError(t, err, contracts.KindMissing, "absent")
}

func schemaMismatch(t *testing.T, f Funcs) {
	is := []cql.Column{key("id", cql.Int), clustering("seq", cql.Int), static("s", cql.Text), regular("level", cql.Int)}
	create(t, f, "mismatch", is...)
	for _, c := range []struct {
		name  string
		cols  []cql.Column
		parts []string
	}{
		{
			"another type",
			[]cql.Column{is[0], is[1], is[2], regular("level", cql.Text)}, []string{"level", "int", "text"},
		},
		{
			"another key type",
			[]cql.Column{key("id", cql.UUID), is[1], is[2], is[3]}, []string{"id", "int", "uuid"},
		},
		{
			"a column that the table lacks",
			append(slices.Clone(is), regular("colour", cql.Text)), []string{"colour", "text"},
		},
		{
			"a key column that the pipeline lacks",
			[]cql.Column{is[0], is[3]}, []string{"seq"},
		},
		{
			"a regular column taken for a key",
			[]cql.Column{is[0], is[1], clustering("level", cql.Int)}, []string{"level"},
		},
		{
			"a static column taken for a regular one",
			[]cql.Column{is[0], is[1], regular("s", cql.Text)}, []string{`s`, "static"},
		},
		{
			"keys in another order",
			[]cql.Column{key("seq", cql.Int), clustering("id", cql.Int), is[3]}, []string{"id", "seq"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			table := cql.Table{Keyspace: f.Keyspace, Name: "mismatch", Columns: c.cols}
			_, err := f.Writer(t.Context(), table, cql.WriteOptions{})
			wantError(t, err, contracts.KindConfig, append(c.parts, "mismatch")...)
		})
	}
}

func partOfColumns(t *testing.T, f Funcs) {
	x := create(t, f, "part", key("id", cql.Int), regular("a", cql.Int), regular("b", cql.Int), regular("c", cql.Int))
	x.write(x.row(1, 1, 10, 20, 30))
	part := cql.Table{
		Keyspace: f.Keyspace, Name: "part",
		Columns: []cql.Column{key("id", cql.Int), regular("c", cql.Int), regular("a", cql.Int)},
	}
	writeAll(t, x.writer(part), []cql.Row{pack(part, 2, 1, 31, unset{}), pack(part, 2, 2, 32, 12)})
	x.want([]any{1, at{10, 1}, at{20, 1}, at{31, 2}}, []any{2, at{12, 2}, nil, at{32, 2}})
}

func quotedNames(t *testing.T, f Funcs) {
	x := create(t, f, "OrderTable",
		key("select", cql.Int), clustering("Group", cql.Int), static("from", cql.Text),
		regular("two words", cql.Text), regular("Level", cql.Int), regular(`a"quote`, cql.Int), regular("table", cql.Int))
	x.write(x.row(1, 1, 2, "s", "w", 3, 4, 5), x.row(2, 1, 2, unset{}, "W", unset{}, nil, unset{}))
	x.want([]any{1, 2, at{"s", 1}, at{"W", 2}, at{3, 1}, nil, at{5, 1}})
	found, _, err := f.Describe(t.Context(), f.Keyspace, "OrderTable")
	if err != nil {
		t.Fatalf("describe: %v", err)
	}
	compareColumns(t, found.Columns, x.table.Columns)
}
