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
	if b := part.Blocks; b != nil && b.End >= 0 && b.End <= max(b.Start, dataOffset(part)) {
		return nothing(b.Next - b.First), nil
	}
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

// nothing is the reader of blocks without any data, and of none: so many stored bytes.
type nothing int64

func (nothing) Next() (*contracts.Record, error) { return nil, io.EOF }
func (n nothing) BytesRead() int64               { return int64(n) }
func (nothing) Close() error                     { return nil }

// openAt is where the stream begins: at the part's first byte, or one before it where a line break there is what tells
// that a record starts.
func openAt(part contracts.Part, f contracts.Format) int64 {
	first := dataOffset(part)
	switch {
	case part.Whole:
		return 0
	case part.Blocks != nil:
		return max(part.Blocks.Start, first)
	case part.Start <= first || NeedsScan(f) || part.Only != nil: // a record of Only is what such a part begins with
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
	ended   bool
	records interface {
		Next() (*contracts.Record, error)
	}
}

func (r *partReader) openSource(ctx context.Context, o Opener, start int64) error {
	if InBlocks(r.part) {
		return r.openBlocks(ctx, o, start)
	}
	until := r.part.End + lookAhead
	if r.part.Whole {
		until = r.part.Object.Size
	}
	r.stored = openRange(ctx, o, r.part.Object, start, until)
	r.stream = r.stored
	if r.part.Compression == "" || r.part.Compression == none {
		return nil
	}
	z, err := inflate(r.stored, r.part.Compression, 0)
	r.stream = z
	return err
}

// openBlocks streams a range of a compressed object, which goes on behind it.
func (r *partReader) openBlocks(ctx context.Context, o Opener, start int64) error {
	b := r.part.Blocks
	if b == nil {
		return contracts.At(contracts.KindInternal, r.part.Object.Address(), r.part.Start,
			"part of a %s stream: expected the whole object, or where the part's blocks are", r.part.Compression)
	}
	r.stored = openRange(ctx, o, r.part.Object, b.First, max(b.Next, r.part.End)+lookAhead)
	z, err := inflate(r.stored, r.part.Compression, b.Start)
	r.stream = &beheaded{inflated: z, head: start - b.Start}
	return err
}

// beheaded is a stream without its first bytes.
type beheaded struct {
	*inflated
	head int64
}

func (b *beheaded) Read(p []byte) (int, error) {
	for b.head > 0 {
		n, err := b.inflated.Read(p[:min(b.head, int64(len(p)))])
		if b.head -= int64(n); err != nil {
			return 0, err
		}
	}
	return b.inflated.Read(p)
}

func (r *partReader) Next() (*contracts.Record, error) {
	rec, err := r.records.Next()
	r.ended = err == io.EOF
	return rec, err
}

func (r *partReader) BytesRead() int64 {
	switch b := r.part.Blocks; {
	case r.part.Whole:
		return r.stored.off
	case b == nil:
		return max(0, min(r.stored.off, r.part.End)-r.part.Start)
	case b.Next >= 0 && (r.ended || r.stored.off > b.Next):
		return b.Next - b.First
	default:
		return r.stored.off - b.First
	}
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
	switch {
	case part.Whole || part.Blocks != nil && part.Blocks.End < 0:
		return math.MaxInt64
	case part.Blocks != nil:
		return part.Blocks.End
	default:
		return part.End
	}
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
	if part.Blocks == nil && start < part.Start {
		o.State = csv.InRecord
	}
	return d.NewReader(src, o), nil
}

func newLines(src io.Reader, start int64, part contracts.Part, s Spec) (interface {
	Next() (*contracts.Record, error)
}, error) {
	align := start < part.Start
	if part.Blocks != nil {
		align = part.State != csv.RecordStart
	}
	r := lines.New(src, lines.Options{
		Object: part.Object.Address(), Offset: start, Align: align, End: end(part), MaxRecord: s.MaxRecord,
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
