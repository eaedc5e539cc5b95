// Package objectstest is the one test suite of object stores: it runs on real S3 servers, on the embedded gateway and,
// as far as it reads, on local folders.
//
// What must never happen: a test that asks for more of one store than of another without saying so in its Fixture.
package objectstest

import (
	"context"
	"errors"
	"io"
	"iter"
	"slices"
	"testing"

	"github.com/penstock-io/penstock/contracts"
)

// Reader is what jobs need of a store.
type Reader interface {
	List(ctx context.Context, bucket, prefix, after string) iter.Seq2[contracts.Object, error]
	Stat(ctx context.Context, bucket, key string) (contracts.Object, error)
	Open(ctx context.Context, o contracts.Object, off, n int64) (io.ReadCloser, error)
}

// Docs is what state needs of a store.
type Docs interface {
	Get(ctx context.Context, key string) (data []byte, etag string, err error)
	Put(ctx context.Context, key string, data []byte) error
	Create(ctx context.Context, key string, data []byte) error
	Replace(ctx context.Context, key string, data []byte, etag string) (string, error)
	Delete(ctx context.Context, key string) error
	List(ctx context.Context, prefix, after string) iter.Seq2[string, error]
	Probe(ctx context.Context) error
}

// Fixture is an empty place in one store, of one test's own.
type Fixture struct {
	Reader
	Bucket string
	Prefix string                                                   // before each key
	Put    func(ctx context.Context, key string, data []byte) error // by any way; replaces at once
	Delete func(ctx context.Context, key string) error
	Files  bool // a key cannot be there beside another that continues it with a slash
}

// WriteFixture is an empty bucket.
type WriteFixture struct {
	Fixture
	Docs
	Upload       func(ctx context.Context, bucket, key string, r io.Reader, size int64) (contracts.Object, error)
	EnsureBucket func(ctx context.Context, bucket string) error
}

// Run checks everything; create is called once for each test.
func Run(t *testing.T, create func(t *testing.T) WriteFixture) {
	RunReader(t, func(t *testing.T) Fixture { return create(t).Fixture })
	for name, test := range map[string]func(*testing.T, WriteFixture){
		"documents":              documents,
		"refused writes":         refusedWrites,
		"create race":            createRace,
		"replace race":           replaceRace,
		"big upload":             bigUpload,
		"upload of a stream":     streamUpload,
		"upload that ends early": shortUpload,
		"ensure bucket":          ensureBucket,
		"missing bucket":         missingBucket,
		"probe":                  probe,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, create(t))
		})
	}
}

// RunReader checks what reads.
func RunReader(t *testing.T, create func(t *testing.T) Fixture) {
	for name, test := range map[string]func(*testing.T, Fixture){
		"list in byte order":     listOrder,
		"list prefix":            listPrefix,
		"list many":              listMany,
		"ranges":                 ranges,
		"empty object":           emptyObject,
		"long key":               longKey,
		"overwritten":            overwritten,
		"deleted":                deleted,
		"missing object":         missingObject,
		"cancelled":              cancelled,
		"overwritten while read": overwrittenMeanwhile,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, create(t))
		})
	}
}

func (f Fixture) put(t *testing.T, key string, data []byte) contracts.Object {
	t.Helper()
	if err := f.Put(t.Context(), f.Prefix+key, data); err != nil {
		t.Fatalf("put %q: %v", key, err)
	}
	return f.stat(t, key)
}

func (f Fixture) stat(t *testing.T, key string) contracts.Object {
	t.Helper()
	o, err := f.Stat(t.Context(), f.Bucket, f.Prefix+key)
	if err != nil {
		t.Fatalf("stat %q: %v", key, err)
	}
	return o
}

// keys lists below the fixture's prefix and leaves it out.
func (f Fixture) keys(t *testing.T, prefix, after string) []string {
	t.Helper()
	var keys []string
	for o, err := range f.List(t.Context(), f.Bucket, f.Prefix+prefix, after) {
		if err != nil {
			t.Fatalf("list %q after %q: %v", prefix, after, err)
		}
		if o.Bucket != f.Bucket {
			t.Fatalf("listed bucket %q, want %q", o.Bucket, f.Bucket)
		}
		keys = append(keys, o.Key[len(f.Prefix):])
	}
	return keys
}

func (f Fixture) read(ctx context.Context, o contracts.Object, off, n int64) ([]byte, error) {
	r, err := f.Open(ctx, o, off, n)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(r)
	return data, errors.Join(err, r.Close())
}

func wantKind(t *testing.T, what string, err error, want contracts.Kind) {
	t.Helper()
	if got := contracts.KindOf(err); got != want {
		t.Fatalf("%s: got kind %q, want %q: %v", what, got, want, err)
	}
}

func wantKeys(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("%s:\n got %q\nwant %q", what, got, want)
	}
}
