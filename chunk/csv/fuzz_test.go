package csv

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/penstock-io/penstock/contracts"
)

// fuzzed is the dialect that a few bytes of a fuzzer's input say; false where they say none.
func fuzzed(delimiter string, quote, escape, comment, flags byte) (*Dialect, bool) {
	one := func(b byte) string { return strings.TrimRight(string([]byte{b}), "\x00") }
	d, err := New(contracts.CSVFormat{
		Delimiter: delimiter, Quote: one(quote), Escape: one(escape), Comment: one(comment), Null: []string{""},
		Header: flags&1 != 0, Trim: flags&2 != 0, QuotedNewlines: flags&4 == 0, Skip: int(flags >> 6),
	})
	return d, err == nil
}

// seeds calls add with texts that went wrong in one way or another, in dialects of all kinds.
func seeds(add func(text []byte, delimiter string, quote, escape, comment, flags byte)) {
	long := strings.Repeat("a,\"b\"\"c\",\"d\ne\"\r\n", 40)
	texts := []string{
		"", "a,b\nc,d\n", "\"a\nb\",c\r\n\"\"\"\",\"\"\rx", "a,\"b\"x,c\n\"d", "5\" x,\"y\n\"\"z\"\n#\",\n", long,
		strings.Repeat("x", 63) + "\"\n\"" + long, long + "\xff\x00\"\\\"", strings.Repeat("\"", 130) + "\n,",
		strings.Repeat("plain,line\n", 200) + "\"q\n\",r\n" + strings.Repeat("plain,line\r", 20),
	}
	for i, text := range texts {
		add([]byte(text), ",", '"', '"', 0, byte(i))
		add([]byte(text), ",", '"', '\\', '#', 0)
		add([]byte(text), "||", '"', '"', '#', 0)
		add([]byte(text), "aab", '\'', 0, ';', 4)
		add([]byte(text), "\t", 0, 0, 0, 0)
	}
}

// FuzzScan holds the scan against the definition of the automaton, byte by byte and from every state, and what two
// pieces compose to against the whole.
func FuzzScan(f *testing.F) {
	seeds(func(text []byte, delimiter string, quote, escape, comment, flags byte) {
		f.Add(text, delimiter, quote, escape, comment, flags, uint16(len(text)/3))
	})
	f.Fuzz(func(t *testing.T, text []byte, delimiter string, quote, escape, comment, flags byte, cut uint16) {
		d, ok := fuzzed(delimiter, quote, escape, comment, flags)
		if !ok {
			return
		}
		at := min(int(cut), len(text))
		first, second := scanned(t, d, text[:at], 7, false), scanned(t, d, text[at:], 7+int64(at), true)
		for i, got := range scanned(t, d, text, 7, true) {
			if want := slowScan(d, got.Start, text, 7, true); got != want {
				t.Fatalf("from state %d over %q:\n got %+v\nwant %+v", got.Start, text, got, want)
			}
			for _, next := range second {
				if composed := Compose(first[i], next); next.Start == first[i].End && composed != got {
					t.Fatalf("cut at %d of %q:\n got %+v\nwant %+v", at, text, composed, got)
				}
			}
		}
	})
}

func scanned(t *testing.T, d *Dialect, b []byte, offset int64, last bool) []contracts.Outcome {
	t.Helper()
	outs, err := d.Scan(bytes.NewReader(b), offset, int64(len(b)), last)
	if err != nil || len(outs) != len(d.reached) {
		t.Fatalf("scan: %v, %d outcomes, expected %d", err, len(outs), len(d.reached))
	}
	return outs
}

// FuzzHead reads heads whole and byte by byte: the same head, or the same error, which is the file's fault.
func FuzzHead(f *testing.F) {
	seeds(func(text []byte, delimiter string, quote, escape, comment, flags byte) {
		f.Add(text, delimiter, quote, escape, comment, flags)
		f.Add(append([]byte("\xef\xbb\xbf"), text...), delimiter, quote, escape, comment, flags|1)
	})
	f.Add([]byte("\xff\xfea\x00"), ",", byte('"'), byte('"'), byte(0), byte(1))
	f.Fuzz(func(t *testing.T, text []byte, delimiter string, quote, escape, comment, flags byte) {
		d, ok := fuzzed(delimiter, quote, escape, comment, flags)
		if !ok {
			return
		}
		whole, err := d.ReadHead(bytes.NewReader(text), "/a.csv", 100)
		bytewise, again := d.ReadHead(iotest.OneByteReader(bytes.NewReader(text)), "/a.csv", 100)
		if !reflect.DeepEqual(whole, bytewise) || (err == nil) != (again == nil) {
			t.Fatalf("%q: %+v, %v; byte by byte %+v, %v", text, whole, err, bytewise, again)
		}
		var input *contracts.Error
		switch {
		case err != nil && (!errors.As(err, &input) || input.Kind != contracts.KindInput):
			t.Fatalf("%q: %v, expected an error of the input", text, err)
		case err == nil && (whole.DataOffset > int64(len(text)) || d.format.Header && len(whole.Names) != whole.Width):
			t.Fatalf("%q: %+v of %d bytes", text, whole, len(text))
		}
	})
}
