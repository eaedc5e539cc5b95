package cql

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/penstock-io/penstock/contracts"
)

// AppendJSON appends the bytes of a field as a format read it; dst is returned as it was where there is a problem. Text
// is taken as AppendText takes it, so strings may hold numbers, and collections as JSON. Numbers, true and false go
// where Cassandra's INSERT JSON takes them: an int column takes 1, not 1.0; a text column takes neither. Lists, sets,
// tuples and vectors are arrays, maps and user types objects; the keys of a map are strings in the text form of their
// type; of equal keys the last counts. A user type's missing fields are null; its keys are field names as they are, or
// in lower case. Nulls are allowed in tuples and user types only.
func (t Type) AppendJSON(dst []byte, kind contracts.FieldKind, b []byte) ([]byte, *Problem) {
	switch kind {
	case contracts.Text:
		return t.AppendText(dst, b)
	case contracts.Number:
		return t.appendNumber(dst, b)
	case contracts.Bool:
		if t.Kind != Boolean {
			return dst, typeProblem("found %s, a boolean: expected %s", b, t.jsonForm())
		}
		return appendBoolean(dst, b)
	case contracts.JSON:
		if t.Kind < List {
			return dst, typeProblem("found %s, %s: expected %s", quoted(b), jsonName(b), t.jsonForm())
		}
		return t.appendDocument(dst, b)
	default:
		return dst, typeProblem("found null: expected %s", t.jsonForm())
	}
}

func (t Type) appendNumber(dst, b []byte) ([]byte, *Problem) {
	switch t.Kind {
	case Int, BigInt, SmallInt, TinyInt, VarInt, Float, Double, Decimal:
		return t.AppendText(dst, b)
	case Timestamp:
		if digits, _ := unsign(b); isDigits(digits) {
			return t.AppendText(dst, b)
		}
		return dst, typeProblem("found %s: expected a string, or a whole number of milliseconds since 1970", quoted(b))
	default:
		return dst, typeProblem("found %s, a number: expected %s", quoted(b), t.jsonForm())
	}
}

// jsonForm says what a type looks like in JSON.
func (t Type) jsonForm() string {
	switch t.Kind {
	case Int, BigInt, SmallInt, TinyInt, VarInt, Float, Double, Decimal:
		return "a number for " + t.String()
	case Boolean:
		return "true or false for boolean"
	case Map, UDT:
		return "an object for " + t.String()
	case List, Set, Tuple, Vector:
		return "an array for " + t.String()
	default:
		return "a string for " + t.String()
	}
}

func jsonName(b []byte) string {
	if bytes.HasPrefix(b, []byte("{")) {
		return "an object"
	}
	return "an array"
}

// appendDocument takes a whole JSON text, which nobody has checked yet.
func (t Type) appendDocument(dst, text []byte) ([]byte, *Problem) {
	if !json.Valid(text) {
		return dst, t.invalidJSON(text)
	}
	v, _ := nextValue(text)
	out, p := t.appendValue(dst, v)
	if p != nil {
		return dst, p
	}
	return out, nil
}

func (t Type) invalidJSON(text []byte) *Problem {
	if len(bytes.TrimSpace(text)) == 0 {
		return mismatch(nil, "of type "+t.String(), "JSON, "+t.jsonForm())
	}
	var raw json.RawMessage
	var syntax *json.SyntaxError
	if err := json.Unmarshal(text, &raw); errors.As(err, &syntax) {
		return typeProblem("%s is not JSON at byte %d: %v: expected %s", quoted(text), syntax.Offset, err, t.jsonForm())
	}
	return typeProblem("%s is not JSON: expected %s", quoted(text), t.jsonForm())
}

// appendValue takes one value of a valid JSON text.
func (t Type) appendValue(dst, v []byte) ([]byte, *Problem) {
	switch v[0] {
	case '"':
		text, p := unquote(v)
		if p != nil {
			return dst, p
		}
		return t.AppendText(dst, text)
	case 'n':
		return dst, typeProblem("found null: expected %s", t.jsonForm())
	case 't', 'f':
		return t.AppendJSON(dst, contracts.Bool, v)
	case '[':
		return t.appendArray(dst, v)
	case '{':
		return t.appendObject(dst, v)
	default:
		return t.appendNumber(dst, v)
	}
}

// nextValue cuts the first value off a valid JSON text, and with it the blanks, comma or colon before it. value is nil
// where only a closing bracket is left.
func nextValue(text []byte) (value, rest []byte) {
	for len(text) > 0 && (isBlank(text[0]) || text[0] == ',' || text[0] == ':') {
		text = text[1:]
	}
	if len(text) == 0 || text[0] == ']' || text[0] == '}' {
		return nil, nil
	}
	end := valueEnd(text)
	return text[:end], text[end:]
}

func valueEnd(text []byte) int {
	switch text[0] {
	case '"':
		return stringEnd(text)
	case '[', '{':
		return nestedEnd(text)
	}
	for i, c := range text {
		if isBlank(c) || c == ',' || c == ']' || c == '}' {
			return i
		}
	}
	return len(text)
}

func stringEnd(text []byte) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(text)
}

func nestedEnd(text []byte) int {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			i += stringEnd(text[i:]) - 1
		case '[', '{':
			depth++
		case ']', '}':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(text)
}

// unquote reads a valid JSON string. It does what encoding/json does not: it refuses half of a surrogate pair, which
// would become another character.
func unquote(v []byte) ([]byte, *Problem) {
	inner := v[1 : len(v)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return inner, nil
	}
	out := make([]byte, 0, len(inner))
	for i := 0; i < len(inner); i++ {
		if inner[i] != '\\' {
			out = append(out, inner[i])
			continue
		}
		if i++; inner[i] != 'u' {
			out = append(out, unescape(inner[i]))
			continue
		}
		r, n := readRune(inner[i-1:])
		if n == 0 {
			return nil, &Problem{contracts.RuleEncoding, string(inner[i-1:i+5]) +
				" is half of a surrogate pair: expected both halves, such as \\ud83d\\ude00"}
		}
		out = utf8.AppendRune(out, r)
		i += n - 2
	}
	return out, nil
}

func unescape(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	default:
		return c
	}
}

// readRune reads \uXXXX, or two of them; n is 0 where one half of a pair stands alone.
func readRune(text []byte) (r rune, n int) {
	r = readHex4(text)
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	if pair := utf16.DecodeRune(r, readHex4(text[6:])); pair != utf8.RuneError {
		return pair, 12
	}
	return 0, 0
}

func readHex4(text []byte) rune {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0
	}
	n, _ := strconv.ParseUint(string(text[2:6]), 16, 32)
	return rune(n)
}
