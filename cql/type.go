package cql

import "strings"

// Kind is a type's outermost constructor.
type Kind uint8

// The kinds of type. The zero value is no type.
const (
	Invalid Kind = iota
	ASCII
	BigInt
	Blob
	Boolean
	Counter
	Date
	Decimal
	Double
	Duration
	Float
	Inet
	Int
	SmallInt
	Text // text and varchar
	Time
	Timestamp
	TimeUUID
	TinyInt
	UUID
	VarInt
	List
	Set
	Map
	Tuple
	UDT
	Vector
)

// Type is a CQL type.
type Type struct {
	Kind   Kind
	Frozen bool     // frozen<…>, or inside something frozen; tuples and vectors always are
	Elems  []Type   // element of list, set, vector; key and value of map; members of tuple, fields of UDT
	Name   string   // of a UDT
	Fields []string // names of a UDT's fields, beside Elems
	Dim    int      // of a vector
}

// Multi says that the type is an unfrozen collection or UDT: Cassandra writes it as many cells.
func (t Type) Multi() bool {
	return !t.Frozen && (t.Kind == List || t.Kind == Set || t.Kind == Map || t.Kind == UDT)
}

var kindNames = map[Kind]string{
	ASCII: "ascii", BigInt: "bigint", Blob: "blob", Boolean: "boolean", Counter: "counter", Date: "date",
	Decimal: "decimal", Double: "double", Duration: "duration", Float: "float", Inet: "inet", Int: "int",
	SmallInt: "smallint", Text: "text", Time: "time", Timestamp: "timestamp", TimeUUID: "timeuuid",
	TinyInt: "tinyint", UUID: "uuid", VarInt: "varint", List: "list", Set: "set", Map: "map", Tuple: "tuple",
	Vector: "vector",
}

// Ident writes a name as CQL needs it: quoted unless it is lower case and plain.
func Ident(name string) string {
	plain := name != "" && name[0] >= 'a' && name[0] <= 'z' &&
		strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == "" && !reserved[name]
	if plain {
		return name
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// reserved are the words that CQL refuses as bare names (Cassandra 5.0, ReservedKeywords).
var reserved = words(`add allow alter and apply asc authorize batch begin by columnfamily create delete desc describe
	drop entries execute from full grant if in index infinity insert into is keyspace limit materialized modify nan
	norecursive not null of on or order primary rename revoke schema select set table to token truncate unlogged
	update use using view where with`)

func words(s string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(s) {
		m[w] = true
	}
	return m
}
