// Package reference reads files as docs/interface.md defines their formats: the whole file at once, by searching and
// comparing, with no automaton, no chunks and no care for speed. Tests hold the product's readers against it.
//
// What must never happen: an import of the code that it judges.
package reference

import (
	"bytes"
	"strings"

	"github.com/penstock-io/penstock/contracts"
)

// Record is what one record must come to.
type Record struct {
	Offset int64
	Length int64
	Raw    string         // at most the limit
	Rule   contracts.Rule // "" for a record that can be read
	Fields []string       // FieldKind, colon, bytes; nil for a record that cannot be read
}

// File is what a file says. Records are all that come before the fault.
type File struct {
	Names      []string // of a CSV header; nil without one
	Width      int      // fields of a CSV header, or of the first record; 0 where there is neither
	DataOffset int64    // first byte after BOM, skipped lines and header
	Records    []Record
	Fault      int64 // byte at which the file cannot be read any further; -1 for none
	Quote      bool  // the fault is a quote that is never closed
	InHead     bool  // the fault comes before the data
}

const bom = "\xef\xbb\xbf"

// startsUTF16 says whether a file begins as UTF-16 does, which no format reads.
func startsUTF16(doc []byte) bool {
	return bytes.HasPrefix(doc, []byte("\xff\xfe")) || bytes.HasPrefix(doc, []byte("\xfe\xff"))
}

func isBreak(b byte) bool { return b == '\n' || b == '\r' }

// lineEnd is the place of the next line break at or after i, or the end.
func lineEnd(doc []byte, i int) int {
	for i < len(doc) && !isBreak(doc[i]) {
		i++
	}
	return i
}

// afterBreak is the first byte behind the line break at i; CRLF is one.
func afterBreak(doc []byte, i int) int {
	if bytes.HasPrefix(doc[i:], []byte("\r\n")) {
		return i + 2
	}
	return min(i+1, len(doc))
}

func clip(raw []byte, limit int64) string { return string(raw[:min(int64(len(raw)), limit)]) }

// field writes down a field.
func field(kind contracts.FieldKind, text string) string { return string('0'+rune(kind)) + ":" + text }

// Lines reads text: a record for each line that is not blank, with a field for each input.
func Lines(doc []byte, limit int64, parse func(line []byte) ([]string, contracts.Rule)) File {
	f := File{Fault: -1}
	if startsUTF16(doc) {
		f.Fault, f.InHead = 0, true
		return f
	}
	from := 0
	if bytes.HasPrefix(doc, []byte(bom)) {
		from = len(bom)
	}
	for from < len(doc) {
		end := lineEnd(doc, from)
		line := doc[from:end]
		r := Record{Offset: int64(from), Length: int64(len(line)), Raw: clip(line, limit)}
		from = end + 1
		switch {
		case r.Length > limit:
			r.Rule = contracts.RuleLength
		case strings.Trim(r.Raw, " \t") == "":
			continue
		default:
			r.Fields, r.Rule = parse(line)
		}
		f.Records = append(f.Records, r)
	}
	return f
}
