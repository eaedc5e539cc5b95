package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/penstock-io/penstock/internal/testenv/servers"
)

// startLimit bounds the start of all servers on a slow machine.
const startLimit = 5 * time.Minute

// fleet are the running servers.
type fleet struct {
	log     io.Writer
	long    bool // see servers.CassandraOptions
	members []member
}

// member is one server, or what is left of one that did not start.
type member struct {
	dir  string
	env  []string // what testenv has to know
	kill func()   // nil where it does not run
	err  error
}

// start starts the wanted servers at once and returns their environment. stop has to be called in any case.
func (f *fleet) start(signals <-chan os.Signal, wanted func(name string) bool) ([]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	members := make(chan member)
	waiting := 0
	for _, s := range f.servers() {
		if wanted(s.name) {
			waiting++
			go func() { members <- f.startOne(ctx, s) }()
		}
	}
	var env []string
	var errs []error
	for waiting > 0 {
		select {
		case s := <-signals:
			cancel()
			errs = append(errs, fmt.Errorf("stopped while starting: %s", s))
		case m := <-members:
			waiting--
			f.members = append(f.members, m)
			env, errs = append(env, m.env...), append(errs, m.err)
		}
	}
	return env, errors.Join(errs...)
}

func (f *fleet) startOne(ctx context.Context, s sharedServer) member {
	begin := time.Now()
	dir, err := os.MkdirTemp("", "penstock-"+s.name+"-")
	if err != nil {
		return member{err: fmt.Errorf("%s: make its folder: %w", s.name, err)}
	}
	env, kill, err := s.start(ctx, dir)
	if err == nil {
		fmt.Fprintf(f.log, "withservers: %s after %s\n", s.name, time.Since(begin).Round(10*time.Millisecond))
	}
	return member{dir: dir, env: env, kill: kill, err: err}
}

// stop kills all servers and removes their folders.
func (f *fleet) stop() {
	for _, m := range f.members {
		if m.kill != nil {
			m.kill()
		}
		if err := os.RemoveAll(m.dir); err != nil {
			fmt.Fprintln(f.log, "withservers: remove a server's folder:", err)
		}
	}
}

// sharedServer starts one server in dir and says what testenv has to know of it.
type sharedServer struct {
	name  string
	start func(ctx context.Context, dir string) (env []string, kill func(), err error)
}

func (f *fleet) servers() []sharedServer {
	return []sharedServer{{"cassandra", f.startCassandra}, {"s3", startS3}, {"nats", startNATS}}
}

func (f *fleet) startCassandra(ctx context.Context, dir string) ([]string, func(), error) {
	s, err := servers.StartCassandra(ctx, dir, servers.CassandraOptions{HeapMB: 1536, Lossy: true, Long: f.long})
	if err != nil {
		return nil, nil, err
	}
	return []string{"PENSTOCK_TEST_CASSANDRA=" + s.Addr}, s.Kill, nil
}

func startS3(ctx context.Context, dir string) ([]string, func(), error) {
	s, err := servers.StartMinIO(ctx, dir, servers.MinIOOptions{})
	if err != nil {
		return nil, nil, err
	}
	return []string{
		"PENSTOCK_TEST_S3_URL=" + s.URL,
		"PENSTOCK_TEST_S3_ACCESS=" + s.AccessKey,
		"PENSTOCK_TEST_S3_SECRET=" + s.SecretKey,
	}, s.Kill, nil
}

func startNATS(ctx context.Context, dir string) ([]string, func(), error) {
	s, err := servers.StartNATS(ctx, dir, "")
	if err != nil {
		return nil, nil, err
	}
	return []string{"PENSTOCK_TEST_NATS=" + s.URL}, s.Kill, nil
}
