package ndjson

import (
	"encoding/binary"
	"math/bits"

	"github.com/penstock-io/penstock/contracts"
)

// quick walks a line that is in order, as nearly all are, and finds in it what scanner would. It knows the same
// grammar, but no reasons: wherever a line is not in order it gives up, at none, and scanner says why. Two things make
// it fast: it guesses that names come in the order of the line before, and looks at eight bytes of a string at once.
type quick struct {
	b     []byte
	depth int
	turn  uint64
}

// none is no place in a line: what was looked for is not there.
const none = -1

// line finds the values of the nodes below root; false where scanner must.
func (q *quick) line(b []byte, root *node, turn uint64) bool {
	q.b, q.depth, q.turn = b, 0, turn
	i := space(b, 0)
	if i == len(b) || b[i] != '{' {
		return false
	}
	i = q.value(i, root)
	return i != none && space(b, i) == len(b)
}

// space is the first place from i on without a blank.
func space(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t') {
		i++
	}
	return i
}

// value goes from the first byte of a value to behind its last one.
func (q *quick) value(start int, n *node) int {
	b := q.b
	var end int
	var kind contracts.FieldKind
	var escaped bool
	switch c := b[start]; c {
	case '"':
		kind = contracts.Text
		end, escaped = str(b, start+1)
	case '{', '[':
		kind = contracts.JSON
		end = q.nested(start, n)
	case 't':
		kind, end = contracts.Bool, word(b, start, "true")
	case 'f':
		kind, end = contracts.Bool, word(b, start, "false")
	case 'n':
		kind, end = contracts.Null, word(b, start, "null")
	default:
		kind, end = contracts.Number, number(b, start)
	}
	if n != nil && end != none {
		n.found(q.turn, kind, b[start:end], escaped)
	}
	return end
}

// nested goes through an object or array, one level down.
func (q *quick) nested(i int, n *node) int {
	if q.depth == maxDepth {
		return none
	}
	q.depth++
	if q.b[i] == '[' {
		i = q.array(i)
	} else if n != nil && len(n.kids) > 0 {
		i = q.members(i, n, &n.order.first)
	} else {
		i = q.members(i, nil, nil)
	}
	q.depth--
	return i
}

// members goes through an object; last is the name that came before the next one.
func (q *quick) members(i int, n *node, last *name) int {
	b := q.b
	if i = space(b, i+1); i < len(b) && b[i] == '}' {
		return i + 1
	}
	for {
		var child *node
		if last != nil && last.next.at(b, i) {
			last = last.next
			i, child = i+len(last.text), last.child
		} else {
			start := i
			end, escaped := key(b, start)
			if end == none {
				return none
			}
			if i = end; n != nil {
				last, child = n.learn(last, b[start:end], escaped)
			}
		}
		if child != nil && child.turn == q.turn {
			child.reset() // the name comes twice
		}
		if i = space(b, i); i == len(b) {
			return none
		}
		if i = q.value(i, child); i == none {
			return none
		}
		if i = space(b, i); i == len(b) {
			return none
		}
		switch b[i] {
		case ',':
			i = space(b, i+1)
		case '}':
			return i + 1
		default:
			return none
		}
	}
}

func (q *quick) array(i int) int {
	b := q.b
	if i = space(b, i+1); i < len(b) && b[i] == ']' {
		return i + 1
	}
	for i < len(b) {
		if i = q.value(i, nil); i == none {
			return none
		}
		if i = space(b, i); i == len(b) {
			return none
		}
		switch b[i] {
		case ',':
			i = space(b, i+1)
		case ']':
			return i + 1
		default:
			return none
		}
	}
	return none
}

// key goes from a name's quote to behind the colon.
func key(b []byte, i int) (end int, escaped bool) {
	if i == len(b) || b[i] != '"' {
		return none, false
	}
	if end, escaped = str(b, i+1); end == none {
		return none, false
	}
	if end = space(b, end); end == len(b) || b[end] != ':' {
		return none, false
	}
	return end + 1, escaped
}

func word(b []byte, i int, w string) int {
	if len(b)-i < len(w) || string(b[i:i+len(w)]) != w {
		return none
	}
	return i + len(w)
}

// number goes behind a number.
func number(b []byte, i int) int {
	if i < len(b) && b[i] == '-' {
		i++
	}
	if i < len(b) && b[i] == '0' {
		i++
	} else if i = digits(b, i); i == none {
		return none
	}
	if i < len(b) && b[i] == '.' {
		if i = digits(b, i+1); i == none {
			return none
		}
	}
	if i == len(b) || b[i] != 'e' && b[i] != 'E' {
		return i
	}
	if i++; i < len(b) && (b[i] == '+' || b[i] == '-') {
		i++
	}
	return digits(b, i)
}

// digits goes behind one or more of them.
func digits(b []byte, i int) int {
	from := i
	for i < len(b) && b[i]-'0' < 10 {
		i++
	}
	if i == from {
		return none
	}
	return i
}

// str goes from behind a string's first quote to behind its last one. Most strings hold nothing special before that.
func str(b []byte, i int) (end int, escaped bool) {
	for ; i+8 <= len(b); i += 8 {
		if m := marks(binary.LittleEndian.Uint64(b[i:])); m != 0 {
			if i += bits.TrailingZeros64(m) >> 3; b[i] == '"' {
				return i + 1, false
			}
			break
		}
	}
	return rest(b, i)
}

// rest goes on through a string that holds escapes, or that the line ends soon after, or in.
func rest(b []byte, i int) (end int, escaped bool) {
	for i = special(b, i); i < len(b); i = special(b, i) {
		switch b[i] {
		case '"':
			return i + 1, escaped
		case '\\':
			if i = escape(b, i+1); i == none {
				return none, false
			}
			escaped = true
		default:
			return none, false
		}
	}
	return none, false
}

// escape goes behind an escape, from behind its backslash.
func escape(b []byte, i int) int {
	if i == len(b) {
		return none
	}
	switch b[i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 1
	case 'u':
		if len(b)-i >= 5 && hex(b[i+1])|hex(b[i+2])|hex(b[i+3])|hex(b[i+4]) >= 0 {
			return i + 5
		}
	}
	return none
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// special is the first place from i on of a quote, a backslash or a control character; len(b) for none.
func special(b []byte, i int) int {
	for ; i+8 <= len(b); i += 8 {
		if m := marks(binary.LittleEndian.Uint64(b[i:])); m != 0 {
			return i + bits.TrailingZeros64(m)>>3
		}
	}
	for i < len(b) && plain[b[i]] {
		i++
	}
	return i
}

// marks sets the high bit of each byte of x that is special: a backslash, or less than 0x21 once bit 1 is turned over,
// which a quote, 0x22, is then too, and a blank is not. A subtraction can carry into the bytes above one that it has
// marked, so only the lowest mark counts, and that one is exact.
func marks(x uint64) uint64 {
	low, backslash := x^2*ones, x^'\\'*ones
	return ((low-0x21*ones)&^low | (backslash-ones)&^backslash) & highs
}
