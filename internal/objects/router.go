package objects

import (
	"context"
	"io"
	"iter"

	"github.com/penstock-io/penstock/contracts"
)

// Store is what S3, Dir and Router have in common.
type Store interface {
	List(ctx context.Context, bucket, prefix, after string) iter.Seq2[contracts.Object, error]
	Stat(ctx context.Context, bucket, key string) (contracts.Object, error)
	Open(ctx context.Context, o contracts.Object, off, n int64) (io.ReadCloser, error)
}

// Router reads from S3 or from local files, as the bucket says.
type Router struct {
	s3  *S3
	dir *Dir
}

// NewRouter joins the two. Either may be nil: its objects are then refused with KindConfig.
func NewRouter(s3 *S3, dir *Dir) *Router { return &Router{s3: s3, dir: dir} }

func (r *Router) store(bucket, key string) (Store, error) {
	address := contracts.Object{Bucket: bucket, Key: key}.Address()
	switch {
	case bucket == contracts.LocalBucket && r.dir == nil:
		return nil, contracts.At(contracts.KindConfig, address, -1,
			"local files cannot be read here: the process that reads them may run on another machine; upload them")
	case bucket == contracts.LocalBucket:
		return r.dir, nil
	case r.s3 == nil:
		return nil, contracts.At(contracts.KindConfig, address, -1, "no object store: set PENSTOCK_S3_URL")
	}
	return r.s3, nil
}

// List is the store's List.
func (r *Router) List(ctx context.Context, bucket, prefix, after string) iter.Seq2[contracts.Object, error] {
	s, err := r.store(bucket, prefix)
	if err != nil {
		return func(yield func(contracts.Object, error) bool) { yield(contracts.Object{}, err) }
	}
	return s.List(ctx, bucket, prefix, after)
}

// Stat is the store's Stat.
func (r *Router) Stat(ctx context.Context, bucket, key string) (contracts.Object, error) {
	s, err := r.store(bucket, key)
	if err != nil {
		return contracts.Object{}, err
	}
	return s.Stat(ctx, bucket, key)
}

// Open is the store's Open.
func (r *Router) Open(ctx context.Context, o contracts.Object, off, n int64) (io.ReadCloser, error) {
	s, err := r.store(o.Bucket, o.Key)
	if err != nil {
		return nil, err
	}
	return s.Open(ctx, o, off, n)
}
