package cassandra

import "encoding/binary"

// opBatch is the native protocol's.
const opBatch = 0x0d

// Write sends a frame, which the driver hands over whole, one at a time. A batch is unfolded first (bind.go).
func (c *frameConn) Write(p []byte) (int, error) {
	if len(p) < headerSize || p[4] != opBatch {
		return c.Conn.Write(p)
	}
	out, err := unfold(c.out[:0], p)
	if err != nil {
		return 0, err
	}
	if c.out = nil; cap(out) <= keepBuffer {
		c.out = out
	}
	n, err := c.Conn.Write(out)
	if err != nil {
		return min(n, len(p)), err
	}
	return len(p), nil
}

// unfold appends a batch's frame with its rows in the place of the one that carries them all in its last value: for
// each the prepared statement's id and the number of values, as that one has them, and the values.
func unfold(dst, frame []byte) ([]byte, error) {
	r := &reader{b: frame[headerSize:]}
	r.skip(1) // unlogged
	entries := r.short()
	statement := r.b
	r.skip(1) // prepared
	r.skip(r.short())
	values := r.short()
	statement = statement[:len(statement)-len(r.b)]
	for range values - 1 {
		r.bytes()
	}
	rows := r.take(r.int())
	if r.failed || entries != 1 || values == 0 {
		return nil, errFrame
	}
	dst = append(append(dst, frame[:headerSize+1]...), 0, 0)
	entries = 0
	for f := (&reader{b: rows}); len(f.b) > 0; entries++ {
		dst = append(append(dst, statement...), f.take(f.int())...)
		if f.failed {
			return nil, errFrame
		}
	}
	dst = append(dst, r.b...) // the consistency level
	binary.BigEndian.PutUint16(dst[headerSize+1:], uint16(entries))
	binary.BigEndian.PutUint32(dst[5:], uint32(len(dst)-headerSize))
	return dst, nil
}
