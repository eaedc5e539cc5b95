package cql

import "testing"

// fuzzTypes are the types that the fuzzers choose from.
var fuzzTypes = []string{
	"ascii", "bigint", "blob", "boolean", "date", "decimal", "double", "duration", "float", "inet", "int", "smallint",
	"text", "time", "timestamp", "timeuuid", "tinyint", "uuid", "varint", "list<text>", "set<double>", "set<decimal>",
	"set<timeuuid>", "set<uuid>", "map<int, frozen<list<text>>>", "map<text, blob>", "tuple<int, text, timestamp>",
	"frozen<address>", "vector<float, 2>", "vector<text, 2>", "set<frozen<map<varint, inet>>>",
	"list<frozen<tuple<date, time, duration>>>",
}

func seed(f *testing.F) {
	f.Helper()
	for i, typ := range fuzzTypes {
		for _, v := range readVectors(f) {
			if v.Type != typ {
				continue
			}
			text := v.JSON
			if text[0] == '"' {
				text = text[1 : len(text)-1]
			}
			f.Add(uint8(i), []byte(text))
		}
		f.Add(uint8(i), []byte("2026-01-31T10:00:00.123+01:00"))
		f.Add(uint8(i), []byte("-12.50e3"))
		f.Add(uint8(i), []byte(`[["2026-01-31", "10:00:00", "1h"], null]`))
		f.Add(uint8(i), []byte(`[{"1": "::1", "\u0031": "10.0.0.1"}]`))
	}
}

// Whatever text is accepted has a canonical text, and that text is the same bytes.
func FuzzAppendText(f *testing.F) {
	seed(f)
	types := make([]Type, len(fuzzTypes))
	for i, s := range fuzzTypes {
		types[i] = parseType(f, s)
	}
	f.Fuzz(func(t *testing.T, index uint8, text []byte) {
		typ := types[int(index)%len(types)]
		value, p := typ.AppendText(nil, text)
		switch {
		case p == nil:
			checkRoundTrip(t, typ, value)
		case p.Rule == "" || p.Reason == "" || len(value) != 0:
			t.Errorf("%s %q: problem %+v with %d bytes", typ, text, p, len(value))
		}
	})
}

// Bytes from a database never panic, and what turns into text is the type's.
func FuzzAppendCanonical(f *testing.F) {
	for i, typ := range fuzzTypes {
		f.Add(uint8(i), []byte{0, 0, 0, 1, 0, 0, 0, 1, 0x80})
		if value, p := parseType(f, typ).AppendText(nil, []byte("[]")); p == nil {
			f.Add(uint8(i), value)
		}
	}
	types := make([]Type, len(fuzzTypes))
	for i, s := range fuzzTypes {
		types[i] = parseType(f, s)
	}
	f.Fuzz(func(t *testing.T, index uint8, value []byte) {
		typ := types[int(index)%len(types)]
		text, err := typ.AppendCanonical(nil, value)
		if err != nil && len(text) != 0 {
			t.Errorf("%s 0x%x: %v with %q", typ, value, err, text)
		}
	})
}

func FuzzTimeLayout(f *testing.F) {
	names := append([]string{"02.01.2006 15:04 MST", "2006-01-02 15:04:05.999"}, layoutNames...)
	f.Add(uint8(0), []byte("29.03.2026 02:30 CET"))
	f.Add(uint8(3), []byte("-1.0005"))
	layouts := make([]TimeLayout, len(names))
	for i, name := range names {
		layouts[i] = layout(f, name, "Europe/Berlin")
	}
	f.Fuzz(func(t *testing.T, index uint8, text []byte) {
		if value, p := layouts[int(index)%len(layouts)].Append(nil, text); p == nil {
			checkRoundTrip(t, Type{Kind: Timestamp}, value)
		}
	})
}
