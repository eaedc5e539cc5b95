package chunk

import (
	"context"
	"io"

	"github.com/penstock-io/penstock/chunk/csv"
	"github.com/penstock-io/penstock/chunk/internal/lines"
	"github.com/penstock-io/penstock/chunk/internal/window"
	"github.com/penstock-io/penstock/contracts"
)

// Head is what an object's first bytes say about the rest. The zero value is that of every format but CSV.
type Head struct {
	DataOffset int64    // CSV: first byte after BOM, skipped lines and header
	Names      []string // of the header; nil without one
	Width      int      // fields of the header, or of the first record; 0 for an object that has neither
}

// ReadHead reads the head of an object, at most maxHead decompressed bytes of it. What cannot be read is KindInput.
//
// Only CSV has a head. Of the other formats it refuses UTF-16, which no later part could tell from broken text.
func ReadHead(ctx context.Context, o Opener, obj contracts.Object, f contracts.Format, maxHead int64) (Head, error) {
	maxRead := maxHead
	if !isCSV(f) {
		maxRead = 3 // a byte order mark
	}
	stream, err := openHead(ctx, o, obj, Compression(f, obj.Key), maxRead)
	if err != nil {
		return Head{}, err
	}
	defer stream.Close() // a request that was read as far as it was needed
	return readHead(stream, obj, f, maxHead)
}

func readHead(stream io.Reader, obj contracts.Object, f contracts.Format, maxHead int64) (Head, error) {
	src := &bounded{src: stream, left: maxHead, object: obj.Address(), limit: maxHead}
	if !isCSV(f) {
		return Head{}, ended(lines.SkipBOM(window.New(src, 0, maxHead, 0), obj.Address()))
	}
	d, err := csv.New(f.CSV)
	if err != nil {
		return Head{}, err
	}
	h, err := d.ReadHead(src, obj.Address(), maxHead)
	return Head(h), err
}

// openHead opens a stream whose first request suffices for n decompressed bytes.
func openHead(ctx context.Context, o Opener, obj contracts.Object, compression string, n int64) (io.ReadCloser, error) {
	if compression == none {
		return openRange(ctx, o, obj, 0, n), nil
	}
	return inflate(openRange(ctx, o, obj, 0, obj.Size), compression, 0)
}

func ended(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}

// Bind finds a pipeline's inputs in the head; see csv.Head.Bind. For other formats there is nothing to find.
func (h Head) Bind(object string, f contracts.Format, inputs []string, strict bool) (contracts.Binding, error) {
	if !isCSV(f) {
		return contracts.Binding{}, nil
	}
	return csv.Head(h).Bind(object, f.CSV, inputs, strict)
}

// Require wants names to be in the header: the key columns, where strict lets the others be missing.
func (h Head) Require(object string, f contracts.Format, names []string) error {
	if !isCSV(f) {
		return nil
	}
	return csv.Head(h).Require(object, f.CSV, names)
}

// bounded fails where a stream goes on after so many bytes.
type bounded struct {
	src    io.Reader
	left   int64
	limit  int64
	object string
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left > 0 {
		n, err := b.src.Read(p[:min(int64(len(p)), b.left)])
		b.left -= int64(n)
		return n, err
	}
	var one [1]byte
	if _, err := io.ReadFull(b.src, one[:]); err != nil {
		return 0, err
	}
	return 0, contracts.At(contracts.KindInput, b.object, b.limit, "header or first record does not end within %d bytes: "+
		"is the file CSV, and are csv.quote, csv.comment and csv.skip right?", b.limit)
}
