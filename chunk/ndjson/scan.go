package ndjson

import (
	"fmt"

	"github.com/penstock-io/penstock/contracts"
)

// maxDepth bounds the nesting of a value, and with it the stack.
const maxDepth = 300

// scanner walks one JSON text by RFC 8259, to the byte, and notes the values that the pipeline reads where they stand.
// Nothing is copied and no tree is built. It is the definition of what a line says: quick is held against it, and
// leaves to it what is not in order.
type scanner struct {
	b      []byte
	pos    int
	depth  int
	turn   uint64 // of the nodes' values
	reason string // why the text is malformed; "" while it is not
}

// fail says what was found at the position, and returns false.
func (s *scanner) fail(expected string) bool {
	if s.reason == "" {
		found := "the end of the line"
		if s.pos < len(s.b) {
			found = fmt.Sprintf("%q", s.b[s.pos:s.pos+1])
		}
		s.reason = fmt.Sprintf("byte %d of the record: found %s, expected %s", s.pos, found, expected)
	}
	return false
}

// space steps over blanks and returns the byte that follows; 0 at the end.
func (s *scanner) space() byte {
	for s.pos < len(s.b) {
		switch c := s.b[s.pos]; c {
		case ' ', '\t':
			s.pos++
		default:
			return c
		}
	}
	return 0
}

// end wants nothing but blanks to follow.
func (s *scanner) end() bool {
	s.space()
	return s.pos == len(s.b) || s.fail("the end of the line")
}

// value reads one value, the members of an object into n's children; n is nil where nobody asks.
func (s *scanner) value(n *node) bool {
	c := s.space()
	start := s.pos
	var kind contracts.FieldKind
	var escaped, ok bool
	switch c {
	case '"':
		kind = contracts.Text
		escaped, ok = s.str()
	case '{':
		kind, ok = contracts.JSON, s.nested(n, (*scanner).object)
	case '[':
		kind, ok = contracts.JSON, s.nested(nil, (*scanner).array)
	case 't':
		kind, ok = contracts.Bool, s.word("true")
	case 'f':
		kind, ok = contracts.Bool, s.word("false")
	case 'n':
		kind, ok = contracts.Null, s.word("null")
	default:
		kind, ok = contracts.Number, s.number()
	}
	n.found(s.turn, kind, s.b[start:s.pos], escaped)
	return ok
}

// nested reads an object or array one level down.
func (s *scanner) nested(n *node, read func(*scanner, *node) bool) bool {
	if s.depth == maxDepth {
		return s.fail(fmt.Sprintf("at most %d levels of nesting", maxDepth))
	}
	s.depth++
	ok := read(s, n)
	s.depth--
	return ok
}

// object reads members. Of a name that comes twice the last value counts.
func (s *scanner) object(n *node) bool {
	s.pos++
	if s.space() == '}' {
		s.pos++
		return true
	}
	for {
		if s.space() != '"' {
			return s.fail("a name in quotes")
		}
		start := s.pos
		escaped, ok := s.str()
		if !ok {
			return false
		}
		child := n.child(s.b[start+1:s.pos-1], escaped)
		if s.space() != ':' {
			return s.fail("':'")
		}
		s.pos++
		child.reset()
		if !s.value(child) {
			return false
		}
		switch s.space() {
		case ',':
			s.pos++
		case '}':
			s.pos++
			return true
		default:
			return s.fail("',' or '}'")
		}
	}
}

func (s *scanner) array(*node) bool {
	s.pos++
	if s.space() == ']' {
		s.pos++
		return true
	}
	for {
		if !s.value(nil) {
			return false
		}
		switch s.space() {
		case ',':
			s.pos++
		case ']':
			s.pos++
			return true
		default:
			return s.fail("',' or ']'")
		}
	}
}

func (s *scanner) word(w string) bool {
	for i := range len(w) {
		if s.pos == len(s.b) || s.b[s.pos] != w[i] {
			return s.fail(w)
		}
		s.pos++
	}
	return true
}

// number reads a number, or fails where no value begins.
func (s *scanner) number() bool {
	if s.at('-') {
		s.pos++
	}
	switch {
	case s.at('0'):
		s.pos++
	case !s.digits():
		return s.fail("a value")
	}
	if s.at('.') {
		s.pos++
		if !s.digits() {
			return s.fail("a digit")
		}
	}
	if !s.at('e') && !s.at('E') {
		return true
	}
	s.pos++
	if s.at('+') || s.at('-') {
		s.pos++
	}
	return s.digits() || s.fail("a digit")
}

func (s *scanner) at(c byte) bool { return s.pos < len(s.b) && s.b[s.pos] == c }

// digits steps over digits, and says whether there was one.
func (s *scanner) digits() bool {
	from := s.pos
	for s.pos < len(s.b) && s.b[s.pos]-'0' < 10 {
		s.pos++
	}
	return s.pos > from
}

// plain marks the bytes that a string may hold as they are.
var plain = func() (t [256]bool) {
	for c := range t {
		t[c] = c >= 0x20 && c != '"' && c != '\\'
	}
	return t
}()

// str reads a string, quotes included, and says whether it holds an escape.
func (s *scanner) str() (escaped, ok bool) {
	b, i := s.b, s.pos+1
	for {
		for i < len(b) && plain[b[i]] {
			i++
		}
		s.pos = i
		switch {
		case i < len(b) && b[i] == '"':
			s.pos++
			return escaped, true
		case i < len(b) && b[i] == '\\':
			escaped = true
			if !s.escape() {
				return escaped, false
			}
			i = s.pos
		default:
			return escaped, s.fail("a string's next character or '\"'")
		}
	}
}

// escape steps over one escape.
func (s *scanner) escape() bool {
	s.pos++
	if s.pos == len(s.b) {
		return s.fail("an escape")
	}
	switch s.b[s.pos] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.pos++
		return true
	case 'u':
		s.pos++
		for range 4 {
			if s.pos == len(s.b) || hex(s.b[s.pos]) < 0 {
				return s.fail("four hexadecimal digits")
			}
			s.pos++
		}
		return true
	default:
		return s.fail(`one of "\/bfnrtu after a backslash`)
	}
}
