package verify

import (
	"bytes"
	"encoding/hex"
	"unicode/utf8"

	"github.com/penstock-io/penstock/cql"
)

// judge compares a cell with what a record made of it at a time. A deletion leaves no time in Cassandra, so a null
// where a value belongs is missing until somebody finds what deleted it.
func judge(column cql.Column, want cql.Value, at int64, found cql.Value, foundAt int64) Verdict {
	switch {
	case foundAt > at:
		return Superseded
	case want.Bytes == nil && found.Bytes == nil:
		return Right
	case foundAt == 0 && column.Type.Multi() && same(column.Type, want.Bytes, found.Bytes):
		return Right // before Cassandra 5 nobody knows when
	case foundAt < at:
		return Missing
	case want.Bytes != nil && same(column.Type, want.Bytes, found.Bytes):
		return Right
	default:
		return Differs
	}
}

// same says that two values are one to a database: SQLite drops the sign of a zero, and a user type may have gained
// fields at its end since the value was written.
func same(t cql.Type, want, found []byte) bool {
	switch {
	case found == nil:
		return false
	case bytes.Equal(want, found):
		return true
	case t.Kind == cql.Float || t.Kind == cql.Double:
		return isZero(want) && isZero(found)
	case t.Kind == cql.UDT:
		return bytes.Equal(withoutNulls(want), withoutNulls(found))
	default:
		return false
	}
}

// isZero knows a floating-point zero of either sign.
func isZero(b []byte) bool {
	return len(b) > 0 && b[0]&0x7f == 0 && len(bytes.Trim(b[1:], "\x00")) == 0
}

// withoutNulls cuts the null fields off a user type's end.
func withoutNulls(b []byte) []byte {
	end := 0
	for rest := b; len(rest) >= 4; {
		var v cql.Value
		v, rest = cql.NextValue(rest)
		if v.Bytes != nil {
			end = len(b) - len(rest)
		}
	}
	return b[:end]
}

// maxText bounds a value that a result shows, in bytes.
const maxText = 256

// text is a value in canonical text, cut where it is long; nil for none.
func text(t cql.Type, value []byte) *string {
	if value == nil {
		return nil
	}
	out, err := t.AppendCanonical(nil, value)
	if err != nil {
		out = hex.AppendEncode([]byte("0x"), value)
	}
	if len(out) > maxText {
		end := maxText
		for end > maxText-utf8.UTFMax && !utf8.RuneStart(out[end]) {
			end--
		}
		out = append(out[:end], "…"...)
	}
	s := string(out)
	return &s
}

// keyText is a row's key by the names of its columns.
func keyText(t cql.Table, key []byte) map[string]string {
	named := map[string]string{}
	for i := 0; len(key) > 0; i++ {
		var v cql.Value
		v, key = cql.NextValue(key)
		named[t.Columns[i].Name] = *text(t.Columns[i].Type, v.Bytes)
	}
	return named
}
