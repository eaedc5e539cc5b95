package chunk

import (
	"context"
	"io"
	"math"

	"github.com/penstock-io/penstock/chunk/csv"
	"github.com/penstock-io/penstock/chunk/internal/lines"
	"github.com/penstock-io/penstock/chunk/internal/window"
	"github.com/penstock-io/penstock/chunk/ndjson"
	"github.com/penstock-io/penstock/chunk/text"
	"github.com/penstock-io/penstock/contracts"
)

// Spec says what a reader yields.
type Spec struct {
	Format    contracts.Format
	Inputs    []string // the fields of each record, in this order: names, dotted paths of NDJSON, or positions from 0
	Strict    bool     // every name of a CSV header must be an input, and inputs may be missing
	Required  []string // names of a CSV header that must not be missing even so
	MaxRecord int64    // bytes; a longer record is a problem
}

// Reader yields the records that start in one part.
type Reader interface {
	// Next yields the next record, valid until the next call; io.EOF at the end. Other errors are the object's, with
	// its address and a byte offset; everything before that has been yielded, and every further call fails the same.
	Next() (*contracts.Record, error)
	// BytesRead is how much of the part has been read, in stored bytes. Look-ahead belongs to the next part.
	BytesRead() int64
	// Close ends the request under way.
	Close() error
}

// NewReader opens a reader on a part. It makes no request before the first call of Next.
func NewReader(ctx context.Context, o Opener, part contracts.Part, s Spec) (Reader, error) {
	r := &partReader{part: part}
	start := openAt(part, s.Format)
	if err := r.openSource(ctx, o, start); err != nil {
		return nil, err
	}
	var err error
	if isCSV(s.Format) {
		r.records, err = newCSV(r.stream, start, part, s)
	} else {
		r.records, err = newLines(r.stream, start, part, s)
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// openAt is where the stream begins: at the part's first byte, or one before it where a line break there is what tells
// that a record starts.
func openAt(part contracts.Part, f contracts.Format) int64 {
	first := int64(0)
	if part.Binding != nil {
		first = part.Binding.DataOffset
	}
	switch {
	case part.Whole:
		return 0
	case part.Start <= first || NeedsScan(f):
		return part.Start
	default:
		return part.Start - 1
	}
}

// partReader joins a format's reader to its source.
type partReader struct {
	part    contracts.Part
	stored  *source
	stream  io.ReadCloser
	records interface {
		Next() (*contracts.Record, error)
	}
}

func (r *partReader) openSource(ctx context.Context, o Opener, start int64) error {
	until := r.part.End + lookAhead
	if r.part.Whole {
		until = r.part.Object.Size
	}
	r.stored = openRange(ctx, o, r.part.Object, start, until)
	r.stream = r.stored
	switch {
	case r.part.Compression == "" || r.part.Compression == none:
		return nil
	case !r.part.Whole:
		return contracts.At(contracts.KindInternal, r.part.Object.Address(), r.part.Start,
			"part of a %s stream: expected the whole object", r.part.Compression)
	}
	z, err := inflate(r.stored, r.part.Compression)
	r.stream = z
	return err
}

func (r *partReader) Next() (*contracts.Record, error) { return r.records.Next() }

func (r *partReader) BytesRead() int64 {
	if r.part.Whole {
		return r.stored.off
	}
	return max(0, min(r.stored.off, r.part.End)-r.part.Start)
}

func (r *partReader) Close() error { return r.stream.Close() }

// buffer is the size of a part's reads: small for small objects, of which a chunk may hold thousands. Half of it stays
// free when all has been read.
func buffer(part contracts.Part) int {
	if part.Compression == "" || part.Compression == none {
		return int(min(window.Block, 2*(part.End-part.Start)+16))
	}
	return window.Block
}

// end is where records no longer belong to the part.
func end(part contracts.Part) int64 {
	if part.Whole {
		return math.MaxInt64
	}
	return part.End
}

func newCSV(src io.Reader, start int64, part contracts.Part, s Spec) (*csv.Reader, error) {
	d, err := csv.New(s.Format.CSV)
	if err != nil {
		return nil, err
	}
	o := csv.Options{
		Object: part.Object.Address(), Offset: start, End: end(part), State: csv.RecordStart, MaxRecord: s.MaxRecord,
		Inputs: s.Inputs, Strict: s.Strict, Required: s.Required, Buffer: buffer(part),
	}
	if part.Whole {
		return d.NewReader(src, o), nil
	}
	if part.Binding == nil || !d.Reaches(part.State) {
		return nil, contracts.At(contracts.KindInternal, o.Object, start, "part of a split CSV object has state %d and "+
			"binding %v: expected those of its head and its scan", part.State, part.Binding)
	}
	o.Binding, o.State = part.Binding, part.State
	if start < part.Start {
		o.State = csv.InRecord
	}
	return d.NewReader(src, o), nil
}

func newLines(src io.Reader, start int64, part contracts.Part, s Spec) (interface {
	Next() (*contracts.Record, error)
}, error) {
	r := lines.New(src, lines.Options{
		Object: part.Object.Address(), Offset: start, Align: start < part.Start, End: end(part), MaxRecord: s.MaxRecord,
		Buffer: buffer(part),
	})
	switch s.Format.Name {
	case "ndjson":
		return ndjson.NewReader(r, s.Inputs), nil
	case "text":
		return text.NewReader(r, s.Format.Text, s.Inputs)
	default:
		return nil, contracts.Errorf(contracts.KindConfig, "format %q: expected csv, tsv, ndjson or text", s.Format.Name)
	}
}
