package cql

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/contracts"
)

// Texts that INSERT JSON does not know, or that this package reads otherwise. The vectors hold the rest.
func TestAppendText(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ typ, text, want string }{
		{"boolean", "1", "01"}, {"boolean", "0", "00"}, {"boolean", "TRUE", "01"},
		{"bigint", "+0009223372036854775807", "7fffffffffffffff"},
		{"blob", "0XFF", "ff"},
		{"double", "+1.5e1", "402e000000000000"},
		{"decimal", "12.50", "0000000204e2"},
		{"decimal", "-0.00", "0000000200"},
		{"decimal", "1e-100000", "000186a001"},
		{"varint", "000000000000000000000000000001", "01"},
		{"varint", "+99999999999999999999", "056bc75e2d630fffff"},
		{"timestamp", "2026-01-01t00:00:00z", "0000019b76daa800"},
		{"timestamp", "+2026-01-01", "0000019b76daa800"},
		{"timestamp", "1969-12-31T23:59:59.9999Z", "ffffffffffffffff"},
		{"timestamp", "-9223372036854775808", "8000000000000000"},
		{"timestamp", "2026-01-01T00:00:00.000000001Z", "0000019b76daa800"},
		{"date", "2024-02-29", "80004d46"},
		{"time", "00:00:00.000000001", "0000000000000001"},
		{"set<int>", " [ 2 , 1 , 2 ] ", "00000002" + "0000000400000001" + "0000000400000002"},
		{"map<int, int>", `{"1": 1, "01": 2}`, "00000001" + "0000000400000001" + "0000000400000002"},
		{"address", `{}`, strings.Repeat("ffffffff", 3)},
		{"frozen<address>", `{"Tags": ["b", "a"], "zip": null}`,
			"ffffffff" + "ffffffff" + "0000000e" + "00000002" + "0000000161" + "0000000162"},
		{"list<text>", `["\ud83d\ude00\/\"\\\b\f\n\r\t\u00e4"]`, "00000001" + "0000000e" + "f09f98802f225c080c0a0d09c3a4"},
	} {
		got, p := parseType(t, c.typ).AppendText(nil, []byte(c.text))
		if p != nil || hex.EncodeToString(got) != c.want {
			t.Errorf("%s %q became %x (%+v), want %s", c.typ, c.text, got, p, c.want)
		}
	}
}

func TestAppendTextProblems(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("9", 5000)
	for _, c := range []struct {
		typ, text string
		rule      contracts.Rule
		reason    string
	}{
		{"int", "", "type", `an empty text is not of type int: expected a whole number, such as 42 or -7`},
		{"int", " 5", "type", `" 5" has blanks around it: expected a whole number`},
		{"int", "abc", "type", `"abc" is not of type int: expected a whole number, such as 42 or -7`},
		{"int", "1,000", "type", "without separators"},
		{"int", "1.0", "type", `"1.0" is a number with a fraction or exponent, not of type int`},
		{"int", "-", "type", `"-" is not of type int`},
		{"int", "0x10", "type", `"0x10" is not of type int`},
		{"int", "2147483648", "range", `"2147483648" is out of range for int: expected -2147483648 to 2147483647`},
		{"tinyint", "128", "range", `expected -128 to 127`},
		{"bigint", long, "range", `expected -9223372036854775808 to 9223372036854775807`},
		{"bigint", "NaN", "range", `"NaN": bigint has no NaN and no Infinity: expected a whole number`},
		{"varint", "-Infinity", "range", `varint has no NaN and no Infinity`},
		{"varint", long, "range", `has 5000 digits: expected at most 4096 in a varint`},
		{"decimal", long, "range", `has 5000 digits: expected at most 4096 in a decimal`},
		{"decimal", "nan", "range", `"nan": decimal has no NaN and no Infinity: expected a number`},
		{"decimal", "1e100001", "range", `the exponent is out of range: expected a scale of -100000 to 100000`},
		{"decimal", "1e99999999999999999999", "range", `the exponent is out of range`},
		{"decimal", "1e-99999999999999999999", "range", `the exponent is out of range`},
		{"decimal", "1e", "type", `"1e" is not a decimal: expected a number such as 12.50 or 1e3`},
		{"decimal", ".", "type", `is not a decimal`},
		{"decimal", "1.2.3", "type", `is not a decimal`},
		{"double", "inf", "type", `"inf" is not a double: expected a number such as 1.5`},
		{"double", "0x1p-2", "type", `is not a double`},
		{"double", "1_000", "type", `is not a double`},
		{"double", "nan", "type", `NaN, Infinity or -Infinity`},
		{"double", "1e309", "range", `"1e309" is out of range for double`},
		{"double", "1e5e5", "type", `is not a double`},
		{"float", "1e39", "range", `"1e39" is out of range for float: expected -3.4028235e+38 to 3.4028235e+38`},
		{"boolean", "yes", "type", `"yes" is not a boolean: expected true, false, 1 or 0`},
		{"blob", "ff", "type", `"ff" is not a blob: expected 0x and an even number of hex digits`},
		{"blob", "0xfg", "type", `is not a blob`},
		{"uuid", "123e4567-e89b-12d3-a456-42661417400g", "type", `is not a uuid: expected 8-4-4-4-12 hex digits`},
		{"timeuuid", "123e4567-e89b-42d3-a456-426614174000", "type", `is a UUID of version 4: expected version 1`},
		{"inet", "localhost", "type", `"localhost" is not an inet: expected an IP address without a zone`},
		{"inet", "fe80::1%eth0", "type", `is not an inet`},
		{"inet", "192.0.2.01", "type", `is not an inet`},
		{"inet", "192.0.2", "type", `is not an inet`},
		{"inet", "192.0.2.1.1", "type", `is not an inet`},
		{"inet", "192.0.2.+1", "type", `is not an inet`},
		{"inet", "192.0.2.256", "type", `is not an inet`},
		{"text", "ab\xffcd", "encoding", `byte 3 is 0xff, which is no UTF-8 here: expected UTF-8 without NUL (is it UTF-16`},
		{"text", "M\xfcller", "encoding", `byte 2 is 0xfc, which is no UTF-8 here: expected UTF-8 without NUL (is it Latin`},
		{"text", "a\x00b", "encoding", `byte 2 is a NUL byte: expected UTF-8 without NUL (is it UTF-16 or binary?`},
		{"ascii", "naïve", "encoding", `byte 3 is part of 'ï': expected ASCII (a text column takes all of Unicode)`},
		{"list<text>", `["a\u0000"]`, "encoding", `element 1: byte 2 is a NUL byte`},
		{"list<text>", `["a\ud800b"]`, "encoding", `element 1: \ud800 is half of a surrogate pair`},
		{"list<text>", `["\udc00\ud800"]`, "encoding", `\udc00 is half of a surrogate pair`},
		{"date", "31.01.2026", "type", `"31.01.2026" is not a date: expected yyyy-mm-dd, such as 2026-01-31`},
		{"date", "2026-02-29", "range", `"2026-02-29" is no day of the calendar`},
		{"date", "20260131", "range", `"20260131" is no number of a day between the years 0 and 9999`},
		{"date", "20484", "range", `where 2147483648 is 1970-01-01: expected yyyy-mm-dd`},
		{"date", "+5881581-01-01", "range", `is out of range for date`},
		{"date", "2026-01-31T00:00:00Z", "type", `is not a date`},
		{"time", "24:00:00", "range", `"24:00:00" is no time of day`},
		{"time", "10:00", "type", `"10:00" is not a time: expected hh:mm:ss[.fffffffff], such as 09:30:00`},
		{"time", "10:00:00.0000000001", "type", `is not a time`},
		{"time", "3600", "type", `is not a time`},
		{"timestamp", "yesterday", "type", `"yesterday" is not a timestamp: expected 2026-01-31T10:00:00Z or alike`},
		{"timestamp", "2026-01-31T", "type", `is not a timestamp`},
		{"timestamp", "2026-01-31T25:00", "range", `is no day or time of the calendar`},
		{"timestamp", "2026-13-31", "range", `is no day or time of the calendar`},
		{"timestamp", "2026-01-31 10:00 CET", "type", `is not a timestamp`},
		{"timestamp", "2026-01-31T10:00:00+19:00", "type", `is not a timestamp`},
		{"timestamp", "9223372036854775808", "range", `is out of range for timestamp`},
		{"timestamp", "+292278995-01-01", "range", `is out of range for timestamp`},
		{"duration", "1m1h", "type", `is not a duration: expected 1h30m, P1Y2M10DT2H30M, P2W or alike, units from large`},
		{"duration", "P", "type", `is not a duration`},
		{"duration", "P1DT", "type", `is not a duration`},
		{"duration", "P1M1Y", "type", `is not a duration`},
		{"duration", "1x", "type", `is not a duration`},
		{"duration", "-", "type", `is not a duration`},
		{"duration", "2147483648mo", "range", `is out of range for duration: expected at most 2147483647 months`},
		{"duration", "99999999999999999999h", "range", `is out of range for duration`},
		{"counter", "1", "type", `a counter cannot be written with INSERT`},
		{"list<int>", "", "type", `an empty text is not of type list<int>: expected JSON, an array for list<int>`},
		{"list<int>", "[1, 2", "type", `"[1, 2" is not JSON at byte 5: unexpected end of JSON input: expected an array`},
		{"list<int>", "[1] 2", "type", `is not JSON at byte 5`},
		{"list<int>", "null", "type", `found null: expected an array for list<int>`},
		{"list<int>", `{"a": 1}`, "type", `found an object: expected an array for list<int>`},
		{"list<int>", `[1, "x"]`, "type", `element 2: "x" is not of type int`},
		{"list<int>", `[1, null]`, "type", `element 2: found null: expected a number for int`},
		{"list<int>", `[1, 99999999999]`, "range", `element 2: "99999999999" is out of range for int`},
		{"list<int>", `[true]`, "type", `element 1: found true, a boolean: expected a number for int`},
		{"set<text>", `[1]`, "type", `element 1: found "1", a number: expected a string for text`},
		{"map<int, int>", `{"x": 1}`, "type", `key "x": "x" is not of type int`},
		{"map<int, int>", `{"1": null}`, "type", `value of "1": found null: expected a number for int`},
		{"map<int, int>", `[1]`, "type", `found an array: expected an object for map<int, int>`},
		{"tuple<int, int>", `[1]`, "type", `found 1 elements: expected 2 for tuple<int, int>`},
		{"tuple<int, int>", `[1, "x"]`, "type", `member 2: "x" is not of type int`},
		{"address", `{"stret": "x"}`, "type", `no field "stret" (did you mean street?): expected street, zip, Tags`},
		{"address", `{"zip": {}}`, "type", `field zip: found an object: expected a number for int`},
		{"vector<float, 2>", `[1]`, "type", `found 1 elements: expected 2 for vector<float, 2>`},
		{"vector<float, 2>", `[1, null]`, "type", `element 2: found null`},
	} {
		got, p := parseType(t, c.typ).AppendText([]byte("before"), []byte(c.text))
		switch {
		case p == nil:
			t.Errorf("%s %.80q became %x, want a problem", c.typ, c.text, got)
		case p.Rule != c.rule || !strings.Contains(p.Error(), c.reason):
			t.Errorf("%s %.80q:\n got %s: %s\nwant %s: %s", c.typ, c.text, p.Rule, p.Reason, c.rule, c.reason)
		case string(got) != "before":
			t.Errorf("%s %.80q: dst became %q", c.typ, c.text, got)
		}
	}
}

// A reason repeats no more of a value than its beginning, cut between characters.
func TestReasonsAreShort(t *testing.T) {
	t.Parallel()
	_, p := Type{Kind: Int}.AppendText(nil, []byte("a"+strings.Repeat("ä", 1<<16)))
	if len(p.Reason) > 250 || !strings.Contains(p.Reason, `ä"…`) {
		t.Errorf("reason of %d bytes: %.300s", len(p.Reason), p.Reason)
	}
	_, p = parseType(t, "map<int, int>").AppendText(nil, []byte(`{"`+strings.Repeat("ä", 1<<16)+`": 1}`))
	if len(p.Reason) > 350 {
		t.Errorf("reason of %d bytes: %.300s", len(p.Reason), p.Reason)
	}
}

func TestAppendJSONProblems(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		typ    string
		kind   contracts.FieldKind
		value  string
		reason string
	}{
		{"text", contracts.Number, "1", `found "1", a number: expected a string for text`},
		{"text", contracts.Bool, "true", `found true, a boolean: expected a string for text`},
		{"text", contracts.JSON, "{}", `found "{}", an object: expected a string for text`},
		{"int", contracts.JSON, "[1]", `found "[1]", an array: expected a number for int`},
		{"int", contracts.JSON, "", `expected a number for int`},
		{"int", contracts.Number, "1e3", `is a number with a fraction or exponent`},
		{"boolean", contracts.Number, "1", `found "1", a number: expected true or false for boolean`},
		{"timestamp", contracts.Number, "1.5", `found "1.5": expected a string, or a whole number of milliseconds`},
		{"list<int>", contracts.Number, "1", `found "1", a number: expected an array for list<int>`},
		{"int", contracts.Null, "", `found null: expected a number for int`},
		{"int", contracts.Missing, "", `found null: expected a number for int`},
	} {
		_, p := parseType(t, c.typ).AppendJSON(nil, c.kind, []byte(c.value))
		if p == nil || p.Rule != contracts.RuleType || !strings.Contains(p.Reason, c.reason) {
			t.Errorf("%s %s: problem %+v, want %q", c.typ, c.value, p, c.reason)
		}
	}
}
