package s3

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/s3response"
)

// The calls below differ from posix's in the path of the bucket only.

// HeadBucket passes on.
func (r *rooted) HeadBucket(ctx context.Context, in *s3.HeadBucketInput) (*s3.HeadBucketOutput, error) {
	q := *in
	q.Bucket = r.at(in.Bucket)
	return r.posix.HeadBucket(ctx, &q)
}

// CreateBucket passes on.
func (r *rooted) CreateBucket(ctx context.Context, in *s3.CreateBucketInput, acl []byte) error {
	q := *in
	q.Bucket = r.at(in.Bucket)
	return r.posix.CreateBucket(ctx, &q, acl)
}

// DeleteBucket passes on.
func (r *rooted) DeleteBucket(ctx context.Context, bucket string) error {
	return r.posix.DeleteBucket(ctx, r.path(bucket))
}

// GetBucketAcl passes on.
//
//nolint:revive // the interface spells it so
func (r *rooted) GetBucketAcl(ctx context.Context, in *s3.GetBucketAclInput) ([]byte, error) {
	q := *in
	q.Bucket = r.at(in.Bucket)
	return r.posix.GetBucketAcl(ctx, &q)
}

// GetBucketPolicy passes on.
func (r *rooted) GetBucketPolicy(ctx context.Context, bucket string) ([]byte, error) {
	return r.posix.GetBucketPolicy(ctx, r.path(bucket))
}

// GetBucketOwnershipControls passes on.
func (r *rooted) GetBucketOwnershipControls(ctx context.Context, bucket string) (types.ObjectOwnership, error) {
	return r.posix.GetBucketOwnershipControls(ctx, r.path(bucket))
}

// GetBucketVersioning passes on.
func (r *rooted) GetBucketVersioning(ctx context.Context, bucket string) (s3response.GetBucketVersioningOutput, error) {
	return r.posix.GetBucketVersioning(ctx, r.path(bucket))
}

// GetBucketCors passes on.
func (r *rooted) GetBucketCors(ctx context.Context, bucket string) ([]byte, error) {
	return r.posix.GetBucketCors(ctx, r.path(bucket))
}

// GetObjectLockConfiguration passes on.
func (r *rooted) GetObjectLockConfiguration(ctx context.Context, bucket string) ([]byte, error) {
	return r.posix.GetObjectLockConfiguration(ctx, r.path(bucket))
}

// GetObjectRetention passes on.
func (r *rooted) GetObjectRetention(ctx context.Context, bucket, object, version string) ([]byte, error) {
	return r.posix.GetObjectRetention(ctx, r.path(bucket), object, version)
}

// GetObjectLegalHold passes on.
func (r *rooted) GetObjectLegalHold(ctx context.Context, bucket, object, version string) (*bool, error) {
	return r.posix.GetObjectLegalHold(ctx, r.path(bucket), object, version)
}

// GetObjectTagging passes on.
func (r *rooted) GetObjectTagging(ctx context.Context, bucket, object, version string) (map[string]string, error) {
	return r.posix.GetObjectTagging(ctx, r.path(bucket), object, version)
}

// PutObject passes on.
func (r *rooted) PutObject(ctx context.Context, in s3response.PutObjectInput) (s3response.PutObjectOutput, error) {
	in.Bucket = r.at(in.Bucket)
	return r.posix.PutObject(ctx, in)
}

// DeleteObject passes on.
func (r *rooted) DeleteObject(ctx context.Context, in *s3.DeleteObjectInput) (*s3.DeleteObjectOutput, error) {
	q := *in
	q.Bucket = r.at(in.Bucket)
	return r.posix.DeleteObject(ctx, &q)
}

// DeleteObjects passes on.
func (r *rooted) DeleteObjects(ctx context.Context, in *s3.DeleteObjectsInput) (s3response.DeleteResult, error) {
	q := *in
	q.Bucket = r.at(in.Bucket)
	return r.posix.DeleteObjects(ctx, &q)
}

// CreateMultipartUpload passes on.
func (r *rooted) CreateMultipartUpload(
	ctx context.Context, in s3response.CreateMultipartUploadInput,
) (s3response.InitiateMultipartUploadResult, error) {
	name := *in.Bucket
	in.Bucket = r.at(in.Bucket)
	out, err := r.posix.CreateMultipartUpload(ctx, in)
	out.Bucket = name
	return out, err
}

// UploadPart passes on.
func (r *rooted) UploadPart(ctx context.Context, in *s3.UploadPartInput) (*s3.UploadPartOutput, error) {
	q := *in
	q.Bucket = r.at(in.Bucket)
	return r.posix.UploadPart(ctx, &q)
}

// CompleteMultipartUpload passes on.
func (r *rooted) CompleteMultipartUpload(
	ctx context.Context, in *s3.CompleteMultipartUploadInput,
) (s3response.CompleteMultipartUploadResult, string, error) {
	q := *in
	q.Bucket = r.at(in.Bucket)
	out, version, err := r.posix.CompleteMultipartUpload(ctx, &q)
	out.Bucket = in.Bucket
	return out, version, err
}

// AbortMultipartUpload passes on.
func (r *rooted) AbortMultipartUpload(ctx context.Context, in *s3.AbortMultipartUploadInput) error {
	q := *in
	q.Bucket = r.at(in.Bucket)
	return r.posix.AbortMultipartUpload(ctx, &q)
}

// ListMultipartUploads passes on.
func (r *rooted) ListMultipartUploads(
	ctx context.Context, in *s3.ListMultipartUploadsInput,
) (s3response.ListMultipartUploadsResult, error) {
	q := *in
	q.Bucket = r.at(in.Bucket)
	out, err := r.posix.ListMultipartUploads(ctx, &q)
	out.Bucket = *in.Bucket
	return out, err
}

// ListParts passes on.
func (r *rooted) ListParts(ctx context.Context, in *s3.ListPartsInput) (s3response.ListPartsResult, error) {
	q := *in
	q.Bucket = r.at(in.Bucket)
	out, err := r.posix.ListParts(ctx, &q)
	out.Bucket = *in.Bucket
	return out, err
}
