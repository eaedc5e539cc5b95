package cassandra

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/gocql/gocql"
	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
)

const (
	// maxReplicas is the replication factor of a keyspace that we make, where the data centre has as many nodes.
	maxReplicas = 3
	// createTries covers schema changes of others at the same moment, which Cassandra may answer with errors.
	createTries = 6
)

// Create makes the keyspace, the user types that the table needs, and the table, where they are missing, and waits
// until all nodes agree on the schema. What exists is left as it is: Writer compares it. Many callers may create the
// same table at once.
func (db *DB) Create(ctx context.Context, t cql.Table, udts map[string]cql.Type) error {
	for n := 0; ; n++ {
		err := db.createOnce(ctx, t, udts)
		kind := contracts.KindOf(err)
		switch {
		case err == nil:
			return nil
		case n+1 == createTries, kind == contracts.KindDenied, kind == contracts.KindInterrupted:
			return err
		}
		if stop := wait(ctx, jitter(backoff(n))); stop != nil {
			return explain(ctx, "create table "+t.FullName(), stop)
		}
	}
}

// createOnce makes what is missing, one statement at a time.
func (db *DB) createOnce(ctx context.Context, t cql.Table, udts map[string]cql.Type) error {
	columns, err := db.columns(ctx, t.Keyspace, t.Name)
	if err != nil || len(columns) > 0 {
		return err
	}
	exists, err := db.keyspaceExists(ctx, t.Keyspace)
	if err != nil {
		return err
	}
	if !exists {
		if err := db.createKeyspace(ctx, t.Keyspace); err != nil {
			return err
		}
	}
	for _, name := range inOrder(t, udts) {
		if err := db.alter(ctx, "create type "+name, cql.CreateType(t.Keyspace, name, udts[name])); err != nil {
			return err
		}
	}
	return db.alter(ctx, "create table "+t.FullName(), cql.CreateTable(t))
}

// createKeyspace replicates in the local data centre, to as many nodes as it has, up to maxReplicas.
func (db *DB) createKeyspace(ctx context.Context, keyspace string) error {
	replicas := 0
	err := db.with(ctx, "read the cluster's data centres", func(s *gocql.Session) error {
		dcs, err := dataCentres(ctx, s)
		for _, dc := range dcs {
			if dc == db.dc {
				replicas++
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	return db.alter(ctx, "create keyspace "+keyspace, "CREATE KEYSPACE IF NOT EXISTS "+cql.Ident(keyspace)+
		" WITH replication = {'class': 'NetworkTopologyStrategy', "+quote(db.dc)+": "+
		strconv.Itoa(min(max(replicas, 1), maxReplicas))+"}")
}

// quote writes a string as a CQL literal.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// alter changes the schema and waits until all nodes have the change.
func (db *DB) alter(ctx context.Context, op, statement string) error {
	return db.with(ctx, op, func(s *gocql.Session) error {
		if err := s.Query(statement).WithContext(ctx).Exec(); err != nil {
			return err
		}
		if err := s.AwaitSchemaAgreement(ctx); err != nil && ctx.Err() == nil {
			return contracts.Errorf(contracts.KindUnavailable, "%s: the nodes do not agree on the schema after %v: %w: "+
				"is one of them down?", op, schemaAgreement, err)
		}
		return ctx.Err()
	})
}

// inOrder are the names of the user types that t needs, each after those that it needs itself.
func inOrder(t cql.Table, udts map[string]cql.Type) []string {
	var order []string
	var visit func(cql.Type)
	visit = func(typ cql.Type) {
		for _, e := range typ.Elems {
			visit(e)
		}
		if _, known := udts[typ.Name]; typ.Kind == cql.UDT && known && !slices.Contains(order, typ.Name) {
			order = append(order, typ.Name)
		}
	}
	for _, c := range t.Columns {
		visit(c.Type)
	}
	return order
}
