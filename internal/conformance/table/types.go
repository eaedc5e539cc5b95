package tabletest

import (
	"math"
	"testing"

	"github.com/penstock-io/penstock/cql"
)

func typesTable(f Funcs, name string, ss []sample) cql.Table {
	table := cql.Table{Keyspace: f.Keyspace, Name: name, Columns: []cql.Column{key("id", cql.Int)}}
	for _, s := range ss {
		table.Columns = append(table.Columns, cql.Column{Name: s.name, Type: s.typ, Role: cql.Regular})
	}
	return table
}

func createTypes(t *testing.T, f Funcs, name string, ss []sample) *fixture {
	t.Helper()
	x := &fixture{t: t, f: f, table: typesTable(f, name, ss)}
	if err := f.Create(t.Context(), x.table, udts); err != nil {
		t.Fatalf("create %s: %v", name, err)
	}
	x.w = x.writer(x.table)
	return x
}

// every lists a key and one value of each sample.
func every(id int, ss []sample, which int) []any {
	out := []any{id}
	for _, s := range ss {
		out = append(out, s.values[which])
	}
	return out
}

// timed marks the values of a row as written at a time.
func timed(values []any, time int64) []any {
	out := []any{values[0]}
	for _, v := range values[1:] {
		out = append(out, at{v, time})
	}
	return out
}

func everyType(t *testing.T, f Funcs) {
	ss := samples()
	x := createTypes(t, f, "types", ss)
	first, second := every(1, ss, 0), every(2, ss, 1)
	x.write(x.row(1, first...), x.row(1, second...))
	x.want(timed(first, 1), timed(second, 1))
}

// extremeTimes lie beyond what calendars show, and are values all the same.
func extremeTimes(t *testing.T, f Funcs) {
	x := create(t, f, "extreme_times", key("id", cql.Int), regular("ts", cql.Timestamp), regular("day", cql.Date),
		regular("clock", cql.Time), regular("span", cql.Duration))
	rows := [][]any{
		{1, be64(math.MaxInt64), be32(-1), be64(0), raw(1, 3, 5)},
		{2, be64(math.MinInt64), be32(0), be64(86_399_999_999_999), raw(0, 0, 0)},
		{3, be64(253_402_300_800_000), be32(math.MinInt32), be64(60_000_000_000), raw(0x80, 0xfe, 0, 0)},
		{4, be64(-62_167_219_200_001), be32(math.MinInt32 + 4_000_000), be64(1_000), raw(0, 2, 0)},
	}
	var expected [][]any
	for _, r := range rows {
		x.write(x.row(1, r...))
		expected = append(expected, timed(r, 1))
	}
	x.want(expected...)
}

func overwriteCollections(t *testing.T, f Funcs) {
	ss := nestedSamples()
	x := createTypes(t, f, "overwritten", ss)
	up, down := every(1, ss, 1), every(1, ss, 0)
	x.write(x.row(1, down...))
	x.write(x.row(2, up...))
	x.want(timed(up, 2))
	x.write(x.row(3, down...))
	x.want(timed(down, 3))
	x.write(x.row(2, up...))
	x.write(x.row(3, down...))
	x.want(timed(down, 3))
}

func emptyCollections(t *testing.T, f Funcs) {
	text := scalar(cql.Text)
	x := createTypes(t, f, "empties", []sample{
		{name: "frozen_set", typ: frozen(set(text))}, {name: "frozen_list", typ: frozen(list(text))},
		{name: "plain_set", typ: set(text)}, {name: "plain_map", typ: mapOf(text, text)},
	})
	one := sequence(1, []byte("a"))
	x.write(x.row(1, 1, one, one, one, sequence(1, []byte("a"), []byte("b"))))
	none := sequence(0)
	x.write(x.row(2, 1, none, none, none, none))
	x.want([]any{1, at{none, 2}, at{none, 2}, nil, nil})
	x.write(x.row(1, 1, one, one, one, unset{}))
	x.want([]any{1, at{none, 2}, at{none, 2}, nil, nil})
}

func extremeValues(t *testing.T, f Funcs) {
	x := create(t, f, "extremes", key("id", cql.Int),
		regular("big", cql.BigInt), regular("small", cql.SmallInt), regular("tiny", cql.TinyInt),
		regular("d", cql.Double), regular("f", cql.Float), regular("s", cql.Text), regular("b", cql.Blob),
		regular("v", cql.VarInt), regular("n", cql.Decimal))
	inf := math.Inf(1)
	huge := append([]byte{0x7f}, make([]byte, 40)...)
	rows := [][]any{
		{
			1, be64(math.MaxInt64), raw(0x7f, 0xff), raw(0x7f), f64(math.MaxFloat64), f32(math.MaxFloat32), "", raw(),
			huge, append(be32(40), 1),
		},
		{
			2, be64(math.MinInt64), raw(0x80, 0), raw(0x80), f64(inf), f32(float32(-inf)), "x\u2028😀", raw(0),
			raw(0x80), append(be32(-3), 5),
		},
		{
			3, be64(0), raw(0, 0), raw(0), be64(0x7ff8 << 48), be32(0x7fc0 << 16), " 007 ", raw('7'),
			raw(0), append(be32(2), 0),
		},
		{
			4, be64(1<<53 + 1), raw(0, 1), raw(1), f64(math.SmallestNonzeroFloat64), f32(math.SmallestNonzeroFloat32),
			"1e5", []byte("1e5"), raw(1), append(be32(1), 100),
		},
		{
			5, be64(-1), raw(0xff, 0xff), raw(0xff), f64(-0.5), f32(-1e-30),
			"0x1", []byte{0xff, 0xfe}, raw(0xff), append(be32(0), 0xff),
		},
	}
	var expected [][]any
	for _, r := range rows {
		x.write(x.row(1, r...))
		expected = append(expected, timed(r, 1))
	}
	x.want(expected...)
}
