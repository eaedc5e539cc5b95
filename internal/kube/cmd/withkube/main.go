// Command withkube starts a Kubernetes of one node with KEDA, in namespaces of its own, runs a command in it with
// KUBECONFIG set, and exits as the command did. All of the cluster ends with it.
//
//	withkube [-logs FOLDER] COMMAND [ARGUMENT…]
//	withkube bash
//	withkube -check
//
// Inside, 10.244.0.1 is the address by which pods reach what the command starts; nothing leads to the outside. With
// -logs what the cluster's processes said is kept. With -check nothing is started: it exits with 0 where a cluster
// could be, and else says what it lacks.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/penstock-io/penstock/internal/kube"
)

// startLimit bounds the start of a cluster on a busy machine.
const startLimit = 5 * time.Minute

func main() {
	os.Exit(report(kube.Enclose(inside)))
}

// inside starts the cluster and runs the command.
func inside(dir string) int {
	flags := flag.NewFlagSet("withkube", flag.ContinueOnError)
	logs := flags.String("logs", "", "folder to keep the logs of the cluster's processes in")
	check := flags.Bool("check", false, "say whether a cluster could be started")
	if err := flags.Parse(os.Args[1:]); err != nil || *check == (flags.NArg() > 0) {
		fmt.Fprintln(os.Stderr, "withkube [-logs FOLDER] COMMAND [ARGUMENT…], or withkube -check")
		return 2
	}
	if *check {
		return report(0, kube.Check())
	}
	code := report(run(dir, flags.Args()))
	if *logs != "" {
		err := errors.Join(os.RemoveAll(*logs), os.CopyFS(*logs, os.DirFS(kube.Attach().Logs())))
		if err != nil {
			fmt.Fprintln(os.Stderr, "withkube: keep the logs:", err)
		}
	}
	return code
}

// report says what went wrong, and that it did by the code.
func report(code int, err error) int {
	if err == nil {
		return code
	}
	fmt.Fprintln(os.Stderr, "withkube:", err)
	return max(code, 1)
}

func run(dir string, args []string) (int, error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	begin := time.Now()
	starting, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	cluster, err := kube.Start(starting, dir, os.Stderr)
	if err != nil {
		return 1, err
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = append(os.Environ(), cluster.Environment()...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = time.Minute
	up := time.Now()
	err = cmd.Run()
	fmt.Fprintf(os.Stderr, "kube: the cluster in %.0f s, %s in %.0f s\n", up.Sub(begin).Seconds(),
		filepath.Base(args[0]), time.Since(up).Seconds())
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.Exited() {
		return exit.ExitCode(), nil
	}
	if err != nil {
		return 1, fmt.Errorf("%s: %w", args[0], err)
	}
	return 0, nil
}
