// Command withkube starts a Kubernetes of one node with KEDA, in namespaces of its own, runs a command in it with
// KUBECONFIG set, and exits as the command did. All of the cluster ends with it.
//
//	withkube [-logs FOLDER] COMMAND [ARGUMENT…]
//	withkube bash
//
// Inside, 10.244.0.1 is the address by which pods reach what the command starts; nothing leads to the outside. With
// -logs what the cluster's processes said is kept.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/penstock-io/penstock/internal/kube"
)

// startLimit bounds the start of a cluster on a busy machine.
const startLimit = 5 * time.Minute

func main() {
	code, err := kube.Enclose(inside)
	if err != nil {
		fmt.Fprintln(os.Stderr, "withkube:", err)
	}
	os.Exit(code)
}

// inside starts the cluster and runs the command.
func inside(dir string) int {
	flags := flag.NewFlagSet("withkube", flag.ContinueOnError)
	logs := flags.String("logs", "", "folder to keep the logs of the cluster's processes in")
	if err := flags.Parse(os.Args[1:]); err != nil || flags.NArg() == 0 {
		fmt.Fprintln(os.Stderr, "withkube [-logs FOLDER] COMMAND [ARGUMENT…]")
		return 2
	}
	code, err := run(dir, flags.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "withkube:", err)
	}
	if *logs != "" {
		err := errors.Join(os.RemoveAll(*logs), os.CopyFS(*logs, os.DirFS(kube.Attach().Logs())))
		if err != nil {
			fmt.Fprintln(os.Stderr, "withkube: keep the logs:", err)
		}
	}
	return code
}

func run(dir string, args []string) (int, error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
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
	err = cmd.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.Exited() {
		return exit.ExitCode(), nil
	}
	if err != nil {
		return 1, fmt.Errorf("%s: %w", args[0], err)
	}
	return 0, nil
}
