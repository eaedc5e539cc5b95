package cql

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math/big"
)

// compareDecimals orders by value: 1.0 and 1.00 are equal. It never writes an exponent out.
func compareDecimals(a, b []byte) int {
	na, nb := bigFrom(a[4:]), bigFrom(b[4:])
	if c := cmp.Compare(na.Sign(), nb.Sign()); c != 0 || na.Sign() == 0 {
		return c
	}
	da, ea := significant(na, a)
	db, eb := significant(nb, b)
	c := cmp.Compare(ea, eb)
	if c == 0 {
		c = bytes.Compare(da, db)
	}
	return c * na.Sign()
}

// significant are a decimal's digits without the zeros at its end, to be read as 0.digits × 10^exponent.
func significant(n *big.Int, value []byte) (digits []byte, exponent int64) {
	digits = new(big.Int).Abs(n).Append(nil, 10)
	exponent = int64(len(digits)) - int64(int32(binary.BigEndian.Uint32(value)))
	return bytes.TrimRight(digits, "0"), exponent
}

// AppendClusteringKey appends the value that stands for all that Cassandra takes for the same clustering key. The one
// type that has several is decimal: 1.0 and 1.00 name one row there. value is in the native protocol's encoding.
func (t Type) AppendClusteringKey(dst, value []byte) []byte {
	if t.Kind != Decimal || len(value) < 5 {
		return append(dst, value...)
	}
	n := bigFrom(value[4:])
	if n.Sign() == 0 {
		return append(dst, 0, 0, 0, 0, 0)
	}
	digits, exponent := significant(n, value)
	unscaled, _ := new(big.Int).SetString(string(digits), 10)
	if n.Sign() < 0 {
		unscaled.Neg(unscaled)
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(int64(len(digits))-exponent))
	return appendBig(dst, unscaled)
}
