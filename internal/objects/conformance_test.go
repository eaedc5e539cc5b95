package objects_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	objectstest "github.com/penstock-io/penstock/internal/conformance/objects"
	"github.com/penstock-io/penstock/internal/objects"
	"github.com/penstock-io/penstock/internal/testenv"

	"github.com/penstock-io/penstock/contracts"
)

func TestConformanceMinIO(t *testing.T) {
	t.Parallel()
	s := shared(t)
	objectstest.Run(t, func(t *testing.T) objectstest.WriteFixture { return bucketFixture(t, s) })
}

func TestConformanceDir(t *testing.T) {
	t.Parallel()
	objectstest.RunReader(t, folderFixture)
}

// shared is a client of the shared S3 server.
func shared(t *testing.T) *objects.S3 {
	t.Helper()
	e := testenv.S3(t)
	return open(t, objects.S3Config{URL: e.URL, AccessKey: e.AccessKey, SecretKey: e.SecretKey})
}

func open(t *testing.T, c objects.S3Config) *objects.S3 {
	t.Helper()
	s, err := objects.NewS3(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func bucketFixture(t *testing.T, s *objects.S3) objectstest.WriteFixture {
	bucket := testenv.Bucket(t)
	if err := s.EnsureBucket(t.Context(), bucket); err != nil {
		t.Fatal(err)
	}
	docs := objects.NewDocs(s, bucket)
	return objectstest.WriteFixture{
		Fixture: objectstest.Fixture{Reader: s, Bucket: bucket, Files: true, Delete: docs.Delete,
			Put: func(ctx context.Context, key string, data []byte) error {
				_, err := s.Upload(ctx, bucket, key, bytes.NewReader(data), int64(len(data)))
				return err
			}},
		Docs: docs, Upload: s.Upload, EnsureBucket: s.EnsureBucket,
	}
}

func folderFixture(t *testing.T) objectstest.Fixture {
	root := t.TempDir()
	return objectstest.Fixture{
		Reader: objects.NewDir(), Bucket: contracts.LocalBucket, Prefix: strings.TrimPrefix(root, "/") + "/", Files: true,
		Put:    func(_ context.Context, key string, data []byte) error { return replaceFile(t, "/"+key, data) },
		Delete: func(_ context.Context, key string) error { return os.Remove("/" + key) },
	}
}

// replaceFile writes aside and renames, as careful programs do.
func replaceFile(t *testing.T, path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(t.TempDir(), "new")
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(data); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
