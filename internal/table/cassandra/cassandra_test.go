package cassandra

import (
	"context"
	"iter"
	"net"
	"strconv"
	"testing"

	"github.com/penstock-io/penstock/cql"
	tabletest "github.com/penstock-io/penstock/internal/conformance/table"
	"github.com/penstock-io/penstock/internal/testenv"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	db := connected(t)
	tabletest.Run(t, tabletest.Funcs{
		Create: db.Create, Describe: db.Describe, Cells: db.Cells, Keyspace: testenv.Name(t, "suite"),
		Writer: func(ctx context.Context, tab cql.Table, o cql.WriteOptions) (tabletest.Writer, error) {
			return db.Writer(ctx, tab, o)
		},
	})
}

// connected opens the shared server.
func connected(t testing.TB) *DB {
	t.Helper()
	return opened(t, config(t, testenv.Cassandra(t)))
}

func config(t testing.TB, addr string) Config {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return Config{Hosts: []string{host}, Port: n}
}

func opened(t testing.TB, cfg Config) *DB {
	t.Helper()
	db, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

var _ iter.Seq[int]
