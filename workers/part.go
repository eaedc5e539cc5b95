package workers

import (
	"cmp"
	"context"
	"io"

	"github.com/penstock-io/penstock/chunk"
	"github.com/penstock-io/penstock/contracts"
)

// partReader yields the records of a part that are to be loaded, the same at every reading.
type partReader struct {
	chunk.Reader
	part contracts.Part
	only listed
	at   position // of the record that next gave; its segment is the caller's to keep
}

// position is where in the chunk a record stands.
type position struct {
	part    int
	segment int64
	number  int64 // of the record, from 1 in its object; where that is not known from -1 down in the part
	known   bool  // number is the object's
}

func (l *loader) openPart(ctx context.Context, i int) (*partReader, error) {
	part, c := l.work.Parts[i], l.pipeline
	only, err := l.listed(ctx, part)
	if err != nil {
		return nil, err
	}
	r, err := chunk.NewReader(ctx, l.objects, part, chunk.Spec{
		Format: c.Format(), Inputs: c.Inputs(), Strict: c.Strict(), Required: c.Inputs()[:c.Required()],
		MaxRecord: l.work.MaxRecord,
	})
	if err != nil {
		return nil, err
	}
	at := position{part: i, segment: part.Segment, number: max(part.Records, 0), known: part.Records >= 0}
	return &partReader{Reader: r, part: part, only: only, at: at}, nil
}

// next gives the next record, io.EOF at the end, or what the reader met.
func (r *partReader) next() (*contracts.Record, error) {
	for {
		rec, err := r.Next()
		if err == io.EOF {
			return nil, cmp.Or(r.only.missed(r.part), err)
		}
		if err != nil {
			return nil, err
		}
		if r.only == nil || r.at.known { // else those before the part's first record are not counted either
			r.at.count()
		}
		if r.only.wants(rec.Offset) {
			return rec, nil
		}
	}
}

// end closes the reader and gives what there was to find fault with. A local file is looked at once more when it is
// closed: if it changed, whatever else was found in it counts for nothing.
func (r *partReader) end(fault error) error {
	if err := r.Close(); fault == nil || contracts.KindOf(err) == contracts.KindChanged {
		return cmp.Or(err, fault)
	}
	return fault
}

// count goes on to the next record.
func (p *position) count() {
	if p.known {
		p.number++
	} else {
		p.number--
	}
}
