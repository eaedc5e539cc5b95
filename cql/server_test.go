package cql

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gocql/gocql"

	"github.com/penstock-io/penstock/internal/testenv"
)

var update = flag.Bool("update", false, "write "+vectorFile+" as the server has it")

// rawValue receives a column's bytes as they are.
type rawValue []byte

func (r *rawValue) UnmarshalCQL(_ gocql.TypeInfo, data []byte) error {
	*r = bytes.Clone(data)
	return nil
}

func connect(t *testing.T) *gocql.Session {
	t.Helper()
	cluster := gocql.NewCluster(testenv.Cassandra(t))
	cluster.Timeout = time.Minute
	cluster.ConnectTimeout = time.Minute
	session, err := cluster.CreateSession()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(session.Close)
	return session
}

func mustExec(t *testing.T, s *gocql.Session, statement string, args ...any) {
	t.Helper()
	if err := s.Query(statement, args...).Consistency(gocql.One).Exec(); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func newKeyspace(t *testing.T, s *gocql.Session) string {
	t.Helper()
	ks := testenv.Name(t, "cql")
	mustExec(t, s, "CREATE KEYSPACE "+ks+" WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
	t.Cleanup(func() { mustExec(t, s, "DROP KEYSPACE "+ks) })
	return ks
}

// valueTable is a table with a column for each type.
type valueTable struct {
	session *gocql.Session
	name    string
	columns map[string]string // by type
}

func newValueTable(t *testing.T, s *gocql.Session, vectors []vector) *valueTable {
	t.Helper()
	table := Table{Keyspace: newKeyspace(t, s), Name: "vectors", Columns: []Column{{"k", Type{Kind: Int}, PartitionKey}}}
	mustExec(t, s, CreateType(table.Keyspace, "address", vectorUDTs["address"]))
	v := &valueTable{s, table.FullName(), map[string]string{}}
	for _, vec := range vectors {
		if v.columns[vec.Type] != "" {
			continue
		}
		name := fmt.Sprintf("v%d", len(v.columns))
		v.columns[vec.Type] = name
		table.Columns = append(table.Columns, Column{name, wrapTuple(parseType(t, vec.Type)), Regular})
	}
	mustExec(t, s, CreateTable(table))
	return v
}

// wrapTuple puts a tuple into a list, since gocql scans the members of a bare one into several variables.
func wrapTuple(t Type) Type {
	if t.Kind == Tuple {
		return Type{Kind: List, Frozen: true, Elems: []Type{t}}
	}
	return t
}

// insert lets the server read a JSON value and returns its bytes in hex; nil where it refuses.
func (v *valueTable) insert(t *testing.T, typ, value string) *string {
	t.Helper()
	column, isTuple := v.columns[typ], parseType(t, typ).Kind == Tuple
	if isTuple {
		value = "[" + value + "]"
	}
	row := `{"k": 1, "` + column + `": ` + value + `}`
	if err := v.session.Query("INSERT INTO "+v.name+" JSON ?", row).Exec(); err != nil {
		t.Logf("%s %s: %v", typ, value, err)
		return nil
	}
	var raw rawValue
	if err := v.session.Query("SELECT " + column + " FROM " + v.name + " WHERE k = 1").Scan(&raw); err != nil {
		t.Fatalf("%s %s: %v", typ, value, err)
	}
	if raw == nil {
		t.Fatalf("%s %s: the server stored null", typ, value)
	}
	if isTuple {
		raw = raw[8:] // the list's count and the tuple's length
	}
	h := hex.EncodeToString(raw)
	return &h
}

// The server reads each value of the vectors as the file says.
func TestServer(t *testing.T) {
	t.Parallel()
	s := connect(t)
	vectors := readVectors(t)
	table := newValueTable(t, s, vectors)
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	for i, v := range vectors {
		got := table.insert(t, v.Type, v.JSON)
		if show(got) != show(v.Hex) && !*update {
			t.Errorf("%s %s: the server has %s, the file %s", v.Type, v.JSON, show(got), show(v.Hex))
		}
		vectors[i].Hex = got
		if err := enc.Encode(vectors[i]); err != nil {
			t.Fatal(err)
		}
	}
	if *update {
		if err := os.WriteFile(vectorFile, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// tokenKeys are partition keys, as values of their columns' types.
var tokenKeys = []struct {
	types, values []string
	token         int64
}{
	{[]string{"text"}, []string{"a"}, -8839064797231613815},
	{[]string{"text"}, []string{"Ünïcödé, sixteen bytes and more"}, 8083359815056950752},
	{[]string{"text"}, []string{"sixteen bytes ok"}, -1422601140654516155},
	{[]string{"text"}, []string{"ÿÿÿÿÿÿÿ"}, 3230710917636395204},
	{[]string{"blob"}, []string{"0xfffefdfcfbfaf9f8f7f6f5f4f3f2f1f0ff80818283848586878889"}, -483616145216558050},
	{[]string{"int", "text"}, []string{"7", "north"}, -2047857848540077240},
	{[]string{"text", "date", "bigint"}, []string{"", "2026-01-31", "-1"}, -4021571979614282052},
}

func packKey(t testing.TB, types, values []string) []byte {
	t.Helper()
	var packed []byte
	for i, typ := range types {
		value, p := parseType(t, typ).AppendText(nil, []byte(values[i]))
		if p != nil {
			t.Fatal(p.Reason)
		}
		packed = AppendValue(packed, value)
	}
	return packed
}

func TestToken(t *testing.T) {
	t.Parallel()
	var scratch []byte
	for _, k := range tokenKeys {
		var token int64
		if token, scratch = Token(packKey(t, k.types, k.values), scratch); token != k.token {
			t.Errorf("%v %q has token %d, want %d", k.types, k.values, token, k.token)
		}
	}
}

// The server gives the same tokens to rows that are written with the statements and bytes of this package.
func TestServerTokens(t *testing.T) {
	t.Parallel()
	s := connect(t)
	ks := newKeyspace(t, s)
	for _, k := range tokenKeys {
		table := Table{Keyspace: ks, Name: "Keys_" + strings.Join(k.types, "_")}
		for j, typ := range k.types {
			table.Columns = append(table.Columns, Column{fmt.Sprintf("Part %d", j), parseType(t, typ), PartitionKey})
		}
		table.Columns = append(table.Columns, Column{"order", Type{Kind: Int}, ClusteringKey},
			Column{"shared", Type{Kind: Text}, Static}, Column{"v", Type{Kind: Int}, Regular})
		mustExec(t, s, CreateTable(table))
		key := packKey(t, k.types, k.values)
		row := append(AppendValue(bytes.Clone(key), []byte{0, 0, 0, 5}), AppendUnset(AppendNull(nil))...)
		mustExec(t, s, Insert(table, true), bindings(row, int64(1234567), 1000)...)

		names := table.names(PartitionKey)
		query := "SELECT token(" + strings.Join(names, ", ") + ") FROM " + table.FullName() +
			" WHERE " + strings.Join(names, " = ? AND ") + " = ?"
		var token int64
		if err := s.Query(query, bindings(key)...).Scan(&token); err != nil {
			t.Fatal(err)
		}
		if token != k.token {
			t.Errorf("%v %q: the server's token is %d, the table's %d", k.types, k.values, token, k.token)
		}
	}
}

// bindings hands packed values and what follows them to gocql.
func bindings(row []byte, more ...any) []any {
	var args []any
	for len(row) > 0 {
		var v Value
		v, row = NextValue(row)
		switch {
		case v.Unset:
			args = append(args, gocql.UnsetValue)
		case v.Bytes == nil:
			args = append(args, nil)
		default:
			args = append(args, rawBytes(v.Bytes))
		}
	}
	return append(args, more...)
}

// rawBytes goes out as it is.
type rawBytes []byte

func (r rawBytes) MarshalCQL(gocql.TypeInfo) ([]byte, error) { return r, nil }

func show(h *string) string {
	if h == nil {
		return "a refusal"
	}
	return "0x" + *h
}
