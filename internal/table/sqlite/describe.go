package sqlite

import (
	"context"
	"slices"
	"strings"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
)

// found is a table of the file: as SQLite has it and as we remember it.
type found struct {
	*actual
	remembered *definition // nil for a table made by hand
	types      map[string]cql.Type
	columns    []column // in the order of cql.Table
}

// column is a column of a found table.
type column struct {
	cql.Column
	slot    int  // -1 where it is not remembered
	guessed bool // its type and role are derived from SQLite's declarations
}

// find reads a table; nil where there is none. The same name in another keyspace is an error, as is one that differs in
// case only: SQLite has neither.
func find(ctx context.Context, s *session, keyspace, name string) (*found, error) {
	a, err := inspect(ctx, s, name)
	if err != nil || a == nil {
		return nil, err
	}
	if a.name != name {
		return nil, contracts.Errorf(contracts.KindConfig,
			"the file has a table %q, which SQLite cannot tell from %q: use that name or another", a.name, name)
	}
	d, err := recall(ctx, s, name)
	if err != nil {
		return nil, err
	}
	if d != nil && d.keyspace != keyspace {
		return nil, contracts.Errorf(contracts.KindConfig, "the file has table %q of keyspace %q, expected keyspace %q: "+
			"SQLite tables have no keyspace: rename one table or use another file", name, d.keyspace, keyspace)
	}
	f := &found{actual: a, remembered: d}
	return f, f.resolve()
}

// resolve joins the actual columns with the remembered ones.
func (f *found) resolve() (err error) {
	if f.types = map[string]cql.Type{}; f.remembered != nil {
		if f.types, err = f.remembered.types(); err != nil {
			return err
		}
	}
	if len(f.keys()) == 0 {
		return contracts.Errorf(contracts.KindConfig,
			"table %q has no primary key: rows need one to be written twice", f.name)
	}
	for _, c := range f.actual.columns {
		col, err := f.column(c)
		if err != nil {
			return err
		}
		f.columns = append(f.columns, col)
	}
	position := func(c column) int {
		i := slices.IndexFunc(f.keys(), func(k actualColumn) bool { return k.name == c.Name })
		return i + 1
	}
	slices.SortStableFunc(f.columns, func(a, b column) int {
		if a.Role != b.Role {
			return int(a.Role) - int(b.Role)
		}
		return position(a) - position(b)
	})
	return nil
}

func (f *found) column(c actualColumn) (column, error) {
	if f.remembered != nil {
		if slot := f.remembered.slot(c.name); slot >= 0 {
			d := f.remembered.Columns[slot]
			t, err := cql.ParseType(d.Type, f.types)
			if err != nil {
				return column{}, contracts.Errorf(contracts.KindConfig, "table %q, column %q: %w", f.name, c.name, err)
			}
			return column{Column: cql.Column{Name: c.name, Type: t, Role: roleOf(d.Role)}, slot: slot}, nil
		}
	}
	role := cql.Regular
	switch {
	case c.key == 1:
		role = cql.PartitionKey
	case c.key > 1:
		role = cql.ClusteringKey
	}
	return column{Column: cql.Column{Name: c.name, Type: derive(c.declared), Role: role}, slot: -1, guessed: true}, nil
}

// derive guesses the CQL type of a column made by hand, exact names first, then much as SQLite itself reads a
// declaration (sqlite.org/datatype3.html, section 3.1).
func derive(declared string) cql.Type {
	d := strings.ToUpper(declared)
	base, _, _ := strings.Cut(d, "(")
	if k, ok := declaredKinds[strings.TrimSpace(base)]; ok {
		return cql.Type{Kind: k}
	}
	for _, rule := range []struct {
		part string
		kind cql.Kind
	}{
		{"INT", cql.BigInt}, {"CHAR", cql.Text}, {"CLOB", cql.Text}, {"TEXT", cql.Text}, {"BLOB", cql.Blob},
		{"REAL", cql.Double}, {"FLOAT", cql.Double}, {"DOUBLE", cql.Double},
	} {
		if strings.Contains(d, rule.part) {
			return cql.Type{Kind: rule.kind}
		}
	}
	if d == "" {
		return cql.Type{Kind: cql.Text}
	}
	return cql.Type{Kind: cql.Double} // numeric affinity: text would become numbers
}

var declaredKinds = map[string]cql.Kind{
	"TINYINT": cql.TinyInt, "SMALLINT": cql.SmallInt, "INT": cql.Int, "BIGINT": cql.BigInt, "INTEGER": cql.BigInt,
	"FLOAT": cql.Float, "BOOLEAN": cql.Boolean, "BOOL": cql.Boolean, "DATE": cql.Date, "TIME": cql.Time,
	"TIMESTAMP": cql.Timestamp, "DATETIME": cql.Timestamp, "UUID": cql.UUID,
}

// Describe reads a table's columns and the user types it uses. Errors: missing, config (another keyspace).
func (db *DB) Describe(ctx context.Context, keyspace, table string) (cql.Table, map[string]cql.Type, error) {
	var f *found
	err := db.reading(ctx, "describe table "+quote(table), func(s *session) (err error) {
		f, err = find(ctx, s, keyspace, table)
		return err
	})
	switch {
	case err != nil:
		return cql.Table{}, nil, err
	case f == nil:
		return cql.Table{}, nil, db.fail(missing(keyspace, table), "describe")
	}
	t := cql.Table{Keyspace: keyspace, Name: table}
	for _, c := range f.columns {
		t.Columns = append(t.Columns, c.Column)
	}
	return t, f.types, nil
}

func missing(keyspace, table string) error {
	return contracts.Errorf(contracts.KindMissing, "table %s does not exist: create it, or let the pipeline do so "+
		"(table.create: true)", cql.Table{Keyspace: keyspace, Name: table}.FullName())
}
