package main

import (
	"context"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
	"github.com/penstock-io/penstock/internal/table/cassandra"
	"github.com/penstock-io/penstock/internal/table/sqlite"
	"github.com/penstock-io/penstock/verify"
	"github.com/penstock-io/penstock/workers"
)

// target is the database that rows go to.
type target interface {
	Ping(ctx context.Context) error
	Describe(ctx context.Context, keyspace, table string) (cql.Table, map[string]cql.Type, error)
	Create(ctx context.Context, t cql.Table, udts map[string]cql.Type) error
	Cells(ctx context.Context, t cql.Table) iter.Seq2[cql.CellRow, error]
	Close() error
	// GCGrace is how long a deleted row is remembered as deleted: a write from before that brings it back.
	GCGrace(ctx context.Context, keyspace, table string) (time.Duration, error)
	writer(ctx context.Context, t cql.Table, o cql.WriteOptions) (workers.Writer, error)
	reader(ctx context.Context, t cql.Table, o cql.WriteOptions) (verify.Reader, error)
}

type cassandraTarget struct{ *cassandra.DB }

func (t cassandraTarget) writer(ctx context.Context, table cql.Table, o cql.WriteOptions) (workers.Writer, error) {
	return t.Writer(ctx, table, o)
}

func (t cassandraTarget) reader(ctx context.Context, table cql.Table, o cql.WriteOptions) (verify.Reader, error) {
	return t.Reader(ctx, table, o)
}

type sqliteTarget struct{ *sqlite.DB }

func (t sqliteTarget) writer(ctx context.Context, table cql.Table, o cql.WriteOptions) (workers.Writer, error) {
	return t.Writer(ctx, table, o)
}

func (t sqliteTarget) reader(ctx context.Context, table cql.Table, o cql.WriteOptions) (verify.Reader, error) {
	return t.Reader(ctx, table, o)
}

func openTarget(ctx context.Context, v values, log *slog.Logger) (target, error) {
	text, err := targetText(v)
	if err != nil {
		return nil, err
	}
	address, err := parseTarget(text)
	if err != nil {
		return nil, err
	}
	if address.sqlite == "" {
		return openCassandra(ctx, v, address, log)
	}
	if !v.given("target") {
		if err := os.MkdirAll(filepath.Dir(address.sqlite), 0o755); err != nil {
			return nil, contracts.Errorf(contracts.KindConfig, "data folder: %w", err)
		}
	}
	db, err := sqlite.Open(ctx, address.sqlite)
	return sqliteTarget{db}, err
}

func openCassandra(ctx context.Context, v values, a targetAddress, log *slog.Logger) (target, error) {
	tls, err := v.boolean("cassandra_tls")
	if err != nil {
		return nil, err
	}
	db, err := cassandra.Open(ctx, cassandra.Config{
		Hosts: a.hosts, Keyspace: a.keyspace, LocalDC: v.str("local_dc"),
		Username: v.str("cassandra_username"), Password: v.str("cassandra_password"), TLS: tls,
		CAFile: v.str("cassandra_ca"), CertFile: v.str("cassandra_cert"), KeyFile: v.str("cassandra_key"), Log: log,
	})
	return cassandraTarget{db}, err
}
