package pipeline

import (
	"maps"
	"slices"
	"strings"

	"github.com/penstock-io/penstock/cql"
)

// typeSet resolves user types that refer to each other, in whatever order they are declared.
type typeSet struct {
	declared map[string]TypeSpec
	done     map[string]cql.Type
	failed   map[string]bool
	open     []string // being resolved, outermost first
	spec     *Spec
	findings []Finding
}

// resolveTypes yields the types that columns may name: those that exist already, and the declared ones, which win.
func resolveTypes(s *Spec, udts map[string]cql.Type) (map[string]cql.Type, []Finding) {
	ts := &typeSet{declared: map[string]TypeSpec{}, done: map[string]cql.Type{}, failed: map[string]bool{}, spec: s}
	maps.Copy(ts.done, udts)
	for _, t := range s.Table.Types {
		ts.declared[t.Name] = t
		delete(ts.done, t.Name)
	}
	for _, t := range s.Table.Types {
		ts.resolve(t.Name)
	}
	return ts.done, ts.findings
}

// resolve makes one declared type, those that it refers to first.
func (ts *typeSet) resolve(name string) {
	t, declared := ts.declared[name]
	if _, done := ts.done[name]; done || !declared || ts.failed[name] {
		return
	}
	path := "table.types." + name
	if slices.Contains(ts.open, name) {
		ts.fail(name, path, "", "type %q contains itself (%s)", name, strings.Join(append(ts.open, name), " → "))
		return
	}
	if len(t.Fields) == 0 {
		ts.fail(name, path, "", "type %q has no fields", name)
		return
	}
	ts.open = append(ts.open, name)
	defer func() { ts.open = ts.open[:len(ts.open)-1] }()
	out := cql.Type{Kind: cql.UDT, Name: name}
	for _, f := range t.Fields {
		for word := range words(f.Type) {
			ts.resolve(word)
		}
		if ft, ok := ts.field(name, join(path, f.Name), f); ok {
			out.Fields, out.Elems = append(out.Fields, f.Name), append(out.Elems, ft)
		}
	}
	if !ts.failed[name] {
		ts.done[name] = out
	}
}

func (ts *typeSet) field(name, path string, f FieldSpec) (cql.Type, bool) {
	for word := range words(f.Type) {
		if ts.failed[word] {
			ts.failed[name] = true // said where that type is declared
			return cql.Type{}, false
		}
	}
	ft, err := cql.ParseType(f.Type, ts.done)
	switch {
	case err != nil:
		ts.fail(name, path, "", "%v", err)
	case ft.Kind == cql.Counter:
		ts.fail(name, path, "use bigint", "field %q is a counter, which only a column can be", f.Name)
	case ft.Multi():
		ts.fail(name, path, "write frozen<"+f.Type+">", "field %q of a user type is not frozen", f.Name)
	}
	return ft, !ts.failed[name]
}

func (ts *typeSet) fail(name, path, hint, format string, args ...any) {
	ts.failed[name] = true
	ts.findings = append(ts.findings, ts.spec.finding(path, hint, format, args...))
}

// words are the names in a type, quotes dropped.
func words(typ string) func(yield func(string) bool) {
	return strings.FieldsFuncSeq(typ, func(r rune) bool { return strings.ContainsRune(" \t\r\n<>,\"", r) })
}

// columnType checks what a column's type allows: in the key, as a list, with a layout.
func (c *compiler) columnType(path string, col *ColumnSpec, role cql.Role) cql.Type {
	if col.Type == "" {
		return cql.Type{} // said by Parse
	}
	for word := range words(col.Type) {
		if c.badTypes[word] {
			return cql.Type{} // said where that type is declared
		}
	}
	t, err := cql.ParseType(col.Type, c.types)
	if err != nil {
		c.add(path+".type", typeHint(err), "%v", err)
		return cql.Type{}
	}
	c.refuse(path, col, t, role)
	if (col.Layout != "" || col.Zone != "") && t.Kind != cql.Timestamp {
		c.add(path+".layout", "only timestamp columns have them", "column %q of type %s has a layout or zone", col.Name, t)
	}
	if (col.Layout != "" || col.Zone != "") && col.Expr != "" {
		c.add(path+".layout", "date(text, layout, zone) reads a time in an expression",
			"column %q has an expr and a layout or zone, which read fields", col.Name)
	}
	return t
}

func typeHint(err error) string {
	if strings.Contains(err.Error(), "unknown type") {
		return "user types are declared in table.types"
	}
	return ""
}

// refuse says what cannot be replayed safely, or cannot be a key.
func (c *compiler) refuse(path string, col *ColumnSpec, t cql.Type, role cql.Role) {
	key := role == cql.PartitionKey || role == cql.ClusteringKey
	switch {
	case t.Kind == cql.Counter:
		c.add(path+".type", "a replayed chunk would count again: use bigint", "column %q is a counter", col.Name)
	case key && t.Multi():
		c.add(path+".type", "write frozen<"+col.Type+">", "key column %q is not frozen", col.Name)
	case role == cql.ClusteringKey && t.Kind != cql.Decimal && holds(t, cql.Decimal):
		c.add(path+".type", "decimals of one value and several scales, such as 1.0 and 1.00, would be one row to Cassandra "+
			"and two here: use text or varint", "clustering key column %q holds decimals inside %s", col.Name, t)
	case key && t.Kind == cql.Duration:
		c.add(path+".type", "durations have no order", "key column %q is a duration", col.Name)
	case t.Kind == cql.List && t.Multi() && !slices.Contains(c.spec.AllowUnsafe, UnfrozenList):
		c.add(path+".type", "write frozen<"+col.Type+">, or allow_unsafe: [unfrozen_list]",
			"column %q is a list that is not frozen: a replayed chunk would double its elements", col.Name)
	case key && col.Static:
		c.add(path+".static", "drop static", "key column %q is static", col.Name)
	case col.Static && len(c.spec.Table.ClusteringKey) == 0:
		c.add(path+".static", "without a clustering key each partition is one row: drop static",
			"column %q is static in a table without a clustering key", col.Name)
	}
}

// layout is how a timestamp column reads text; nil for other columns and for the type's own text form.
func (c *compiler) layout(path string, col *ColumnSpec, t cql.Type) *cql.TimeLayout {
	if t.Kind != cql.Timestamp || col.Layout == "" && col.Zone == "" || !validZone(col.Zone) {
		return nil
	}
	l, err := cql.ParseLayout(col.Layout, col.Zone)
	if err != nil {
		c.add(path+".layout", "", "%v", err)
		return nil
	}
	return &l
}

// holds says whether a kind occurs in a type.
func holds(t cql.Type, k cql.Kind) bool {
	return t.Kind == k || slices.ContainsFunc(t.Elems, func(e cql.Type) bool { return holds(e, k) })
}
