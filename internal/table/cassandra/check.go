package cassandra

import (
	"fmt"
	"slices"
	"strings"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
)

// check compares the table as a pipeline writes it with the table that exists, which may have more columns outside
// its key.
func check(want, have cql.Table) error {
	var wrong []string
	for _, role := range []cql.Role{cql.PartitionKey, cql.ClusteringKey} {
		if w, h := names(want, role), names(have, role); !slices.Equal(w, h) {
			wrong = append(wrong, fmt.Sprintf("%s: found (%s), expected (%s)", roleNames[role],
				strings.Join(h, ", "), strings.Join(w, ", ")))
		}
	}
	if i := slices.IndexFunc(have.Columns, func(c cql.Column) bool { return c.Type.Kind == cql.Counter }); i >= 0 {
		return contracts.Errorf(contracts.KindConfig, "table %s counts: its column %q is a counter, which cannot be written "+
			"twice with one result: load into a table of plain columns", want.FullName(), have.Columns[i].Name)
	}
	for _, c := range want.Columns {
		if problem := checkColumn(c, have); problem != "" {
			wrong = append(wrong, problem)
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return contracts.Errorf(contracts.KindConfig, "table %s does not fit the pipeline: %s; change one of them",
		want.FullName(), strings.Join(wrong, "; "))
}

var roleNames = map[cql.Role]string{
	cql.PartitionKey: "partition key", cql.ClusteringKey: "clustering key", cql.Static: "static", cql.Regular: "regular",
}

// checkColumn says what is wrong with a column; "" for nothing. Key columns in the wrong place are found above.
func checkColumn(want cql.Column, have cql.Table) string {
	i := have.Index(want.Name)
	if i < 0 {
		return fmt.Sprintf("column %q: found no such column, expected type %s", want.Name, want.Type)
	}
	got := have.Columns[i]
	switch {
	case !sameType(want.Type, got.Type):
		return fmt.Sprintf("column %q: found type %s, expected %s", want.Name, describeType(got.Type),
			describeType(want.Type))
	case isKey(want.Role) != isKey(got.Role) || !isKey(want.Role) && want.Role != got.Role:
		return fmt.Sprintf("column %q: found a %s column, expected a %s one", want.Name, roleNames[got.Role],
			roleNames[want.Role])
	}
	return ""
}

func isKey(r cql.Role) bool { return r == cql.PartitionKey || r == cql.ClusteringKey }

func names(t cql.Table, role cql.Role) []string {
	var out []string
	for _, c := range t.Columns {
		if c.Role == role {
			out = append(out, c.Name)
		}
	}
	return out
}

// sameType says that values of want are values of have. A user type may have gained fields at its end.
func sameType(want, have cql.Type) bool {
	if want.Kind != have.Kind || want.Multi() != have.Multi() || want.Dim != have.Dim || want.Name != have.Name ||
		len(want.Fields) > len(have.Fields) || !slices.Equal(want.Fields, have.Fields[:len(want.Fields)]) {
		return false
	}
	if want.Kind != cql.UDT && len(want.Elems) != len(have.Elems) {
		return false
	}
	for i, e := range want.Elems {
		if !sameType(e, have.Elems[i]) {
			return false
		}
	}
	return true
}

// describeType writes a type with the fields of a user type, without which two of one name look the same.
func describeType(t cql.Type) string {
	if t.Kind != cql.UDT {
		return t.String()
	}
	fields := make([]string, len(t.Fields))
	for i, f := range t.Fields {
		fields[i] = f + " " + t.Elems[i].String()
	}
	return t.String() + " (" + strings.Join(fields, ", ") + ")"
}
