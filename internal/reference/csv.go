package reference

import (
	"bytes"
	"slices"
	"strings"

	"github.com/penstock-io/penstock/contracts"
)

// document is a CSV file in its dialect.
type document struct {
	doc []byte
	f   contracts.CSVFormat
}

// raw is one record as it stands.
type raw struct {
	start, end int
	fields     []string
	bad        int // the first byte that is out of order; -1 for none
}

// CSV reads a CSV file. Its records hold all fields, in the file's order.
func CSV(doc []byte, f contracts.CSVFormat, limit int64) File {
	d := document{doc, f}
	out := File{Fault: -1}
	if startsUTF16(doc) {
		out.Fault, out.InHead = 0, true
		return out
	}
	from := d.skipped()
	if f.Header {
		if from = d.header(&out, from); out.Fault >= 0 {
			return out
		}
	}
	out.DataOffset = int64(from)
	records, open := d.records(from)
	if out.Fault = int64(open); open >= 0 {
		out.Quote, out.InHead = true, !f.Header && len(records) == 0
	}
	if !f.Header && len(records) > 0 {
		out.Width = len(records[0].fields)
	}
	for _, r := range records {
		out.Records = append(out.Records, d.judge(r, out.Width, limit))
	}
	return out
}

// skipped is the first byte behind BOM and skipped lines.
func (d document) skipped() (from int) {
	if bytes.HasPrefix(d.doc, []byte(bom)) {
		from = len(bom)
	}
	for range d.f.Skip {
		if from = lineEnd(d.doc, from); from < len(d.doc) {
			from = afterBreak(d.doc, from)
		}
	}
	return from
}

// header reads the first record as names, and gives the first byte behind its line break.
func (d document) header(out *File, from int) int {
	plain := d
	plain.f.Null = nil // names never are
	for from < len(d.doc) && (isBreak(d.doc[from]) || d.is(from, d.f.Comment)) {
		if !isBreak(d.doc[from]) {
			from = lineEnd(d.doc, from)
			continue
		}
		from++
	}
	if from == len(d.doc) {
		return from
	}
	r, open := plain.record(from)
	switch {
	case open >= 0:
		out.Fault, out.Quote, out.InHead = int64(open), true, true
		return 0
	case r.bad >= 0:
		out.Fault, out.InHead = int64(r.bad), true
		return 0
	}
	for _, name := range r.fields {
		out.Names = append(out.Names, strings.TrimPrefix(name, field(contracts.Text, "")))
	}
	out.Width = len(out.Names)
	if r.end == len(d.doc) {
		return r.end
	}
	return afterBreak(d.doc, r.end)
}

// judge is what becomes of a record where each must have so many fields.
func (d document) judge(r raw, width int, limit int64) Record {
	bytes := d.doc[r.start:r.end]
	rec := Record{Offset: int64(r.start), Length: int64(len(bytes)), Raw: clip(bytes, limit)}
	switch {
	case rec.Length > limit:
		rec.Rule = contracts.RuleLength
	case r.bad >= 0:
		rec.Rule = contracts.RuleSyntax
	case len(r.fields) != width:
		rec.Rule = contracts.RuleFields
	default:
		rec.Fields = r.fields
	}
	return rec
}

// is says whether what stands at i.
func (d document) is(i int, what string) bool {
	return what != "" && bytes.HasPrefix(d.doc[i:], []byte(what))
}

// records are those that start at or after from; open is where a quote opens that is never closed, or -1.
func (d document) records(from int) (all []raw, open int) {
	for i := from; i < len(d.doc); {
		switch {
		case isBreak(d.doc[i]):
			i++
		case d.is(i, d.f.Comment):
			i = lineEnd(d.doc, i)
		default:
			r, open := d.record(i)
			if open >= 0 {
				return all, open
			}
			all = append(all, r)
			i = r.end
		}
	}
	return all, -1
}

func (d document) record(start int) (r raw, open int) {
	r = raw{start: start, bad: -1}
	for i := start; ; {
		text, end, bad, open := d.field(i)
		if open >= 0 {
			return r, open
		}
		r.fields = append(r.fields, text)
		if r.bad < 0 {
			r.bad = bad
		}
		if !d.is(end, d.f.Delimiter) {
			r.end = end
			return r, -1
		}
		i = end + len(d.f.Delimiter)
	}
}

// field ends before a delimiter, a line break or the end of the document.
func (d document) field(i int) (text string, end, bad, open int) {
	if !d.is(i, d.f.Quote) {
		end = d.plainEnd(i)
		text = string(d.doc[i:end])
		if d.f.Trim {
			text = strings.Trim(text, " \t")
		}
		if slices.Contains(d.f.Null, text) {
			return field(contracts.Null, ""), end, -1, -1
		}
		return field(contracts.Text, text), end, -1, -1
	}
	value, after, closed := d.quoted(i + 1)
	end = after
	switch {
	case !closed && d.f.QuotedNewlines:
		return "", 0, -1, i
	case !closed:
		return field(contracts.Text, value), end, after, -1
	}
	if end = d.plainEnd(after); end != after {
		return field(contracts.Text, value), end, after, -1
	}
	return field(contracts.Text, value), end, -1, -1
}

// plainEnd is the next delimiter or line break at or after i.
func (d document) plainEnd(i int) int {
	end := lineEnd(d.doc, i)
	if n := bytes.Index(d.doc[i:end], []byte(d.f.Delimiter)); n >= 0 {
		return i + n
	}
	return end
}

// quoted reads a value from behind its opening quote; after is the first byte behind the closing one.
func (d document) quoted(i int) (value string, after int, closed bool) {
	var b strings.Builder
	for i < len(d.doc) {
		switch {
		case isBreak(d.doc[i]) && !d.f.QuotedNewlines:
			return b.String(), i, false
		case d.is(i, d.f.Quote) && d.f.Escape == d.f.Quote && d.is(i+1, d.f.Quote):
			b.WriteByte(d.doc[i])
			i += 2
		case d.is(i, d.f.Quote):
			return b.String(), i + 1, true
		case d.is(i, d.f.Escape) && i+1 < len(d.doc) && (d.f.QuotedNewlines || !isBreak(d.doc[i+1])):
			if !d.is(i+1, d.f.Quote) && !d.is(i+1, d.f.Escape) {
				b.WriteByte(d.doc[i])
			}
			b.WriteByte(d.doc[i+1])
			i += 2
		default:
			b.WriteByte(d.doc[i])
			i++
		}
	}
	return b.String(), i, false
}
