package csv

import (
	"encoding/binary"
	"math/bits"
)

// index finds where fields end, some blocks ahead of the reader and 64 bytes at once. It is exact: in a block without a
// quote, outside quotes, each delimiter and each line break ends a field; of the others wide knows the quotes. Where it
// cannot know, or something is out of order, it ends, and the automaton goes on from the last record before.
type index struct {
	d         *Dialect
	delimiter uint64 // eight times
	pos       int    // in the window's buffer: the next byte to look at
	carry     carry
	escaped   bool  // of the field under way
	marks     marks // of the last block with quotes

	// ends are, at next-1, where the break before the next record is, and from next up to n where fields end.
	ends    []end
	next, n int
}

// end is the place in the buffer of what ends a field, times two; odd if the field is quoted and holds an escape.
type end int

func (e end) at() int       { return int(e >> 1) }
func (e end) escaped() bool { return e&1 != 0 }

const (
	ahead = 32 * block // bytes that are looked at at once: few, lest the automaton look at most of them again
	room  = 1 << 10    // ends to hold at the most, where records are not wider
)

// newIndex makes an index for records of so many fields. buffer is the size of a read; 0: large.
func (d *Dialect) newIndex(width, buffer int) *index {
	n := room
	if buffer > 0 {
		n = min(n, buffer+2*block) // of a small object
	}
	return &index{d: d, delimiter: eight(d.delimiter[0]), ends: make([]end, max(n, 2*width+2*block))}
}

// restart begins again at pos in the buffer, where no record is under way.
func (x *index) restart(pos int) {
	x.pos, x.escaped, x.carry = pos, false, carry{record: 1, field: 1}
	x.ends[0], x.next, x.n = end(pos-1)<<1, 1, 1
}

// record finds the next line: how many fields it has, at least 1, or 0 where it does not end in what can be known.
func (x *index) record(buf []byte) int {
	for seen := 0; ; {
		for i, e := range x.ends[x.next+seen : x.n] {
			if isBreak(buf[e.at()]) {
				return seen + i + 1
			}
		}
		seen = x.n - x.next
		if !x.more(buf) {
			return 0
		}
	}
}

// more looks at the next blocks; false where there is none that the index can know.
func (x *index) more(buf []byte) bool {
	x.n = copy(x.ends, x.ends[x.next-1:x.n])
	x.next = 1
	from := x.pos
	buf = buf[:min(len(buf), from+ahead)]
	quote, cr := seeker{x.d.quote, -1}, seeker{'\r', -1}
	for x.pos+block <= len(buf) && x.n+block <= len(x.ends) {
		b, until := (*[block]byte)(buf[x.pos:]), x.pos+block
		if x.carry.inside|x.carry.closed == 0 && quote.from(buf, x.pos) >= until {
			fields := among(b, x.delimiter, eight('\n'))
			if cr.from(buf, x.pos) < until {
				fields |= among(b, eight('\r'), eight('\r'))
			}
			x.carry = carry{field: fields >> 63}
			x.note(fields)
		} else if !x.quoted(b) {
			break
		}
		x.pos = until
	}
	return x.pos > from
}

// note takes down the ends of fields without quotes in the block at pos.
func (x *index) note(fields uint64) {
	ends, n := x.ends[x.n:x.n+block], 0
	for ; fields != 0; fields &= fields - 1 {
		ends[n&(block-1)] = end(x.pos+bits.TrailingZeros64(fields)) << 1
		n++
	}
	x.n += n
}

// quoted looks at a block with quotes, or in quotes; false where the automaton must.
func (x *index) quoted(b *[block]byte) bool {
	if x.d.wide == nil {
		return false
	}
	m := &x.marks
	if !x.d.wide.read(m, b, x.carry) || m.garbage != 0 {
		return false
	}
	x.carry = m.next
	if m.again == 0 && !x.escaped {
		x.note(m.fields)
		return true
	}
	for fields := m.fields; fields != 0; fields &= fields - 1 {
		i := bits.TrailingZeros64(fields)
		e := end(x.pos+i) << 1
		if before := uint64(1)<<i - 1; x.escaped || m.again&before != 0 {
			e |= 1
			m.again &^= before
		}
		x.ends[x.n], x.escaped = e, false
		x.n++
	}
	x.escaped = x.escaped || m.again != 0
	return true
}

// among marks the bytes of a block that are one of two, each given eight times.
func among(b *[block]byte, c1, c2 uint64) uint64 {
	le := binary.LittleEndian
	w0, w1, w2, w3 := le.Uint64(b[0:]), le.Uint64(b[8:]), le.Uint64(b[16:]), le.Uint64(b[24:])
	w4, w5, w6, w7 := le.Uint64(b[32:]), le.Uint64(b[40:]), le.Uint64(b[48:]), le.Uint64(b[56:])
	if (w0|w1|w2|w3|w4|w5|w6|w7|c1)&highs == 0 {
		return ^transpose(neither(w0, c1, c2)>>7 | neither(w1, c1, c2)>>6 | neither(w2, c1, c2)>>5 |
			neither(w3, c1, c2)>>4 | neither(w4, c1, c2)>>3 | neither(w5, c1, c2)>>2 | neither(w6, c1, c2)>>1 |
			neither(w7, c1, c2))
	}
	return transpose(either(w0, c1, c2)>>7 | either(w1, c1, c2)>>6 | either(w2, c1, c2)>>5 | either(w3, c1, c2)>>4 |
		either(w4, c1, c2)>>3 | either(w5, c1, c2)>>2 | either(w6, c1, c2)>>1 | either(w7, c1, c2))
}

const (
	ones  = 0x0101010101010101
	lows  = 0x7f7f7f7f7f7f7f7f
	highs = ^uint64(lows)
)

func eight(c byte) uint64 { return uint64(c) * ones }

// either sets the high bit of each byte of x that equals that of c1 or c2. No carry leaves a byte: it is exact.
func either(x, c1, c2 uint64) uint64 {
	y, z := x^c1, x^c2
	return ^((y&lows+lows|y)&(z&lows+lows|z) | lows)
}

// neither is the high bits that either leaves, where all bytes are ASCII.
func neither(x, c1, c2 uint64) uint64 { return ((x ^ c1) + lows) & ((x ^ c2) + lows) & highs }

// transpose mirrors 8 by 8 bits at their diagonal: bit 8i+j becomes bit 8j+i. among has gathered bit i of each word's
// bytes in byte i.
func transpose(x uint64) uint64 {
	t := (x ^ x>>7) & 0x00aa00aa00aa00aa
	x ^= t ^ t<<7
	t = (x ^ x>>14) & 0x0000cccc0000cccc
	x ^= t ^ t<<14
	t = (x ^ x>>28) & 0x00000000f0f0f0f0
	return x ^ t ^ t<<28
}
