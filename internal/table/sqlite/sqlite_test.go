package sqlite_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
	"github.com/penstock-io/penstock/internal/table/sqlite"
)

func TestAnyProgramReadsTheDeclaredColumns(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a b?#%.db")
	db := openAt(t, path)
	list := cql.Column{Name: "tags", Type: cql.Type{
		Kind: cql.List, Frozen: true, Elems: []cql.Type{{Kind: cql.Text}},
	}, Role: cql.Regular}
	tab := table("readings", column("id", cql.Int, cql.PartitionKey), column("at", cql.Timestamp, cql.Regular),
		column("ok", cql.Boolean, cql.Regular), column("level", cql.Double, cql.Regular),
		column("raw", cql.Blob, cql.Regular), column("cost", cql.Decimal, cql.Regular), list)
	if err := db.Create(t.Context(), tab, nil); err != nil {
		t.Fatal(err)
	}
	write(t, writer(t, db, tab),
		row(t, tab, 1, "7", "2026-01-01T00:00:00Z", "true", "1.5", "0x00ff", "1.50", `["a","b"]`))
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the file is elsewhere: %v", err)
	}
	other := byHand(t, "file:"+filepath.Dir(path)+"/a%20b%3f%23%25.db")
	wantLines(t, other, "SELECT count(*) FROM pragma_table_info('readings')", "7")
	wantLines(t, other, `SELECT id, +at, +ok, level, hex(raw), cost, tags FROM readings`,
		`7 2026-01-01T00:00:00.000Z 1 1.5 00FF 1.50 ["a","b"]`)
}

func TestTablesMadeByHand(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "hand.db")
	other := byHand(t, path, `CREATE TABLE pumps (
		id INTEGER PRIMARY KEY, name TEXT, level REAL, raw BLOB, ok BOOLEAN, seen TIMESTAMP, code VARCHAR(10), odd STRING)`,
		`INSERT INTO pumps (id, name, level) VALUES (1, 'old', 0.5), (-3, 'kept', 1)`)
	db := openAt(t, path)
	found, _, err := db.Describe(t.Context(), "lab", "pumps")
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, c := range found.Columns {
		kinds = append(kinds, fmt.Sprint(c.Name, " ", c.Type, " ", c.Role))
	}
	expected := []string{
		"id bigint 0", "name text 3", "level double 3", "raw blob 3", "ok boolean 3", "seen timestamp 3", "code text 3",
		"odd double 3",
	}
	if !slices.Equal(kinds, expected) {
		t.Errorf("found %q, expected %q", kinds, expected)
	}
	tab := table("pumps", column("id", cql.Int, cql.PartitionKey), column("name", cql.Text, cql.Regular),
		column("ok", cql.Boolean, cql.Regular))
	w := writer(t, db, tab)
	write(t, w, row(t, tab, 5, "1", "new", "true"), row(t, tab, 5, "2", "two", nil))
	write(t, w, row(t, tab, 4, "1", "older", "false"), row(t, tab, 6, "2", nil, "false"))
	wantLines(t, other, "SELECT id, name, level, +ok FROM pumps ORDER BY id",
		"-3 kept 1 <nil>", "1 new 0.5 1", "2 two <nil> 0")
}

func TestTablesThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "refused.db")
	byHand(t, path,
		`CREATE TABLE keyless (id INT)`, `CREATE TABLE flat (id INT PRIMARY KEY) WITHOUT ROWID`,
		`CREATE VIEW seen AS SELECT 1 AS id`, `CREATE TABLE odd (id INT PRIMARY KEY, name STRING, day DATE)`,
		`CREATE TABLE ids (rowid INT PRIMARY KEY, _rowid_ INT, oid INT)`)
	db := openAt(t, path)
	id := column("id", cql.Int, cql.PartitionKey)
	for _, c := range []struct {
		table cql.Table
		parts []string
	}{
		{table("keyless", id), []string{"keyless", "primary key"}},
		{table("flat", id), []string{"flat", "WITHOUT ROWID"}},
		{table("seen", id), []string{"seen", "view"}},
		{table("odd", id, column("name", cql.Text, cql.Regular)), []string{"name", "double", "text"}},
		{table("odd", id, column("day", cql.Text, cql.Regular)), []string{"day", "date", "text"}},
		{table("odd", id, column("day", cql.Date, cql.Static)), []string{"day", "static"}},
		{table("ids", column("rowid", cql.Int, cql.PartitionKey)), []string{"ids", "rowid"}},
		{table("Keyless", id), []string{"Keyless", "keyless"}},
	} {
		_, err := db.Writer(t.Context(), c.table, cql.WriteOptions{})
		wantError(t, err, contracts.KindConfig, append(c.parts, path)...)
	}
}

func TestCreateRefusals(t *testing.T) {
	t.Parallel()
	db := open(t)
	id := column("id", cql.Int, cql.PartitionKey)
	for _, c := range []struct {
		table cql.Table
		parts []string
	}{
		{table("t", id, column("Level", cql.Int, cql.Regular), column("level", cql.Int, cql.Regular)),
			[]string{`"Level"`, `"level"`}},
		{table("t", id, column("n", cql.Counter, cql.Regular)), []string{`"n"`, "counter"}},
		{table("t", column("n", cql.Int, cql.Regular)), []string{"partition key"}},
		{table("sqlite_t", id), []string{"sqlite_t"}},
		{table("_penstock_cells", id), []string{"_penstock_cells"}},
	} {
		wantError(t, db.Create(t.Context(), c.table, nil), contracts.KindConfig, c.parts...)
	}
}

func TestOneNameInTwoKeyspaces(t *testing.T) {
	t.Parallel()
	db := open(t)
	tab := table("readings", column("id", cql.Int, cql.PartitionKey))
	if err := db.Create(t.Context(), tab, nil); err != nil {
		t.Fatal(err)
	}
	tab.Keyspace = "plant"
	parts := []string{`"lab"`, `"plant"`, "readings"}
	wantError(t, db.Create(t.Context(), tab, nil), contracts.KindConfig, parts...)
	_, err := db.Writer(t.Context(), tab, cql.WriteOptions{})
	wantError(t, err, contracts.KindConfig, parts...)
	_, _, err = db.Describe(t.Context(), "plant", "readings")
	wantError(t, err, contracts.KindConfig, parts...)
	tab.Name = "Readings"
	wantError(t, db.Create(t.Context(), tab, nil), contracts.KindConfig, `"readings"`, `"Readings"`)
}

func TestTTLIsRefused(t *testing.T) {
	t.Parallel()
	tab := table("readings", column("id", cql.Int, cql.PartitionKey))
	_, err := open(t).Writer(t.Context(), tab, cql.WriteOptions{TTL: 60})
	wantError(t, err, contracts.KindConfig, "write.ttl", "60")
}

func TestOpenErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	noise := filepath.Join(dir, "noise.db")
	if err := os.WriteFile(noise, slices.Repeat([]byte("no database "), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, path string
		parts      []string
	}{
		{"a missing folder", filepath.Join(dir, "absent", "x.db"), []string{filepath.Join(dir, "absent"), "does not exist"}},
		{"a folder that is a file", filepath.Join(noise, "x.db"), []string{noise}},
		{"a folder", dir, []string{dir, "folder"}},
		{"another kind of file", noise, []string{noise, "no SQLite database"}},
		{"no path", "", []string{"path"}},
		{"memory", ":memory:", []string{"path"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := sqlite.Open(t.Context(), c.path)
			wantError(t, err, contracts.KindConfig, c.parts...)
		})
	}
}

func TestRefusedRowsAreNamed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "checked.db")
	other := byHand(t, path, `CREATE TABLE checked (id INT PRIMARY KEY, v INT CHECK (v < 100), u TEXT UNIQUE)`)
	db := openAt(t, path)
	tab := table("checked", column("id", cql.Int, cql.PartitionKey), column("v", cql.Int, cql.Regular),
		column("u", cql.Text, cql.Regular))
	rows := []cql.Row{
		row(t, tab, 1, "1", "1", "a"), row(t, tab, 1, "2", "200", "b"), row(t, tab, 1, "3", "3", "a"),
		row(t, tab, 2, "1", "300", nil), row(t, tab, 1, "4", "4", "d"),
	}
	for range 2 {
		refused, err := writer(t, db, tab).Write(t.Context(), rows, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		var at []int
		for _, r := range refused {
			at = append(at, r.Row)
		}
		slices.Sort(at)
		if !slices.Equal(at, []int{1, 2, 3}) {
			t.Errorf("refused %+v, expected rows 1, 2 and 3", refused)
		}
		wantLines(t, other, "SELECT id, v, u FROM checked ORDER BY id", "1 1 a", "4 4 d")
	}
}

func TestTableChangedByHand(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "changed.db")
	db := openAt(t, path)
	id, a := column("id", cql.Int, cql.PartitionKey), column("a", cql.Int, cql.Regular)
	tab := table("changed", id, a)
	if err := db.Create(t.Context(), tab, nil); err != nil {
		t.Fatal(err)
	}
	narrow := writer(t, db, tab)
	write(t, narrow, row(t, tab, 5, "1", "10"), row(t, tab, 5, "2", "20"))
	other := byHand(t, path, "ALTER TABLE changed ADD COLUMN b INT")
	wide := table("changed", id, a, column("b", cql.Int, cql.Regular))
	write(t, writer(t, db, wide), row(t, wide, 7, "1", nil, "11"))
	write(t, narrow, row(t, tab, 6, "1", "12"))
	write(t, writer(t, db, wide), row(t, wide, 6, "1", nil, "6"), row(t, wide, 4, "2", "4", "21"))
	wantLines(t, other, "SELECT * FROM changed ORDER BY id", "1 12 11", "2 20 21")

	byHand(t, path, "VACUUM", "DROP TABLE changed")
	_, err := narrow.Write(t.Context(), []cql.Row{row(t, tab, 8, "1", "1")}, time.Time{})
	wantError(t, err, contracts.KindConfig, "changed", path)
	if err := db.Create(t.Context(), tab, nil); err != nil {
		t.Fatal(err)
	}
	write(t, writer(t, db, tab), row(t, tab, 1, "1", "1"))
	wantLines(t, other, "SELECT * FROM changed", "1 1")
	wantLines(t, other, "SELECT count(*), max(times) FROM _penstock_cells", "1 1")
}

// SQLite documents that VACUUM may renumber rows and does not where a table has an index, as ours all have.
func TestVacuumKeepsWriteTimes(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "vacuum.db")
	db := openAt(t, path)
	tab := table("kept", column("id", cql.Int, cql.PartitionKey), column("a", cql.Int, cql.Regular))
	if err := db.Create(t.Context(), tab, nil); err != nil {
		t.Fatal(err)
	}
	w := writer(t, db, tab)
	for i := range 9 {
		write(t, w, row(t, tab, int64(100+i), fmt.Sprint(9-i), "1"))
	}
	other := byHand(t, path, "DELETE FROM kept WHERE id IN (2, 5, 9)")
	const q = "SELECT id, times FROM kept t JOIN _penstock_cells c ON c.row = t.rowid ORDER BY id"
	before := lines(t, other, q)
	byHand(t, path, "VACUUM")
	wantLines(t, other, q, before...)
}

func TestMixedTimesStayWithTheirCells(t *testing.T) {
	t.Parallel()
	db := open(t)
	cols := []cql.Column{column("id", cql.Int, cql.PartitionKey)}
	for i := range 40 {
		cols = append(cols, column(fmt.Sprint("c", i), cql.Int, cql.Regular))
	}
	tab := table("wide", cols...)
	if err := db.Create(t.Context(), tab, nil); err != nil {
		t.Fatal(err)
	}
	w := writer(t, db, tab)
	for i := range 40 {
		texts := make([]any, 41)
		texts[0], texts[1+i] = "1", fmt.Sprint(i)
		write(t, w, row(t, tab, int64(1)<<i, texts...))
	}
	for r, err := range db.Cells(t.Context(), tab) {
		if err != nil {
			t.Fatal(err)
		}
		for i := range 40 {
			if r.Times[1+i] != int64(1)<<i {
				t.Errorf("column c%d is of %d, expected %d", i, r.Times[1+i], int64(1)<<i)
			}
		}
	}
}

func TestCancelledWriteIsInterrupted(t *testing.T) {
	t.Parallel()
	db := open(t)
	tab := table("readings", column("id", cql.Int, cql.PartitionKey))
	if err := db.Create(t.Context(), tab, nil); err != nil {
		t.Fatal(err)
	}
	w := writer(t, db, tab)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := w.Write(ctx, []cql.Row{row(t, tab, 1, "1")}, time.Time{})
	wantError(t, err, contracts.KindInterrupted)
	write(t, w, row(t, tab, 1, "1"))
}

func TestReadersMayStopAndWriteInBetween(t *testing.T) {
	t.Parallel()
	db := open(t)
	tab := table("readings", column("id", cql.Int, cql.PartitionKey))
	if err := db.Create(t.Context(), tab, nil); err != nil {
		t.Fatal(err)
	}
	w := writer(t, db, tab)
	write(t, w, row(t, tab, 1, "1"), row(t, tab, 1, "2"))
	seen := 0
	for _, err := range db.Cells(t.Context(), tab) {
		if err != nil {
			t.Fatal(err)
		}
		seen++
		write(t, w, row(t, tab, 1, "3"))
		break
	}
	if seen != 1 {
		t.Errorf("saw %d rows, expected 1", seen)
	}
}
