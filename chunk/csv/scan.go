package csv

import (
	"bytes"
	"io"

	"github.com/penstock-io/penstock/contracts"
)

const (
	firstBlock = 4 << 10   // most start states come to the same state within it
	scanBlock  = 128 << 10 // fits a core's second-level cache
)

// Scan runs the automaton over the next n bytes of src from every state in which a chunk can begin: one outcome for
// each, in ascending order of states. offset is that of the first byte; last says that the object ends with them.
//
// It reads block by block and runs each block once per state that is still to be told apart: two for most files, one
// outside quotes and one in them. The others' outcomes are composed from these.
func (d *Dialect) Scan(src io.Reader, offset, n int64, last bool) ([]contracts.Outcome, error) {
	outs := d.identity()
	buf := make([]byte, min(scanBlock, n))
	for size := int64(firstBlock); n > 0; size = scanBlock {
		block := buf[:min(size, n)]
		if _, err := io.ReadFull(src, block); err != nil {
			return nil, err
		}
		d.advance(outs, block, offset)
		offset += int64(len(block))
		n -= int64(len(block))
	}
	if last {
		for i, o := range outs {
			outs[i] = Compose(o, d.finish(o.End))
		}
	}
	return outs, nil
}

// identity is the transition function of no bytes.
func (d *Dialect) identity() []contracts.Outcome {
	var outs []contracts.Outcome
	for _, s := range d.reached {
		outs = append(outs, contracts.Outcome{Start: s, End: s, First: -1, Quote: -1})
	}
	return outs
}

// advance composes each outcome with what b does.
func (d *Dialect) advance(outs []contracts.Outcome, b []byte, offset int64) {
	var done [states]bool
	var next [states]contracts.Outcome
	for i, o := range outs {
		if !done[o.End] {
			done[o.End], next[o.End] = true, d.run(o.End, b, offset)
		}
		outs[i] = Compose(o, next[o.End])
	}
}

// finish is the transition function of the object's end.
func (d *Dialect) finish(s State) contracts.Outcome {
	return contracts.Outcome{Start: s, End: d.eof[s].state(), First: -1, Quote: -1}
}

// Compose is b after a: where a.End is b.Start, the outcome of both chunks as one.
func Compose(a, b contracts.Outcome) contracts.Outcome {
	c := contracts.Outcome{Start: a.Start, End: b.End, Records: a.Records + b.Records, First: a.First, Quote: b.Quote}
	if c.First < 0 {
		c.First = b.First
	}
	if c.Quote < 0 && inQuote(b.End) {
		c.Quote = a.Quote
	}
	return c
}

// run is the automaton over b from one state.
func (d *Dialect) run(s State, b []byte, offset int64) contracts.Outcome {
	l := lane{d: d, b: b, state: s, out: contracts.Outcome{Start: s, First: -1, Quote: -1}}
	l.quote, l.lf, l.cr = seeker{d.quote, -1}, seeker{'\n', -1}, seeker{'\r', -1}
	for l.pos < len(b) {
		if !l.jump() && !l.blocks(min(len(b), l.pos+stretch)) {
			l.walk(l.pos + block)
		}
	}
	l.out.End = l.state
	if l.out.First >= 0 {
		l.out.First += offset
	}
	if l.out.Quote >= 0 {
		l.out.Quote += offset
	}
	if !inQuote(l.state) {
		l.out.Quote = -1
	}
	return l.out
}

// lane is one run over a block. Its outcome's offsets count from the block's first byte.
type lane struct {
	d             *Dialect
	b             []byte
	pos           int
	state         State
	out           contracts.Outcome
	quote, lf, cr seeker
	marks         marks // of the last block
}

// seeker knows where a byte comes next, so that each byte of a block is looked at once.
type seeker struct {
	c  int // -1: comes never
	at int
}

// from is the byte's first place at or after i; len(b) for none.
func (s *seeker) from(b []byte, i int) int {
	if s.at >= i {
		return s.at
	}
	s.at = len(b)
	if s.c >= 0 {
		if n := bytes.IndexByte(b[i:], byte(s.c)); n >= 0 {
			s.at = i + n
		}
	}
	return s.at
}

// far is how far away the next quote must be for a jump to pay; stretch is how many bytes go by before it is sought
// again.
const (
	far     = 256
	stretch = 4 * block
)

// jump steps over bytes without a quote: lines, or what is in quotes already; false where it is not worth while.
func (l *lane) jump() bool {
	from := l.pos
	quote := l.quote.from(l.b, from)
	switch {
	case quote < len(l.b) && quote-from < far:
	case l.state == quoted && l.d.escape < 0 && l.d.newlines: // only a quote matters
		l.pos = quote
	case l.state != quoted && l.state != escaped:
		l.restOfLine(quote)
		l.plainLines()
	}
	return l.pos > from
}

// restOfLine steps over the line break that ends the record or comment under way, if it comes before the quote.
func (l *lane) restOfLine(quote int) {
	if l.state == RecordStart {
		return
	}
	if end := min(l.lf.from(l.b, l.pos), l.cr.from(l.b, l.pos)); end < quote {
		l.state, l.pos = RecordStart, end+1
	}
}

// plainLines steps over whole lines without a quote or a lone CR: each leads from RecordStart to RecordStart, and is a
// record unless it is empty or a comment.
func (l *lane) plainLines() {
	for l.state == RecordStart && l.pos < len(l.b) {
		end := l.lf.from(l.b, l.pos)
		if end == len(l.b) || l.quote.from(l.b, l.pos) < end {
			return
		}
		next := end + 1
		if cr := l.cr.from(l.b, l.pos); cr < end {
			if cr+1 < end {
				return
			}
			end = cr
		}
		if l.pos < end && int(l.b[l.pos]) != l.d.comment {
			l.start(l.pos)
		}
		l.pos = next
	}
}

func (l *lane) start(at int) {
	l.out.Records++
	if l.out.First < 0 {
		l.out.First = int64(at)
	}
}

// walk goes on byte by byte, and from least on until a record has ended or a quote is open: from there on there are
// faster ways.
func (l *lane) walk(least int) {
	s, b := l.state, l.b
	row, stay := &l.d.table[s], entry(s)
	for i := l.pos; i < len(b); i++ {
		if e := row[b[i]]; e != stay {
			s = e.state()
			row, stay = &l.d.table[s], entry(s)
			l.note(e.action(), i)
		}
		if i >= least && (s == RecordStart || s == quoted) {
			l.state, l.pos = s, i+1
			return
		}
	}
	l.state, l.pos = s, len(b)
}

// note takes down what a byte begins.
func (l *lane) note(a action, at int) {
	if a&starts != 0 {
		l.start(at)
	}
	if a&opens != 0 {
		l.out.Quote = int64(at)
	}
}
