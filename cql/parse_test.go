package cql

import (
	"strings"
	"testing"

	"github.com/penstock-io/penstock/contracts"
)

var parseUDTs = map[string]Type{
	"address": vectorUDTs["address"],
	"Odd \"1": {Kind: UDT, Name: "Odd \"1", Fields: []string{"a"}, Elems: []Type{{Kind: Int}}},
	"text":    {Kind: UDT, Name: "text", Fields: []string{"a"}, Elems: []Type{{Kind: Int}}},
	"tagged": {Kind: UDT, Name: "tagged", Fields: []string{"tags"},
		Elems: []Type{{Kind: Set, Elems: []Type{{Kind: Text}}}}},
}

func TestParseType(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"int":                                 "int",
		" VarChar ":                           "text",
		"Map< TEXT,Int >":                     "map<text, int>",
		"frozen<list<frozen<set<int>>>>":      "frozen<list<set<int>>>",
		"list<frozen<map<text, blob>>>":       "list<frozen<map<text, blob>>>",
		"tuple<int, list<text>, tuple<date>>": "tuple<int, list<text>, tuple<date>>",
		"frozen<tuple<int>>":                  "tuple<int>",
		"vector<float, 1536>":                 "vector<float, 1536>",
		"vector<vector<int,2>,3>":             "vector<vector<int, 2>, 3>",
		"Address":                             "address",
		`"address"`:                           "address",
		`frozen<"Odd ""1">`:                   `frozen<"Odd ""1">`,
		`"text"`:                              `"text"`,
		"list<frozen<address>>":               "list<frozen<address>>",
		"counter":                             "counter",
		"map<int, duration>":                  "map<int, duration>",
	} {
		got, err := ParseType(in, parseUDTs)
		if err != nil || got.String() != want {
			t.Errorf("ParseType(%q) = %v, %v, want %s", in, got, err, want)
			continue
		}
		if again, err := ParseType(got.String(), parseUDTs); err != nil || !again.Equal(got) {
			t.Errorf("%q does not read back as itself: %v, %v", got, again, err)
		}
	}
}

func TestParseTypeFreezesWhatIsInside(t *testing.T) {
	t.Parallel()
	got, err := ParseType("frozen<map<int, tagged>>", parseUDTs)
	if err != nil {
		t.Fatal(err)
	}
	if tags := got.Elems[1].Elems[0]; !got.Frozen || !got.Elems[1].Frozen || !tags.Frozen || got.Multi() {
		t.Errorf("%+v is not frozen all through", got)
	}
	if parseUDTs["tagged"].Elems[0].Frozen {
		t.Error("freezing a use of a user type froze the type itself")
	}
	other, err := ParseType("map<int, frozen<tagged>>", parseUDTs)
	if err != nil {
		t.Fatal(err)
	}
	if other.Frozen || !other.Multi() || other.Equal(got) {
		t.Errorf("%v is frozen", other)
	}
}

func TestParseTypeErrors(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                          `position 1: found the end, expected the name of a type`,
		"list<in>":                  `position 6: unknown type in (did you mean int?): expected one of "Odd ""1", "text",`,
		"txet":                      `unknown type txet (did you mean text?)`,
		"adress":                    `unknown type adress (did you mean address?)`,
		"whatever":                  `unknown type whatever: expected one of`,
		"Odd":                       `unknown type Odd`,
		"list":                      `position 5: found the end, expected "<"`,
		"list<int":                  `position 9: found the end, expected ">"`,
		"list<int, int>":            `position 9: found ",", expected ">"`,
		"map<int>":                  `position 8: found ">", expected ","`,
		"int>":                      `position 4: found ">", expected the end of the type`,
		"frozen<int>":               `position 8: found frozen<int>, expected a collection, tuple, vector or user type`,
		"list<list<int>>":           `position 6: found list<int> inside list, expected frozen<list<int>>`,
		"map<int, address>":         `position 10: found address inside map, expected frozen<address>`,
		"set<duration>":             `position 5: found duration as element of a set or key of a map`,
		"map<tuple<duration>, int>": `position 5: found tuple<duration> as element of a set or key of a map`,
		"list<counter>":             `position 6: found counter inside list`,
		"vector<float>":             `position 13: found ">", expected ","`,
		"vector<float, 0>":          `position 15: found "0", expected the vector's dimension, 1 to 8192`,
		"vector<float, 8193>":       `expected the vector's dimension, 1 to 8192`,
		`"address`:                  `position 1: found "address, expected a quoted name with its closing quote`,
		"ks.address":                `unknown type ks`,
		"int;":                      `position 4: found ";", expected the end of the type`,
		strings.Repeat("frozen<list<", 40) + "int": `nested deeper than 16`,
	} {
		_, err := ParseType(in, parseUDTs)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseType(%q): error %v, want %q in it", in, err, want)
		}
		if contracts.KindOf(err) != contracts.KindConfig {
			t.Errorf("ParseType(%q): error of kind %q, want config", in, contracts.KindOf(err))
		}
	}
}

func FuzzParseType(f *testing.F) {
	for _, s := range []string{"int", "map<text, frozen<list<address>>>", `"Odd ""1"`, "vector<float, 3>", "tuple<", `"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := ParseType(s, parseUDTs)
		if err != nil {
			return
		}
		if again, err := ParseType(got.String(), parseUDTs); err != nil || !again.Equal(got) {
			t.Errorf("%q is %s, which reads as %v, %v", s, got, again, err)
		}
	})
}
