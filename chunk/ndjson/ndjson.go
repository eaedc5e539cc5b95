// Package ndjson reads newline-delimited JSON: one object a line.
//
// It has a scanner of its own, because a record must be exactly what its bytes say: fastjson's parser takes 01, nan and
// broken escapes for values, its validator overlooks control characters before an escape and recurses without a bound,
// its Get returns the first of two equal names, and neither keeps a nested value as it was written.
// What must never happen: a malformed line that yields a value.
package ndjson

import (
	"fmt"
	"strings"

	"github.com/penstock-io/penstock/chunk/internal/lines"
	"github.com/penstock-io/penstock/contracts"
)

// Reader yields a part's records. Numbers, booleans, arrays and objects are as written, strings unescaped. Text that is
// not UTF-8 passes: types judge it. Of a name that an object has twice, the last value counts.
type Reader struct {
	lines  *lines.Reader
	inputs []input
	root   *node
	turn   uint64 // counts readings of lines
	quick  quick
	s      scanner

	fields  []contracts.Field
	scratch []byte
	rec     contracts.Record
}

// input is a field that the pipeline reads. A top-level name that holds the dots itself goes before the path.
type input struct {
	name    string
	literal *node // nil where the name has no dot
	path    *node
}

// NewReader reads the given lines. Inputs are names, or paths with dots into objects.
func NewReader(l *lines.Reader, inputs []string) *Reader {
	r := &Reader{lines: l, root: &node{}, fields: make([]contracts.Field, len(inputs))}
	for _, name := range inputs {
		in := input{name: name, path: r.root}
		for part := range strings.SplitSeq(name, ".") {
			in.path = in.path.add(part)
		}
		if strings.Contains(name, ".") {
			in.literal = r.root.add(name)
		}
		r.inputs = append(r.inputs, in)
	}
	return r
}

// Next yields the next record, valid until the next call; io.EOF at the end of the part.
func (r *Reader) Next() (*contracts.Record, error) {
	rec := &r.rec
	rec.Fields = nil
	if err := r.lines.Next(rec); err != nil {
		return nil, err
	}
	if rec.Problem == nil {
		rec.Problem = r.scan(rec.Raw)
	}
	if rec.Problem == nil {
		rec.Problem = r.fill()
	}
	if rec.Problem == nil {
		rec.Fields = r.fields
	}
	return rec, nil
}

// scan finds the inputs in one line.
func (r *Reader) scan(line []byte) *contracts.Problem {
	r.turn++
	if r.quick.line(line, r.root, r.turn) {
		return nil
	}
	return r.slow(line)
}

// slow scans a line that may be malformed, and says where.
func (r *Reader) slow(line []byte) *contracts.Problem {
	r.turn++
	r.s = scanner{b: line, turn: r.turn}
	s := &r.s
	if s.space() != '{' {
		s.fail("an object")
	} else if s.value(r.root) {
		s.end()
	}
	if s.reason == "" {
		return nil
	}
	return &contracts.Problem{
		Rule: contracts.RuleSyntax, Value: lines.Clip(line[s.pos:]), Reason: s.reason,
	}
}

// fill makes fields of what scan found.
func (r *Reader) fill() *contracts.Problem {
	r.scratch = r.scratch[:0]
	for i := range r.inputs {
		in, f := &r.inputs[i], &r.fields[i]
		n := in.path
		if in.literal != nil && in.literal.turn == r.turn {
			n = in.literal
		}
		switch {
		case n.turn != r.turn:
			*f = contracts.Field{}
		case n.kind == contracts.Null:
			*f = contracts.Field{Kind: contracts.Null}
		case n.kind != contracts.Text:
			*f = contracts.Field{Kind: n.kind, Bytes: n.raw}
		case !n.escaped:
			*f = contracts.Field{Kind: contracts.Text, Bytes: n.raw[1 : len(n.raw)-1]}
		default:
			text, ok := r.unescape(n.raw[1 : len(n.raw)-1])
			if !ok {
				return &contracts.Problem{
					Rule:   contracts.RuleEncoding,
					Value:  lines.Clip(n.raw),
					Reason: fmt.Sprintf("%q escapes half of a surrogate pair, expected text that UTF-8 can hold", in.name),
				}
			}
			*f = contracts.Field{Kind: contracts.Text, Bytes: text}
		}
	}
	return nil
}

// unescape writes a text to the scratch buffer, which holds one record's texts.
func (r *Reader) unescape(b []byte) ([]byte, bool) {
	from := len(r.scratch)
	var ok bool
	r.scratch, ok = unescape(r.scratch, b)
	return r.scratch[from:len(r.scratch):len(r.scratch)], ok
}

// node is a name that some input's path goes through, and the value that the line under way has for it. nil stands for
// every name that nobody asks for.
type node struct {
	name    string
	kids    []*node
	byName  map[string]*node // of many kids
	turn    uint64           // the reading that found the value; of another one the line has none
	kind    contracts.FieldKind
	raw     []byte // as written, a string with its quotes
	escaped bool
	order   order // of the names in an object here
}

// few is how many names are compared one by one, which is faster than a map.
const few = 8

// add makes or finds a child.
func (n *node) add(name string) *node {
	if kid := n.find([]byte(name)); kid != nil {
		return kid
	}
	kid := &node{name: name}
	n.kids = append(n.kids, kid)
	if len(n.kids) > few {
		n.byName = map[string]*node{}
		for _, k := range n.kids {
			n.byName[k.name] = k
		}
	}
	return kid
}

func (n *node) find(name []byte) *node {
	if n.byName != nil {
		return n.byName[string(name)]
	}
	for _, kid := range n.kids {
		if kid.name == string(name) {
			return kid
		}
	}
	return nil
}

// child is the node of a name as written between its quotes.
func (n *node) child(name []byte, escaped bool) *node {
	if n == nil || len(n.kids) == 0 {
		return nil
	}
	if escaped {
		var short [64]byte
		name, _ = unescape(short[:0], name)
	}
	return n.find(name)
}

// reset forgets what an object of the same name before has held.
func (n *node) reset() {
	if n == nil {
		return
	}
	for _, kid := range n.kids {
		kid.turn = 0
		kid.reset()
	}
}

// found notes a value.
func (n *node) found(turn uint64, kind contracts.FieldKind, raw []byte, escaped bool) {
	if n != nil {
		n.turn, n.kind, n.raw, n.escaped = turn, kind, raw, escaped
	}
}
