package cql

import "strings"

// CreateTable writes CREATE TABLE IF NOT EXISTS for t, which has a partition key.
func CreateTable(t Table) string {
	var b strings.Builder
	b.WriteString("CREATE TABLE IF NOT EXISTS " + t.FullName() + " (")
	for _, c := range t.Columns {
		b.WriteString(Ident(c.Name) + " " + c.Type.String())
		if c.Role == Static {
			b.WriteString(" STATIC")
		}
		b.WriteString(", ")
	}
	b.WriteString("PRIMARY KEY ((" + strings.Join(t.names(PartitionKey), ", ") + ")")
	for _, name := range t.names(ClusteringKey) {
		b.WriteString(", " + name)
	}
	b.WriteString("))")
	return b.String()
}

// names are the names of a role's columns, quoted where CQL needs it.
func (t Table) names(r Role) []string {
	var names []string
	for _, c := range t.Columns {
		if c.Role == r {
			names = append(names, Ident(c.Name))
		}
	}
	return names
}

// CreateType writes CREATE TYPE IF NOT EXISTS for a user type. The types of its fields must exist before it.
func CreateType(keyspace, name string, t Type) string {
	fields := make([]string, len(t.Fields))
	for i, f := range t.Fields {
		fields[i] = Ident(f) + " " + t.Elems[i].String()
	}
	return "CREATE TYPE IF NOT EXISTS " + Ident(keyspace) + "." + udtName(name) + " (" + strings.Join(fields, ", ") + ")"
}

// Insert writes an INSERT of all columns, in the table's order, with a marker for the write time (microseconds) behind
// them and, where ttl is set, one for the seconds that the row lives.
func Insert(t Table, ttl bool) string {
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = Ident(c.Name)
	}
	markers := strings.TrimSuffix(strings.Repeat("?, ", len(names)), ", ")
	s := "INSERT INTO " + t.FullName() + " (" + strings.Join(names, ", ") + ") VALUES (" + markers + ") USING TIMESTAMP ?"
	if ttl {
		s += " AND TTL ?"
	}
	return s
}
