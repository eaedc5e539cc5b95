package contracts

// Format says how the bytes of an object become records.
type Format struct {
	Name        string     `json:"format" yaml:"format"`           // csv, tsv, ndjson, text
	Compression string     `json:"compression" yaml:"compression"` // auto, none, gzip, zstd
	CSV         CSVFormat  `json:"csv" yaml:"csv"`
	Text        TextFormat `json:"text" yaml:"text"`
}

// CSVFormat is a CSV dialect. The pipeline package fills the defaults in; a reader takes every value as it stands.
type CSVFormat struct {
	Header         bool     `json:"header" yaml:"header"`
	Delimiter      string   `json:"delimiter" yaml:"delimiter"` // 1 to 8 bytes
	Quote          string   `json:"quote" yaml:"quote"`         // one byte, or "" for none
	Escape         string   `json:"escape" yaml:"escape"`       // one byte, or "" for none; equal to Quote: doubling
	Comment        string   `json:"comment" yaml:"comment"`     // one byte, or "" for none
	Skip           int      `json:"skip" yaml:"skip"`           // lines dropped before the header
	Trim           bool     `json:"trim" yaml:"trim"`           // drop blanks and tabs around unquoted values
	Null           []string `json:"null" yaml:"null"`           // unquoted fields that are null
	QuotedNewlines bool     `json:"quoted_newlines" yaml:"quoted_newlines"`
}

// TextFormat splits lines into fields, by one of its two ways.
type TextFormat struct {
	Pattern string   `json:"pattern" yaml:"pattern"` // a regexp with named groups
	Fields  []string `json:"fields" yaml:"fields"`   // whitespace-separated fields; the last keeps its blanks
}

// Binding says where a CSV file keeps the fields that a pipeline reads. It is found once per object, from its head.
type Binding struct {
	DataOffset int64 `json:"data_offset"` // first byte after BOM, skipped lines and header
	Width      int   `json:"width"`       // fields that each record must have
	Positions  []int `json:"positions"`   // for each input, its field's position; -1 where the file lacks it
}

// FieldKind says what a Field holds.
type FieldKind uint8

// The kinds of field. The zero value is a field that the record does not have.
const (
	Missing FieldKind = iota
	Null              // present and null
	Text              // a string: all non-null fields of CSV and text, JSON strings unescaped
	Number            // a JSON number, as written
	Bool              // true or false, as written
	JSON              // a JSON array or object, as written
)

// Field is one value of a record as its format gives it, before types.
type Field struct {
	Kind  FieldKind
	Bytes []byte // valid until the reader's next call; empty for Missing and Null
}

// Record is what a format reader yields. All of it is valid until the reader's next call.
type Record struct {
	Offset  int64    // first byte, in the decompressed object
	Length  int64    // bytes without the terminator; may exceed len(Raw) for a record over the limit
	Raw     []byte   // the bytes, at most the record limit of them
	Fields  []Field  // one for each input that the reader was opened with
	Problem *Problem // not nil: the record cannot be read and is a reject
}

// Problem says why a record or a value cannot become a row.
type Problem struct {
	Rule   Rule
	Column string // "" where the record as a whole is concerned
	Value  string // the offending value, cut to 256 bytes
	Reason string // what was found, what was expected
}

// Rule names a reason for rejection; docs/interface.md publishes the list.
type Rule string

// The rules.
const (
	RuleFields   Rule = "fields"
	RuleSyntax   Rule = "syntax"
	RuleEncoding Rule = "encoding"
	RuleLength   Rule = "length"
	RuleType     Rule = "type"
	RuleRange    Rule = "range"
	RuleKey      Rule = "key"
	RuleExpr     Rule = "expr"
	RuleDatabase Rule = "database"
)
