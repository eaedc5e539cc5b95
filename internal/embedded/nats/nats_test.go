package nats

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/contracts"
)

func start(t *testing.T, cfg Config) *Server {
	t.Helper()
	s, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func fails(t *testing.T, cfg Config, says string) {
	t.Helper()
	s, err := Start(t.Context(), cfg)
	if err == nil {
		s.Close()
		t.Fatal("it started")
	}
	if contracts.KindOf(err) != contracts.KindConfig || !strings.Contains(err.Error(), says) {
		t.Fatalf("found %q error %v, expected kind config and %q", contracts.KindOf(err), err, says)
	}
}

// TestReachable greets the server as another process would.
func TestReachable(t *testing.T) {
	t.Parallel()
	s := start(t, Config{Dir: t.TempDir()})
	if s.URL() != "nats://"+s.Addr() || strings.HasSuffix(s.URL(), ":0") {
		t.Errorf("found %s at %s", s.URL(), s.Addr())
	}
	conn, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	greeting := make([]byte, 5)
	if _, err := io.ReadFull(conn, greeting); err != nil || string(greeting) != "INFO " {
		t.Errorf("found %q, %v", greeting, err)
	}
}

func TestCloseLetsGoOfTheAddress(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := start(t, Config{Dir: dir})
	for range 3 {
		s.Close()
		s = start(t, Config{Dir: dir, Addr: s.Addr()})
	}
	s.Close()
	s.Close() // is no more work
}

func TestAddressIsTaken(t *testing.T) {
	t.Parallel()
	s := start(t, Config{Dir: t.TempDir()})
	fails(t, Config{Dir: t.TempDir(), Addr: s.Addr()}, "address already in use")
}

func TestAddressCannotBeRead(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{"localhost", "localhost:x", "localhost:-1", "localhost:70000"} {
		fails(t, Config{Dir: t.TempDir(), Addr: addr}, "start NATS on")
	}
}

func TestFolderCannotBeUsed(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	fails(t, Config{Dir: file, Log: slog.New(slog.NewTextHandler(&log, nil))}, "choose another address or folder")
}

func TestStartEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Start(ctx, Config{Dir: t.TempDir()}); contracts.KindOf(err) != contracts.KindInterrupted {
		t.Fatalf("found %v, expected an error of kind interrupted", err)
	}
}
