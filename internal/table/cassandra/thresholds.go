package cassandra

import (
	"context"
	"strconv"

	"github.com/gocql/gocql"
	"github.com/penstock-io/penstock/contracts"
)

// thresholds bound a batch over several partitions: beyond them the server logs a warning for each.
type thresholds struct{ partitions, bytes int }

// Cassandra's defaults, and the most that we make of a server that warns later: more in a batch is no cheaper.
const (
	usualPartitions, mostPartitions = 10, 100
	usualBytes, mostBytes           = 5 << 10, 32 << 10
)

// The settings' names, with those of Cassandra 4.0, which has kibibytes without their unit.
const (
	settingPartitions = "unlogged_batch_across_partitions_warn_threshold"
	settingBytes      = "batch_size_warn_threshold"
	settingKiB        = "batch_size_warn_threshold_in_kb"
)

// thresholds asks the server for its own. Where it has no table of settings (before 4.0) or does not show it to us,
// they are the usual ones.
func (db *DB) thresholds(ctx context.Context) (thresholds, error) {
	t := thresholds{usualPartitions, usualBytes}
	err := db.with(ctx, "read the settings of cassandra", func(s *gocql.Session) error {
		iter := s.Query(`SELECT name, value FROM system_views.settings WHERE name IN (?, ?, ?)`,
			settingPartitions, settingBytes, settingKiB).WithContext(ctx).Iter()
		for name, value := "", ""; iter.Scan(&name, &value); {
			t.set(name, value)
		}
		return iter.Close()
	})
	switch contracts.KindOf(err) {
	case contracts.KindConfig, contracts.KindDenied:
		return thresholds{usualPartitions, usualBytes}, nil
	}
	return t, err
}

// set takes a setting over; one that makes no sense is left.
func (t *thresholds) set(name, value string) {
	if name == settingKiB {
		value += "KiB"
	}
	switch name {
	case settingPartitions:
		if n, err := strconv.Atoi(value); err == nil && n > 0 {
			t.partitions = min(n, mostPartitions)
		}
	case settingBytes, settingKiB:
		if n, ok := contracts.ParseSize(value); ok && n > 0 {
			t.bytes = int(min(n, mostBytes))
		}
	}
}
