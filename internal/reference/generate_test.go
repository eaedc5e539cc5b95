package reference

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/penstock-io/penstock/chunk/csv"
	"github.com/penstock-io/penstock/contracts"
)

// sample is a file that one seed says, and how it is read.
type sample struct {
	seed   uint64
	format contracts.Format
	data   []byte
	clean  bool // a writer of the dialect wrote it
	inputs []string
	limit  int64   // bytes of a record
	sizes  []int64 // of chunks
	step   int     // bytes that the store gives at a time; 0: all
}

// generator makes one sample.
type generator struct {
	*rand.Rand
	s      sample
	out    strings.Builder
	header int64 // bytes that it takes up to its end
}

func generate(seed uint64) sample {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15)), s: sample{seed: seed, limit: 1 << 20}}
	switch n := g.IntN(20); {
	case n < 14:
		g.csv()
	case n < 17:
		g.ndjson()
	default:
		g.text()
	}
	if g.IntN(2) == 0 {
		g.s.limit = max(1+g.Int64N(60), g.header) // a header over the limit is an error of the file
	}
	if g.IntN(3) == 0 {
		g.s.step = 1 + g.IntN(20)
	}
	g.sizes()
	return g.s
}

// sizes picks chunk sizes: any for small files, some dozens of chunks for others, now and then a byte each.
func (g *generator) sizes() {
	size := int64(len(g.s.data))
	least := 1 + size/30
	if size < 60 || size < 400 && g.IntN(10) == 0 {
		least = 1
	}
	g.s.sizes = []int64{least + g.Int64N(size+1), least + g.Int64N(least)}
}

func pick[T any](g *generator, all ...T) T { return all[g.IntN(len(all))] }

// rows is how many records a file has: few in most, and now and then so many that scans and readers take many blocks.
func (g *generator) rows() int {
	switch n := g.IntN(200); {
	case n == 0:
		return g.IntN(5000)
	case n < 10:
		return g.IntN(500)
	case n < 60:
		return g.IntN(40)
	default:
		return g.IntN(9)
	}
}

// csv makes a CSV file: in order, with some dirt, or of nothing but dirt.
func (g *generator) csv() {
	f := &g.s.format
	f.Name, f.Compression = "csv", "none"
	for err := error(contracts.Errorf(contracts.KindConfig, "")); err != nil; _, err = csv.New(f.CSV) {
		f.CSV = g.dialect()
	}
	if g.IntN(8) == 0 {
		g.out.WriteString(bom)
	}
	for range f.CSV.Skip {
		g.line("x", `"`, f.CSV.Delimiter, f.CSV.Quote, " ")
	}
	kind := g.IntN(4)
	if kind == 0 {
		g.line(g.words()...)
		for range g.rows() {
			g.line(g.words()...)
		}
	} else {
		g.table()
	}
	g.s.clean = kind > 1
	g.s.data = []byte(g.out.String())
	if kind == 1 {
		g.spoil()
	}
	g.bind()
}

func (g *generator) dialect() contracts.CSVFormat {
	c := contracts.CSVFormat{Delimiter: ",", Quote: `"`, Escape: `"`, Null: []string{""}, QuotedNewlines: g.IntN(5) > 0}
	if g.IntN(2) == 0 {
		c.Delimiter = pick(g, ";", "\t", "|", " ", "||", "::", "aab", "a,a", "é", "→", ";|", "abababac", "\x00")
	}
	if g.IntN(4) == 0 {
		c.Quote = pick(g, "'", "", "a", "\xff")
		c.Escape = c.Quote
	}
	if g.IntN(3) == 0 {
		c.Escape = pick(g, `\`, "", "e", c.Delimiter[:1])
	}
	if g.IntN(3) == 0 {
		c.Comment = pick(g, "#", ";", "c", "\x00", `\`)
	}
	if g.IntN(4) == 0 {
		c.Null = pick(g, nil, []string{"b"}, []string{"", "NULL", " "}, []string{`"`, "a\xff"})
	}
	c.Header, c.Trim = g.IntN(2) == 0, g.IntN(4) == 0
	if g.IntN(6) == 0 {
		c.Skip = 1 + g.IntN(3)
	}
	return c
}

// words are a dialect's own bytes and a few that mean nothing.
func (g *generator) words() []string {
	c := g.s.format.CSV
	all := []string{
		c.Delimiter, c.Delimiter, c.Delimiter, "a", "b", " ", "\t", ",", "|", "x\xff", "\x00", `\`, "é", "NULL",
		"longer words", c.Delimiter[:1], c.Delimiter[len(c.Delimiter)-1:],
	}
	for _, s := range []string{
		c.Quote, c.Quote, c.Quote, c.Escape, c.Comment, c.Quote + c.Delimiter, c.Delimiter + c.Quote,
		c.Quote + c.Delimiter[:1] + c.Delimiter + c.Quote, // where delimiters overlap
	} {
		if s != "" {
			all = append(all, s)
		}
	}
	return all
}

// line writes a line of some of the words.
func (g *generator) line(words ...string) {
	for range g.IntN(12) {
		g.out.WriteString(words[g.IntN(len(words))])
	}
	g.out.WriteString(g.newline())
}

func (g *generator) newline() string { return pick(g, "\n", "\n", "\n", "\r\n", "\r") }

// table writes records in order.
func (g *generator) table() {
	f := g.s.format.CSV
	newline := pick(g, "\n", "\n", "\r\n", "\r")
	width, plain := 1+g.IntN(6), g.IntN(3) == 0
	rows := g.rows()
	for i := range rows + 1 {
		if f.Comment != "" && g.IntN(5) == 0 {
			g.out.WriteString(f.Comment + `a "comment",` + f.Quote + newline)
		}
		if g.IntN(30) == 0 {
			g.out.WriteString(newline)
		}
		for j := range width {
			if j > 0 {
				g.out.WriteString(f.Delimiter)
			}
			if text, quote := g.value(plain && g.IntN(50) > 0); quote || j == 0 && g.mustQuoteFirst(text, width) {
				g.out.WriteString(g.quoted(text))
			} else {
				g.out.WriteString(text)
			}
		}
		if i < rows || g.IntN(2) == 0 {
			g.out.WriteString(newline)
		}
	}
}

// mustQuoteFirst says whether a record's first value would make it a comment, or a blank line.
func (g *generator) mustQuoteFirst(text string, width int) bool {
	f := g.s.format.CSV
	return f.Quote != "" && (text == "" && width == 1 || f.Comment != "" && strings.HasPrefix(text, f.Comment))
}

// value is a value that the dialect can write, and whether it must be quoted, or just is.
func (g *generator) value(plain bool) (text string, quote bool) {
	f := g.s.format.CSV
	text = pick(g, "", "z", "some words", "0123456789", "2026-01-01T00:00:00Z", "ü→", "-1.5",
		strings.Repeat("long ", g.IntN(9)))
	if plain {
		text = pick(g, "z", "0123456789", "2026-01-01T00:00:00Z", "words")
	} else if f.Quote != "" && g.IntN(3) == 0 {
		text = pick(g, f.Quote, f.Delimiter, "two\nlines", "\r\n", "a\rb", f.Quote+f.Quote, "x\x00", " ", "\xff", `\`, "#",
			"say "+f.Quote+"hi"+f.Quote)
	}
	if g.IntN(5000) == 0 { // longer than a block of a reader, or of a scan
		text = strings.Repeat("very long, ", 6000+g.IntN(9000))
	}
	if !f.QuotedNewlines {
		text = strings.NewReplacer("\r", "", "\n", "").Replace(text)
	}
	if f.Escape == "" {
		text = strings.ReplaceAll(text, f.Quote, "")
	}
	special := "\r\n" + f.Delimiter + f.Quote + f.Escape + f.Comment
	if f.Quote == "" { // nothing can be quoted
		return strings.Trim(strings.Map(func(r rune) rune {
			if strings.ContainsRune(special, r) {
				return -1
			}
			return r
		}, text), " \t"), false
	}
	return text, strings.ContainsAny(text, special) || g.IntN(4) == 0
}

func (g *generator) quoted(text string) string {
	f := g.s.format.CSV
	if f.Escape != f.Quote && f.Escape != "" {
		text = strings.ReplaceAll(text, f.Escape, f.Escape+f.Escape)
	}
	return f.Quote + strings.ReplaceAll(text, f.Quote, f.Escape+f.Quote) + f.Quote
}

// spoil puts in, changes and drops a few bytes, and cuts some files off.
func (g *generator) spoil() {
	b := g.s.data
	words := append(g.words(), "\n", "\r", "\r\n")
	for range 1 + g.IntN(4) {
		at := g.IntN(len(b) + 1)
		switch g.IntN(4) {
		case 0:
			b = slices.Delete(b, at, min(at+1+g.IntN(3), len(b)))
		case 1:
			b = append(b[:at:at], words[g.IntN(len(words))]...)
			b = append(b, g.s.data[min(len(g.s.data), at+1):]...)
		default:
			b = slices.Insert(b, at, []byte(words[g.IntN(len(words))])...)
		}
	}
	if g.IntN(6) == 0 {
		b = b[:g.IntN(len(b)+1)]
	}
	g.s.data = b
}

// bind picks inputs that the file has, and now and then one that it lacks.
func (g *generator) bind() {
	file := CSV(g.s.data, g.s.format.CSV, g.s.limit)
	if g.s.format.CSV.Header {
		g.header = file.DataOffset
	}
	for i := range file.Width {
		name := fmt.Sprint(i)
		if file.Names != nil {
			name = file.Names[i]
		}
		if g.IntN(4) > 0 && (file.Names == nil || !twice(file.Names, name)) {
			g.s.inputs = append(g.s.inputs, name)
		}
	}
	g.Shuffle(len(g.s.inputs), func(i, j int) { g.s.inputs[i], g.s.inputs[j] = g.s.inputs[j], g.s.inputs[i] })
	if g.IntN(40) == 0 {
		g.s.inputs = append(g.s.inputs, "99")
	}
}

func twice(names []string, name string) bool {
	i := slices.Index(names, name)
	return slices.Contains(names[i+1:], name)
}

func (g *generator) ndjson() {
	g.s.format = contracts.Format{Name: "ndjson", Compression: "none"}
	g.s.inputs = []string{"a", "o.x", "b.c", "é"}[:1+g.IntN(4)]
	values := []string{
		"1", "-0.5e+3", "01", `"x"`, `"é\n\u00e9\ud83d\ude00"`, `"\ud800"`, `"\x"`, "null", "true", "fals",
		"[1,{}]", "\"\xff\"",
		`{"x":1,"x":"y"}`, `{"c":[]}`, `"` + strings.Repeat("long ", 20) + `"`, "\"\x01\"", "\"\x00\"", `"\\"`, "{",
		"[1,]", "",
	}
	names := []string{"a", "a", "o", "b", "é", "o.x", `\u0061`, "c", "", "\xff"}
	good := values[:2]
	if g.IntN(4) > 0 {
		good = values
	}
	g.lines(func() {
		g.out.WriteString(pick(g, "{", "{", "{", "{", " {", "[", "\t{ "))
		for i := range g.IntN(4) {
			if i > 0 {
				g.out.WriteString(pick(g, ",", ",", ",", " , ", ";"))
			}
			colon := pick(g, ":", ":", ":", " :\t", "=")
			fmt.Fprintf(&g.out, `"%s"%s%s`, names[g.IntN(len(names))], colon, good[g.IntN(len(good))])
		}
		g.out.WriteString(pick(g, "}", "}", "}", "}", "} ", "}}", ""))
	})
}

func (g *generator) text() {
	g.s.format = contracts.Format{Name: "text", Compression: "none"}
	f := &g.s.format.Text
	switch g.IntN(3) {
	case 0:
		f.Fields, g.s.inputs = []string{"one", "two", "rest"}, []string{"rest", "one"}
	case 1:
		f.Fields, g.s.inputs = []string{"line"}, []string{"line"}
	default:
		f.Pattern, g.s.inputs = `^(?P<host>\S+) (?P<code>\d+)(?: (?P<size>\d+))?`, []string{"size", "host"}
	}
	words := []string{"host", " ", " ", "\t", "200", "17", "\xff", "\x00", "ü", "  ", strings.Repeat("x", 30)}
	g.lines(func() {
		for range g.IntN(9) {
			g.out.WriteString(words[g.IntN(len(words))])
		}
	})
}

// lines writes lines, each ended by a line break but maybe the last.
func (g *generator) lines(one func()) {
	if g.IntN(8) == 0 {
		g.out.WriteString(bom)
	}
	rows := g.rows()
	for i := range rows {
		if one(); i < rows-1 || g.IntN(2) == 0 {
			g.out.WriteString(g.newline())
		}
	}
	g.s.data = []byte(g.out.String())
}
