package sqlite

import (
	"context"
	"math"
	"time"
)

// GCGrace is without end: SQLite marks nothing as deleted, and an older write brings a deleted row back at any time.
func (db *DB) GCGrace(context.Context, string, string) (time.Duration, error) {
	return math.MaxInt64, nil
}
