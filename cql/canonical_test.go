package cql

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/contracts"
)

func TestAppendCanonical(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ typ, text, want string }{
		{"int", "+007", "7"}, {"boolean", "1", "true"},
		{"double", "1e6", "1000000"}, {"double", "1e21", "1e+21"}, {"double", "0.0000001", "1e-07"},
		{"float", "0.1", "0.1"}, {"float", "NaN", "NaN"}, {"double", "-Infinity", "-Infinity"},
		{"decimal", "1e3", "1E+3"}, {"decimal", "-0.001", "-0.001"}, {"decimal", "0.00", "0.00"},
		{"decimal", "0.0000001", "1E-7"}, {"decimal", "12e-9", "1.2E-8"}, {"decimal", "5.", "5"},
		{"varint", "-99999999999999999999", "-99999999999999999999"},
		{"blob", "0XCAFE", "0xcafe"}, {"uuid", strings.ToUpper("123e4567-e89b-42d3-a456-426614174000"),
			"123e4567-e89b-42d3-a456-426614174000"},
		{"inet", "2001:0db8:0:0::1", "2001:db8::1"}, {"inet", "::ffff:192.0.2.1", "192.0.2.1"},
		{"date", "2026-01-31", "2026-01-31"}, {"date", "-0044-03-15", "-0044-03-15"}, {"date", "0000-01-01", "0000-01-01"},
		{"date", "+12000-01-01", "+12000-01-01"}, {"time", "10:00:00", "10:00:00.000000000"},
		{"timestamp", "2026-01-31", "2026-01-31T00:00:00.000Z"},
		{"timestamp", "-9223372036854775808", "-292275055-05-16T16:47:04.192Z"},
		{"timestamp", "9223372036854775807", "+292278994-08-17T07:12:55.807Z"},
		{"duration", "P1Y2M", "1y2mo"}, {"duration", "-90m", "-1h30m"}, {"duration", "0s", "0s"},
		{"duration", "2w1ms2us3ns", "14d1ms2us3ns"},
		{"list<text>", `["a\"b\\c\u0001", "ä😀"]`, `["a\"b\\c\u0001","ä😀"]`},
		{"list<float>", `[1.5, "NaN"]`, `[1.5,"NaN"]`},
		{"set<int>", "[3, 1, 3]", "[1,3]"}, {"list<int>", "[]", "[]"}, {"map<int, int>", "{}", "{}"},
		{"map<timestamp, boolean>", `{"2026-01-01": true}`, `{"2026-01-01T00:00:00.000Z":true}`},
		{"map<frozen<list<text>>, int>", `{"[\"a\"]": 1}`, `{"[\"a\"]":1}`},
		{"tuple<int, blob>", `[null, "0x00"]`, `[null,"0x00"]`},
		{"address", `{"zip": 1}`, `{"street":null,"zip":1,"Tags":null}`},
		{"vector<vector<smallint, 2>, 1>", "[[1, -1]]", "[[1,-1]]"},
	} {
		typ := parseType(t, c.typ)
		value, p := typ.AppendText(nil, []byte(c.text))
		if p != nil {
			t.Errorf("%s %q: %s", c.typ, c.text, p.Reason)
			continue
		}
		if got, err := typ.AppendCanonical(nil, value); err != nil || string(got) != c.want {
			t.Errorf("%s %q became %s, %v, want %s", c.typ, c.text, got, err, c.want)
		}
		checkRoundTrip(t, typ, value)
	}
}

// A user type may have gained fields after a value was written.
func TestAppendCanonicalOfAnOlderUserType(t *testing.T) {
	t.Parallel()
	got, err := parseType(t, "address").AppendCanonical(nil, []byte{0, 0, 0, 1, 'a'})
	if want := `{"street":"a","zip":null,"Tags":null}`; err != nil || string(got) != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}

func TestAppendCanonicalErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ typ, hex string }{
		{"int", ""}, {"int", "00"}, {"bigint", "00000000"}, {"uuid", "00"}, {"inet", "000000"}, {"varint", ""},
		{"decimal", "00000000"}, {"time", "ffffffffffffffff"}, {"duration", ""}, {"duration", "000000ff"},
		{"duration", "00f0"}, {"list<int>", ""}, {"list<int>", "00000001"}, {"list<int>", "0000000100000004ff"},
		{"list<int>", "00000001ffffffff"}, {"list<int>", "0000000000"}, {"map<int, int>", "000000010000000400000001"},
		{"map<int, int>", "00000001ffffffff"}, {"map<int, int>", "0000000100000001ff"},
		{"tuple<int>", "0000000100"}, {"tuple<int>", "00000004000000010000"}, {"address", "00000009"},
		{"vector<float, 2>", "00000000"}, {"vector<float, 1>", "0000000000"}, {"vector<text, 1>", "05"},
	} {
		value, err := hex.DecodeString(c.hex)
		if err != nil {
			t.Fatal(err)
		}
		got, err := parseType(t, c.typ).AppendCanonical([]byte("before"), value)
		if err == nil || string(got) != "before" || contracts.KindOf(err) != contracts.KindInput ||
			!strings.Contains(err.Error(), "is no "+c.typ+" in the native protocol's encoding") {
			t.Errorf("%s 0x%s became %q, %v, want an error", c.typ, c.hex, got, err)
		}
	}
}
