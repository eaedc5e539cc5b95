// Package s3 runs the Versity S3 gateway in this process, over a folder: the object store where none is configured, and
// the same code that its own server runs. One folder in it is one bucket, one file one object, their ETags are kept in
// extended attributes.
//
// What must never happen: that it answers others than those who hold its keys, that it writes to this process's stdout,
// that the working directory of the process moves, or that a reader gets one version's bytes under another's ETag.
package s3

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3api"
	"github.com/versity/versitygw/s3api/middlewares"
	"github.com/versity/versitygw/s3event"

	"github.com/penstock-io/penstock/contracts"
)

// Config says where the gateway keeps its data and who may use it.
type Config struct {
	Dir       string       // folder of the data, made if missing; relative to the working directory
	Addr      string       // host:port to listen on; "" or port 0 is a free port of 127.0.0.1
	AccessKey string       // with SecretKey; both are made up where they are "", anew at each start
	SecretKey string       //
	Notify    func([]byte) // takes a notification that an object was created, from any goroutine, at once; nil: nobody
	Silent    []string     // buckets without notifications
}

// Server is a running gateway. Close ends it.
type Server struct {
	addr           string
	access, secret string
	api            *s3api.S3ApiServer
	backend        *rooted
	events         s3event.S3EventSender
	served         chan error
	closed         atomic.Bool
}

// running admits one gateway per process: it keeps settings in variables of its packages.
var running atomic.Bool

const (
	region       = "us-east-1"
	connections  = 4096
	portAttempts = 5 // a port that was free may be taken when it is bound
	stopInterval = 5 * time.Millisecond
	bufferSize   = 64 << 10 // of a copy; posix's own is 1 MiB, which is much garbage beside a small document
)

// Start runs the gateway and returns when it answers. The context bounds the start only.
func Start(ctx context.Context, c Config) (*Server, error) {
	if !running.CompareAndSwap(false, true) {
		return nil, contracts.Errorf(contracts.KindInternal,
			"the embedded S3 server runs in this process already: close it first")
	}
	s, err := start(ctx, c)
	if err != nil {
		running.Store(false)
		return nil, err
	}
	return s, nil
}

func start(ctx context.Context, c Config) (s *Server, err error) {
	if (c.AccessKey == "") != (c.SecretKey == "") {
		return nil, contracts.Errorf(contracts.KindConfig,
			"embedded S3: access key and secret key go together: give both or none")
	}
	if c.AccessKey == "" {
		c.AccessKey, c.SecretKey = rand.Text()[:20], rand.Text()
	}
	s = &Server{access: c.AccessKey, secret: c.SecretKey, events: notifications(c)}
	if s.backend, err = openBackend(c.Dir); err != nil {
		return nil, err
	}
	if err = s.listen(ctx, c.Addr); err != nil {
		s.backend.Shutdown()
		return nil, err
	}
	return s, nil
}

// openBackend prepares the folder. posix.New changes into it; rooted does not need that, so it is undone.
func openBackend(dir string) (*rooted, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, contracts.Errorf(contracts.KindConfig, "embedded S3: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, contracts.Errorf(contracts.KindConfig,
			"embedded S3: %w: set PENSTOCK_DATA to a folder that can be written", err)
	}
	if err := checkAttributes(dir); err != nil {
		return nil, err
	}
	before, err := os.Getwd()
	if err != nil {
		return nil, contracts.Errorf(contracts.KindConfig, "embedded S3: %w: start from a folder that exists", err)
	}
	p, err := posix.New(dir, meta.XattrMeta{}, posix.PosixOpts{IOBufferSize: bufferSize})
	err = errors.Join(err, os.Chdir(before))
	if err != nil {
		return nil, contracts.Errorf(contracts.KindConfig, "embedded S3 in %s: %w", dir, err)
	}
	return &rooted{posix: p, root: dir}, nil
}

// checkAttributes stores one, as the gateway does for each object.
func checkAttributes(dir string) error {
	const name = "penstock-check"
	x := meta.XattrMeta{}
	err := x.StoreAttribute(nil, dir, "", name, []byte("1"))
	if err == nil {
		err = x.DeleteAttribute(dir, "", name)
	}
	switch {
	case errors.Is(err, syscall.ENOTSUP):
		return contracts.Errorf(contracts.KindConfig,
			"embedded S3: the file system of %s has no extended attributes, which keep the ETags: "+
				"set PENSTOCK_DATA to a folder on ext4, XFS, Btrfs or APFS, or PENSTOCK_S3_URL to a server", dir)
	case err != nil:
		return contracts.Errorf(contracts.KindConfig,
			"embedded S3: %s: %w: set PENSTOCK_DATA to a folder that can be written", dir, err)
	}
	return nil
}

// listen serves on addr, or on a free port where it names none.
func (s *Server) listen(ctx context.Context, addr string) error {
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return contracts.Errorf(contracts.KindConfig, "embedded S3: address %q: expected host:port", addr)
	}
	if port != "0" {
		return s.serve(ctx, addr)
	}
	for range portAttempts {
		if addr, err = freePort(ctx, host); err == nil {
			err = s.serve(ctx, addr)
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			return err
		}
	}
	return err
}

func freePort(ctx context.Context, host string) (string, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return "", contracts.Errorf(contracts.KindConfig, "embedded S3: %w", err)
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// serve starts the API on addr and waits until it is bound.
func (s *Server) serve(ctx context.Context, addr string) error {
	ready := make(chan struct{})
	root := auth.Account{Access: s.access, Secret: s.secret, Role: auth.RoleAdmin}
	api, err := s3api.New(s.backend, middlewares.RootUserConfig{Access: s.access, Secret: s.secret}, region,
		auth.NewIAMServiceSingle(root), nil, nil, s.events, nil,
		s3api.WithQuiet(), s3api.WithKeepAlive(), s3api.WithMpMaxParts(10_000),
		s3api.WithConcurrencyLimiter(connections, connections), s3api.WithOnListen(func() { close(ready) }))
	if err != nil {
		return contracts.Errorf(contracts.KindInternal, "embedded S3: %w", err)
	}
	s.api, s.addr, s.served = api, addr, make(chan error, 1)
	go func() { s.served <- api.ServeMultiPort([]string{addr}) }() // ends with ShutDown; Close waits for it
	select {
	case <-ready:
		return nil
	case err := <-s.served:
		return contracts.Errorf(contracts.KindConfig, "embedded S3 on %s: %w", addr, err)
	case <-ctx.Done():
		return errors.Join(context.Cause(ctx), s.stop())
	}
}

// URL is where it answers.
func (s *Server) URL() string { return "http://" + s.addr }

// Keys are what opens it.
func (s *Server) Keys() (access, secret string) { return s.access, s.secret }

// Close lets requests in flight end, for ten seconds at the most, and waits until nothing of the gateway runs.
func (s *Server) Close() error {
	if !s.closed.CompareAndSwap(false, true) {
		return nil
	}
	defer running.Store(false)
	err := s.stop()
	s.backend.Shutdown()
	if err != nil {
		return fmt.Errorf("close the embedded S3 server: %w", err)
	}
	return nil
}

// stop ends the API and waits for it. A shutdown that comes between binding and serving is forgotten, so it is
// repeated.
func (s *Server) stop() error {
	again := time.NewTicker(stopInterval)
	defer again.Stop()
	for {
		err := s.api.ShutDown()
		select {
		case <-s.served: //nolint:errcheck // it only says that its listener was closed
			return err
		case <-again.C:
		}
	}
}
