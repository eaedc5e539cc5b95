package tabletest

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/penstock-io/penstock/cql"
)

func noRows(t *testing.T, f Funcs) {
	x := create(t, f, "no_rows", key("id", cql.Int), regular("v", cql.Int))
	x.write()
	x.want()
}

func bulkTable(t *testing.T, f Funcs, name string) *fixture {
	return create(t, f, name, key("device", cql.Text), clustering("seq", cql.Int),
		regular("a", cql.Text), regular("b", cql.BigInt), regular("c", cql.Double))
}

func bulkRow(x *fixture, at int64, i int) cql.Row {
	device := fmt.Sprintf("device-%03d", i%173)
	return x.row(at, device, i, fmt.Sprint("value ", i), be64(int64(i)), f64(float64(i)/4))
}

func manyRows(t *testing.T, f Funcs) {
	const n = 10_000
	x := bulkTable(t, f, "many")
	var rows []cql.Row
	for i := range n {
		rows = append(rows, bulkRow(x, 1, i))
	}
	expected := showAll(model(x.table.Columns, rows))
	rand.New(rand.NewPCG(1, 1)).Shuffle(n, func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	x.write(rows...)
	x.equal(expected, x.cells())
	x.write(rows[:n/2]...)
	x.equal(expected, x.cells())
}

// concurrentWrites is several workers of one process that write the same keys, each at a time of its own.
func concurrentWrites(t *testing.T, f Funcs) {
	const workers, n = 4, 600
	x := bulkTable(t, f, "concurrent")
	var all []cql.Row
	parts := make([][]cql.Row, workers)
	for w := range workers {
		for i := range n {
			parts[w] = append(parts[w], bulkRow(x, int64(1+w), i+w*n/3))
		}
		all = append(all, parts[w]...)
	}
	errs := make([]error, workers)
	var wg sync.WaitGroup
	for w, rows := range parts {
		writer := x.writer(x.table)
		wg.Go(func() {
			for len(rows) > 0 && errs[w] == nil {
				_, errs[w] = writer.Write(t.Context(), rows[:100], baseTime)
				rows = rows[100:]
			}
		})
	}
	wg.Wait()
	for w, err := range errs {
		if err != nil {
			t.Fatalf("worker %d: %v", w, err)
		}
	}
	x.equal(showAll(model(x.table.Columns, all)), x.cells())
}
