package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// TestBudgetOfSeveralWorkers loads with two processes, four chunks at once, that share a budget of 50 rows a second.
// No machine is so slow that this could fail for it: a load that keeps to its budget takes so long at least.
func TestBudgetOfSeveralWorkers(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, l *lab) {
		spec := strings.Replace(smallPipeline, "keyspace: lab", "keyspace: "+l.keyspace, 1)
		pipeline := l.file("small.yaml", spec+"write: {budget: {rows: 50, bytes: 1MB}}\n")
		var data strings.Builder
		data.WriteString("id,n\n")
		const rows = 240
		for i := range rows {
			fmt.Fprintf(&data, "key-%03d,%d\n", i, i)
		}
		source := l.putText("rows.csv", data.String())
		l.start("worker")
		l.start("worker")
		r := l.load(0, "--workers", "0", "--chunk-size", "100B", pipeline, source)
		if r.Records.Written != rows || r.Chunks.Dead != 0 || len(l.rows("small", "id")) != rows {
			t.Errorf("report %+v, expected %d rows", r, rows)
		}
		t.Logf("%d rows within %.1f s", rows, r.Seconds)
		if r.Seconds < 4 {
			t.Errorf("%d rows within %.1f s, expected at least 4 at 50 rows a second", rows, r.Seconds)
		}
	})
}
