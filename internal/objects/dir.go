package objects

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"syscall"
	"unicode/utf8"

	"github.com/penstock-io/penstock/contracts"
)

// Dir is the local file system as a store: its one bucket is contracts.LocalBucket, its keys are absolute paths without
// the leading slash. An ETag is made of size, modification time and inode, so a file that is rewritten within one tick
// of the file system's clock, at the same size and in place, is not told from the old one.
type Dir struct{}

// NewDir makes it.
func NewDir() *Dir { return &Dir{} }

// Stat pins a file as it is now.
func (d *Dir) Stat(ctx context.Context, bucket, key string) (contracts.Object, error) {
	o := contracts.Object{Bucket: bucket, Key: key}
	if err := ctx.Err(); err != nil {
		return o, contracts.At(contracts.KindInterrupted, o.Address(), -1, "look up: %w", context.Cause(ctx))
	}
	info, err := os.Stat(o.Address())
	if err != nil {
		return o, local(o, "look up", err)
	}
	return file(o.Key, info)
}

// file makes an Object of a regular file whose name can be a key.
func file(key string, info fs.FileInfo) (contracts.Object, error) {
	o := contracts.Object{
		Bucket: contracts.LocalBucket, Key: key, ETag: etag(info), Size: info.Size(), Modified: info.ModTime(),
	}
	switch {
	case info.IsDir():
		return o, contracts.At(contracts.KindMissing, o.Address(), -1, "a folder, not a file: name a file, or end it with /")
	case !info.Mode().IsRegular():
		return o, contracts.At(contracts.KindInput, o.Address(), -1,
			"not a regular file (%s): only those can be read in parts", info.Mode().Type())
	case !utf8.ValidString(key):
		return o, contracts.At(contracts.KindInput, o.Address(), -1, "the file's name is not UTF-8: rename it")
	}
	return o, nil
}

func etag(info fs.FileInfo) string {
	return fmt.Sprintf("%x-%x-%x", info.Size(), info.ModTime().UnixNano(), inode(info))
}

// Open reads n bytes from off of the file as it was when it was pinned; n < 0 reads to the end. A file that changed
// before is KindChanged at once; one that changes meanwhile is KindChanged from the Read that would have ended it, or
// from Close.
func (d *Dir) Open(ctx context.Context, o contracts.Object, off, n int64) (io.ReadCloser, error) {
	left := span(o.Size, off, n)
	if _, err := d.Stat(ctx, o.Bucket, o.Key); err != nil { // before open: opening a pipe would wait
		if contracts.KindOf(err) == contracts.KindMissing {
			return nil, changed(o, "it was deleted")
		}
		return nil, err
	}
	f, err := os.Open(o.Address())
	if err != nil {
		return nil, local(o, "open", err)
	}
	r := &fileReader{ctx: ctx, file: f, object: o, data: io.NewSectionReader(f, off, left), left: left}
	if err := r.verify(); err != nil {
		f.Close()
		return nil, err
	}
	if left == 0 {
		return http.NoBody, f.Close()
	}
	return r, nil
}

type fileReader struct {
	ctx    context.Context
	file   *os.File
	object contracts.Object
	data   *io.SectionReader
	left   int64
	closed bool
}

func (r *fileReader) verify() error {
	info, err := r.file.Stat()
	if err != nil {
		return local(r.object, "look up", err)
	}
	if etag(info) != r.object.ETag {
		return changed(r.object, "the file was written at "+info.ModTime().UTC().Format("2006-01-02T15:04:05.000Z"))
	}
	return nil
}

func (r *fileReader) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, contracts.At(contracts.KindInterrupted, r.object.Address(), -1, "read: %w", context.Cause(r.ctx))
	}
	n, err := r.data.Read(p)
	r.left -= int64(n)
	switch {
	case err == nil:
		return n, nil
	case err != io.EOF:
		return n, local(r.object, "read", err)
	}
	if err := r.verify(); err != nil {
		return n, err
	}
	if r.left > 0 {
		return n, changed(r.object, fmt.Sprintf("it ends %d bytes early", r.left))
	}
	return n, io.EOF
}

// Close verifies once more: what was read so far may stem from a later version.
func (r *fileReader) Close() error {
	if r.closed {
		return nil
	}
	r.closed = true
	return errors.Join(r.verify(), r.file.Close())
}

func local(o contracts.Object, op string, err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err // the address says the path
	}
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.ELOOP):
		return contracts.At(contracts.KindMissing, o.Address(), -1, "%s: %w: check the path", op, err)
	case errors.Is(err, fs.ErrPermission):
		return contracts.At(contracts.KindDenied, o.Address(), -1, "%s: %w: let this user read it", op, err)
	}
	return contracts.At(contracts.KindUnavailable, o.Address(), -1, "%s: %w", op, err)
}
