package sqlite_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
	"github.com/penstock-io/penstock/internal/table/sqlite"
)

func openAt(t testing.TB, path string) *sqlite.DB {
	t.Helper()
	db, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return db
}

func open(t testing.TB) *sqlite.DB {
	t.Helper()
	return openAt(t, filepath.Join(t.TempDir(), "penstock.db"))
}

// byHand opens the file as a user's own program would.
func byHand(t *testing.T, path string, statements ...string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	return db
}

// lines runs a query and writes each row's values with blanks between.
func lines(t *testing.T, db *sql.DB, query string) []string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	cols, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for rows.Next() {
		values := make([]any, len(cols))
		for i := range values {
			values[i] = new(any)
		}
		if err := rows.Scan(values...); err != nil {
			t.Fatal(err)
		}
		var words []string
		for _, v := range values {
			words = append(words, fmt.Sprint(*v.(*any)))
		}
		out = append(out, strings.Join(words, " "))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

func wantLines(t *testing.T, db *sql.DB, query string, expected ...string) {
	t.Helper()
	if found := lines(t, db, query); !slices.Equal(found, expected) {
		t.Errorf("%s:\n found    %q\n expected %q", query, found, expected)
	}
}

func wantError(t *testing.T, err error, kind contracts.Kind, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, expected one of kind %s", kind)
	}
	if k := contracts.KindOf(err); k != kind {
		t.Errorf("kind %q, expected %q: %v", k, kind, err)
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("the message lacks %q: %v", p, err)
		}
	}
}

func column(name string, k cql.Kind, r cql.Role) cql.Column {
	return cql.Column{Name: name, Type: cql.Type{Kind: k}, Role: r}
}

func table(name string, cols ...cql.Column) cql.Table {
	return cql.Table{Keyspace: "lab", Name: name, Columns: cols}
}

// row packs texts of the table's types; nil is unset.
func row(t testing.TB, table cql.Table, at int64, texts ...any) cql.Row {
	t.Helper()
	r := cql.Row{Timestamp: at}
	for i, c := range table.Columns {
		if texts[i] == nil {
			r.Values = cql.AppendUnset(r.Values)
			continue
		}
		b, p := c.Type.AppendText([]byte{}, []byte(texts[i].(string)))
		if p != nil {
			t.Fatalf("column %s: %v", c.Name, p)
		}
		r.Values = cql.AppendValue(r.Values, b)
		switch c.Role {
		case cql.PartitionKey:
			r.Partition, r.Key = len(r.Values), len(r.Values)
		case cql.ClusteringKey:
			r.Key = len(r.Values)
		}
	}
	return r
}

func writer(t testing.TB, db *sqlite.DB, table cql.Table) *sqlite.Writer {
	t.Helper()
	w, err := db.Writer(t.Context(), table, cql.WriteOptions{})
	if err != nil {
		t.Fatalf("writer: %v", err)
	}
	return w
}

func write(t testing.TB, w *sqlite.Writer, rows ...cql.Row) {
	t.Helper()
	refused, err := w.Write(t.Context(), rows, time.Time{})
	if err != nil {
		t.Fatalf("write: %v", err)
	}
	if len(refused) > 0 {
		t.Fatalf("refused: %+v", refused)
	}
}
