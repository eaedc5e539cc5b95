package csv

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	stdcsv "encoding/csv"

	"github.com/penstock-io/penstock/contracts"
)

// readAll reads src with a buffer so small that every record is moved in it.
func readAll(t *testing.T, d *Dialect, src string, o Options) ([]contracts.Record, error) {
	t.Helper()
	r := d.NewReader(strings.NewReader(src), o)
	var all []contracts.Record
	for {
		rec, err := r.Next()
		if err == io.EOF {
			return all, nil
		} else if err != nil {
			return all, err
		}
		all = append(all, clone(rec))
	}
}

func clone(rec *contracts.Record) contracts.Record {
	c := *rec
	c.Raw = bytes.Clone(rec.Raw)
	c.Fields = nil
	for _, f := range rec.Fields {
		c.Fields = append(c.Fields, contracts.Field{Kind: f.Kind, Bytes: append([]byte(nil), f.Bytes...)})
	}
	return c
}

func TestBufferSizeChangesNothing(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(3, 4))
	d := mustDialect(t, standard())
	words := []string{"a", "bcdefghij", ",", ",", "\n", "\n", `"`, `"`, `""`, ` `, "\r\n", strings.Repeat("long ", 20)}
	for range 5000 {
		var doc strings.Builder
		for range rnd.IntN(60) {
			doc.WriteString(words[rnd.IntN(len(words))])
		}
		limit := 1 + rnd.Int64N(150)
		o := Options{Object: "/a", MaxRecord: limit, Inputs: []string{"0"}}
		want, wantErr := readAll(t, d, doc.String(), o)
		o.Buffer = 16 + rnd.IntN(40)
		got, err := readAll(t, d, doc.String(), o)
		if !reflect.DeepEqual(got, want) || (err == nil) != (wantErr == nil) || err != nil && err.Error() != wantErr.Error() {
			t.Fatalf("%q with a buffer of %d:\n got %v %v\nwant %v %v", doc.String(), o.Buffer, got, err, want, wantErr)
		}
	}
}

// slowScan asks step byte by byte, from one state.
func slowScan(d *Dialect, s State, b []byte, offset int64, last bool) contracts.Outcome {
	out := contracts.Outcome{Start: s, First: -1, Quote: -1}
	for i, c := range b {
		next, a := d.step(s, c)
		if a&starts != 0 {
			out.Records++
			if out.First < 0 {
				out.First = offset + int64(i)
			}
		}
		if a&opens != 0 {
			out.Quote = offset + int64(i)
		}
		s = next
	}
	if last {
		s, _ = d.end(s)
	}
	if !inQuote(s) {
		out.Quote = -1
	}
	out.End = s
	return out
}

func TestScanIsTheAutomatonFromEveryState(t *testing.T) {
	t.Parallel()
	formats := []func(*contracts.CSVFormat){
		func(*contracts.CSVFormat) {},
		func(c *contracts.CSVFormat) { c.Escape, c.Comment = `\`, "#" },
		func(c *contracts.CSVFormat) { c.Delimiter = "aab" },
		func(c *contracts.CSVFormat) { c.Quote = "" },
		func(c *contracts.CSVFormat) { c.QuotedNewlines, c.Delimiter = false, "||" },
	}
	rnd := rand.New(rand.NewPCG(5, 6))
	for _, change := range formats {
		f := standard()
		change(&f)
		d := mustDialect(t, f)
		for i := range 300 {
			size, noise := rnd.IntN(200), 8
			if i < 4 {
				size, noise = firstBlock+scanBlock+i, 1000 // several blocks, plain lines among them
			}
			b := randomBytes(rnd, size, noise, f.Delimiter)
			last := rnd.IntN(2) == 0
			outs, err := d.Scan(bytes.NewReader(b), 1000, int64(len(b)), last)
			if err != nil || len(outs) != len(d.reached) {
				t.Fatalf("scan: %v, %d outcomes, expected %d", err, len(outs), len(d.reached))
			}
			for _, got := range outs {
				if want := slowScan(d, got.Start, b, 1000, last); got != want {
					t.Fatalf("%+v over %.300q:\n got %+v\nwant %+v", f, b, got, want)
				}
			}
		}
	}
}

func randomBytes(rnd *rand.Rand, size, noise int, delimiter string) []byte {
	special := "\"\"\n\r,\\#|" + delimiter
	b := make([]byte, size)
	for i := range b {
		switch n := rnd.IntN(noise); {
		case n == 0:
			b[i] = special[rnd.IntN(len(special))]
		case rnd.IntN(30) == 0:
			b[i] = '\n'
		default:
			b[i] = "abcd"[rnd.IntN(4)]
		}
	}
	return b
}

func TestEncodingCSVAgreesOnCleanInput(t *testing.T) {
	t.Parallel()
	d := mustDialect(t, standard())
	rnd := rand.New(rand.NewPCG(7, 8))
	values := []string{"", "a", "b c", `say "hi"`, "x,y", "two\nlines", " padded ", `""`, "\t"}
	for range 2000 {
		var doc bytes.Buffer
		w := stdcsv.NewWriter(&doc)
		width := 1 + rnd.IntN(4)
		inputs := []string{"0", "1", "2", "3"}[:width]
		for range rnd.IntN(6) {
			row := make([]string, width)
			for i := range row {
				row[i] = values[rnd.IntN(len(values))]
			}
			if width > 1 || row[0] != "" {
				_ = w.Write(row)
			}
		}
		w.Flush()
		want, err := stdcsv.NewReader(bytes.NewReader(doc.Bytes())).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		got, err := readAll(t, d, doc.String(), Options{MaxRecord: 1 << 20, Inputs: inputs})
		if err != nil || len(got) != len(want) {
			t.Fatalf("%q: %d records, %v; expected %d", doc.String(), len(got), err, len(want))
		}
		for i, rec := range got {
			for j, f := range rec.Fields {
				if string(f.Bytes) != want[i][j] {
					t.Fatalf("%q: record %d field %d is %q, expected %q", doc.String(), i, j, f.Bytes, want[i][j])
				}
			}
		}
	}
}

func TestNoAllocationPerRecord(t *testing.T) {
	d := mustDialect(t, standard())
	bind := &contracts.Binding{Width: 10, Positions: []int{4, 0, 9, -1}}
	data := table(1<<20, true)
	r := d.NewReader(bytes.NewReader(data), Options{MaxRecord: 1 << 20, Binding: bind, Inputs: make([]string, 4)})
	if n := testing.AllocsPerRun(5000, func() {
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations per record, expected none", n)
	}
}

func TestMemoryIsBoundedByTheRecordLimit(t *testing.T) {
	t.Parallel()
	const limit = 100_000
	d := mustDialect(t, standard())
	long := io.LimitReader(endless{}, 50<<20)
	src := io.MultiReader(strings.NewReader("a,b\n\""), long, strings.NewReader("\",c\nd,e\n"))
	r := d.NewReader(src, Options{MaxRecord: limit, Inputs: []string{"0"}})
	lengths := []int64{3, 50<<20 + 4, 3}
	for _, want := range lengths {
		rec, err := r.Next()
		if err != nil || rec.Length != want || (rec.Problem != nil) != (want > limit) {
			t.Fatalf("%v, length %d, problem %v; expected length %d", err, rec.Length, rec.Problem, want)
		}
		if rec.Problem != nil && (len(rec.Raw) != limit || rec.Problem.Rule != contracts.RuleLength) {
			t.Errorf("%d raw bytes, rule %s", len(rec.Raw), rec.Problem.Rule)
		}
	}
	if _, err := r.Next(); err != io.EOF {
		t.Errorf("found %v, expected the end", err)
	}
	if n := cap(r.win.Buf); n > limit+64<<10 {
		t.Errorf("buffer of %d bytes, expected at most the limit and a block", n)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = "x\n,"[i%3]
	}
	return len(p), nil
}

func TestProblemsSayWhatWasFoundAndExpected(t *testing.T) {
	t.Parallel()
	oneLine := standard()
	oneLine.QuotedNewlines = false
	tests := map[string]struct {
		format contracts.CSVFormat
		src    string
		rule   contracts.Rule
		value  string
		reason string
	}{
		"too few":  {standard(), "a,b\nc\n", contracts.RuleFields, "", "found 1 field, expected 2"},
		"too many": {standard(), "a,b\nc,d,e\n", contracts.RuleFields, "", "found 3 fields, expected 2"},
		"garbage": {standard(), "a,b\n\"c\"x y,d\n", contracts.RuleSyntax, "x y",
			`byte 3 of the record: found "x" after a closing quote, expected the delimiter "," or a line break`},
		"garbage counts once": {standard(), "a,b\n\"c\"x,\"d\"y\n", contracts.RuleSyntax, "x",
			`byte 3 of the record: found "x" after a closing quote, expected the delimiter "," or a line break`},
		"line break in quotes": {oneLine, "a,b\nc,\"d\ne,f\n", contracts.RuleSyntax, "\"d",
			"byte 2 of the record: quote is not closed when the line ends, and csv.quoted_newlines is false"},
		"end in quotes": {oneLine, "a,b\nc,\"d", contracts.RuleSyntax, "\"d",
			"byte 2 of the record: quote is not closed when the line ends, and csv.quoted_newlines is false"},
		"too long": {standard(), "a,b\n" + strings.Repeat("c", 40) + ",d\n", contracts.RuleLength, "",
			"record of 42 bytes, expected at most 30 (PENSTOCK_MAX_RECORD)"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			recs, err := readAll(t, mustDialect(t, tt.format), tt.src, Options{MaxRecord: 30, Inputs: []string{"0"}})
			if err != nil || len(recs) < 2 || recs[0].Problem != nil {
				t.Fatalf("%v %v", recs, err)
			}
			want := &contracts.Problem{Rule: tt.rule, Value: tt.value, Reason: tt.reason}
			if !reflect.DeepEqual(recs[1].Problem, want) {
				t.Errorf("\n got %+v\nwant %+v", recs[1].Problem, want)
			}
			if recs[1].Fields != nil {
				t.Errorf("fields %v of a record that cannot be read", recs[1].Fields)
			}
		})
	}
}

func TestUnclosedQuoteIsAnErrorWhereItOpened(t *testing.T) {
	t.Parallel()
	o := Options{Object: "s3://b/k", MaxRecord: 10}
	recs, err := readAll(t, mustDialect(t, standard()), "a,b\nc,d\ne,\"f\ng,h\n", o)
	var e *contracts.Error
	if len(recs) != 2 || !errors.As(err, &e) || e.Kind != contracts.KindInput || e.Offset != 10 || e.Object != "s3://b/k" {
		t.Fatalf("%d records, %v; expected 2 and an input error at byte 10", len(recs), err)
	}
	if want := "quote opened here is never closed"; !strings.Contains(err.Error(), want) {
		t.Errorf("%v\nexpected it to say: %s", err, want)
	}
}

func TestFormatsThatDefineNoDialectAreRefused(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(*contracts.CSVFormat)
		want   string
	}{
		"no delimiter":         {func(c *contracts.CSVFormat) { c.Delimiter = "" }, `delimiter "" has 0 bytes`},
		"long delimiter":       {func(c *contracts.CSVFormat) { c.Delimiter = "123456789" }, "has 9 bytes, expected 1 to 8"},
		"two-byte quote":       {func(c *contracts.CSVFormat) { c.Quote = "''" }, `quote "''" has 2 bytes`},
		"line break":           {func(c *contracts.CSVFormat) { c.Delimiter = ",\n" }, `delimiter ",\n" holds a line break`},
		"quote in delimiter":   {func(c *contracts.CSVFormat) { c.Delimiter = `,"` }, `holds the quote`},
		"comment in delimiter": {func(c *contracts.CSVFormat) { c.Comment = "," }, "begins with the comment byte"},
		"comment is quote":     {func(c *contracts.CSVFormat) { c.Comment = `"` }, "is both quote and comment"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := standard()
			tt.change(&f)
			_, err := New(f)
			if contracts.KindOf(err) != contracts.KindConfig || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("found %v, expected a config error with: %s", err, tt.want)
			}
		})
	}
}
