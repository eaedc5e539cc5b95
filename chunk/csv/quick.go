package csv

import "github.com/penstock-io/penstock/contracts"

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
		start, ends := w.Pos, x.ends[x.next-1:x.next+count]
		until := ends[count].at()
		if start < until {
			r.take(ends)
		}
		w.Pos = until + 1
		if x.next += count; start < until {
			return true
		}
	}
	return false
}

// take makes a record of what lies between ends: between ends[p] and ends[p+1] is field p.
func (r *Reader) take(ends []end) {
	w, rec := r.win, &r.rec
	r.at, r.count, r.bad = w.Offset(), len(ends)-1, -1
	rec.Raw = w.Buf[w.Pos:ends[r.count].at()]
	rec.Length = int64(len(rec.Raw))
	if !r.judge() {
		return
	}
	buf, positions, quote, verbatim := w.Buf, r.bind.Positions, r.d.quote, r.d.verbatim
	fields := r.fields[:len(positions)]
	for i, p := range positions {
		if p < 0 {
			fields[i] = contracts.Field{}
			continue
		}
		from, to := ends[p].at()+1, ends[p+1].at()
		b := buf[from:to]
		if len(b) > 0 && int(b[0]) != quote && verbatim {
			fields[i].Kind, fields[i].Bytes = contracts.Text, b
		} else if len(b) > 0 && int(b[0]) == quote {
			fields[i].Kind, fields[i].Bytes = contracts.Text, r.unquote(b, ends[p+1].escaped())
		} else {
			fields[i] = r.bare(b)
		}
	}
	rec.Fields = r.fields
}

// unquote is the text of a field in quotes.
func (r *Reader) unquote(b []byte, escaped bool) []byte {
	if b = b[1 : len(b)-1]; escaped {
		return r.unescape(b)
	}
	return b
}
