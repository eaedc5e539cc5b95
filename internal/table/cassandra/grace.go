package cassandra

import (
	"context"
	"errors"
	"time"

	"github.com/gocql/gocql"
)

// GCGrace is how long a table keeps the marks of what was deleted; after it, an older write brings a deleted row back.
// The error is of kind missing where there is no such table.
func (db *DB) GCGrace(ctx context.Context, keyspace, table string) (time.Duration, error) {
	var seconds int
	found := true
	err := db.with(ctx, "read gc_grace_seconds of table "+keyspace+"."+table, func(s *gocql.Session) error {
		err := s.Query(`SELECT gc_grace_seconds FROM system_schema.tables WHERE keyspace_name = ? AND table_name = ?`,
			keyspace, table).WithContext(ctx).Scan(&seconds)
		if found = !errors.Is(err, gocql.ErrNotFound); !found {
			return nil
		}
		return err
	})
	if err == nil && !found {
		err = db.missing(ctx, keyspace, table)
	}
	return time.Duration(seconds) * time.Second, err
}
