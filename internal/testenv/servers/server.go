// Package servers starts real servers as processes on free ports of 127.0.0.1: Apache Cassandra, MinIO, nats-server.
// Who starts one owns it and kills it; it dies with its owner on Linux, however that ends.
//
// What must never happen: a server that outlives its owner; a start that returns before the server answers its own
// protocol; a failure without the end of the server's log.
package servers

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/penstock-io/penstock/internal/testenv/child"
)

// Readiness is polled often: it is what tests wait for.
const (
	probeEvery = 25 * time.Millisecond
	probeLimit = 5 * time.Second
)

// server is what all servers have in common. Kill and Restart may be called from any goroutine.
type server struct {
	name    string
	log     string
	command func() *exec.Cmd            // a fresh one for each start
	probe   func(context.Context) error // nil: the server answers its protocol

	mu   sync.Mutex
	proc *child.Process
}

// Kill ends the server with SIGKILL and returns when it is gone. A killed server may be killed again.
func (s *server) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc != nil {
		s.proc.Kill()
	}
}

// PID is the id of the server's process, whether or not it still runs. Each start gives it another.
func (s *server) PID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.proc.PID()
}

// Signal sends a signal to the server, such as SIGSTOP and SIGCONT to have it hang for a while.
func (s *server) Signal(signal syscall.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc != nil {
		s.proc.Signal(signal)
	}
}

// Restart kills the server, starts it again on the same port and data, and returns when it answers.
func (s *server) Restart(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc != nil {
		s.proc.Kill()
	}
	return s.up(ctx)
}

// up starts the server and returns when it answers; one that does not is killed.
func (s *server) up(ctx context.Context) error {
	out, err := os.OpenFile(s.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("%s: open its log: %w", s.name, err)
	}
	defer out.Close() // the server has its own copy
	cmd := s.command()
	cmd.Stdout, cmd.Stderr = out, out
	if s.proc, err = child.Start(cmd); err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	if err := s.ready(ctx); err != nil {
		s.proc.Kill()
		return fmt.Errorf("%s: %w; its log ends:\n%s", s.name, err, tail(s.log))
	}
	return nil
}

// ready polls the probe until it succeeds, the process ends or ctx does.
func (s *server) ready(ctx context.Context) error {
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for {
		err := s.probeOnce(ctx)
		select {
		case <-s.proc.Done():
			return fmt.Errorf("ended before it was ready: %v", s.proc.Err())
		default:
		}
		if err == nil {
			return nil
		}
		select {
		case <-s.proc.Done():
		case <-ctx.Done():
			return fmt.Errorf("not ready in time (%w): %w", context.Cause(ctx), err)
		case <-tick.C:
		}
	}
}

func (s *server) probeOnce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	return s.probe(ctx)
}
