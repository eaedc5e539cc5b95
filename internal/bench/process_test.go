package bench

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// environ is the environment without settings of ours or of AWS, and more.
func environ(more ...string) []string {
	var env []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "PENSTOCK_") && !strings.HasPrefix(e, "AWS_") {
			env = append(env, e)
		}
	}
	return append(env, more...)
}

// cost is what a process took.
type cost struct {
	seconds float64
	cpu     float64 // seconds, user and system
	peak    float64 // resident memory, MiB
}

// costOf is the cost of a process that has ended, and that of its children.
func costOf(p *os.ProcessState, seconds float64) cost {
	unit := 1.0 / (1 << 10) // ru_maxrss counts KiB, but bytes on Darwin
	if runtime.GOOS == "darwin" {
		unit = 1.0 / (1 << 20)
	}
	usage := p.SysUsage().(*syscall.Rusage)
	return cost{seconds, (p.UserTime() + p.SystemTime()).Seconds(), float64(usage.Maxrss) * unit}
}

// report reports the cost of one operation, and fails where it took more than so many MiB; 0 is no limit.
func (c cost) report(b *testing.B, most float64) {
	b.Helper()
	b.ReportMetric(c.cpu, "cpu-s")
	b.ReportMetric(c.peak, "peak-MiB")
	if most > 0 && c.peak > most {
		b.Errorf("%.0f MiB resident at the peak: expected at most %.0f", c.peak, most)
	}
}

// run runs a command to its end and reads the JSON that it prints.
func run(b *testing.B, cmd *exec.Cmd, result any) cost {
	b.Helper()
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	begin := time.Now()
	if err := cmd.Run(); err != nil {
		b.Fatalf("%v: %v\n%s%s", cmd.Args, err, out.String(), errOut.String())
	}
	c := costOf(cmd.ProcessState, time.Since(begin).Seconds())
	if err := json.Unmarshal(out.Bytes(), result); err != nil {
		b.Fatalf("%v: %v\n%s%s", cmd.Args, err, out.String(), errOut.String())
	}
	return c
}
