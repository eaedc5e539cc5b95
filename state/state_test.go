package state_test

import (
	"sync"
	"testing"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/internal/objects"
	"github.com/penstock-io/penstock/internal/teststore"
	"github.com/penstock-io/penstock/state"
)

// client talks to the one gateway that a process may run.
var client *objects.S3

func TestMain(m *testing.M) { teststore.Main(m, func(c *objects.S3) { client = c }) }

// docs are the documents of a bucket of the test's own.
func docs(t testing.TB) *objects.Docs {
	t.Helper()
	return teststore.Docs(t, client)
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
