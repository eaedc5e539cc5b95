package cql

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"time"

	"github.com/penstock-io/penstock/contracts"
)

// AppendGo appends the bytes of a Go value, such as an expression's result; dst is returned as it was where there is a
// problem. A string is taken as AppendText takes it, a number as AppendJSON does (a float without a fraction is a whole
// number too), time.Time goes into timestamp, date and time, time.Duration into duration and time, bytes into blob and
// text, 16 bytes into uuid, slices and maps into collections, tuples, user types and vectors. v itself is never nil.
func (t Type) AppendGo(dst []byte, v any) ([]byte, *Problem) {
	out, p := t.appendGo(dst, v)
	if p != nil {
		return dst, p
	}
	return out, nil
}

func (t Type) appendGo(dst []byte, v any) ([]byte, *Problem) {
	switch v := v.(type) {
	case string:
		return t.AppendText(dst, []byte(v))
	case time.Time:
		return t.appendGoTime(dst, v)
	case time.Duration:
		return t.appendGoDuration(dst, v)
	case [16]byte:
		return t.appendGoBytes(dst, v[:])
	case []byte:
		return t.appendGoBytes(dst, v)
	default:
		return t.appendReflected(dst, reflect.ValueOf(v))
	}
}

func (t Type) appendReflected(dst []byte, v reflect.Value) ([]byte, *Problem) {
	var scratch [32]byte
	switch v.Kind() {
	case reflect.Bool:
		return t.AppendJSON(dst, contracts.Bool, strconv.AppendBool(scratch[:0], v.Bool()))
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return t.appendNumber(dst, strconv.AppendInt(scratch[:0], v.Int(), 10))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return t.appendNumber(dst, strconv.AppendUint(scratch[:0], v.Uint(), 10))
	case reflect.Float32, reflect.Float64:
		return t.appendGoFloat(dst, v.Float(), v.Type().Bits())
	case reflect.String:
		return t.AppendText(dst, []byte(v.String()))
	case reflect.Slice, reflect.Array:
		return t.appendGoSlice(dst, v)
	case reflect.Map:
		return t.appendGoMap(dst, v)
	default:
		return dst, typeProblem("found a value of Go type %v: expected %s", kindOf(v), t.jsonForm())
	}
}

func kindOf(v reflect.Value) string {
	if !v.IsValid() {
		return "nil"
	}
	return v.Type().String()
}

func (t Type) appendGoFloat(dst []byte, f float64, bitSize int) ([]byte, *Problem) {
	const exact = 1 << 53 // whole numbers beyond it have neighbours that a float64 cannot tell from them
	var scratch [32]byte
	switch {
	case math.IsNaN(f) || math.IsInf(f, 0):
		if t.jsonForm() != "a number for "+t.String() {
			return dst, typeProblem("found %v, a number: expected %s", f, t.jsonForm())
		}
		return t.AppendText(dst, appendFloatText(scratch[:0], f, bitSize))
	case f == math.Trunc(f) && math.Abs(f) <= exact && t.Kind != Float && t.Kind != Double:
		return t.appendNumber(dst, strconv.AppendInt(scratch[:0], int64(f), 10))
	default:
		return t.appendNumber(dst, appendFloatText(scratch[:0], f, bitSize))
	}
}

func (t Type) appendGoBytes(dst, b []byte) ([]byte, *Problem) {
	switch t.Kind {
	case Blob:
		return append(dst, b...), nil
	case Text, ASCII:
		return appendString(dst, b, t.Kind == ASCII)
	case UUID, TimeUUID:
		if len(b) == 16 {
			return t.AppendText(dst, appendUUIDText(nil, b))
		}
	}
	return dst, typeProblem("found %d bytes: expected %s", len(b), t.jsonForm())
}

func (t Type) appendGoTime(dst []byte, v time.Time) ([]byte, *Problem) {
	switch t.Kind {
	case Timestamp:
		return appendMillis(dst, v, []byte(v.String()))
	case Date:
		return t.AppendText(dst, appendInstant(nil, v, false))
	case Time:
		return t.AppendText(dst, v.AppendFormat(nil, "15:04:05.000000000"))
	default:
		return dst, typeProblem("found a time, %s: expected %s (t.Format(layout) makes a string of a time)",
			v.Format(time.RFC3339Nano), t.jsonForm())
	}
}

func (t Type) appendGoDuration(dst []byte, v time.Duration) ([]byte, *Problem) {
	switch t.Kind {
	case Duration:
		return span{nanos: int64(v)}.append(dst), nil
	case Time:
		text, ok := appendClockText(nil, int64(v))
		if !ok {
			return dst, rangeProblem("%s is no time of day: expected 0s to 23h59m59.999999999s", v)
		}
		return t.AppendText(dst, text)
	default:
		return dst, typeProblem("found a duration, %s: expected %s", v, t.jsonForm())
	}
}

// isNil says that a slice's or map's value is nil, bare or in an interface.
func isNil(v reflect.Value) bool {
	for v.Kind() == reflect.Interface || v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return true
		}
		v = v.Elem()
	}
	return !v.IsValid()
}

// element is the encoder of a value inside a collection.
func (t Type) element(v reflect.Value) encoder {
	return func(dst []byte) ([]byte, *Problem) {
		if isNil(v) {
			return dst, typeProblem("found nil: expected %s", t.jsonForm())
		}
		return t.appendGo(dst, v.Interface())
	}
}

// member appends a member of a tuple or user type, null for nil.
func (t Type) member(dst []byte, v reflect.Value) ([]byte, *Problem) {
	if isNil(v) {
		return AppendNull(dst), nil
	}
	return appendSized(dst, t.element(v))
}

func (t Type) appendGoSlice(dst []byte, v reflect.Value) ([]byte, *Problem) {
	switch t.Kind {
	case List, Set:
		b := beginEntries(dst, t, 1)
		for i := range v.Len() {
			if p := b.add(t.Elems[0].element(v.Index(i))); p != nil {
				return dst, p.inside("element %d", i+1)
			}
		}
		return b.end(), nil
	case Tuple:
		return t.appendGoTuple(dst, v)
	case Vector:
		return t.appendGoVector(dst, v)
	default:
		return dst, typeProblem("found a list: expected %s", t.jsonForm())
	}
}

func (t Type) appendGoTuple(dst []byte, v reflect.Value) ([]byte, *Problem) {
	p := t.checkCount(v.Len(), len(t.Elems))
	for i := 0; p == nil && i < v.Len(); i++ {
		if dst, p = t.Elems[i].member(dst, v.Index(i)); p != nil {
			return dst, p.inside("member %d", i+1)
		}
	}
	return dst, p
}

func (t Type) appendGoVector(dst []byte, v reflect.Value) ([]byte, *Problem) {
	p := t.checkCount(v.Len(), t.Dim)
	for i := 0; p == nil && i < v.Len(); i++ {
		if dst, p = t.appendCoordinate(dst, t.Elems[0].element(v.Index(i))); p != nil {
			return dst, p.inside("element %d", i+1)
		}
	}
	return dst, p
}

func (t Type) appendGoMap(dst []byte, v reflect.Value) ([]byte, *Problem) {
	switch t.Kind {
	case Map:
		return t.appendGoEntries(dst, v)
	case UDT:
		return t.appendGoUDT(dst, v)
	default:
		return dst, typeProblem("found a map: expected %s", t.jsonForm())
	}
}

// appendGoEntries refuses two Go keys that are one CQL key, such as 1 and "1": a Go map has no order to choose by.
func (t Type) appendGoEntries(dst []byte, v reflect.Value) ([]byte, *Problem) {
	b := beginEntries(dst, t, 2)
	for it := v.MapRange(); it.Next(); {
		if p := b.add(t.Elems[0].element(it.Key())); p != nil {
			return dst, p.inside("key %s", keyText(it.Key()))
		}
		if p := b.add(t.Elems[1].element(it.Value())); p != nil {
			return dst, p.inside("value of %s", keyText(it.Key()))
		}
	}
	out := b.end()
	if n, _, _ := countOf(out[len(dst):]); n != v.Len() {
		return dst, typeProblem("%d of the map's keys are equal as %s: expected each once", v.Len()-n+1, t.Elems[0])
	}
	return out, nil
}

func keyText(key reflect.Value) []byte { return beginning(fmt.Append(nil, key)) }

func (t Type) appendGoUDT(dst []byte, v reflect.Value) ([]byte, *Problem) {
	values := make([]reflect.Value, len(t.Elems))
	for it := v.MapRange(); it.Next(); {
		name, ok := it.Key().Interface().(string)
		if !ok {
			return dst, typeProblem("found the key %s: expected the names of %s's fields", keyText(it.Key()), t)
		}
		i := t.fieldIndex(name)
		switch {
		case i < 0:
			return dst, t.unknownField(name)
		case values[i].IsValid():
			return dst, typeProblem("found field %s twice: expected each once", t.Fields[i])
		}
		values[i] = it.Value()
	}
	for i, value := range values {
		var p *Problem
		if dst, p = t.Elems[i].member(dst, value); p != nil {
			return dst, p.inside("field %s", t.Fields[i])
		}
	}
	return dst, nil
}
