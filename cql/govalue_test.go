package cql

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/contracts"
)

type named string

// What a Go value becomes is shown in canonical text.
func TestAppendGo(t *testing.T) {
	t.Parallel()
	id := [16]byte{0x12, 0x3e, 0x45, 0x67, 0xe8, 0x9b, 0x12, 0xd3, 0xa4, 0x56, 0x42, 0x66, 0x14, 0x17, 0x40, 0}
	noon := time.Date(2026, 1, 31, 12, 0, 0, 123456789, time.FixedZone("", 3600))
	for _, c := range []struct {
		typ  string
		v    any
		want string
	}{
		{"boolean", true, "true"},
		{"int", 7, "7"}, {"int", int8(-7), "-7"}, {"int", uint16(7), "7"}, {"int", "7", "7"}, {"int", named("7"), "7"},
		{"int", 7.0, "7"}, {"bigint", float32(16), "16"}, {"bigint", uint64(math.MaxInt64), "9223372036854775807"},
		{"varint", uint64(math.MaxUint64), "18446744073709551615"},
		{"double", 7, "7"}, {"double", 1e300, "1e+300"}, {"double", math.Inf(-1), "-Infinity"},
		{"double", math.NaN(), "NaN"}, {"double", math.Copysign(0, -1), "-0"}, {"float", float32(0.1), "0.1"},
		{"decimal", 0.1, "0.1"}, {"decimal", 12, "12"}, {"decimal", "12.50", "12.50"},
		{"text", "ä", "ä"}, {"text", []byte("ä"), "ä"}, {"ascii", "a", "a"},
		{"blob", []byte{0xca, 0xfe}, "0xcafe"}, {"blob", "0xcafe", "0xcafe"},
		{"uuid", id, "123e4567-e89b-12d3-a456-426614174000"}, {"timeuuid", id[:], "123e4567-e89b-12d3-a456-426614174000"},
		{"timestamp", noon, "2026-01-31T11:00:00.123Z"}, {"timestamp", 1000, "1970-01-01T00:00:01.000Z"},
		{"date", noon, "2026-01-31"}, {"time", noon, "12:00:00.123456789"},
		{"duration", 90 * time.Minute, "1h30m"}, {"time", 90 * time.Minute, "01:30:00.000000000"},
		{"inet", "192.0.2.1", "192.0.2.1"},
		{"list<int>", []any{3, "1", 2.0}, "[3,1,2]"}, {"list<text>", []string{"b", "a"}, `["b","a"]`},
		{"list<int>", "[1, 2]", "[1,2]"},
		{"set<text>", []string{"b", "a", "b"}, `["a","b"]`},
		{"map<text, int>", map[string]any{"b": 1, "a": 2}, `{"a":2,"b":1}`},
		{"map<int, text>", map[any]any{10: "x", 9: "y"}, `{"9":"y","10":"x"}`},
		{"tuple<int, text>", []any{1, nil}, `[1,null]`},
		{"frozen<address>", map[string]any{"ZIP": 1, "Tags": []any{"b", "a"}, "street": nil},
			`{"street":null,"zip":1,"Tags":["a","b"]}`},
		{"vector<float, 2>", []float64{1, 2.5}, `[1,2.5]`},
		{"vector<text, 2>", []any{"a", ""}, `["a",""]`},
	} {
		typ := parseType(t, c.typ)
		value, p := typ.AppendGo(nil, c.v)
		if p != nil {
			t.Errorf("%s %#v: %s", c.typ, c.v, p.Reason)
			continue
		}
		if got, err := typ.AppendCanonical(nil, value); err != nil || string(got) != c.want {
			t.Errorf("%s %#v became %s, %v, want %s", c.typ, c.v, got, err, c.want)
		}
	}
}

func TestAppendGoProblems(t *testing.T) {
	t.Parallel()
	var none *int
	for _, c := range []struct {
		typ    string
		v      any
		rule   contracts.Rule
		reason string
	}{
		{"int", 1.5, "type", `"1.5" is a number with a fraction or exponent`},
		{"int", math.NaN(), "range", `int has no NaN and no Infinity`},
		{"int", int64(1) << 40, "range", `is out of range for int`},
		{"float", 1e39, "range", `is out of range for float`},
		{"decimal", math.Inf(1), "range", `decimal has no NaN and no Infinity`},
		{"text", math.NaN(), "type", `found NaN, a number: expected a string for text`},
		{"text", 1, "type", `found "1", a number: expected a string for text`},
		{"text", time.Unix(0, 0).UTC(), "type", `found a time, 1970-01-01T00:00:00Z: expected a string for text (t.Format`},
		{"text", time.Second, "type", `found a duration, 1s: expected a string for text`},
		{"time", 25 * time.Hour, "range", `25h0m0s is no time of day`},
		{"timestamp", time.Date(300000000, 1, 1, 0, 0, 0, 0, time.UTC), "range", `is out of range for timestamp`},
		{"int", true, "type", `found true, a boolean: expected a number for int`},
		{"int", []byte{1}, "type", `found 1 bytes: expected a number for int`},
		{"uuid", []byte{1}, "type", `found 1 bytes: expected a string for uuid`},
		{"int", []any{1}, "type", `found a list: expected a number for int`},
		{"int", map[string]any{}, "type", `found a map: expected a number for int`},
		{"int", struct{}{}, "type", `found a value of Go type struct {}: expected a number for int`},
		{"int", nil, "type", `found a value of Go type nil: expected a number for int`},
		{"list<int>", []any{1, nil}, "type", `element 2: found nil: expected a number for int`},
		{"list<int>", []*int{none}, "type", `element 1: found nil`},
		{"map<int, int>", map[any]any{"x": 1}, "type", `key x: "x" is not of type int`},
		{"map<int, int>", map[any]any{1: nil}, "type", `value of 1: found nil`},
		{"map<int, int>", map[any]any{1: 1, "1": 2}, "type", `2 of the map's keys are equal as int: expected each once`},
		{"tuple<int, int>", []any{1}, "type", `found 1 elements: expected 2`},
		{"tuple<int, int>", []any{1, "x"}, "type", `member 2: "x" is not of type int`},
		{"vector<float, 2>", []any{1, "x"}, "type", `element 2: "x" is not a float`},
		{"frozen<address>", map[string]any{"stret": 1}, "type", `has no field "stret" (did you mean street?)`},
		{"frozen<address>", map[any]any{1: 1}, "type", `found the key 1: expected the names of frozen<address>'s fields`},
		{"frozen<address>", map[string]any{"zip": 1, "ZIP": 2}, "type", `found field zip twice`},
		{"frozen<address>", map[string]any{"zip": "x"}, "type", `field zip: "x" is not of type int`},
	} {
		got, p := parseType(t, c.typ).AppendGo([]byte("before"), c.v)
		switch {
		case p == nil:
			t.Errorf("%s %#v became %x, want a problem", c.typ, c.v, got)
		case p.Rule != c.rule || !strings.Contains(p.Reason, c.reason):
			t.Errorf("%s %#v:\n got %s: %s\nwant %s: %s", c.typ, c.v, p.Rule, p.Reason, c.rule, c.reason)
		case string(got) != "before":
			t.Errorf("%s %#v: dst became %q", c.typ, c.v, got)
		}
	}
}
