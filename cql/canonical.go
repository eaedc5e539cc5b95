package cql

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"net/netip"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/penstock-io/penstock/contracts"
)

// AppendCanonical appends the one text form of a value in the native protocol's bytes: AppendText reads it back to the
// same bytes. Timestamps are ISO 8601 in UTC with milliseconds, times have nine decimals, blobs are 0x and hex,
// decimals keep their scale, durations are Cassandra's, collections, tuples, user types and vectors JSON. Bytes that
// are none of the type's are an error (KindInput); dst is then returned as it was.
func (t Type) AppendCanonical(dst, value []byte) ([]byte, error) {
	out, ok := t.appendCanonical(dst, value)
	if !ok {
		shown := value[:min(len(value), maxQuoted)]
		return dst, contracts.Errorf(contracts.KindInput, "0x%x (%d bytes) is no %s in the native protocol's encoding",
			shown, len(value), t)
	}
	return out, nil
}

func (t Type) appendCanonical(dst, v []byte) ([]byte, bool) {
	if size := t.scalarSize(); size > 0 && len(v) != size {
		return dst, false
	}
	switch t.Kind {
	case Text, ASCII:
		return append(dst, v...), true
	case TinyInt, SmallInt, Int, BigInt, Counter:
		return strconv.AppendInt(dst, readInt(v), 10), true
	case Float, Double:
		return appendFloatText(dst, readFloat(v), 8*len(v)), true
	case Boolean:
		return strconv.AppendBool(dst, v[0] != 0), true
	case Blob:
		return hex.AppendEncode(append(dst, "0x"...), v), true
	case UUID, TimeUUID:
		return appendUUIDText(dst, v), true
	case Timestamp:
		return appendInstant(dst, time.UnixMilli(readInt(v)).UTC(), true), true
	case Date:
		days := int64(binary.BigEndian.Uint32(v)) - epochDay
		return appendInstant(dst, time.Unix(days*secondsPerDay, 0).UTC(), false), true
	case Time:
		return appendClockText(dst, readInt(v))
	case VarInt:
		return bigFrom(v).Append(dst, 10), len(v) > 0
	case Decimal:
		return appendDecimalText(dst, v)
	case Inet:
		addr, ok := netip.AddrFromSlice(v)
		return addr.AppendTo(dst), ok
	case Duration:
		s, ok := readSpan(v)
		return s.appendText(dst), ok
	default:
		return t.appendJSONText(dst, v)
	}
}

// scalarSize is the one length that a scalar type's values have; 0 for other types.
func (t Type) scalarSize() int {
	switch t.Kind {
	case TinyInt, Boolean:
		return 1
	case SmallInt:
		return 2
	case Int, Date, Float:
		return 4
	case BigInt, Counter, Double, Time, Timestamp:
		return 8
	case UUID, TimeUUID:
		return 16
	default:
		return 0
	}
}

// appendFloatText writes the shortest digits that read back the same, as JavaScript lays them out.
func appendFloatText(dst []byte, f float64, bitSize int) []byte {
	abs := math.Abs(f)
	switch {
	case math.IsNaN(f):
		return append(dst, "NaN"...)
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	case abs != 0 && (abs < 1e-6 || abs >= 1e21):
		return strconv.AppendFloat(dst, f, 'e', -1, bitSize)
	default:
		return strconv.AppendFloat(dst, f, 'f', -1, bitSize)
	}
}

func appendUUIDText(dst, v []byte) []byte {
	for i, end := range [...]int{4, 6, 8, 10, 16} {
		if i > 0 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, v[[...]int{0, 4, 6, 8, 10}[i]:end])
	}
	return dst
}

// appendInstant writes a day, and its time where clock is set. Years beyond four digits carry a sign, as in ISO 8601.
func appendInstant(dst []byte, t time.Time, clock bool) []byte {
	year := t.Year()
	switch {
	case year < 0:
		dst = append(dst, '-')
		year = -year
	case year > 9999:
		dst = append(dst, '+')
	}
	dst = appendPadded(dst, int64(year), 4)
	if clock {
		return t.AppendFormat(dst, "-01-02T15:04:05.000Z")
	}
	return t.AppendFormat(dst, "-01-02")
}

func appendPadded(dst []byte, n int64, width int) []byte {
	for limit := int64(10); width > 1; width-- {
		if n < limit {
			dst = append(dst, '0')
		}
		limit *= 10
	}
	return strconv.AppendInt(dst, n, 10)
}

func appendClockText(dst []byte, nanos int64) ([]byte, bool) {
	if nanos < 0 || nanos >= secondsPerDay*1e9 {
		return dst, false
	}
	return time.Unix(0, nanos).UTC().AppendFormat(dst, "15:04:05.000000000"), true
}

// appendDecimalText is BigDecimal's toString: it keeps the scale.
func appendDecimalText(dst, v []byte) ([]byte, bool) {
	if len(v) < 5 {
		return dst, false
	}
	scale := int64(int32(binary.BigEndian.Uint32(v)))
	n := bigFrom(v[4:])
	if n.Sign() < 0 {
		dst = append(dst, '-')
		n.Neg(n)
	}
	digits := n.Append(nil, 10)
	exponent := int64(len(digits)) - 1 - scale
	switch {
	case scale == 0:
		return append(dst, digits...), true
	case scale > 0 && exponent >= -6:
		return appendPoint(dst, digits, int(scale)), true
	}
	dst = append(dst, digits[0])
	if len(digits) > 1 {
		dst = append(append(dst, '.'), digits[1:]...)
	}
	dst = append(dst, 'E')
	if exponent >= 0 {
		dst = append(dst, '+')
	}
	return strconv.AppendInt(dst, exponent, 10), true
}

// appendPoint writes digits with a point before the last scale of them.
func appendPoint(dst, digits []byte, scale int) []byte {
	whole := len(digits) - scale
	if whole > 0 {
		dst = append(dst, digits[:whole]...)
		return append(append(dst, '.'), digits[whole:]...)
	}
	dst = append(dst, "0."...)
	for ; whole < 0; whole++ {
		dst = append(dst, '0')
	}
	return append(dst, digits...)
}

// appendQuoted writes a JSON string.
func appendQuoted(dst, text []byte) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < ' ':
			dst = append(dst, `\u00`...)
			dst = hex.AppendEncode(dst, text[i:i+1])
		case c < utf8.RuneSelf:
			dst = append(dst, c)
		default:
			r, size := utf8.DecodeRune(text[i:])
			dst = utf8.AppendRune(dst, r)
			i += size - 1
		}
		i++
	}
	return append(dst, '"')
}
