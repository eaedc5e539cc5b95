package tabletest

import (
	"encoding/binary"
	"math"

	"github.com/penstock-io/penstock/cql"
)

// The bytes of the native protocol, packed here by hand so that the codecs do not check themselves.

func be32(n int32) []byte      { return binary.BigEndian.AppendUint32(nil, uint32(n)) }
func be64(n int64) []byte      { return binary.BigEndian.AppendUint64(nil, uint64(n)) }
func f32(f float32) []byte     { return binary.BigEndian.AppendUint32(nil, math.Float32bits(f)) }
func f64(f float64) []byte     { return binary.BigEndian.AppendUint64(nil, math.Float64bits(f)) }
func raw(bytes ...byte) []byte { return bytes }

// sequence packs a list or set; a map is its keys and values in turn, with n entries.
func sequence(n int32, elems ...[]byte) []byte { return append(be32(n), members(elems...)...) }

// members packs what a tuple or user type holds.
func members(elems ...[]byte) []byte {
	out := []byte{}
	for _, e := range elems {
		out = cql.AppendValue(out, e)
	}
	return out
}

func scalar(k cql.Kind) cql.Type { return cql.Type{Kind: k} }

func list(e cql.Type) cql.Type { return cql.Type{Kind: cql.List, Elems: []cql.Type{e}} }

func set(e cql.Type) cql.Type { return cql.Type{Kind: cql.Set, Elems: []cql.Type{e}} }

func mapOf(k, v cql.Type) cql.Type { return cql.Type{Kind: cql.Map, Elems: []cql.Type{k, v}} }

func tuple(members ...cql.Type) cql.Type {
	return cql.Type{Kind: cql.Tuple, Frozen: true, Elems: members}
}

func frozen(t cql.Type) cql.Type {
	t.Frozen = true
	return t
}

var addressType = cql.Type{
	Kind: cql.UDT, Name: "address",
	Fields: []string{"street", "zip"}, Elems: []cql.Type{scalar(cql.Text), scalar(cql.Int)},
}

var udts = map[string]cql.Type{"address": addressType}

// sample is a type with two values of it, the second greater in the protocol's bytes than the first.
type sample struct {
	name   string
	typ    cql.Type
	values [2][]byte
}

var someUUID = raw(0x12, 0x3e, 0x45, 0x67, 0xe8, 0x9b, 0x42, 0xd3, 0xa4, 0x56, 0x42, 0x66, 0x14, 0x17, 0x40, 0x00)
var moreUUID = raw(0xf2, 0x3e, 0x45, 0x67, 0xe8, 0x9b, 0x42, 0xd3, 0xa4, 0x56, 0x42, 0x66, 0x14, 0x17, 0x40, 0x00)
var someTimeUUID = raw(0x5b, 0x0d, 0x6a, 0xd0, 0x9b, 0x1f, 0x11, 0xee, 0xb9, 0xd1, 0x02, 0x42, 0xac, 0x12, 0x00, 0x02)
var moreTimeUUID = raw(0x6b, 0x0d, 0x6a, 0xd0, 0x9b, 0x1f, 0x11, 0xee, 0xb9, 0xd1, 0x02, 0x42, 0xac, 0x12, 0x00, 0x02)

func scalarSamples() []sample {
	ip6 := append([]byte{0x20, 0x01, 0x0d, 0xb8}, make([]byte, 12)...)
	return []sample{
		{"c_ascii", scalar(cql.ASCII), [2][]byte{[]byte("abc"), []byte("abd")}},
		{"c_bigint", scalar(cql.BigInt), [2][]byte{be64(1 << 40), be64(-2)}},
		{"c_blob", scalar(cql.Blob), [2][]byte{raw(0, 1, 0xff), raw(0xfe)}},
		{"c_boolean", scalar(cql.Boolean), [2][]byte{raw(0), raw(1)}},
		{"c_date", scalar(cql.Date), [2][]byte{be32(math.MinInt32 + 20000), be32(math.MinInt32 + 20001)}},
		{"c_decimal", scalar(cql.Decimal), [2][]byte{raw(0, 0, 0, 2, 0x30, 0x39), raw(0, 0, 0, 3, 0x87)}},
		{"c_double", scalar(cql.Double), [2][]byte{f64(0.1), f64(-1e300)}},
		{"c_duration", scalar(cql.Duration), [2][]byte{raw(2, 4, 6), raw(4, 6, 0x87, 0xd0)}},
		{"c_float", scalar(cql.Float), [2][]byte{f32(0.1), f32(-2.5)}},
		{"c_inet", scalar(cql.Inet), [2][]byte{raw(10, 0, 0, 1), ip6}},
		{"c_int", scalar(cql.Int), [2][]byte{be32(7), be32(-7)}},
		{"c_smallint", scalar(cql.SmallInt), [2][]byte{raw(0x01, 0x02), raw(0xff, 0xfe)}},
		{"c_text", scalar(cql.Text), [2][]byte{[]byte("grüße"), []byte("grüße, \"x\"\n")}},
		{"c_time", scalar(cql.Time), [2][]byte{be64(1), be64(86_399_999_999_999)}},
		{"c_timestamp", scalar(cql.Timestamp), [2][]byte{be64(1_767_225_600_123), be64(-1)}},
		{"c_timeuuid", scalar(cql.TimeUUID), [2][]byte{someTimeUUID, moreTimeUUID}},
		{"c_tinyint", scalar(cql.TinyInt), [2][]byte{raw(5), raw(0x80)}},
		{"c_uuid", scalar(cql.UUID), [2][]byte{someUUID, moreUUID}},
		{"c_varint", scalar(cql.VarInt), [2][]byte{raw(0x01, 0, 0, 0, 0, 0, 0, 0, 0), raw(0x87)}},
	}
}

func nestedSamples() []sample {
	ints := func(ns ...int32) []byte {
		out := be32(int32(len(ns)))
		for _, n := range ns {
			out = cql.AppendValue(out, be32(n))
		}
		return out
	}
	text, num := scalar(cql.Text), scalar(cql.Int)
	a, b := []byte("a"), []byte("b")
	return []sample{
		{"f_list", frozen(list(num)), [2][]byte{ints(3, 1), ints(3, 2, 1)}},
		{"f_set", frozen(set(num)), [2][]byte{ints(1, 2), ints(2, 3)}},
		{"f_map", frozen(mapOf(text, num)), [2][]byte{sequence(1, a, be32(1)), sequence(2, a, be32(1), b, be32(2))}},
		{"f_nested", frozen(mapOf(text, frozen(list(num)))), [2][]byte{sequence(1, a, ints(1)), sequence(1, b, ints())}},
		{"f_tuple", tuple(text, num), [2][]byte{members(a, be32(1)), members(b, be32(1))}},
		{"f_udt", frozen(addressType), [2][]byte{members(a, be32(1)), members(b, be32(2))}},
		{"u_set", set(text), [2][]byte{sequence(2, a, b), sequence(1, b)}},
		{"u_map", mapOf(text, num), [2][]byte{sequence(1, a, be32(1)), sequence(1, b, be32(2))}},
		{"u_udt", addressType, [2][]byte{members(a, be32(1)), members(b, be32(2))}},
		{
			"c_vector", cql.Type{Kind: cql.Vector, Frozen: true, Dim: 3, Elems: []cql.Type{scalar(cql.Float)}},
			[2][]byte{append(append(f32(0.5), f32(1)...), f32(-1)...), append(append(f32(1.5), f32(1)...), f32(-1)...)},
		},
	}
}

func samples() []sample { return append(scalarSamples(), nestedSamples()...) }
