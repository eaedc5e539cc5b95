package chunk

import (
	"bufio"
	"context"
	"errors"
	"io"

	"github.com/penstock-io/penstock/chunk/csv"
	"github.com/penstock-io/penstock/contracts"
)

// Scan finds a part's transition function, and in a compressed object the blocks that start in it. For a part that does
// not say where the first of these is it guesses: the prefix tells whether it Accepts what was found. Of nothing found
// the result has no blocks. Errors are the object's.
func Scan(ctx context.Context, o Opener, part contracts.Part, f contracts.Format) (contracts.ScanResult, error) {
	if !InBlocks(part) {
		outs, err := ScanPart(ctx, o, part, f)
		return contracts.ScanResult{Outcomes: outs}, err
	}
	s := blockScan{ctx: ctx, opener: o, part: part, format: f}
	if part.Blocks == nil {
		return s.guess()
	}
	r, err := s.open(part.Blocks.First, part.Object.Size)
	if err != nil {
		return contracts.ScanResult{}, err
	}
	defer r.close()
	return r.scan()
}

// A guess tries so many places that look like a block's first byte, each for no more stored bytes than twice the range
// and some, and for decompressed bytes as of data that compress well. So a scan's work is in proportion to its range,
// whatever the bytes are made to look like; who gets no answer asks again when the place is known.
const (
	maxGuesses = 4
	guessMore  = 128 << 10
	guessRatio = 64
)

// blockScan scans one range of a compressed object.
type blockScan struct {
	ctx    context.Context
	opener Opener
	part   contracts.Part
	format contracts.Format
}

// guess looks for a place from which the rest of the range can be read.
func (s *blockScan) guess() (contracts.ScanResult, error) {
	start, size := s.part.Start, s.part.End-s.part.Start
	limit := min(s.part.Object.Size, s.part.End+size+guessMore)
	for range maxGuesses {
		r, err := s.open(start, limit)
		if err != nil {
			return contracts.ScanResult{}, err
		}
		r.left = guessRatio*size + guessMore
		result, err := r.search()
		r.close()
		if err == nil || r.fault.stored.err != nil {
			return result, err
		}
		start = r.first + 1
	}
	return contracts.ScanResult{}, nil
}

// open makes ready to scan from a stored offset on, and to read no further than limit.
func (s *blockScan) open(start, limit int64) (*run, error) {
	r := &run{blockScan: s, left: -1, piece: make([]byte, 32<<10)}
	var err error
	if r.states, err = newAutomaton(s.format); err != nil {
		return nil, err
	}
	r.sink = bufio.NewWriterSize(r.states, 128<<10)
	r.fault = inflated{name: s.part.Compression}
	r.fault.stored = openRange(s.ctx, s.opener, s.part.Object, start, min(s.part.End+lookAhead, limit))
	if b := s.part.Blocks; b != nil {
		r.fault.off = b.Start
		r.skip = max(0, dataOffset(s.part)-b.Start)
	}
	r.units, err = newUnits(io.LimitReader(r.fault.stored, limit-start), start, s.part.Compression)
	return r, err
}

// dataOffset is where a part's object has its first record, at the earliest.
func dataOffset(part contracts.Part) int64 {
	if part.Binding == nil {
		return 0
	}
	return part.Binding.DataOffset
}

// run is one scan from one place.
type run struct {
	*blockScan
	fault  inflated // says what is wrong with the stream, and where
	units  *units
	piece  []byte
	sink   *bufio.Writer // of large pieces for states
	states automaton
	skip   int64 // bytes of the head that are left
	left   int64 // decompressed bytes that a guess may still come to; negative: any number
	first  int64 // stored offset where it began
}

func (r *run) close() {
	r.units.close()
	r.fault.stored.Close() // read as far as it was needed
}

// errGuess says that a guess would take too long.
var errGuess = errors.New("too much to decompress for a guess")

// search goes to the next place that looks like a block's first byte, and scans from there.
func (r *run) search() (contracts.ScanResult, error) {
	for r.units.at() < r.part.End {
		b, err := r.units.buf.Peek(r.units.buf.Size())
		if err != nil && err != io.EOF {
			return contracts.ScanResult{}, err
		}
		at, found := looksLike(b, r.part.Compression)
		if found && r.units.at()+int64(at) < r.part.End {
			_, _ = r.units.buf.Discard(at) // of what it has
			return r.scan()
		}
		if found || err == io.EOF {
			break
		}
		_, _ = r.units.buf.Discard(at)
	}
	return contracts.ScanResult{}, nil
}

// looksLike is where in b a block may begin; where none does, the first byte that is to be looked at again.
func looksLike(b []byte, compression string) (at int, found bool) {
	head, is := 4, isFrame
	if compression == gz {
		head, is = bgzfHead, isBGZF
	}
	for ; at+head <= len(b); at++ {
		if is(b[at : at+head]) {
			return at, true
		}
	}
	return at, false
}

// scan runs the automaton over the blocks from here on that start in the range.
func (r *run) scan() (contracts.ScanResult, error) {
	start, at := r.fault.off, r.units.at()
	for r.first = at; at < r.part.End && at < r.part.Object.Size; at = r.units.at() {
		if err := r.unit(); err != nil {
			return contracts.ScanResult{}, r.fault.broken(err)
		}
	}
	if err := r.sink.Flush(); err != nil {
		return contracts.ScanResult{}, err
	}
	blocks := &contracts.Blocks{First: r.first, Next: at, Start: start, End: r.fault.off}
	outs := r.states.Outcomes(at == r.part.Object.Size)
	return contracts.ScanResult{Outcomes: moved(outs, max(start, r.headEnd())), Blocks: blocks}, nil
}

// headEnd is where the head ends, as far as the scan knows where it is.
func (r *run) headEnd() int64 {
	if r.part.Blocks == nil {
		return 0
	}
	return dataOffset(r.part)
}

// unit decodes one block.
func (r *run) unit() error {
	if err := r.units.next(); err != nil {
		return err
	}
	_, err := io.CopyBuffer(r, r.units, r.piece)
	return err
}

// Write takes decompressed bytes.
func (r *run) Write(b []byte) (int, error) {
	n := int64(len(b))
	r.fault.off += n
	if r.left >= 0 {
		if r.left -= n; r.left < 0 {
			return 0, errGuess
		}
	}
	skip := min(r.skip, n)
	r.skip -= skip
	_, err := r.sink.Write(b[skip:])
	return len(b), err
}

// moved gives offsets that count from another place.
func moved(outs []contracts.Outcome, by int64) []contracts.Outcome {
	all := make([]contracts.Outcome, len(outs))
	for i, o := range outs {
		if o.First >= 0 {
			o.First += by
		}
		if o.Quote >= 0 {
			o.Quote += by
		}
		all[i] = o
	}
	return all
}

// automaton is the transition function of what is written to it.
type automaton interface {
	io.Writer
	Outcomes(last bool) []contracts.Outcome
}

func newAutomaton(f contracts.Format) (automaton, error) {
	if !isCSV(f) {
		return &lineEnds{}, nil
	}
	d, err := csv.New(f.CSV)
	if err != nil {
		return nil, err
	}
	return d.NewScanner(), nil
}

// lineEnds is the automaton of formats whose records are lines: at a line's first byte, or further on in it. It counts
// nothing: what a blank line is, its reader knows when it has seen all of it.
type lineEnds struct {
	some bool // bytes were written
	last byte
}

func (l *lineEnds) Write(b []byte) (int, error) {
	if len(b) > 0 {
		l.some, l.last = true, b[len(b)-1]
	}
	return len(b), nil
}

func (l *lineEnds) Outcomes(bool) []contracts.Outcome {
	outs := []contracts.Outcome{
		{Start: csv.RecordStart, End: csv.RecordStart, First: -1, Quote: -1},
		{Start: csv.InRecord, End: csv.InRecord, First: -1, Quote: -1},
	}
	if !l.some {
		return outs
	}
	end := csv.InRecord
	if l.last == '\n' || l.last == '\r' {
		end = csv.RecordStart
	}
	outs[0].End, outs[1].End = end, end
	return outs
}
