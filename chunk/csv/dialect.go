// Package csv reads CSV: one automaton defines a dialect, its errors and its recovery included, and the same table
// drives the reader of records and the scan that finds the state at a chunk's start.
//
// Where nothing is unusual both take short cuts, 64 bytes at once: see index and wide.
//
// What must never happen: a reader and a scan that disagree about where a record starts; a boundary that depends on
// how long a record is, or on whether it is in order.
package csv

import (
	"bytes"
	"slices"

	"github.com/penstock-io/penstock/contracts"
)

// State is the automaton's memory between two bytes. Plans store it: the numbers never change their meaning.
//
// After a lone CR the automaton is at RecordStart. If an LF follows, that is an empty line, which is no record: so the
// two bytes of a CRLF need no state between them. Garbage after a closing quote needs none either: from there on the
// field goes on as an unquoted one.
type State = uint8

// The states. From partial on, partial+k-1 means that the first k bytes of the delimiter have been seen, in or at the
// start of an unquoted field; afterPartial+k-1 the same after a closing quote.
const (
	RecordStart  State = 0 // between records: the next byte starts one, unless it is a line break or a comment's
	fieldStart   State = 1
	unquoted     State = 2
	quoted       State = 3
	escaped      State = 4 // in quotes, after an escape byte that is not the quote
	afterQuote   State = 5 // after a quote in quotes: it closes them, or is the first of two
	comment      State = 6
	partial      State = 7
	afterPartial State = partial + maxDelimiter - 1
	states             = int(afterPartial) + maxDelimiter - 1

	// InRecord is where a dialect without quoted line breaks may start in the midst of a record, to align itself at
	// the first line break.
	InRecord = unquoted
	// Unknown is no state: what composing with an incomplete scan gives.
	Unknown State = 255
)

const maxDelimiter = 8

// action says what a transition means to a reader.
type action uint8

const (
	starts   action = 1 << iota // a record starts at this byte
	opens                       // a quote opens at this byte
	closes                      // a quote closes at this byte, unless it is the first of two
	escapes                     // the quoted value is not its bytes as they stand
	ends                        // a field ended before the delimiter whose last byte this is
	finishes                    // the record ended before this byte
	garbage                     // bytes that may not follow a closing quote
	breaks                      // a line ended inside quotes, where the dialect rules that out
)

// entry is a transition: the next state in the low byte, the action in the high one.
type entry uint16

func (e entry) state() State   { return State(e) }
func (e entry) action() action { return action(e >> 8) }

// Dialect is the automaton that one CSV format defines. It does not change and is safe for concurrent use.
type Dialect struct {
	format    contracts.CSVFormat
	delimiter []byte
	quote     int // -1 for none
	escape    int // of quoted values; -1 for none, or for a doubled quote
	comment   int // -1 for none
	doubled   bool
	newlines  bool // a quoted value may hold line breaks
	empty     bool // an unquoted field without text is null
	nulls     []string
	verbatim  bool // an unquoted field with text is that text

	reached []State // ascending; the other states' rows are empty
	table   [states][256]entry
	eof     [states]entry
	wide    *wide // nil where only the table runs the dialect
}

// New builds the automaton of f. A format that defines none is KindConfig.
func New(f contracts.CSVFormat) (*Dialect, error) {
	if err := check(f); err != nil {
		return nil, err
	}
	d := &Dialect{format: f, delimiter: []byte(f.Delimiter), newlines: f.QuotedNewlines}
	d.quote, d.escape, d.comment = only(f.Quote), only(f.Escape), only(f.Comment)
	if d.quote < 0 || d.escape == d.quote {
		d.doubled = d.quote >= 0
		d.escape = -1
	}
	for _, null := range f.Null {
		if null == "" {
			d.empty = true
		} else {
			d.nulls = append(d.nulls, null)
		}
	}
	d.verbatim = len(d.nulls) == 0 && !f.Trim
	d.wide = d.newWide()
	d.tabulate()
	return d, nil
}

// isNull says whether an unquoted field is null.
func (d *Dialect) isNull(b []byte) bool {
	if len(b) == 0 {
		return d.empty
	}
	for _, null := range d.nulls {
		if string(b) == null {
			return true
		}
	}
	return false
}

// escapeByte is what comes before a quote in quotes.
func (d *Dialect) escapeByte() byte {
	if d.doubled {
		return byte(d.quote)
	}
	return byte(d.escape)
}

func check(f contracts.CSVFormat) error {
	if n := len(f.Delimiter); n < 1 || n > maxDelimiter {
		return contracts.Errorf(contracts.KindConfig, "csv: delimiter %q has %d bytes, expected 1 to %d",
			f.Delimiter, n, maxDelimiter)
	}
	roles := []struct{ name, value string }{{"quote", f.Quote}, {"escape", f.Escape}, {"comment", f.Comment}}
	for _, r := range roles {
		if len(r.value) > 1 {
			return contracts.Errorf(contracts.KindConfig, "csv: %s %q has %d bytes, expected one or none",
				r.name, r.value, len(r.value))
		}
	}
	for _, r := range append(roles, struct{ name, value string }{"delimiter", f.Delimiter}) {
		if bytes.ContainsAny([]byte(r.value), "\r\n") {
			return contracts.Errorf(contracts.KindConfig, "csv: %s %q holds a line break, which always ends a record",
				r.name, r.value)
		}
	}
	return checkRoles(f)
}

// checkRoles refuses a byte that would mean two things at one place.
func checkRoles(f contracts.CSVFormat) error {
	switch {
	case f.Quote != "" && bytes.Contains([]byte(f.Delimiter), []byte(f.Quote)):
		return contracts.Errorf(contracts.KindConfig, "csv: delimiter %q holds the quote %q", f.Delimiter, f.Quote)
	case f.Comment != "" && f.Delimiter[:1] == f.Comment:
		return contracts.Errorf(contracts.KindConfig, "csv: delimiter %q begins with the comment byte", f.Delimiter)
	case f.Comment != "" && f.Comment == f.Quote:
		return contracts.Errorf(contracts.KindConfig, "csv: %q is both quote and comment", f.Quote)
	}
	return nil
}

func only(s string) int {
	if s == "" {
		return -1
	}
	return int(s[0])
}

// tabulate asks step once for each state that the dialect reaches and each class of bytes that it tells apart.
func (d *Dialect) tabulate() {
	special := d.special()
	ordinary := byte(0)
	for bytes.IndexByte(special, ordinary) >= 0 {
		ordinary++
	}
	for todo := []State{RecordStart}; len(todo) > 0; todo = todo[1:] {
		s := todo[0]
		if slices.Contains(d.reached, s) {
			continue
		}
		d.reached = append(d.reached, s)
		d.eof[s] = join(d.end(s))
		other := join(d.step(s, ordinary))
		for b := range d.table[s] {
			d.table[s][b] = other
		}
		todo = append(todo, other.state())
		for _, b := range special {
			d.table[s][b] = join(d.step(s, b))
			todo = append(todo, d.table[s][b].state())
		}
	}
	slices.Sort(d.reached)
}

// special lists the bytes that mean something somewhere.
func (d *Dialect) special() []byte {
	all := append([]byte{'\r', '\n'}, d.delimiter...)
	for _, b := range []int{d.quote, d.escape, d.comment} {
		if b >= 0 {
			all = append(all, byte(b))
		}
	}
	return all
}

func join(s State, a action) entry { return entry(a)<<8 | entry(s) }

// Reaches says whether a chunk can begin in the state.
func (d *Dialect) Reaches(s State) bool { return slices.Contains(d.reached, s) }
