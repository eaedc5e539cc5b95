package sqlite

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"strings"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
)

// definitionVersion is that of the JSON in _penstock_tables.
const definitionVersion = 1

// definition is what we remember of a table. A column's place in Columns is its slot: the list only grows.
type definition struct {
	V        int              `json:"v"`
	Types    []typeDefinition `json:"types,omitempty"`
	Columns  []slotDefinition `json:"columns"`
	id       int64
	name     string
	keyspace string
	text     string // as stored
}

// typeDefinition is a user type: its fields in order.
type typeDefinition struct {
	Name   string      `json:"name"`
	Fields [][2]string `json:"fields"` // name and type
}

type slotDefinition struct {
	Name string `json:"name"`
	Type string `json:"type"`
	Role string `json:"role"`
}

var roleNames = map[cql.Role]string{
	cql.PartitionKey: "partition key", cql.ClusteringKey: "clustering key", cql.Static: "static", cql.Regular: "regular",
}

func roleOf(name string) cql.Role {
	for r, n := range roleNames {
		if n == name {
			return r
		}
	}
	return cql.Regular
}

// define describes a table for the catalog.
func define(t cql.Table, udts map[string]cql.Type) *definition {
	d := &definition{V: definitionVersion, name: t.Name, keyspace: t.Keyspace}
	for _, u := range udts {
		d.addType(u)
	}
	for _, c := range t.Columns {
		d.addColumn(c)
	}
	return d
}

func (d *definition) addColumn(c cql.Column) {
	d.addType(c.Type)
	d.Columns = append(d.Columns, slotDefinition{c.Name, c.Type.String(), roleNames[c.Role]})
}

// addType adds the user types that t is or holds, those it is made of first, so that they can be read in turn.
func (d *definition) addType(t cql.Type) {
	for _, e := range t.Elems {
		d.addType(e)
	}
	if t.Kind != cql.UDT {
		return
	}
	for _, have := range d.Types {
		if have.Name == t.Name {
			return
		}
	}
	td := typeDefinition{Name: t.Name}
	for i, f := range t.Fields {
		td.Fields = append(td.Fields, [2]string{f, t.Elems[i].String()})
	}
	d.Types = append(d.Types, td)
}

// types parses the user types.
func (d *definition) types() (map[string]cql.Type, error) {
	udts := map[string]cql.Type{}
	for _, td := range d.Types {
		u := cql.Type{Kind: cql.UDT, Name: td.Name}
		for _, f := range td.Fields {
			t, err := cql.ParseType(f[1], udts)
			if err != nil {
				return nil, contracts.Errorf(contracts.KindConfig, "type %s, field %s: %w", td.Name, f[0], err)
			}
			u.Fields, u.Elems = append(u.Fields, f[0]), append(u.Elems, t)
		}
		udts[td.Name] = u
	}
	return udts, nil
}

// slot finds a column by name; -1 where it is not remembered.
func (d *definition) slot(name string) int {
	for i, c := range d.Columns {
		if strings.EqualFold(c.Name, name) {
			return i
		}
	}
	return -1
}

// remember writes a definition and gives it its id. What an earlier table of that name left behind goes.
func remember(ctx context.Context, s *session, d *definition) error {
	text, err := json.Marshal(d)
	if err != nil {
		return contracts.Errorf(contracts.KindInternal, "definition of table %s: %w", d.name, err)
	}
	if d.id == 0 {
		if err := forget(ctx, s, d.name); err != nil {
			return err
		}
	}
	const put = `INSERT INTO _penstock_tables (id, name, keyspace, definition) VALUES (nullif(?, 0), ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET definition = excluded.definition RETURNING id`
	return s.query(ctx, put, func(row []driver.Value) error {
		d.id = row[0].(int64)
		return nil
	}, d.id, d.name, d.keyspace, string(text))
}

func forget(ctx context.Context, s *session, name string) error {
	for _, q := range []string{
		"DELETE FROM _penstock_cells WHERE table_id IN (SELECT id FROM _penstock_tables WHERE name = ?)",
		"DELETE FROM _penstock_static WHERE table_id IN (SELECT id FROM _penstock_tables WHERE name = ?)",
		"DELETE FROM _penstock_tables WHERE name = ?",
	} {
		if err := s.exec(ctx, q, name); err != nil {
			return err
		}
	}
	return nil
}

// recall reads what is remembered of a table; nil where nothing is.
func recall(ctx context.Context, s *session, name string) (*definition, error) {
	kept := false
	err := s.query(ctx, "SELECT 1 FROM sqlite_master WHERE name = '_penstock_tables'", func([]driver.Value) error {
		kept = true
		return nil
	})
	if err != nil || !kept {
		return nil, err
	}
	var d *definition
	err = s.query(ctx, "SELECT id, name, keyspace, definition FROM _penstock_tables WHERE name = ?",
		func(row []driver.Value) (err error) {
			d, err = decode(row)
			return err
		}, name)
	return d, err
}

func decode(row []driver.Value) (*definition, error) {
	d := &definition{id: row[0].(int64), name: row[1].(string), keyspace: row[2].(string), text: row[3].(string)}
	if err := json.Unmarshal([]byte(d.text), d); err != nil {
		return nil, contracts.Errorf(contracts.KindConfig, "definition of table %s in _penstock_tables: %w", d.name, err)
	}
	if d.V > definitionVersion {
		return nil, contracts.Errorf(contracts.KindConfig,
			"table %s was made by a newer Penstock (definition %d, expected %d): upgrade this one",
			d.name, d.V, definitionVersion)
	}
	return d, nil
}
