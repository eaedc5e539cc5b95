package s3_test

import (
	"bytes"
	"context"
	"testing"

	objectstest "github.com/penstock-io/penstock/internal/conformance/objects"
	"github.com/penstock-io/penstock/internal/embedded/s3"
	"github.com/penstock-io/penstock/internal/objects"
	"github.com/penstock-io/penstock/internal/testenv"
)

func TestConformance(t *testing.T) {
	client := connect(t, start(t, s3.Config{Dir: t.TempDir()}))
	objectstest.Run(t, func(t *testing.T) objectstest.WriteFixture { return fixture(t, client) })
}

func start(t *testing.T, c s3.Config) *s3.Server {
	t.Helper()
	s, err := s3.Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func connect(t *testing.T, s *s3.Server) *objects.S3 {
	t.Helper()
	access, secret := s.Keys()
	client, err := objects.NewS3(t.Context(), objects.S3Config{URL: s.URL(), AccessKey: access, SecretKey: secret})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func fixture(t *testing.T, s *objects.S3) objectstest.WriteFixture {
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
