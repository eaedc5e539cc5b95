// Package lines reads the lines of a part: the records of every format in which a record cannot contain a line break.
//
// A line ends at LF, CRLF or a lone CR. A line of blanks and tabs alone is none. What must never happen: a line that
// two neighbouring parts both yield, or neither.
package lines

import (
	"bytes"
	"fmt"
	"io"
	"math"

	"github.com/penstock-io/penstock/chunk/internal/window"
	"github.com/penstock-io/penstock/contracts"
)

// Options say which lines of a stream belong to a part.
type Options struct {
	Object    string // address, for errors
	Offset    int64  // of the stream's first byte
	Align     bool   // the stream begins one byte before the part: what comes up to the first line break is another's
	End       int64  // lines that start before End belong to the part; 0: all
	MaxRecord int64  // bytes; a longer line is a problem
	Buffer    int    // bytes of a read; 0: the window's own
}

// Reader yields lines. Close its source yourself.
type Reader struct {
	o      Options
	win    *window.Window
	lf, cr seeker
	err    error
}

// seeker knows where a byte comes next, so that each byte of a stream is looked at once.
type seeker struct {
	byte
	at    int64 // in the stream: where it comes, or how far it does not
	found bool
}

// index is the byte's first place in the buffer from the window's position on; -1 for none.
func (s *seeker) index(w *window.Window) int {
	if s.at < w.Offset() {
		s.at, s.found = w.Offset(), false
	}
	if !s.found {
		rest := w.Buf[s.at-w.Base:]
		i := bytes.IndexByte(rest, s.byte)
		if i < 0 {
			s.at += int64(len(rest))
			return -1
		}
		s.at, s.found = s.at+int64(i), true
	}
	return int(s.at - w.Base)
}

// New opens a reader on src.
func New(src io.Reader, o Options) *Reader {
	if o.End == 0 {
		o.End = math.MaxInt64
	}
	return &Reader{
		o: o, win: window.New(src, o.Offset, o.MaxRecord, o.Buffer), lf: seeker{byte: '\n'}, cr: seeker{byte: '\r'},
	}
}

// Next puts the next line into rec, whose Fields it leaves alone; io.EOF when there is none.
func (r *Reader) Next(rec *contracts.Record) error {
	if r.err == nil {
		r.err = r.next(rec)
	}
	return r.err
}

func (r *Reader) next(rec *contracts.Record) error {
	if r.o.Align {
		r.o.Align = false
		if err := r.line(rec); err != nil {
			return err
		}
	}
	for {
		start := r.win.Offset()
		if start >= r.o.End {
			return io.EOF
		}
		if start == 0 {
			if err := SkipBOM(r.win, r.o.Object); err != nil {
				return err
			}
		}
		if err := r.line(rec); err != nil {
			return err
		}
		if rec.Problem != nil || !blank(rec.Raw) {
			return nil
		}
	}
}

func blank(b []byte) bool {
	for _, c := range b {
		if c != ' ' && c != '\t' {
			return false
		}
	}
	return true
}

// line reads one line, however long, and steps over the byte that ends it. The LF of a CRLF is an empty line.
func (r *Reader) line(rec *contracts.Record) error {
	w := r.win
	w.Mark = w.Pos
	from := w.Offset()
	for {
		if i := r.lineBreak(); i >= 0 {
			w.Pos = i
			r.fill(rec, from)
			w.Pos++
			return nil
		}
		w.Pos = len(w.Buf)
		switch err := w.Fill(); {
		case err == io.EOF && w.Offset() > from:
			r.fill(rec, from)
			return nil
		case err != nil:
			return err
		}
	}
}

// fill describes the line from the mark to the position.
func (r *Reader) fill(rec *contracts.Record, from int64) {
	w := r.win
	rec.Offset, rec.Length, rec.Problem = from, w.Offset()-from, nil
	rec.Raw = w.Buf[w.Mark:w.Pos]
	if rec.Length > r.o.MaxRecord {
		rec.Raw = rec.Raw[:r.o.MaxRecord]
		rec.Problem = TooLong(rec.Length, r.o.MaxRecord)
	}
	w.Mark = -1
}

// lineBreak is the place of the next one in the buffer; -1 for none.
func (r *Reader) lineBreak() int {
	lf, cr := r.lf.index(r.win), r.cr.index(r.win)
	if lf < 0 || cr >= 0 && cr < lf {
		return cr
	}
	return lf
}

// TooLong is the problem of a record over the limit.
func TooLong(length, limit int64) *contracts.Problem {
	return &contracts.Problem{
		Rule:   contracts.RuleLength,
		Reason: fmt.Sprintf("record of %d bytes, expected at most %d (PENSTOCK_MAX_RECORD)", length, limit),
	}
}

// SkipBOM steps over a UTF-8 byte order mark at the window's position, and refuses one of UTF-16.
func SkipBOM(w *window.Window, object string) error {
	if err := w.Need(3); err != nil {
		return err
	}
	head := w.Buf[w.Pos:]
	switch {
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		w.Pos += 3
	case bytes.HasPrefix(head, []byte("\xff\xfe")), bytes.HasPrefix(head, []byte("\xfe\xff")):
		return contracts.At(contracts.KindInput, object, 0, "found the byte order mark of UTF-16, expected UTF-8: "+
			"convert the file first, for example with iconv -f UTF-16 -t UTF-8")
	}
	return nil
}

// Clip copies an offending value, cut to what a reject shows of it.
func Clip(b []byte) string { return string(b[:min(len(b), 256)]) }
