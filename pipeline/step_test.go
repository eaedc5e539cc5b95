package pipeline

import (
	"bytes"
	"fmt"
	"reflect"
	"testing"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
)

// everyStep maps the first field to a column of each type that has a short way, and the second to the key.
const everyStep = `
name: steps
source: {format: ndjson}
table: {keyspace: lab, name: steps, partition_key: [id], clustering_key: [ck, moment]}
nulls: %s
columns:
  - {name: id, type: text, from: b}
  - {name: ck, type: decimal, from: b}
  - {name: moment, type: timestamp, from: b}
  - {name: file, type: text, from: $file}
  - {name: site, type: text, from: $path.site}
  - {name: lacking, type: int, from: $path.lacking}
  - {name: position, type: bigint, from: $offset}
  - {name: place, type: tinyint, from: $offset}
  - {name: v, type: %s, from: a}
`

// withoutSteps is the same pipeline, each value of which goes the long way.
func withoutSteps(c *Compiled) *Compiled {
	long := *c
	long.steps = make([]step, len(c.steps))
	for i := range long.steps {
		long.steps[i] = step{input: -1, noted: c.steps[i].noted}
		for kind := range long.steps[i].pack {
			long.steps[i].pack[kind] = packNothing
		}
	}
	return &long
}

// bothWays transforms a record in the short way and in the long one.
func bothWays(t *testing.T, short, long *Compiled, r *contracts.Record) {
	t.Helper()
	prefix := []byte("prefix")
	out, row, res, p := short.Bind(testContext).Transform(r, prefix)
	wantOut, wantRow, wantRes, wantP := long.Bind(testContext).Transform(r, prefix)
	if !bytes.Equal(out, wantOut) || res != wantRes || !reflect.DeepEqual(p, wantP) || !reflect.DeepEqual(row, wantRow) {
		t.Errorf("%+v:\nfound    %q %+v %d %+v\nexpected %q %+v %d %+v", r, out, row, res, p,
			wantOut, wantRow, wantRes, wantP)
	}
}

func stepPipelines(t testing.TB) (short, long []*Compiled) {
	t.Helper()
	for _, typ := range []string{"ascii", "bigint", "boolean", "date", "double", "float", "int", "smallint", "text",
		"timestamp", "timestamp, layout: epoch_s", "timestamp, layout: epoch_ms", "timestamp, layout: epoch_us",
		"timestamp, zone: Europe/Berlin", "timestamp, layout: iso", "timeuuid", "tinyint", "uuid", "varint", "blob",
		"set<int>", "frozen<list<text>>", "inet"} {
		for _, nulls := range []string{NullsUnset, NullsDelete} {
			c := mustCompile(t, fmt.Sprintf(everyStep, nulls, typ))
			short, long = append(short, c), append(long, withoutSteps(c))
		}
	}
	timed := mustCompile(t, spec("csv", "write: {timestamp: at}\nallow_unsafe: [event_time_ties]",
		"{name: at, type: timestamp, from: ck}", "{name: v, type: int, from: id}"))
	return append(short, timed), append(long, withoutSteps(timed))
}

func TestStepsAreTheLongWay(t *testing.T) {
	t.Parallel()
	short, long := stepPipelines(t)
	var fields []contracts.Field
	for _, text := range []string{"", "x", "7", "-7", "1.5", "1e3", "300", "99999999999", "9223372036854775807", "true",
		"TRUE", "2026-01-31", "2026-01-31T10:20:30.123Z", "2026-03-29T02:30:00", "9999999999999999", "é", "\xe9", "a\x00b",
		"0xcafe",
		"123e4567-e89b-12d3-a456-426614174000", "123e4567-e89b-42d3-a456-426614174000", `[1, 2]`, `[]`, `["a"]`, "::1"} {
		for kind := contracts.Missing; kind <= contracts.JSON; kind++ {
			fields = append(fields, field(kind, text))
		}
	}
	for i := range short {
		for _, f := range fields {
			bothWays(t, short[i], long[i], record(100+int64(len(f.Bytes)), txt("1"), f))
			bothWays(t, short[i], long[i], record(100+int64(len(f.Bytes)), f, txt("1")))
		}
	}
}

// TestStepsAreTaken: a record as most files have it goes the short way in all columns.
func TestStepsAreTaken(t *testing.T) {
	t.Parallel()
	c := mustCompile(t, spec("csv", "", "{name: a, type: int}", "{name: b, type: 'timestamp', layout: epoch_s}"))
	for i, s := range c.steps {
		room := make([]byte, 100)
		if s.input != i || s.pack[contracts.Text](room, []byte("17")) == 0 {
			t.Errorf("column %d: input %d, or no short way", i, s.input)
		}
	}
	if n := c.steps[0].pack[contracts.Text](make([]byte, cql.PackRoom), nil); n != 0 {
		t.Errorf("an empty partition key takes the short way: %d bytes", n)
	}
}

func FuzzSteps(f *testing.F) {
	short, long := stepPipelines(f)
	f.Add(uint8(0), uint8(contracts.Text), []byte("7"), false)
	f.Add(uint8(12), uint8(contracts.Number), []byte("1767225600"), true)
	f.Add(uint8(20), uint8(contracts.Null), []byte(""), true)
	f.Fuzz(func(t *testing.T, index, kind uint8, text []byte, key bool) {
		i := int(index) % len(short)
		a, b := txt("1"), contracts.Field{Kind: contracts.FieldKind(kind % 6), Bytes: text}
		if key {
			a, b = b, a
		}
		bothWays(t, short[i], long[i], record(100+int64(len(text)), a, b))
	})
}
