// Package text reads lines of text and splits each into fields: by a regular expression with named groups, or at
// blanks and tabs. Without either a line is a record without fields.
//
// What must never happen: a line that its format does not fit and that yields fields all the same.
package text

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"

	"github.com/penstock-io/penstock/chunk/internal/lines"
	"github.com/penstock-io/penstock/contracts"
)

// Reader yields a part's records.
type Reader struct {
	lines   *lines.Reader
	pattern *regexp.Regexp // nil: split at blanks
	names   []string       // of the fields, where there is no pattern
	at      []int          // for each input, its group or field; -1 for none

	words  [][]byte
	fields []contracts.Field
	rec    contracts.Record
}

// NewReader reads the given lines. Inputs are names of groups or of fields; one that the format lacks is KindConfig.
func NewReader(l *lines.Reader, f contracts.TextFormat, inputs []string) (*Reader, error) {
	r := &Reader{lines: l, names: f.Fields, at: make([]int, len(inputs)), fields: make([]contracts.Field, len(inputs))}
	r.words = make([][]byte, len(f.Fields))
	names := f.Fields
	if f.Pattern != "" {
		re, err := regexp.Compile(f.Pattern)
		if err != nil {
			return nil, contracts.Errorf(contracts.KindConfig, "text.pattern: %w", err)
		}
		r.pattern, names = re, re.SubexpNames()
	}
	for i, name := range inputs {
		if r.at[i] = slices.Index(names, name); name == "" || r.at[i] < 0 {
			return nil, contracts.Errorf(contracts.KindConfig, "input %q: found fields %q in the text format, expected it "+
				"among them", name, names)
		}
	}
	return r, nil
}

// Next yields the next record, valid until the next call; io.EOF at the end of the part.
func (r *Reader) Next() (*contracts.Record, error) {
	rec := &r.rec
	rec.Fields = nil
	if err := r.lines.Next(rec); err != nil {
		return nil, err
	}
	switch {
	case rec.Problem != nil:
	case r.pattern != nil:
		rec.Problem = r.match(rec.Raw)
	default:
		rec.Problem = r.split(rec.Raw)
	}
	if rec.Problem == nil {
		rec.Fields = r.fields
	}
	return rec, nil
}

// match takes the fields from the pattern's groups. A group that took no part in the match is missing.
func (r *Reader) match(line []byte) *contracts.Problem {
	groups := r.pattern.FindSubmatchIndex(line)
	if groups == nil {
		return &contracts.Problem{
			Rule:   contracts.RuleSyntax,
			Value:  lines.Clip(line),
			Reason: fmt.Sprintf("line does not match the pattern %s", r.pattern),
		}
	}
	for i, g := range r.at {
		r.fields[i] = contracts.Field{}
		if from, to := groups[2*g], groups[2*g+1]; from >= 0 {
			r.fields[i] = contracts.Field{Kind: contracts.Text, Bytes: line[from:to:to]}
		}
	}
	return nil
}

// split takes the fields from between blanks; the last one goes on to the end of the line.
func (r *Reader) split(line []byte) *contracts.Problem {
	rest := bytes.TrimLeft(line, " \t")
	for i := range r.words {
		if len(rest) == 0 {
			return &contracts.Problem{
				Rule:   contracts.RuleFields,
				Reason: fmt.Sprintf("found %d fields, expected %d separated by blanks or tabs", i, len(r.words)),
			}
		}
		word := rest
		if i < len(r.words)-1 {
			word, rest = cut(rest)
		}
		r.words[i] = word
	}
	for i, f := range r.at {
		r.fields[i] = contracts.Field{Kind: contracts.Text, Bytes: r.words[f]}
	}
	return nil
}

// cut takes the first word and the blanks after it off b.
func cut(b []byte) (word, rest []byte) {
	end := bytes.IndexAny(b, " \t")
	if end < 0 {
		return b, nil
	}
	return b[:end:end], bytes.TrimLeft(b[end:], " \t")
}
