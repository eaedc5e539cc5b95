package mutants

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var plant = flag.Bool("plant", false, "plant each fault and run its test, which takes minutes and the shared servers")

// root is the module's folder, as a test sees it.
const root = "../.."

// TestPlantedFaults plants each fault, with -plant, and wants its test to fail. Without, it only wants each fault to
// fit the code as it is.
func TestPlantedFaults(t *testing.T) {
	t.Parallel()
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			overlay := f.overlay(t)
			if *plant {
				f.expectNotice(t, overlay)
			}
		})
	}
}

// overlay writes the changed files and the list of them that `go test -overlay` reads, and gives its path.
func (f fault) overlay(t *testing.T) string {
	t.Helper()
	dir, changed := t.TempDir(), map[string]string{}
	for _, e := range f.edits {
		path := absolute(t, e.file)
		from := path
		if changed[path] != "" {
			from = changed[path]
		}
		changed[path] = filepath.Join(dir, strings.ReplaceAll(e.file, "/", "_"))
		e.apply(t, from, changed[path])
	}
	list, err := json.Marshal(map[string]any{"Replace": changed})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "overlay.json")
	write(t, path, list)
	return path
}

// apply writes from with the edit as to.
func (e edit) apply(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(data), e.from); n != 1 {
		t.Fatalf("%s has %q %d times, expected once: mend the fault", e.file, e.from, n)
	}
	write(t, to, []byte(strings.Replace(string(data), e.from, e.to, 1)))
}

// expectNotice runs the fault's test and wants it to fail, by its own word.
func (f fault) expectNotice(t *testing.T, overlay string) {
	t.Helper()
	pattern := "^" + f.test + "$"
	if f.sub != "" {
		pattern += "/" + f.sub
	}
	cmd := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-timeout=10m", "-overlay", overlay, "-run", pattern,
		f.pkg)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	switch {
	case err == nil:
		t.Errorf("%s %s did not notice\n%s", f.pkg, f.test, out)
	case !strings.Contains(string(out), "--- FAIL: "+f.test):
		t.Errorf("%s %s did not fail by itself: %v\n%s", f.pkg, f.test, err, out)
	default:
		t.Logf("noticed:\n%s", out[:min(len(out), 1000)])
	}
}

func absolute(t *testing.T, file string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
