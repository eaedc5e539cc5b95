package chaos

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"math/rand/v2"
	"strings"
)

// dialect is how the files of one pipeline are written.
type dialect struct {
	json      bool
	delimiter string // of CSV, as all below
	escape    byte   // '"' or '\\'
	header    bool
	comment   bool // lines that start with #
	ending    string
	deletes   bool // nulls: delete
}

// fields of every record, in the files' order.
var fields = []string{"pk", "ck", "v1", "v2", "v3", "s1", "s2", "st"}

// file is one object of a source.
type file struct {
	key    string
	text   []byte // decompressed
	stored []byte
}

// maker writes files of records with keys that repeat near and far, and with dirty records among them.
type maker struct {
	rng        *rand.Rand
	d          dialect
	partitions int
	keys       int     // clustering keys of a partition
	dirt       float64 // share of records that are not in order
	serial     int     // of records, so that values differ
}

func newDialect(rng *rand.Rand) dialect {
	d := dialect{
		json: rng.IntN(4) == 0, delimiter: pick(rng, ",", ",", ";", "||"), escape: pick[byte](rng, '"', '"', '\\'),
		header: rng.IntN(4) > 0, comment: rng.IntN(3) == 0, ending: pick(rng, "\n", "\n", "\r\n", "\r"),
		deletes: rng.IntN(2) == 0,
	}
	if d.json && d.ending == "\r" {
		d.ending = "\n"
	}
	return d
}

func newMaker(rng *rand.Rand, d dialect) *maker {
	return &maker{
		rng: rng, d: d, partitions: pick(rng, 1, 5, 40, 400), keys: pick(rng, 3, 20, 200),
		dirt: pick(rng, 0, 0.01, 0.05, 0.3),
	}
}

func pick[T any](rng *rand.Rand, of ...T) T { return of[rng.IntN(len(of))] }

// files makes a source: a few objects that are split or streamed, and many small ones that share chunks. Sizes go with
// that of chunks, so that a job has some dozens of them.
func (m *maker) files(prefix string, chunkSize int) []file {
	var all []file
	name := func(i int) string { return fmt.Sprintf("%s%02d-%c", prefix, i, 'a'+rune(m.rng.IntN(26))) }
	for i := range 1 + m.rng.IntN(3) {
		all = append(all, m.file(name(i), chunkSize*(1+m.rng.IntN(12)), m.rng.IntN(3) == 0))
	}
	small := pick(m.rng, 0, 3, 12, 70)
	for i := range small {
		all = append(all, m.file(name(i+10)+fmt.Sprint(i), m.rng.IntN(1000), m.rng.IntN(8) == 0))
	}
	return all
}

func (m *maker) file(key string, size int, packed bool) file {
	var b bytes.Buffer
	if !m.d.json && m.d.header {
		b.WriteString(strings.Join(fields, m.d.delimiter) + m.d.ending)
	}
	for serial := m.serial; b.Len() < size; {
		b.WriteString(m.line(m.serial == serial) + m.d.ending)
	}
	text := b.Bytes()
	if m.rng.IntN(3) == 0 && len(text) > 2 { // no line break at the end
		text = bytes.TrimSuffix(text, []byte(m.d.ending))
	}
	f := file{key: key + ".data", text: text, stored: text}
	if packed {
		var z bytes.Buffer
		w := gzip.NewWriter(&z)
		w.Write(text) //nolint:errcheck // to memory
		w.Close()     // to memory
		f.key, f.stored = f.key+".gz", z.Bytes()
	}
	return f
}

// line is a record, or what is none: a blank line or a comment. The first record is in order, whatever stands before
// it, since without a header it says how many fields there are.
func (m *maker) line(first bool) string {
	if first {
		dirt := m.dirt
		m.dirt = 0
		defer func() { m.dirt = dirt }()
	}
	switch m.rng.IntN(60) {
	case 0:
		return ""
	case 1:
		if m.d.comment && !m.d.json {
			return `# a comment, "with a quote`
		}
	}
	m.serial++
	if m.d.json {
		return m.jsonRecord()
	}
	return m.csvRecord()
}

// number is a small number.
func (m *maker) number() string { return fmt.Sprint(m.rng.IntN(2_000_000) - 1_000_000) }

// text is a value with what is hard about text.
func (m *maker) text() string {
	return pick(m.rng, "plain", "ümlaut", "two words", "line\nbreak", "line\r\nbreak", "a, b; c || d", `say "so"`,
		"# no comment", "{\"a\":1}", `back\slash`, "end\n") + fmt.Sprint(m.serial)
}

func (m *maker) csvRecord() string {
	values := []string{
		m.field(fmt.Sprintf("p%d", m.rng.IntN(m.partitions))), fmt.Sprint(m.rng.IntN(m.keys)),
		m.maybe(m.field(m.text())), m.maybe(m.number()), m.maybe(m.number() + ".5"),
		m.maybe(m.field("s" + m.text())), m.maybe(m.number()), m.maybe(pick(m.rng, "on", "off", "test", "on", `"on"`)),
	}
	if m.rng.Float64() < m.dirt {
		values = m.soil(values)
	}
	return strings.Join(values, m.d.delimiter)
}

// maybe is the value, or nothing, or an empty string.
func (m *maker) maybe(v string) string {
	if m.rng.IntN(4) == 0 {
		return ""
	}
	return v
}

// field writes a value, in quotes where it must be or by chance.
func (m *maker) field(v string) string {
	must := strings.ContainsAny(v, "\r\n\"#\\") || strings.Contains(v, m.d.delimiter) || m.d.delimiter == "||"
	if !must && m.rng.IntN(3) > 0 {
		return v
	}
	quote := `""`
	if m.d.escape == '\\' {
		quote = `\"`
		v = strings.ReplaceAll(v, `\`, `\\`)
	}
	return `"` + strings.ReplaceAll(v, `"`, quote) + `"`
}

// soil makes a record one that cannot be a row, or just looks like it.
func (m *maker) soil(v []string) []string {
	switch m.rng.IntN(11) {
	case 0:
		return append(v, "too many")
	case 1:
		return v[:1+m.rng.IntN(len(v)-1)]
	case 2:
		v[2] = `"closed" and more`
	case 3:
		v[1] = "x7"
	case 4:
		v[1] = "99999999999"
	case 5:
		v[0] = pick(m.rng, "", `""`)
	case 6:
		v[1] = ""
	case 7:
		v[3] = "12.5"
	case 8:
		v[4] = "abc"
	case 9:
		v[2] = "bad \xff bytes"
	case 10:
		v[2] = `a "bare" quote`
	}
	return v
}

func (m *maker) jsonRecord() string {
	if m.rng.Float64() < m.dirt {
		return m.jsonDirt()
	}
	parts := []string{fmt.Sprintf(`"pk":"p%d"`, m.rng.IntN(m.partitions)), fmt.Sprintf(`"ck":%d`, m.rng.IntN(m.keys))}
	add := func(name, value string) {
		switch m.rng.IntN(8) {
		case 0: // missing
		case 1:
			parts = append(parts, `"`+name+`": null`)
		default:
			parts = append(parts, `"`+name+`":`+value)
		}
	}
	add("v1", fmt.Sprintf("%q", m.text()))
	add("v2", m.number())
	add("v3", m.number()+".25")
	add("s1", fmt.Sprintf("%q", "s"+m.text()))
	add("s2", m.number())
	add("st", `"`+pick(m.rng, "on", "off", "test")+`"`)
	m.rng.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
	return "{" + strings.Join(parts, ",") + "}"
}

func (m *maker) jsonDirt() string {
	return pick(m.rng, `{"pk":"p1","ck":1`, `[1,2]`, `42`, `{"pk":"p1","ck":"x"}`, `{"pk":"p1","ck":99999999999}`,
		`{"pk":"","ck":1}`, `{"pk":null,"ck":1}`, `{"ck":1}`, `{"pk":"p1"}`, `{"pk":"p1","ck":1,"v2":1.5}`, `garbage`,
		`{"pk":"p1","ck":1,"v3":"abc"}`)
}
