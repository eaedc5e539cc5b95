package testenv

import (
	"syscall"
	"testing"
	"time"
)

// PerCPU makes a benchmark report how many MB of its input a CPU-second takes, which a busy machine changes less than
// the time on the wall. Call it before the loop, and what it returns behind it, with the bytes of one round.
func PerCPU(b *testing.B) (report func(bytes int)) {
	before := cpuTime(b)
	return func(bytes int) {
		b.Helper()
		b.ReportMetric(float64(bytes)*float64(b.N)/1e6/(cpuTime(b)-before).Seconds(), "MB/cpu-s")
	}
}

// cpuTime is what this process has used so far.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
