package cassandra

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
)

// The parts of the native protocol, version 4, that frameConn knows.
const (
	headerSize   = 9
	opResult     = 0x08
	kindRows     = 2
	kindPrepared = 4
	maxFrame     = 256 << 20 // the protocol's own limit
	keepBuffer   = 64 << 10  // a larger buffer is not kept for the next frame

	headerTracing, headerPayload, headerWarning = 0x02, 0x04, 0x08
	metaGlobal, metaMorePages, metaNone         = 1, 2, 4

	typeCustom, typeList, typeMap, typeSet, typeUDT, typeTuple = 0x00, 0x20, 0x21, 0x22, 0x30, 0x31
)

var errFrame = errors.New("malformed frame between cassandra and its driver")

// frameConn stands between the driver and a node. It unfolds batches on their way out (unfold.go), and shows the driver
// the tuple columns of results and prepared statements as an opaque custom type. The driver takes tuples apart into
// their members, so that one cannot bind a tuple whole, as its bytes; of opaque types it wants nothing but bytes. The
// rewriting keeps every length: the member types become the opaque type's name.
type frameConn struct {
	net.Conn
	in      *bufio.Reader // Conn, so that a small answer costs one read
	pending []byte        // read, and ready for the driver
	buf     []byte        // backs pending
	body    int           // bytes of a frame's body to pass on as they are
	out     []byte        // backs the batch that is sent
}

func newFrameConn(conn net.Conn) *frameConn {
	return &frameConn{Conn: conn, in: bufio.NewReader(conn)}
}

// Read hands over frames. Results are read whole first; the page size bounds them.
func (c *frameConn) Read(p []byte) (int, error) {
	if len(c.pending) == 0 && c.body == 0 {
		if err := c.next(); err != nil {
			return 0, err
		}
	}
	if len(c.pending) > 0 {
		n := copy(p, c.pending)
		c.pending = c.pending[n:]
		return n, nil
	}
	n, err := c.in.Read(p[:min(len(p), c.body)])
	c.body -= n
	return n, err
}

// next reads a frame's header, and its body where that may hold column types.
func (c *frameConn) next() error {
	if cap(c.buf) > keepBuffer {
		c.buf = nil
	}
	c.buf = append(c.buf[:0], make([]byte, headerSize)...)
	if n, err := io.ReadFull(c.in, c.buf); err != nil {
		if n == 0 {
			return err
		}
		return io.ErrUnexpectedEOF
	}
	c.pending = c.buf
	size := int(binary.BigEndian.Uint32(c.buf[5:]))
	if c.buf[4] != opResult {
		c.body = size
		return nil
	}
	if size > maxFrame {
		return errFrame
	}
	c.buf = append(c.buf, make([]byte, size)...)
	if _, err := io.ReadFull(c.in, c.buf[headerSize:]); err != nil {
		return err
	}
	c.pending = c.buf
	return hideTuples(c.buf[1], c.buf[headerSize:])
}

// hideTuples rewrites the column types in a result frame's body in place.
func hideTuples(flags byte, body []byte) error {
	r := &reader{b: body}
	if flags&headerTracing != 0 {
		r.skip(16)
	}
	if flags&headerWarning != 0 {
		r.strings()
	}
	if flags&headerPayload != 0 {
		for range r.short() {
			r.skip(r.short())
			r.bytes()
		}
	}
	switch r.int() {
	case kindRows:
		r.columns(false)
	case kindPrepared:
		r.skip(r.short())
		r.columns(true)
		r.columns(false)
	}
	if r.failed {
		return errFrame
	}
	return nil
}

// reader walks a frame; a step past its end fails the walk.
type reader struct {
	b      []byte
	failed bool
}

func (r *reader) skip(n int) { r.take(n) }

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.b, r.failed = nil, true
		return nil
	}
	taken := r.b[:n]
	r.b = r.b[n:]
	return taken
}

func (r *reader) short() int {
	if len(r.b) < 2 {
		r.b, r.failed = nil, true
		return 0
	}
	n := int(binary.BigEndian.Uint16(r.b))
	r.b = r.b[2:]
	return n
}

func (r *reader) int() int {
	if len(r.b) < 4 {
		r.b, r.failed = nil, true
		return 0
	}
	n := int(int32(binary.BigEndian.Uint32(r.b)))
	r.b = r.b[4:]
	return n
}

func (r *reader) bytes() { r.skip(max(r.int(), 0)) }

func (r *reader) strings() {
	for range r.short() {
		r.skip(r.short())
	}
}

// columns walks the metadata of a result, or of a statement's parameters.
func (r *reader) columns(parameters bool) {
	flags, n := r.int(), r.int()
	if parameters {
		r.skip(2 * max(r.int(), 0)) // which parameters are the partition key
	}
	if flags&metaMorePages != 0 {
		r.bytes()
	}
	if flags&metaNone != 0 {
		return
	}
	if flags&metaGlobal != 0 {
		r.skip(r.short())
		r.skip(r.short())
	}
	for i := 0; i < n && !r.failed; i++ {
		if flags&metaGlobal == 0 {
			r.skip(r.short())
			r.skip(r.short())
		}
		r.skip(r.short())
		r.column()
	}
}

// column walks a column's type and makes it opaque if it is a tuple.
func (r *reader) column() {
	start := r.b
	r.typ()
	if r.failed || binary.BigEndian.Uint16(start) != typeTuple {
		return
	}
	members := len(start) - len(r.b) - 4 // after the type and the number of members, which becomes the name's length
	binary.BigEndian.PutUint16(start, typeCustom)
	binary.BigEndian.PutUint16(start[2:], uint16(members))
}

// typ walks a type.
func (r *reader) typ() {
	switch r.short() {
	case typeCustom:
		r.skip(r.short())
	case typeList, typeSet:
		r.typ()
	case typeMap:
		r.typ()
		r.typ()
	case typeTuple:
		for range r.short() {
			r.typ()
		}
	case typeUDT:
		r.skip(r.short())
		r.skip(r.short())
		for range r.short() {
			r.skip(r.short())
			r.typ()
		}
	}
}
