package objects

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/minio/minio-go/v7"

	"github.com/penstock-io/penstock/contracts"
)

// Stat pins the newest version of an object.
func (s *S3) Stat(ctx context.Context, bucket, key string) (contracts.Object, error) {
	versions, err := s.keepsVersions(ctx, bucket)
	if err != nil {
		return contracts.Object{}, err
	}
	var info minio.ObjectInfo
	err = retry(ctx, func() (err error) {
		var near bool
		if info, near, err = s.nearStat(ctx, bucket, key); !near {
			info, err = s.client.StatObject(ctx, bucket, key, minio.StatObjectOptions{})
		}
		return s.fail(ctx, "look up", bucket, key, err)
	})
	if err != nil {
		return contracts.Object{}, err
	}
	info.Key = key
	return object(bucket, info, versions), nil
}

// Open reads n bytes from off of exactly the version that o names; n < 0 reads to the end, and what lies beyond the end
// is empty. When another version is there, the error is KindChanged. The reader resumes by itself where a connection
// breaks; its Close ends the request. Reads and Close are for one goroutine.
func (s *S3) Open(ctx context.Context, o contracts.Object, off, n int64) (io.ReadCloser, error) {
	left := span(o.Size, off, n)
	if left == 0 {
		return http.NoBody, nil
	}
	r := &reader{ctx: ctx, off: off, left: left, address: o.Address(), get: func(off, n int64) (io.ReadCloser, error) {
		return s.get(ctx, o, off, n)
	}}
	err := r.reopen()
	if err != nil {
		return nil, err
	}
	return r, nil
}

// span is how many bytes an object of the size has from off, at most n where n is not negative.
func span(size, off, n int64) int64 {
	left := max(size-off, 0)
	if n >= 0 {
		left = min(left, n)
	}
	return left
}

func (s *S3) get(ctx context.Context, o contracts.Object, off, n int64) (io.ReadCloser, error) {
	var body io.ReadCloser
	err := retry(ctx, func() (err error) {
		body, err = s.getOnce(ctx, o, off, n)
		return err
	})
	return body, err
}

func (s *S3) getOnce(ctx context.Context, o contracts.Object, off, n int64) (io.ReadCloser, error) {
	if body, near, err := s.nearRange(ctx, o, off, n); near {
		return body, err
	}
	var opts minio.GetObjectOptions
	opts.Set("Range", byteRange(off, n))
	if o.VersionID != "" {
		opts.VersionID = o.VersionID
	} else if err := opts.SetMatchETag(o.ETag); err != nil {
		return nil, contracts.At(contracts.KindInternal, o.Address(), -1, "open: nothing to pin: neither version nor ETag")
	}
	request, cancel := context.WithCancel(ctx)
	body, info, header, err := s.client.GetObject(request, o.Bucket, o.Key, opts)
	if err != nil {
		cancel()
		return nil, s.unpinned(ctx, o, err)
	}
	r := newStallReader(body, cancel)
	switch {
	case info.ETag != o.ETag:
		r.Close()
		return nil, changed(o, "its ETag is "+info.ETag)
	case total(header, info.Size) != o.Size:
		r.Close()
		return nil, changed(o, fmt.Sprintf("its size is %d", total(header, info.Size)))
	case info.Size != n:
		r.Close()
		return nil, contracts.At(contracts.KindConfig, o.Address(), -1,
			"open: asked for %d bytes from %d, was offered %d: %s does not honour ranges", n, off, info.Size, s.url)
	}
	return r, nil
}

// total is the size of the object that an answer is a part of.
func total(h http.Header, length int64) int64 {
	_, size, found := strings.Cut(h.Get("Content-Range"), "/")
	if n, err := strconv.ParseInt(size, 10, 64); found && err == nil {
		return n
	}
	return length
}

// unpinned says what a refused GET means for an object that was there when it was pinned.
func (s *S3) unpinned(ctx context.Context, o contracts.Object, err error) error {
	err = s.fail(ctx, "open", o.Bucket, o.Key, err)
	switch code := minio.ToErrorResponse(rootAnswer(err)).Code; {
	case contracts.KindOf(err) == contracts.KindChanged:
		return changed(o, "it was overwritten")
	case contracts.KindOf(err) == contracts.KindMissing && code != "NoSuchBucket":
		return changed(o, "it was deleted")
	}
	return err
}

func changed(o contracts.Object, how string) error {
	return contracts.At(contracts.KindChanged, o.Address(), -1,
		"the object changed under the job: version %s was planned, and %s (load it again)",
		o.Version(), how)
}
