package csv

import "math/bits"

// wide runs the automaton over 64 bytes at once: bit i of a mask stands for byte i. What comes behind an odd number of
// quotes is in quotes, once those are left out that are ordinary bytes: those behind an escape, and those that neither
// open a field nor follow a closing quote. What follows a closing quote does not matter: the field goes on outside
// quotes. It is exact, not a guess: what it does not know, such as comments, is left to the table.
type wide struct {
	classes [256]uint64 // in 16 bits each: quotes, line breaks, delimiters, escapes
	doubled uint64      // all bits: of two quotes in quotes the second opens none
}

// block is the number of bytes that one step of a wide run takes.
const block = 64

// newWide is nil for dialects that the table alone runs: those with delimiters of several bytes, which have to be found
// byte by byte, and those whose quoted values end with the line.
func (d *Dialect) newWide() *wide {
	if d.quote < 0 || len(d.delimiter) > 1 || !d.newlines {
		return nil
	}
	w := &wide{}
	w.classes[d.quote] |= 1
	w.classes['\n'], w.classes['\r'] = 1<<16, 1<<16
	w.classes[d.delimiter[0]] |= 1 << 32
	if d.escape >= 0 {
		w.classes[d.escape] |= 1 << 48
	}
	if d.doubled {
		w.doubled = ^uint64(0)
	}
	return w
}

// masks are where a block has bytes of each class.
func (w *wide) masks(b *[block]byte) (quotes, breaks, delimiters, escapes uint64) {
	t := &w.classes
	for i := 0; i < block; i += 16 {
		s := (*[16]byte)(b[i:])
		m := t[s[0]] | t[s[1]]<<1 | t[s[2]]<<2 | t[s[3]]<<3 | t[s[4]]<<4 | t[s[5]]<<5 | t[s[6]]<<6 | t[s[7]]<<7 |
			t[s[8]]<<8 | t[s[9]]<<9 | t[s[10]]<<10 | t[s[11]]<<11 | t[s[12]]<<12 | t[s[13]]<<13 | t[s[14]]<<14 | t[s[15]]<<15
		quotes = quotes>>16 | m<<48
		breaks = breaks>>16 | m>>16<<48
		delimiters = delimiters>>16 | m>>32<<48
		escapes = escapes>>16 | m>>48<<48
	}
	return quotes, breaks, delimiters, escapes
}

// carry is what a block must know of the bytes before it; each is the lowest bit of a mask, but for inside.
type carry struct {
	inside uint64 // all bits: the block begins in quotes
	closed uint64 // the last byte closed a quote
	record uint64 // the last byte ended a line, outside quotes
	field  uint64 // the last byte ended a field, outside quotes; also where record is set
}

// carryOf is the carry in a state; false for the states that need the table.
func carryOf(s State) (carry, bool) {
	switch s {
	case RecordStart:
		return carry{record: 1, field: 1}, true
	case fieldStart:
		return carry{field: 1}, true
	case unquoted:
		return carry{}, true
	case quoted:
		return carry{inside: ^uint64(0)}, true
	case afterQuote:
		return carry{closed: 1}, true
	default:
		return carry{}, false
	}
}

func (c carry) state() State {
	switch {
	case c.inside != 0:
		return quoted
	case c.closed != 0:
		return afterQuote
	case c.record != 0:
		return RecordStart
	case c.field != 0:
		return fieldStart
	default:
		return unquoted
	}
}

// blocks steps over whole blocks up to the given place; false at one that needs the table.
func (l *lane) blocks(until int) bool {
	w := l.d.wide
	c, ok := carryOf(l.state)
	if w == nil || !ok || l.pos+block > until {
		return false
	}
	for ok && l.pos+block <= until {
		var next carry
		if next, ok = l.block(w, c); ok {
			c = next
			l.pos += block
		}
	}
	l.state = c.state()
	return ok
}

// ordinary is how many ordinary quotes and escapes of a block are worth looking at one by one.
const ordinary = 8

// marks are what the bytes of a block do: bit i of a mask stands for byte i.
type marks struct {
	starts  uint64 // a record starts here, or a comment
	opens   uint64 // a quote opens
	fields  uint64 // a field ends before this delimiter or line break
	garbage uint64 // what may not follow a closing quote follows it
	next    carry
}

// read finds a block's marks; false where the table must. It first takes all quotes for what their number says, then
// leaves out the first one that turns out to be ordinary, and so on: all before it is right.
func (w *wide) read(m *marks, b *[block]byte, c carry) bool {
	quotes, breaks, delimiters, escapes := w.masks(b)
	for range ordinary {
		inside := parity(quotes) ^ c.inside // from an opening quote on, up to before the closing one
		closes := quotes &^ inside
		after := closes<<1 | c.closed
		opens := quotes & inside &^ (after & w.doubled)
		lines, fields := breaks&^inside, (breaks|delimiters)&^inside
		odd := opens &^ (fields<<1 | c.field)
		if odd|escapes&inside == 0 {
			m.starts, m.opens, m.fields = (lines<<1|c.record)&^breaks, opens, fields
			m.garbage = after &^ (inside | fields)
			m.next = carry{
				inside: uint64(int64(inside) >> 63), closed: closes >> 63, record: lines >> 63, field: fields >> 63,
			}
			return true
		}
		switch first := (odd | escapes&inside) & -(odd | escapes&inside); {
		case first&odd != 0:
			quotes &^= first
		case first>>63 != 0:
			return false // the escaped byte is in the next block
		default:
			quotes &^= first << 1
			escapes &^= first | first<<1
		}
	}
	return false
}

// block takes down what the next block begins, or leaves everything as it is.
func (l *lane) block(w *wide, c carry) (carry, bool) {
	m := &l.marks
	ok := w.read(m, (*[block]byte)(l.b[l.pos:]), c) && l.note64(m.starts, m.opens)
	return m.next, ok
}

// note64 takes down which bytes of a block start records and open quotes; false where one of them starts a comment.
func (l *lane) note64(starts, opens uint64) bool {
	if l.d.comment >= 0 && l.comments(starts) {
		return false
	}
	if starts != 0 {
		if l.out.Records += int64(bits.OnesCount64(starts)); l.out.First < 0 {
			l.out.First = int64(l.pos + bits.TrailingZeros64(starts))
		}
	}
	if opens != 0 {
		l.out.Quote = int64(l.pos + bits.Len64(opens) - 1)
	}
	return true
}

// comments says whether one of the lines that start is a comment.
func (l *lane) comments(starts uint64) bool {
	for ; starts != 0; starts &= starts - 1 {
		if int(l.b[l.pos+bits.TrailingZeros64(starts)]) == l.d.comment {
			return true
		}
	}
	return false
}

// parity sets each bit that has an odd number of bits at or below it.
func parity(x uint64) uint64 {
	for n := 1; n < block; n <<= 1 {
		x ^= x << n
	}
	return x
}
