package main

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/gocql/gocql"
	"golang.org/x/sync/errgroup"

	"github.com/penstock-io/penstock/loadtest/dataset"
)

const keyspace, tableName = "sidebyside", "readings"

// A whole table is counted in stretches of the ring, so that none takes a server's limit.
const stretches, countsAtOnce = 64, 2

// table is the target of all tools.
type table struct{ session *gocql.Session }

// newTable makes the table anew.
func newTable(ctx context.Context, addr string) (*table, error) {
	cluster := gocql.NewCluster(addr)
	cluster.Timeout, cluster.ConnectTimeout = 2*time.Minute, time.Minute
	cluster.DisableInitialHostLookup = true
	session, err := cluster.CreateSession()
	if err != nil {
		return nil, fmt.Errorf("connect to cassandra: %w", err)
	}
	t := &table{session}
	var columns strings.Builder
	for _, c := range dataset.Columns() {
		fmt.Fprintf(&columns, "%s %s, ", c.Name, c.Type)
	}
	for _, statement := range []string{
		"CREATE KEYSPACE " + keyspace + " WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
		fmt.Sprintf("CREATE TABLE %s.%s (%sPRIMARY KEY (device, ts, seq))", keyspace, tableName, &columns),
	} {
		if err := session.Query(statement).WithContext(ctx).Exec(); err != nil {
			session.Close()
			return nil, fmt.Errorf("%s: %w", statement, err)
		}
	}
	return t, nil
}

func (t *table) close() { t.session.Close() }

// empty drops all rows.
func (t *table) empty(ctx context.Context) error {
	if err := t.session.Query("TRUNCATE " + keyspace + "." + tableName).WithContext(ctx).Exec(); err != nil {
		return fmt.Errorf("empty the table: %w", err)
	}
	return nil
}

// count gives the number of rows and what their seq come to.
func (t *table) count(ctx context.Context) (rows, sum int64, err error) {
	var counts, sums [stretches]int64
	all, ctx := errgroup.WithContext(ctx)
	all.SetLimit(countsAtOnce)
	for i := range int64(stretches) {
		const width = math.MaxUint64/stretches + 1
		first := math.MinInt64 + i*width
		all.Go(func() error {
			query := "SELECT COUNT(*), SUM(CAST(seq AS bigint)) FROM " + keyspace + "." + tableName +
				" WHERE token(device) >= ? AND token(device) <= ?"
			return t.session.Query(query, first, first+(width-1)).WithContext(ctx).Scan(&counts[i], &sums[i])
		})
	}
	if err := all.Wait(); err != nil {
		return 0, 0, fmt.Errorf("count the rows: %w", err)
	}
	for i := range counts {
		rows, sum = rows+counts[i], sum+sums[i]
	}
	return rows, sum, nil
}
