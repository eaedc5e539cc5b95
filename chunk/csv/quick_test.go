package csv

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/penstock-io/penstock/contracts"
)

// yielded is all that a reader yields, and the error that it ends with. slow leaves all records to the automaton.
func yielded(d *Dialect, text []byte, o Options, slow bool) (all []contracts.Record, err string) {
	r := d.NewReader(iotest.DataErrReader(bytes.NewReader(text)), o)
	for {
		rec, err := r.Next()
		if err != nil {
			return all, err.Error()
		}
		if all = append(all, clone(rec)); slow {
			r.index = nil
		}
	}
}

// sameAsAutomaton reads a text as a part, by the index and without it.
func sameAsAutomaton(t *testing.T, d *Dialect, text []byte, o Options) {
	t.Helper()
	want, wantErr := yielded(d, text, o, true)
	got, err := yielded(d, text, o, false)
	if err != wantErr || !reflect.DeepEqual(got, want) {
		t.Fatalf("%+v, %+v:\n%.2000q\n got %+v %s\nwant %+v %s", d.format, o, text, got, err, want, wantErr)
	}
}

// FuzzReader holds what is read by the index against what the automaton alone reads: the same records, problems and
// errors in any dialect, from any state, at any size of buffers and limits.
func FuzzReader(f *testing.F) {
	seeds(func(text []byte, delimiter string, quote, escape, comment, flags byte) {
		for _, seed := range []uint16{0, 3, 257, 4099} {
			f.Add(bytes.Repeat(text, 3), delimiter, quote, escape, comment, flags, seed, byte(seed))
		}
	})
	f.Fuzz(func(t *testing.T, text []byte, delimiter string, quote, escape, comment, flags byte, seed uint16, state byte) {
		d, ok := fuzzed(delimiter, quote, escape, comment, flags)
		if !ok {
			return
		}
		rnd := rand.New(rand.NewPCG(uint64(seed), 1))
		sameAsAutomaton(t, d, text, options(rnd, d, int(state), len(text)))
	})
}

// options are any that a part may have, of a text of so many bytes.
func options(rnd *rand.Rand, d *Dialect, state, size int) Options {
	o := Options{
		Object: "/a.csv", Offset: rnd.Int64N(3), State: d.reached[state%len(d.reached)], MaxRecord: 1 + rnd.Int64N(300),
		Buffer: 16 + rnd.IntN(1000), Inputs: []string{"1", "0"},
	}
	if rnd.IntN(2) > 0 {
		o.End = 1 + rnd.Int64N(int64(size)+1)
	}
	if rnd.IntN(4) == 0 {
		return o // a whole object
	}
	width := 1 + rnd.IntN(4)
	o.Binding = &contracts.Binding{Width: width}
	for range o.Inputs {
		o.Binding.Positions = append(o.Binding.Positions, rnd.IntN(width+1)-1)
	}
	return o
}

func TestTheIndexReadsWhatTheAutomatonReads(t *testing.T) {
	t.Parallel()
	formats := map[string]func(*contracts.CSVFormat){
		"standard":  func(*contracts.CSVFormat) {},
		"backslash": func(c *contracts.CSVFormat) { c.Escape, c.Comment = `\`, "#" },
		"no escape": func(c *contracts.CSVFormat) { c.Escape, c.Null = "", nil },
		"tabs":      func(c *contracts.CSVFormat) { c.Delimiter, c.Quote, c.Escape = "\t", "", "" },
		"lines":     func(c *contracts.CSVFormat) { c.QuotedNewlines, c.Null = false, []string{"", "a"} },
		"trim":      func(c *contracts.CSVFormat) { c.Trim = true },
	}
	for name, change := range formats {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := standard()
			change(&f)
			d, rnd := mustDialect(t, f), rand.New(rand.NewPCG(9, 10))
			for range 400 {
				text := rows(rnd, d, 1+rnd.IntN(100))
				sameAsAutomaton(t, d, text, options(rnd, d, rnd.IntN(states), len(text)))
			}
		})
	}
}

// rows writes lines that are in order but for a few bytes.
func rows(rnd *rand.Rand, d *Dialect, n int) []byte {
	q, comma := d.format.Quote, d.format.Delimiter
	values := []string{"", "a", "b c ", strings.Repeat("long ", 20), "x" + q, "é"}
	if q != "" {
		values = append(values, q+q, q+"x"+comma+"\n"+q, q+"say "+d.format.Escape+q+"so"+d.format.Escape+q+q)
	}
	breaks := []string{"\n", "\n", "\n", "\r\n", "\r", "\n\n", "\n#" + q + "c\n"}
	odd := "\"\"\\\r\n,\t# a"
	var b []byte
	for range n {
		for i := range 3 {
			if i > 0 {
				b = append(b, comma...)
			}
			b = append(b, values[rnd.IntN(len(values))]...)
		}
		if rnd.IntN(30) == 0 {
			b = append(b, odd[rnd.IntN(len(odd))])
		}
		b = append(b, breaks[rnd.IntN(len(breaks))]...)
	}
	return b
}
