package state_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/internal/embedded/s3"
	"github.com/penstock-io/penstock/internal/objects"
	"github.com/penstock-io/penstock/internal/testenv"
	"github.com/penstock-io/penstock/state"
)

// client talks to the one gateway that a process may run.
var client *objects.S3

func TestMain(m *testing.M) {
	code, err := withGateway(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func withGateway(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "state-test-")
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
	client, err = objects.NewS3(ctx, objects.S3Config{URL: server.URL(), AccessKey: access, SecretKey: secret})
	if err != nil {
		return 0, err
	}
	defer client.Close()
	return m.Run(), nil
}

// docs are the documents of a bucket of the test's own.
func docs(t testing.TB) *objects.Docs {
	t.Helper()
	bucket := testenv.Bucket(t)
	must(t, client.EnsureBucket(t.Context(), bucket))
	return objects.NewDocs(client, bucket)
}

func open(t testing.TB) *state.Store {
	t.Helper()
	return state.New(docs(t))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func expectKind(t testing.TB, err error, want contracts.Kind) {
	t.Helper()
	if contracts.KindOf(err) != want {
		t.Errorf("found error %v of kind %q, expected %q", err, contracts.KindOf(err), want)
	}
}

// race runs fn n times at once.
func race(n int, fn func(i int)) {
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		all.Go(func() {
			<-start
			fn(i)
		})
	}
	close(start)
	all.Wait()
}
