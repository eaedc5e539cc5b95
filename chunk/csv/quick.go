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
		until := ends[count]
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
func (r *Reader) take(ends []int) {
	w, rec := r.win, &r.rec
	r.at, r.count, r.bad = w.Offset(), len(ends)-1, -1
	rec.Raw = w.Buf[w.Pos:ends[r.count]]
	rec.Length = int64(len(rec.Raw))
	if !r.judge() {
		return
	}
	buf, quote, verbatim, whenEmpty := w.Buf, r.d.quote, r.d.verbatim, contracts.Text
	if r.d.empty {
		whenEmpty = contracts.Null
	}
	fields := r.fields[:len(r.bind.Positions)]
	for i, p := range r.bind.Positions {
		f := &fields[i]
		if p < 0 {
			*f = contracts.Field{}
			continue
		}
		from, to := ends[p]+1, ends[p+1]
		text := buf[from:to:to]
		if int(buf[from]) == quote || !verbatim {
			*f = r.rare(text)
			continue
		}
		kind := contracts.Text
		if from == to {
			kind = whenEmpty
		}
		f.Kind, f.Bytes = kind, text
	}
	rec.Fields = r.fields
}

// rare is what a field says that is not its bytes as they are.
func (r *Reader) rare(b []byte) contracts.Field {
	if len(b) == 0 || int(b[0]) != r.d.quote {
		return r.bare(b)
	}
	b = b[1 : len(b)-1]
	if r.d.escape >= 0 || r.d.doubled {
		b = r.unescape(b)
	}
	return contracts.Field{Kind: contracts.Text, Bytes: b}
}
