package cql

import "encoding/binary"

// appendJSONText writes a collection, tuple, user type or vector.
func (t Type) appendJSONText(dst, v []byte) ([]byte, bool) {
	switch t.Kind {
	case List, Set:
		return t.appendJSONList(dst, v)
	case Map:
		return t.appendJSONMap(dst, v)
	case Tuple:
		return t.appendJSONTuple(dst, v)
	case UDT:
		return t.appendJSONUDT(dst, v)
	case Vector:
		return t.appendJSONVector(dst, v)
	default:
		return dst, false
	}
}

// appendJSONValue writes a value as a part of a JSON text.
func (t Type) appendJSONValue(dst, v []byte) ([]byte, bool) {
	start := len(dst)
	dst, ok := t.appendCanonical(dst, v)
	if !ok || t.isBare(dst[start:]) {
		return dst, ok
	}
	return appendQuoted(dst[:start], append([]byte(nil), dst[start:]...)), true
}

// isBare says that a canonical text is JSON as it stands.
func (t Type) isBare(text []byte) bool {
	switch t.Kind {
	case TinyInt, SmallInt, Int, BigInt, Counter, VarInt, Decimal, Boolean, List, Set, Map, Tuple, UDT, Vector:
		return true
	case Float, Double:
		last := text[len(text)-1]
		return last >= '0' && last <= '9'
	default:
		return false
	}
}

// nextSized cuts a value with its length off bytes that nobody has checked. null is true where the value is.
func nextSized(b []byte) (value, rest []byte, null, ok bool) {
	if len(b) < 4 {
		return nil, nil, false, false
	}
	n, rest := int32(binary.BigEndian.Uint32(b)), b[4:]
	switch {
	case n < 0:
		return nil, rest, true, true
	case int(n) > len(rest):
		return nil, nil, false, false
	default:
		return rest[:n:n], rest[n:], false, true
	}
}

// countOf reads a collection's count.
func countOf(v []byte) (n int, rest []byte, ok bool) {
	if len(v) < 4 {
		return 0, nil, false
	}
	return int(int32(binary.BigEndian.Uint32(v))), v[4:], true
}

func (t Type) appendJSONList(dst, v []byte) ([]byte, bool) {
	n, v, ok := countOf(v)
	dst = append(dst, '[')
	for i := 0; ok && i < n; i++ {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst, v, ok = t.Elems[0].appendJSONSized(dst, v)
	}
	return append(dst, ']'), ok && len(v) == 0
}

// appendJSONSized writes the first of several values with their lengths, which must not be null.
func (t Type) appendJSONSized(dst, b []byte) (out, rest []byte, ok bool) {
	value, rest, null, ok := nextSized(b)
	if !ok || null {
		return dst, nil, false
	}
	dst, ok = t.appendJSONValue(dst, value)
	return dst, rest, ok
}

func (t Type) appendJSONMap(dst, v []byte) ([]byte, bool) {
	n, v, ok := countOf(v)
	dst = append(dst, '{')
	for i := 0; ok && i < n; i++ {
		if i > 0 {
			dst = append(dst, ',')
		}
		var key []byte
		var null bool
		if key, v, null, ok = nextSized(v); !ok || null {
			return dst, false
		}
		if key, ok = t.Elems[0].appendCanonical(nil, key); !ok {
			return dst, false
		}
		dst = append(appendQuoted(dst, key), ':')
		dst, v, ok = t.Elems[1].appendJSONSized(dst, v)
	}
	return append(dst, '}'), ok && len(v) == 0
}

// appendJSONMember writes a member of a tuple or user type. Members that were added to the type later are null.
func (t Type) appendJSONMember(dst, b []byte) (out, rest []byte, ok bool) {
	if len(b) == 0 {
		return append(dst, "null"...), nil, true
	}
	value, rest, null, ok := nextSized(b)
	if !ok || null {
		return append(dst, "null"...), rest, ok
	}
	dst, ok = t.appendJSONValue(dst, value)
	return dst, rest, ok
}

func (t Type) appendJSONTuple(dst, v []byte) ([]byte, bool) {
	var ok bool
	sep := byte('[')
	for _, e := range t.Elems {
		dst = append(dst, sep)
		if dst, v, ok = e.appendJSONMember(dst, v); !ok {
			return dst, false
		}
		sep = ','
	}
	return append(dst, ']'), len(v) == 0
}

func (t Type) appendJSONUDT(dst, v []byte) ([]byte, bool) {
	var ok bool
	dst = append(dst, '{')
	for i, e := range t.Elems {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendQuoted(dst, []byte(t.Fields[i])), ':')
		if dst, v, ok = e.appendJSONMember(dst, v); !ok {
			return dst, false
		}
	}
	return append(dst, '}'), len(v) == 0
}

func (t Type) appendJSONVector(dst, v []byte) ([]byte, bool) {
	sep := byte('[')
	for range t.Dim {
		value, rest := t.coordinate(v)
		if value == nil {
			return dst, false
		}
		var ok bool
		if dst, ok = t.Elems[0].appendJSONValue(append(dst, sep), value); !ok {
			return dst, false
		}
		v, sep = rest, ','
	}
	return append(dst, ']'), len(v) == 0
}
