package reference

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/penstock-io/penstock/chunk"
	"github.com/penstock-io/penstock/contracts"
)

// shelf is a store of one object, which gives a few bytes at a time.
type shelf struct {
	data []byte
	step int
}

func (s shelf) object() contracts.Object {
	return contracts.Object{Bucket: "landing", Key: "a", ETag: "e1", Size: int64(len(s.data))}
}

func (s shelf) Open(_ context.Context, o contracts.Object, off, n int64) (io.ReadCloser, error) {
	if n < 0 {
		n = o.Size - off
	}
	if off < 0 || n == 0 || off+n > o.Size {
		return nil, fmt.Errorf("range %d+%d of %d bytes cannot be satisfied", off, n, o.Size)
	}
	return io.NopCloser(slow{bytes.NewReader(s.data[off : off+n]), s.step}), nil
}

type slow struct {
	io.Reader
	step int
}

func (s slow) Read(p []byte) (int, error) {
	if s.step > 0 {
		p = p[:min(s.step, len(p))]
	}
	return s.Reader.Read(p)
}

// outcome is what a way of reading a sample came to.
type outcome struct {
	records []Record
	err     error
}

// path reads a sample as a job does.
type path struct {
	ctx    context.Context
	sample sample
	shelf  shelf
	spec   chunk.Spec
	want   File // by the reference
}

func newPath(ctx context.Context, s sample) *path {
	return &path{
		ctx: ctx, sample: s, shelf: shelf{s.data, s.step}, want: s.expected(),
		spec: chunk.Spec{Format: s.format, Inputs: s.inputs, MaxRecord: s.limit},
	}
}

// whole reads an object that nobody splits.
func (p *path) whole() outcome {
	o := p.shelf.object()
	return p.read(contracts.Part{Object: o, End: o.Size, Whole: true, Compression: "none"})
}

// split reads the head, scans every chunk from every state, composes what the scans say, and reads every chunk from the
// state that it then is known to begin in. fault is what the scans or the numbers got wrong.
func (p *path) split(size int64) (out outcome, fault error) {
	o := p.shelf.object()
	head, err := chunk.ReadHead(p.ctx, p.shelf, o, p.sample.format, 1<<20)
	if err != nil {
		return outcome{err: err}, nil
	}
	bind, err := head.Bind(o.Address(), p.sample.format, p.sample.inputs, false)
	if err != nil {
		return outcome{err: err}, nil
	}
	if head.DataOffset >= o.Size {
		return p.whole(), nil
	}
	prefix := chunk.StartPrefix()
	for start, end := range chunk.Ranges(o.Size, head.DataOffset, size) {
		part := contracts.Part{Object: o, Start: start, End: end, Binding: &bind, State: prefix.State}
		got := p.read(part)
		if chunk.NeedsScan(p.sample.format) {
			if fault := p.checkStart(part, prefix, got, len(out.records)); fault != nil {
				return out, fault
			}
			if prefix, fault = p.scan(part, prefix); fault != nil {
				return out, fault
			}
		}
		if out.records = append(out.records, got.records...); got.err == nil {
			continue
		}
		if out.err != nil {
			return out, fmt.Errorf("two chunks fail: %w, then %w", out.err, got.err)
		}
		out.err = got.err
	}
	return out, p.checkQuote(prefix)
}

// scan passes a chunk by the outcome of its scan, once that names the chunk's first record.
func (p *path) scan(part contracts.Part, at chunk.Prefix) (chunk.Prefix, error) {
	outs, err := chunk.ScanPart(p.ctx, p.shelf, part, p.sample.format)
	if err != nil {
		return at, err
	}
	for _, o := range outs {
		if first := p.firstIn(part); o.Start == at.State && o.First != first {
			return at, fmt.Errorf("[%d, %d): the scan's first record is at %d, expected %d",
				part.Start, part.End, o.First, first)
		}
	}
	if at = at.Then(outs); !at.Known() {
		return at, fmt.Errorf("[%d, %d): no outcome for state %d in %v", part.Start, part.End, part.State, outs)
	}
	return at, nil
}

// firstIn is the offset of the first record that starts in a part, a fault's record too; -1 for none.
func (p *path) firstIn(part contracts.Part) int64 {
	for _, r := range p.want.Records {
		if r.Offset >= part.Start && r.Offset < part.End {
			return r.Offset
		}
	}
	if open := p.want.openRecord(p.sample); open >= part.Start && open < part.End {
		return open
	}
	return -1
}

// checkStart wants the records before a part to be as many as the scans say, and its own to be in it.
func (p *path) checkStart(part contracts.Part, at chunk.Prefix, got outcome, before int) error {
	open := p.want.openRecord(p.sample)
	if want := int64(before) + one(open >= 0 && open < part.Start); at.Records != want {
		return fmt.Errorf("[%d, %d): the scans count %d records before, expected %d", part.Start, part.End, at.Records, want)
	}
	for _, r := range got.records {
		if r.Offset < part.Start || r.Offset >= part.End {
			return fmt.Errorf("[%d, %d): a record at %d", part.Start, part.End, r.Offset)
		}
	}
	return nil
}

// checkQuote wants the scans to name the quote that is never closed.
func (p *path) checkQuote(at chunk.Prefix) error {
	want := int64(-1)
	if p.want.Quote {
		want = p.want.Fault
	}
	if chunk.NeedsScan(p.sample.format) && at.Quote != want {
		return fmt.Errorf("the scans find a quote open at %d, expected %d", at.Quote, want)
	}
	return nil
}

func one(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// read reads a part to its end.
func (p *path) read(part contracts.Part) (out outcome) {
	r, err := chunk.NewReader(p.ctx, p.shelf, part, p.spec)
	if err != nil {
		return outcome{err: err}
	}
	for {
		rec, err := r.Next()
		if err == io.EOF {
			out.err = r.Close()
			return out
		}
		if err != nil {
			out.err = errors.Join(err, r.Close())
			return out
		}
		out.records = append(out.records, copied(rec))
	}
}

func copied(r *contracts.Record) Record {
	c := Record{Offset: r.Offset, Length: r.Length, Raw: string(r.Raw)}
	if r.Problem != nil {
		c.Rule = r.Problem.Rule
		return c
	}
	c.Fields = make([]string, len(r.Fields))
	for i, f := range r.Fields {
		c.Fields[i] = field(f.Kind, string(f.Bytes))
	}
	return c
}
