package chunk_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/penstock-io/penstock/contracts"
)

// reference reads a CSV document as docs/interface.md describes the dialect: no automaton, no chunks, no care for
// speed. It yields every field of every record, and the offset of a quote that is never closed, or -1.
type reference struct {
	doc []byte
	f   contracts.CSVFormat
}

type refRecord struct {
	start, end int
	fields     []string
	bad        bool
}

func (r reference) breakAt(i int) bool { return r.doc[i] == '\n' || r.doc[i] == '\r' }

func (r reference) lineEnd(i int) int {
	for i < len(r.doc) && !r.breakAt(i) {
		i++
	}
	return i
}

func (r reference) is(i int, what string) bool {
	return what != "" && bytes.HasPrefix(r.doc[i:], []byte(what))
}

func (r reference) records(from int) (all []refRecord, open int) {
	for i := from; i < len(r.doc); {
		switch {
		case r.breakAt(i):
			i++
		case r.is(i, r.f.Comment):
			i = r.lineEnd(i)
		default:
			rec, open := r.record(i)
			if open >= 0 {
				return all, open
			}
			all = append(all, rec)
			i = rec.end
		}
	}
	return all, -1
}

func (r reference) record(start int) (rec refRecord, open int) {
	rec.start = start
	for i := start; ; {
		field, end, bad, open := r.field(i)
		if open >= 0 {
			return rec, open
		}
		rec.fields = append(rec.fields, field)
		rec.bad = rec.bad || bad
		if !r.is(end, r.f.Delimiter) {
			rec.end = end
			return rec, -1
		}
		i = end + len(r.f.Delimiter)
	}
}

// field ends before a delimiter, a line break or the end of the document.
func (r reference) field(i int) (field string, end int, bad bool, open int) {
	if !r.is(i, r.f.Quote) {
		end = r.plainEnd(i)
		text := string(r.doc[i:end])
		if r.f.Trim {
			text = strings.Trim(text, " \t")
		}
		if slices.Contains(r.f.Null, text) {
			return "1:", end, false, -1
		}
		return "2:" + text, end, false, -1
	}
	value, after, closed := r.quoted(i + 1)
	switch {
	case !closed && r.f.QuotedNewlines:
		return "", 0, false, i
	case !closed:
		return "2:" + value, after, true, -1
	}
	end = r.plainEnd(after)
	return "2:" + value, end, end != after, -1
}

func (r reference) plainEnd(i int) int {
	end := r.lineEnd(i)
	if n := bytes.Index(r.doc[i:end], []byte(r.f.Delimiter)); n >= 0 {
		return i + n
	}
	return end
}

// quoted reads a value from behind its opening quote; after is the first byte behind the closing one.
func (r reference) quoted(i int) (value string, after int, closed bool) {
	var b strings.Builder
	for i < len(r.doc) {
		switch {
		case r.breakAt(i) && !r.f.QuotedNewlines:
			return b.String(), i, false
		case r.is(i, r.f.Quote) && r.f.Escape == r.f.Quote && r.is(i+1, r.f.Quote):
			b.WriteByte(r.doc[i])
			i += 2
		case r.is(i, r.f.Quote):
			return b.String(), i + 1, true
		case r.is(i, r.f.Escape) && i+1 < len(r.doc) && (r.f.QuotedNewlines || !r.breakAt(i+1)):
			if !r.is(i+1, r.f.Quote) && !r.is(i+1, r.f.Escape) {
				b.WriteByte(r.doc[i])
			}
			b.WriteByte(r.doc[i+1])
			i += 2
		default:
			b.WriteByte(r.doc[i])
			i++
		}
	}
	return b.String(), i, false
}

// expect is what a reader without a header must yield for the document, bound to every field of the first record.
func (r reference) expect(from int, max int64) (all []got, open int) {
	recs, open := r.records(from)
	width := 0
	for i, rec := range recs {
		if i == 0 {
			width = len(rec.fields)
		}
		raw := string(r.doc[rec.start:rec.end])
		g := got{Offset: int64(rec.start), Length: int64(len(raw)), Raw: raw[:min(int64(len(raw)), max)]}
		switch {
		case g.Length > max:
			g.Rule = contracts.RuleLength
		case rec.bad:
			g.Rule = contracts.RuleSyntax
		case len(rec.fields) != width:
			g.Rule = contracts.RuleFields
		default:
			g.Fields = rec.fields
		}
		all = append(all, g)
	}
	return all, open
}

// inputs are the positions of all fields of the first record.
func (r reference) inputs(from int) []string {
	recs, _ := r.records(from)
	if len(recs) == 0 {
		return nil
	}
	var names []string
	for i := range recs[0].fields {
		names = append(names, fmt.Sprint(i))
	}
	return names
}
