package cql

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
)

// appendArray takes a JSON array for a list, set, tuple or vector.
func (t Type) appendArray(dst, v []byte) ([]byte, *Problem) {
	switch t.Kind {
	case List, Set:
		return t.appendElements(dst, v[1:])
	case Tuple:
		return t.appendTuple(dst, v[1:])
	case Vector:
		return t.appendVector(dst, v[1:])
	default:
		return dst, typeProblem("found an array: expected %s", t.jsonForm())
	}
}

// appendObject takes a JSON object for a map or a user type.
func (t Type) appendObject(dst, v []byte) ([]byte, *Problem) {
	switch t.Kind {
	case Map:
		return t.appendMap(dst, v[1:])
	case UDT:
		return t.appendUDT(dst, v[1:])
	default:
		return dst, typeProblem("found an object: expected %s", t.jsonForm())
	}
}

// encoder appends one value's bytes.
type encoder func(dst []byte) ([]byte, *Problem)

// appendSized appends what encode appends, behind its length.
func appendSized(dst []byte, encode encoder) ([]byte, *Problem) {
	start := len(dst)
	dst, p := encode(append(dst, 0, 0, 0, 0))
	if p == nil {
		binary.BigEndian.PutUint32(dst[start:], uint32(len(dst)-start-4))
	}
	return dst, p
}

// inside names the place of a problem in its collection.
func (p *Problem) inside(format string, args ...any) *Problem {
	return &Problem{Rule: p.Rule, Reason: fmt.Sprintf(format, args...) + ": " + p.Reason}
}

func (t Type) appendElements(dst, elems []byte) ([]byte, *Problem) {
	b := beginEntries(dst, t, 1)
	for v, rest := nextValue(elems); v != nil; v, rest = nextValue(rest) {
		if p := b.add(func(dst []byte) ([]byte, *Problem) { return t.Elems[0].appendValue(dst, v) }); p != nil {
			return dst, p.inside("element %d", b.count())
		}
	}
	return b.end(), nil
}

func (t Type) appendMap(dst, members []byte) ([]byte, *Problem) {
	b := beginEntries(dst, t, 2)
	for k, rest := nextValue(members); k != nil; k, rest = nextValue(rest) {
		var v []byte
		v, rest = nextValue(rest)
		if p := b.add(func(dst []byte) ([]byte, *Problem) { return t.Elems[0].appendValue(dst, k) }); p != nil {
			return dst, p.inside("key %s", beginning(k))
		}
		if p := b.add(func(dst []byte) ([]byte, *Problem) { return t.Elems[1].appendValue(dst, v) }); p != nil {
			return dst, p.inside("value of %s", beginning(k))
		}
	}
	return b.end(), nil
}

// appendMember appends a member of a tuple or user type, null where v is.
func (t Type) appendMember(dst, v []byte) ([]byte, *Problem) {
	if v[0] == 'n' {
		return AppendNull(dst), nil
	}
	return appendSized(dst, func(dst []byte) ([]byte, *Problem) { return t.appendValue(dst, v) })
}

func (t Type) appendTuple(dst, elems []byte) ([]byte, *Problem) {
	i := 0
	var p *Problem
	for v, rest := nextValue(elems); v != nil; v, rest = nextValue(rest) {
		if i < len(t.Elems) {
			if dst, p = t.Elems[i].appendMember(dst, v); p != nil {
				return dst, p.inside("member %d", i+1)
			}
		}
		i++
	}
	return dst, t.checkCount(i, len(t.Elems))
}

func (t Type) checkCount(found, expected int) *Problem {
	if found == expected {
		return nil
	}
	return typeProblem("found %d elements: expected %d for %s", found, expected, t)
}

// appendUDT appends the fields in the order of the type, which need not be the object's.
func (t Type) appendUDT(dst, members []byte) ([]byte, *Problem) {
	values := make([][]byte, len(t.Elems))
	for k, rest := nextValue(members); k != nil; k, rest = nextValue(rest) {
		name, p := unquote(k)
		if p != nil {
			return dst, p
		}
		var v []byte
		v, rest = nextValue(rest)
		i := t.fieldIndex(string(name))
		if i < 0 {
			return dst, t.unknownField(string(name))
		}
		values[i] = v
	}
	for i, v := range values {
		if v == nil {
			dst = AppendNull(dst)
			continue
		}
		var p *Problem
		if dst, p = t.Elems[i].appendMember(dst, v); p != nil {
			return dst, p.inside("field %s", t.Fields[i])
		}
	}
	return dst, nil
}

// fieldIndex finds a field by its name as it is, in double quotes, or, as in CQL, in lower case.
func (t Type) fieldIndex(name string) int {
	if i := slices.Index(t.Fields, name); i >= 0 {
		return i
	}
	if n := len(name); n > 2 && name[0] == '"' && name[n-1] == '"' {
		return slices.Index(t.Fields, name[1:n-1])
	}
	return slices.Index(t.Fields, strings.ToLower(name))
}

func (t Type) unknownField(name string) *Problem {
	hint := ""
	if n := nearest(name, t.Fields); n != "" {
		hint = fmt.Sprintf(" (did you mean %s?)", n)
	}
	return typeProblem("%s has no field %s%s: expected %s", t, quoted([]byte(name)), hint, strings.Join(t.Fields, ", "))
}

func (t Type) appendVector(dst, elems []byte) ([]byte, *Problem) {
	i := 0
	var p *Problem
	for v, rest := nextValue(elems); v != nil; v, rest = nextValue(rest) {
		if i < t.Dim {
			dst, p = t.appendCoordinate(dst, func(dst []byte) ([]byte, *Problem) { return t.Elems[0].appendValue(dst, v) })
			if p != nil {
				return dst, p.inside("element %d", i+1)
			}
		}
		i++
	}
	return dst, t.checkCount(i, t.Dim)
}

// appendCoordinate appends one element of a vector: bare where its type has a fixed length, else behind a vint.
func (t Type) appendCoordinate(dst []byte, encode encoder) ([]byte, *Problem) {
	if t.Elems[0].fixedLength() > 0 {
		return encode(dst)
	}
	value, p := encode(nil)
	if p != nil {
		return dst, p
	}
	return append(appendVint(dst, uint64(len(value))), value...), nil
}

// fixedLength is the length that Cassandra's vectors rely on; 0 for all other types. date, time, smallint and tinyint
// have a fixed length too, but vectors store them with a length (AbstractType.valueLengthIfFixed).
func (t Type) fixedLength() int {
	switch t.Kind {
	case Boolean:
		return 1
	case Float, Int:
		return 4
	case BigInt, Double, Timestamp:
		return 8
	case UUID, TimeUUID:
		return 16
	case Vector:
		return t.Dim * t.Elems[0].fixedLength()
	default:
		return 0
	}
}

// entries builds a list, set or map behind dst, elements one after the other, keys before their values.
type entries struct {
	t      Type
	dst    []byte
	start  int // of the count
	stride int // values of an entry: 2 for maps
	starts []int
}

func beginEntries(dst []byte, t Type, stride int) *entries {
	return &entries{t: t, dst: append(dst, 0, 0, 0, 0), start: len(dst), stride: stride}
}

// count is the number of the entry that was added last, from 1.
func (e *entries) count() int { return (len(e.starts) + e.stride - 1) / e.stride }

func (e *entries) add(encode encoder) *Problem {
	e.starts = append(e.starts, len(e.dst))
	var p *Problem
	e.dst, p = appendSized(e.dst, encode)
	return p
}

// end sorts and drops duplicates, where the type has an order, and writes the count.
func (e *entries) end() []byte {
	n := len(e.starts) / e.stride
	if e.t.Kind != List {
		n = e.normalize(n)
	}
	binary.BigEndian.PutUint32(e.dst[e.start:], uint32(n))
	return e.dst
}

// span is what entry i takes; key its first value without the length.
func (e *entries) span(i int) []byte {
	end := len(e.dst)
	if next := (i + 1) * e.stride; next < len(e.starts) {
		end = e.starts[next]
	}
	return e.dst[e.starts[i*e.stride]:end]
}

func entryKey(span []byte) []byte {
	n := binary.BigEndian.Uint32(span)
	return span[4 : 4+n]
}

// normalize puts entries in their type's order and keeps the last of equal ones, so that equal values are equal bytes.
func (e *entries) normalize(n int) int {
	order := e.t.Elems[0]
	spans := make([][]byte, n)
	sorted := true
	for i := range spans {
		spans[i] = e.span(i)
		sorted = sorted && (i == 0 || order.compare(entryKey(spans[i-1]), entryKey(spans[i])) < 0)
	}
	if sorted {
		return n
	}
	slices.SortStableFunc(spans, func(a, b []byte) int { return order.compare(entryKey(a), entryKey(b)) })
	body := make([]byte, 0, len(e.dst)-e.start)
	kept := 0
	for i, s := range spans {
		if i+1 < n && order.compare(entryKey(s), entryKey(spans[i+1])) == 0 {
			continue
		}
		body = append(body, s...)
		kept++
	}
	e.dst = append(e.dst[:e.start+4], body...)
	return kept
}
