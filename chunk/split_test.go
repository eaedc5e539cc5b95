package chunk_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/penstock-io/penstock/chunk"
	"github.com/penstock-io/penstock/contracts"
)

// dialect is the interface's default, without a header.
func dialect(change func(*contracts.CSVFormat)) contracts.Format {
	f := contracts.Format{Name: "csv", Compression: "none", CSV: contracts.CSVFormat{
		Delimiter: ",", Quote: `"`, Escape: `"`, Null: []string{""}, QuotedNewlines: true,
	}}
	if change != nil {
		change(&f.CSV)
	}
	return f
}

var dialects = map[string]contracts.Format{
	"default":            dialect(nil),
	"backslash":          dialect(func(c *contracts.CSVFormat) { c.Escape = `\` }),
	"no escape":          dialect(func(c *contracts.CSVFormat) { c.Escape = "" }),
	"no quote":           dialect(func(c *contracts.CSVFormat) { c.Quote, c.Escape = "", "" }),
	"comment":            dialect(func(c *contracts.CSVFormat) { c.Comment = "#" }),
	"trim":               dialect(func(c *contracts.CSVFormat) { c.Trim, c.Null = true, []string{"", "b"} }),
	"one line":           dialect(func(c *contracts.CSVFormat) { c.QuotedNewlines = false }),
	"one line backslash": dialect(func(c *contracts.CSVFormat) { c.QuotedNewlines, c.Escape = false, `\` }),
	"two bytes":          dialect(func(c *contracts.CSVFormat) { c.Delimiter = "||" }),
	"overlapping":        dialect(func(c *contracts.CSVFormat) { c.Delimiter = "aab" }),
	"eight bytes":        dialect(func(c *contracts.CSVFormat) { c.Delimiter, c.Comment = "abababac", "#" }),
	"long, backslash": dialect(func(c *contracts.CSVFormat) {
		c.Delimiter, c.Escape, c.Comment, c.Null = "a,a", `\`, ";", nil
	}),
	"space, trim": dialect(func(c *contracts.CSVFormat) { c.Delimiter, c.Trim = " ", true }),
	"one line, two bytes": dialect(func(c *contracts.CSVFormat) {
		c.Delimiter, c.QuotedNewlines, c.Comment = ";|", false, "#"
	}),
}

var documents = []string{
	"", "\n", "\r\n\r\n", "a", "a,b\nc,d\n", "a,b\r\nc,d\r\n", "a,b\rc,d\r", "a,b\n\n\nc,d",
	`"a","b"` + "\n" + `"c","d"`, "\"a\nb\",c\r\nd,e", "\"a\r\nb\",c\r\n\"\"\"\",\"\"\r\n",
	"a,\"b\"x,c\nd,e,f\n", "a,b\nc\nd,e,f\n,\n", "\"a\"\"b\",c\n\"d\"\"\",\"\"\"e\"\n", "\"a\" ,b\n c, d \n",
	"#x\na,b\n#\"\n#,\r\nc,#d\n", "#only", "a\"b,c\n\"d,e\nf,g\n", "a,b\n\"open",
	"\"a\\\"b\",c\n\"\\\\\",\\\n\"\\x\ny\",z",
	"a||b\n\"c\"||d|e\n|f||\n\"g\"|h\n\"i\"|", "aab\naaab\n\"x\"aaab\"y\"\nxaab\"z\n\"", "abababac\nababababac\"q\"\n",
	"\"a\nb\"abababac\"c\"abab\rd", ";c\na,a\"b\\\"\"a,a\n\"x\"a,b\"y\"\n", "a;|b\n\"c;|d\ne;f|\n#g\n\";|\"\n",
	"\"\n\n\n\"\n,\n\"", "\r\r\n\n\r", " \n\t\n", "long long long,record\nb,c\n", "\"long \n long\n\",d\ne,f\n",
}

// compare reads doc whole and in chunks, and holds both against the reference.
func compare(t testing.TB, f contracts.Format, doc string, segments []int64, max int64) {
	t.Helper()
	ref := reference{doc: []byte(doc), f: f.CSV}
	want, open := ref.expect(0, max)
	s := chunk.Spec{Format: f, Inputs: ref.inputs(0), MaxRecord: max}
	m := &memory{data: []byte(doc)}
	all, err := readPart(t, m, whole(m, "a.csv", f), s)
	sameEnd(t, fmt.Sprintf("whole %q", doc), all, want, err, open)
	for _, n := range segments {
		m.step = int(n) % 5
		all, err := readSplit(t, m, s, n)
		if err != nil && len(want) == 0 && open >= 0 {
			continue // the head itself cannot be read: no chunk is planned
		}
		sameEnd(t, fmt.Sprintf("chunks of %d of %q", n, doc), all, want, err, open)
	}
}

func sameEnd(t testing.TB, what string, all, want []got, err error, open int) {
	t.Helper()
	if !reflect.DeepEqual(all, want) {
		t.Fatalf("%s:\n got %+v\nwant %+v", what, all, want)
	}
	var e *contracts.Error
	if open < 0 && err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	if open >= 0 && (!errors.As(err, &e) || e.Offset != int64(open) || e.Kind != contracts.KindInput) {
		t.Fatalf("%s: found error %v, expected an input error at %d", what, err, open)
	}
}

func upTo(n int) (all []int64) {
	for i := range n {
		all = append(all, int64(i+1))
	}
	return append(all, int64(n+1))
}

func TestEveryChunkSizeYieldsTheSameRecords(t *testing.T) {
	t.Parallel()
	for name, f := range dialects {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, doc := range documents {
				compare(t, f, doc, upTo(len(doc)), 1<<20)
				compare(t, f, doc, []int64{1, 3}, 6)
			}
		})
	}
}

// alphabet is what a dialect's documents are made of: its own bytes and a few that mean nothing.
func alphabet(f contracts.CSVFormat) []string {
	all := []string{
		f.Delimiter, f.Delimiter, "\n", "\n", "\r", "\r\n", "a", "b", " ", "\t", ",", "|", "x\xff", "\x00", "\\",
	}
	for i := range len(f.Delimiter) {
		all = append(all, f.Delimiter[i:i+1])
	}
	for _, s := range []string{f.Quote, f.Quote, f.Quote, f.Quote, f.Escape, f.Comment, f.Quote + f.Delimiter} {
		if s != "" {
			all = append(all, s)
		}
	}
	return all
}

func document(rnd *rand.Rand, words []string) string {
	doc := ""
	for range rnd.IntN(30) {
		doc += words[rnd.IntN(len(words))]
	}
	return doc
}

func TestRandomDocumentsSplitAnywhere(t *testing.T) {
	t.Parallel()
	const documents = 20_000
	for name, f := range dialects {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rnd := rand.New(rand.NewPCG(1, 2))
			words := alphabet(f.CSV)
			for i := range documents/len(dialects) + 1 {
				doc := document(rnd, words)
				segment := 1 + rnd.Int64N(int64(len(doc)+1))
				if i%8 == 0 {
					segment = 1
				}
				compare(t, f, doc, []int64{segment}, 1+rnd.Int64N(40))
			}
		})
	}
}
