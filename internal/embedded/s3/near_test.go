package s3_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"sync/atomic"
	"testing"

	"github.com/penstock-io/penstock/contracts"
	objectstest "github.com/penstock-io/penstock/internal/conformance/objects"
	"github.com/penstock-io/penstock/internal/embedded/s3"
	"github.com/penstock-io/penstock/internal/objects"
	"github.com/penstock-io/penstock/internal/testenv"
)

// near is a client in the gateway's own process.
func near(t *testing.T, s *s3.Server) *objects.S3 {
	t.Helper()
	access, secret := s.Keys()
	client, err := objects.NewS3(t.Context(), objects.S3Config{
		URL: s.URL(), AccessKey: access, SecretKey: secret, Near: s,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func TestConformanceNear(t *testing.T) {
	client := near(t, start(t, s3.Config{Dir: t.TempDir()}))
	objectstest.Run(t, func(t *testing.T) objectstest.WriteFixture { return fixture(t, client) })
}

// What comes near and what comes by requests are one store: each call takes the way that the last one did not take.
// The suite's races then are between both ways.
func TestConformanceBothWays(t *testing.T) {
	s := start(t, s3.Config{Dir: t.TempDir()})
	clients := [2]*objects.S3{near(t, s), connect(t, s)}
	objectstest.Run(t, func(t *testing.T) objectstest.WriteFixture { return bothWays(t, clients) })
}

func bothWays(t *testing.T, clients [2]*objects.S3) objectstest.WriteFixture {
	bucket := testenv.Bucket(t)
	if err := clients[0].EnsureBucket(t.Context(), bucket); err != nil {
		t.Fatal(err)
	}
	b := &both{s3: clients, docs: [2]*objects.Docs{
		objects.NewDocs(clients[0], bucket), objects.NewDocs(clients[1], bucket),
	}}
	docs := bothDocs{b}
	return objectstest.WriteFixture{
		Fixture: objectstest.Fixture{Reader: b, Bucket: bucket, Files: true, Delete: docs.Delete,
			Put: func(ctx context.Context, key string, data []byte) error {
				_, err := b.Upload(ctx, bucket, key, bytes.NewReader(data), int64(len(data)))
				return err
			}},
		Docs: docs, Upload: b.Upload, EnsureBucket: clients[0].EnsureBucket,
	}
}

// both takes turns.
type both struct {
	s3    [2]*objects.S3
	docs  [2]*objects.Docs
	calls atomic.Int64
}

func (b *both) turn() int { return int(b.calls.Add(1) % 2) }

func (b *both) List(ctx context.Context, bucket, prefix, after string) iter.Seq2[contracts.Object, error] {
	return b.s3[b.turn()].List(ctx, bucket, prefix, after)
}

func (b *both) Stat(ctx context.Context, bucket, key string) (contracts.Object, error) {
	return b.s3[b.turn()].Stat(ctx, bucket, key)
}

func (b *both) Open(ctx context.Context, o contracts.Object, off, n int64) (io.ReadCloser, error) {
	return b.s3[b.turn()].Open(ctx, o, off, n)
}

func (b *both) Upload(ctx context.Context, bucket, key string, r io.Reader, n int64) (contracts.Object, error) {
	return b.s3[b.turn()].Upload(ctx, bucket, key, r, n)
}

type bothDocs struct{ *both }

func (b bothDocs) Get(ctx context.Context, key string) ([]byte, string, error) {
	return b.docs[b.turn()].Get(ctx, key)
}

func (b bothDocs) Put(ctx context.Context, key string, data []byte) error {
	return b.docs[b.turn()].Put(ctx, key, data)
}

func (b bothDocs) Create(ctx context.Context, key string, data []byte) error {
	return b.docs[b.turn()].Create(ctx, key, data)
}

func (b bothDocs) Replace(ctx context.Context, key string, data []byte, etag string) (string, error) {
	return b.docs[b.turn()].Replace(ctx, key, data, etag)
}

func (b bothDocs) Delete(ctx context.Context, key string) error {
	return b.docs[b.turn()].Delete(ctx, key)
}

func (b bothDocs) List(ctx context.Context, prefix, after string) iter.Seq2[string, error] {
	return b.docs[b.turn()].List(ctx, prefix, after)
}

func (b bothDocs) Probe(ctx context.Context) error { return b.docs[b.turn()].Probe(ctx) }

// Both ways say the same of each object, and what is no plain file is left to requests.
func TestNearIsTheSame(t *testing.T) {
	s := start(t, s3.Config{Dir: t.TempDir()})
	clients := [2]*objects.S3{near(t, s), connect(t, s)}
	f := fixture(t, clients[0])
	for _, key := range []string{"a", "folder/b", "folder/.hidden", "ä ö"} {
		if err := f.Docs.Put(t.Context(), key, []byte(key)); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{
		"a", "folder/b", "folder/.hidden", "ä ö", "none", "folder", "folder/", "a/b", "../x", "a/../a", "./a", "folder//b",
		"", ".sgwtmp/x",
	} {
		want, far := clients[1].Stat(t.Context(), f.Bucket, key)
		got, err := clients[0].Stat(t.Context(), f.Bucket, key)
		if contracts.KindOf(err) != contracts.KindOf(far) || got.ETag != want.ETag || got.Size != want.Size {
			t.Errorf("%q: near %+v, %v; far %+v, %v", key, got, err, want, far)
		}
	}
}

func TestNearLeavesToRequests(t *testing.T) {
	s := start(t, s3.Config{
		Dir: t.TempDir(), Notify: func([]byte) {}, Silent: []string{"silent"},
	})
	client := connect(t, s)
	for _, bucket := range []string{"silent", "told"} {
		if err := client.EnsureBucket(t.Context(), bucket); err != nil {
			t.Fatal(err)
		}
	}
	put := func(bucket, key string) error {
		_, err := s.Put(t.Context(), bucket, key, nil, true, "")
		return err
	}
	if err := put("silent", "key"); err != nil {
		t.Error(err)
	}
	if err := put("silent", "key"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("again: %v", err)
	}
	for _, c := range [][2]string{
		{"told", "key"}, {"no-bucket", "key"}, {".vgwlocks", "key"}, {"..", "key"}, {"silent", "key/below"},
		{"silent", "../told/key"}, {"silent", ".sgwtmp/key"},
	} {
		err := put(c[0], c[1])
		if err == nil || errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s, %s: %v", c[0], c[1], err)
		}
		if f, _, err := s.Open(c[0], c[1]); err == nil || c[0] != "told" && errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s, %s: %v, %v", c[0], c[1], f, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := put("silent", "late"); err == nil || errors.Is(err, fs.ErrExist) {
		t.Errorf("after Close: %v", err)
	}
}
