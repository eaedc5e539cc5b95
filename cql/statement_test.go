package cql

import (
	"bytes"
	"testing"
)

var ordersTable = Table{Keyspace: "shop", Name: "Orders", Columns: []Column{
	{"region", Type{Kind: Text}, PartitionKey}, {"day", Type{Kind: Date}, PartitionKey},
	{"id", Type{Kind: TimeUUID}, ClusteringKey}, {"Line", Type{Kind: Int}, ClusteringKey},
	{"total", Type{Kind: Decimal}, Static},
	{"tags", Type{Kind: Set, Elems: []Type{{Kind: Text}}}, Regular},
	{"order", Type{Kind: UDT, Name: "address", Frozen: true}, Regular},
}}

func TestStatements(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, got, want string }{
		{"table", CreateTable(ordersTable), `CREATE TABLE IF NOT EXISTS shop."Orders" (region text, day date, id timeuuid, ` +
			`"Line" int, total decimal STATIC, tags set<text>, "order" frozen<address>, ` +
			`PRIMARY KEY ((region, day), id, "Line"))`},
		{"type", CreateType("shop", "text", vectorUDTs["address"]),
			`CREATE TYPE IF NOT EXISTS shop."text" (street text, zip int, "Tags" frozen<set<text>>)`},
		{"insert", Insert(ordersTable, false), `INSERT INTO shop."Orders" (region, day, id, "Line", total, tags, "order") ` +
			`VALUES (?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?`},
		{"insert with TTL", Insert(Table{Keyspace: "k", Name: "t", Columns: ordersTable.Columns[:1]}, true),
			`INSERT INTO k.t (region) VALUES (?) USING TIMESTAMP ? AND TTL ?`},
	} {
		if c.got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, c.got, c.want)
		}
	}
}

func TestTableLookups(t *testing.T) {
	t.Parallel()
	if n := ordersTable.Count(PartitionKey); n != 2 {
		t.Errorf("%d columns in the partition key, want 2", n)
	}
	if i, none := ordersTable.Index("Line"), ordersTable.Index("line"); i != 3 || none != -1 {
		t.Errorf("Line is column %d, line %d, want 3, -1", i, none)
	}
}

func TestIdent(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain_1": "plain_1", "Upper": `"Upper"`, "order": `"order"`, "1st": `"1st"`, "": `""`, `a"b`: `"a""b"`,
		"naïve": `"naïve"`, "_x": `"_x"`,
	} {
		if got := Ident(in); got != want {
			t.Errorf("Ident(%q) = %s, want %s", in, got, want)
		}
	}
}

func TestPackedValues(t *testing.T) {
	t.Parallel()
	row := Row{Values: AppendUnset(AppendNull(AppendValue(AppendValue(nil, []byte("ab")), nil)))}
	row.Partition, row.Key = 6, 10
	if !bytes.Equal(row.PartitionBytes(), []byte{0, 0, 0, 2, 'a', 'b'}) || len(row.KeyBytes()) != 10 {
		t.Errorf("partition %x, key %x", row.PartitionBytes(), row.KeyBytes())
	}
	var got []Value
	for rest := row.Values; len(rest) > 0; {
		var v Value
		v, rest = NextValue(rest)
		got = append(got, v)
	}
	switch {
	case len(got) != 4:
		t.Fatalf("%d values, want 4", len(got))
	case string(got[0].Bytes) != "ab" || got[0].Null():
		t.Errorf("first value %+v, want ab", got[0])
	case got[1].Bytes == nil || got[1].Null():
		t.Errorf("second value %+v, want an empty one", got[1])
	case !got[2].Null() || got[2].Unset:
		t.Errorf("third value %+v, want null", got[2])
	case got[3].Null() || !got[3].Unset:
		t.Errorf("fourth value %+v, want unset", got[3])
	}
}

// Decimals that are one clustering key to Cassandra become one value.
func TestAppendClusteringKey(t *testing.T) {
	t.Parallel()
	decimal := Type{Kind: Decimal}
	for text, want := range map[string]string{
		"1.00": "1", "100": "1E+2", "-12.50": "-12.5", "0.000": "0", "0E+9": "0", "7": "7",
		"123456789012345678900.0": "1.234567890123456789E+20",
	} {
		value, p := decimal.AppendText(nil, []byte(text))
		if p != nil {
			t.Fatal(p.Reason)
		}
		key := decimal.AppendClusteringKey([]byte("x"), value)[1:]
		if got, err := decimal.AppendCanonical(nil, key); err != nil || string(got) != want {
			t.Errorf("%s became %s, %v, want %s", text, got, err, want)
		}
		if decimal.compare(value, key) != 0 {
			t.Errorf("%s and its key are not equal in Cassandra's order", text)
		}
	}
	if got := (Type{Kind: Text}).AppendClusteringKey(nil, []byte("1.00")); string(got) != "1.00" {
		t.Errorf("text became %q", got)
	}
}
