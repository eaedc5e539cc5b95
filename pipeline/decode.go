package pipeline

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// decoder walks the syntax tree of a spec and gathers what does not fit, at its place.
type decoder struct {
	file     string
	findings []Finding
	at       map[string]place // values
	keys     map[string]place
	bad      map[string]bool // values of the wrong kind, about which nothing else need be said
	anchors  map[string]ast.Node
}

func newDecoder(file string) *decoder {
	return &decoder{file: file, at: map[string]place{}, keys: map[string]place{}, bad: map[string]bool{},
		anchors: map[string]ast.Node{}}
}

// setter stores the value at path.
type setter func(path string, n ast.Node)

// fields are the keys that a mapping may hold.
type fields map[string]setter

func (d *decoder) parse(src []byte) *Spec {
	f, err := parser.ParseBytes(src, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		d.syntax(err)
		return nil
	}
	if len(f.Docs) > 1 {
		d.findings = []Finding{{d.file, 1, 1, fmt.Sprintf("%d YAML documents: expected one", len(f.Docs)),
			"one file holds one pipeline"}}
		return nil
	}
	if len(f.Docs) == 0 || f.Docs[0].Body == nil {
		d.findings = []Finding{{d.file, 1, 1, "the file is empty: expected a pipeline",
			"begin with name, source, table and columns"}}
		return nil
	}
	body := f.Docs[0].Body
	if _, ok := d.resolve(body).(*ast.MappingNode); !ok {
		d.wrongType("", body, "a mapping of keys to values")
		return nil
	}
	s := newSpec(d.file)
	d.at[""] = place{1, 1}
	s.at, s.bad = d.at, d.bad
	d.spec(s, body)
	return s
}

// syntax turns the parser's words into a finding.
func (d *decoder) syntax(err error) {
	f := Finding{File: d.file, Line: 1, Column: 1, Message: "not YAML: " + err.Error()}
	var y yaml.Error
	if errors.As(err, &y) && y.GetToken() != nil {
		p := y.GetToken().Position
		f.Line, f.Column, f.Message = p.Line, p.Column, "not YAML: "+y.GetMessage()
	}
	d.findings = []Finding{f}
}

func (d *decoder) spec(s *Spec, n ast.Node) {
	d.mapping("", n, fields{
		"name":         d.text(&s.Name),
		"source":       func(p string, n ast.Node) { d.source(s, p, n) },
		"table":        func(p string, n ast.Node) { d.table(&s.Table, p, n) },
		"columns":      func(p string, n ast.Node) { d.columns(s, p, n) },
		"where":        d.text(&s.Where),
		"nulls":        d.text(&s.Nulls),
		"rejects":      func(p string, n ast.Node) { d.mapping(p, n, fields{"max": d.limit(&s.Rejects)}) },
		"write":        func(p string, n ast.Node) { d.write(&s.Write, p, n) },
		"on":           func(p string, n ast.Node) { d.trigger(s, p, n) },
		"allow_unsafe": d.texts(&s.AllowUnsafe),
	}, "name", "source", "table", "columns")
}

func (d *decoder) source(s *Spec, path string, n ast.Node) {
	f := &s.Source
	d.mapping(path, n, fields{
		"format":      d.text(&f.Name),
		"compression": d.text(&f.Compression),
		"strict":      d.boolean(&s.Strict),
		"csv": func(p string, n ast.Node) {
			d.mapping(p, n, fields{
				"header": d.boolean(&f.CSV.Header), "delimiter": d.text(&f.CSV.Delimiter),
				"quote": d.text(&f.CSV.Quote), "escape": d.text(&f.CSV.Escape), "comment": d.text(&f.CSV.Comment),
				"skip": d.integer(&f.CSV.Skip), "trim": d.boolean(&f.CSV.Trim), "null": d.texts(&f.CSV.Null),
				"quoted_newlines": d.boolean(&f.CSV.QuotedNewlines),
			})
		},
		"text": func(p string, n ast.Node) {
			d.mapping(p, n, fields{"pattern": d.text(&f.Text.Pattern), "fields": d.texts(&f.Text.Fields)})
		},
	}, "format")
}

func (d *decoder) table(t *TableSpec, path string, n ast.Node) {
	d.mapping(path, n, fields{
		"keyspace":       d.text(&t.Keyspace),
		"name":           d.text(&t.Name),
		"partition_key":  d.texts(&t.PartitionKey),
		"clustering_key": d.texts(&t.ClusteringKey),
		"create":         d.boolean(&t.Create),
		"types":          func(p string, n ast.Node) { d.types(t, p, n) },
	}, "keyspace", "name", "partition_key")
}

func (d *decoder) types(t *TableSpec, path string, n ast.Node) {
	d.pairs(path, n, "a mapping of names to types", func(name, p string, n ast.Node) {
		ts := TypeSpec{Name: name}
		d.pairs(p, n, "a mapping of field names to types", func(field, p string, n ast.Node) {
			f := FieldSpec{Name: field}
			d.text(&f.Type)(p, n)
			ts.Fields = append(ts.Fields, f)
		})
		t.Types = append(t.Types, ts)
	})
}

func (d *decoder) columns(s *Spec, path string, n ast.Node) {
	d.list(path, n, func(p string, n ast.Node) {
		s.Columns = append(s.Columns, ColumnSpec{})
		c := &s.Columns[len(s.Columns)-1]
		d.mapping(p, n, fields{
			"name": d.text(&c.Name), "type": d.text(&c.Type), "from": d.position(&c.From), "expr": d.text(&c.Expr),
			"layout": d.text(&c.Layout), "zone": d.text(&c.Zone), "static": d.boolean(&c.Static),
		}, "name", "type")
	})
}

func (d *decoder) write(w *WriteSpec, path string, n ast.Node) {
	ttl := int(w.TTL)
	d.mapping(path, n, fields{
		"consistency": d.text(&w.Consistency), "ttl": d.integer(&ttl), "timestamp": d.text(&w.Timestamp),
		"budget": func(p string, n ast.Node) { d.budget(&w.Budget, p, n) },
	})
	w.TTL = int64(ttl)
}

func (d *decoder) trigger(s *Spec, path string, n ast.Node) {
	t := &Trigger{}
	s.On = t
	d.mapping(path, n, fields{
		"bucket": d.text(&t.Bucket), "prefix": d.text(&t.Prefix), "suffix": d.text(&t.Suffix),
		"schedule": d.text(&t.Schedule),
	}, "bucket")
}

// limit reads rejects.max: a count, or a percentage as text.
func (d *decoder) limit(r *RejectsSpec) setter {
	return func(path string, n ast.Node) {
		if i, ok := n.(*ast.IntegerNode); ok {
			count, err := strconv.ParseInt(i.Token.Value, 0, 64)
			if err != nil || count < 0 {
				d.add(path, n, `0 or more, or a percentage such as "1%"`, "rejects.max is %s", i.Token.Value)
				return
			}
			*r = RejectsSpec{Limited: true, Count: count, Percent: -1}
			return
		}
		text, ok := scalarText(n)
		digits, percent := strings.CutSuffix(text, "%")
		value, err := strconv.ParseFloat(digits, 64)
		if !ok || !percent || err != nil || !(value >= 0 && value <= 100) {
			d.add(path, n, `write a count such as 100, or a percentage from "0%" to "100%"`,
				"rejects.max is %s: expected a count or a percentage", describe(n))
			return
		}
		*r = RejectsSpec{Limited: true, Percent: value}
	}
}
