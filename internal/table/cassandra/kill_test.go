package cassandra

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gocql/gocql"
	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
	"github.com/penstock-io/penstock/internal/testenv"
)

// answers signals once the server has sent so many frames.
type answers struct {
	left   atomic.Int64
	enough chan struct{}
}

func (a *answers) ObserveFrameHeader(context.Context, gocql.ObservedFrameHeader) {
	if a.left.Add(-1) == 0 {
		close(a.enough)
	}
}

func TestServerDiesInTheMiddleOfAWrite(t *testing.T) {
	t.Parallel()
	server := testenv.StartCassandra(t, testenv.CassandraOptions{})
	a := &answers{enough: make(chan struct{})}
	db, err := open(t.Context(), config(t, server.Addr), func(c *gocql.ClusterConfig) { c.FrameHeaderObserver = a })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	f := readings(t, db)
	w := f.writer(cql.WriteOptions{})
	var rows []cql.Row
	for i := range 40_000 {
		rows = append(rows, row(fmt.Sprint("device ", i), "s", int32(i), fmt.Sprint("note ", i)))
	}
	done := make(chan error, 1)
	a.left.Store(200)
	go func() { done <- untilAvailable(t.Context(), w, rows) }()
	select {
	case <-a.enough:
	case err := <-done:
		t.Fatalf("the write ended before the server was killed: %v", err)
	}
	server.Kill()
	_, err = Open(t.Context(), config(t, server.Addr))
	wantError(t, err, contracts.KindUnavailable, "no cassandra host reachable at "+server.Addr, "is the cluster up")
	server.Restart()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	got := f.notes()
	for i := range rows {
		if got[fmt.Sprint("device ", i, "/s")] != fmt.Sprint("note ", i) {
			t.Fatalf("row %d is missing: %d of %d arrived", i, len(got), len(rows))
		}
	}
}

// untilAvailable writes as a worker does: an unavailable database is asked again with the whole call.
func untilAvailable(ctx context.Context, w *Writer, rows []cql.Row) error {
	for {
		refusals, err := w.Write(ctx, rows, time.Now())
		switch {
		case len(refusals) > 0:
			return fmt.Errorf("refused: %v", refusals)
		case !unavailable(err):
			return err
		}
	}
}

func TestSessionWithoutHostsIsReplaced(t *testing.T) {
	t.Parallel()
	f := readings(t, connected(t))
	w := f.writer(cql.WriteOptions{})
	closeSession := func() {
		s, err := f.db.session(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
	}
	closeSession()
	if err := f.db.Ping(t.Context()); err != nil {
		t.Errorf("ping: %v", err)
	}
	closeSession()
	f.write(w, row("d", "1", 1, "x"))
	if got := f.notes(); got["d/1"] != "x" {
		t.Errorf("found %v", got)
	}
}
