package csv

import (
	"bytes"
	"fmt"

	"github.com/penstock-io/penstock/chunk/internal/lines"
	"github.com/penstock-io/penstock/contracts"
)

// problem says why the record under way cannot be read; nil where it can.
func (r *Reader) problem() *contracts.Problem {
	switch {
	case r.rec.Length > r.o.MaxRecord:
		return lines.TooLong(r.rec.Length, r.o.MaxRecord)
	case r.bad >= 0 && r.broke:
		return r.unclosed()
	case r.bad >= 0:
		return r.afterQuote()
	case r.count != r.bind.Width:
		return &contracts.Problem{
			Rule:   contracts.RuleFields,
			Reason: fmt.Sprintf("found %s, expected %d", fields(r.count), r.bind.Width),
		}
	default:
		return nil
	}
}

func fields(n int) string {
	if n == 1 {
		return "1 field"
	}
	return fmt.Sprintf("%d fields", n)
}

// afterQuote: bytes stand between a closing quote and the delimiter. They are the value shown.
func (r *Reader) afterQuote() *contracts.Problem {
	rest := r.rec.Raw[r.bad:]
	if i := bytes.Index(rest, r.d.delimiter); i >= 0 {
		rest = rest[:i]
	}
	return &contracts.Problem{
		Rule:  contracts.RuleSyntax,
		Value: lines.Clip(rest),
		Reason: fmt.Sprintf("byte %d of the record: found %s after a closing quote, expected the delimiter %q or a line "+
			"break", r.bad, show(r.rec.Raw[r.bad:]), r.d.format.Delimiter),
	}
}

// unclosed: a line ended inside quotes in a dialect without quoted line breaks.
func (r *Reader) unclosed() *contracts.Problem {
	open := int(r.open - r.at)
	return &contracts.Problem{
		Rule:  contracts.RuleSyntax,
		Value: lines.Clip(r.rec.Raw[open:]),
		Reason: fmt.Sprintf("byte %d of the record: quote is not closed when the line ends, and csv.quoted_newlines is "+
			"false", open),
	}
}

// show quotes the first byte, or what a record ends with.
func show(b []byte) string {
	if len(b) == 0 {
		return "the end of the record"
	}
	return fmt.Sprintf("%q", b[:1])
}
