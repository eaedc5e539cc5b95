package contracts

import (
	"context"
	"errors"
	"fmt"
)

// Kind is what a caller branches on; the text of an error is for people only.
type Kind string

// The kinds of error. The zero value means that nobody has said: it is treated as KindInternal.
const (
	KindInput       Kind = "input"       // the file is at fault, and will be at every try
	KindMissing     Kind = "missing"     // bucket, key, table or pipeline does not exist
	KindDenied      Kind = "denied"      // credentials are wrong or lack a permission
	KindChanged     Kind = "changed"     // the object changed under the job, or a conditional write lost
	KindExists      Kind = "exists"      // a create-only write found something there
	KindConfig      Kind = "config"      // a setting, spec or schema is wrong
	KindUnavailable Kind = "unavailable" // a server is down, slow or full: try again, it is not the chunk's fault
	KindLimit       Kind = "limit"       // rejects.max was passed
	KindInterrupted Kind = "interrupted" // we are leaving; nothing failed
	KindInternal    Kind = "internal"    // a fault of Penstock's own
)

// Transient says that the same call may succeed later without anyone changing anything.
func (k Kind) Transient() bool { return k == KindUnavailable || k == KindInterrupted }

// Error carries the kind and, where they are known, the coordinates of a failure.
type Error struct {
	Kind   Kind
	Object string // address: s3://bucket/key or a path; "" where no object is concerned
	Offset int64  // byte offset in the decompressed object; -1 where unknown
	Err    error  // what happened, what was expected, what to do
}

func (e *Error) Error() string {
	switch {
	case e.Object != "" && e.Offset >= 0:
		return fmt.Sprintf("%s: byte %d: %v", e.Object, e.Offset, e.Err)
	case e.Object != "":
		return fmt.Sprintf("%s: %v", e.Object, e.Err)
	default:
		return e.Err.Error()
	}
}

func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an error of a kind without coordinates; %w wraps.
func Errorf(k Kind, format string, args ...any) error {
	return &Error{Kind: k, Offset: -1, Err: fmt.Errorf(format, args...)}
}

// At makes an error of a kind at a byte of an object; offset -1 means the object as a whole.
func At(k Kind, object string, offset int64, format string, args ...any) error {
	return &Error{Kind: k, Object: object, Offset: offset, Err: fmt.Errorf(format, args...)}
}

// ErrNewer is in the chain of every error about something that a newer version of Penstock wrote. It is left to those
// who can read it.
var ErrNewer = errors.New("newer")

// KindOf finds the kind in err's chain. A context that ended is KindInterrupted unless something nearer says otherwise.
func KindOf(err error) Kind {
	var e *Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &e) && e.Kind != "":
		return e.Kind
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return KindInterrupted
	default:
		return KindInternal
	}
}

// ErrorInfo is an error as reports, events and completions carry it.
type ErrorInfo struct {
	Kind    Kind    `json:"kind"`
	Message string  `json:"message"`
	Object  *string `json:"object"`
	Offset  *int64  `json:"offset"`
}

// Info turns err into its portable form; nil for nil.
func Info(err error) *ErrorInfo {
	if err == nil {
		return nil
	}
	info := &ErrorInfo{Kind: KindOf(err), Message: err.Error()}
	var e *Error
	if errors.As(err, &e) && e.Object != "" {
		info.Object = &e.Object
		if e.Offset >= 0 {
			info.Offset = &e.Offset
		}
	}
	return info
}
