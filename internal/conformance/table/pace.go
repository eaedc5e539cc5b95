package tabletest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
)

// pacer counts what it lets pass, and ends the write at the first batch with which there would be more than most rows.
type pacer struct {
	mu          sync.Mutex
	rows, bytes int
	largest     int
	most        int
	err         error
}

func (p *pacer) pace(_ context.Context, rows, bytes int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.rows+rows > p.most {
		return p.err
	}
	p.rows, p.bytes, p.largest = p.rows+rows, p.bytes+bytes, max(p.largest, rows)
	return nil
}

// paced opens a writer that p paces.
func (x *fixture) paced(p *pacer) Writer {
	x.t.Helper()
	w, err := x.f.Writer(x.t.Context(), x.table, cql.WriteOptions{Pace: p.pace})
	if err != nil {
		x.t.Fatalf("writer of %s: %v", x.table.Name, err)
	}
	return w
}

// pacedRows are rows of small partitions and one large one, and the length of their values.
func pacedRows(x *fixture) (rows []cql.Row, bytes int) {
	for i := range 1000 {
		rows = append(rows, bulkRow(x, 1, i))
	}
	for i := range 500 {
		rows = append(rows, x.row(1, "large", i, fmt.Sprint("value ", i), be64(1), f64(1)))
	}
	for _, r := range rows {
		bytes += len(r.Values)
	}
	return rows, bytes
}

func everyBatchIsPaced(t *testing.T, f Funcs) {
	x := bulkTable(t, f, "paced")
	rows, bytes := pacedRows(x)
	p := &pacer{most: len(rows)}
	writeAll(t, x.paced(p), rows)
	if p.rows != len(rows) || p.bytes != bytes || p.largest > 100 {
		t.Errorf("paced %d rows of %d bytes, at most %d at once: expected %d, %d, 100",
			p.rows, p.bytes, p.largest, len(rows), bytes)
	}
	x.equal(showAll(model(x.table.Columns, rows)), x.cells())
}

func paceEndsTheWrite(t *testing.T, f Funcs) {
	x := bulkTable(t, f, "pace_ends")
	rows, _ := pacedRows(x)
	away := errors.New("the budget's keeper is away")
	p := &pacer{most: 400, err: contracts.Errorf(contracts.KindUnavailable, "pace: %w", away)}
	refused, err := x.paced(p).Write(t.Context(), rows, baseTime)
	if !errors.Is(err, away) || contracts.KindOf(err) != contracts.KindUnavailable || len(refused) > 0 {
		t.Errorf("found %v and %d refusals, expected the pace's error", err, len(refused))
	}
	if n := len(x.cells()); n > p.rows || p.rows == 0 {
		t.Errorf("%d rows are in the table, %d were let pass", n, p.rows)
	}
}
