package objects

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"

	"github.com/minio/minio-go/v7"

	"github.com/penstock-io/penstock/contracts"
)

// Near is a store that runs in this process, for what is asked most often and needs no request then. It holds the same
// objects and the same conditions as the store that requests reach. fs.ErrNotExist says that the bucket has no such
// object, fs.ErrExist that the condition does not hold. After any other error nothing was done, and a request is made:
// Near need not do all that the store can, and it is the store that says what is wrong.
type Near interface {
	// Open opens the object as it is now; whoever reads goes on to read what was opened.
	Open(bucket, key string) (*os.File, contracts.Object, error)
	// Put writes where there is no object, where absent is set; over the one with the ETag, where one is given; and
	// else over whatever is there. It returns the new ETag.
	Put(ctx context.Context, bucket, key string, data []byte, absent bool, etag string) (string, error)
	// Delete removes an object; one that is not there is no error.
	Delete(ctx context.Context, bucket, key string) error
}

// far is where all is asked by requests.
type far struct{}

var errFar = errors.New("the store is not in this process")

func (far) Open(string, string) (*os.File, contracts.Object, error) {
	return nil, contracts.Object{}, errFar
}
func (far) Put(context.Context, string, string, []byte, bool, string) (string, error) {
	return "", errFar
}
func (far) Delete(context.Context, string, string) error { return errFar }

// answered says whether Near has done what it was asked for, or has refused it as the store would.
func answered(err error) bool {
	return err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrExist)
}

// answer is what the store would have said.
func answer(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return minio.ErrorResponse{Code: "NoSuchKey", StatusCode: http.StatusNotFound,
			Message: "The specified key does not exist."}
	case errors.Is(err, fs.ErrExist):
		return minio.ErrorResponse{Code: "PreconditionFailed", StatusCode: http.StatusPreconditionFailed,
			Message: "At least one of the pre-conditions you specified did not hold"}
	}
	return err
}

// nearStat looks an object up; ok is false where a request must.
func (s *S3) nearStat(ctx context.Context, bucket, key string) (info minio.ObjectInfo, ok bool, err error) {
	if ctx.Err() != nil {
		return info, false, nil
	}
	f, o, err := s.near.Open(bucket, key)
	if err == nil {
		f.Close()
	}
	return minio.ObjectInfo{ETag: o.ETag, Size: o.Size, LastModified: o.Modified}, answered(err), answer(err)
}

// nearRange opens a range of the version that is asked for; ok is false where a request must.
func (s *S3) nearRange(ctx context.Context, o contracts.Object, off, n int64) (_ io.ReadCloser, ok bool, err error) {
	if ctx.Err() != nil || o.VersionID != "" {
		return nil, false, nil
	}
	f, found, err := s.near.Open(o.Bucket, o.Key)
	switch {
	case !answered(err):
		return nil, false, nil
	case err != nil:
		return nil, true, s.unpinned(ctx, o, answer(err))
	case found.ETag != o.ETag:
		f.Close()
		return nil, true, changed(o, "its ETag is "+found.ETag)
	case found.Size != o.Size:
		f.Close()
		return nil, true, changed(o, fmt.Sprintf("its size is %d", found.Size))
	}
	return &nearReader{io.NewSectionReader(f, off, n), f, ctx}, true, nil
}

// nearReader is a range of an open file.
type nearReader struct {
	*io.SectionReader
	io.Closer
	ctx context.Context
}

// Read ends with its context, as a request does.
func (r *nearReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.SectionReader.Read(p)
}

// nearDocument reads an object that is no larger than a document; ok is false where a request must.
func (s *S3) nearDocument(ctx context.Context, bucket, key string) (data []byte, etag string, ok bool, err error) {
	if ctx.Err() != nil {
		return nil, "", false, nil
	}
	f, o, err := s.near.Open(bucket, key)
	if err != nil {
		return nil, "", answered(err), answer(err)
	}
	defer f.Close()
	if o.Size > MaxDocument {
		return nil, "", false, nil
	}
	data = make([]byte, o.Size)
	_, err = io.ReadFull(f, data)
	return data, o.ETag, err == nil, err
}
