package cassandra

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/gocql/gocql"
	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
)

// A table may be changed while it is written to, and Cassandra need not mind: it prepares the statement again for
// whatever table has the name and the columns now, be its key another. So what was written counts only if the table
// fits afterwards, too.

// fit is what was last found to fit.
type fit struct {
	columns []column
	dropped map[string]time.Time // the columns of ours that the table once lost, and when, to the millisecond
}

// checkSchema compares the writer's table with the one that exists now. What is compared with later is read first, so
// that a change in between is seen then.
func (w *Writer) checkSchema(ctx context.Context) error {
	columns, err := w.db.columns(ctx, w.table.Keyspace, w.table.Name)
	if err != nil {
		return err
	}
	have, _, err := w.db.Describe(ctx, w.table.Keyspace, w.table.Name)
	if err != nil {
		return err
	}
	if err := check(w.table, have); err != nil {
		return err
	}
	dropped, err := w.db.dropped(ctx, w.table.Keyspace, w.table.Name)
	if err != nil {
		return err
	}
	maps.DeleteFunc(dropped, func(name string, _ time.Time) bool { return w.table.Index(name) < 0 })
	w.fits.Store(&fit{columns, dropped})
	return nil
}

// checkWritten looks at the table again after rows were written to it. Most calls cost one request: a column of which
// nothing was said since cannot have been dropped.
func (w *Writer) checkWritten(ctx context.Context, rows []cql.Row) error {
	if len(rows) == 0 {
		return nil
	}
	columns, err := w.db.columns(ctx, w.table.Keyspace, w.table.Name)
	if err != nil {
		return err
	}
	if !slices.Equal(columns, w.fits.Load().columns) {
		if err := w.checkSchema(ctx); err != nil {
			return changed(err)
		}
	}
	return w.checkDropped(rows, w.fits.Load().dropped)
}

// checkDropped refuses rows that are older than the last drop of a column of that name: Cassandra takes such values and
// never shows them.
func (w *Writer) checkDropped(rows []cql.Row, dropped map[string]time.Time) error {
	if len(dropped) == 0 {
		return nil
	}
	oldest := slices.MinFunc(rows, func(a, b cql.Row) int { return cmp.Compare(a.Timestamp, b.Timestamp) }).Timestamp
	for name, at := range dropped {
		if oldest < at.Add(time.Millisecond).UnixMicro() {
			return contracts.Errorf(contracts.KindConfig, "table %s: column %q was dropped at %s and added again: values "+
				"with an earlier write time, such as this job's %s, would never be seen; load into a new table or column",
				w.table.FullName(), name, clock(at), clock(time.UnixMicro(oldest)))
		}
	}
	return nil
}

func clock(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

// dropped are the columns that a table once had, and when they were last dropped, to the millisecond.
func (db *DB) dropped(ctx context.Context, keyspace, table string) (map[string]time.Time, error) {
	all := map[string]time.Time{}
	err := db.with(ctx, "read the dropped columns of table "+keyspace+"."+table, func(s *gocql.Session) error {
		iter := s.Query(`SELECT column_name, dropped_time FROM system_schema.dropped_columns
			WHERE keyspace_name = ? AND table_name = ?`, keyspace, table).WithContext(ctx).Iter()
		var name string
		var at time.Time
		for iter.Scan(&name, &at) {
			all[name] = at
		}
		return iter.Close()
	})
	return all, err
}

// changed says of a table that does not fit any more that no row is to blame.
func changed(err error) error {
	switch contracts.KindOf(err) {
	case contracts.KindMissing, contracts.KindConfig:
		return contracts.Errorf(contracts.KindConfig, "the schema changed during the write: %w", err)
	default:
		return err
	}
}
