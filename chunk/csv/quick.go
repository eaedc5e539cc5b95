package csv

import (
	"bytes"

	"github.com/penstock-io/penstock/contracts"
)

// resume lets the index go on behind a record that the automaton has read.
func (r *Reader) resume() {
	if len(r.d.delimiter) > 1 {
		return // which the table finds
	}
	if r.index == nil {
		r.index = r.d.newIndex(r.bind.Width, r.o.Buffer)
	}
	r.index.restart(r.win.Pos)
}

// quick reads the next record by the index, if it lies in the buffer; false where the automaton must read it. It yields
// what slow would, and fills no buffer: until it returns false the index and the buffer stay in step.
func (r *Reader) quick() bool {
	w, x := r.win, r.index
	for w.Offset() < r.o.End {
		count := x.record(w.Buf)
		if count == 0 || int(w.Buf[w.Pos]) == r.d.comment {
			return false
		}
		ends := x.ends[x.next-1 : x.next+count]
		start, end := w.Pos, ends[count]
		if start < end {
			r.take(start, ends)
		}
		w.Pos = end + 1
		if x.next += count; start < end {
			return true
		}
	}
	return false
}

// take makes a record of what lies between ends: of ends[p] and ends[p+1] is field p.
func (r *Reader) take(start int, ends []int) {
	w, rec := r.win, &r.rec
	r.at, r.count, r.bad = w.Offset(), len(ends)-1, -1
	rec.Raw = w.Buf[start:ends[r.count]]
	rec.Length = int64(len(rec.Raw))
	if !r.judge() {
		return
	}
	escaped := r.index.again > start
	buf, fields, quote, verbatim := w.Buf, r.fields, r.d.quote, r.d.verbatim
	for i, p := range r.bind.Positions {
		if p < 0 {
			fields[i] = contracts.Field{}
			continue
		}
		b := buf[ends[p]+1 : ends[p+1]]
		if len(b) == 0 || int(b[0]) == quote || !verbatim {
			fields[i] = r.special(b, escaped)
			continue
		}
		fields[i] = contracts.Field{Kind: contracts.Text, Bytes: b}
	}
	rec.Fields = r.fields
}

// special is what a field says that is empty, in quotes, or not to be taken as it stands.
func (r *Reader) special(b []byte, escaped bool) contracts.Field {
	if len(b) > 0 && int(b[0]) == r.d.quote {
		return contracts.Field{Kind: contracts.Text, Bytes: r.unquote(b, escaped)}
	}
	return r.bare(b)
}

// unquote is the text of a field in quotes. Where it may hold an escape, it does if the escape's byte is in it.
func (r *Reader) unquote(b []byte, escaped bool) []byte {
	if b = b[1 : len(b)-1]; escaped && bytes.IndexByte(b, r.d.escapeByte()) >= 0 {
		return r.unescape(b)
	}
	return b
}
