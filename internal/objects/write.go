package objects

import (
	"context"
	"errors"
	"io"

	"github.com/minio/minio-go/v7"

	"github.com/penstock-io/penstock/contracts"
)

// partSize is the size of a part of a multipart upload, and so the memory that the upload of a stream takes.
const partSize = 16 << 20

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

// Upload stores size bytes of r, or all of them where size is negative, in parts where they are many. Nothing is visible
// before all of it is there. A source that ends early is KindChanged.
func (s *S3) Upload(ctx context.Context, bucket, key string, r io.Reader, size int64) (contracts.Object, error) {
	opts := minio.PutObjectOptions{ContentType: "application/octet-stream"}
	if size < 0 {
		opts.PartSize = partSize
	}
	versions, err := s.keepsVersions(ctx, bucket)
	if err != nil {
		return contracts.Object{}, err
	}
	info, err := s.uploader.PutObject(ctx, bucket, key, r, size, opts)
	if err != nil {
		return contracts.Object{}, s.fail(ctx, "upload", bucket, key, err)
	}
	return object(bucket, minio.ObjectInfo{
		Key: key, ETag: info.ETag, Size: info.Size, LastModified: info.LastModified, VersionID: info.VersionID,
	}, versions), nil
}

// put stores a small object with one request, on the condition that the header says.
func (s *S3) put(ctx context.Context, bucket, key string, r io.Reader, size int64, o minio.PutObjectOptions) (string, error) {
	o.DisableMultipart = true
	o.ContentType = "application/octet-stream"
	info, err := s.client.Client.PutObject(ctx, bucket, key, r, size, o)
	return info.ETag, s.fail(ctx, "write", bucket, key, err)
}

// rootAnswer finds the store's own answer in an error; nil where there was none.
func rootAnswer(err error) error {
	var r minio.ErrorResponse
	if errors.As(err, &r) {
		return r
	}
	return nil
}
