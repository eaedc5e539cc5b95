package objects

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"

	"github.com/minio/minio-go/v7"

	"github.com/penstock-io/penstock/contracts"
)

// MaxDocument is the size above which a document is neither written nor read, in bytes: they are held in memory.
const MaxDocument = 256 << 20

// Docs are small documents in one bucket. Each write replaces a document as a whole, and a conditional one is exactly
// one of: done, lost (KindExists, KindChanged), or unknown (KindUnavailable, KindInterrupted).
type Docs struct {
	s3     *S3
	bucket string
}

// NewDocs makes the documents of a bucket, which EnsureBucket has made.
func NewDocs(s3 *S3, bucket string) *Docs { return &Docs{s3: s3, bucket: bucket} }

// Get reads a document and the ETag of what it read; KindMissing where there is none.
func (d *Docs) Get(ctx context.Context, key string) (data []byte, etag string, err error) {
	err = retry(ctx, func() error {
		data, etag, err = d.get(ctx, key)
		return d.s3.fail(ctx, "read", d.bucket, key, err)
	})
	if err != nil {
		return nil, "", err
	}
	return data, etag, nil
}

func (d *Docs) get(ctx context.Context, key string) ([]byte, string, error) {
	if data, etag, near, err := d.s3.nearDocument(ctx, d.bucket, key); near {
		return data, etag, err
	}
	body, info, _, err := d.s3.client.GetObject(ctx, d.bucket, key, minio.GetObjectOptions{})
	if err != nil {
		return nil, "", err
	}
	defer body.Close()
	if info.Size > MaxDocument {
		return nil, "", d.tooBig(key, info.Size)
	}
	data := make([]byte, info.Size)
	_, err = io.ReadFull(body, data)
	return data, info.ETag, err
}

// Put writes a document, whatever is there.
func (d *Docs) Put(ctx context.Context, key string, data []byte) error {
	if len(data) > MaxDocument {
		return d.tooBig(key, int64(len(data)))
	}
	return retry(ctx, func() error {
		_, err := d.s3.put(ctx, d.bucket, key, data, condition{})
		return err
	})
}

// Create writes a document where there is none; KindExists where there is one.
func (d *Docs) Create(ctx context.Context, key string, data []byte) error {
	_, err := d.conditional(ctx, key, data, condition{absent: true})
	if contracts.KindOf(err) == contracts.KindChanged {
		return contracts.At(contracts.KindExists, d.address(key), -1, "create: the document is there already")
	}
	return err
}

// Replace writes a document where the one with the ETag still is, and returns the new ETag; KindChanged where it is
// not.
func (d *Docs) Replace(ctx context.Context, key string, data []byte, etag string) (string, error) {
	if etag == "" {
		return "", contracts.At(contracts.KindInternal, d.address(key), -1, "replace: no ETag given: read the document first")
	}
	now, err := d.conditional(ctx, key, data, condition{etag: etag})
	if k := contracts.KindOf(err); k == contracts.KindChanged || k == contracts.KindMissing {
		return "", contracts.At(contracts.KindChanged, d.address(key), -1,
			"replace: the document is no longer the one that was read (ETag %s): read it again", etag)
	}
	return now, err
}

// conditional repeats a conditional write. After an attempt whose answer got lost, a refusal may be that attempt's own
// doing: the document is then compared with what was written.
func (d *Docs) conditional(
	ctx context.Context, key string, data []byte, c condition,
) (etag string, err error) {
	if len(data) > MaxDocument {
		return "", d.tooBig(key, int64(len(data)))
	}
	doubt := false
	err = retry(ctx, func() error {
		info, err := d.s3.put(ctx, d.bucket, key, data, c)
		etag = info.ETag
		if doubt && contracts.KindOf(err) == contracts.KindChanged {
			etag, err = d.mine(ctx, key, data, err)
		}
		doubt = doubt || contracts.KindOf(err) == contracts.KindUnavailable && !isConflict(err)
		return err
	})
	return etag, err
}

// mine returns the document's ETag if it holds data, and else refusal.
func (d *Docs) mine(ctx context.Context, key string, data []byte, refusal error) (string, error) {
	found, etag, err := d.get(ctx, key)
	switch {
	case err != nil && contracts.KindOf(d.s3.fail(ctx, "read", d.bucket, key, err)) != contracts.KindMissing:
		return "", d.s3.fail(ctx, "read back after a lost answer", d.bucket, key, err)
	case err == nil && bytes.Equal(found, data):
		return etag, nil
	}
	return "", refusal
}

// isConflict tells a store that refused one of two writes at once from one whose answer got lost.
func isConflict(err error) bool {
	var r minio.ErrorResponse
	return errors.As(err, &r) && r.StatusCode == 409
}

// Delete removes a document; one that is not there is no error.
func (d *Docs) Delete(ctx context.Context, key string) error {
	return retry(ctx, func() error {
		err := d.s3.near.Delete(ctx, d.bucket, key)
		if !answered(err) {
			err = d.s3.client.RemoveObject(ctx, d.bucket, key, minio.RemoveObjectOptions{})
		}
		if errors.Is(err, fs.ErrNotExist) || minio.ToErrorResponse(err).Code == "NoSuchKey" {
			return nil
		}
		return d.s3.fail(ctx, "delete", d.bucket, key, err)
	})
}

// List yields the keys that start with prefix and come after after, in byte order.
func (d *Docs) List(ctx context.Context, prefix, after string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for o, err := range d.s3.List(ctx, d.bucket, prefix, after) {
			if !yield(o.Key, err) {
				return
			}
		}
	}
}

func (d *Docs) address(key string) string {
	return contracts.Object{Bucket: d.bucket, Key: key}.Address()
}

func (d *Docs) tooBig(key string, size int64) error {
	return contracts.At(contracts.KindInternal, d.address(key), -1,
		"a document of %d bytes: expected at most %d", size, MaxDocument)
}
