package cql

import (
	"encoding/binary"
	"errors"
	"math"
	"math/big"
	"strconv"

	"github.com/penstock-io/penstock/contracts"
)

const (
	maxDigits = 4096   // of a varint or decimal: keeps hostile input from quadratic work
	maxScale  = 100000 // of a decimal, either way: 1e-100000 prints as 100 kB
)

// parseInt reads an optional sign and digits. ok is false where there is anything else, over where int64 is too small.
func parseInt(text []byte) (n int64, ok, over bool) {
	digits, negative := unsign(text)
	if !isDigits(digits) {
		return 0, false, false
	}
	var u uint64
	for i, c := range digits {
		if i >= 18 && u > (math.MaxUint64-9)/10 {
			return 0, true, true
		}
		u = u*10 + uint64(c-'0')
	}
	switch {
	case negative && u <= 1<<63:
		return -int64(u), true, false
	case !negative && u < 1<<63:
		return int64(u), true, false
	default:
		return 0, true, true
	}
}

func unsign(text []byte) (rest []byte, negative bool) {
	if len(text) > 0 && (text[0] == '-' || text[0] == '+') {
		return text[1:], text[0] == '-'
	}
	return text, false
}

func isDigits(text []byte) bool {
	for _, c := range text {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(text) > 0
}

// width is the number of bytes of a fixed-size integer type.
func (t Type) width() int {
	switch t.Kind {
	case TinyInt:
		return 1
	case SmallInt:
		return 2
	case Int:
		return 4
	default:
		return 8
	}
}

func (t Type) appendInt(dst, text []byte) ([]byte, *Problem) {
	n, ok, over := parseInt(text)
	if !ok {
		return dst, t.notInteger(text)
	}
	shift := 64 - 8*t.width()
	if over || n<<shift>>shift != n {
		limit := int64(math.MaxInt64) >> shift
		return dst, rangeProblem("%s is out of range for %s: expected %d to %d", quoted(text), t, -limit-1, limit)
	}
	switch t.width() {
	case 1:
		return append(dst, byte(n)), nil
	case 2:
		return binary.BigEndian.AppendUint16(dst, uint16(n)), nil
	case 4:
		return binary.BigEndian.AppendUint32(dst, uint32(n)), nil
	default:
		return binary.BigEndian.AppendUint64(dst, uint64(n)), nil
	}
}

// notInteger explains why a text is no integer; t is an integer type, varint included.
func (t Type) notInteger(text []byte) *Problem {
	name := kindNames[t.Kind]
	f, err := strconv.ParseFloat(string(text), 64)
	switch {
	case err == nil && math.IsNaN(f), err == nil && math.IsInf(f, 0):
		return rangeProblem("%s: %s has no NaN and no Infinity: expected a whole number", quoted(text), name)
	case err == nil && isNumber(text):
		return typeProblem("%s is a number with a fraction or exponent, not of type %s: expected digits only, such as 42",
			quoted(text), name)
	default:
		return mismatch(text, "of type "+name, "a whole number, such as 42 or -7, without separators")
	}
}

// isNumber keeps out what strconv takes and CQL does not: hex, underscores, inf.
func isNumber(text []byte) bool {
	for _, c := range text {
		if (c < '0' || c > '9') && c != '.' && c != '-' && c != '+' && c != 'e' && c != 'E' {
			return false
		}
	}
	return len(text) > 0
}

func (t Type) appendFloat(dst, text []byte) ([]byte, *Problem) {
	f, bitSize := 0.0, 64
	if t.Kind == Float {
		bitSize = 32
	}
	switch {
	case string(text) == "NaN":
		f = math.NaN()
	case string(text) == "Infinity":
		f = math.Inf(1)
	case string(text) == "-Infinity":
		f = math.Inf(-1)
	case !isNumber(text):
		return dst, t.notFloat(text)
	default:
		var err error
		if f, err = strconv.ParseFloat(string(text), bitSize); err != nil {
			return dst, t.floatProblem(text, err)
		}
	}
	return t.appendFloatBits(dst, f), nil
}

func (t Type) notFloat(text []byte) *Problem {
	return mismatch(text, "a "+kindNames[t.Kind], "a number such as 1.5 or -2e10, NaN, Infinity or -Infinity")
}

func (t Type) floatProblem(text []byte, err error) *Problem {
	if !errors.Is(err, strconv.ErrRange) {
		return t.notFloat(text)
	}
	limit := strconv.FormatFloat(math.MaxFloat64, 'g', -1, 64)
	if t.Kind == Float {
		limit = strconv.FormatFloat(math.MaxFloat32, 'g', -1, 32)
	}
	return rangeProblem("%s is out of range for %s: expected -%s to %s", quoted(text), t, limit, limit)
}

// appendFloatBits writes the one NaN that Java writes, so that NaN equals NaN byte by byte.
func (t Type) appendFloatBits(dst []byte, f float64) []byte {
	switch {
	case t.Kind == Float && math.IsNaN(f):
		return binary.BigEndian.AppendUint32(dst, 0x7fc00000)
	case t.Kind == Float:
		return binary.BigEndian.AppendUint32(dst, math.Float32bits(float32(f)))
	case math.IsNaN(f):
		return binary.BigEndian.AppendUint64(dst, 0x7ff8000000000000)
	default:
		return binary.BigEndian.AppendUint64(dst, math.Float64bits(f))
	}
}

func appendVarInt(dst, text []byte) ([]byte, *Problem) {
	t := Type{Kind: VarInt}
	n, ok, over := parseInt(text)
	switch {
	case !ok:
		return dst, t.notInteger(text)
	case !over:
		return appendShortest(dst, n), nil
	case len(text) > maxDigits:
		return dst, tooLong("varint", text)
	}
	b, _ := new(big.Int).SetString(string(text), 10)
	return appendBig(dst, b), nil
}

func tooLong(kind string, text []byte) *Problem {
	return rangeProblem("%s… has %d digits: expected at most %d in a %s", quoted(text[:16]), len(text), maxDigits, kind)
}

// appendShortest writes n in two's complement with as few bytes as keep its sign.
func appendShortest(dst []byte, n int64) []byte {
	size := 8
	for size > 1 && n<<(64-8*(size-1))>>(64-8*(size-1)) == n {
		size--
	}
	for i := size - 1; i >= 0; i-- {
		dst = append(dst, byte(n>>(8*i)))
	}
	return dst
}

// appendBig is appendShortest for numbers of any size.
func appendBig(dst []byte, n *big.Int) []byte {
	if n.IsInt64() {
		return appendShortest(dst, n.Int64())
	}
	if n.Sign() > 0 {
		b := n.Bytes()
		if b[0] >= 0x80 {
			dst = append(dst, 0)
		}
		return append(dst, b...)
	}
	// -n-1 has the inverted bits of n's two's complement.
	b := new(big.Int).Not(n).Bytes()
	if b[0] >= 0x80 {
		dst = append(dst, 0xff)
	}
	for _, c := range b {
		dst = append(dst, ^c)
	}
	return dst
}

// bigFrom reads two's complement back.
func bigFrom(b []byte) *big.Int {
	n := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return n
}

// decimalParts are the pieces of 12.50e3: digits 1250 (as two slices around the point) and a scale of 2-3.
type decimalParts struct {
	negative    bool
	whole, frac []byte
	exponent    int64
}

func splitDecimal(text []byte) (d decimalParts, ok bool) {
	d.whole, d.negative = unsign(text)
	for i, c := range d.whole {
		if c|0x20 == 'e' {
			n, isInt, over := parseInt(d.whole[i+1:])
			if !isInt || over {
				n = math.MaxInt32
			}
			d.exponent, d.whole, ok = n, d.whole[:i], isInt
			if !ok {
				return d, false
			}
			break
		}
	}
	for i, c := range d.whole {
		if c == '.' {
			d.whole, d.frac = d.whole[:i], d.whole[i+1:]
			break
		}
	}
	return d, len(d.whole)+len(d.frac) > 0 &&
		(len(d.whole) == 0 || isDigits(d.whole)) && (len(d.frac) == 0 || isDigits(d.frac))
}

func appendDecimal(dst, text []byte) ([]byte, *Problem) {
	d, ok := splitDecimal(text)
	digits := len(d.whole) + len(d.frac)
	scale := int64(len(d.frac)) - d.exponent
	switch {
	case !ok:
		return dst, notDecimal(text)
	case digits > maxDigits:
		return dst, tooLong("decimal", text)
	case scale > maxScale || scale < -maxScale:
		return dst, rangeProblem("%s: the exponent is out of range: expected a scale of -%d to %d",
			quoted(text), maxScale, maxScale)
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(int32(scale)))
	if digits > 18 {
		return appendBig(dst, d.big()), nil
	}
	return appendShortest(dst, d.small()), nil
}

func notDecimal(text []byte) *Problem {
	word, _ := unsign(text)
	if isFold(word, "nan") || isFold(word, "infinity") || isFold(word, "inf") {
		return &Problem{contracts.RuleRange, quoted(text) + ": decimal has no NaN and no Infinity: expected a number"}
	}
	return mismatch(text, "a decimal", "a number such as 12.50 or 1e3")
}

func (d decimalParts) small() int64 {
	n := int64(0)
	for _, part := range [...][]byte{d.whole, d.frac} {
		for _, c := range part {
			n = n*10 + int64(c-'0')
		}
	}
	if d.negative {
		return -n
	}
	return n
}

func (d decimalParts) big() *big.Int {
	n, _ := new(big.Int).SetString(string(d.whole)+string(d.frac), 10)
	if d.negative {
		n.Neg(n)
	}
	return n
}
