// Package ops shows a role's process to those who run it: whether it is able (/healthz) and ready (/readyz), and what
// it has done (/metrics). It owns the HTTP server, what is known of the servers that the process depends on, and the
// metrics; nothing else imports the Prometheus client.
//
// What must never happen: a request that asks a server, or waits for one; labels that grow with what users load; a lock
// or an allocation for each row; a secret in an answer.
package ops

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/penstock-io/penstock/contracts"
)

// Server answers the probes and scrapes of one process. Close it last: a process that drains is still asked.
type Server struct {
	http     *http.Server
	listener net.Listener
	ctx      context.Context // ends with the server
	stop     context.CancelFunc
	running  sync.WaitGroup
}

// Listen begins to answer on addr, host:port. An address that cannot be used is KindConfig.
func Listen(addr string, h *Health, m *Metrics, log *slog.Logger) (*Server, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, contracts.Errorf(contracts.KindConfig,
			"listen for probes on %q: %w: choose another PENSTOCK_LISTEN, or end what has it", addr, err)
	}
	s := &Server{listener: l}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.http = &http.Server{
		Handler: handler(h, m), ReadHeaderTimeout: 5 * time.Second, WriteTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		IdleTimeout: 2 * time.Minute, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	s.running.Go(func() {
		if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Error("probes are not answered any more", "err", err)
		}
	})
	return s, nil
}

// Addr is where the server listens.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Go runs something beside the server; it must return when its context ends, as Close waits for it.
func (s *Server) Go(run func(context.Context)) { s.running.Go(func() { run(s.ctx) }) }

// Close ends the server and what runs beside it.
func (s *Server) Close() error {
	s.stop()
	err := s.http.Close()
	s.running.Wait()
	return err
}

func handler(h *Health, m *Metrics) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		a := h.ability()
		answer(w, a.Able, a)
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		r := h.readiness()
		answer(w, r.Ready, r)
	})
	mux.Handle("GET /metrics", m.handler())
	return mux
}

// answer says yes or no, and why.
func answer(w http.ResponseWriter, yes bool, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if !yes {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(body) // who asked may have gone
}
