package csv

import (
	"bytes"
	"cmp"
	"io"

	"github.com/penstock-io/penstock/chunk/internal/lines"
	"github.com/penstock-io/penstock/contracts"
)

// Head is what the first bytes of an object say about the rest.
type Head struct {
	DataOffset int64    // first byte after BOM, skipped lines and header
	Names      []string // of the header; nil without one, and for an object that ends before it
	Width      int      // fields of the header, or of the first record; 0 for an object without either
}

// ReadHead reads the head of an object from src, which begins at its first byte: the header, or the first record where
// there is none. Header problems are KindInput. Of a record longer than max bytes it fails.
func (d *Dialect) ReadHead(src io.Reader, object string, max int64) (Head, error) {
	r := d.NewReader(src, Options{Object: object, MaxRecord: max})
	h, err := r.readHead()
	if err != nil || d.format.Header {
		return h, err
	}
	if err := r.headRecord("first record"); err != nil && err != io.EOF {
		return Head{}, err
	}
	h.Width = r.count
	return h, nil
}

// readHead steps over BOM, skipped lines and header.
func (r *Reader) readHead() (Head, error) {
	if err := lines.SkipBOM(r.win, r.o.Object); ended(err) != nil {
		return Head{}, err
	}
	for range r.d.format.Skip {
		if err := r.skipLine(); ended(err) != nil {
			return Head{}, err
		}
	}
	if !r.d.format.Header {
		return Head{DataOffset: r.win.Offset()}, nil
	}
	r.all = true
	if err := r.headRecord("header"); err == io.EOF {
		return Head{DataOffset: r.win.Offset()}, nil
	} else if err != nil {
		return Head{}, err
	}
	h := Head{Names: r.names(), Width: r.count}
	if err := r.skipLF(); ended(err) != nil {
		return Head{}, err
	}
	h.DataOffset = r.win.Offset()
	return h, nil
}

// ended drops io.EOF: a head may end with the object anywhere.
func ended(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}

// headRecord reads one record that must be in order; what is its name in errors.
func (r *Reader) headRecord(what string) error {
	if err := r.seek(); err != nil {
		return err
	}
	if err := r.parse(); err != nil {
		return err
	}
	if r.rec.Length > r.o.MaxRecord {
		return contracts.At(contracts.KindInput, r.o.Object, r.at, "%s of %d bytes, expected at most %d: is the file "+
			"CSV, and are csv.quote and csv.skip right?", what, r.rec.Length, r.o.MaxRecord)
	}
	if r.bad < 0 || !r.d.format.Header {
		return nil
	}
	return contracts.At(contracts.KindInput, r.o.Object, r.at+int64(r.bad), "%s cannot be read: %s; mend the file, or "+
		"say with csv.skip which lines come before the header", what, r.problem().Reason)
}

// names are the header's fields, which never are null.
func (r *Reader) names() []string {
	names := make([]string, r.count)
	for i, f := range r.spans[:r.count] {
		b := r.rec.Raw[f.start:f.end]
		switch {
		case f.escaped:
			b = r.unescape(b)
		case !f.quoted && r.d.format.Trim:
			b = bytes.Trim(b, " \t")
		}
		names[i] = string(b)
	}
	r.scratch = nil
	return names
}

// skipLine steps over one line, whatever it holds.
func (r *Reader) skipLine() error {
	w := r.win
	for {
		if i := bytes.IndexAny(w.Buf[w.Pos:], "\r\n"); i >= 0 {
			w.Pos += i + 1
			return r.skipLF()
		}
		w.Pos = len(w.Buf)
		if err := w.Fill(); err != nil {
			return err
		}
	}
}

// skipLF steps over the second half of a CRLF whose first half was the byte before.
func (r *Reader) skipLF() error {
	w := r.win
	cr := w.Pos > 0 && w.Buf[w.Pos-1] == '\r'
	if !cr {
		return nil
	}
	if err := w.Need(1); err != nil {
		return err
	}
	if w.Pos < len(w.Buf) && w.Buf[w.Pos] == '\n' {
		w.Pos++
	}
	return nil
}

// bindWhole reads the head of a whole object and finds the inputs in it.
func (r *Reader) bindWhole() error {
	h, err := r.readHead()
	if err != nil {
		return err
	}
	if r.d.format.Header {
		b, err := h.Bind(r.o.Object, r.d.format, r.o.Inputs, r.o.Strict)
		r.use(b)
		return cmp.Or(err, h.Require(r.o.Object, r.d.format, r.o.Required))
	}
	b := contracts.Binding{DataOffset: h.DataOffset}
	if b.Positions, err = positions(r.o.Inputs); err != nil {
		return err
	}
	r.use(b)
	r.learn = true
	return nil
}

// bindFirst takes the width from the first record of an object without a header.
func (r *Reader) bindFirst() error {
	r.learn = false
	b, err := Head{DataOffset: r.bind.DataOffset, Width: r.count}.Bind(r.o.Object, r.d.format, r.o.Inputs, r.o.Strict)
	r.bind = b
	return err
}
