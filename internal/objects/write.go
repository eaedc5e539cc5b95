package objects

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/minio/minio-go/v7"

	"github.com/penstock-io/penstock/contracts"
)

// partSize is the size of a part of a multipart upload; an upload holds two of them, so that each can be sent again.
const partSize = 16 << 20

// contentType of everything that is written: stores need one, and nobody reads it.
const contentType = "application/octet-stream"

// EnsureBucket makes the bucket unless it is there.
func (s *S3) EnsureBucket(ctx context.Context, bucket string) error {
	return retry(ctx, func() error {
		there, err := s.client.BucketExists(ctx, bucket)
		if err != nil || there {
			return s.fail(ctx, "look for the bucket", bucket, "", err)
		}
		err = s.client.MakeBucket(ctx, bucket, minio.MakeBucketOptions{})
		switch minio.ToErrorResponse(err).Code {
		case "BucketAlreadyOwnedByYou": // somebody was faster
			return nil
		case "BucketAlreadyExists":
			return contracts.At(contracts.KindDenied, "s3://"+bucket+"/", -1,
				"create the bucket: the name belongs to another account: choose another")
		}
		return s.fail(ctx, "create the bucket", bucket, "", err)
	})
}

// HasBucket says whether the bucket is there: KindMissing where it is not.
func (s *S3) HasBucket(ctx context.Context, bucket string) error {
	return retry(ctx, func() error {
		there, err := s.client.BucketExists(ctx, bucket)
		if err == nil && !there {
			return contracts.At(contracts.KindMissing, "s3://"+bucket+"/", -1, "the bucket does not exist")
		}
		return s.fail(ctx, "look for the bucket", bucket, "", err)
	})
}

// Upload stores size bytes of r, or all of them where size is negative, in parts where they are many. Nothing is
// visible before all of it is there. A source that ends early is KindChanged, one that cannot be read KindInput.
func (s *S3) Upload(ctx context.Context, bucket, key string, r io.Reader, size int64) (contracts.Object, error) {
	versions, err := s.keepsVersions(ctx, bucket)
	if err != nil {
		return contracts.Object{}, err
	}
	info, err := s.upload(ctx, bucket, key, newInput(r, size), size)
	if err != nil {
		return contracts.Object{}, err
	}
	o := object(bucket, minio.ObjectInfo{ETag: info.ETag, Size: info.Size, VersionID: info.VersionID}, versions)
	o.Key, o.Modified = key, info.LastModified
	return o, nil
}

func (s *S3) upload(ctx context.Context, bucket, key string, r *input, size int64) (info minio.UploadInfo, err error) {
	if size >= 0 && size <= partSize {
		data := make([]byte, size)
		if _, err := io.ReadFull(r, data); err != nil {
			return info, inputFault(bucket, key, err)
		}
		err = retry(ctx, func() error {
			info, err = s.put(ctx, bucket, key, data, condition{})
			return err
		})
		info.Size = size
		return info, err
	}
	info, err = s.uploader.PutObject(ctx, bucket, key, r, size, minio.PutObjectOptions{
		ContentType: contentType, PartSize: partSizeFor(size), NumThreads: 2, ConcurrentStreamParts: true,
	})
	if r.err != nil {
		return info, inputFault(bucket, key, r.err)
	}
	return info, s.fail(ctx, "upload", bucket, key, err)
}

// partSizeFor keeps to partSize unless that would take more than the 10,000 parts that S3 admits.
func partSizeFor(size int64) uint64 {
	const maxParts = 10_000
	return uint64(max(partSize, (size/maxParts+1<<20)>>20<<20))
}

// input is what is uploaded. It ends exactly at its size, or says so, and remembers its faults: the SDK would take an
// early end for the end, and tells nobody whose fault an error is.
type input struct {
	r       io.Reader
	n, size int64 // read, and promised; negative where nothing was
	err     error // other than io.EOF
}

var errShort = errors.New("it changed meanwhile, upload it again")

func newInput(r io.Reader, size int64) *input {
	if size >= 0 {
		r = io.LimitReader(r, size)
	}
	return &input{r: r, size: size}
}

func (r *input) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	r.n += int64(n)
	if err == io.EOF && r.n < r.size {
		err = fmt.Errorf("the source ended after %d of %d bytes: %w", r.n, r.size, errShort)
	}
	if err != io.EOF {
		r.err = err
	}
	return n, err
}

func inputFault(bucket, key string, err error) error {
	kind := contracts.KindInput
	if errors.Is(err, errShort) {
		kind = contracts.KindChanged
	}
	return contracts.At(kind, contracts.Object{Bucket: bucket, Key: key}.Address(), -1, "upload: read the source: %w", err)
}

// condition is what must hold of the object that a write replaces; the zero value is nothing.
type condition struct {
	absent bool   // there is none
	etag   string // it has this one, where it is not ""
}

func (c condition) options() (o minio.PutObjectOptions) {
	if c.absent {
		o.SetMatchETagExcept("*")
	}
	if c.etag != "" {
		o.SetMatchETag(c.etag)
	}
	o.ContentType, o.DisableContentSha256 = contentType, true
	return o
}

// put stores a small object on a condition, with one request at the most. The signature covers the content as a whole:
// the Versity gateway loses step after an empty body that is signed in pieces.
func (s *S3) put(ctx context.Context, bucket, key string, data []byte, c condition) (minio.UploadInfo, error) {
	if ctx.Err() == nil {
		etag, err := s.near.Put(ctx, bucket, key, data, c.absent, c.etag)
		if answered(err) {
			return minio.UploadInfo{ETag: etag}, s.fail(ctx, "write", bucket, key, answer(err))
		}
	}
	sum := sha256.Sum256(data)
	info, err := s.client.PutObject(ctx, bucket, key, bytes.NewReader(data), int64(len(data)), "",
		hex.EncodeToString(sum[:]), c.options())
	return info, s.fail(ctx, "write", bucket, key, err)
}

// rootAnswer finds the store's own answer in an error; nil where there was none.
func rootAnswer(err error) error {
	var r minio.ErrorResponse
	if errors.As(err, &r) {
		return r
	}
	return nil
}
