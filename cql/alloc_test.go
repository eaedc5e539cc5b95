package cql

import "testing"

// hotTexts are the fields that make up most files.
var hotTexts = []struct{ typ, text string }{
	{"text", "Straße 7"}, {"ascii", "plain"}, {"int", "-12345"}, {"bigint", "1767225600000"}, {"smallint", "7"},
	{"tinyint", "7"}, {"double", "-12.3456789"}, {"float", "0.1"}, {"boolean", "true"}, {"varint", "123456789"},
	{"decimal", "12.50"}, {"uuid", "123e4567-e89b-42d3-a456-426614174000"},
	{"timeuuid", "123e4567-e89b-12d3-a456-426614174000"}, {"timestamp", "2026-01-31T10:20:30.123Z"},
	{"timestamp", "2026-01-31 10:20:30+01:00"}, {"date", "2026-01-31"}, {"time", "10:20:30.5"}, {"inet", "192.0.2.1"},
	{"blob", "0xcafe"}, {"duration", "1h30m"},
}

func TestScalarsDoNotAllocate(t *testing.T) {
	dst := make([]byte, 0, 64)
	for _, c := range hotTexts {
		typ, text := parseType(t, c.typ), []byte(c.text)
		n := testing.AllocsPerRun(100, func() {
			if _, p := typ.AppendText(dst, text); p != nil {
				t.Fatal(p.Reason)
			}
		})
		if n != 0 {
			t.Errorf("%s %q: %v allocations, want none", c.typ, c.text, n)
		}
	}
}

func TestLayoutsDoNotAllocate(t *testing.T) {
	dst := make([]byte, 0, 64)
	for _, c := range []struct{ layout, text string }{
		{"iso", "2026-07-01T12:00:00"}, {"epoch_s", "1767225600.5"}, {"epoch_ns", "1767225600123999999"},
	} {
		l, text := layout(t, c.layout, "Europe/Berlin"), []byte(c.text)
		n := testing.AllocsPerRun(100, func() {
			if _, p := l.Append(dst, text); p != nil {
				t.Fatal(p.Reason)
			}
		})
		if n != 0 {
			t.Errorf("%s %q: %v allocations, want none", c.layout, c.text, n)
		}
	}
}

func TestTokenDoesNotAllocate(t *testing.T) {
	key := packKey(t, []string{"int", "text"}, []string{"7", "north"})
	scratch := make([]byte, 0, 64)
	if n := testing.AllocsPerRun(100, func() { _, scratch = Token(key, scratch) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

func BenchmarkAppendText(b *testing.B) {
	for _, c := range append(hotTexts, struct{ typ, text string }{"set<int>", "[3, 1, 2]"},
		struct{ typ, text string }{"map<text, int>", `{"b": 1, "a": 2}`}) {
		typ, text := parseType(b, c.typ), []byte(c.text)
		dst := make([]byte, 0, 64)
		b.Run(c.typ+" "+c.text, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, p := typ.AppendText(dst, text); p != nil {
					b.Fatal(p.Reason)
				}
			}
		})
	}
}

func BenchmarkToken(b *testing.B) {
	key := packKey(b, []string{"int", "text"}, []string{"7", "north"})
	var scratch []byte
	b.ReportAllocs()
	for b.Loop() {
		_, scratch = Token(key, scratch)
	}
}
