package cql

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"github.com/penstock-io/penstock/contracts"
)

// vectorFile holds what a real Cassandra makes of JSON values, as JSON lines: a type, a value, and the value's bytes in
// hex or null where Cassandra refuses it. TestServer checks the file against a server; -update writes it.
const vectorFile = "testdata/vectors.ndjson"

type vector struct {
	Type string  `json:"type"`
	JSON string  `json:"json"`
	Hex  *string `json:"hex"`
}

// vectorUDTs are the user types that vectors use.
var vectorUDTs = map[string]Type{
	"address": {Kind: UDT, Name: "address", Fields: []string{"street", "zip", "Tags"}, Elems: []Type{
		{Kind: Text}, {Kind: Int}, {Kind: Set, Frozen: true, Elems: []Type{{Kind: Text}}},
	}},
}

func readVectors(t testing.TB) []vector {
	t.Helper()
	f, err := os.Open(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []vector
	for dec := json.NewDecoder(f); dec.More(); {
		var v vector
		if err := dec.Decode(&v); err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
	return all
}

func parseType(t testing.TB, s string) Type {
	t.Helper()
	typ, err := ParseType(s, vectorUDTs)
	if err != nil {
		t.Fatal(err)
	}
	return typ
}

// fieldOf makes a JSON value the field that the NDJSON reader would make of it.
func fieldOf(t testing.TB, value string) (contracts.FieldKind, []byte) {
	t.Helper()
	switch value[0] {
	case '"':
		var s string
		if err := json.Unmarshal([]byte(value), &s); err != nil {
			t.Fatal(err)
		}
		return contracts.Text, []byte(s)
	case '[', '{':
		return contracts.JSON, []byte(value)
	case 't', 'f':
		return contracts.Bool, []byte(value)
	default:
		return contracts.Number, []byte(value)
	}
}

func TestVectors(t *testing.T) {
	t.Parallel()
	for _, v := range readVectors(t) {
		t.Run(v.Type+" "+v.JSON, func(t *testing.T) {
			t.Parallel()
			kind, field := fieldOf(t, v.JSON)
			got, p := parseType(t, v.Type).AppendJSON(nil, kind, field)
			switch {
			case v.Hex == nil && p == nil:
				t.Errorf("%s %s became %x: Cassandra refuses it", v.Type, v.JSON, got)
			case v.Hex != nil && p != nil:
				t.Errorf("%s %s: %s: %s: Cassandra makes it %s", v.Type, v.JSON, p.Rule, p.Reason, *v.Hex)
			case v.Hex != nil && hex.EncodeToString(got) != *v.Hex:
				t.Errorf("%s %s became %x: Cassandra makes it %s", v.Type, v.JSON, got, *v.Hex)
			}
		})
	}
}

// Values of Cassandra's own turn into canonical text and back into the same bytes.
func TestVectorsRoundTrip(t *testing.T) {
	t.Parallel()
	for _, v := range readVectors(t) {
		if v.Hex == nil {
			continue
		}
		typ := parseType(t, v.Type)
		value, err := hex.DecodeString(*v.Hex)
		if err != nil {
			t.Fatal(err)
		}
		checkRoundTrip(t, typ, value)
	}
}

func checkRoundTrip(t testing.TB, typ Type, value []byte) {
	t.Helper()
	text, err := typ.AppendCanonical([]byte("before"), value)
	if err != nil {
		t.Errorf("%s 0x%x: %v", typ, value, err)
		return
	}
	back, p := typ.AppendText([]byte("before"), text[len("before"):])
	if p != nil {
		t.Errorf("%s 0x%x: canonical text %q: %s", typ, value, text, p.Reason)
		return
	}
	if want := "before" + string(value); string(back) != want {
		t.Errorf("%s: 0x%x became %q became 0x%x", typ, value, text, back[len("before"):])
	}
}
