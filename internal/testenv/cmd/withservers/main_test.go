package main

import (
	"bufio"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

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

// TestServersEnd holds a connection to the server, which ends when the server does, and the command's output.
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
			conn, err := net.Dial("tcp", strings.TrimPrefix(strings.TrimSpace(url), "nats://"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, conn)   // returns when the connection ends, orderly or not
			_, _ = io.Copy(io.Discard, output) // returns when the command has ended, too
			_ = cmd.Wait()                     // a signal ends it
			if again, err := net.Dial("tcp", conn.RemoteAddr().String()); err == nil {
				again.Close()
				t.Errorf("%s still listens", conn.RemoteAddr())
			}
		})
	}
}
