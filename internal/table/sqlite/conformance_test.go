package sqlite_test

import (
	"context"
	"testing"

	"github.com/penstock-io/penstock/cql"
	tabletest "github.com/penstock-io/penstock/internal/conformance/table"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	db := open(t)
	tabletest.Run(t, tabletest.Funcs{
		Create:   db.Create,
		Describe: db.Describe,
		Writer: func(ctx context.Context, table cql.Table, o cql.WriteOptions) (tabletest.Writer, error) {
			return db.Writer(ctx, table, o)
		},
		Reader: func(ctx context.Context, table cql.Table, o cql.WriteOptions) (tabletest.Reader, error) {
			return db.Reader(ctx, table, o)
		},
		Cells:    db.Cells,
		Keyspace: "lab",
	})
}
