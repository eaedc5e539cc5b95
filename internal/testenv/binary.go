package testenv

import (
	"os"
	"sync"
	"testing"

	"github.com/penstock-io/penstock/internal/testenv/tools"
)

var buildPenstock = sync.OnceValues(tools.BuildPenstock)

// Penstock returns the path of the penstock program: PENSTOCK_TEST_BINARY, or one that is built from the tree, once
// per test process.
func Penstock(t testing.TB) string {
	t.Helper()
	if path := os.Getenv("PENSTOCK_TEST_BINARY"); path != "" {
		return path
	}
	path, err := buildPenstock()
	if err != nil {
		t.Fatal(err)
	}
	return path
}
