package objects

import (
	"context"
	"crypto/rand"
	"errors"

	"github.com/penstock-io/penstock/contracts"
)

// Probe writes, reads and deletes a document, and says with KindConfig which promise the store does not keep:
// conditional creates, conditional replaces or pinned reads. Penstock relies on each of them.
func (d *Docs) Probe(ctx context.Context) (err error) {
	key := "probe/" + rand.Text()
	if err := d.Create(ctx, key, []byte("one")); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Delete(context.WithoutCancel(ctx), key)) }()
	if err := d.broken(d.Create(ctx, key, []byte("two")), contracts.KindExists, "If-None-Match on PUT"); err != nil {
		return err
	}
	_, etag, err := d.Get(ctx, key)
	if err != nil {
		return err
	}
	if _, err := d.Replace(ctx, key, []byte("three"), etag); err != nil {
		return err
	}
	_, err = d.Replace(ctx, key, []byte("four"), etag)
	if err := d.broken(err, contracts.KindChanged, "If-Match on PUT"); err != nil {
		return err
	}
	old := contracts.Object{Bucket: d.bucket, Key: key, ETag: etag, Size: 3}
	r, err := d.s3.Open(ctx, old, 0, 1)
	if err == nil {
		r.Close()
	}
	return d.broken(err, contracts.KindChanged, "If-Match on GET")
}

// broken passes on an error of another kind than the refusal that the store owes us.
func (d *Docs) broken(err error, owed contracts.Kind, promise string) error {
	switch {
	case contracts.KindOf(err) == owed:
		return nil
	case err == nil:
		return contracts.Errorf(contracts.KindConfig,
			"%s does not honour %s: use a store that does, or jobs may overwrite each other's state", d.s3.url, promise)
	}
	return err
}
