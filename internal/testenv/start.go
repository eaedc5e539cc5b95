package testenv

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/testenv/servers"
	"github.com/penstock-io/penstock/internal/testenv/tools"
)

// startLimit bounds the start of one server on a machine that is busy with other tests.
const startLimit = 4 * time.Minute

// CassandraOptions say how a Cassandra of the test's own is set up. The zero value is as the shared one.
type CassandraOptions = servers.CassandraOptions

// MinIOOptions say how an S3 server of the test's own is set up. The zero value is as the shared one.
type MinIOOptions = servers.MinIOOptions

// CassandraServer is a Cassandra of the test's own. Kill is SIGKILL and waits until the process is gone.
type CassandraServer struct {
	*servers.Cassandra
	t testing.TB
}

// MinIOServer is an S3 server of the test's own. Kill is SIGKILL and waits until the process is gone.
type MinIOServer struct {
	*servers.MinIO
	t testing.TB
}

// NATSServer is a nats-server of the test's own. Kill is SIGKILL and waits until the process is gone.
type NATSServer struct {
	*servers.NATS
	t testing.TB
}

// StartCassandra starts a Cassandra (10 to 30 seconds) that ends with the test. What it acknowledged survives Kill.
func StartCassandra(t testing.TB, o CassandraOptions) *CassandraServer {
	t.Helper()
	s, err := servers.StartCassandra(startContext(t), t.TempDir(), o)
	owned(t, s, err)
	return &CassandraServer{Cassandra: s, t: t}
}

// StartMinIO starts an S3 server that ends with the test.
func StartMinIO(t testing.TB, o MinIOOptions) *MinIOServer {
	t.Helper()
	s, err := servers.StartMinIO(startContext(t), t.TempDir(), o)
	owned(t, s, err)
	return &MinIOServer{MinIO: s, t: t}
}

// StartNATS starts a nats-server with JetStream that ends with the test. config is added to its configuration file and
// may be empty; listen address and store folder are given.
func StartNATS(t testing.TB, config string) *NATSServer {
	t.Helper()
	s, err := servers.StartNATS(startContext(t), t.TempDir(), config)
	owned(t, s, err)
	return &NATSServer{NATS: s, t: t}
}

// Restart kills the server and starts it again on the same port and data. It fails the test where that does not work.
func (s *CassandraServer) Restart() { s.t.Helper(); restarted(s.t, s.Cassandra) }

// Restart kills the server and starts it again on the same port and data. It fails the test where that does not work.
func (s *MinIOServer) Restart() { s.t.Helper(); restarted(s.t, s.MinIO) }

// Restart kills the server and starts it again on the same port and data. It fails the test where that does not work.
func (s *NATSServer) Restart() { s.t.Helper(); restarted(s.t, s.NATS) }

func startContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	t.Cleanup(cancel)
	return ctx
}

// owned ties a server that was just started to its test. Launchers kill what they could not get ready, so that an error
// leaves nothing to own.
func owned(t testing.TB, s interface{ Kill() }, err error) {
	t.Helper()
	if errors.Is(err, tools.ErrMissing) {
		Skip(t, "%v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Kill)
}

func restarted(t testing.TB, s interface{ Restart(context.Context) error }) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	if err := s.Restart(ctx); err != nil {
		t.Fatal(err)
	}
}
