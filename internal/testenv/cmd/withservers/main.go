// Command withservers starts the servers that tests share, runs a command with their addresses in its environment,
// kills the servers and exits as the command did.
//
//	withservers [-cassandra=false] [-s3=false] [-nats=false] [-long] COMMAND [ARGUMENT…]
//
// Without a command it prints the environment and keeps the servers until ctrl-C.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/penstock-io/penstock/internal/testenv/child"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

func run(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("withservers", flag.ContinueOnError)
	flags.SetOutput(stderr)
	f := fleet{log: stderr}
	flags.BoolVar(&f.long, "long", false, "for minutes of load: Cassandra starts slower and then runs faster")
	wanted := map[string]*bool{}
	for _, s := range f.servers() {
		wanted[s.name] = flags.Bool(s.name, true, "start it")
	}
	if err := flags.Parse(args); err != nil {
		return 2
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	env, err := f.start(signals, func(name string) bool { return *wanted[name] })
	defer f.stop()
	if err != nil {
		fmt.Fprintln(stderr, "withservers:", err)
		return 1
	}
	if flags.NArg() == 0 {
		return serve(env, signals, stdout)
	}
	code, err := runCommand(flags.Args(), env, signals)
	if err != nil {
		fmt.Fprintln(stderr, "withservers:", err)
	}
	return code
}

// serve prints what a shell has to export and waits for a signal.
func serve(env []string, signals <-chan os.Signal, stdout io.Writer) int {
	for _, e := range env {
		fmt.Fprintln(stdout, "export", e)
	}
	<-signals
	return 0
}

// runCommand runs the command in a process group of its own, passes signals on to the group, and returns the exit code
// as a shell would give it: 128 and the signal where one ended it.
func runCommand(args, env []string, signals <-chan os.Signal) (int, error) {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	proc, err := child.Start(cmd)
	if err != nil {
		return 127, err
	}
	for {
		select {
		case s := <-signals:
			proc.Signal(s.(syscall.Signal))
		case <-proc.Done():
			proc.Signal(syscall.SIGKILL) // what the command left behind
			return exitCode(cmd.ProcessState), waitError(proc.Err())
		}
	}
}

func exitCode(state *os.ProcessState) int {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return state.ExitCode()
}

// waitError drops the error that is only an exit code.
func waitError(err error) error {
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return nil
	}
	return err
}
