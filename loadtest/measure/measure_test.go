package measure

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/testenv"
)

func TestParseStat(t *testing.T) {
	t.Parallel()
	const line = `4242 (a ) (b 7) S 1 77 77 0 -1 4194304 10 0 0 0 150 50 30 20 20 0 9 0 100 5000000 25 184 1`
	u, err := parseStat([]byte(line))
	want := usage{group: 77, cpu: 2 * time.Second, resident: 25 * int64(os.Getpagesize())}
	if err != nil || u != want {
		t.Errorf("%+v (%v), expected %+v", u, err, want)
	}
	for _, bad := range []string{"", "1 (x) S 1 2", strings.Replace(line, " 150 ", " many ", 1)} {
		if u, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("%q is %+v", bad, u)
		}
	}
}

func TestParseBusy(t *testing.T) {
	t.Parallel()
	got, err := parseBusy([]byte("cpu  100 20 30 9999 777 4 6 5 50 0\ncpu0 1 1 1 1\n"))
	if want := 1600 * time.Millisecond; err != nil || got != want {
		t.Errorf("%v (%v), expected %v: user, nice, system and interrupts", got, err, want)
	}
	for _, bad := range []string{"", "cpu  1 2 3", "cpu a b c d e f g h"} {
		if got, err := parseBusy([]byte(bad)); err == nil {
			t.Errorf("%q is %v", bad, got)
		}
	}
}

func TestParseHighWater(t *testing.T) {
	t.Parallel()
	for status, want := range map[string]int64{"VmPeak: 9 kB\nVmHWM:\t    12 kB\n": 12 << 10, "State: Z": 0, "VmHWM:": 0} {
		if got := parseHighWater([]byte(status)); got != want {
			t.Errorf("%q: %d, expected %d", status, got, want)
		}
	}
}

// needProc skips where the kernel tells nothing.
func needProc(t *testing.T) {
	t.Helper()
	if _, err := Busy(); err != nil {
		testenv.Skip(t, "%v", err)
	}
}

// spin is a shell whose two children use CPU time, some hundred milliseconds each.
const spin = `for i in 1 2; do sh -c 'i=0; while [ $i -lt 150000 ]; do i=$((i+1)); done' %s done; wait`

// TestTree counts the CPU time of children, whether their parent waits for them or not.
func TestTree(t *testing.T) {
	t.Parallel()
	needProc(t)
	for name, end := range map[string]string{"one by one": ";", "at once": "&"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cost, err := Run(t.Context(), exec.Command("sh", "-c", fmt.Sprintf(spin, end)))
			if err != nil || cost.CPU < 20*time.Millisecond || cost.Peak < 100<<10 || cost.Wall <= 0 {
				t.Errorf("%+v (%v), expected the CPU time of both children, and memory", cost, err)
			}
		})
	}
}

func TestOrphans(t *testing.T) {
	t.Parallel()
	needProc(t)
	w := &watch{last: map[int]usage{1: {cpu: 3 * time.Second}, 2: {cpu: 4 * time.Second}}}
	cmd := exec.Command("true")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if got := w.cost(cmd, 0).CPU; got != 7*time.Second {
		t.Errorf("%v, expected that of both processes that were seen", got)
	}
}

func TestEnds(t *testing.T) {
	t.Parallel()
	needProc(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	reason := errors.New("enough")
	cmd := exec.Command("sh", "-c", "sleep 600 & echo started; wait")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_, _ = stdout.Read(make([]byte, 8)) // whatever it says, it runs
		cancel(reason)
	}()
	if _, err := Run(ctx, cmd); !errors.Is(err, reason) {
		t.Errorf("%v, expected %v", err, reason)
	}
	for pid, u := range group(cmd.Process.Pid) {
		if u.resident > 0 { // one that is dead and whose parent, not this process, has yet to look has none
			t.Errorf("process %d is left: %+v", pid, u)
		}
	}
	if _, err := CPU(cmd.Process.Pid); err == nil || !strings.Contains(err.Error(), "read what process") {
		t.Errorf("the CPU time of a process that is gone: %v", err)
	}
	var exit *exec.ExitError
	if _, err := Run(t.Context(), exec.Command("false")); !errors.As(err, &exit) {
		t.Errorf("%v, expected the command's exit", err)
	}
}
