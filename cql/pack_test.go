package cql

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/penstock-io/penstock/contracts"
)

// shortWays are the types and layouts that have one, by name.
func shortWays(t testing.TB) (ways []shortWay) {
	t.Helper()
	for _, name := range fuzzTypes {
		typ := parseType(t, name)
		for _, kind := range []contracts.FieldKind{contracts.Text, contracts.Number, contracts.Bool} {
			if pack := typ.Packer(kind); pack != nil {
				ways = append(ways, shortWay{fmt.Sprintf("%s %d", name, kind), pack,
					func(dst, text []byte) ([]byte, *Problem) { return typ.AppendJSON(dst, kind, text) }})
			}
		}
	}
	for _, name := range layoutNames {
		l := layout(t, name, "")
		if pack := l.Packer(); pack != nil {
			ways = append(ways, shortWay{name, pack, l.Append})
		}
	}
	return ways
}

// shortWay is a packer beside what it stands in for.
type shortWay struct {
	name string
	pack Packer
	long func(dst, text []byte) ([]byte, *Problem)
}

// check holds the short way against the long one and says whether it took the text.
func (w shortWay) check(t testing.TB, text []byte) bool {
	t.Helper()
	room := bytes.Repeat([]byte{0xaa}, len(text)+PackRoom)
	n := w.pack(room, text)
	if n == 0 {
		return false
	}
	value, p := w.long(nil, text)
	if p != nil {
		t.Fatalf("%s %q: packed as %x, but: %s", w.name, text, room[:n], p.Reason)
	}
	if want := AppendValue(nil, value); !bytes.Equal(room[:n], want) {
		t.Fatalf("%s %q: packed as %x, expected %x", w.name, text, room[:n], want)
	}
	return true
}

func TestPackers(t *testing.T) {
	t.Parallel()
	ways := map[string]shortWay{}
	for _, w := range shortWays(t) {
		ways[w.name] = w
	}
	for name, c := range map[string]struct{ short, long []string }{
		"text 2": {[]string{"", "a", "abc", "abcd", "1234567", "12345678", "123456789", "a long text of many words", "é",
			"aé", "1234567é", "12345678é", "\x7f", "\x01", "\x01\x01\x01\x01\x01\x01\x01\x01"},
			[]string{"\x00", "a\x00b", "1234567\x00", "\x0012345678", "12345678\x00", "123456789\x00", "\xe9",
				"1234567\xe9"}},
		"ascii 2": {[]string{"", "plain", "12345678", "123456789"}, []string{"é", "12345é", "1234567é9", "\x80", "\x00"}},
		"int 2": {[]string{"0", "-0", "7", "00000000000007", "2147483647", "-2147483648", "1234567", "12345678",
			"-12345678"},
			[]string{"", "-", "+7", "2147483648", "-2147483649", "1.0", " 1", "1e3", "0x1", "1_0", "1234567a", "a1234567",
				"12345678a", "--1", "1-", "-12345678-", "\xb1", "1234567\xb1"}},
		"bigint 2": {[]string{"0", "999999999999999999", "-999999999999999999", "123456789", "1234567890123456"},
			[]string{"9223372036854775807", "1000000000000000000", "12345678:0", "12345678/0", "1234567890123456x"}},
		"smallint 2": {[]string{"32767", "-32768"}, []string{"32768", "-32769", "65536", "4294967296"}},
		"tinyint 2":  {[]string{"127", "-128"}, []string{"128", "-129", "256"}},
		"double 2": {[]string{"0", "-0", "0.0", "-0.000", "1", "1.5", ".5", "5.", "-.5", "12.345", "-12.345678901",
			"9007199254740992", "900719925474099.1", ".0000000000000000001", "123456.8", "1234567.", ".1234567", "-.123",
			"0.1", "0.3", "1234567", "12345678"},
			[]string{"", ".", "-", "-.", "+1.5", "1e5", "NaN", "Infinity", "1.2.3", "1..2", "1.23.456", "9007199254740993",
				"0.12345678901234567", "12a4", "1 34", "12345678901234567890.", "0.00000000000000000001", "1.5f", "\xb1.55",
				"1.5\xb1", "12.3/5", "12.3:5"}},
		"float 2": {[]string{"0.1", "-1013.2", "16777217.1", "3.4028235"},
			[]string{"1e10", "16777217", "8388608.5", "-33554434", "0.006000077584758401", "-0.003020412870682776"}},
		"boolean 2": {[]string{"true", "false", "1", "0"}, []string{"", "True", "FALSE", "t", "yes", "true "}},
		"boolean 4": {[]string{"true", "false"}, nil},
		"uuid 2": {[]string{"123e4567-e89b-42d3-a456-426614174000", "ABCDEFab-cdef-0123-4567-89ABCDEFabcd"},
			[]string{"", "123e4567-e89b-42d3-a456-42661417400", "123e4567-e89b-42d3-a456-4266141740000",
				"123e4567xe89b-42d3-a456-426614174000", "123e4567-e89b-42d3-a456-42661417400g",
				"123e4567-e89b-42d3-a456-42661417400/", "123e4567-e89b-42d3-a456-42661417400:",
				"@23e4567-e89b-42d3-a456-426614174000", "123e4567-e89b-4\x102d3-a456-42661417400",
				"123e4567-\xe89bb-42d-a456-426614174000", "`23e4567-e89b-42d3-a456-426614174000"}},
		"timeuuid 2": {[]string{"123e4567-e89b-12d3-a456-426614174000"},
			[]string{"123e4567-e89b-42d3-a456-426614174000", ""}},
		"timestamp 2": {[]string{"2026-01-31", "2026-01-31T10:20:30Z", "2026-01-31 10:20:30", "2026-01-31T10:20:30.123Z",
			"2026-01-31T10:20:30.1Z", "2026-01-31T10:20:30.123456789", "2026-01-31T10:20:30.123456+00:00",
			"2026-01-31T10:20:30-0130", "2026-01-31T10:20:30+18", "0001-01-01", "9999-12-31T23:59:59.999Z", "2024-02-29",
			"2000-02-29", "1969-12-31T23:59:59.999Z", "1767225600123", "-1", "1970-01-01T00:00:00.0009Z"},
			[]string{"", "0000-01-01", "2026-02-29", "1900-02-29", "2026-00-10", "2026-13-10", "2026-04-31", "2026-01-00",
				"2026-01-32", "2026-01-31T24:00:00Z", "2026-01-31T10:60:00Z", "2026-01-31T10:20:60Z", "2026-01-31T10:20Z",
				"2026-01-31T10:20:30.Z", "2026-01-31T10:20:30.1234567890Z", "2026-01-31T10:20:30+19:00", "2026/01/31",
				"2026-01-31t10:20:30Z", "2026-01-31x10:20:30Z", "2026-01-31T10:20:30.12xZ", "2026-01-31T10.20:30Z",
				"2026-1-31T10:20:30Z.", "+2026-01-31T10:20:30Z", "x026-01-31", "2x26-01-31", "20x6-01-31",
				"2026-01-31T10:20:30.123ZZ", "2026-01-31T10:20:30ZZ", "2026-01-31T10:20:30 Z", "2026\xad01-31"}},
		"timestamp 3": {[]string{"1767225600123", "-1"}, []string{"1.5", "1e3"}},
		"date 2": {[]string{"2026-01-31", "0001-01-01", "9999-12-31", "1970-01-01"},
			[]string{"0000-01-01", "2147483648", "2026-01-31Z"}},
		"iso":      {[]string{"2026-01-31T10:20:30Z", "1767225600123"}, nil},
		"epoch_ms": {[]string{"1767225600123", "-1"}, []string{"1.5"}},
		"epoch_s": {[]string{"1767225600", "-999999999999999"},
			[]string{"1767225600.5", "1000000000000000", "-1000000000000000"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, ok := ways[name]
			if !ok {
				t.Fatal("there is no short way")
			}
			for _, text := range c.short {
				if !w.check(t, []byte(text)) {
					t.Errorf("%q takes the long way", text)
				}
			}
			for _, text := range c.long {
				if w.check(t, []byte(text)) {
					t.Errorf("%q takes the short way", text)
				}
			}
		})
	}
}

// TestPackNumbers tries numbers whose digits are random, and such in the middle of two floats.
func TestPackNumbers(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(7, 8))
	ways, taken, tried := shortWays(t), 0, 0
	for range 5_000 {
		n := random.Int64() >> random.IntN(64)
		if random.IntN(2) > 0 {
			n = -n
		}
		text := strconv.AppendInt(nil, n, 10)
		if at := random.IntN(len(text) + 2); at < len(text) {
			text = append(text[:at], append([]byte{'.'}, text[at:]...)...)
		}
		for _, w := range ways {
			tried++
			if w.check(t, text) {
				taken++
			}
		}
		half := float64(random.Int32N(1<<24)) + 0.5
		floats := shortWay{"float", packFloat, Type{Kind: Float}.AppendText}
		for _, places := range []int{1, 2, 6} {
			floats.check(t, strconv.AppendFloat(nil, half*float64(uint(1)<<random.IntN(20)), 'f', places, 64))
			floats.check(t, strconv.AppendFloat(nil, half/float64(uint(1)<<random.IntN(30)), 'f', 3*places, 64))
		}
	}
	if taken < tried/10 {
		t.Errorf("%d of %d took the short way", taken, tried)
	}
}

// TestPackDays tries every eleventh day that the short way takes, and the days around each end of February.
func TestPackDays(t *testing.T) {
	t.Parallel()
	days := shortWay{"date", packDate, Type{Kind: Date}.AppendText}
	times := shortWay{"timestamp", packTimestamp, Type{Kind: Timestamp}.AppendText}
	last := time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
	for day := time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC); !day.After(last); day = day.AddDate(0, 0, 11) {
		text := day.AppendFormat(nil, "2006-01-02")
		if !days.check(t, text) || day.Year()%4 == 0 && !times.check(t, text) {
			t.Fatalf("%s takes the long way", text)
		}
	}
	for year := range 9999 {
		for _, day := range []string{"02-28", "02-29", "02-30", "03-01", "12-31"} {
			times.check(t, fmt.Appendf(nil, "%04d-%s 01:02:03.004Z", year+1, day))
		}
	}
}

func TestPackersDoNotAllocate(t *testing.T) {
	room := make([]byte, 100)
	for _, c := range hotTexts {
		pack, text := parseType(t, c.typ).Packer(contracts.Text), []byte(c.text)
		if pack == nil {
			continue
		}
		if n := testing.AllocsPerRun(100, func() { pack(room, text) }); n != 0 {
			t.Errorf("%s %q: %v allocations, want none", c.typ, c.text, n)
		}
	}
}

// TestPackHex tries each byte at each place of a uuid.
func TestPackHex(t *testing.T) {
	t.Parallel()
	uuids := shortWay{"uuid", packUUID, Type{Kind: UUID}.AppendText}
	for at := range 36 {
		taken := 0
		for c := range 256 {
			text := []byte("00000000-1111-2222-3333-444444444444")
			text[at] = byte(c)
			if uuids.check(t, text) {
				taken++
			}
		}
		if want := map[bool]int{true: 1, false: 22}[at == 8 || at == 13 || at == 18 || at == 23]; taken != want {
			t.Errorf("byte %d: %d values take the short way, expected %d", at, taken, want)
		}
	}
}

// TestPackDigits tries each byte at each place of numbers, dates and times.
func TestPackDigits(t *testing.T) {
	t.Parallel()
	for _, w := range shortWays(t) {
		for _, whole := range []string{"1", "12", "1234", "12.45", "-1234.67", "12345678", "1234567.9", "123456789012.4567",
			"-1234567890123456", "2026-11-12", "2026-11-12T10:11:12.345Z", "2024-02-29T23:59:59.999Z",
			"2026-11-12 10:11:12+01:00", "false", "a text"} {
			for at := range whole {
				for c := range 256 {
					text := []byte(whole)
					text[at] = byte(c)
					w.check(t, text)
				}
			}
		}
	}
}

func TestPackNullAndUnset(t *testing.T) {
	t.Parallel()
	room := make([]byte, PackRoom)
	if n := PackNull(room, nil); !bytes.Equal(room[:n], AppendNull(nil)) {
		t.Errorf("null: found %x", room[:n])
	}
	if n := PackUnset(room, nil); !bytes.Equal(room[:n], AppendUnset(nil)) {
		t.Errorf("unset: found %x", room[:n])
	}
}

// FuzzPacker wants of each short way what the long one gives, or nothing.
func FuzzPacker(f *testing.F) {
	ways := shortWays(f)
	for _, c := range hotTexts {
		f.Add([]byte(c.text))
	}
	for _, text := range []string{"-12.345", "2026-01-31", "1767225600", "\x00", "ab\xc3\xa9", "9007199254740993"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, w := range ways {
			w.check(t, text)
		}
	})
}

func BenchmarkPacker(b *testing.B) {
	for _, c := range hotTexts {
		pack, text := parseType(b, c.typ).Packer(contracts.Text), []byte(c.text)
		if pack == nil {
			continue
		}
		room := make([]byte, 100)
		b.Run(c.typ+" "+c.text, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if pack(room, text) == 0 {
					b.Fatal("took the long way")
				}
			}
		})
	}
}
