package cql

// Role is a column's part in its table.
type Role uint8

// The roles, in the order in which a Table holds its columns.
const (
	PartitionKey Role = iota
	ClusteringKey
	Static
	Regular
)

// Column is one column of a table.
type Column struct {
	Name string
	Type Type
	Role Role
}

// Table is a table as a pipeline writes it: partition key, clustering key, static, then regular columns.
type Table struct {
	Keyspace string
	Name     string
	Columns  []Column
}

// Count is the number of columns of a role.
func (t Table) Count(r Role) int {
	n := 0
	for _, c := range t.Columns {
		if c.Role == r {
			n++
		}
	}
	return n
}

// Index finds a column by name; -1 where there is none.
func (t Table) Index(name string) int {
	for i, c := range t.Columns {
		if c.Name == name {
			return i
		}
	}
	return -1
}

// FullName is keyspace.table, each quoted where CQL needs it.
func (t Table) FullName() string { return Ident(t.Keyspace) + "." + Ident(t.Name) }
