package csv

import "bytes"

// step is the definition of the dialect: what a byte does in a state.
func (d *Dialect) step(s State, b byte) (State, action) {
	switch {
	case s == quoted || s == escaped:
		return d.inQuotes(s, b)
	case isBreak(b):
		return d.lineBreak(s)
	case s == comment:
		return comment, 0
	case s == RecordStart && int(b) == d.comment:
		return comment, 0
	case s == RecordStart:
		next, a := d.inField(fieldStart, b)
		return next, a | starts
	default:
		return d.inField(s, b)
	}
}

func isBreak(b byte) bool { return b == '\n' || b == '\r' }

// inQuotes: everything is the value's, but a quote, an escape and, where the dialect rules it out, a line break.
func (d *Dialect) inQuotes(s State, b byte) (State, action) {
	switch {
	case isBreak(b) && !d.newlines:
		return RecordStart, finishes | breaks
	case s == escaped:
		return quoted, 0
	case int(b) == d.escape:
		return escaped, escapes
	case int(b) == d.quote:
		return afterQuote, closes
	default:
		return quoted, 0
	}
}

// lineBreak ends a record outside quotes. Where none is under way, it is a blank line or ends a comment.
func (d *Dialect) lineBreak(s State) (State, action) {
	switch {
	case s == RecordStart || s == comment:
		return RecordStart, 0
	case s >= afterPartial:
		return RecordStart, finishes | garbage
	default:
		return RecordStart, finishes
	}
}

// inField: a quote opens as the first byte or is ordinary; a delimiter may be under way; after a closing quote nothing
// else is in order.
func (d *Dialect) inField(s State, b byte) (State, action) {
	switch {
	case s == fieldStart && int(b) == d.quote:
		return quoted, opens
	case s == afterQuote && d.doubled && int(b) == d.quote:
		return quoted, escapes
	}
	seen, closed := progress(s)
	matched := d.match(seen, b)
	switch {
	case matched == len(d.delimiter):
		return fieldStart, ends
	case closed && matched == seen+1:
		return afterPartial + State(matched) - 1, 0
	case closed && matched == 0:
		return unquoted, garbage
	case closed:
		return partial + State(matched) - 1, garbage
	case matched == 0:
		return unquoted, 0
	default:
		return partial + State(matched) - 1, 0
	}
}

// progress is how many bytes of the delimiter have been seen, and whether a closing quote came before them.
func progress(s State) (seen int, closed bool) {
	switch {
	case s >= afterPartial:
		return int(s-afterPartial) + 1, true
	case s >= partial:
		return int(s-partial) + 1, false
	default:
		return 0, s == afterQuote
	}
}

// match is the longest beginning of the delimiter that ends with b, seen bytes of it being there already.
func (d *Dialect) match(seen int, b byte) int {
	text := append(bytes.Clone(d.delimiter[:seen]), b)
	for n := len(text); n > 0; n-- {
		if bytes.HasSuffix(text, d.delimiter[:n]) {
			return n
		}
	}
	return 0
}

// end is what the end of the object does: it finishes a record as a line break would, but a quote that may span lines
// stays open.
func (d *Dialect) end(s State) (State, action) {
	if (s == quoted || s == escaped) && d.newlines {
		return s, 0
	}
	return d.step(s, '\n')
}

// inQuote says whether a quote that has opened may still be open.
func inQuote(s State) bool { return s == quoted || s == escaped || s == afterQuote }
