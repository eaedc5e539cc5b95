package pipeline

import (
	"strings"
	"testing"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
)

// mustParse reads a spec that has no findings.
func mustParse(t testing.TB, src string) *Spec {
	t.Helper()
	s, findings := Parse("spec.yaml", []byte(src))
	if len(findings) > 0 {
		t.Fatalf("findings: %v\n%s", findings, src)
	}
	return s
}

// mustCompile compiles a spec that has no findings.
func mustCompile(t testing.TB, src string) *Compiled {
	t.Helper()
	c, findings := Compile(mustParse(t, src), nil)
	if len(findings) > 0 {
		t.Fatalf("findings: %v\n%s", findings, src)
	}
	return c
}

const small = `
name: small
source: {format: csv}
table: {keyspace: lab, name: small, partition_key: [id]}
columns: [{name: id, type: text}, {name: v, type: int}]
`

func TestParseFillsDefaults(t *testing.T) {
	t.Parallel()
	csv := func(change func(*contracts.CSVFormat)) contracts.CSVFormat {
		f := contracts.CSVFormat{Header: true, Delimiter: ",", Quote: `"`, Escape: `"`, Null: []string{""},
			QuotedNewlines: true}
		change(&f)
		return f
	}
	quoted := func(q string) contracts.CSVFormat {
		return csv(func(f *contracts.CSVFormat) { f.Quote, f.Escape = q, q })
	}
	cases := map[string]struct {
		source string
		want   contracts.CSVFormat
	}{
		"csv":              {"{format: csv}", csv(func(*contracts.CSVFormat) {})},
		"tsv":              {"{format: tsv}", csv(func(f *contracts.CSVFormat) { f.Delimiter = "\t" })},
		"tsv, delimited":   {"{format: tsv, csv: {delimiter: ','}}", csv(func(*contracts.CSVFormat) {})},
		"escape is quote":  {`{format: csv, csv: {quote: "'"}}`, quoted("'")},
		"no quotes":        {`{format: csv, csv: {quote: ""}}`, quoted("")},
		"header absent":    {"{format: csv, csv: {trim: true}}", csv(func(f *contracts.CSVFormat) { f.Trim = true })},
		"no null":          {"{format: csv, csv: {null: []}}", csv(func(f *contracts.CSVFormat) { f.Null = []string{} })},
		"none for ndjson":  {"{format: ndjson}", contracts.CSVFormat{}},
		"backslash escape": {`{format: csv, csv: {escape: '\'}}`, csv(func(f *contracts.CSVFormat) { f.Escape = `\` })},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := mustParse(t, strings.Replace(small, "{format: csv}", c.source, 1))
			got := s.Source.CSV
			if strings.Join(got.Null, "|") != strings.Join(c.want.Null, "|") || len(got.Null) != len(c.want.Null) {
				t.Errorf("null %q: expected %q", got.Null, c.want.Null)
			}
			got.Null, c.want.Null = nil, nil
			if got.Header != c.want.Header || got.Delimiter != c.want.Delimiter || got.Quote != c.want.Quote ||
				got.Escape != c.want.Escape || got.Trim != c.want.Trim || got.QuotedNewlines != c.want.QuotedNewlines {
				t.Errorf("got %+v, expected %+v", got, c.want)
			}
			if s.Columns[1].From != "v" || s.Nulls != NullsUnset || s.Write.Consistency != "LOCAL_QUORUM" {
				t.Errorf("from %q, nulls %q, consistency %q", s.Columns[1].From, s.Nulls, s.Write.Consistency)
			}
		})
	}
}

func TestHeaderFalseIsNotAbsent(t *testing.T) {
	t.Parallel()
	src := strings.NewReplacer("{format: csv}", "{format: csv, csv: {header: false}}", "type: text", "type: text, from: 0",
		"type: int", "type: int, from: 1").Replace(small)
	c := mustCompile(t, src)
	if c.Format().CSV.Header || strings.Join(c.Inputs(), " ") != "0 1" {
		t.Errorf("header %v, inputs %q: expected false, 0 and 1", c.Format().CSV.Header, c.Inputs())
	}
}

func TestLimit(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		count   int64
		percent float64
		ok      bool
	}{
		"":                     {0, 0, false},
		"rejects: {}":          {0, 0, false},
		"rejects: {max: 0}":    {0, -1, true},
		"rejects: {max: 100}":  {100, -1, true},
		"rejects: {max: 1%}":   {0, 1, true},
		"rejects: {max: 0.5%}": {0, 0.5, true},
	}
	for line, want := range cases {
		count, percent, ok := mustCompile(t, small+line).Limit()
		if count != want.count || percent != want.percent || ok != want.ok {
			t.Errorf("%s: got %d, %v, %v: expected %v", line, count, percent, ok, want)
		}
	}
}

const verbose = `
# a comment
table:
  types: {b: {z: int, a: text}, a: {x: int}}
  create: true
  clustering_key: [v]
  partition_key: [id]
  name: small
  keyspace: lab
on: {suffix: "", bucket: landing, prefix: in/}
write: {ttl: 0, consistency: LOCAL_QUORUM}
nulls: unset   # the default
allow_unsafe: []
rejects: {max: 1.50%}
where: ""
columns:
  - {type: text, name: id, from: id, static: false, zone: "", layout: ""}
  - {name: v, type: int, expr: 'int(x) + 1 < 3 ? 1 : "é"'}
source:
  strict: false
  csv: {escape: '"', header: true, quote: '"', null: [""], skip: 0, comment: "", delimiter: ",",
    trim: false, quoted_newlines: true}
  format: csv
  compression: auto
name: small
`

const terse = `
name: small
source: {format: csv}
table: {keyspace: lab, name: small, partition_key: [id], clustering_key: [v], create: true,
  types: {a: {x: int}, b: {z: int, a: text}}}
columns: [{name: id, type: text}, {name: v, type: int, expr: "int(x) + 1 < 3 ? 1 : \"é\""}]
rejects: {max: "1.5%"}
on: {bucket: landing, prefix: in/}
`

func TestRevisionKnowsNoSpelling(t *testing.T) {
	t.Parallel()
	a, b := mustParse(t, verbose), mustParse(t, terse)
	if a.Revision() != b.Revision() {
		t.Errorf("two spellings of one spec differ:\n%s\n%s", a.Canonical(), b.Canonical())
	}
	for change, with := range map[string]string{
		"name: small, p": "name: large, p", "x: int": "x: text", "z: int, a: text": "a: text, z: int", "+ 1": "+ 2",
		"1.5%": "1.6%", "in/": "out/", "{format: csv}": "{format: csv, csv: {header: true, trim: true}}",
		"create: true":              "create: false",
		"[{name: id, type: text}, ": "[{name: id, type: text, from: x}, ",
	} {
		changed := strings.Replace(terse, change, with, 1)
		if s := mustParse(t, changed); s.Revision() == a.Revision() {
			t.Errorf("%q for %q: expected another revision", with, change)
		}
	}
}

func TestCanonicalReadsBack(t *testing.T) {
	t.Parallel()
	for _, src := range []string{small, verbose, terse,
		strings.Replace(small, "{format: csv}",
			`{format: tsv, strict: true, csv: {quote: "'", escape: '\', null: [], comment: "#", skip: 2}}`, 1),
		strings.Replace(small, "{format: csv}", `{format: text, text: {pattern: '(?P<id>\S+)	(?P<v>[^"\\]+)'}}`, 1),
		strings.Replace(small, "{format: csv}", `{format: text, text: {fields: [id, v]}}`, 1) +
			"nulls: delete\nallow_unsafe: [unfrozen_list, unfrozen_list, event_time_ties]\n" +
			"where: 'id != \"\U0001F600<&>\"'\nwrite: {ttl: 5, consistency: ONE, timestamp: v}",
	} {
		s := mustParse(t, src)
		again := mustParse(t, string(s.Canonical()))
		if string(again.Canonical()) != string(s.Canonical()) {
			t.Errorf("canonical form changes when read back:\n%s\n%s", s.Canonical(), again.Canonical())
		}
	}
	golden(t, "canonical.golden", string(mustParse(t, terse).Canonical())+mustParse(t, terse).Revision()+"\n")
}

func TestFromTable(t *testing.T) {
	t.Parallel()
	udt := cql.Type{Kind: cql.UDT, Name: "Addr", Fields: []string{"zip"}, Elems: []cql.Type{{Kind: cql.Int}}, Frozen: true}
	table := cql.Table{Keyspace: "lab", Name: "Readings", Columns: []cql.Column{
		{Name: "p", Type: cql.Type{Kind: cql.Text}, Role: cql.PartitionKey},
		{Name: "Camel", Type: cql.Type{Kind: cql.Int}, Role: cql.ClusteringKey},
		{Name: "s", Type: cql.Type{Kind: cql.Text}, Role: cql.Static},
		{Name: "v", Type: udt, Role: cql.Regular},
	}}
	s := FromTable(table, contracts.Format{})
	c, findings := Compile(s, map[string]cql.Type{"Addr": udt})
	if len(findings) > 0 {
		t.Fatal(findings)
	}
	if err := contracts.CheckName("pipeline", s.Name); err != nil || !strings.HasPrefix(s.Name, "table-lab-readings-") {
		t.Errorf("name %q: %v", s.Name, err)
	}
	if !c.Strict() || c.Creates() || c.Required() != 2 || strings.Join(c.Inputs(), " ") != "p Camel s v" {
		t.Errorf("strict %v, creates %v, required %d, inputs %q", c.Strict(), c.Creates(), c.Required(), c.Inputs())
	}
	for i, col := range c.Table().Columns {
		if want := table.Columns[i]; col.Name != want.Name || col.Role != want.Role || !col.Type.Equal(want.Type) {
			t.Errorf("column %d is %v: expected %v", i, col, want)
		}
	}
	if again := mustParse(t, string(s.Canonical())); !again.Strict || again.Revision() != s.Revision() {
		t.Errorf("the stored form is another spec: %s", again.Canonical())
	}
	table.Name = "readings"
	if got := FromTable(table, contracts.Format{Name: "ndjson"}); got.Name != "table-lab-readings" || got.Strict {
		t.Errorf("name %q, strict %v: expected table-lab-readings without a header to be strict about", got.Name, got.Strict)
	}
}
