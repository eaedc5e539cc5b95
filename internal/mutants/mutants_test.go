package mutants

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

var plant = flag.Bool("plant", false, "plant each fault and run its test, which takes minutes and the shared servers")

// root is the module's folder, as a test sees it.
const root = "../.."

// TestPlantedFaults plants each fault, with -plant, and wants its test to fail. Without, it only wants each fault to
// fit the code as it is, and to compile.
func TestPlantedFaults(t *testing.T) {
	t.Parallel()
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			overlay := f.overlay(t)
			if *plant {
				f.expectNotice(t, overlay)
			} else {
				f.expectBuild(t, overlay)
			}
		})
	}
}

// overlay writes the changed files and the list of them that `go test -overlay` reads, and gives its path.
func (f fault) overlay(t *testing.T) string {
	t.Helper()
	dir, changed := t.TempDir(), map[string]string{}
	for _, e := range f.edits {
		name := absolute(t, e.file)
		from := name
		if changed[name] != "" {
			from = changed[name]
		}
		changed[name] = filepath.Join(dir, strings.ReplaceAll(e.file, "/", "_"))
		e.apply(t, from, changed[name])
	}
	list, err := json.Marshal(map[string]any{"Replace": changed})
	if err != nil {
		t.Fatal(err)
	}
	overlay := filepath.Join(dir, "overlay.json")
	write(t, overlay, list)
	return overlay
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

// expectBuild wants the packages that the fault changes to compile: else it would be noticed by nobody's care.
func (f fault) expectBuild(t *testing.T, overlay string) {
	t.Helper()
	args := []string{"build", "-overlay", overlay}
	for _, e := range f.edits {
		args = append(args, "./"+path.Dir(e.file))
	}
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("it does not compile: mend the fault: %v\n%s", err, out)
	}
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
	name, err := filepath.Abs(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	return name
}

func write(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
