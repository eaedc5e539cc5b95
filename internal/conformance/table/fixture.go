package tabletest

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
)

// t0 is a write time of long ago, in microseconds; tests count from it.
const t0 int64 = 1_700_000_000_000_000

var baseTime = time.UnixMicro(t0).UTC()

// unset stands for an unset value in row; nil is null.
type unset struct{}

func key(name string, k cql.Kind) cql.Column        { return column(name, k, cql.PartitionKey) }
func clustering(name string, k cql.Kind) cql.Column { return column(name, k, cql.ClusteringKey) }
func static(name string, k cql.Kind) cql.Column     { return column(name, k, cql.Static) }
func regular(name string, k cql.Kind) cql.Column    { return column(name, k, cql.Regular) }

func column(name string, k cql.Kind, r cql.Role) cql.Column {
	return cql.Column{Name: name, Type: cql.Type{Kind: k}, Role: r}
}

// fixture is one table on the target.
type fixture struct {
	t     *testing.T
	f     Funcs
	table cql.Table
	w     Writer
}

// create makes a table and a writer for it.
func create(t *testing.T, f Funcs, name string, cols ...cql.Column) *fixture {
	t.Helper()
	x := &fixture{t: t, f: f, table: cql.Table{Keyspace: f.Keyspace, Name: name, Columns: cols}}
	if err := f.Create(t.Context(), x.table, nil); err != nil {
		t.Fatalf("create %s: %v", name, err)
	}
	x.w = x.writer(x.table)
	return x
}

func (x *fixture) writer(table cql.Table) Writer {
	x.t.Helper()
	w, err := x.f.Writer(x.t.Context(), table, cql.WriteOptions{})
	if err != nil {
		x.t.Fatalf("writer of %s: %v", table.Name, err)
	}
	return w
}

// row packs values in the table's column order: []byte, string, int (a CQL int), nil for null, unset.
func (x *fixture) row(at int64, values ...any) cql.Row { return pack(x.table, at, values...) }

func pack(table cql.Table, at int64, values ...any) cql.Row {
	if len(values) != len(table.Columns) {
		panic(fmt.Sprintf("%d values for %d columns of %s", len(values), len(table.Columns), table.Name))
	}
	r := cql.Row{Timestamp: t0 + at}
	for i, v := range values {
		r.Values = appendAny(r.Values, v)
		switch table.Columns[i].Role {
		case cql.PartitionKey:
			r.Partition, r.Key = len(r.Values), len(r.Values)
		case cql.ClusteringKey:
			r.Key = len(r.Values)
		}
	}
	return r
}

func appendAny(dst []byte, v any) []byte {
	switch v.(type) {
	case nil:
		return cql.AppendNull(dst)
	case unset:
		return cql.AppendUnset(dst)
	default:
		return cql.AppendValue(dst, native(v))
	}
}

// native is the protocol's form of a test value.
func native(v any) []byte {
	switch v := v.(type) {
	case []byte:
		return v
	case string:
		return []byte(v)
	case int:
		return be32(int32(v))
	default:
		panic(fmt.Sprintf("no native form of %T", v))
	}
}

func (x *fixture) write(rows ...cql.Row) {
	x.t.Helper()
	writeAll(x.t, x.w, rows)
}

func writeAll(t *testing.T, w Writer, rows []cql.Row) {
	t.Helper()
	refused, err := w.Write(t.Context(), rows, baseTime)
	if err != nil {
		t.Fatalf("write %d rows: %v", len(rows), err)
	}
	if len(refused) > 0 {
		t.Fatalf("write %d rows: %d refused, the first is row %d: %s",
			len(rows), len(refused), refused[0].Row, refused[0].Reason)
	}
}

// cells reads the table, sorted by key bytes.
func (x *fixture) cells() []cql.CellRow {
	x.t.Helper()
	rows, err := readCells(x.t.Context(), x.f, x.table)
	if err != nil {
		x.t.Fatalf("cells of %s: %v", x.table.Name, err)
	}
	return rows
}

func readCells(ctx context.Context, f Funcs, table cql.Table) ([]cql.CellRow, error) {
	var rows []cql.CellRow
	for r, err := range f.Cells(ctx, table) {
		if err != nil {
			return nil, err
		}
		rows = append(rows, copyRow(r))
	}
	keys := table.Count(cql.PartitionKey) + table.Count(cql.ClusteringKey)
	slices.SortFunc(rows, func(a, b cql.CellRow) int { return bytes.Compare(keyOf(a, keys), keyOf(b, keys)) })
	return rows, nil
}

// copyRow lets a target reuse its buffers between rows.
func copyRow(r cql.CellRow) cql.CellRow {
	out := cql.CellRow{Times: slices.Clone(r.Times)}
	for _, v := range r.Values {
		if v.Bytes != nil {
			v.Bytes = append([]byte{}, v.Bytes...)
		}
		out.Values = append(out.Values, v)
	}
	return out
}

func keyOf(r cql.CellRow, n int) []byte {
	var packed []byte
	for _, v := range r.Values[:n] {
		packed = cql.AppendValue(packed, v.Bytes)
	}
	return packed
}

// at is an expected cell: a value and when it was written, relative to t0.
type at struct {
	value any
	time  int64
}

// want compares the table with rows of expected values, in order of key bytes: bare values in key columns, nil where
// there is no value, at elsewhere.
func (x *fixture) want(rows ...[]any) {
	x.t.Helper()
	var expected []string
	for _, r := range rows {
		expected = append(expected, showWanted(r))
	}
	x.equal(expected, x.cells())
}

func (x *fixture) equal(expected []string, rows []cql.CellRow) {
	x.t.Helper()
	found := showAll(rows)
	for i := range max(len(expected), len(found)) {
		if e, f := lineAt(expected, i), lineAt(found, i); e != f {
			x.t.Fatalf("%s: %d rows, expected %d; row %d:\n found    %s\n expected %s",
				x.table.Name, len(found), len(expected), i, f, e)
		}
	}
}

func lineAt(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "nothing"
}

func showWanted(r []any) string {
	var b strings.Builder
	for _, v := range r {
		switch v := v.(type) {
		case nil:
			b.WriteString(" null")
		case at:
			fmt.Fprintf(&b, " %s@%d", hex.EncodeToString(native(v.value)), v.time)
		default:
			fmt.Fprintf(&b, " %s", hex.EncodeToString(native(v)))
		}
	}
	return b.String()
}

func showAll(rows []cql.CellRow) []string {
	var out []string
	for _, r := range rows {
		out = append(out, showRow(r))
	}
	return out
}

func showRow(r cql.CellRow) string {
	var b strings.Builder
	for i, v := range r.Values {
		switch {
		case v.Bytes == nil:
			b.WriteString(" null")
		case r.Times[i] == 0:
			fmt.Fprintf(&b, " %s", hex.EncodeToString(v.Bytes))
		default:
			fmt.Fprintf(&b, " %s@%d", hex.EncodeToString(v.Bytes), r.Times[i]-t0)
		}
	}
	return b.String()
}

// wantError checks an error's kind and that its message names what a user needs.
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
