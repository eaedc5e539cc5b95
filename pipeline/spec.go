package pipeline

import (
	"fmt"
	"slices"

	"github.com/penstock-io/penstock/contracts"
)

// Spec says how files of one kind become rows of one table. It comes from Parse or FromTable, with its defaults filled
// in; docs/interface.md publishes its YAML.
type Spec struct {
	Name        string
	Source      contracts.Format
	Strict      bool // source.strict: every name in a header must be a column; names that no key needs may be missing
	Table       TableSpec
	Columns     []ColumnSpec
	Where       string // "" keeps every record
	Nulls       string // NullsUnset or NullsDelete
	Rejects     RejectsSpec
	Write       WriteSpec
	On          *Trigger // nil: jobs come by command only
	AllowUnsafe []string // hazards that the author accepts

	broken bool             // Parse had findings
	file   string           // where the spec came from, for findings
	bad    map[string]bool  // keys whose values are of the wrong kind
	at     map[string]place // where each key's value stands, by path: columns.0.type
}

// TableSpec names the table and its primary key.
type TableSpec struct {
	Keyspace      string
	Name          string
	PartitionKey  []string
	ClusteringKey []string
	Create        bool       // make keyspace and table where they are missing
	Types         []TypeSpec // user types that the columns use, in no particular order
}

// TypeSpec declares a user type. The order of its fields is part of it.
type TypeSpec struct {
	Name   string
	Fields []FieldSpec
}

// FieldSpec is one field of a user type.
type FieldSpec struct{ Name, Type string }

// ColumnSpec says what one column of the table is made of: From or Expr, not both.
type ColumnSpec struct {
	Name   string
	Type   string // CQL
	From   string // a field, a position, or $key, $bucket, $file, $offset, $job, $path.NAME; Parse fills in Name
	Expr   string
	Layout string // of timestamps: a name or a Go layout; "" is iso
	Zone   string // of timestamps without one; "" is UTC
	Static bool
}

// RejectsSpec limits the rejects of a job. The zero value is no limit.
type RejectsSpec struct {
	Limited bool
	Count   int64   // rejects that pass, where Percent is negative
	Percent float64 // of the records read; negative where a count limits
}

// WriteSpec holds for every row.
type WriteSpec struct {
	Consistency string
	TTL         int64  // seconds from the job's base time; 0 is for ever
	Timestamp   string // the column whose value is the write time, its event time; "" is the order of reading
	Budget      BudgetSpec
}

// BudgetSpec is what all workers together may write in a second; 0 is no limit.
type BudgetSpec struct{ Rows, Bytes int64 }

// Trigger makes jobs of new objects in a bucket.
type Trigger struct {
	Bucket   string
	Prefix   string
	Suffix   string
	Schedule string // five cron fields, UTC; "" reacts to each object
}

// What a null does to its cell.
const (
	NullsUnset  = "unset"  // it keeps what it holds
	NullsDelete = "delete" // it is emptied
)

// The hazards that an author may accept.
const (
	// UnfrozenList is that of list columns that are not frozen: a replayed overwrite doubles their elements.
	UnfrozenList = "unfrozen_list"
	// EventTimeTies is that of write.timestamp: of two records of one key and one event time in different segments, the
	// greater value wins in each column, so that columns of both may meet in one row.
	EventTimeTies = "event_time_ties"
)

var hazards = []string{UnfrozenList, EventTimeTies}

const defaultConsistency = "LOCAL_QUORUM"

// place is where something stands in a file, both from 1.
type place struct{ line, column int }

// Parse reads a spec. The spec is nil where src is not YAML or no mapping; otherwise it is as complete as src allows,
// and usable where there are no findings. Findings are in the order of the file, and each has its line and column.
func Parse(file string, src []byte) (*Spec, []Finding) {
	d := newDecoder(file)
	s := d.parse(src)
	if s == nil {
		return nil, d.findings
	}
	s.fillDefaults()
	c := checker{spec: s}
	c.check()
	findings := sortFindings(append(d.findings, c.findings...))
	s.broken = len(findings) > 0
	return s, findings
}

// newSpec holds the defaults that do not depend on other keys.
func newSpec(file string) *Spec {
	return &Spec{
		Source: contracts.Format{Compression: "auto", CSV: contracts.CSVFormat{
			Header: true, Delimiter: ",", Quote: `"`, Escape: `"`, Null: []string{""}, QuotedNewlines: true,
		}},
		Nulls: NullsUnset,
		Write: WriteSpec{Consistency: defaultConsistency},
		file:  file,
		at:    map[string]place{},
	}
}

// fillDefaults sets what was left out and depends on other keys.
func (s *Spec) fillDefaults() {
	switch s.Source.Name {
	case "tsv":
		if !s.has("source.csv.delimiter") {
			s.Source.CSV.Delimiter = "\t"
		}
	case "ndjson", "text":
		s.Source.CSV = contracts.CSVFormat{}
	}
	if s.csv() && !s.has("source.csv.escape") {
		s.Source.CSV.Escape = s.Source.CSV.Quote
	}
	for i := range s.Columns {
		if c := &s.Columns[i]; c.From == "" && c.Expr == "" {
			c.From = c.Name
		}
	}
}

// has says that the file holds a key with a value of the right kind.
func (s *Spec) has(path string) bool {
	_, ok := s.at[path]
	return ok && !s.bad[path]
}

// csv says that records have a CSV dialect.
func (s *Spec) csv() bool { return s.Source.Name == "csv" || s.Source.Name == "tsv" }

// positional says that fields are named by their positions.
func (s *Spec) positional() bool { return s.csv() && !s.Source.CSV.Header }

func (s *Spec) column(name string) int {
	for i := range s.Columns {
		if s.Columns[i].Name == name {
			return i
		}
	}
	return -1
}

func (s *Spec) columnNames() []string {
	names := make([]string, len(s.Columns))
	for i := range s.Columns {
		names[i] = s.Columns[i].Name
	}
	return slices.Compact(names)
}

// finding makes a finding at the value of a key, or at the nearest key around it that the file holds.
func (s *Spec) finding(path, hint, format string, args ...any) Finding {
	at, ok := s.at[path]
	for parent := path; !ok && parent != ""; {
		parent = parentPath(parent)
		at, ok = s.at[parent]
	}
	return Finding{File: s.file, Line: at.line, Column: at.column, Message: fmt.Sprintf(format, args...), Hint: hint}
}
