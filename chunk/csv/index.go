package csv

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// index finds where fields end, some blocks ahead of the reader and 64 bytes at once. It is exact: in a block without a
// quote, outside quotes, each delimiter and each line break ends a field; of the others wide knows the quotes. Where it
// cannot know, or something is out of order, it ends, and the automaton goes on from the last record before.
type index struct {
	d         *Dialect
	delimiter byte
	pos       int // in the window's buffer: the next byte to look at
	carry     carry
	marks     marks // of the last block with quotes

	// ends are places in the buffer: at next-1 of the break before the next record, and from next up to n of what ends
	// a field.
	ends    []int
	next, n int
}

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
	return &index{d: d, delimiter: d.delimiter[0], ends: make([]int, max(n, 2*width+2*block))}
}

// restart begins again at pos in the buffer, where no record is under way.
func (x *index) restart(pos int) {
	x.pos, x.carry = pos, carry{record: 1, field: 1}
	x.ends[0], x.next, x.n = pos-1, 1, 1
}

// record finds the next line: how many fields it has, at least 1, or 0 where it does not end in what can be known.
func (x *index) record(buf []byte) int {
	delimiter := x.delimiter
	for seen := 0; ; {
		for i, end := range x.ends[x.next+seen : x.n] {
			if buf[end] != delimiter {
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
	quote, cr := seeker{x.d.quote, -1}, bytes.IndexByte(buf[from:], '\r') >= 0
	for x.pos+block <= len(buf) && x.n+block <= len(x.ends) {
		if x.carry.inside|x.carry.closed == 0 && x.plain(buf[:quote.from(buf, x.pos)], cr) {
			continue
		}
		if !x.quoted((*[block]byte)(buf[x.pos:])) {
			break
		}
		x.pos += block
	}
	return x.pos > from
}

// plain looks at the next blocks of what is outside quotes and has none; false where there is no whole one. cr says
// that there may be a CR.
func (x *index) plain(buf []byte, cr bool) bool {
	delimiter, pos, n := eight(x.delimiter), x.pos, x.n
	fields := uint64(0)
	for ; pos+block <= len(buf) && n+block <= len(x.ends); pos += block {
		b := (*[block]byte)(buf[pos:])
		fields = among(b, delimiter, eight('\n'))
		if cr {
			fields |= among(b, eight('\r'), eight('\r'))
		}
		n += note((*[block]int)(x.ends[n:]), pos, fields)
	}
	if pos == x.pos {
		return false
	}
	x.pos, x.n, x.carry = pos, n, carry{field: fields >> 63}
	return true
}

// note takes down the ends of fields in the block at pos, and returns how many they are.
func note(ends *[block]int, pos int, fields uint64) (n int) {
	for ; fields != 0; fields &= fields - 1 {
		ends[n&(block-1)] = pos + bits.TrailingZeros64(fields)
		n++
	}
	return n
}

// quoted looks at a block with quotes, or in quotes; false where the automaton must.
func (x *index) quoted(b *[block]byte) bool {
	m := &x.marks
	if x.d.wide == nil || !x.d.wide.read(m, b, x.carry) || m.garbage != 0 {
		return false
	}
	x.carry = m.next
	x.n += note((*[block]int)(x.ends[x.n:]), x.pos, m.fields)
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
