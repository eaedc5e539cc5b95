// Package nats runs nats-server with JetStream inside this process: the server that users run, with its streams in a
// folder, reachable by other processes.
//
// What must never happen: a server that outlives Close, ends the process or takes its signals; anything on stdout or
// stderr. Callers see to it that one folder has one server at a time: nats-server does not.
package nats

import (
	"context"
	"log/slog"
	"net"
	"strconv"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/penstock-io/penstock/contracts"
)

const (
	maxMemory = 64 << 20 // for the small consumers that follow events; streams are in files
	maxStore  = 1 << 40  // streams reserve what they may hold: the disk is the limit, not a share of what is free now
)

// Config says where the server keeps its streams and where it listens.
type Config struct {
	Dir  string       // made where it is missing; nobody else may use it
	Addr string       // host:port; port 0 is any free one; "" is 127.0.0.1:0
	Log  *slog.Logger // warnings and errors of the server; nil discards
}

// Server is a running nats-server.
type Server struct {
	server *server.Server
	addr   string
}

// Start returns once clients can connect. Errors are of kind config: the address is taken or cannot be read, or the
// folder cannot be used.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	if err := ctx.Err(); err != nil {
		return nil, contracts.Errorf(contracts.KindInterrupted, "start NATS: %w", err)
	}
	opts, err := options(cfg)
	if err != nil {
		return nil, err
	}
	s, err := server.NewServer(opts)
	if err != nil {
		return nil, contracts.Errorf(contracts.KindConfig, "start NATS in %s: %w", cfg.Dir, err)
	}
	log := newLogger(cfg.Log)
	s.SetLoggerV2(log, false, false, false)
	if err := listen(ctx, s, log); err != nil {
		s.Shutdown()
		s.WaitForShutdown()
		return nil, err
	}
	return &Server{s, s.Addr().String()}, nil
}

func options(cfg Config) (*server.Options, error) {
	addr := cfg.Addr
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	host, service, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, contracts.Errorf(contracts.KindConfig, "start NATS on %q: %w: expected host:port", addr, err)
	}
	port, err := strconv.Atoi(service)
	if err != nil || port < 0 || port > 65535 {
		return nil, contracts.Errorf(contracts.KindConfig, "start NATS on %q: expected a port number", addr)
	}
	if port == 0 {
		port = server.RANDOM_PORT
	}
	return &server.Options{
		ServerName: "penstock", Host: host, Port: port,
		JetStream: true, StoreDir: cfg.Dir, JetStreamMaxMemory: maxMemory, JetStreamMaxStore: maxStore,
		NoSigs: true, NoLog: true,
	}, nil
}

// listen runs the server's start, which returns once it listens or has said why not.
func listen(ctx context.Context, s *server.Server, log *logger) error {
	started := make(chan struct{})
	go func() {
		defer close(started)
		s.Start()
	}()
	select {
	case <-started:
	case <-ctx.Done():
		s.Shutdown()
		<-started
		return contracts.Errorf(contracts.KindInterrupted, "start NATS: %w", ctx.Err())
	}
	if reason := log.reason(); reason != "" {
		return contracts.Errorf(contracts.KindConfig,
			"start NATS: %s: choose another address or folder, or stop what uses them", reason)
	}
	return nil
}

// URL is what clients connect to.
func (s *Server) URL() string { return s.server.ClientURL() }

// Addr is host:port as the server listens; with it, another Start on the same folder takes this one's place.
func (s *Server) Addr() string { return s.addr }

// Close stops the server and waits until it has let go of port and folder.
func (s *Server) Close() {
	s.server.Shutdown()
	s.server.WaitForShutdown()
}
