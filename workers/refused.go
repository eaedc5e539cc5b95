package workers

import (
	"context"
	"io"

	"github.com/penstock-io/penstock/contracts"
)

// A batch holds no records, but for those of a stream that would have to be gone through from its start: the few that
// the database refuses are read again, from the version of the object that all others were read from.

// tellRefused rejects records of the batch, given in its order, for the reasons that the database had. Where an object
// is no longer what it was, that is its part's error, and what it does not say any more counts as not read.
func (l *loader) tellRefused(ctx context.Context, b *batch, refused []int32, reasons map[int32]string) error {
	for len(refused) > 0 {
		part, n := int(b.entry(refused[0]).part), 0
		for n < len(refused) && int(b.entry(refused[n]).part) == part {
			n++
		}
		tell := l.tellAgain
		if b.kept {
			tell = l.tellKept
		}
		told, err := tell(ctx, b, part, refused[:n], reasons)
		result := &l.parts[part]
		result.Counts.Rejected += int64(told)
		if err != nil {
			if !ofObject(err) {
				return err
			}
			result.Counts.Read -= int64(n - told)
			result.Error = contracts.Info(err)
		}
		refused = refused[n:]
	}
	return nil
}

// tellKept rejects records of one part and says how many, as tellAgain does.
func (l *loader) tellKept(
	ctx context.Context, b *batch, part int, refused []int32, reasons map[int32]string,
) (told int, err error) {
	for _, i := range refused {
		s, offset := b.sources.at(i), b.entry(i).offset
		rec := contracts.Record{Offset: offset, Length: s.length, Raw: b.raws.at(s.raw, s.cut)}
		at := position{part: part, segment: l.segmentOf(l.work.Parts[part], offset), number: s.number}
		if err := l.tell(ctx, at, &rec, refusal(reasons[i])); err != nil {
			return told, err
		}
		told++
	}
	return told, nil
}

// tellAgain reads the part again.
func (l *loader) tellAgain(
	ctx context.Context, b *batch, part int, refused []int32, reasons map[int32]string,
) (told int, err error) {
	r, err := l.openPart(ctx, part)
	if err != nil {
		return 0, err
	}
	for _, i := range refused {
		var rec *contracts.Record
		if rec, err = r.seek(b.entry(i).offset); err != nil {
			return told, r.end(err)
		}
		r.at.segment = l.segmentOf(r.part, rec.Offset)
		if err = l.tell(ctx, r.at, rec, refusal(reasons[i])); err != nil {
			return told, r.end(err)
		}
		told++
	}
	return told, r.end(r.rest())
}

// rest reads on to the end, where a file that has changed is found out. What is wrong with the content is told by
// whoever reads it for its rows.
func (r *partReader) rest() error {
	for {
		if _, err := r.next(); err == io.EOF || contracts.KindOf(err) == contracts.KindInput {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// seek goes on to the record at an offset.
func (r *partReader) seek(offset int64) (*contracts.Record, error) {
	for {
		rec, err := r.next()
		if err == io.EOF || err == nil && rec.Offset > offset {
			return nil, contracts.At(contracts.KindChanged, r.part.Object.Address(), offset, "no record begins here: "+
				"expected the one that was read before and that the database refused; load the object again")
		}
		if err != nil || rec.Offset == offset {
			return rec, err
		}
	}
}

func refusal(reason string) contracts.Problem {
	return contracts.Problem{Rule: contracts.RuleDatabase, Reason: reason}
}
