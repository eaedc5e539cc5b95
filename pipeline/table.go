package pipeline

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
)

// FromTable is the pipeline of a load that names a table and no pipeline: each column is the field of its own name, and
// a header that has another name is an error. Of the format, the name and the compression count; the rest is default.
func FromTable(t cql.Table, format contracts.Format) *Spec {
	s := newSpec("")
	s.Name = tableSpecName(t)
	s.Source.Name = cmp.Or(format.Name, "csv")
	s.Source.Compression = cmp.Or(format.Compression, "auto")
	s.Strict = s.csv()
	s.Table = TableSpec{Keyspace: t.Keyspace, Name: t.Name}
	for _, c := range t.Columns {
		s.Columns = append(s.Columns, ColumnSpec{Name: c.Name, Type: c.Type.String(), Static: c.Role == cql.Static})
		switch c.Role {
		case cql.PartitionKey:
			s.Table.PartitionKey = append(s.Table.PartitionKey, c.Name)
		case cql.ClusteringKey:
			s.Table.ClusteringKey = append(s.Table.ClusteringKey, c.Name)
		}
	}
	s.fillDefaults()
	return s
}

// tableSpecName is table-<keyspace>-<table>; where a pipeline cannot be called so, a hash keeps it apart from others.
func tableSpecName(t cql.Table) string {
	plain := "table-" + t.Keyspace + "-" + t.Name
	if contracts.CheckName("", plain) == nil && !strings.Contains(t.Keyspace+t.Name, "-") {
		return plain
	}
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '_' || r == '-' {
			return r
		}
		return '_'
	}, strings.ToLower(plain))
	sum := sha256.Sum256([]byte(t.Keyspace + "\x00" + t.Name))
	return name[:min(len(name), 55)] + "-" + hex.EncodeToString(sum[:4])
}
