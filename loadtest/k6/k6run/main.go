// Command k6run puts one scenario of the load test on a Penstock: the one that the environment names, or a `penstock
// up` of its own, with everything embedded in a temporary folder. It applies the pipeline, runs k6 and exits as k6
// does: 99 where a threshold was crossed.
//
// What must never happen: a `penstock up` or a k6 that outlives it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/penstock-io/penstock/internal/testenv/child"
	"github.com/penstock-io/penstock/loadtest/k6/up"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	code, err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, "load test:", err)
	}
	os.Exit(code)
}

// test is one run of a scenario.
type test struct {
	penstock, k6 string // programs
	folder       string // of the module: scenarios and the pipeline
	out          string // where the summaries go
	scenario     string
	args         []string // for k6
	env          []string
	stdout       io.Writer
	stderr       io.Writer
}

const failed = 1 // exit code where k6 has none

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (code int, err error) {
	t := test{env: os.Environ(), stdout: stdout, stderr: stderr}
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&t.scenario, "scenario", "smoke", "smoke, ramp, soak, spike, many-small or few-huge")
	flags.StringVar(&t.penstock, "penstock", "penstock", "program that is started, and that applies the pipeline")
	flags.StringVar(&t.k6, "k6", "k6", "k6 with k6/x/penstock")
	flags.StringVar(&t.folder, "folder", ".", "that has scenarios/ and pipeline.yaml")
	flags.StringVar(&t.out, "out", "", "folder for the summaries; none: they are not written")
	if err := flags.Parse(args); err != nil {
		return 2, nil // flags has said so
	}
	t.args = flags.Args()
	if _, err := os.Stat(t.script()); err != nil {
		return 2, fmt.Errorf("scenario %q: %w: expected smoke, ramp, soak, spike, many-small or few-huge", t.scenario, err)
	}
	if t.out != "" {
		if t.out, err = filepath.Abs(t.out); err == nil {
			err = os.MkdirAll(t.out, 0o755)
		}
		if err != nil {
			return failed, fmt.Errorf("folder for the summaries: %w", err)
		}
	}
	if given("PENSTOCK_NATS_URL") || given("PENSTOCK_S3_URL") || given("PENSTOCK_DATA") {
		return t.load(ctx)
	}
	p, err := up.Start(ctx, t.penstock, t.env, t.stderr)
	if err != nil {
		return failed, err
	}
	defer func() {
		if bad := p.Stop(); bad != nil {
			code, err = max(code, failed), errors.Join(err, bad)
		}
	}()
	t.env = p.Env
	return t.load(ctx)
}

func given(name string) bool { return os.Getenv(name) != "" }

func (t test) script() string { return filepath.Join(t.folder, "scenarios", t.scenario+".js") }

// load applies the pipeline and runs k6.
func (t test) load(ctx context.Context) (int, error) {
	apply := t.command(t.penstock, "apply", filepath.Join(t.folder, "pipeline.yaml"))
	apply.Stdout = t.stderr // stdout is k6's
	if err := runs(ctx, apply); err != nil {
		return failed, fmt.Errorf("apply the pipeline: %w", err)
	}
	k6 := t.command(t.k6, append([]string{"run", "--quiet", t.script()}, t.args...)...)
	k6.Env = append(k6.Env, "LOAD_OUT="+t.out)
	err := runs(ctx, k6)
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() > 0 {
		return exit.ExitCode(), nil
	}
	if err != nil {
		return failed, fmt.Errorf("run k6: %w", err)
	}
	return 0, nil
}

func (t test) command(program string, args ...string) *exec.Cmd {
	c := exec.Command(program, args...)
	c.Env, c.Stdout, c.Stderr = t.env, t.stdout, t.stderr
	return c
}

// runs runs a command, asks it to end with ctx, and waits for it.
func runs(ctx context.Context, cmd *exec.Cmd) error {
	p, err := child.Start(cmd)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { p.Signal(syscall.SIGTERM) })()
	return p.Err()
}
