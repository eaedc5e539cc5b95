package cassandra

import (
	"context"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/contracts"
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
		Reader: func(ctx context.Context, tab cql.Table, o cql.WriteOptions) (tabletest.Reader, error) {
			return db.Reader(ctx, tab, o)
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

// fixture is one table of a test's own.
type fixture struct {
	t     testing.TB
	db    *DB
	table cql.Table
}

// readings is a table as pipelines write them: (device, seq) -> note text, level int.
func readings(t testing.TB, db *DB) *fixture {
	t.Helper()
	f := &fixture{t: t, db: db, table: cql.Table{Keyspace: testenv.Name(t, "cass"), Name: "readings",
		Columns: []cql.Column{
			{Name: "device", Type: cql.Type{Kind: cql.Text}, Role: cql.PartitionKey},
			{Name: "seq", Type: cql.Type{Kind: cql.Blob}, Role: cql.ClusteringKey},
			{Name: "level", Type: cql.Type{Kind: cql.Int}, Role: cql.Regular},
			{Name: "note", Type: cql.Type{Kind: cql.Text}, Role: cql.Regular},
		}}}
	if err := db.Create(t.Context(), f.table, nil); err != nil {
		t.Fatal(err)
	}
	return f
}

// row is a row of readings, written at 1.
func row(device, seq string, level int32, note string) cql.Row {
	r := cql.Row{Timestamp: 1}
	r.Values = cql.AppendValue(r.Values, []byte(device))
	r.Partition = len(r.Values)
	r.Values = cql.AppendValue(r.Values, []byte(seq))
	r.Key = len(r.Values)
	r.Values = cql.AppendValue(r.Values, []byte{byte(level >> 24), byte(level >> 16), byte(level >> 8), byte(level)})
	r.Values = cql.AppendValue(r.Values, []byte(note))
	return r
}

func (f *fixture) writer(o cql.WriteOptions) *Writer {
	f.t.Helper()
	w, err := f.db.Writer(f.t.Context(), f.table, o)
	if err != nil {
		f.t.Fatal(err)
	}
	return w
}

// write writes rows and fails the test on an error.
func (f *fixture) write(w *Writer, rows ...cql.Row) []cql.Refusal {
	f.t.Helper()
	refusals, err := w.Write(f.t.Context(), rows, time.Now())
	if err != nil {
		f.t.Fatal(err)
	}
	return refusals
}

// notes reads the table back: note by device/seq.
func (f *fixture) notes() map[string]string {
	f.t.Helper()
	all := map[string]string{}
	for r, err := range f.db.Cells(f.t.Context(), f.table) {
		if err != nil {
			f.t.Fatal(err)
		}
		all[string(r.Values[0].Bytes)+"/"+string(r.Values[1].Bytes)] = string(r.Values[3].Bytes)
	}
	return all
}

// wantError fails unless err is of the kind and says each of the words.
func wantError(t testing.TB, err error, kind contracts.Kind, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, expected %s: %q", kind, words)
	}
	if got := contracts.KindOf(err); got != kind {
		t.Errorf("kind %s, expected %s: %v", got, kind, err)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error %q does not say %q", err, word)
		}
	}
}
