package kube

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// What is fixed, because the network is the cluster's own.
const (
	Address = "10.244.0.1" // of the node, and of whatever the test starts for pods to reach
	Bridge  = "penstock0"
	Node    = "node" // the node's name

	apiServer   = "https://127.0.0.1:6443"
	pods        = "10.244.0.0/24"
	services    = "10.96.0.0/16"
	firstOfThem = "10.96.0.1"
)

// Cluster is a running cluster, seen from inside.
type Cluster struct {
	dir string
}

// Attach returns the cluster that this process was started in, by withkube; nil where there is none.
func Attach() *Cluster {
	if dir := os.Getenv(dirVariable); dir != "" {
		return &Cluster{dir: dir}
	}
	return nil
}

// Environment is what commands need to reach the cluster. Their temporary files go where the cluster's are, to end with
// it.
func (c *Cluster) Environment() []string {
	return []string{dirVariable + "=" + c.dir, "KUBECONFIG=" + c.kubeconfig("admin"), "TMPDIR=" + c.path("tmp")}
}

// Logs is the folder of what the cluster's processes said.
func (c *Cluster) Logs() string { return c.path("log") }

func (c *Cluster) path(elem ...string) string {
	return filepath.Join(append([]string{c.dir}, elem...)...)
}

// Start starts everything in the folder that Enclose gave and returns when pods can run and KEDA scales. There is no
// stop: all of it ends with the enclosed process. log gets a line for each thing that is up.
func Start(ctx context.Context, dir string, log io.Writer) (*Cluster, error) {
	c := &Cluster{dir: dir}
	s := &starter{Cluster: c, log: log, begin: time.Now(), failed: make(chan error, 16)}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case err := <-s.failed:
			cancel(err)
		case <-ctx.Done():
		}
	}()
	err := s.start(ctx)
	if err != nil && ctx.Err() != nil {
		err = errors.Join(err, context.Cause(ctx))
	}
	return c, err
}

// start brings the parts up in the order in which they need one another; what need not wait does not.
func (s *starter) start(ctx context.Context) error {
	if err := s.find(); err != nil {
		return err
	}
	for _, sub := range []string{"log", "pki", "cni", "kubelet", "tmp"} {
		if err := os.MkdirAll(s.path(sub), 0o755); err != nil {
			return fmt.Errorf("make the cluster's folders: %w", err)
		}
	}
	if err := s.certificates(); err != nil {
		return err
	}
	err := together(
		func() error { return s.controlPlane(ctx) },
		func() error { return s.containers(ctx) },
	)
	if err != nil {
		return err
	}
	return together(
		func() error { return s.kubelet(ctx) },
		func() error { return s.keda(ctx) },
	)
}

// together runs the functions at once, waits for all and joins their errors.
func together(fns ...func() error) error {
	errs := make(chan error, len(fns))
	for _, fn := range fns {
		go func() { errs <- fn() }()
	}
	var all error
	for range fns {
		all = errors.Join(all, <-errs)
	}
	return all
}

// await tries until it works or the context ends, and then says why it did not work last.
func await(ctx context.Context, what string, try func(context.Context) error) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		once, cancel := context.WithTimeout(ctx, 10*time.Second)
		err := try(once)
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w (%w)", what, err, context.Cause(ctx))
		case <-tick.C:
		}
	}
}
