package csv

import (
	"bytes"
	"io"
	"math"

	"github.com/penstock-io/penstock/chunk/internal/window"
	"github.com/penstock-io/penstock/contracts"
)

// Options say which records of a stream belong to a part, and what is wanted of them.
type Options struct {
	Object    string // address, for errors
	Offset    int64  // of the stream's first byte
	State     State  // the automaton's at Offset
	End       int64  // records that start before End belong to the part; 0: all
	MaxRecord int64  // bytes; a longer record is a problem, and moves no boundary
	Buffer    int    // bytes of a read; 0: the window's own

	// Binding says where the inputs are. nil: the stream is a whole object, and the reader finds out from its head.
	Binding  *contracts.Binding
	Inputs   []string
	Strict   bool     // every name of the header must be an input, and an input may be missing
	Required []string // names that must not be missing even so
}

// Reader yields the records that start in a part. Close its source yourself.
type Reader struct {
	d     *Dialect
	o     Options
	win   *window.Window
	state State
	bind  contracts.Binding
	head  bool // the head is still to be read
	learn bool // the first record's width is still to be learnt
	all   bool // all fields are looked at, not only those that spans has room for
	err   error

	at    int64 // offset of the record under way
	spans []span
	count int    // fields of the record under way, however many are looked at
	bad   int    // in the record: the first byte that is out of order; -1 for none
	broke bool   // bad is a line break in quotes
	open  int64  // offset of the quote that opened last; -1 for none
	index *index // nil before the first record, and where only the automaton can read the dialect

	fields  []contracts.Field
	scratch []byte
	rec     contracts.Record
}

// span is a field's place in its record.
type span struct {
	start, end int
	quoted     bool
	escaped    bool
}

// NewReader opens a reader on src.
func (d *Dialect) NewReader(src io.Reader, o Options) *Reader {
	if o.End == 0 {
		o.End = math.MaxInt64
	}
	r := &Reader{d: d, o: o, state: o.State, win: window.New(src, o.Offset, o.MaxRecord, o.Buffer)}
	r.fields = make([]contracts.Field, len(o.Inputs))
	r.head = o.Binding == nil
	if !r.head {
		r.use(*o.Binding)
	}
	return r
}

// use makes b the binding from here on.
func (r *Reader) use(b contracts.Binding) {
	need := 0
	for _, p := range b.Positions {
		need = max(need, p+1)
	}
	r.bind, r.all, r.spans = b, false, make([]span, need)
}

// Next yields the next record, valid until the next call; io.EOF at the end of the part. A quote that is never closed
// is KindInput at its offset. After an error every call returns it again.
func (r *Reader) Next() (*contracts.Record, error) {
	if r.index != nil && r.quick() {
		return &r.rec, nil
	}
	if r.err == nil {
		r.err = r.next()
	}
	if r.err != nil {
		r.index = nil
		return nil, r.err
	}
	return &r.rec, nil
}

func (r *Reader) next() error {
	if r.head {
		r.head = false
		if err := r.bindWhole(); err != nil {
			return err
		}
	}
	if err := r.slow(); err != nil {
		return err
	}
	r.resume()
	return nil
}

// slow reads a record by the automaton, byte by byte: what it does is what the dialect is.
func (r *Reader) slow() error {
	if err := r.seek(); err != nil {
		return err
	}
	if err := r.parse(); err != nil {
		return err
	}
	if r.learn {
		if err := r.bindFirst(); err != nil {
			return err
		}
	}
	r.finish()
	return nil
}

// seek goes to the first byte of the next record, through comments, blank lines and the rest of a record that started
// before the part. It looks at nothing beyond the part's end.
func (r *Reader) seek() error {
	w := r.win
	for {
		buf := w.Buf[:min(int64(len(w.Buf)), max(int64(w.Pos), r.o.End-w.Base))]
		for i := w.Pos; i < len(buf); i++ {
			e := r.d.table[r.state][buf[i]]
			if e.action()&starts != 0 {
				w.Pos = i
				return nil
			}
			r.state = e.state()
		}
		w.Pos = len(buf)
		if w.Offset() >= r.o.End {
			return io.EOF
		}
		if err := w.Fill(); err != nil {
			return err
		}
	}
}

// parse reads one record from its first byte through the line break that ends it, noting where its fields are.
func (r *Reader) parse() error {
	w, back := r.win, len(r.d.delimiter)-1
	w.Mark, r.at = w.Pos, w.Offset()
	r.count, r.bad, r.broke, r.open = 0, -1, false, -1
	var f span
	s := RecordStart
	for {
		buf, mark := w.Buf, w.Mark
		row, stay := &r.d.table[s], entry(s)
		for i := w.Pos; i < len(buf); i++ {
			e := row[buf[i]]
			if e == stay {
				continue
			}
			s = e.state()
			row, stay = &r.d.table[s], entry(s)
			switch a := e.action() &^ starts; a {
			case 0:
			case ends:
				r.field(f, i-mark-back)
				f = span{start: i + 1 - mark}
			case opens:
				f.start, f.quoted = i+1-mark, true
				r.open = w.Base + int64(i)
			case closes:
				f.end = i - mark
			case escapes:
				f.escaped = true
			default:
				w.Pos = i
				if r.odd(a); a&finishes != 0 {
					r.done(f)
					w.Pos++
					return nil
				}
			}
		}
		w.Pos = len(buf)
		if err := w.Fill(); err == io.EOF {
			return r.atEOF(s, f)
		} else if err != nil {
			return err
		}
	}
}

// field notes a field whose text ends at end; a quoted one's value ended at its closing quote.
func (r *Reader) field(f span, end int) {
	if !f.quoted {
		f.end = end
	}
	if r.count < len(r.spans) {
		r.spans[r.count] = f
	} else if r.all {
		r.spans = append(r.spans, f)
	}
	r.count++
}

// odd notes the first byte that is out of order.
func (r *Reader) odd(a action) {
	if a&(garbage|breaks) != 0 && r.bad < 0 {
		r.bad, r.broke = r.win.Pos-r.win.Mark, a&breaks != 0
	}
}

// done ends the record and its last field before the window's position.
func (r *Reader) done(f span) {
	w := r.win
	r.field(f, w.Pos-w.Mark)
	r.rec.Raw, r.rec.Length = w.Buf[w.Mark:w.Pos], w.Offset()-r.at
	w.Mark, r.state = -1, RecordStart
}

// atEOF ends the record under way with the object.
func (r *Reader) atEOF(s State, f span) error {
	e := r.d.eof[s]
	if e.action()&finishes == 0 {
		return contracts.At(contracts.KindInput, r.o.Object, r.open, "quote opened here is never closed: "+
			"found the end of the file, expected %q; close it, or set csv.quote if this byte is an ordinary one",
			r.d.format.Quote)
	}
	r.odd(e.action())
	r.done(f)
	return nil
}

// finish makes a record of what parse noted.
func (r *Reader) finish() {
	if !r.judge() {
		return
	}
	for i, p := range r.bind.Positions {
		r.fields[i] = contracts.Field{}
		if p >= 0 {
			r.fields[i] = r.value(r.spans[p])
		}
	}
	r.rec.Fields = r.fields
}

// judge says whether the record under way can be read; otherwise it becomes a problem.
func (r *Reader) judge() bool {
	rec := &r.rec
	rec.Offset, rec.Fields = r.at, nil
	if rec.Length > r.o.MaxRecord {
		rec.Raw = rec.Raw[:r.o.MaxRecord]
	}
	r.scratch = r.scratch[:0]
	rec.Problem = r.problem()
	return rec.Problem == nil
}

// value is what a field says: a quoted one without its quotes.
func (r *Reader) value(f span) contracts.Field {
	b := r.rec.Raw[f.start:f.end]
	if !f.quoted {
		return r.bare(b)
	}
	if f.escaped {
		b = r.unescape(b)
	}
	return contracts.Field{Kind: contracts.Text, Bytes: b}
}

// bare is what an unquoted field says: null where the dialect says so.
func (r *Reader) bare(b []byte) contracts.Field {
	if r.d.format.Trim {
		b = bytes.Trim(b, " \t")
	}
	if r.d.isNull(b) {
		return contracts.Field{Kind: contracts.Null}
	}
	return contracts.Field{Kind: contracts.Text, Bytes: b}
}

// unescape writes a quoted value to the scratch buffer, which holds one record's values. An escape before another byte
// than itself or the quote is kept.
func (r *Reader) unescape(b []byte) []byte {
	escape := r.d.escapeByte()
	if bytes.IndexByte(b, escape) < 0 {
		return b
	}
	from, quote := len(r.scratch), byte(r.d.quote)
	for len(b) > 0 {
		i := bytes.IndexByte(b, escape)
		if i < 0 || i+1 == len(b) {
			break
		}
		r.scratch = append(r.scratch, b[:i]...)
		if b[i+1] != quote && b[i+1] != escape {
			r.scratch = append(r.scratch, escape)
		}
		r.scratch = append(r.scratch, b[i+1])
		b = b[i+2:]
	}
	r.scratch = append(r.scratch, b...)
	return r.scratch[from:len(r.scratch):len(r.scratch)]
}
