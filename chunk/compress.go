package chunk

import (
	"errors"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/penstock-io/penstock/contracts"
)

// maxWindow is the most memory that a zstd frame may ask for: what the zstd command itself grants by default.
const maxWindow = 128 << 20

// inflated streams the decompressed bytes of an object, from one of its blocks on. Whoever reads it closes it.
type inflated struct {
	name    string // of the compression
	stored  *source
	decoder io.Reader // nil until the first read
	close   func()
	off     int64 // decompressed
	err     error
}

// inflate wraps a source that streams an object from a block on, whose first byte has the given decompressed offset.
func inflate(stored *source, compression string, off int64) (*inflated, error) {
	if compression != gz && compression != zst {
		return nil, contracts.At(contracts.KindConfig, stored.object.Address(), -1,
			"compression %q: expected none, gzip or zstd", compression)
	}
	return &inflated{name: compression, stored: stored, close: func() {}, off: off}, nil
}

func (z *inflated) Read(p []byte) (int, error) {
	if z.err != nil {
		return 0, z.err
	}
	if z.decoder == nil {
		if z.err = z.broken(z.open()); z.err != nil {
			return 0, z.err
		}
	}
	n, err := z.decoder.Read(p)
	z.off += int64(n)
	if err != nil && err != io.EOF {
		err = z.broken(err)
	}
	z.err = err
	return n, err
}

// open reads the stream's first header. An empty object is no stream of either kind.
func (z *inflated) open() error {
	if z.stored.object.Size == 0 {
		return io.ErrUnexpectedEOF
	}
	if z.name == gz {
		decoder, err := gzip.NewReader(z.stored)
		z.decoder = decoder
		return err
	}
	decoder, err := newZstd(z.stored)
	if err != nil {
		return err
	}
	z.decoder, z.close = decoder, decoder.Close
	return nil
}

func newZstd(src io.Reader) (*zstd.Decoder, error) {
	return zstd.NewReader(src, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(maxWindow))
}

// broken tells a stream that cannot be read, which is the file's fault, from stored bytes that did not come.
func (z *inflated) broken(err error) error {
	object := z.stored.object.Address()
	switch {
	case err == nil:
		return nil
	case z.stored.err != nil:
		return z.stored.err
	case errors.Is(err, io.ErrUnexpectedEOF) || err == io.EOF:
		return contracts.At(contracts.KindInput, object, z.off, "%s stream is cut off: found the end of the file, expected "+
			"more of it; the records before are loaded, upload the whole file to load the rest", z.name)
	case errors.Is(err, zstd.ErrWindowSizeExceeded):
		return contracts.At(contracts.KindInput, object, z.off, "zstd frame needs a window of more than %d MiB: %w; "+
			"compress the file with a smaller window, without --long or --ultra", maxWindow>>20, err)
	default:
		return contracts.At(contracts.KindInput, object, z.off, "%s stream cannot be read: %w; the records before are "+
			"loaded, mend the file or set source.compression to load the rest", z.name, err)
	}
}

// Close ends the decoder and the request. It may be called more than once.
func (z *inflated) Close() error {
	z.close()
	z.close = func() {}
	return z.stored.Close()
}
