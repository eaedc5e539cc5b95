package objects

import (
	"context"
	"errors"
	"io"
	"strconv"
	"time"

	"github.com/penstock-io/penstock/contracts"
)

// A body that breaks is asked for again from where it broke. The budget is full again after resumeProgress bytes, so
// that a long stream over a poor line ends, and a line that carries nothing does not go on for ever.
const (
	resumes        = 5
	resumeProgress = 8 << 20
)

// stallTimeout is how long a body may stay silent while somebody waits for it.
const stallTimeout = time.Minute

var errStalled = errors.New("the connection fell silent")

// reader is the range [off, off+left) of one pinned object.
type reader struct {
	ctx       context.Context
	get       func(off, n int64) (io.ReadCloser, error)
	address   string
	body      io.ReadCloser
	off, left int64
	broken    int   // resumes since …
	since     int64 // … this offset
}

func (r *reader) reopen() (err error) {
	r.body, err = r.get(r.off, r.left)
	return err
}

// Read resumes when the body ends early; an error is one that resuming could not mend.
func (r *reader) Read(p []byte) (int, error) {
	for {
		if r.left == 0 {
			return 0, io.EOF
		}
		if r.body == nil {
			return 0, contracts.At(contracts.KindInternal, r.address, -1, "read after Close or after an error")
		}
		n, err := r.body.Read(p[:min(int64(len(p)), r.left)])
		r.off += int64(n)
		r.left -= int64(n)
		if n > 0 || err == nil {
			return n, nil
		}
		if err := r.resume(err); err != nil {
			return 0, err
		}
	}
}

func (r *reader) resume(cause error) error {
	r.Close()
	if r.ctx.Err() != nil {
		return contracts.At(contracts.KindInterrupted, r.address, -1, "read: %w", context.Cause(r.ctx))
	}
	if r.off-r.since >= resumeProgress {
		r.broken, r.since = 0, r.off
	}
	if r.broken++; r.broken > resumes {
		return contracts.At(contracts.KindUnavailable, r.address, -1,
			"read: the connection broke %d times, last at stored byte %d with %d to go: %w (check the network and the server)",
			r.broken, r.off, r.left, cause)
	}
	return r.reopen()
}

// Close ends the request. The second time does nothing.
func (r *reader) Close() error {
	if r.body == nil {
		return nil
	}
	err := r.body.Close()
	r.body = nil
	if err != nil {
		return contracts.At(contracts.KindUnavailable, r.address, -1, "close: %w", err)
	}
	return nil
}

// stallReader cuts a connection on which a Read waits too long, so that the reader above it resumes on another.
type stallReader struct {
	io.ReadCloser
	cancel context.CancelFunc
	timer  *time.Timer
	fired  chan struct{}
}

func newStallReader(body io.ReadCloser, cancel context.CancelFunc) *stallReader {
	r := &stallReader{ReadCloser: body, cancel: cancel, fired: make(chan struct{})}
	r.timer = time.AfterFunc(stallTimeout, func() { close(r.fired); cancel() })
	r.timer.Stop()
	return r
}

func (r *stallReader) Read(p []byte) (int, error) {
	r.timer.Reset(stallTimeout)
	n, err := r.ReadCloser.Read(p)
	r.timer.Stop()
	select {
	case <-r.fired:
		return n, errStalled
	default:
		return n, err
	}
}

func (r *stallReader) Close() error {
	r.timer.Stop()
	r.cancel()
	r.ReadCloser.Close() // it was cancelled: what it says is of no interest
	return nil
}

func byteRange(off, n int64) string {
	return "bytes=" + strconv.FormatInt(off, 10) + "-" + strconv.FormatInt(off+n-1, 10)
}
