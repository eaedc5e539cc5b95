package cassandra

import (
	"context"
	"errors"

	"github.com/gocql/gocql"
	"github.com/penstock-io/penstock/contracts"
)

// checkReplay refuses tables in which the same write, done twice, does something else the second time.
func (w *Writer) checkReplay(ctx context.Context) error {
	ttl, base, err := w.db.defaultTTL(ctx, w.table.Keyspace, w.table.Name)
	switch {
	case err != nil:
		return err
	case !base:
		return contracts.Errorf(contracts.KindConfig, "table %s is a materialized view, which only its own table writes: "+
			"load that one", w.table.FullName())
	case ttl > 0 && w.ttl == 0:
		return contracts.Errorf(contracts.KindConfig, "table %s has default_time_to_live = %d, and Cassandra counts it from "+
			"each write: a replayed chunk would lengthen its rows' lives: set write.ttl: %d, which counts from the job's start",
			w.table.FullName(), ttl, ttl)
	default:
		return nil
	}
}

// defaultTTL is how many seconds rows of a table live that are written without a TTL; 0 is for ever. base is false
// where it is a materialized view.
func (db *DB) defaultTTL(ctx context.Context, keyspace, table string) (seconds int, base bool, err error) {
	err = db.with(ctx, "read the options of table "+keyspace+"."+table, func(s *gocql.Session) error {
		err := s.Query(`SELECT default_time_to_live FROM system_schema.tables WHERE keyspace_name = ? AND table_name = ?`,
			keyspace, table).WithContext(ctx).Scan(&seconds)
		if base = !errors.Is(err, gocql.ErrNotFound); !base {
			return nil
		}
		return err
	})
	return seconds, base, err
}
