package e2e

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/internal/testenv"
	"github.com/penstock-io/penstock/internal/testenv/tools"
)

// natsPy is what examples/python needs, pinned for the test.
const natsPy = "nats-py==2.11.0"

// TestPythonExample runs the example as its README says, against this installation.
func TestPythonExample(t *testing.T) {
	t.Parallel()
	python := venv(t)
	l := newFileLab(t)
	l.start("up").says("penstock is up")
	l.apply(l.file("small.yaml", smallPipeline))
	source := l.putText("a.csv", "id,n\na,1\nb,x\n")
	missing := "s3://" + l.bucket + "/missing.csv"
	for _, c := range []struct {
		name   string
		args   []string
		code   int
		counts contracts.Counts
	}{
		{"done with rejects", []string{"small", source}, 3, contracts.Counts{Read: 2, Written: 1, Rejected: 1}},
		{"loaded before", []string{"small", source}, 0, contracts.Counts{}},
		{"forced", []string{"--force", "small", source}, 3, contracts.Counts{Read: 2, Written: 1, Rejected: 1}},
		{"failed", []string{"small", missing}, 1, contracts.Counts{}},
	} {
		cmd := exec.CommandContext(t.Context(), python, append([]string{"../../examples/python/submit.py"}, c.args...)...)
		cmd.Env = l.env
		out, err := cmd.Output()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		var report contracts.Report
		if err := json.Unmarshal(out, &report); err != nil {
			t.Fatalf("%s: exit %d, report %q: %v\n%s", c.name, cmd.ProcessState.ExitCode(), out, err, exit.Stderr)
		}
		if cmd.ProcessState.ExitCode() != c.code || report.Records != c.counts {
			t.Errorf("%s: exit %d, expected %d; report %+v", c.name, cmd.ProcessState.ExitCode(), c.code, report)
		}
	}
	refused := exec.CommandContext(t.Context(), python, "../../examples/python/submit.py", "nobody", source)
	refused.Env = l.env
	if out, err := refused.CombinedOutput(); err == nil || refused.ProcessState.ExitCode() != 1 {
		t.Errorf("a pipeline that nobody applied: %v\n%s", err, out)
	}
}

// venv is the python of a virtual environment with natsPy, made once in the cache.
func venv(t *testing.T) string {
	t.Helper()
	cache, err := tools.CacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "python-"+natsPy)
	python := filepath.Join(dir, "bin", "python")
	if _, err := os.Stat(filepath.Join(dir, "complete")); err == nil {
		return python
	}
	system, err := exec.LookPath("python3")
	if err != nil {
		testenv.Skip(t, "python3 is not there: %v", err)
	}
	if out, err := exec.CommandContext(t.Context(), system, "-m", "venv", "--clear", dir).CombinedOutput(); err != nil {
		testenv.Skip(t, "python3 -m venv: %v\n%s", err, out)
	}
	pip := exec.CommandContext(t.Context(), python, "-m", "pip", "install", "--quiet", natsPy)
	if out, err := pip.CombinedOutput(); err != nil {
		testenv.Skip(t, "pip install %s: %v\n%s", natsPy, err, out)
	}
	if err := os.WriteFile(filepath.Join(dir, "complete"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	return python
}
