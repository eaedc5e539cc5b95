package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/penstock-io/penstock/internal/testenv/tools"
)

// machine says where and when, a phrase each. What cannot be asked is left out.
func machine(ctx context.Context) []string {
	said := []string{
		field("/proc/cpuinfo", "model name"), fmt.Sprintf("%d cores", runtime.NumCPU()), memory(),
		"Linux " + first(os.ReadFile("/proc/sys/kernel/osrelease")), runtime.Version(), java(ctx),
		"Apache Cassandra " + tools.CassandraVersion, time.Now().UTC().Format(time.DateOnly),
		"load average before: " + load(),
	}
	var known []string
	for _, s := range said {
		if s != "" {
			known = append(known, s)
		}
	}
	return known
}

func load() string {
	minute, _, _ := strings.Cut(first(os.ReadFile("/proc/loadavg")), " ")
	return minute
}

func java(ctx context.Context) string {
	path, err := tools.Java(ctx)
	if err != nil {
		return ""
	}
	return first(exec.CommandContext(ctx, path, "-version").CombinedOutput())
}

func memory() string {
	var kib int64
	if _, err := fmt.Sscan(field("/proc/meminfo", "MemTotal"), &kib); err != nil {
		return ""
	}
	return fmt.Sprintf("%d GiB", (kib+1<<19)>>20)
}

// field is what a file of /proc says behind a name and a colon.
func field(path, name string) string {
	text, _ := os.ReadFile(path) // nothing is in a file that is not there
	_, rest, _ := strings.Cut(string(text), name)
	value, _, _ := strings.Cut(rest, "\n")
	return strings.Trim(value, " \t:")
}

// first is the first line.
func first(text []byte, _ error) string {
	line, _, _ := strings.Cut(string(text), "\n")
	return strings.ReplaceAll(line, `"`, "")
}
