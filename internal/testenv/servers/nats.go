package servers

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/penstock-io/penstock/internal/testenv/tools"
)

// NATS is a running nats-server with JetStream.
type NATS struct {
	server
	URL   string // nats://127.0.0.1:port
	Store string // folder of JetStream's files
}

// StartNATS starts a nats-server whose files are in dir and returns when it answers. config is its configuration file,
// without listen address and store folder; it may be empty. The error is tools.ErrMissing where it is not installed.
func StartNATS(ctx context.Context, dir, config string) (*NATS, error) {
	return StartNATSAt(ctx, dir, "", config)
}

// StartNATSAt is StartNATS for an address of this machine; "" is 127.0.0.1.
func StartNATSAt(ctx context.Context, dir, host, config string) (*NATS, error) {
	program, err := tools.Program("nats-server")
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "nats.conf")
	// Each installation reserves what its streams may hold; a shared server has many, and only a share of the free disk.
	if !strings.Contains(config, "jetstream") {
		config += "\njetstream { max_file_store: 1TB }\n"
	}
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return nil, fmt.Errorf("write nats-server's configuration: %w", err)
	}
	addr := net.JoinHostPort(address(host), strconv.Itoa(port))
	s := &NATS{URL: "nats://" + addr, Store: filepath.Join(dir, "jetstream")}
	s.server = server{
		name: "nats-server",
		log:  filepath.Join(dir, "nats.log"),
		command: func() *exec.Cmd {
			return exec.Command(program, "-c", file, "-a", address(host), "-p", strconv.Itoa(port), "-js",
				"-sd", s.Store)
		},
		probe: func(ctx context.Context) error { return probeNATS(ctx, addr) },
	}
	if err := s.up(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// probeNATS reads the greeting, which a nats-server sends in the clear whether or not TLS or a password follows.
func probeNATS(ctx context.Context, addr string) error {
	conn, err := dial(ctx, addr, nil)
	if err != nil {
		return err
	}
	defer conn.Close()
	greeting, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return fmt.Errorf("read the greeting: %w", err)
	}
	if !strings.HasPrefix(greeting, "INFO ") || !strings.Contains(greeting, `"jetstream":true`) {
		return fmt.Errorf("greeting %q: expected INFO with JetStream", greeting)
	}
	return nil
}
