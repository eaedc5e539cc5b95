package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/s3api/utils"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"

	"github.com/penstock-io/penstock/contracts"
)

// The methods below are what requests for single objects do, without the requests: this process holds the folder's
// keys anyway. Writes go through the gateway's own backend, whose lock of a key holds for both ways. fs.ErrNotExist
// says that the bucket has no such object, fs.ErrExist that the object is not as the condition wants it. After any
// other error nothing was done: a request does it, or says why not.

// errRequest is the answer to what is better asked by a request: names that files cannot simply have, a bucket whose
// news somebody waits for, a gateway that was closed.
var errRequest = errors.New("only by a request")

const (
	etagAttribute = "etag" // as posix calls it
	binary        = "application/octet-stream"
	longestKey    = 1024 // in bytes, as S3 has it
)

// Open opens an object as it is now. Each version is a file of its own, so that what is read belongs to the ETag.
func (s *Server) Open(bucket, key string) (*os.File, contracts.Object, error) {
	o := contracts.Object{Bucket: bucket, Key: key}
	if err := s.nears(bucket, key); err != nil {
		return nil, o, err
	}
	f, err := os.Open(s.backend.path(bucket) + "/" + key)
	if err != nil {
		return nil, o, s.missing(bucket, err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errRequest
	}
	if err == nil {
		o.Size, o.Modified = info.Size(), info.ModTime()
		o.ETag, err = etagOf(f)
	}
	if err != nil {
		f.Close()
		return nil, o, err
	}
	return f, o, nil
}

func etagOf(f *os.File) (string, error) {
	text, err := meta.XattrMeta{}.RetrieveAttribute(f, "", "", etagAttribute)
	return strings.Trim(string(text), `"`), err
}

// Put writes an object, on the condition that there is none where absent is set, and else that it has the ETag where
// one is given. It returns the new ETag.
func (s *Server) Put(ctx context.Context, bucket, key string, data []byte, absent bool, etag string) (string, error) {
	if err := s.nears(bucket, key); err != nil {
		return "", err
	}
	if s.tells(bucket) {
		return "", errRequest
	}
	switch tag, err := s.backend.place(bucket, key, data, absent, etag); {
	case err == nil, errors.Is(err, fs.ErrExist):
		return tag, err
	case errors.Is(err, fs.ErrNotExist):
		return "", s.missing(bucket, err)
	}
	return s.put(ctx, bucket, key, data, absent, etag)
}

// put has posix do it.
func (s *Server) put(ctx context.Context, bucket, key string, data []byte, absent bool, etag string) (string, error) {
	size, kind := int64(len(data)), binary
	in := s3response.PutObjectInput{
		Bucket: &bucket, Key: &key, ContentLength: &size, ContentType: &kind, Body: bytes.NewReader(data),
	}
	if absent {
		whatever := "*"
		in.IfNoneMatch = &whatever
	}
	if etag != "" {
		in.IfMatch = &etag
	}
	out, err := s.backend.PutObject(ctx, in)
	return strings.Trim(out.ETag, `"`), refused(err)
}

// Delete removes an object; one that is not there is no error.
func (s *Server) Delete(ctx context.Context, bucket, key string) error {
	if err := s.nears(bucket, key); err != nil {
		return err
	}
	err := s.backend.remove(bucket, key)
	if errors.Is(err, fs.ErrNotExist) {
		err = s.missing(bucket, err)
	}
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	_, err = s.backend.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &bucket, Key: &key})
	return refused(err)
}

// nears says whether an object is simply a file.
func (s *Server) nears(bucket, key string) error {
	if s.closed.Load() || !utils.IsValidBucketName(bucket) || !fs.ValidPath(key) || len(key) > longestKey ||
		key == "." || strings.HasPrefix(key, ".sgwtmp") {
		return errRequest
	}
	return nil
}

// tells says whether somebody is told of what is created in a bucket.
func (s *Server) tells(bucket string) bool {
	told, ok := s.events.(sender)
	return ok && !slices.Contains(told.silent, bucket)
}

// missing is fs.ErrNotExist only where the bucket is there.
func (s *Server) missing(bucket string, err error) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, err := os.Stat(s.backend.path(bucket)); err != nil {
		return fmt.Errorf("%w: no such bucket", errRequest)
	}
	return fs.ErrNotExist
}

// refused tells a condition that does not hold from all else.
func refused(err error) error {
	var answer s3err.S3Error
	if !errors.As(err, &answer) {
		return err
	}
	switch answer.BaseError().Code {
	case "PreconditionFailed":
		return fs.ErrExist
	case "NoSuchKey":
		return fs.ErrNotExist
	}
	return err
}
