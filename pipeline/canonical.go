package pipeline

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"

	"github.com/penstock-io/penstock/contracts"
)

// Canonical is the spec in its one canonical form: JSON, which is YAML too, with sorted keys and without whatever
// equals its default, so that a default added later changes no revision. Parse(Canonical()) is the same spec.
func (s *Spec) Canonical() []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s.document()); err != nil {
		panic("pipeline: a spec of strings and numbers has no JSON: " + err.Error())
	}
	return buf.Bytes()
}

// Revision names the spec by its content: the SHA-256 of Canonical in hex.
func (s *Spec) Revision() string {
	sum := sha256.Sum256(s.Canonical())
	return hex.EncodeToString(sum[:])
}

// document is a mapping of a canonical form. encoding/json sorts its keys.
type document map[string]any

// put stores v unless it is the default.
func put[T comparable](d document, key string, v, def T) {
	if v != def {
		d[key] = v
	}
}

func (d document) sub(key string, v document) {
	if len(v) > 0 {
		d[key] = v
	}
}

func (s *Spec) document() document {
	d := document{"name": s.Name, "source": s.sourceDocument(), "table": s.Table.document(), "columns": s.columnList()}
	put(d, "where", s.Where, "")
	put(d, "nulls", s.Nulls, NullsUnset)
	if s.Rejects.Limited {
		d["rejects"] = document{"max": s.Rejects.max()}
	}
	write := document{}
	put(write, "consistency", s.Write.Consistency, defaultConsistency)
	put(write, "ttl", s.Write.TTL, 0)
	put(write, "timestamp", s.Write.Timestamp, "")
	write.sub("budget", s.Write.Budget.document())
	d.sub("write", write)
	if t := s.On; t != nil {
		on := document{"bucket": t.Bucket}
		put(on, "prefix", t.Prefix, "")
		put(on, "suffix", t.Suffix, "")
		put(on, "schedule", t.Schedule, "")
		d["on"] = on
	}
	if hazards := slices.Compact(slices.Sorted(slices.Values(s.AllowUnsafe))); len(hazards) > 0 {
		d["allow_unsafe"] = hazards
	}
	return d
}

func (r RejectsSpec) max() any {
	if r.Percent >= 0 {
		return strconv.FormatFloat(r.Percent, 'f', -1, 64) + "%"
	}
	return r.Count
}

func (s *Spec) sourceDocument() document {
	d := document{"format": s.Source.Name}
	put(d, "compression", s.Source.Compression, "auto")
	put(d, "strict", s.Strict, false)
	if s.csv() {
		d.sub("csv", csvDocument(s.Source.CSV, s.csvDefaults()))
	}
	text := document{}
	put(text, "pattern", s.Source.Text.Pattern, "")
	if len(s.Source.Text.Fields) > 0 {
		text["fields"] = s.Source.Text.Fields
	}
	d.sub("text", text)
	return d
}

// csvDefaults are the dialect of a spec that says nothing but the quote.
func (s *Spec) csvDefaults() contracts.CSVFormat {
	def := newSpec("").Source.CSV
	def.Escape = s.Source.CSV.Quote
	if s.Source.Name == "tsv" {
		def.Delimiter = "\t"
	}
	return def
}

func csvDocument(f, def contracts.CSVFormat) document {
	d := document{}
	put(d, "header", f.Header, def.Header)
	put(d, "delimiter", f.Delimiter, def.Delimiter)
	put(d, "quote", f.Quote, def.Quote)
	put(d, "escape", f.Escape, def.Escape)
	put(d, "comment", f.Comment, def.Comment)
	put(d, "skip", f.Skip, def.Skip)
	put(d, "trim", f.Trim, def.Trim)
	if !slices.Equal(f.Null, def.Null) {
		d["null"] = append([]string{}, f.Null...)
	}
	put(d, "quoted_newlines", f.QuotedNewlines, def.QuotedNewlines)
	return d
}

func (t TableSpec) document() document {
	d := document{"keyspace": t.Keyspace, "name": t.Name, "partition_key": t.PartitionKey}
	if len(t.ClusteringKey) > 0 {
		d["clustering_key"] = t.ClusteringKey
	}
	put(d, "create", t.Create, false)
	types := document{}
	for _, ts := range t.Types {
		types[ts.Name] = orderedFields(ts.Fields)
	}
	d.sub("types", types)
	return d
}

// orderedFields is a mapping that keeps its order, which is part of a user type.
type orderedFields []FieldSpec

// MarshalJSON writes the fields as an object.
func (fs orderedFields) MarshalJSON() ([]byte, error) {
	out := []byte{'{'}
	for i, f := range fs {
		if i > 0 {
			out = append(out, ',')
		}
		name, err := json.Marshal(f.Name)
		if err != nil {
			return nil, err
		}
		typ, err := json.Marshal(f.Type)
		if err != nil {
			return nil, err
		}
		out = append(append(append(out, name...), ':'), typ...)
	}
	return append(out, '}'), nil
}

func (s *Spec) columnList() []document {
	list := make([]document, len(s.Columns))
	for i, c := range s.Columns {
		d := document{"name": c.Name, "type": c.Type}
		if c.Expr == "" {
			put(d, "from", c.From, c.Name)
		}
		put(d, "expr", c.Expr, "")
		put(d, "layout", c.Layout, "")
		put(d, "zone", c.Zone, "")
		put(d, "static", c.Static, false)
		list[i] = d
	}
	return list
}
