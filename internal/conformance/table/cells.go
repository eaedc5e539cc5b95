package tabletest

import (
	"slices"
	"testing"

	"github.com/penstock-io/penstock/cql"
)

func unsetAndNull(t *testing.T, f Funcs) {
	x := create(t, f, "nulls", key("id", cql.Int), regular("a", cql.Int), regular("b", cql.Text), regular("c", cql.Text))
	x.write(x.row(1, 1, 10, "b", "c"))
	x.write(x.row(2, 1, unset{}, nil, "c2"))
	x.want([]any{1, at{10, 1}, nil, at{"c2", 2}})
}

func bareRow(t *testing.T, f Funcs) {
	x := create(t, f, "bare", key("id", cql.Int), clustering("seq", cql.Int), regular("a", cql.Int), regular("b", cql.Int))
	x.write(x.row(1, 1, 1, unset{}, unset{}), x.row(1, 1, 2, nil, nil))
	x.want([]any{1, 1, nil, nil}, []any{1, 2, nil, nil})
	keys := create(t, f, "keys_only", key("id", cql.Int), clustering("seq", cql.Text))
	keys.write(keys.row(1, 1, "a"), keys.row(1, 1, "b"), keys.row(2, 1, "a"))
	keys.want([]any{1, "a"}, []any{1, "b"})
}

func cellByCell(t *testing.T, f Funcs) {
	x := create(t, f, "by_cell", key("id", cql.Int), regular("a", cql.Int), regular("b", cql.Int), regular("c", cql.Int))
	x.write(x.row(5, 1, 50, unset{}, 52))
	x.write(x.row(3, 1, 30, 31, unset{}))
	x.want([]any{1, at{50, 5}, at{31, 3}, at{52, 5}})
	x.write(x.row(7, 1, unset{}, 71, unset{}))
	x.write(x.row(4, 1, 40, 41, 42))
	x.want([]any{1, at{50, 5}, at{71, 7}, at{52, 5}})
	x.write(x.row(9, 1, 90, 91, 92))
	x.want([]any{1, at{90, 9}, at{91, 9}, at{92, 9}})
}

func deleteHolds(t *testing.T, f Funcs) {
	x := create(t, f, "deleted", key("id", cql.Int), regular("s", cql.Int), regular("a", cql.Int))
	x.write(x.row(5, 1, nil, nil))
	x.write(x.row(4, 1, 40, unset{}))
	x.write(x.row(3, 1, 30, 31))
	x.want([]any{1, nil, nil})
	x.write(x.row(6, 1, unset{}, 61))
	x.write(x.row(5, 1, nil, nil))
	x.want([]any{1, nil, at{61, 6}})
}

func equalTimes(t *testing.T, f Funcs) {
	ss := scalarSamples()
	x := createTypes(t, f, "ties", ss)
	lower, greater := every(1, ss, 0), every(1, ss, 1)
	x.write(x.row(5, lower...))
	x.write(x.row(5, greater...))
	x.want(timed(greater, 5))
	x.write(x.row(5, lower...))
	x.want(timed(greater, 5))
	nulls := []any{1}
	for range ss {
		nulls = append(nulls, nil)
	}
	x.write(x.row(5, nulls...))
	x.want(nulls)
	x.write(x.row(5, greater...))
	x.want(nulls)
}

func replay(t *testing.T, f Funcs) {
	ss := samples()
	x := createTypes(t, f, "replayed", ss)
	one, two, mixed := every(1, ss, 0), every(2, ss, 1), every(1, ss, 1)
	for i := 2; i < len(mixed); i += 2 {
		mixed[i] = unset{}
	}
	for i := 4; i < len(two); i += 4 {
		two[i] = nil
	}
	rows := []cql.Row{x.row(1, one...), x.row(2, mixed...), x.row(2, two...)}
	x.write(rows...)
	before := showAll(x.cells())
	x.write(rows...)
	x.equal(before, x.cells())
	x.write(rows[0])
	x.write(rows[2], rows[1])
	x.equal(before, x.cells())
}

func severalSegments(t *testing.T, f Funcs) {
	x := create(t, f, "segments", key("id", cql.Int), regular("a", cql.Int), regular("b", cql.Int))
	x.write(
		x.row(2, 1, unset{}, 21), x.row(2, 2, 22, 23),
		x.row(1, 1, 10, 11), x.row(1, 3, 12, unset{}),
		x.row(3, 2, nil, unset{}), x.row(3, 3, unset{}, 33),
	)
	x.want([]any{1, at{10, 1}, at{21, 2}}, []any{2, nil, at{23, 2}}, []any{3, at{12, 1}, at{33, 3}})
}

func staticColumns(t *testing.T, f Funcs) {
	x := create(t, f, "statics", key("p", cql.Int), clustering("c", cql.Int), static("s", cql.Text), regular("v", cql.Int))
	x.write(x.row(1, 1, 1, "old", 11), x.row(1, 1, 2, "old", 12), x.row(1, 2, 1, "other", 21))
	x.want(
		[]any{1, 1, at{"old", 1}, at{11, 1}}, []any{1, 2, at{"old", 1}, at{12, 1}},
		[]any{2, 1, at{"other", 1}, at{21, 1}})
	x.write(x.row(2, 1, 3, "new", unset{}))
	x.write(x.row(3, 1, 4, unset{}, 14))
	x.write(x.row(1, 1, 5, "older", 15))
	x.want(
		[]any{1, 1, at{"new", 2}, at{11, 1}}, []any{1, 2, at{"new", 2}, at{12, 1}}, []any{1, 3, at{"new", 2}, nil},
		[]any{1, 4, at{"new", 2}, at{14, 3}}, []any{1, 5, at{"new", 2}, at{15, 1}},
		[]any{2, 1, at{"other", 1}, at{21, 1}})
	x.write(x.row(4, 1, 1, nil, unset{}), x.row(3, 1, 2, "late", unset{}))
	x.want(
		[]any{1, 1, nil, at{11, 1}}, []any{1, 2, nil, at{12, 1}}, []any{1, 3, nil, nil},
		[]any{1, 4, nil, at{14, 3}}, []any{1, 5, nil, at{15, 1}},
		[]any{2, 1, at{"other", 1}, at{21, 1}})
}

func staticCells(t *testing.T, f Funcs) {
	x := create(t, f, "static_cells", key("p", cql.Int), clustering("c", cql.Int),
		static("s1", cql.Int), static("s2", cql.Int), regular("v", cql.Int))
	rows := []cql.Row{
		x.row(3, 1, 1, 31, unset{}, 1), x.row(2, 1, 2, 21, 22, 2),
		x.row(2, 2, 1, 5, 9, 3), x.row(2, 2, 2, 6, 8, 4),
	}
	for range 2 {
		x.write(rows...)
		x.want(
			[]any{1, 1, at{31, 3}, at{22, 2}, at{1, 3}}, []any{1, 2, at{31, 3}, at{22, 2}, at{2, 2}},
			[]any{2, 1, at{6, 2}, at{9, 2}, at{3, 2}}, []any{2, 2, at{6, 2}, at{9, 2}, at{4, 2}})
		slices.Reverse(rows)
	}
}

func compositeKeys(t *testing.T, f Funcs) {
	x := create(t, f, "composite", key("p1", cql.Text), key("p2", cql.Int), key("p3", cql.Blob),
		clustering("c1", cql.Timestamp), clustering("c2", cql.UUID), static("s", cql.Int), regular("v", cql.Int))
	day, later := be64(1_767_225_600_000), be64(1_767_225_600_001)
	x.write(
		x.row(1, "a", 1, raw(0), day, someUUID, 1, 1), x.row(1, "a", 1, raw(0), later, someUUID, unset{}, 2),
		x.row(1, "a", 1, raw(0), day, moreUUID, unset{}, 3), x.row(1, "a", 1, raw(1), day, someUUID, 2, 4),
		x.row(1, "a", -1, raw(0), day, someUUID, 3, 5), x.row(1, "b", 1, raw(0), day, someUUID, unset{}, 6))
	x.write(x.row(2, "a", 1, raw(0), day, moreUUID, 7, 33), x.row(2, "a", -1, raw(0), day, someUUID, 8, unset{}))
	x.want(
		[]any{"a", 1, raw(0), day, someUUID, at{7, 2}, at{1, 1}},
		[]any{"a", 1, raw(0), day, moreUUID, at{7, 2}, at{33, 2}},
		[]any{"a", 1, raw(0), later, someUUID, at{7, 2}, at{2, 1}},
		[]any{"a", 1, raw(1), day, someUUID, at{2, 1}, at{4, 1}},
		[]any{"a", -1, raw(0), day, someUUID, at{8, 2}, at{5, 1}},
		[]any{"b", 1, raw(0), day, someUUID, nil, at{6, 1}})
}
