package cassandra

import (
	"cmp"
	"context"
	"slices"

	"github.com/gocql/gocql"
	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
)

// Describe reads a table and the user types of its keyspace. Names are as they are, without quotes. Regular columns
// come by name, as Cassandra keeps no other order. Errors: missing (no such keyspace or table), config (a column of a
// type that Penstock does not know).
func (db *DB) Describe(ctx context.Context, keyspace, table string) (cql.Table, map[string]cql.Type, error) {
	types, err := db.types(ctx, keyspace)
	if err != nil {
		return cql.Table{}, nil, err
	}
	found, err := db.columns(ctx, keyspace, table)
	if err != nil {
		return cql.Table{}, nil, err
	}
	if len(found) == 0 {
		return cql.Table{}, nil, db.missing(ctx, keyspace, table)
	}
	t := cql.Table{Keyspace: keyspace, Name: table}
	for _, c := range found {
		typ, err := cql.ParseType(c.typ, types)
		if err != nil {
			return cql.Table{}, nil, contracts.Errorf(contracts.KindConfig, "table %s: column %q: %w",
				t.FullName(), c.name, err)
		}
		t.Columns = append(t.Columns, cql.Column{Name: c.name, Type: typ, Role: roles[c.kind]})
	}
	return t, types, nil
}

// roles are Cassandra's kinds of column.
var roles = map[string]cql.Role{
	"partition_key": cql.PartitionKey, "clustering": cql.ClusteringKey, "static": cql.Static, "regular": cql.Regular,
}

// column is a row of system_schema.columns.
type column struct {
	name, typ, kind string
	position        int   // in its part of the key; -1 elsewhere
	written         int64 // when this was last said of it: a column that is dropped and added again is another
}

// columns reads a table's columns in the order of a cql.Table; none where the table is missing.
func (db *DB) columns(ctx context.Context, keyspace, table string) ([]column, error) {
	var all []column
	err := db.with(ctx, "describe table "+keyspace+"."+table, func(s *gocql.Session) error {
		all = nil
		iter := s.Query(`SELECT column_name, type, kind, position, writetime(type) FROM system_schema.columns
			WHERE keyspace_name = ? AND table_name = ?`, keyspace, table).WithContext(ctx).Iter()
		for c := (column{}); iter.Scan(&c.name, &c.typ, &c.kind, &c.position, &c.written); {
			all = append(all, c)
		}
		return iter.Close()
	})
	slices.SortFunc(all, func(a, b column) int {
		return cmp.Or(cmp.Compare(roles[a.kind], roles[b.kind]), cmp.Compare(a.position, b.position),
			cmp.Compare(a.name, b.name))
	})
	return all, err
}

// missing says whether it is the table or the keyspace that does not exist.
func (db *DB) missing(ctx context.Context, keyspace, table string) error {
	exists, err := db.keyspaceExists(ctx, keyspace)
	switch {
	case err != nil:
		return err
	case exists:
		return contracts.Errorf(contracts.KindMissing,
			"table %q does not exist in keyspace %q: create it; a new job of a pipeline with create: true does", table, keyspace)
	default:
		return contracts.Errorf(contracts.KindMissing,
			"keyspace %q does not exist: create it; a new job of a pipeline with create: true does", keyspace)
	}
}

func (db *DB) keyspaceExists(ctx context.Context, keyspace string) (bool, error) {
	n := 0
	err := db.with(ctx, "look up keyspace "+keyspace, func(s *gocql.Session) error {
		return s.Query(`SELECT count(*) FROM system_schema.keyspaces WHERE keyspace_name = ?`, keyspace).
			WithContext(ctx).Scan(&n)
	})
	return n > 0, err
}

// userType is a row of system_schema.types.
type userType struct {
	name          string
	fields, types []string
}

// types reads a keyspace's user types. One that Penstock cannot read is left out: a column of it says so.
func (db *DB) types(ctx context.Context, keyspace string) (map[string]cql.Type, error) {
	var all []userType
	err := db.with(ctx, "read the user types of keyspace "+keyspace, func(s *gocql.Session) error {
		all = nil
		iter := s.Query(`SELECT type_name, field_names, field_types FROM system_schema.types WHERE keyspace_name = ?`,
			keyspace).WithContext(ctx).Iter()
		for u := (userType{}); iter.Scan(&u.name, &u.fields, &u.types); u = (userType{}) {
			all = append(all, u)
		}
		return iter.Close()
	})
	return resolve(all), err
}

// resolve parses user types until none is left whose field types are known: types may hold types.
func resolve(all []userType) map[string]cql.Type {
	known := map[string]cql.Type{}
	for progress := true; progress; {
		progress = false
		for _, u := range all {
			if _, done := known[u.name]; done {
				continue
			}
			if t, ok := u.parse(known); ok {
				known[u.name], progress = t, true
			}
		}
	}
	return known
}

func (u userType) parse(known map[string]cql.Type) (cql.Type, bool) {
	t := cql.Type{Kind: cql.UDT, Name: u.name, Fields: u.fields}
	for _, s := range u.types {
		elem, err := cql.ParseType(s, known)
		if err != nil {
			return cql.Type{}, false
		}
		t.Elems = append(t.Elems, elem)
	}
	return t, true
}
