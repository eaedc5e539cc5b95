package sqlite

import (
	"database/sql/driver"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/penstock-io/penstock/cql"
)

// declared is a column's type in CREATE TABLE. All that are not numbers have text affinity or none, so that SQLite
// converts nothing; INTEGER is avoided because a sole key of that type would become the rowid.
func declared(t cql.Type) string {
	switch t.Kind {
	case cql.TinyInt, cql.SmallInt, cql.Int, cql.BigInt:
		return map[cql.Kind]string{
			cql.TinyInt: "TINYINT", cql.SmallInt: "SMALLINT", cql.Int: "INT", cql.BigInt: "BIGINT",
		}[t.Kind]
	case cql.Float:
		return "FLOAT"
	case cql.Double:
		return "DOUBLE"
	case cql.Boolean:
		return "BOOLEAN"
	case cql.Timestamp:
		return "TIMESTAMP"
	case cql.Blob:
		return "BLOB"
	default:
		return "TEXT"
	}
}

// storage is how values of a type rest in SQLite.
func storage(t cql.Type) string {
	switch t.Kind {
	case cql.TinyInt, cql.SmallInt, cql.Int, cql.BigInt, cql.Boolean:
		return "integer"
	case cql.Float, cql.Double:
		return "real"
	case cql.Blob:
		return "blob"
	default:
		return "text"
	}
}

// toSQL makes a native value what SQLite stores; nil is NULL. The bytes of b may be reused after the call but for
// blobs, which must live until the statement has run.
func toSQL(t cql.Type, b []byte) (driver.Value, error) {
	switch t.Kind {
	case cql.Text, cql.ASCII:
		return string(b), nil
	case cql.Blob:
		return b, nil
	}
	if len(b) == 0 {
		return "", nil // the empty value that Cassandra knows for most types
	}
	switch storage(t) {
	case "integer":
		return integer(t, b)
	case "real":
		return real(t, b)
	}
	text, err := t.AppendCanonical(nil, b)
	return string(text), err
}

func integer(t cql.Type, b []byte) (driver.Value, error) {
	if err := width(t, b); err != nil {
		return nil, err
	}
	n := int64(int8(b[0]))
	for _, c := range b[1:] {
		n = n<<8 | int64(c)
	}
	return n, nil
}

// real keeps NaN as text, since SQLite would take it for NULL, and drops the sign of a zero, as SQLite would.
func real(t cql.Type, b []byte) (driver.Value, error) {
	if err := width(t, b); err != nil {
		return nil, err
	}
	f := math.Float64frombits(fixed(b))
	if t.Kind == cql.Float {
		f = float64(math.Float32frombits(uint32(fixed(b))))
	}
	switch {
	case math.IsNaN(f):
		return "NaN", nil
	case f == 0:
		return 0.0, nil
	default:
		return f, nil
	}
}

func fixed(b []byte) uint64 {
	n := uint64(0)
	for _, c := range b {
		n = n<<8 | uint64(c)
	}
	return n
}

func width(t cql.Type, b []byte) error {
	if n := widths[t.Kind]; n != len(b) {
		return fmt.Errorf("a value of %d bytes, expected the %d of a %s", len(b), n, t)
	}
	return nil
}

var widths = map[cql.Kind]int{
	cql.Boolean: 1, cql.TinyInt: 1, cql.SmallInt: 2, cql.Int: 4, cql.BigInt: 8, cql.Float: 4, cql.Double: 8,
}

// fromSQL makes what SQLite stores a native value; NULL is nil.
func fromSQL(t cql.Type, v driver.Value) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case []byte:
		return append([]byte{}, v...), nil
	case int64:
		return fromNumber(t, float64(v), v)
	case float64:
		return fromNumber(t, v, int64(v))
	case string:
		return fromText(t, v)
	default:
		return nil, fmt.Errorf("SQLite returned a %T for a %s", v, t)
	}
}

func fromNumber(t cql.Type, f float64, n int64) ([]byte, error) {
	switch storage(t) {
	case "integer":
		b := binary.BigEndian.AppendUint64(nil, uint64(n))
		return b[8-widths[t.Kind]:], nil
	case "real":
		if t.Kind == cql.Float {
			return binary.BigEndian.AppendUint32(nil, math.Float32bits(float32(f))), nil
		}
		return binary.BigEndian.AppendUint64(nil, math.Float64bits(f)), nil
	default:
		return nil, fmt.Errorf("SQLite returned the number %v for a %s", f, t)
	}
}

func fromText(t cql.Type, s string) ([]byte, error) {
	if t.Kind == cql.Text || t.Kind == cql.ASCII || s == "" {
		return append([]byte{}, s...), nil
	}
	b, p := t.AppendText([]byte{}, []byte(s))
	if p != nil {
		return nil, fmt.Errorf("text %q of a %s: %w", s, t, p)
	}
	return b, nil
}

// deletes says that Cassandra takes a value for a null: an unfrozen collection or user type without any element.
func deletes(t cql.Type, b []byte) bool {
	if !t.Multi() {
		return false
	}
	if t.Kind != cql.UDT {
		return len(b) < 4 || fixed(b[:4]) == 0
	}
	for len(b) >= 4 {
		var v cql.Value
		if v, b = cql.NextValue(b); v.Bytes != nil {
			return false
		}
	}
	return true
}
