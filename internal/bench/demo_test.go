package bench

import (
	"os/exec"
	"testing"
	"time"
)

// BenchmarkDemo runs `go run ./cmd/penstock demo` as somebody does who has just cloned the tree: first with nothing
// downloaded and nothing built, then once more. A part of the first is the network's.
func BenchmarkDemo(b *testing.B) {
	modules, builds := b.TempDir(), b.TempDir()
	env := environ("GOMODCACHE="+modules, "GOCACHE="+builds, "GOFLAGS=-modcacherw") // or TempDir cannot remove them
	for _, name := range []string{"cold", "warm"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				cmd := exec.CommandContext(b.Context(), "go", "run", "./cmd/penstock", "demo")
				cmd.Dir, cmd.Env = "../..", env
				begin := time.Now()
				if out, err := cmd.CombinedOutput(); err != nil {
					b.Fatalf("%v\n%s", err, out)
				}
				b.ReportMetric(costOf(cmd.ProcessState, time.Since(begin).Seconds()).cpu, "cpu-s")
			}
		})
	}
}
