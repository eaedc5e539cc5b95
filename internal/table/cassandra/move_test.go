package cassandra

import (
	"net"
	"testing"

	"github.com/gocql/gocql"
	"github.com/penstock-io/penstock/cql"
	"github.com/penstock-io/penstock/internal/testenv"
)

// TestClusterMoves has the only node come back at another address while rows are written, as a pod does that is
// scheduled again. It is found again behind a forwarder that moved with it, and at another contact point, though every
// host that the driver's session knew is down.
func TestClusterMoves(t *testing.T) {
	t.Parallel()
	server := testenv.StartCassandra(t, testenv.CassandraOptions{})
	_, port, err := net.SplitHostPort(server.Addr)
	if err != nil {
		t.Fatal(err)
	}
	forwarder := newProxy(t, server.Addr, "127.0.0.9:"+port)
	points := config(t, server.Addr)
	points.Hosts = append(points.Hosts, "127.0.0.2")
	rows := spreadRows(2000)
	var fixtures []*fixture
	var writers []*Writer
	for _, cfg := range []Config{config(t, forwarder.addr), points} {
		f := readings(t, opened(t, cfg))
		w := f.writer(cql.WriteOptions{})
		f.write(w, rows[:1000]...)
		fixtures, writers = append(fixtures, f), append(writers, w)
	}
	server.Kill()
	done := make(chan error, len(writers))
	for _, w := range writers {
		go func() { done <- untilAvailable(t.Context(), w, rows) }()
	}
	if err := server.Move(t.Context(), "127.0.0.2"); err != nil {
		t.Fatal(err)
	}
	forwarder.move(server.Addr)
	for range writers {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range fixtures {
		wantRows(t, f, rows)
	}
}

// TestAnEmptyRingHasNoLocalHost asks what the driver asks while the only node moves.
func TestAnEmptyRingHasNoLocalHost(t *testing.T) {
	t.Parallel()
	if (local{gocql.DCAwareRoundRobinPolicy("dc"), new(ring)}).IsLocal(nil) {
		t.Error("no host is a local one")
	}
}
