package cql

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
)

// compare orders two values of the type as Cassandra does, which is how sets and maps are stored.
func (t Type) compare(a, b []byte) int {
	switch t.Kind {
	case TinyInt, SmallInt, Int, BigInt, Timestamp:
		return cmp.Compare(readInt(a), readInt(b))
	case VarInt:
		return bigFrom(a).Cmp(bigFrom(b))
	case Decimal:
		return compareDecimals(a, b)
	case Float, Double:
		return compareFloats(readFloat(a), readFloat(b))
	case UUID:
		return compareUUIDs(a, b)
	case TimeUUID:
		return compareTimeUUIDs(a, b)
	case List, Set:
		return compareSequences(a[4:], b[4:], func(int) Type { return t.Elems[0] })
	case Map:
		return compareSequences(a[4:], b[4:], func(i int) Type { return t.Elems[i%2] })
	case Tuple, UDT:
		return compareSequences(a, b, func(i int) Type { return t.Elems[i] })
	case Vector:
		return t.compareVectors(a, b)
	default:
		return bytes.Compare(a, b)
	}
}

// readInt reads a big-endian integer of up to eight bytes with its sign.
func readInt(b []byte) int64 {
	n := int64(0)
	for i, c := range b {
		if i == 0 {
			n = int64(int8(c))
			continue
		}
		n = n<<8 | int64(c)
	}
	return n
}

func readFloat(b []byte) float64 {
	if len(b) == 4 {
		return float64(math.Float32frombits(binary.BigEndian.Uint32(b)))
	}
	return math.Float64frombits(binary.BigEndian.Uint64(b))
}

// compareFloats is Java's order: -0 before 0, NaN last.
func compareFloats(a, b float64) int {
	switch {
	case math.IsNaN(a) || math.IsNaN(b):
		return -cmp.Compare(a, b) // cmp has NaN first
	case a == b && a == 0:
		return cmp.Compare(signRank(a), signRank(b))
	default:
		return cmp.Compare(a, b)
	}
}

func signRank(f float64) int {
	if math.Signbit(f) {
		return 0
	}
	return 1
}

// compareUUIDs orders by version, then version 1 by time, then by bytes.
func compareUUIDs(a, b []byte) int {
	if c := cmp.Compare(a[6]>>4, b[6]>>4); c != 0 {
		return c
	}
	if a[6]>>4 == 1 {
		if c := cmp.Compare(uuidTime(a), uuidTime(b)); c != 0 {
			return c
		}
		return bytes.Compare(a[8:], b[8:])
	}
	return bytes.Compare(a, b)
}

// compareTimeUUIDs orders by time, then by signed bytes, as Cassandra's oldest versions did.
func compareTimeUUIDs(a, b []byte) int {
	if c := cmp.Compare(uuidTime(a), uuidTime(b)); c != 0 {
		return c
	}
	for i := 8; i < 16; i++ {
		if c := cmp.Compare(int8(a[i]), int8(b[i])); c != 0 {
			return c
		}
	}
	return 0
}

func uuidTime(b []byte) uint64 {
	low, mid, high := binary.BigEndian.Uint32(b), binary.BigEndian.Uint16(b[4:]), binary.BigEndian.Uint16(b[6:])
	return uint64(high&0x0fff)<<48 | uint64(mid)<<32 | uint64(low)
}

// compareSequences orders sized values one by one; null comes first, and so does the shorter of two that agree.
func compareSequences(a, b []byte, elem func(i int) Type) int {
	for i := 0; len(a) > 0 && len(b) > 0; i++ {
		var va, vb Value
		va, a = NextValue(a)
		vb, b = NextValue(b)
		switch {
		case va.Null() && vb.Null():
			continue
		case va.Null():
			return -1
		case vb.Null():
			return 1
		}
		if c := elem(i).compare(va.Bytes, vb.Bytes); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a), len(b))
}

func (t Type) compareVectors(a, b []byte) int {
	for range t.Dim {
		var va, vb []byte
		va, a = t.coordinate(a)
		vb, b = t.coordinate(b)
		if c := t.Elems[0].compare(va, vb); c != 0 {
			return c
		}
	}
	return 0
}

// coordinate cuts the first element off a vector's bytes; value is nil where they end too early.
func (t Type) coordinate(b []byte) (value, rest []byte) {
	size, n := uint64(t.Elems[0].fixedLength()), 0
	if size == 0 {
		if size, n = readVint(b); n == 0 {
			return nil, nil
		}
	}
	if b = b[n:]; uint64(len(b)) < size {
		return nil, nil
	}
	return b[:size:size], b[size:]
}
