package sqlite

import (
	"context"
	"database/sql/driver"
	"strings"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
)

// sideTables hold what SQLite's own tables cannot: CQL types and write times. Their layout is versioned in each
// table's definition.
var sideTables = []string{
	`CREATE TABLE IF NOT EXISTS _penstock_tables (
		id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE COLLATE NOCASE, keyspace TEXT NOT NULL,
		definition TEXT NOT NULL)`,
	`CREATE TABLE IF NOT EXISTS _penstock_cells (
		table_id INTEGER NOT NULL, row INTEGER NOT NULL, times NOT NULL,
		PRIMARY KEY (table_id, row)) WITHOUT ROWID`,
	`CREATE TABLE IF NOT EXISTS _penstock_static (
		table_id INTEGER NOT NULL, partition BLOB NOT NULL, cells BLOB NOT NULL,
		PRIMARY KEY (table_id, partition)) WITHOUT ROWID`,
}

// quote writes a name as SQL needs it.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// Create makes the table where it is missing and remembers its CQL types; a table that exists stays as it is. Errors:
// config (a name that SQLite cannot keep apart from another, a counter), denied, unavailable.
func (db *DB) Create(ctx context.Context, t cql.Table, udts map[string]cql.Type) error {
	if err := checkTable(t); err != nil {
		return err
	}
	return db.writing(ctx, "create table "+t.FullName(), func(s *session) error {
		return s.transaction(ctx, func() error {
			if err := createSideTables(ctx, s); err != nil {
				return err
			}
			switch found, err := find(ctx, s, t.Keyspace, t.Name); {
			case err != nil:
				return err
			case found != nil:
				return nil
			}
			if err := s.exec(ctx, createStatement(t)); err != nil {
				return err
			}
			return remember(ctx, s, define(t, udts))
		})
	})
}

func createSideTables(ctx context.Context, s *session) error {
	for _, q := range sideTables {
		if err := s.exec(ctx, q); err != nil {
			return err
		}
	}
	return nil
}

// checkTable refuses what SQLite cannot hold, or would hold as something else.
func checkTable(t cql.Table) error {
	low := strings.ToLower(t.Name)
	if t.Name == "" || strings.HasPrefix(low, "sqlite_") || strings.HasPrefix(low, "_penstock_") {
		return contracts.Errorf(contracts.KindConfig, "table %q: expected a name that is not empty "+
			"and starts with neither sqlite_ nor _penstock_", t.Name)
	}
	if t.Count(cql.PartitionKey) == 0 {
		return contracts.Errorf(contracts.KindConfig, "table %s: no partition key", t.FullName())
	}
	seen := map[string]string{}
	for _, c := range t.Columns {
		folded := strings.ToLower(c.Name)
		if other, ok := seen[folded]; ok {
			return contracts.Errorf(contracts.KindConfig,
				"table %s: SQLite cannot tell column %q from %q: rename one", t.FullName(), c.Name, other)
		}
		seen[folded] = c.Name
		if c.Type.Kind == cql.Counter || c.Type.Kind == cql.Invalid {
			return contracts.Errorf(contracts.KindConfig, "table %s: column %q is a %s, which SQLite tables cannot hold",
				t.FullName(), c.Name, c.Type)
		}
	}
	return nil
}

func createStatement(t cql.Table) string {
	var b strings.Builder
	b.WriteString("CREATE TABLE " + quote(t.Name) + " (\n")
	var keys []string
	for _, c := range t.Columns {
		b.WriteString("  " + quote(c.Name) + " " + declared(c.Type))
		if c.Role <= cql.ClusteringKey {
			b.WriteString(" NOT NULL")
			keys = append(keys, quote(c.Name))
		}
		b.WriteString(",\n")
	}
	b.WriteString("  PRIMARY KEY (" + strings.Join(keys, ", ") + ")\n)")
	return b.String()
}

// actualColumn is a column as SQLite has it.
type actualColumn struct {
	name     string
	declared string
	key      int // position in the primary key from 1; 0 outside it
}

// actual is a table as SQLite has it.
type actual struct {
	name    string
	columns []actualColumn
	alias   bool // its sole key is the rowid
}

// inspect reads a table's columns; nil where there is no such table.
func inspect(ctx context.Context, s *session, name string) (*actual, error) {
	var a *actual
	withoutRowid := false
	err := s.query(ctx, "SELECT name, type, wr FROM pragma_table_list WHERE schema = 'main' AND name = ? COLLATE NOCASE",
		func(row []driver.Value) error {
			if row[1] != "table" {
				return contracts.Errorf(contracts.KindConfig, "%q is a %v, expected a table", row[0], row[1])
			}
			a = &actual{name: row[0].(string)}
			withoutRowid = row[2] != int64(0)
			return nil
		}, name)
	switch {
	case err != nil || a == nil:
		return nil, err
	case withoutRowid:
		return nil, contracts.Errorf(contracts.KindConfig,
			"table %q is WITHOUT ROWID: Penstock keeps write times by rowid: create it without that clause", a.name)
	}
	err = s.query(ctx, "SELECT name, type, pk FROM pragma_table_xinfo(?) WHERE hidden = 0",
		func(row []driver.Value) error {
			a.columns = append(a.columns, actualColumn{row[0].(string), row[1].(string), int(row[2].(int64))})
			return nil
		}, a.name)
	keys := a.keys()
	a.alias = len(keys) == 1 && strings.EqualFold(keys[0].declared, "INTEGER")
	return a, err
}

// keys are the primary key's columns in its order.
func (a *actual) keys() []actualColumn {
	var out []actualColumn
	for n := 1; ; n++ {
		found := false
		for _, c := range a.columns {
			if c.key == n {
				out, found = append(out, c), true
			}
		}
		if !found {
			return out
		}
	}
}

// rowid is the one of SQLite's three names for the rowid that no column takes.
func (a *actual) rowid() (string, error) {
	taken := map[string]bool{}
	for _, c := range a.columns {
		taken[strings.ToLower(c.name)] = true
	}
	for _, n := range []string{"rowid", "_rowid_", "oid"} {
		if !taken[n] {
			return n, nil
		}
	}
	return "", contracts.Errorf(contracts.KindConfig,
		"table %q has columns rowid, _rowid_ and oid: rename one, since Penstock keeps write times by rowid", a.name)
}
