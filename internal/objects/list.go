package objects

import (
	"context"
	"errors"
	"iter"

	"github.com/minio/minio-go/v7"

	"github.com/penstock-io/penstock/contracts"
)

// List yields the objects whose keys start with prefix and come after after, in byte order of keys. One page of a
// thousand is held at a time. A request that fails in the middle is made again from the last key. The first error ends
// the listing; a prefix that matches nothing is no error.
func (s *S3) List(ctx context.Context, bucket, prefix, after string) iter.Seq2[contracts.Object, error] {
	return func(yield func(contracts.Object, error) bool) {
		versions, err := s.keepsVersions(ctx, bucket)
		if err != nil {
			yield(contracts.Object{}, err)
			return
		}
		stopped := errors.New("the caller has enough")
		failures := 0
		for {
			at := after
			err := s.page(ctx, bucket, prefix, after, versions, func(o contracts.Object) error {
				after = o.Key
				if !yield(o, nil) {
					return stopped
				}
				return nil
			})
			if after != at {
				failures = 0
			}
			failures++
			switch {
			case err == nil, err == stopped:
				return
			case contracts.KindOf(err) == contracts.KindUnavailable && failures < attempts &&
				pause(ctx, firstWait<<(failures-1)):
			default:
				yield(contracts.Object{}, err)
				return
			}
		}
	}
}

// page lists until the end, an error of the store or one of fn's.
func (s *S3) page(
	ctx context.Context, bucket, prefix, after string, versions bool, fn func(contracts.Object) error,
) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	noOwner := false
	for info := range s.client.ListObjectsIter(ctx, bucket, minio.ListObjectsOptions{
		Prefix: prefix, StartAfter: after, Recursive: true, WithVersions: versions, FetchOwner: &noOwner,
	}) {
		if info.Err != nil {
			return s.fail(ctx, "list", bucket, prefix, info.Err)
		}
		if versions && (!info.IsLatest || info.IsDeleteMarker) {
			continue
		}
		if err := fn(object(bucket, info, versions)); err != nil {
			return err
		}
	}
	return s.fail(ctx, "list", bucket, prefix, ctx.Err()) // the SDK ends a cancelled listing without a word
}

// keepsVersions says whether the bucket keeps every version; then objects are pinned by version id and otherwise by
// ETag. The answer is kept, so that one object has one identity however it is found. Who may not ask is answered no.
func (s *S3) keepsVersions(ctx context.Context, bucket string) (bool, error) {
	if v, ok := s.versioned.Load(bucket); ok {
		return v.(bool), nil
	}
	var enabled bool
	err := retry(ctx, func() error {
		c, err := s.client.GetBucketVersioning(ctx, bucket)
		enabled = err == nil && c.Enabled()
		return s.fail(ctx, "look for the bucket", bucket, "", err)
	})
	switch contracts.KindOf(err) {
	case contracts.KindUnavailable, contracts.KindInterrupted:
		return false, err
	case contracts.KindMissing:
		return false, err
	}
	s.versioned.Store(bucket, enabled)
	return enabled, nil
}

// object makes an Object of what the SDK tells. The version "null" is overwritten in place, so it identifies nothing.
func object(bucket string, info minio.ObjectInfo, versions bool) contracts.Object {
	o := contracts.Object{
		Bucket: bucket, Key: info.Key, ETag: info.ETag, Size: info.Size, Modified: info.LastModified,
	}
	if versions && info.VersionID != "null" {
		o.VersionID = info.VersionID
	}
	return o
}
