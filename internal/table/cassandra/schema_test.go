package cassandra

import (
	"bytes"
	"sync"
	"testing"
	"time"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
	"github.com/penstock-io/penstock/internal/testenv"
)

func TestConcurrentCreators(t *testing.T) {
	t.Parallel()
	addr := testenv.Cassandra(t)
	street := cql.Type{Kind: cql.UDT, Name: "street", Fields: []string{"name"}, Elems: []cql.Type{{Kind: cql.Text}}}
	frozen := street
	frozen.Frozen = true
	address := cql.Type{Kind: cql.UDT, Name: "Address", Fields: []string{"street", "zip"},
		Elems: []cql.Type{frozen, {Kind: cql.Int}}}
	table := cql.Table{Keyspace: testenv.Name(t, "race"), Name: "people", Columns: []cql.Column{
		{Name: "id", Type: cql.Type{Kind: cql.Int}, Role: cql.PartitionKey},
		{Name: "home", Type: address, Role: cql.Regular},
	}}
	udts := map[string]cql.Type{"Address": address, "street": street}
	var wg sync.WaitGroup
	for range 4 {
		db := opened(t, config(t, addr))
		wg.Go(func() {
			if err := db.Create(t.Context(), table, udts); err != nil {
				t.Error(err)
			}
			if _, err := db.Writer(t.Context(), table, cql.WriteOptions{}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got, types, err := opened(t, config(t, addr)).Describe(t.Context(), table.Keyspace, table.Name)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Columns) != 2 || !got.Columns[1].Type.Equal(address) || len(types) != 2 {
		t.Errorf("found %+v with types %+v", got, types)
	}
}

func TestMissing(t *testing.T) {
	t.Parallel()
	f := readings(t, connected(t))
	_, _, err := f.db.Describe(t.Context(), f.table.Keyspace, "Readings")
	wantError(t, err, contracts.KindMissing, `table "Readings" does not exist`, f.table.Keyspace, "create: true")
	_, _, err = f.db.Describe(t.Context(), "nowhere", "readings")
	wantError(t, err, contracts.KindMissing, `keyspace "nowhere" does not exist`)
	other := f.table
	other.Name = "other"
	_, err = f.db.Writer(t.Context(), other, cql.WriteOptions{})
	wantError(t, err, contracts.KindMissing, `table "other" does not exist`)
}

func TestCheckSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	text, number := cql.Type{Kind: cql.Text}, cql.Type{Kind: cql.Int}
	set := cql.Type{Kind: cql.Set, Elems: []cql.Type{text}}
	frozenSet := set
	frozenSet.Frozen = true
	point := func(fields ...string) cql.Type {
		p := cql.Type{Kind: cql.UDT, Name: "point", Fields: fields}
		for range fields {
			p.Elems = append(p.Elems, number)
		}
		return p
	}
	table := func(columns ...cql.Column) cql.Table {
		return cql.Table{Keyspace: "lab", Name: "t", Columns: columns}
	}
	id := cql.Column{Name: "id", Type: number}
	regular := func(typ cql.Type) cql.Column { return cql.Column{Name: "c", Type: typ, Role: cql.Regular} }
	for _, c := range []struct {
		name       string
		want, have cql.Table
		words      []string // nil: they fit
	}{
		{"the same", table(id, regular(text)), table(id, regular(text)), nil},
		{"more columns in the table", table(id), table(id, regular(text)), nil},
		{"a user type that gained a field", table(id, regular(point("x", "y"))),
			table(id, regular(point("x", "y", "z"))), nil},
		{"another type", table(id, regular(text)), table(id, regular(number)),
			[]string{"table lab.t", `column "c"`, "found type int", "expected text"}},
		{"frozen", table(id, regular(set)), table(id, regular(frozenSet)),
			[]string{"found type frozen<set<text>>, expected set<text>"}},
		{"fields in another order", table(id, regular(point("x", "y"))), table(id, regular(point("y", "x"))),
			[]string{"found type point (y int, x int), expected point (x int, y int)"}},
		{"a counter", table(id, regular(number)), table(id, regular(cql.Type{Kind: cql.Counter})),
			[]string{"counter"}},
		{"two problems", table(id, regular(text)), table(cql.Column{Name: "key", Type: number}),
			[]string{"partition key: found (key), expected (id)", "found no such column, expected type text"}},
		{"a static column", table(id, regular(text)), table(id, cql.Column{Name: "c", Type: text, Role: cql.Static}),
			[]string{"found a static column, expected a regular one"}},
	} {
		err := check(c.want, c.have)
		if c.words == nil {
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		t.Log(c.name)
		wantError(t, err, contracts.KindConfig, c.words...)
	}
}

// Rows are sorted by our own token: it must be the server's.
func TestTokensAreTheServers(t *testing.T) {
	t.Parallel()
	db := connected(t)
	table := cql.Table{Keyspace: testenv.Name(t, "token"), Name: "t", Columns: []cql.Column{
		{Name: "a", Type: cql.Type{Kind: cql.Blob}, Role: cql.PartitionKey},
		{Name: "b", Type: cql.Type{Kind: cql.Blob}, Role: cql.PartitionKey},
	}}
	if err := db.Create(t.Context(), table, nil); err != nil {
		t.Fatal(err)
	}
	w, err := db.Writer(t.Context(), table, cql.WriteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var rows []cql.Row
	for n := range 60 {
		r := cql.Row{Timestamp: 1}
		r.Values = cql.AppendValue(r.Values, bytes.Repeat([]byte{byte(n * 37)}, n))
		r.Values = cql.AppendValue(r.Values, []byte{0xff, byte(n)})
		r.Partition, r.Key = len(r.Values), len(r.Values)
		rows = append(rows, r)
	}
	if refusals, err := w.Write(t.Context(), rows, time.Now()); err != nil || len(refusals) > 0 {
		t.Fatal(refusals, err)
	}
	s, err := db.session(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	iter := s.Query("SELECT a, b, token(a, b) FROM " + table.FullName()).Iter()
	for a, b, token := []byte(nil), []byte(nil), int64(0); iter.Scan(&a, &b, &token); found++ {
		if got, _ := cql.Token(cql.AppendValue(cql.AppendValue(nil, a), b), nil); got != token {
			t.Errorf("token of %x, %x is %d, expected %d", a, b, got, token)
		}
	}
	if err := iter.Close(); err != nil || found != len(rows) {
		t.Errorf("%d rows (%v), expected %d", found, err, len(rows))
	}
}
