package pipeline

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/penstock-io/penstock/contracts"
)

// checker looks at what a spec says without knowing types or expressions. Compile looks at those.
type checker struct {
	spec     *Spec
	findings []Finding
}

func (c *checker) add(path, hint, format string, args ...any) {
	c.findings = append(c.findings, c.spec.finding(path, hint, format, args...))
}

func (c *checker) check() {
	s := c.spec
	if s.has("name") && contracts.CheckName("", s.Name) != nil {
		c.add("name", "", "name %q: expected 1 to 64 of a-z, 0-9, _ and -", s.Name)
	}
	c.oneOf("nulls", "nulls", s.Nulls, NullsUnset, NullsDelete)
	c.oneOf("write.consistency", "consistency", s.Write.Consistency, consistencies...)
	if ttl := s.Write.TTL; ttl < 0 || ttl > maxTTL {
		c.add("write.ttl", "0 keeps rows for ever", "write.ttl is %d: expected 0 to %d seconds (20 years)", ttl, maxTTL)
	}
	c.budget()
	for i, hazard := range s.AllowUnsafe {
		c.oneOf(join("allow_unsafe", strconv.Itoa(i)), "hazard", hazard, hazards...)
	}
	c.eventTime()
	c.source()
	c.table()
	c.columns()
	c.trigger()
}

// maxTTL is Cassandra's limit.
const maxTTL = 20 * 365 * 24 * 3600

// consistencies are those at which an acknowledged row is on a replica: ANY is not among them.
var consistencies = []string{"ONE", "TWO", "THREE", "QUORUM", "ALL", "LOCAL_QUORUM", "EACH_QUORUM", "LOCAL_ONE"}

func (c *checker) oneOf(path, noun, got string, allowed ...string) {
	if !slices.Contains(allowed, got) {
		c.add(path, didYouMean(got, allowed), "unknown %s %q", noun, got)
	}
}

// eventTime looks at write.timestamp. Compile looks at the column's type.
func (c *checker) eventTime() {
	s := c.spec
	name := s.Write.Timestamp
	switch {
	case !s.has("write.timestamp"):
	case s.column(name) < 0:
		c.add("write.timestamp", didYouMean(name, s.columnNames()), "write.timestamp %q is not in columns", name)
	case !slices.Contains(s.AllowUnsafe, EventTimeTies):
		c.add("write.timestamp", "if no two records of a key share an event time, or it does not matter, set "+
			"allow_unsafe: [event_time_ties]", "write.timestamp: two records of one key with the same event time may meet in "+
			"one torn row, since the greater value wins in each column, not the later record")
	}
}

func (c *checker) source() {
	s := c.spec
	if s.has("source.format") {
		c.oneOf("source.format", "format", s.Source.Name, "csv", "tsv", "ndjson", "text")
	}
	c.oneOf("source.compression", "compression", s.Source.Compression, "auto", "none", "gzip", "zstd")
	if s.has("source.csv") && !s.csv() {
		c.add("source.csv", "drop it", "source.csv belongs to the formats csv and tsv, not to %q", s.Source.Name)
	}
	if s.has("source.text") && s.Source.Name != "text" {
		c.add("source.text", "drop it", "source.text belongs to the format text, not to %q", s.Source.Name)
	}
	if s.Strict && (!s.csv() || !s.Source.CSV.Header) {
		c.add("source.strict", "drop it", "source.strict is about the names in a header, and there is none")
	}
	if s.csv() {
		c.csv()
	}
	if s.Source.Name == "text" {
		c.text()
	}
}

func (c *checker) csv() {
	f := c.spec.Source.CSV
	if n := len(f.Delimiter); n < 1 || n > 8 || strings.ContainsAny(f.Delimiter, "\r\n\x00") {
		c.add("source.csv.delimiter", `write it as text, such as ";" or "\t"`,
			"delimiter %q: expected 1 to 8 bytes, none of them a line break or NUL", f.Delimiter)
	}
	c.oneByte("quote", f.Quote)
	c.oneByte("escape", f.Escape)
	c.oneByte("comment", f.Comment)
	if f.Quote != "" && strings.Contains(f.Delimiter, f.Quote) {
		c.add("source.csv.delimiter", "", "delimiter %q contains the quote %q", f.Delimiter, f.Quote)
	}
	if f.Comment != "" && (f.Comment == f.Quote || strings.HasPrefix(f.Delimiter, f.Comment)) {
		c.add("source.csv.comment", "", "comment %q is also the quote or the start of the delimiter", f.Comment)
	}
	if f.Quote == "" && f.Escape != "" {
		c.add("source.csv.escape", "drop it", "escape %q without a quote: it has a meaning inside quotes only", f.Escape)
	}
	if f.Skip < 0 {
		c.add("source.csv.skip", "", "source.csv.skip is %d: expected 0 or more lines", f.Skip)
	}
}

func (c *checker) oneByte(key, v string) {
	if len(v) > 1 || v == "\r" || v == "\n" || v == "\x00" {
		c.add("source.csv."+key, `"" is for none`, "%s %q: expected one byte that is no line break, or none", key, v)
	}
}

func (c *checker) text() {
	t := c.spec.Source.Text
	switch {
	case t.Pattern == "" && len(t.Fields) == 0:
		c.add("source", "source.text.pattern is a regexp with named groups, source.text.fields a list of names",
			"format text needs a pattern or fields")
		return
	case t.Pattern != "" && len(t.Fields) > 0:
		c.add("source.text.fields", "keep one of them", "source.text has both pattern and fields")
	}
	if t.Pattern != "" {
		if _, err := regexp.Compile(t.Pattern); err != nil {
			c.add("source.text.pattern", "the syntax is that of Go's regexp, RE2", "pattern: %v", err)
			return
		}
	}
	names := c.spec.textFields()
	if len(names) == 0 {
		c.add("source.text.pattern", `name a group: (?P<level>\w+)`, "the pattern has no named group")
	}
	for i, name := range names {
		if name == "" || slices.Contains(names[:i], name) {
			c.add("source.text", "", "field name %q is empty or stands twice", name)
		}
	}
}

// textFields are the names that the format text gives to fields; nil where the pattern is wrong.
func (s *Spec) textFields() []string {
	if s.Source.Text.Pattern == "" {
		return s.Source.Text.Fields
	}
	re, err := regexp.Compile(s.Source.Text.Pattern)
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(re.SubexpNames()), func(name string) bool { return name == "" })
}

var tableName = regexp.MustCompile(`^[a-zA-Z0-9_]{1,48}$`)

func (c *checker) table() {
	s := c.spec
	for key, name := range map[string]string{"table.keyspace": s.Table.Keyspace, "table.name": s.Table.Name} {
		if s.has(key) && !tableName.MatchString(name) {
			c.add(key, "Cassandra takes no other names", "%s %q: expected 1 to 48 letters, digits and _", key, name)
		}
	}
	if s.has("table.partition_key") && len(s.Table.PartitionKey) == 0 {
		c.add("table.partition_key", "name the columns that say which partition a row is in",
			"table.partition_key is empty")
	}
	seen := map[string]bool{}
	c.keyColumns("table.partition_key", s.Table.PartitionKey, seen)
	c.keyColumns("table.clustering_key", s.Table.ClusteringKey, seen)
}

func (c *checker) keyColumns(path string, names []string, seen map[string]bool) {
	for i, name := range names {
		p := join(path, strconv.Itoa(i))
		if seen[name] {
			c.add(p, "", "column %q stands twice in the primary key", name)
		} else if c.spec.column(name) < 0 {
			c.add(p, didYouMean(name, c.spec.columnNames()), "key column %q is not in columns", name)
		}
		seen[name] = true
	}
}

func (c *checker) columns() {
	s := c.spec
	if s.has("columns") && len(s.Columns) == 0 {
		c.add("columns", "name at least the key columns", "columns is empty")
	}
	seen := map[string]bool{}
	for i := range s.Columns {
		col, p := &s.Columns[i], join("columns", strconv.Itoa(i))
		if s.has(p+".name") && (col.Name == "" || strings.ContainsRune(col.Name, 0)) {
			c.add(p+".name", "", "column name %q: expected at least one character", col.Name)
		} else if col.Name != "" && seen[col.Name] {
			c.add(p+".name", "drop one of them, or rename it", "column %q stands twice", col.Name)
		}
		seen[col.Name] = true
		c.origin(p, col)
		c.zone(p, col)
	}
}

// origin looks at where a column's value comes from.
func (c *checker) origin(p string, col *ColumnSpec) {
	s := c.spec
	switch {
	case col.From != "" && s.has(p+".expr"):
		c.add(p+".expr", "keep one of them", "column %q has both from and expr", col.Name)
	case s.has(p+".expr") && strings.TrimSpace(col.Expr) == "":
		c.add(p+".expr", "", "column %q has an empty expr", col.Name)
	case s.has(p+".from") && col.From == "":
		c.add(p+".from", "", "column %q has an empty from: expected the name of a field", col.Name)
	case col.From == "":
	case strings.HasPrefix(col.From, "$"):
		c.meta(p+".from", col.From)
	case s.positional():
		if !isPosition(col.From) {
			c.add(p+".from", "from: 0 is the first field",
				"column %q is from %q: without a header, from is a field's position from 0", col.Name, col.From)
		}
	case s.Source.Name == "ndjson":
		if slices.Contains(strings.Split(col.From, "."), "") {
			c.add(p+".from", "from: a.b reaches the field b of the object a", "from %q has an empty part", col.From)
		}
	case s.Source.Name == "text" && !slices.Contains(s.textFields(), col.From):
		c.add(p+".from", didYouMean(col.From, s.textFields()), "from %q is no field of source.text", col.From)
	}
}

// isPosition says that s is a whole number in its usual form.
func isPosition(s string) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n >= 0 && strconv.Itoa(n) == s
}

// metas are the names that do not come from a record's fields.
var metas = []string{"$key", "$bucket", "$file", "$offset", "$job"}

func (c *checker) meta(path, name string) {
	if part, ok := strings.CutPrefix(name, "$path."); ok {
		if part == "" || strings.ContainsAny(part, "/=") {
			c.add(path, "$path.day takes 7 from …/day=7/…", "%q: expected a name without / and = after $path.", name)
		}
		return
	}
	if !slices.Contains(metas, name) {
		c.add(path, didYouMean(name, append(slices.Clone(metas), "$path.NAME")), "unknown name %q", name)
	}
}

func (c *checker) zone(p string, col *ColumnSpec) {
	if !validZone(col.Zone) {
		c.add(p+".zone", "names are those of the IANA database, such as Europe/Berlin", "unknown time zone %q", col.Zone)
	}
}

// validZone takes the names of the time zone database and "" for UTC. The machine's own zone is none: rows must not
// depend on where they are made.
func validZone(name string) bool {
	_, err := time.LoadLocation(name)
	return err == nil && name != "Local"
}

var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

func (c *checker) trigger() {
	t := c.spec.On
	if t == nil {
		return
	}
	if c.spec.has("on.bucket") && !bucketName.MatchString(t.Bucket) {
		c.add("on.bucket", "", "bucket %q: expected 3 to 63 of a-z, 0-9, dot and -", t.Bucket)
	}
	if c.spec.has("on.schedule") {
		if problem := cronProblem(t.Schedule); problem != "" {
			c.add("on.schedule", `"*/5 * * * *" is every five minutes, UTC`, "schedule %q: %s", t.Schedule, problem)
		}
	}
}
