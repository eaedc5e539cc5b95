// Package up runs a `penstock up` with everything embedded, on free ports, as a process of its own.
//
// What must never happen: one that outlives whoever started it.
package up

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/penstock-io/penstock/internal/testenv/child"
)

// Process is a `penstock up` that runs.
type Process struct {
	// Env is what other commands need to reach it: they find it by its data folder.
	Env   []string
	child *child.Process
	data  string
	ended chan error
}

// Start starts the program and returns when it says that it is up. Its data folder is a temporary one. env is its
// environment; what it says goes to out.
func Start(ctx context.Context, program string, env []string, out io.Writer) (_ *Process, err error) {
	p := &Process{ended: make(chan error, 1)}
	if p.data, err = os.MkdirTemp("", "penstock-load-"); err != nil {
		return nil, err
	}
	p.Env = append(env[:len(env):len(env)], "PENSTOCK_DATA="+p.data)
	from, to := io.Pipe()
	cmd := exec.Command(program, "up", "--log-level", "warn")
	cmd.Env, cmd.Stdout, cmd.Stderr = p.Env, out, to
	if p.child, err = child.Start(cmd); err != nil {
		return nil, errors.Join(fmt.Errorf("start penstock up: %w", err), os.RemoveAll(p.data))
	}
	ready, heard := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(heard)
		relay(from, out, ready)
	}()
	go func() {
		err := p.child.Err()
		to.Close()
		<-heard
		p.ended <- err
	}()
	select {
	case <-ready:
		return p, nil
	case err := <-p.ended:
		return nil, errors.Join(errors.New("penstock up ended before it was up"), err, os.RemoveAll(p.data))
	case <-ctx.Done():
		return nil, errors.Join(context.Cause(ctx), p.Stop())
	}
}

// Stop asks it to end, waits until it has, and removes its data.
func (p *Process) Stop() error {
	p.child.Signal(syscall.SIGTERM)
	err := <-p.ended
	if err != nil {
		err = fmt.Errorf("penstock up: %w", err)
	}
	return errors.Join(err, os.RemoveAll(p.data))
}

// relay copies lines, and closes ready at the one that says that Penstock is up.
func relay(from io.Reader, to io.Writer, ready chan struct{}) {
	lines := bufio.NewReader(from)
	for up := false; ; {
		line, err := lines.ReadString('\n')
		io.WriteString(to, line) //nolint:errcheck // nobody to tell
		if !up && strings.Contains(line, "penstock is up") {
			up = true
			close(ready)
		}
		if err != nil {
			return
		}
	}
}
