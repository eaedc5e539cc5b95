package main

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/testenv"
	"github.com/penstock-io/penstock/internal/testenv/tools"
)

// asCommand makes this test program the command under test.
const asCommand = "WITHSERVERS_UNDER_TEST"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
	}
	os.Exit(m.Run())
}

// withNATS is the command with nats-server alone, which starts at once.
func withNATS(t *testing.T, command ...string) *exec.Cmd {
	t.Helper()
	if _, err := tools.Program("nats-server"); err != nil {
		testenv.Skip(t, "%v", err)
	}
	cmd := exec.Command(os.Args[0], append([]string{"-cassandra=false", "-s3=false"}, command...)...)
	cmd.Env = append(os.Environ(), asCommand+"=1", "TMPDIR="+t.TempDir(), "PENSTOCK_TEST_CASSANDRA=as before")
	cmd.Stderr = t.Output()
	return cmd
}

func TestExitCode(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		command []string
		want    int
	}{
		"the command's own":        {[]string{"sh", "-c", "exit 7"}, 7},
		"zero":                     {[]string{"true"}, 0},
		"ended by a signal":        {[]string{"sh", "-c", "kill -KILL $$"}, 137},
		"signal passed on":         {[]string{"sh", "-c", "kill -TERM $PPID; exec sleep 600"}, 143},
		"signal handled":           {[]string{"sh", "-c", "trap 'exit 5' INT; kill -INT $PPID; while :; do :; done"}, 5},
		"no such command":          {[]string{"no-such-command"}, 127},
		"unknown flag":             {[]string{"-no-such-flag"}, 2},
		"environment is passed on": {[]string{"sh", "-c", `test "$PENSTOCK_TEST_CASSANDRA" = "as before"`}, 0},
		"server is in it":          {[]string{"sh", "-c", `test -n "$PENSTOCK_TEST_NATS"`}, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := withNATS(t, tt.command...)
			_ = cmd.Run() // the exit code says it
			if got := cmd.ProcessState.ExitCode(); got != tt.want {
				t.Errorf("exit code %d: expected %d", got, tt.want)
			}
		})
	}
}

func TestServersEnd(t *testing.T) {
	t.Parallel()
	tests := map[string]syscall.Signal{"after a signal": syscall.SIGTERM, "with a killed parent": syscall.SIGKILL}
	for name, signal := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := withNATS(t, "sh", "-c", "echo $PENSTOCK_TEST_NATS; exec sleep 600")
			stdout, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			output := bufio.NewReader(stdout)
			url, err := output.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			if err := stdout.(*os.File).SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, output); err != nil { // its end is the command's
				t.Fatalf("wait for the command's end: %v", err)
			}
			_ = cmd.Wait() // a signal ends it
			awaitEnd(t, strings.TrimPrefix(strings.TrimSpace(url), "nats://"))
		})
	}
}

// awaitEnd returns when nothing listens at addr any more. A server that is about to end closes the connection first.
func awaitEnd(t *testing.T, addr string) {
	t.Helper()
	for {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return
		}
		if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		_, err = io.Copy(io.Discard, conn)
		_ = conn.Close() // only read
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("%s still serves", addr)
		}
	}
}
