package sqlite

import (
	"context"
	"database/sql/driver"
	"slices"
	"strings"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
)

// plan says how a pipeline's rows meet a table's columns.
type plan struct {
	source  cql.Table // what the pipeline writes
	known   string    // the definition that this plan was made from
	table   int64     // id in the side tables
	name    string    // quoted
	rowid   string    // quoted
	alias   bool      // the sole key is the rowid
	slots   int
	columns []target // keys, statics, then regular columns
	keys    int      // of columns
	statics int      // of columns
	order   []int    // for each column of the pipeline's rows, its place in columns
}

// target is a column that rows are written to, or that a merge must look at.
type target struct {
	cql.Column
	sql     string // quoted name
	slot    int
	written bool // by this pipeline
}

func (p *plan) keyColumns() []target     { return p.columns[:p.keys] }
func (p *plan) staticColumns() []target  { return p.columns[p.keys : p.keys+p.statics] }
func (p *plan) regularColumns() []target { return p.columns[p.keys+p.statics:] }

// prepareTable checks t against the table and makes sure that each of its columns has a slot.
func prepareTable(ctx context.Context, s *session, t cql.Table) (*plan, error) {
	f, err := check(ctx, s, t)
	if err != nil {
		return nil, err
	}
	if f.complete(t) {
		return newPlan(f, t)
	}
	err = s.transaction(ctx, func() error {
		if err := createSideTables(ctx, s); err != nil {
			return err
		}
		if f, err = check(ctx, s, t); err != nil || f.complete(t) {
			return err
		}
		d := f.remembered
		if d == nil {
			d = &definition{V: definitionVersion, name: t.Name, keyspace: t.Keyspace}
		}
		for _, c := range t.Columns {
			if d.slot(c.Name) < 0 {
				d.addColumn(c)
			}
		}
		if err := remember(ctx, s, d); err != nil {
			return err
		}
		f, err = check(ctx, s, t)
		return err
	})
	if err != nil {
		return nil, err
	}
	return newPlan(f, t)
}

// complete says that every column of t is remembered.
func (f *found) complete(t cql.Table) bool {
	return f.remembered != nil && !slices.ContainsFunc(t.Columns, func(c cql.Column) bool {
		return f.remembered.slot(c.Name) < 0
	})
}

// check finds the table and compares its columns with t's.
func check(ctx context.Context, s *session, t cql.Table) (*found, error) {
	f, err := find(ctx, s, t.Keyspace, t.Name)
	switch {
	case err != nil:
		return nil, err
	case f == nil:
		return nil, missing(t.Keyspace, t.Name)
	}
	return f, f.matches(t)
}

func (f *found) matches(t cql.Table) error {
	var keys, expected []string
	for _, k := range f.keys() {
		keys = append(keys, cql.Ident(k.name))
	}
	for _, c := range t.Columns {
		if c.Role <= cql.ClusteringKey {
			expected = append(expected, cql.Ident(c.Name))
		}
	}
	if !slices.Equal(keys, expected) {
		return contracts.Errorf(contracts.KindConfig, "table %s has the primary key (%s), the pipeline (%s): make them equal",
			t.FullName(), strings.Join(keys, ", "), strings.Join(expected, ", "))
	}
	for _, c := range t.Columns {
		if err := f.matchesColumn(t, c); err != nil {
			return err
		}
	}
	return nil
}

func (f *found) matchesColumn(t cql.Table, c cql.Column) error {
	i := slices.IndexFunc(f.columns, func(have column) bool { return have.Name == c.Name })
	if i < 0 {
		return contracts.Errorf(contracts.KindConfig, "table %s has no column %s, expected one of type %s: "+
			"add it to the table or drop it from the pipeline", t.FullName(), cql.Ident(c.Name), c.Type)
	}
	have := f.columns[i]
	if !have.takes(c.Type) {
		return contracts.Errorf(contracts.KindConfig, "table %s: column %s is of type %s, the pipeline has %s: "+
			"make them equal", t.FullName(), cql.Ident(c.Name), have.Type, c.Type)
	}
	if !have.guessed && have.Role != c.Role {
		return contracts.Errorf(contracts.KindConfig, "table %s: column %s is a %s column, the pipeline has a %s one: "+
			"make them equal", t.FullName(), cql.Ident(c.Name), roleNames[have.Role], roleNames[c.Role])
	}
	if have.guessed && c.Role == cql.Static {
		return contracts.Errorf(contracts.KindConfig, "table %s: column %s was not made by Penstock and cannot be static: "+
			"let Penstock make the table (table.create: true)", t.FullName(), cql.Ident(c.Name))
	}
	return nil
}

// takes says that values of t rest in the column as they are. Of a column made by hand only the storage is known, and
// where SQLite may turn text into numbers not even that.
func (c column) takes(t cql.Type) bool {
	if !c.guessed {
		return c.Type.String() == t.String()
	}
	switch c.Type.Kind {
	case cql.Date, cql.Time, cql.Timestamp, cql.UUID, cql.Boolean:
		return c.Type.Kind == t.Kind
	default:
		return storage(c.Type) == storage(t)
	}
}

// refresh returns a plan that knows the slots of now: another pipeline may have added some.
func refresh(ctx context.Context, s *session, p *plan) (*plan, error) {
	same := false
	err := s.query(ctx, "SELECT definition FROM _penstock_tables WHERE id = ?", func(row []driver.Value) error {
		same = row[0] == p.known
		return nil
	}, p.table)
	if err != nil || same {
		return p, err
	}
	f, err := check(ctx, s, p.source)
	if contracts.KindOf(err) == contracts.KindMissing || err == nil && !f.complete(p.source) {
		return nil, contracts.Errorf(contracts.KindConfig,
			"table %s was dropped or made anew since this writer was opened: run the load again", p.source.FullName())
	}
	if err != nil {
		return nil, err
	}
	return newPlan(f, p.source)
}

func newPlan(f *found, t cql.Table) (*plan, error) {
	rowid, err := f.rowid()
	if err != nil {
		return nil, err
	}
	p := &plan{
		source: t, known: f.remembered.text, table: f.remembered.id, name: quote(f.name), rowid: quote(rowid), alias: f.alias,
		slots: len(f.remembered.Columns), order: make([]int, len(t.Columns)),
	}
	for _, c := range f.columns {
		if c.slot < 0 {
			continue // made by hand, and no pipeline writes it
		}
		at := t.Index(c.Name)
		if at >= 0 {
			p.order[at] = len(p.columns)
			c.Column = t.Columns[at] // a guessed role gives way
		}
		p.columns = append(p.columns, target{Column: c.Column, sql: quote(c.Name), slot: c.slot, written: at >= 0})
		switch {
		case c.Role <= cql.ClusteringKey:
			p.keys++
		case c.Role == cql.Static:
			p.statics++
		}
	}
	return p, nil
}
