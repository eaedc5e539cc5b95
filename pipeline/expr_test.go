package pipeline

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/contracts"
)

// exprOutcome is what becomes of a record with one expression column v over the field x.
func exprOutcome(t *testing.T, typ, source string, x contracts.Field) string {
	t.Helper()
	column := fmt.Sprintf("{name: v, type: %q, expr: %q}", typ, source)
	c := mustCompile(t, spec("ndjson", "nulls: delete", column))
	return strings.TrimPrefix(outcome(t, c, record(4096, txt("a"), txt("b"), x)), "a|b|")
}

func TestExpressions(t *testing.T) {
	t.Parallel()
	cases := []struct {
		typ, source string
		x           contracts.Field
		want        string
	}{
		{"int", "x * 2", num("21"), "42"},
		{"int", "int(x) * 2", txt("21"), "42"},
		{"double", "float(x) / 2", txt("21"), "10.5"},
		{"text", "upper(trim(x))", txt(" é "), "É"},
		{"text", "x ?? 'none'", missing, "none"},
		{"text", "x", null, "null"},
		{"boolean", "not x", field(contracts.Bool, "true"), "false"},
		{"int", "x.a[1].b + len(x.c)", doc(`{"a": [0, {"b": 3}], "c": "xy"}`), "5"},
		{"int", "x?.missing?.deep ?? 1", doc(`{}`), "1"},
		{"set<text>", "map(x, string(#))", doc(`[2, 1, 2.5, {"b": [], "a": null}]`),
			`["1","2","2.5","{\"a\":null,\"b\":[]}"]`},
		{"map<text, int>", "{'b': 1, 'a': x}", num("2"), `{"a":2,"b":1}`},
		{"frozen<list<text>>", "split(x, ',')", txt("b,a"), `["b","a"]`},
		{"varint", "x", num("123456789012345678901234567890"), "123456789012345678901234567890"},
		{"text", "string(x)", num("9223372036854775807"), "9223372036854775807"},
		{"timestamp", "now()", null, "2026-11-21T10:41:18.123Z"},
		{"text", "string(now())", null, "2026-11-21T10:41:18.123456789Z"},
		{"int", "now().Month()", null, "11"},
		{"date", "date(x).Format('2006-01-02')", txt("2026-02-03 04:05:06"), "2026-02-03"},
		{"timestamp", "date(x, '02.01.2006', 'Europe/Berlin')", txt("03.07.2026"), "2026-07-02T22:00:00.000Z"},
		{"timestamp", "date(timezone('Europe/Berlin'), x, '02.01.2006')", txt("03.07.2026"), "2026-07-02T22:00:00.000Z"},
		{"timestamp", "date(x)", txt("Fri, 03 Jul 2026 00:00:00 EST"), "2026-07-03T00:00:00.000Z"},
		{"frozen<list<text>>", "keys(x)", doc(`{"c": 1, "a": 2, "b": 3}`), `["a","b","c"]`},
		{"frozen<list<int>>", "values(x)", doc(`{"c": 1, "a": 2, "b": 3}`), "[2,3,1]"},
		{"text", "string(toPairs(x))", doc(`{"b": 1, "a": 2}`), `[["a",2],["b",1]]`},
		{"text", "keys(groupBy(x, # % 3)) | map(string(#)) | join('-')", doc("[5, 4, 3]"), "0-1-2"},
		{"frozen<list<int>>", "uniq(x)", doc("[1, 2, 1]"), "[1,2]"},
		{"int", "sum(x)", doc("[1, 2, 3]"), "6"},
		{"bigint", "x * 2", num("-4611686018427387904"), "-9223372036854775808"},
		{"int", "sum(x, .n) - 1", doc(`[{"n": 1}, {"n": 2}]`), "2"},
		{"int", "reduce(x, #acc + #, 0)", doc("[1, 2, 3]"), "6"},
		{"int", "let k = 'a'; x[k]", doc(`{"a": 1}`), "1"},
		{"int", "get(x, 'b') ?? get([1, 2], -1)", doc(`{"a": 1}`), "2"},
		{"int", "[1, 2][0] + x", num("1"), "2"},
		{"int", "$env['x'] + 1", num("1"), "2"},
		{"text", "let y = x; upper(y)", txt("a"), "A"},
		{"bigint", "1.5 + x > 2 ? x - 1 : -x", num("1"), "0"},
		{"text", "x + '!' + string(1)", txt("a"), "a!1"},
		{"text", "repeat(x, 3) + join(['a', 'b'])", txt("-"), "---ab"},
		{"blob", "toBase64(x) == 'YQ==' ? '0x01' : nil", txt("a"), "0x01"},
	}
	for _, c := range cases {
		t.Run(c.typ+" "+c.source, func(t *testing.T) {
			t.Parallel()
			if got := exprOutcome(t, c.typ, c.source, c.x); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestExpressionsThatFail(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 1<<20)
	cases := []struct {
		typ, source string
		x           contracts.Field
		want        string // the beginning; "expr: " stands for rule, column and source
	}{
		{"int", "int(x)", txt("a"), `expr: int of "a": expected a whole number of at most 64 bits`},
		{"int", "int(x)", null, `expr: int of nil: expected a number or a string`},
		{"bigint", "int(x)", num("1e300"), `expr: int of 1e+300: beyond 64 bits`},
		{"bigint", "x + 1", num("9223372036854775807"), `expr: the result is beyond 64 bits`},
		{"bigint", "int(x) - 1", num("-9223372036854775808"), `expr: the result is beyond 64 bits`},
		{"bigint", "x * x", num("4294967296"), `expr: the result is beyond 64 bits`},
		{"bigint", "sum([x, x])", num("9223372036854775807"), `expr: the result is beyond 64 bits`},
		{"int", "x * 2", txt("a"), `expr: invalid operation: string * int`},
		{"int", "x.a.b", doc("{}"), `expr: cannot fetch b from <nil>`},
		{"int", "x[9]", doc("[1]"), `expr: index out of range: 9 (array length is 1)`},
		{"tinyint", "x + 1", num("127"), `range v "128": `},
		{"int", "x", txt("a"), `type v "a": "a" is not of type int`},
		{"text", "x", doc("[1]"), `type v "[1]": `},
		{"text", "upper(x)", txt("\xe9"), `encoding v "\xe9": field "x" is not UTF-8`},
		{"text", "string(now().Unix)", null, `expr: string of a function`},
		{"text", "string(([now()][0])['Un' + 'ix'])", null, `expr: a time has no elements`},
		{"timestamp", "date(x, '02.01.2006', 'Local')", txt("01.01.2026"), `expr: unknown time zone "Local"`},
		{"int", "count(1..2000000, true)", null, `expr: memory budget exceeded`},
		{"int", "count(x, count(x, # == 1) > 0)", doc("[" + strings.Repeat("0,", 1500) + "0]"),
			`expr: more than 1000000 rounds`},
		{"text", "replace(x, 'x', x)", txt(long), `expr: the text is longer than 16 MiB`},
		{"text", "let a = x + x + x + x; a + a + a + a + a", txt(long), `expr: the text is longer than 16 MiB`},
		{"text", "join(map(1..20, x))", txt(long), `expr: the text is longer than 16 MiB`},
		{"text", "repeat(x, 20)", txt(long), `expr: the text is longer than 16 MiB`},
		{"text", "x", doc("[1"), `expr: field "x": not JSON: unexpected EOF`},
		{"text", "x", num("1e999"), `expr: field "x": the number 1e999 is beyond a double`},
	}
	for _, c := range cases {
		t.Run(c.typ+" "+c.source, func(t *testing.T) {
			t.Parallel()
			want := c.want
			if words, ok := strings.CutPrefix(want, "expr: "); ok {
				want = fmt.Sprintf(`expr v "": expr %q: %s`, c.source, words)
			}
			if got := exprOutcome(t, c.typ, c.source, c.x); !strings.HasPrefix(got, want) {
				t.Errorf("got  %.300s\nwant %s", got, want)
			}
		})
	}
}

func TestWhere(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		where string
		x     contracts.Field
		want  string
	}{
		"kept":                    {"x != 'test'", txt("a"), "a|b|1"},
		"filtered":                {"x != 'test'", txt("test"), "filtered"},
		"null is nil":             {"x == nil", null, "a|b|1"},
		"missing compares":        {"x != 'test'", missing, "a|b|1"},
		"no boolean":              {"x", num("1"), `expr  "": where "x": it gave the int 1: expected true or false`},
		"nil is no boolean":       {"x", null, `expr  "": where "x": it gave nil: expected true or false`},
		"failing":                 {"x.a > 1", num("1"), `expr  "": where "x.a > 1": cannot fetch a from int`},
		"sees what is not a type": {"v != 'bad' && x == 'a'", txt("a"), "a|b|1"},
		"by any name":             {`$env["x"] == "a"`, txt("a"), "a|b|1"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			compiled := mustCompile(t, spec("ndjson", fmt.Sprintf("where: %q", c.where), "{name: v, type: int}"))
			got := outcome(t, compiled, record(0, txt("a"), txt("b"), num("1"), c.x))
			if !strings.HasPrefix(got, c.want) {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
	before := mustCompile(t, spec("ndjson", "where: v != 'bad'", "{name: v, type: int}"))
	if got := outcome(t, before, record(0, txt("a"), txt("b"), txt("bad"))); got != "filtered" {
		t.Errorf("where ran after types: %s", got)
	}
}

func TestFieldsMayBeCalledLikeFunctions(t *testing.T) {
	t.Parallel()
	c := mustCompile(t, spec("csv", "where: count != 'now' && type(type) == 'string'",
		`{name: v, type: date, expr: "date(date).Format('2006-01-02')"}`))
	if got := strings.Join(c.Inputs(), " "); got != "id ck date count type" {
		t.Fatalf("inputs %q: expected id ck date count type", got)
	}
	got := outcome(t, c, record(0, txt("a"), txt("b"), txt("2026-01-02"), txt("3"), txt("x")))
	if got != "a|b|2026-01-02" {
		t.Errorf("got %s", got)
	}
}

// TestDateKnowsNoMachine moves the machine to New York. It runs alone: the parallel tests wait for it.
func TestDateKnowsNoMachine(t *testing.T) {
	ny, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	defer func(old *time.Location) { time.Local = old }(time.Local)
	time.Local = ny
	for source, want := range map[string]string{
		"string(date('2026-07-03'))":                                       "2026-07-03T00:00:00Z",
		"string(date('2026-07-03T00:00:00-04:00'))":                        "2026-07-03T00:00:00-04:00",
		"string(date('Fri, 03 Jul 2026 00:00:00 EDT').Unix())":             "1783036800",
		"date('2026-07-03T00:00:00-04:00').Format('-0700 MST')":            "-0400 -0400",
		"string(date('02 Jan 26 15:04 EST', '02 Jan 06 15:04 MST').UTC())": "2026-01-02T15:04:00Z",
	} {
		if got := exprOutcome(t, "text", source, null); got != want {
			t.Errorf("%s: got %s, expected %s", source, got, want)
		}
	}
}

func TestPositionsInExpressions(t *testing.T) {
	t.Parallel()
	c := mustCompile(t, `
name: t
source: {format: csv, csv: {header: false}}
table: {keyspace: lab, name: t, partition_key: [id]}
columns: [{name: id, type: text, from: 2}, {name: v, type: int, expr: "int(f0) + int(f2)"}]
`)
	if got := strings.Join(c.Inputs(), " "); got != "2 0" {
		t.Fatalf("inputs %q: expected 2 0", got)
	}
	if got := outcome(t, c, record(0, txt("40"), txt("2"))); got != "40|42" {
		t.Errorf("got %s", got)
	}
}

func TestUUIDNamesItsRecord(t *testing.T) {
	t.Parallel()
	c := mustCompile(t, spec("ndjson", "",
		`{name: u, type: uuid, expr: "uuid()"}`, `{name: w, type: text, expr: "uuid()"}`))
	at := func(ctx ObjectContext, offset int64) []string {
		_, row, _, p := c.Bind(ctx).Transform(record(offset, txt("a"), txt("b")), nil)
		if p != nil {
			t.Fatal(p)
		}
		return strings.Split(render(t, c, row), "|")[2:]
	}
	other := testContext
	other.Object.ETag = "abd"
	renamed := testContext
	renamed.Object.Key = "b.csv"
	seen := map[string]bool{}
	for _, ids := range [][]string{at(testContext, 0), at(testContext, 1), at(other, 0), at(renamed, 0)} {
		for _, id := range ids {
			if seen[id] || len(id) != 36 || id[14] != '8' || !strings.ContainsRune("89ab", rune(id[19])) {
				t.Errorf("%s: expected a UUID of version 8 that no other record or column has", id)
			}
			seen[id] = true
		}
	}
	again := testContext
	again.Job, again.BaseTime = "another", again.BaseTime.Add(1)
	if got := at(again, 1); !seen[got[0]] {
		t.Errorf("%s: another job of the same object gives another UUID", got[0])
	}
}

// TestTransformIsDeterministic runs random records through expressions that would show the clock, the order of maps,
// or what an earlier record left behind.
func TestTransformIsDeterministic(t *testing.T) {
	t.Parallel()
	src := spec("ndjson", "where: 'x != 3'",
		`{name: u, type: uuid, expr: "uuid()"}`, `{name: n, type: timestamp, expr: "now()"}`,
		`{name: k, type: text, expr: "toJSON([keys(m), values(m), toPairs(m), string(m)])"}`,
		`{name: g, type: text, expr: "string(groupBy(values(m), # % 3))"}`,
		`{name: p, type: double, expr: "x / 3.0 + sum(values(m)) ** 0.5"}`,
		`{name: o, type: bigint, from: $offset}`, `{name: m, type: "map<text, int>"}`)
	first := mustCompile(t, src).Bind(testContext)
	second := mustCompile(t, src)
	rng := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		r := randomRecord(rng)
		want, _, res, p := first.Transform(r, nil)
		got, _, res2, p2 := second.Bind(testContext).Transform(r, nil)
		if !bytes.Equal(got, want) || res != res2 || fmt.Sprint(p) != fmt.Sprint(p2) {
			t.Fatalf("the same record twice:\n%q %v %v\n%q %v %v", want, res, p, got, res2, p2)
		}
	}
}

func randomRecord(rng *rand.Rand) *contracts.Record {
	var m []string
	for i := range rng.IntN(8) {
		m = append(m, fmt.Sprintf("%q: %d", string(rune('a'+(i*5+rng.IntN(5)))), rng.IntN(100)))
	}
	fields := map[string]contracts.Field{
		"id": txt("a"), "ck": txt("b"), "m": doc("{" + strings.Join(m, ", ") + "}"),
		"x": []contracts.Field{num(fmt.Sprint(rng.IntN(5))), null, missing, txt("t")}[rng.IntN(4)],
	}
	r := &contracts.Record{Offset: rng.Int64()}
	for _, name := range []string{"id", "ck", "m", "x"} {
		r.Fields = append(r.Fields, fields[name])
	}
	return r
}
