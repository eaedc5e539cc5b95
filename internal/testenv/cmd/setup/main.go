// Command setup installs, into a cache outside the tree, what tests and checks start.
//
//	setup servers      JDK, Apache Cassandra, MinIO, nats-server
//	setup nats-server  the same; the path of nats-server goes to stdout
//	setup lint         golangci-lint; its path goes to stdout
//	setup benchstat    benchstat; its path goes to stdout
//	setup promtool     promtool; its path goes to stdout
//	setup kube         Kubernetes, KEDA, containerd and their kin, and servers
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/penstock-io/penstock/internal/testenv/tools"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "setup:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	in := tools.Installer{Log: stderr, Pauses: tools.Patient()}
	if len(args) != 1 {
		return fmt.Errorf("%q: expected one argument: servers, lint, benchstat, promtool, nats-server or kube", args)
	}
	switch args[0] {
	case "servers":
		return in.Servers(ctx)
	case "kube":
		return in.Kubernetes(ctx)
	case "lint":
		return printPath(stdout, "golangci-lint", in.Lint(ctx))
	case "benchstat":
		return printPath(stdout, "benchstat", in.Benchstat(ctx))
	case "promtool":
		return printPath(stdout, "promtool", in.Promtool(ctx))
	case "nats-server":
		return printPath(stdout, "nats-server", in.Servers(ctx))
	}
	return fmt.Errorf("%q: expected servers, lint, benchstat, promtool, nats-server or kube", args[0])
}

// printPath says where a program is that was installed, unless that failed.
func printPath(stdout io.Writer, program string, err error) error {
	if err != nil {
		return err
	}
	path, err := tools.Program(program)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdout, path)
	return err
}
