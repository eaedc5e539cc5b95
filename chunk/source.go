package chunk

import (
	"context"
	"io"

	"github.com/penstock-io/penstock/contracts"
)

// lookAhead is how far the first request goes beyond a range, to finish its last record. Further requests double.
const lookAhead = 64 << 10

// source streams the stored bytes of an object from off on, in as few requests as the look-ahead allows, and never
// beyond the pinned size. Whoever reads it closes it.
type source struct {
	ctx    context.Context
	opener Opener
	object contracts.Object
	off    int64 // next byte
	until  int64 // where the request under way ends
	ahead  int64 // bytes of the next request
	body   io.ReadCloser
	err    error // what broke the stream, but for its end
}

// openRange streams from off on; the first request ends at until.
func openRange(ctx context.Context, o Opener, object contracts.Object, off, until int64) *source {
	return &source{ctx: ctx, opener: o, object: object, off: off, until: min(until, object.Size), ahead: 2 * lookAhead}
}

func (s *source) Read(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	if s.off >= s.object.Size {
		return 0, io.EOF
	}
	if s.body == nil {
		if s.err = s.open(); s.err != nil {
			return 0, s.err
		}
	}
	n, err := s.body.Read(p[:min(int64(len(p)), s.until-s.off)])
	s.off += int64(n)
	switch {
	case s.off == s.until:
		err = s.Close()
	case err == io.EOF:
		err = io.ErrUnexpectedEOF
	}
	s.err = s.broken(err)
	return n, s.err
}

// open makes the next request.
func (s *source) open() error {
	if s.off >= s.until {
		s.until = s.object.Size
		if s.ahead < s.object.Size-s.off {
			s.until = s.off + s.ahead
		}
		s.ahead *= 2
	}
	body, err := s.opener.Open(s.ctx, s.object, s.off, s.until-s.off)
	s.body = body
	return err
}

// broken says where a read failed. What nobody has given a kind is the store's fault, or the network's.
func (s *source) broken(err error) error {
	if err == nil {
		return nil
	}
	kind := contracts.KindOf(err)
	if kind == contracts.KindInternal {
		kind = contracts.KindUnavailable
	}
	return contracts.At(kind, s.object.Address(), -1, "read stored byte %d of %d: %w", s.off, s.object.Size, err)
}

// Close ends the request under way. It may be called more than once. A look-ahead that was not needed to its end is
// read all the same, since only a body that was read to its end leaves its connection to the next request.
func (s *source) Close() error {
	if s.body == nil {
		return nil
	}
	body := s.body
	s.body = nil
	if left := s.until - s.off; s.err == nil && left <= lookAhead {
		_, _ = io.CopyN(io.Discard, body, left) // what breaks here has nothing to do with the part
	}
	return body.Close()
}
