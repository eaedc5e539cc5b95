package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
)

// childPath tells a copy of this test binary to write to a file and leave.
const childPath = "PENSTOCK_SQLITE_TEST_CHILD"

func TestMain(m *testing.M) {
	if path := os.Getenv(childPath); path != "" {
		if err := writeNumbers(context.Background(), path, 1, 2); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

var numbers = cql.Table{Keyspace: "lab", Name: "numbers", Columns: []cql.Column{
	{Name: "id", Type: cql.Type{Kind: cql.Int}, Role: cql.PartitionKey},
	{Name: "v", Type: cql.Type{Kind: cql.Text}, Role: cql.Regular},
}}

func number(id int32, at int64, v string) cql.Row {
	r := cql.Row{Timestamp: at}
	r.Values = cql.AppendValue(r.Values, []byte{byte(id >> 24), byte(id >> 16), byte(id >> 8), byte(id)})
	r.Partition, r.Key = len(r.Values), len(r.Values)
	r.Values = cql.AppendValue(r.Values, []byte(v))
	return r
}

// writeNumbers writes the same keys in many calls, at the times from and from + 2, so that processes contend.
func writeNumbers(ctx context.Context, path string, from int64, step int64) (err error) {
	db, err := Open(ctx, path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := db.Create(ctx, numbers, nil); err != nil {
		return err
	}
	w, err := db.Writer(ctx, numbers, cql.WriteOptions{})
	if err != nil {
		return err
	}
	for at := from; at < from+40*step; at += step {
		var rows []cql.Row
		for id := range int32(200) {
			rows = append(rows, number(id, at, fmt.Sprint("at ", at)))
		}
		if _, err := w.Write(ctx, rows, time.Time{}); err != nil {
			return err
		}
	}
	return nil
}

func TestTwoProcessesShareAFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "shared.db")
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), childPath+"="+path)
	var said strings.Builder
	child.Stderr = &said
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	err := writeNumbers(t.Context(), path, 2, 2)
	if err := child.Wait(); err != nil {
		t.Fatalf("the other process: %v: %s", err, said.String())
	}
	if err != nil {
		t.Fatal(err)
	}
	db := openFor(t, path, busyTimeout)
	n := 0
	for r, err := range db.Cells(t.Context(), numbers) {
		if err != nil {
			t.Fatal(err)
		}
		n++
		if string(r.Values[1].Bytes) != "at 80" || r.Times[1] != 80 {
			t.Fatalf("found %q of %d, expected the latest write, at 80", r.Values[1].Bytes, r.Times[1])
		}
	}
	if n != 200 {
		t.Errorf("%d rows, expected 200", n)
	}
}

func openFor(t *testing.T, path string, busy time.Duration) *DB {
	t.Helper()
	db, err := open(t.Context(), path, busy)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return db
}

func numbersWriter(t *testing.T, db *DB) *Writer {
	t.Helper()
	if err := db.Create(t.Context(), numbers, nil); err != nil {
		t.Fatal(err)
	}
	w, err := db.Writer(t.Context(), numbers, cql.WriteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func wantKind(t *testing.T, err error, kind contracts.Kind, part string) {
	t.Helper()
	if contracts.KindOf(err) != kind || !strings.Contains(fmt.Sprint(err), part) {
		t.Errorf("kind %q, expected %q and %q in: %v", contracts.KindOf(err), kind, part, err)
	}
}

func TestLockedFileIsUnavailable(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "locked.db")
	db := openFor(t, path, 20*time.Millisecond)
	w := numbersWriter(t, db)
	other, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	other.SetMaxOpenConns(1)
	if _, err := other.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	_, err = w.Write(t.Context(), []cql.Row{number(1, 1, "a")}, time.Time{})
	wantKind(t, err, contracts.KindUnavailable, "another process holds the file")
	wantKind(t, db.Create(t.Context(), numbers, nil), contracts.KindUnavailable, path)
	if err := db.Ping(t.Context()); err != nil {
		t.Errorf("a reader is shut out: %v", err)
	}
	if _, err := other.ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(t.Context(), []cql.Row{number(1, 1, "a")}, time.Time{}); err != nil {
		t.Errorf("after the lock: %v", err)
	}
}

func TestFullDiskIsUnavailableAndLeavesNothing(t *testing.T) {
	t.Parallel()
	db := openFor(t, filepath.Join(t.TempDir(), "full.db"), busyTimeout)
	w := numbersWriter(t, db)
	limit := func(pages string) {
		t.Helper()
		if _, err := db.write.ExecContext(t.Context(), "PRAGMA max_page_count = "+pages); err != nil {
			t.Fatal(err)
		}
	}
	var rows []cql.Row
	for i := range int32(2000) {
		rows = append(rows, number(i, 1, strings.Repeat("x", 100)))
	}
	limit("20")
	_, err := w.Write(t.Context(), rows, time.Time{})
	wantKind(t, err, contracts.KindUnavailable, "disk space")
	for r, err := range db.Cells(t.Context(), numbers) {
		t.Fatalf("after a failed write: %v %v, expected no row", r, err)
	}
	limit("100000")
	if refused, err := w.Write(t.Context(), rows, time.Time{}); err != nil || len(refused) > 0 {
		t.Errorf("with space again: %v %v", refused, err)
	}
}

func TestDamagedSideTables(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, damage, part string }{
		{"times", "UPDATE _penstock_cells SET times = x'0102'", "write times"},
		{"times of another type", "UPDATE _penstock_cells SET times = 'soon'", "write times"},
		{"definition", "UPDATE _penstock_tables SET definition = '{'", "_penstock_tables"},
		{"newer definition", `UPDATE _penstock_tables SET definition = '{"v":99}'`, "newer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			db := openFor(t, filepath.Join(t.TempDir(), "damaged.db"), busyTimeout)
			w := numbersWriter(t, db)
			if _, err := w.Write(t.Context(), []cql.Row{number(1, 1, "a")}, time.Time{}); err != nil {
				t.Fatal(err)
			}
			if _, err := db.write.ExecContext(t.Context(), c.damage); err != nil {
				t.Fatal(err)
			}
			_, err := w.Write(t.Context(), []cql.Row{number(1, 2, "b")}, time.Time{})
			wantKind(t, err, contracts.KindConfig, c.part)
		})
	}
}

// The log is folded into the file while we write, so its size is bounded by transactions, not by the load.
func TestLogStaysBounded(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log.db")
	w := numbersWriter(t, openFor(t, path, busyTimeout))
	text := strings.Repeat("x", 1000)
	for from := int32(0); from < 60_000; from += 10_000 {
		var rows []cql.Row
		for i := range int32(10_000) {
			rows = append(rows, number(from+i, 1, text))
		}
		if _, err := w.Write(t.Context(), rows, time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > 48<<20 {
		t.Errorf("the log holds %d bytes, expected at most %d", info.Size(), 48<<20)
	}
}

func TestUnknownColumnIsAnError(t *testing.T) {
	t.Parallel()
	db := openFor(t, filepath.Join(t.TempDir(), "names.db"), busyTimeout)
	numbersWriter(t, db)
	err := db.reading(t.Context(), "read", func(s *session) error {
		return s.exec(t.Context(), `SELECT "absent" FROM "numbers"`)
	})
	wantKind(t, err, contracts.KindConfig, "no such column")
}
