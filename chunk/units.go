package chunk

import (
	"bufio"
	"encoding/binary"
	"io"
	"math"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// units reads a compressed stream unit by unit: gzip members, of which bgzip's blocks are a kind, or zstd frames. It
// knows where each begins, as the decoders themselves find it: a block's word for its own size is not taken.
type units struct {
	codec codec
	buf   *bufio.Reader
	base  int64
	read  tally
}

// codec decodes one unit at a time.
type codec interface {
	// open begins the next unit; io.EOF where the stream ends.
	open(r *bufio.Reader) error
	// Read ends with io.EOF at the unit's last byte, and nothing behind it has been taken.
	Read(p []byte) (int, error)
	close()
}

// tally counts what is read.
type tally struct {
	src io.Reader
	n   int64
}

func (t *tally) Read(p []byte) (int, error) {
	n, err := t.src.Read(p)
	t.n += int64(n)
	return n, err
}

// newUnits reads src, whose first byte has the stored offset base. Whoever made it closes it.
func newUnits(src io.Reader, base int64, compression string) (*units, error) {
	u := &units{base: base, read: tally{src: src}}
	u.buf = bufio.NewReaderSize(&u.read, lookAhead)
	if compression == gz {
		u.codec = &member{}
		return u, nil
	}
	decoder, err := newZstd(nil)
	u.codec = &frames{decoder: decoder}
	return u, err
}

// at is the stored offset of the next byte: between two units, where the next one begins.
func (u *units) at() int64 { return u.base + u.read.n - int64(u.buf.Buffered()) }

func (u *units) next() error { return u.codec.open(u.buf) }

func (u *units) Read(p []byte) (int, error) { return u.codec.Read(p) }

func (u *units) close() { u.codec.close() }

// member decodes gzip members.
type member struct{ gzip.Reader }

func (m *member) open(r *bufio.Reader) error {
	err := m.Reset(r)
	m.Multistream(false)
	return err
}

func (m *member) close() {}

// frames decodes zstd frames, those to be skipped included.
type frames struct {
	decoder *zstd.Decoder
	frame   frame
}

func (f *frames) open(r *bufio.Reader) error {
	if head, err := r.Peek(1); len(head) == 0 {
		return err
	}
	f.frame = frame{r: r}
	return f.decoder.Reset(&f.frame)
}

func (f *frames) Read(p []byte) (int, error) { return f.decoder.Read(p) }

func (f *frames) close() { f.decoder.Close() }

// The first four bytes of a zstd frame; the last four bits of the second kind vary.
const (
	frameMagic = 0xfd2fb528
	skipMagic  = 0x184d2a50
	skipMask   = 0xfffffff0
)

// frame passes the stored bytes of one zstd frame on, by the sizes in its headers. What is no frame it passes on to the
// end: whoever decodes it says what is wrong.
type frame struct {
	r     *bufio.Reader
	left  int64 // bytes up to the next header
	stage stage
	sum   bool // a checksum follows the last block
}

// stage is what comes next in a frame.
type stage int

const (
	atHeader stage = iota
	atBlock
	atSum
	atEnd
)

func (f *frame) Read(p []byte) (int, error) {
	for f.left == 0 {
		switch f.stage {
		case atHeader:
			f.header()
		case atBlock:
			f.block()
		case atSum:
			f.left, f.stage = 4, atEnd
		default:
			return 0, io.EOF
		}
	}
	n, err := f.r.Read(p[:min(int64(len(p)), f.left)])
	f.left -= int64(n)
	return n, err
}

// whole says that the frame has ended and all of it was there.
func (f *frame) whole() bool { return f.stage == atEnd && f.left == 0 }

func (f *frame) header() {
	head, _ := f.r.Peek(8) // an error comes again when what is there is read
	magic := uint32(0)
	if len(head) > 4 {
		magic = binary.LittleEndian.Uint32(head)
	}
	switch {
	case magic == frameMagic:
		f.left, f.stage, f.sum = headerSize(head[4]), atBlock, head[4]&4 != 0
	case magic&skipMask == skipMagic && len(head) == 8:
		f.left, f.stage = 8+int64(binary.LittleEndian.Uint32(head[4:])), atEnd
	default:
		f.rest()
	}
}

// headerSize is how long a frame's header is, by its descriptor: magic and descriptor, window, dictionary,
// content size.
func headerSize(descriptor byte) int64 {
	single := int64(descriptor >> 5 & 1)
	dictionary := [4]int64{0, 1, 2, 4}[descriptor&3]
	content := [4]int64{single, 2, 4, 8}[descriptor>>6]
	return 5 + 1 - single + dictionary + content
}

func (f *frame) block() {
	head, _ := f.r.Peek(3)
	if len(head) < 3 {
		f.rest()
		return
	}
	size := int64(head[0])>>3 | int64(head[1])<<5 | int64(head[2])<<13
	switch head[0] >> 1 & 3 {
	case 1: // one byte, repeated
		size = 1
	case 3: // reserved
		f.rest()
		return
	}
	f.left = 3 + size
	if head[0]&1 == 0 {
		return
	}
	if f.stage = atEnd; f.sum {
		f.stage = atSum
	}
}

func (f *frame) rest() { f.left, f.stage = math.MaxInt64, atEnd }
