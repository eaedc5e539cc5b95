package cql

import (
	"bytes"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/gocql/gocql"
	"gopkg.in/inf.v0"
)

func native(t gocql.Type) gocql.NativeType { return gocql.NewNativeType(4, t, "") }

func collection(t gocql.Type, key, elem gocql.TypeInfo) gocql.TypeInfo {
	return gocql.CollectionType{NativeType: native(t), Key: key, Elem: elem}
}

// gocql, which has no code in common with this package, writes the same bytes.
func TestGocqlAgrees(t *testing.T) {
	t.Parallel()
	huge, _ := new(big.Int).SetString("-123456789012345678901234567890", 10)
	noon := time.Date(2026, 1, 31, 12, 30, 15, 987e6, time.UTC)
	for _, c := range []struct {
		typ, text string
		info      gocql.TypeInfo
		value     any
	}{
		{"text", "Straße", native(gocql.TypeVarchar), "Straße"},
		{"bigint", "-5", native(gocql.TypeBigInt), int64(-5)},
		{"int", "-5", native(gocql.TypeInt), -5},
		{"smallint", "-5", native(gocql.TypeSmallInt), int16(-5)},
		{"tinyint", "-5", native(gocql.TypeTinyInt), int8(-5)},
		{"varint", "-123456789012345678901234567890", native(gocql.TypeVarint), huge},
		{"varint", "128", native(gocql.TypeVarint), big.NewInt(128)},
		{"varint", "-128", native(gocql.TypeVarint), big.NewInt(-128)},
		{"decimal", "-12.50", native(gocql.TypeDecimal), inf.NewDec(-1250, 2)},
		{"double", "-0.1", native(gocql.TypeDouble), -0.1},
		{"float", "-0.1", native(gocql.TypeFloat), float32(-0.1)},
		{"boolean", "true", native(gocql.TypeBoolean), true},
		{"blob", "0xcafe", native(gocql.TypeBlob), []byte{0xca, 0xfe}},
		{"inet", "192.0.2.1", native(gocql.TypeInet), net.ParseIP("192.0.2.1")},
		{"inet", "2001:db8::1", native(gocql.TypeInet), net.ParseIP("2001:db8::1")},
		{"uuid", "123e4567-e89b-42d3-a456-426614174000", native(gocql.TypeUUID), "123e4567-e89b-42d3-a456-426614174000"},
		{"timestamp", "2026-01-31T12:30:15.987Z", native(gocql.TypeTimestamp), noon},
		{"date", "2026-01-31", native(gocql.TypeDate), noon},
		{"date", "1950-01-31", native(gocql.TypeDate), "1950-01-31"},
		{"time", "12:30:15.987", native(gocql.TypeTime), 12*time.Hour + 30*time.Minute + 15987*time.Millisecond},
		{"duration", "-1y2mo3d4h5ns", native(gocql.TypeDuration),
			gocql.Duration{Months: -14, Days: -3, Nanoseconds: -4*3600e9 - 5}},
		{"list<int>", "[2, 1]", collection(gocql.TypeList, nil, native(gocql.TypeInt)), []int{2, 1}},
		{"set<text>", `["b", "a"]`, collection(gocql.TypeSet, nil, native(gocql.TypeVarchar)), []string{"a", "b"}},
		{"map<text, int>", `{"a": 1}`, collection(gocql.TypeMap, native(gocql.TypeVarchar), native(gocql.TypeInt)),
			map[string]int{"a": 1}},
		{"tuple<int, text>", `[1, null]`, gocql.TupleTypeInfo{
			NativeType: native(gocql.TypeTuple),
			Elems:      []gocql.TypeInfo{native(gocql.TypeInt), native(gocql.TypeVarchar)},
		}, []any{1, nil}},
		{"address", `{"zip": 7, "street": "High"}`, gocql.UDTTypeInfo{
			NativeType: native(gocql.TypeUDT),
			Elements: []gocql.UDTField{
				{Name: "street", Type: native(gocql.TypeVarchar)}, {Name: "zip", Type: native(gocql.TypeInt)},
				{Name: "Tags", Type: collection(gocql.TypeSet, nil, native(gocql.TypeVarchar))},
			},
		}, map[string]any{"street": "High", "zip": 7}},
	} {
		want, err := gocql.Marshal(c.info, c.value)
		if err != nil {
			t.Fatalf("%s %s: %v", c.typ, c.text, err)
		}
		got, p := parseType(t, c.typ).AppendText(nil, []byte(c.text))
		if p != nil || !bytes.Equal(got, want) {
			t.Errorf("%s %s became %x (%+v), gocql makes it %x", c.typ, c.text, got, p, want)
		}
	}
}
