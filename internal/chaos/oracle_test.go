package chaos

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The oracle reads a source one record at a time, by the words of docs/interface.md, and knows nothing of chunks.

// cell is a field of a record, or the value of a column.
type cell struct {
	set  bool // else the record says nothing of it
	null bool
	text string
}

// record is what a line came to.
type record struct {
	offset int64
	bad    bool // it cannot be read
	cells  map[string]cell
}

// counts are those of the report, with written and merged as one: which is which depends on how chunks are cut.
type counts struct{ read, kept, filtered, rejected int64 }

// table is what a table must hold.
type table struct {
	rows    map[string]map[string]cell // by primary key
	statics map[string]map[string]cell // by partition key
}

func newTable() *table {
	return &table{map[string]map[string]cell{}, map[string]map[string]cell{}}
}

// rejected is where a reject stands: object key and offset.
type rejected struct {
	key    string
	offset int64
}

// load reads files in order into the table.
func (t *table) load(d dialect, files []file) (c counts, rejects map[rejected]bool) {
	rejects = map[rejected]bool{}
	slices.SortFunc(files, func(a, b file) int { return strings.Compare(a.key, b.key) })
	for _, f := range files {
		records := readCSV
		if d.json {
			records = readJSON
		}
		for _, r := range records(d, f.text) {
			c.read++
			switch t.take(d, f.key, r) {
			case "kept":
				c.kept++
			case "filtered":
				c.filtered++
			default:
				c.rejected++
				rejects[rejected{f.key, r.offset}] = true
			}
		}
	}
	return c, rejects
}

// take makes a record part of its row.
func (t *table) take(d dialect, key string, r record) string {
	if r.bad {
		return "rejected"
	}
	if st := r.cells["st"]; st.set && !st.null && st.text == "test" {
		return "filtered"
	}
	row, ok := convert(r.cells)
	if !ok {
		return "rejected"
	}
	row["src"], row["off"] = cell{set: true, text: key}, cell{set: true, text: fmt.Sprint(r.offset)}
	pk := row["pk"].text
	id := pk + "\x00" + row["ck"].text
	if t.rows[id] == nil {
		t.rows[id] = map[string]cell{}
	}
	if t.statics[pk] == nil {
		t.statics[pk] = map[string]cell{}
	}
	for name, c := range row {
		if !c.set || c.null && !d.deletes {
			continue
		}
		if name == "s1" || name == "s2" {
			t.statics[pk][name] = c
		} else {
			t.rows[id][name] = c
		}
	}
	return "kept"
}

// convert brings a record's values into the form that a table's are compared in; false where one is not of its type.
func convert(in map[string]cell) (map[string]cell, bool) {
	out := map[string]cell{}
	for name, bits := range map[string]int{"ck": 32, "v2": 64, "s2": 32} {
		c := in[name]
		if c.set && !c.null {
			n, err := strconv.ParseInt(c.text, 10, bits)
			if err != nil {
				return nil, false
			}
			c.text = fmt.Sprint(n)
		}
		out[name] = c
	}
	for _, name := range []string{"pk", "v1", "s1"} {
		c := in[name]
		if c.set && !c.null && !utf8.ValidString(c.text) {
			return nil, false
		}
		out[name] = c
	}
	c := in["v3"]
	if c.set && !c.null {
		f, err := strconv.ParseFloat(c.text, 64)
		if err != nil || math.IsInf(f, 0) {
			return nil, false
		}
		c.text = formatFloat(f)
	}
	out["v3"] = c
	pk, ck := out["pk"], out["ck"]
	if !pk.set || pk.null || pk.text == "" || !ck.set || ck.null {
		return nil, false
	}
	out["twice"] = cell{set: true, null: true}
	if v2 := out["v2"]; v2.set && !v2.null {
		n, _ := strconv.ParseInt(v2.text, 10, 64) // parsed before
		out["twice"] = cell{set: true, text: fmt.Sprint(2 * n)}
	}
	return out, true
}

func formatFloat(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

// columns of the table that are no static ones, and those that are.
var (
	columns       = []string{"v1", "v2", "v3", "twice", "src", "off"}
	staticColumns = []string{"s1", "s2"}
)

// lines is the table as text, one line a row by its key, as readTable writes what is in the database.
func (t *table) lines() map[string]string {
	out := make(map[string]string, len(t.rows))
	for id, row := range t.rows {
		var b strings.Builder
		for _, name := range columns {
			fmt.Fprintf(&b, "%s=%s ", name, show(row[name]))
		}
		pk, _, _ := strings.Cut(id, "\x00")
		for _, name := range staticColumns {
			fmt.Fprintf(&b, "%s=%s ", name, show(t.statics[pk][name]))
		}
		out[id] = b.String()
	}
	return out
}

func show(c cell) string {
	if !c.set || c.null {
		return "-"
	}
	return strconv.Quote(c.text)
}

// readJSON reads NDJSON.
func readJSON(_ dialect, text []byte) []record {
	var all []record
	for offset := 0; offset < len(text); {
		line, rest, more := bytes.Cut(text[offset:], []byte("\n"))
		if len(bytes.TrimRight(line, "\r")) > 0 {
			all = append(all, jsonRecord(int64(offset), line))
		}
		if !more {
			break
		}
		offset = len(text) - len(rest)
	}
	return all
}

func jsonRecord(offset int64, line []byte) record {
	r := record{offset: offset, cells: map[string]cell{}}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(line, &object); err != nil || object == nil {
		r.bad = true
		return r
	}
	for name, raw := range object {
		c := cell{set: true, null: string(raw) == "null", text: string(raw)}
		if raw[0] == '"' {
			json.Unmarshal(raw, &c.text) //nolint:errcheck // it is valid
		}
		r.cells[name] = c
	}
	return r
}
