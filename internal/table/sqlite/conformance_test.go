package sqlite_test

import (
	"context"
	"path/filepath"
	"testing"

	tabletest "github.com/penstock-io/penstock/internal/conformance/table"
	"github.com/penstock-io/penstock/internal/table/sqlite"

	"github.com/penstock-io/penstock/cql"
)

func open(t testing.TB) *sqlite.DB {
	t.Helper()
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "penstock.db"))
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return db
}

func TestConformance(t *testing.T) {
	t.Parallel()
	db := open(t)
	tabletest.Run(t, tabletest.Funcs{
		Create:   db.Create,
		Describe: db.Describe,
		Writer: func(ctx context.Context, table cql.Table, o cql.WriteOptions) (tabletest.Writer, error) {
			return db.Writer(ctx, table, o)
		},
		Cells:    db.Cells,
		Keyspace: "lab",
	})
}
