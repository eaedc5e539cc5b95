package pipeline

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
)

// Compiled is a spec made ready to transform records. It does not change and may be shared.
type Compiled struct {
	spec     *Spec
	table    cql.Table
	types    map[string]cql.Type // declared
	columns  []column            // in the table's order
	steps    []step              // beside columns
	inputs   []string
	required int      // inputs that a header must name, the first ones
	where    *program // nil keeps every record
	keys     int      // key columns
	time     int      // the column whose value is the write time; -1 for none
}

// origin says where a column's value comes from.
type origin uint8

const (
	fromField  origin = iota
	fromObject        // $key, $bucket, $file, $job, $path.NAME: the same for all records of an object
	fromOffset
	fromExpr
)

// column is how one column of the table is made.
type column struct {
	name    string
	typ     cql.Type
	origin  origin
	input   int             // fromField
	meta    string          // fromObject
	layout  *cql.TimeLayout // nil: the type's own text form
	program *program        // fromExpr
	key     bool
	alone   bool // the only column of the partition key: it may not be empty
	decimal bool // a clustering decimal: 1.0 and 1.00 are one key, so they must be the same bytes
}

// Table is what the pipeline writes: partition key, clustering key, static, then regular columns.
func (c *Compiled) Table() cql.Table { return c.table }

// Inputs are the source fields that a reader must yield, in this order.
func (c *Compiled) Inputs() []string { return c.inputs }

// Required is how many of the inputs a file's header must name: the first ones. All of them, or under Strict those that
// the primary key is made of.
func (c *Compiled) Required() int { return c.required }

// Strict says that every name in a file's header must be an input.
func (c *Compiled) Strict() bool { return c.spec.Strict }

// Format is how objects become records.
func (c *Compiled) Format() contracts.Format { return c.spec.Source }

// WriteOptions hold for every row.
func (c *Compiled) WriteOptions() cql.WriteOptions {
	return cql.WriteOptions{Consistency: c.spec.Write.Consistency, TTL: c.spec.Write.TTL}
}

// EventTime says that rows carry a write time of their own, from write.timestamp.
func (c *Compiled) EventTime() bool { return c.time >= 0 }

// Limit is how many rejects pass: a count where percent is negative, else a percentage of the records read. Without a
// limit ok is false.
func (c *Compiled) Limit() (count int64, percent float64, ok bool) {
	r := c.spec.Rejects
	return r.Count, r.Percent, r.Limited
}

// Creates says that keyspace and table are made where they are missing.
func (c *Compiled) Creates() bool { return c.spec.Table.Create }

// Trigger makes jobs of new objects; nil where the pipeline has none.
func (c *Compiled) Trigger() *Trigger { return c.spec.On }

// Spec is what was compiled.
func (c *Compiled) Spec() *Spec { return c.spec }

// Types are the user types that the spec declares, by name: what a target creates.
func (c *Compiled) Types() map[string]cql.Type { return c.types }

// Lint reads and compiles a spec and returns the findings of both steps at once, in the order of the file. With any
// finding there is no Compiled. udts are the user types of the keyspace, where it is known.
func Lint(file string, src []byte, udts map[string]cql.Type) (*Compiled, []Finding) {
	s, findings := Parse(file, src)
	if s == nil {
		return nil, findings
	}
	c, more := Compile(s, udts)
	if findings = sortFindings(append(findings, more...)); len(findings) > 0 {
		return nil, findings
	}
	return c, nil
}

// expressions says that records are seen by expressions.
func (c *Compiled) expressions() bool {
	return c.where != nil || slices.ContainsFunc(c.columns, func(col column) bool { return col.origin == fromExpr })
}

// Compile makes a spec ready. With any finding there is no Compiled. Nor is there one of a spec of which Parse had
// findings: it may be given to learn of the others. udts are the user types that exist in the keyspace; those declared
// win.
func Compile(s *Spec, udts map[string]cql.Type) (*Compiled, []Finding) {
	c := &compiler{spec: s, inputs: map[string]int{}, badTypes: map[string]bool{}}
	c.types, c.findings = resolveTypes(s, udts)
	for _, t := range s.Table.Types {
		if _, ok := c.types[t.Name]; !ok {
			c.badTypes[t.Name] = true
		}
	}
	out := c.compile()
	if len(c.findings) > 0 || s.broken {
		return nil, sortFindings(c.findings)
	}
	return out, nil
}

type compiler struct {
	spec     *Spec
	types    map[string]cql.Type
	badTypes map[string]bool
	inputs   map[string]int // by name
	names    []string       // of inputs, in order
	findings []Finding
}

func (c *compiler) add(path, hint, format string, args ...any) {
	c.findings = append(c.findings, c.spec.finding(path, hint, format, args...))
}

func (c *compiler) compile() *Compiled {
	s := c.spec
	out := &Compiled{
		spec: s, table: cql.Table{Keyspace: s.Table.Keyspace, Name: s.Table.Name}, types: map[string]cql.Type{},
		time: -1,
	}
	for _, t := range s.Table.Types {
		out.types[t.Name] = c.types[t.Name]
	}
	for _, i := range s.order() {
		c.addColumn(out, &s.Columns[i], join("columns", strconv.Itoa(i)))
	}
	if s.Where != "" {
		out.where = c.program("where", "", s.Where, -1)
	}
	out.inputs = c.names
	out.steps = out.chooseSteps()
	if !s.Strict {
		out.required = len(out.inputs)
	}
	return out
}

func (c *compiler) addColumn(out *Compiled, spec *ColumnSpec, path string) {
	role := c.spec.role(spec)
	t := c.columnType(path, spec, role)
	col := c.column(path, spec, t)
	if col.key = role <= cql.ClusteringKey; col.key {
		out.keys++
		out.required = len(c.names)
	}
	if c.spec.Write.Timestamp == spec.Name && spec.Name != "" {
		out.time = len(out.columns)
		if t.Kind != cql.Timestamp && t.Kind != cql.Invalid {
			c.add("write.timestamp", "", "write.timestamp: column %q is of type %s, expected timestamp", spec.Name, t)
		}
	}
	col.alone = role == cql.PartitionKey && len(c.spec.Table.PartitionKey) == 1
	col.decimal = role == cql.ClusteringKey && t.Kind == cql.Decimal
	out.columns = append(out.columns, col)
	out.table.Columns = append(out.table.Columns, cql.Column{Name: spec.Name, Type: t, Role: role})
}

// order is the order of the table: keys as the key lists have them, then static, then regular columns. Names that the
// key lists have twice, or columns do not have, are left out: Parse has said so.
func (s *Spec) order() []int {
	var order []int
	take := func(i int) {
		if i >= 0 && !slices.Contains(order, i) {
			order = append(order, i)
		}
	}
	for _, name := range append(slices.Clone(s.Table.PartitionKey), s.Table.ClusteringKey...) {
		take(s.column(name))
	}
	for _, static := range []bool{true, false} {
		for i := range s.Columns {
			if s.Columns[i].Static == static {
				take(i)
			}
		}
	}
	return order
}

func (s *Spec) role(col *ColumnSpec) cql.Role {
	switch {
	case slices.Contains(s.Table.PartitionKey, col.Name):
		return cql.PartitionKey
	case slices.Contains(s.Table.ClusteringKey, col.Name):
		return cql.ClusteringKey
	case col.Static:
		return cql.Static
	default:
		return cql.Regular
	}
}

func (c *compiler) column(p string, col *ColumnSpec, t cql.Type) column {
	out := column{name: col.Name, typ: t, layout: c.layout(p, col, t)}
	switch {
	case col.Expr != "" && strings.TrimSpace(col.Expr) == "":
	case col.Expr != "":
		out.origin, out.program = fromExpr, c.program(p+".expr", col.Name, col.Expr, c.spec.column(col.Name))
	case col.From == "$offset":
		out.origin = fromOffset
	case strings.HasPrefix(col.From, "$"):
		out.origin, out.meta = fromObject, col.From
	default:
		out.input = c.input(col.From)
	}
	return out
}

// input is the number of a source field, given at its first mention.
func (c *compiler) input(name string) int {
	i, ok := c.inputs[name]
	if !ok {
		i = len(c.names)
		c.inputs[name] = i
		c.names = append(c.names, name)
	}
	return i
}

// objectValue is what a name such as $key stands for; ok is false where a key lacks that part of a path.
func objectValue(meta string, o contracts.Object, job contracts.JobID) (value string, ok bool) {
	switch meta {
	case "$key":
		return o.Key, true
	case "$bucket":
		return o.Bucket, true
	case "$file":
		return o.File(), true
	case "$job":
		return string(job), true
	}
	name := strings.TrimPrefix(meta, "$path.") + "="
	for part := range strings.SplitSeq(path.Dir(o.Key), "/") {
		if value, ok := strings.CutPrefix(part, name); ok {
			return value, true
		}
	}
	return "", false
}
