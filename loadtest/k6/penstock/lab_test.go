package penstock_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/penstock-io/penstock/loadtest/k6/penstock"
	"github.com/penstock-io/penstock/loadtest/k6/up"
)

// program is PENSTOCK_TEST_BINARY, or built once.
var program = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("PENSTOCK_TEST_BINARY"); path != "" {
		return path, nil
	}
	path := filepath.Join(os.TempDir(), "penstock-k6-test", "penstock")
	build := exec.Command("go", "build", "-C", "../../..", "-o", path, "./cmd/penstock")
	build.Stderr = os.Stderr
	return path, build.Run()
})

// startUp starts a `penstock up` of the test's own, to which the load test's pipeline is applied.
func startUp(t *testing.T) *up.Process {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	p, err := up.Start(t.Context(), path, clean(), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	})
	apply := exec.Command(path, "apply", "../pipeline.yaml")
	apply.Env, apply.Stderr = p.Env, t.Output()
	if err := apply.Run(); err != nil {
		t.Fatal(err)
	}
	return p
}

// clean is the environment without settings of Penstock.
func clean() (env []string) {
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "PENSTOCK_") && !strings.HasPrefix(e, "LOAD_") {
			env = append(env, e)
		}
	}
	return env
}

// settings are those of an environment, with changes such as "PENSTOCK_NATS_PREFIX=lab".
func settings(t *testing.T, env []string, changes ...string) penstock.Settings {
	t.Helper()
	values := map[string]string{}
	for _, e := range append(env[:len(env):len(env)], changes...) {
		name, value, _ := strings.Cut(e, "=")
		values[name] = value
	}
	s, err := penstock.ReadSettings(func(name string) (string, bool) { v, ok := values[name]; return v, ok })
	if err != nil {
		t.Fatal(err)
	}
	return s
}
