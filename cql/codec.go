package cql

import (
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/penstock-io/penstock/contracts"
)

// Problem is a value that is not one of its type.
type Problem struct {
	Rule   contracts.Rule // type, range or encoding
	Reason string         // what was expected, and an example of it
}

func (p *Problem) Error() string { return p.Reason }

// AppendText appends the native protocol's bytes of a value in its text form (that of Cassandra's INSERT JSON); dst is
// returned as it was where there is a problem. Scalars are appended without an allocation, but for IPv6 addresses and
// for numbers of more than 18 digits.
//
//   - integers: an optional sign and digits; varint up to 4096 digits
//   - float, double: digits, point, exponent; NaN, Infinity, -Infinity
//   - decimal: as BigDecimal, up to 4096 digits and a scale within ±100000
//   - boolean: true, false, 1, 0, in any case
//   - text, varchar, ascii: as they are, but for invalid UTF-8 and NUL bytes
//   - blob: 0x and hex digits
//   - uuid, timeuuid: 8-4-4-4-12 hex digits; timeuuid of version 1 only
//   - inet: an IPv4 or IPv6 address
//   - timestamp: 2026-01-31, 2026-01-31T10:00[:00[.000]][Z|+hh:mm|+hhmm|+hh], a blank for the T, UTC where no zone is
//     given; or milliseconds since 1970. Digits behind the milliseconds are dropped
//   - date: 2026-01-31, or Cassandra's days, where 2147483648 is 1970-01-01, for the years 0 to 9999
//   - time: 10:00:00[.000000000]
//   - duration: 1h30m, P1Y2M10DT2H30M, P2W, P0001-02-10T02:30:00
//   - collections, tuples, user types, vectors: JSON, as AppendJSON takes it
func (t Type) AppendText(dst, text []byte) ([]byte, *Problem) {
	switch t.Kind {
	case Text, ASCII:
		return appendString(dst, text, t.Kind == ASCII)
	case Int, BigInt, SmallInt, TinyInt:
		return t.appendInt(dst, text)
	case Float, Double:
		return t.appendFloat(dst, text)
	case Boolean:
		return appendBoolean(dst, text)
	case Blob:
		return appendBlob(dst, text)
	case UUID, TimeUUID:
		return t.appendUUID(dst, text)
	case Inet:
		return appendInet(dst, text)
	case Timestamp:
		return TimeLayout{}.Append(dst, text)
	case Date:
		return appendDate(dst, text)
	case Time:
		return appendTime(dst, text)
	case Duration:
		return appendDuration(dst, text)
	case VarInt:
		return appendVarInt(dst, text)
	case Decimal:
		return appendDecimal(dst, text)
	case List, Set, Map, Tuple, UDT, Vector:
		return t.appendDocument(dst, text)
	default:
		return dst, t.unsupported()
	}
}

func (t Type) unsupported() *Problem {
	return typeProblem("a %s cannot be written with INSERT: expected a column of another type", t)
}

func typeProblem(format string, args ...any) *Problem {
	return &Problem{Rule: contracts.RuleType, Reason: fmt.Sprintf(format, args...)}
}

func rangeProblem(format string, args ...any) *Problem {
	return &Problem{Rule: contracts.RuleRange, Reason: fmt.Sprintf(format, args...)}
}

// mismatch is the usual type problem; it tells blanks and emptiness apart from other mistakes, since they are common.
func mismatch(text []byte, what, expected string) *Problem {
	switch {
	case len(text) == 0:
		return typeProblem(`an empty text is not %s: expected %s (to read it as null, list "" under null)`, what, expected)
	case isBlank(text[0]) || isBlank(text[len(text)-1]):
		return typeProblem("%s has blanks around it: expected %s (csv.trim drops blanks)", quoted(text), expected)
	default:
		return typeProblem("%s is not %s: expected %s", quoted(text), what, expected)
	}
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

const maxQuoted = 64 // bytes of a value that a reason repeats

// quoted writes the beginning of a value for a reason.
func quoted(text []byte) string {
	if start := beginning(text); len(start) < len(text) {
		return strconv.Quote(string(start)) + "…"
	}
	return strconv.Quote(string(text))
}

// beginning cuts a value between characters.
func beginning(text []byte) []byte {
	if len(text) <= maxQuoted {
		return text
	}
	end := maxQuoted
	for end > maxQuoted-utf8.UTFMax && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}
