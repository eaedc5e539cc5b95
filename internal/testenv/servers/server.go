// Package servers starts real servers as processes on free ports of 127.0.0.1: Apache Cassandra, MinIO, nats-server.
// Who starts one owns it and kills it; it dies with its owner on Linux, however that ends.
//
// What must never happen: a server that outlives its owner; a start that returns before the server answers its own
// protocol; a failure without the end of the server's log.
package servers

import (
	"context"
	"fmt"
	"os/exec"
	"sync"
	"time"
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
	proc *process
}

// Kill ends the server with SIGKILL and returns when it is gone. A killed server may be killed again.
func (s *server) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc != nil {
		s.proc.kill()
	}
}

// Restart kills the server, starts it again on the same port and data, and returns when it answers.
func (s *server) Restart(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc != nil {
		s.proc.kill()
	}
	return s.up(ctx)
}

// up starts the server and returns when it answers; one that does not is killed.
func (s *server) up(ctx context.Context) error {
	proc, err := startProcess(s.command(), s.log)
	if err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	s.proc = proc
	if err := s.ready(ctx); err != nil {
		proc.kill()
		return fmt.Errorf("%s: %w; its log ends:\n%s", s.name, err, proc.tail())
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
		case <-s.proc.done:
			return fmt.Errorf("ended before it was ready: %v", s.proc.err)
		default:
		}
		if err == nil {
			return nil
		}
		select {
		case <-s.proc.done:
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
