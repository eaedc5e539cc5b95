package cassandra

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gocql/gocql"
	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
	"github.com/penstock-io/penstock/internal/testenv"
)

const notUTF8 = "\xff\xfe"

func TestOneBadRowIsRefusedAlone(t *testing.T) {
	t.Parallel()
	f := readings(t, connected(t))
	if err := f.db.alter(t.Context(), "index", "CREATE INDEX ON "+f.table.FullName()+" (note)"); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("k", 70_000)
	for _, c := range []struct {
		name   string
		bad    cql.Row
		reason string
	}{
		{"text that is not UTF-8, in its partition's batch", row("d", "bad", 1, notUTF8), "validate"},
		{"partition key over 64 KiB", row(long, "bad", 1, "x"), "65535"},
		{"clustering key over 64 KiB", row("d", long, 1, "x"), "65535"},
		{"empty partition key", row("", "bad", 1, "x"), "empty"},
		{"indexed value over 64 KiB", row("d", "bad", 1, long), "Cannot index value of size 70000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var rows []cql.Row
			for i := range 100 {
				rows = append(rows, row("d", fmt.Sprintf("%s %02d", c.name, i), int32(i), "good"))
			}
			rows[37] = c.bad
			before := len(f.notes())
			refusals := f.write(f.writer(cql.WriteOptions{}), rows...)
			if len(refusals) != 1 || refusals[0].Row != 37 || !strings.Contains(refusals[0].Reason, c.reason) {
				t.Errorf("refusals %.300v, expected row 37 with %q", refusals, c.reason)
			}
			if got := len(f.notes()) - before; got != 99 {
				t.Errorf("%d rows arrived, expected 99", got)
			}
		})
	}
}

// TestBadRowsOfMixedBatches has rows of a partition each, which share batches of ten; bad ones stand alone in a batch,
// side by side, and make up a whole batch.
func TestBadRowsOfMixedBatches(t *testing.T) {
	t.Parallel()
	f := readings(t, connected(t))
	w := f.writer(cql.WriteOptions{})
	rows := make([]cql.Row, 100)
	for i := range rows {
		rows[i] = row(fmt.Sprint("device ", i), "s", int32(i), "good")
	}
	bad := map[int]bool{}
	for at, e := range w.sorted(rows) {
		if at == 7 || at >= 30 && at < 40 || at == 55 || at == 56 || at == 99 {
			bad[int(e.row)] = true
		}
	}
	for i := range bad {
		rows[i] = row(fmt.Sprint("device ", i), "s", int32(i), notUTF8)
	}
	refusals := f.write(w, rows...)
	for _, r := range refusals {
		if !bad[r.Row] || !strings.Contains(r.Reason, "String didn't validate") {
			t.Errorf("row %d is refused: %s", r.Row, r.Reason)
		}
	}
	if n := len(f.notes()); len(refusals) != len(bad) || n != 100-len(bad) {
		t.Errorf("%d refusals and %d rows, expected %d and %d", len(refusals), n, len(bad), 100-len(bad))
	}
}

func TestRefusalsAreSortedAndComplete(t *testing.T) {
	t.Parallel()
	f := readings(t, connected(t))
	var rows []cql.Row
	for i := range 300 {
		note := "good"
		if i%3 == 0 {
			note = notUTF8
		}
		rows = append(rows, row(fmt.Sprint("device ", i%7), fmt.Sprint(i), 1, note))
	}
	refusals := f.write(f.writer(cql.WriteOptions{}), rows...)
	if len(refusals) != 100 {
		t.Fatalf("%d refusals, expected 100", len(refusals))
	}
	for i, r := range refusals {
		if r.Row != 3*i {
			t.Fatalf("refusal %d is of row %d, expected %d", i, r.Row, 3*i)
		}
	}
	if n := len(f.notes()); n != 200 {
		t.Errorf("%d rows arrived, expected 200", n)
	}
}

func TestLargeRows(t *testing.T) {
	t.Parallel()
	f := readings(t, connected(t))
	mib := strings.Repeat("x", 1<<20)
	refusals := f.write(f.writer(cql.WriteOptions{}),
		row("d", "1", 1, mib), row("d", "2", 1, "small"), row("d", "3", 1, strings.Repeat(mib, 4)))
	if len(refusals) > 0 {
		t.Fatalf("refused: %.200v", refusals)
	}
	if got := f.notes(); got["d/1"] != mib || got["d/2"] != "small" || len(got["d/3"]) != 4<<20 {
		t.Errorf("rows are not what was written")
	}
}

func TestHugeRowIsRefused(t *testing.T) {
	t.Parallel()
	f := readings(t, connected(t))
	refusals := f.write(f.writer(cql.WriteOptions{}),
		row("d", "1", 1, strings.Repeat("x", 17<<20)), row("d", "2", 1, "small"))
	if len(refusals) != 1 || refusals[0].Row != 0 {
		t.Errorf("refusals %.300v, expected row 0", refusals)
	}
	if got := f.notes(); len(got) != 1 || got["d/2"] != "small" {
		t.Errorf("%d rows, expected the small one", len(got))
	}
}

func TestTTL(t *testing.T) {
	t.Parallel()
	f := readings(t, connected(t))
	w := f.writer(cql.WriteOptions{TTL: 3600})
	for _, c := range []struct {
		name string
		base time.Time
		left int // seconds; 0: the row is not there
	}{
		{"fresh", time.Now(), 3600},
		{"half gone", time.Now().Add(-30 * time.Minute), 1800},
		{"run out", time.Now().Add(-61 * time.Minute), 0},
	} {
		refusals, err := w.Write(t.Context(), []cql.Row{row(c.name, "", 1, "x")}, c.base)
		if err != nil || len(refusals) > 0 {
			t.Fatalf("%s: %v %v", c.name, refusals, err)
		}
		left := 0
		s, _ := f.db.session(t.Context())
		err = s.Query("SELECT ttl(note) FROM "+f.table.FullName()+" WHERE device = ?", c.name).Scan(&left)
		if c.left == 0 && err == gocql.ErrNotFound {
			continue
		}
		if err != nil || left > c.left || left < c.left-60 {
			t.Errorf("%s: %d s left (%v), expected %d", c.name, left, err, c.left)
		}
	}
}

func TestBatchesStayBelowTheServersThresholds(t *testing.T) {
	t.Parallel()
	var warned atomic.Int64
	cfg := config(t, testenv.Cassandra(t))
	db, err := open(t.Context(), cfg, func(c *gocql.ClusterConfig) { c.FrameHeaderObserver = warnings{&warned} })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	f := readings(t, db)
	w := f.writer(cql.WriteOptions{})
	var rows []cql.Row
	for i := range 1000 {
		rows = append(rows, row(fmt.Sprint("small ", i), "", 1, ""))
	}
	for i := range 3000 {
		rows = append(rows, row(fmt.Sprint("device ", i%1500), fmt.Sprint(i), 1, strings.Repeat("n", i%400)))
		rows = append(rows, row("large partition", fmt.Sprint(i), 1, strings.Repeat("n", i%1000)))
	}
	warned.Store(0) // making a keyspace of one replica warns
	f.write(w, rows...)
	if n := warned.Load(); n > 0 {
		t.Errorf("the server warned of %d requests", n)
	}
	// The counter counts: batches beyond the threshold.
	w.warn.partitions = 2 * usualPartitions
	f.write(w, rows[:1000]...)
	if warned.Load() == 0 {
		t.Error("the server did not warn of batches over 20 partitions: this test sees nothing")
	}
}

// warnings counts answers that carry a warning.
type warnings struct{ n *atomic.Int64 }

func (w warnings) ObserveFrameHeader(_ context.Context, h gocql.ObservedFrameHeader) {
	if h.Flags&headerWarning != 0 {
		w.n.Add(1)
	}
}

func TestWriterOptions(t *testing.T) {
	t.Parallel()
	f := readings(t, connected(t))
	_, err := f.db.Writer(t.Context(), f.table, cql.WriteOptions{Consistency: "MOST"})
	wantError(t, err, contracts.KindConfig, "MOST", "LOCAL_QUORUM")
	_, err = f.db.Writer(t.Context(), f.table, cql.WriteOptions{TTL: maxTTL + 1})
	wantError(t, err, contracts.KindConfig, "write.ttl", "630720000")
	f.write(f.writer(cql.WriteOptions{Consistency: "all", TTL: maxTTL}), row("d", "1", 1, "x"))
}

func TestTooFewReplicas(t *testing.T) {
	t.Parallel()
	f := readings(t, connected(t))
	if err := f.db.alter(t.Context(), "replicate", "ALTER KEYSPACE "+f.table.Keyspace+
		" WITH replication = {'class': 'NetworkTopologyStrategy', '"+f.db.dc+"': 3}"); err != nil {
		t.Fatal(err)
	}
	w := f.writer(cql.WriteOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	c := &call{w: w, rows: []cql.Row{row("d", "1", 1, "x")}}
	defer cancel()
	err := explain(ctx, "write", c.attempt(ctx, []entry{{}}))
	wantError(t, err, contracts.KindUnavailable, "too few replicas")
}

func TestCancelledWrite(t *testing.T) {
	t.Parallel()
	f := readings(t, connected(t))
	w := f.writer(cql.WriteOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := w.Write(ctx, []cql.Row{row("d", "1", 1, "x")}, time.Now())
	wantError(t, err, contracts.KindInterrupted, "readings")
}
