// Package tabletest is the suite that every table target passes: what a pipeline may rely on when it writes rows,
// whatever stands behind the seam. The embedded target and a real Cassandra run the same tests.
//
// What must never happen: a test that knows which target it runs on, or a rule here that Cassandra does not keep.
package tabletest

import (
	"context"
	"iter"
	"testing"
	"time"

	"github.com/penstock-io/penstock/cql"
)

// Writer is what a target hands out for one table.
type Writer interface {
	Write(ctx context.Context, rows []cql.Row, baseTime time.Time) ([]cql.Refusal, error)
}

// Reader reads rows of one table by their keys.
type Reader interface {
	Read(ctx context.Context, rows []cql.Row) ([]cql.CellRow, error)
}

// Funcs is a target under test. Every field is needed.
type Funcs struct {
	Create   func(ctx context.Context, t cql.Table, udts map[string]cql.Type) error
	Describe func(ctx context.Context, keyspace, table string) (cql.Table, map[string]cql.Type, error)
	Writer   func(ctx context.Context, t cql.Table, o cql.WriteOptions) (Writer, error)
	Reader   func(ctx context.Context, t cql.Table, o cql.WriteOptions) (Reader, error)
	Cells    func(ctx context.Context, t cql.Table) iter.Seq2[cql.CellRow, error]
	Keyspace string // of this run alone; the suite creates it with its first table
}

// Run runs the suite. Its subtests run in parallel, each on tables of its own.
func Run(t *testing.T, f Funcs) {
	for _, c := range []struct {
		name string
		test func(*testing.T, Funcs)
	}{
		{"create twice", createTwice},
		{"describe returns what was created", describeRoundTrip},
		{"missing table", missingTable},
		{"schema mismatch", schemaMismatch},
		{"a pipeline may write a part of the columns", partOfColumns},
		{"names that need quotes", quotedNames},
		{"values of every type", everyType},
		{"extreme values", extremeValues},
		{"extreme times", extremeTimes},
		{"frozen and unfrozen values are overwritten", overwriteCollections},
		{"empty collections are null unless frozen", emptyCollections},
		{"unset keeps and null deletes", unsetAndNull},
		{"a row of unset columns exists", bareRow},
		{"cells are decided one by one", cellByCell},
		{"a delete is not undone by an older value", deleteHolds},
		{"equal times: the greater value wins", equalTimes},
		{"replay is a no-op", replay},
		{"the last static value holds for the partition", staticColumns},
		{"static columns are decided one by one", staticCells},
		{"several segments in one write", severalSegments},
		{"composite keys", compositeKeys},
		{"any order gives the same table", anyOrder},
		{"rows are read by their keys", readByKey},
		{"many rows are read at once", readMany},
		{"values of every type are read as they were written", readTypes},
		{"static cells are read without a row", readStatics},
		{"a row of its key alone is read", readBareRows},
		{"a reader wants the table as it is", readMismatch},
		{"no rows", noRows},
		{"ten thousand rows", manyRows},
		{"concurrent writes", concurrentWrites},
		{"every batch is paced", everyBatchIsPaced},
		{"rows that the pace does not let pass are not written", paceEndsTheWrite},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, f)
		})
	}
}
