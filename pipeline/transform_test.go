package pipeline

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
)

var testContext = ObjectContext{
	Job:      "20261121t114118-k3x9q2ab",
	BaseTime: time.Date(2026, 11, 21, 11, 41, 18, 123456789, time.FixedZone("", 3600)),
	Object: contracts.Object{Bucket: "landing", Key: "in/day=7/site=/a.csv", ETag: "abc",
		Modified: time.Now()},
}

func field(kind contracts.FieldKind, s string) contracts.Field {
	return contracts.Field{Kind: kind, Bytes: []byte(s)}
}

func txt(s string) contracts.Field { return field(contracts.Text, s) }
func num(s string) contracts.Field { return field(contracts.Number, s) }
func doc(s string) contracts.Field { return field(contracts.JSON, s) }

var (
	null    = contracts.Field{Kind: contracts.Null}
	missing contracts.Field
)

func record(offset int64, fields ...contracts.Field) *contracts.Record {
	return &contracts.Record{Offset: offset, Fields: fields}
}

// render writes a row as canonical text, key columns before a bar.
func render(t testing.TB, c *Compiled, row cql.Row) string {
	t.Helper()
	var out []string
	rest := row.Values
	for _, col := range c.Table().Columns {
		var v cql.Value
		v, rest = cql.NextValue(rest)
		switch {
		case v.Unset:
			out = append(out, "unset")
		case v.Null():
			out = append(out, "null")
		default:
			text, err := col.Type.AppendCanonical(nil, v.Bytes)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, string(text))
		}
	}
	if len(rest) > 0 {
		t.Fatalf("%d bytes behind the last column", len(rest))
	}
	return strings.Join(out, "|")
}

// outcome says in one line what became of a record.
func outcome(t testing.TB, c *Compiled, r *contracts.Record) string {
	t.Helper()
	prefix := []byte("prefix")
	out, row, res, p := c.Bind(testContext).Transform(r, prefix)
	if !bytes.HasPrefix(out, prefix) {
		t.Fatalf("the bytes before the row changed: %q", out)
	}
	switch res {
	case Rowed:
		if len(row.Values) != len(out)-len(prefix) || &row.Values[0] != &out[len(prefix)] || p != nil {
			t.Fatalf("the row does not alias out from %d on, or has problem %v", len(prefix), p)
		}
		return render(t, c, row)
	case Filtered:
		return "filtered"
	}
	if len(out) != len(prefix) || p == nil {
		t.Fatalf("a reject left %d bytes, problem %v", len(out)-len(prefix), p)
	}
	return fmt.Sprintf("%s %s %q: %s", p.Rule, p.Column, p.Value, p.Reason)
}

func spec(format, extra string, columns ...string) string {
	return fmt.Sprintf("name: t\nsource: {format: %s}\ntable: {keyspace: lab, name: t, partition_key: [id], "+
		"clustering_key: [ck]}\ncolumns:\n  - {name: id, type: text}\n  - {name: ck, type: text}\n  - %s\n%s",
		format, strings.Join(columns, "\n  - "), extra)
}

func TestTransformPlainColumns(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		typ   string // and what follows it
		extra string
		field contracts.Field
		want  string
	}{
		"a number":              {"int", "", txt("7"), "a|b|7"},
		"a JSON number":         {"int", "", num("7"), "a|b|7"},
		"a JSON list":           {"set<int>", "", doc("[2, 1]"), "a|b|[1,2]"},
		"an empty text":         {"text", "", txt(""), "a|b|"},
		"a null":                {"int", "", null, "a|b|unset"},
		"a null that deletes":   {"int", "nulls: delete", null, "a|b|null"},
		"missing":               {"int", "", missing, "a|b|unset"},
		"missing never deletes": {"int", "nulls: delete", missing, "a|b|unset"},
		"no number":             {"int", "", txt("x"), `type v "x": "x" is not of type int:`},
		"out of range":          {"tinyint", "", txt("200"), `range v "200": `},
		"not UTF-8":             {"text", "", txt("\xe9"), `encoding v`},
		"layout":                {"timestamp, layout: epoch_s", "", num("1"), "a|b|@"},
		"layout of text":        {"timestamp, layout: epoch_s", "", txt("1"), "a|b|@"},
		"layout of a boolean":   {"timestamp, layout: epoch_s", "", field(contracts.Bool, "true"), "type v"},
		"Go layout in a zone": {`timestamp, layout: "02.01.2006 15:04", zone: Europe/Berlin`, "",
			txt("02.07.2026 10:00"), "a|b|2026-07-02T08:00:00.000Z"},
		"zone without a layout": {"timestamp, zone: Europe/Berlin", "", txt("2026-07-02T10:00:00"),
			"a|b|2026-07-02T08:00:00.000Z"},
		"a long value is cut": {"int", "", txt(strings.Repeat("é", 200)),
			`type v "` + strings.Repeat("é", 128) + `": `},
		"a character stays whole": {"int", "", txt("x" + strings.Repeat("é", 200)),
			`type v "x` + strings.Repeat("é", 127) + `": `},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.want = strings.Replace(c.want, "@", "1970-01-01T00:00:01.000Z", 1)
			compiled := mustCompile(t, spec("ndjson", c.extra, "{name: v, type: "+c.typ+"}"))
			got := outcome(t, compiled, record(0, txt("a"), txt("b"), c.field))
			row := strings.HasPrefix(c.want, "a|")
			if row && got != c.want || !strings.HasPrefix(got, c.want) {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestTransformKeys(t *testing.T) {
	t.Parallel()
	one := mustCompile(t, spec("ndjson", "", "{name: v, type: int}"))
	two := mustCompile(t, strings.Replace(spec("ndjson", "", "{name: v, type: int}"),
		"partition_key: [id], clustering_key: [ck]", "partition_key: [ck, id]", 1))
	cases := map[string]struct {
		c      *Compiled
		id, ck contracts.Field
		want   string
	}{
		"null partition key":    {one, null, txt("b"), `key id "": key column is null: expected a value`},
		"missing partition key": {one, missing, txt("b"), `key id "": key column is missing: expected a value`},
		"empty partition key": {one, txt(""), txt("b"),
			`key id "": the partition key is empty: expected at least one byte`},
		"null clustering key":           {one, txt("a"), null, `key ck "": key column is null: expected a value`},
		"empty clustering key is fine":  {one, txt("a"), txt(""), "a||7"},
		"empty part of a partition key": {two, txt("a"), txt(""), "|a|7"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fields := map[string]contracts.Field{"id": c.id, "ck": c.ck, "v": txt("7")}
			r := &contracts.Record{}
			for _, name := range c.c.Inputs() {
				r.Fields = append(r.Fields, fields[name])
			}
			if got := outcome(t, c.c, r); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestTransformMarksTheKey(t *testing.T) {
	t.Parallel()
	c := mustCompile(t, `
name: t
source: {format: ndjson}
table: {keyspace: lab, name: t, partition_key: [p2, p1], clustering_key: [c1]}
columns: [{name: v, type: text}, {name: c1, type: text}, {name: s, type: text, static: true},
  {name: p1, type: text}, {name: p2, type: text}]
`)
	if got := strings.Join(c.Inputs(), " "); got != "p2 p1 c1 s v" {
		t.Fatalf("inputs %s: expected the table's order", got)
	}
	_, row, _, _ := c.Bind(testContext).Transform(record(0, txt("22"), txt("1"), txt("333"), txt("s"), txt("v")), nil)
	partition := cql.AppendValue(cql.AppendValue(nil, []byte("22")), []byte("1"))
	if !bytes.Equal(row.PartitionBytes(), partition) {
		t.Errorf("partition %q: expected %q", row.PartitionBytes(), partition)
	}
	if key := cql.AppendValue(partition, []byte("333")); !bytes.Equal(row.KeyBytes(), key) {
		t.Errorf("key %q: expected %q", row.KeyBytes(), key)
	}
	roles := []cql.Role{cql.PartitionKey, cql.PartitionKey, cql.ClusteringKey, cql.Static, cql.Regular}
	for i, col := range c.Table().Columns {
		if col.Role != roles[i] {
			t.Errorf("column %s has role %d: expected %d", col.Name, col.Role, roles[i])
		}
	}
}

func TestTransformObjectColumns(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ column, extra, want string }{
		"key":                 {"{name: v, type: text, from: $key}", "", "a|b|in/day=7/site=/a.csv"},
		"bucket":              {"{name: v, type: text, from: $bucket}", "", "a|b|landing"},
		"file":                {"{name: v, type: text, from: $file}", "", "a|b|a.csv"},
		"job":                 {"{name: v, type: text, from: $job}", "", "a|b|20261121t114118-k3x9q2ab"},
		"offset":              {"{name: v, type: bigint, from: $offset}", "", "a|b|4096"},
		"part of the path":    {"{name: v, type: int, from: $path.day}", "", "a|b|7"},
		"empty part":          {"{name: v, type: text, from: $path.site}", "", "a|b|"},
		"no such part":        {"{name: v, type: int, from: $path.month}", "", "a|b|unset"},
		"no such part, null":  {"{name: v, type: int, from: $path.month}", "nulls: delete", "a|b|null"},
		"not of the type":     {"{name: v, type: int, from: $file}", "", `type v "a.csv": "a.csv" is not of type int: `},
		"offset out of range": {"{name: v, type: tinyint, from: $offset}", "", `range v "4096": `},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := outcome(t, mustCompile(t, spec("ndjson", c.extra, c.column)), record(4096, txt("a"), txt("b")))
			if !strings.HasPrefix(got, c.want) {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// tenColumns is the shape that benchmarks load.
func tenColumns(t testing.TB) (*Transformer, *contracts.Record) {
	c := mustCompile(t, `
name: ten
source: {format: csv}
table: {keyspace: lab, name: ten, partition_key: [device], clustering_key: [ts, seq]}
columns:
  - {name: device, type: text}
  - {name: ts, type: timestamp}
  - {name: seq, type: int}
  - {name: id, type: uuid}
  - {name: temperature, type: double}
  - {name: count, type: bigint}
  - {name: ok, type: boolean}
  - {name: note, type: text}
  - {name: at, type: timestamp, layout: epoch_ms}
  - {name: position, type: bigint, from: $offset}
`)
	return c.Bind(testContext), record(1<<40, txt("device-0042"), txt("2026-01-31T10:00:00.123Z"), txt("17"),
		txt("0d5a9a3e-6f0c-4f7e-9b5e-111111111111"), txt("21.53"), txt("123456789012"), txt("true"),
		txt("a note of some words"), txt("1700000000000"))
}

func TestTransformAllocatesNothing(t *testing.T) {
	tr, r := tenColumns(t)
	dst := make([]byte, 0, 4096)
	if n := testing.AllocsPerRun(100, func() {
		if _, _, res, p := tr.Transform(r, dst); res != Rowed {
			t.Fatal(p)
		}
	}); n != 0 {
		t.Errorf("%v allocations a row: expected none on plain columns", n)
	}
}

func BenchmarkTransform(b *testing.B) {
	tr, r := tenColumns(b)
	dst := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		tr.Transform(r, dst)
	}
}

func BenchmarkTransformExpression(b *testing.B) {
	c := mustCompile(b, spec("csv", "where: ck != 'test'", `{name: v, type: int, expr: "int(level) * 2"}`))
	tr, r, dst := c.Bind(testContext), record(0, txt("a"), txt("b"), txt("21")), make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		tr.Transform(r, dst)
	}
}

func TestTransformMakesEqualKeysEqualBytes(t *testing.T) {
	t.Parallel()
	c := mustCompile(t, strings.Replace(spec("csv", "", "{name: v, type: int}"), "{name: ck, type: text}",
		"{name: ck, type: decimal}", 1))
	var keys []string
	for _, text := range []string{"1", "1.0", "1.00", "100e-2"} {
		_, row, res, p := c.Bind(testContext).Transform(record(0, txt("a"), txt(text), txt("7")), nil)
		if res != Rowed {
			t.Fatal(p)
		}
		keys = append(keys, string(row.KeyBytes()))
	}
	for i, k := range keys {
		if k != keys[0] {
			t.Errorf("key %d: %q: expected %q, as Cassandra takes both for one row", i, k, keys[0])
		}
	}
}

func TestTransformTakesAnEmptyCollectionForNull(t *testing.T) {
	t.Parallel()
	c := mustCompile(t, spec("ndjson", "", "{name: s, type: set<int>}", "{name: f, type: frozen<set<int>>}",
		"{name: m, type: 'map<int, int>'}"))
	got := outcome(t, c, record(0, txt("a"), txt("b"), doc("[]"), doc("[]"), doc("{}")))
	if want := "a|b|null|[]|null"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
