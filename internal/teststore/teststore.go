// Package teststore gives the tests of one package an object store of their own: the gateway that users run, embedded,
// in a temporary folder.
//
// A process may run one gateway, so it is started once, around all tests of the package, and each test takes buckets
// that nobody else has. What must never happen: anything but a test importing this package.
package teststore

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/penstock-io/penstock/internal/embedded/s3"
	"github.com/penstock-io/penstock/internal/objects"
	"github.com/penstock-io/penstock/internal/testenv"
)

// Main is a TestMain: it starts the gateway, hands its client to use, runs the tests and ends the process.
func Main(m *testing.M, use func(*objects.S3)) {
	code, err := run(m, use)
	if err != nil {
		fmt.Fprintln(os.Stderr, "teststore:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M, use func(*objects.S3)) (code int, err error) {
	dir, err := os.MkdirTemp("", "penstock-teststore-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	server, err := s3.Start(ctx, s3.Config{Dir: dir})
	if err != nil {
		return 0, err
	}
	defer server.Close()
	access, secret := server.Keys()
	client, err := objects.NewS3(ctx, objects.S3Config{URL: server.URL(), AccessKey: access, SecretKey: secret})
	if err != nil {
		return 0, err
	}
	defer client.Close()
	use(client)
	return m.Run(), nil
}

// Bucket makes a bucket that nobody else uses.
func Bucket(t testing.TB, client *objects.S3) string {
	t.Helper()
	bucket := testenv.Bucket(t)
	if err := client.EnsureBucket(t.Context(), bucket); err != nil {
		t.Fatal(err)
	}
	return bucket
}

// Docs are the documents of a bucket that nobody else uses.
func Docs(t testing.TB, client *objects.S3) *objects.Docs {
	t.Helper()
	return objects.NewDocs(client, Bucket(t, client))
}
