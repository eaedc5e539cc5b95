package cassandra

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/gocql/gocql"
	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
)

// tally counts the batches that a proxy saw, by body, and troubles the first so many bodies so many times each.
type tally struct {
	bodies, times int
	trouble       verdict

	mu    sync.Mutex
	order map[string]int
	seen  map[string]int
}

func (a *tally) judge(body []byte) verdict {
	a.mu.Lock()
	defer a.mu.Unlock()
	key := string(body)
	if _, known := a.order[key]; !known {
		a.order[key] = len(a.order)
	}
	a.seen[key]++
	if a.order[key] < a.bodies && a.seen[key] <= a.times {
		return a.trouble
	}
	return verdict{}
}

// again is how many of the troubled bodies came more often than they were troubled.
func (a *tally) again() (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for key, at := range a.order {
		if at < a.bodies && a.seen[key] > a.times {
			n++
		}
	}
	return n
}

// TestTroubledBatchesAreSentAgain has the server refuse batches for the moment, time out, or do them and lose the
// answer: each goes out again, to the byte, its timestamps among them, until it is acknowledged. No row is blamed.
func TestTroubledBatchesAreSentAgain(t *testing.T) {
	t.Parallel()
	quorum := []byte{0, 6, 0, 0, 0, 0, 0, 0, 0, 1} // LOCAL_QUORUM, acknowledged by none of one
	simple := append(quorum[:10:10], 0, 6, 'S', 'I', 'M', 'P', 'L', 'E')
	unavailable := []byte{0, 6, 0, 0, 0, 1, 0, 0, 0, 0}
	failed := append(quorum[:10:10], 0, 0, 0, 1, 0, 6, 'S', 'I', 'M', 'P', 'L', 'E')
	for _, c := range []struct {
		name    string
		trouble verdict
		lowers  bool // the bound of batches in flight
	}{
		{"overloaded", verdict{refuse: errorBody(gocql.ErrCodeOverloaded, "too many requests")}, true},
		{"write timeout", verdict{refuse: errorBody(gocql.ErrCodeWriteTimeout, "timed out", simple...)}, true},
		{"write failure", verdict{refuse: errorBody(gocql.ErrCodeWriteFailure, "failed", failed...)}, false},
		{"unavailable", verdict{refuse: errorBody(gocql.ErrCodeUnavailable, "no quorum", unavailable...)}, false},
		{"bootstrapping", verdict{refuse: errorBody(gocql.ErrCodeBootstrapping, "not yet")}, false},
		{"server error", verdict{refuse: errorBody(gocql.ErrCodeServer, "java.lang.Something")}, false},
		{"answer lost", verdict{lose: true}, false},
		{"table just made", verdict{refuse: errorBody(gocql.ErrCodeInvalid, "table readings does not exist")}, false},
		{"table just made, Cassandra 3", verdict{refuse: errorBody(gocql.ErrCodeInvalid, "unconfigured table r")}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			db, p := proxied(t)
			f := readings(t, db)
			w := f.writer(cql.WriteOptions{})
			troubled := &tally{bodies: 5, times: 3, trouble: c.trouble, order: map[string]int{}, seen: map[string]int{}}
			p.trouble(troubled.judge)
			rows := spreadRows(2000)
			if refusals := f.write(w, rows...); len(refusals) > 0 {
				t.Errorf("rows are blamed: %v", refusals)
			}
			if n := troubled.again(); n != 5 {
				t.Errorf("%d batches came as often as they had to, expected 5", n)
			}
			if lowered := w.limit.lowered.Unix() > 0; lowered != c.lowers {
				t.Errorf("bound of batches in flight lowered: %t, expected %t", lowered, c.lowers)
			}
			wantRows(t, f, rows)
		})
	}
}

// TestListedTableIsWaitedFor: a node that goes on not knowing a table which its schema lists is busy, and no reason to
// give the rows up.
func TestListedTableIsWaitedFor(t *testing.T) {
	t.Parallel()
	db, p := proxied(t)
	f := readings(t, db)
	w := f.writer(cql.WriteOptions{})
	w.patience = 0
	p.trouble(func([]byte) verdict {
		return verdict{refuse: errorBody(gocql.ErrCodeInvalid, "table readings does not exist")}
	})
	rows := spreadRows(20)
	_, err := w.Write(t.Context(), rows, time.Now())
	wantError(t, err, contracts.KindUnavailable, f.table.FullName(), "does not know the table yet, which the schema lists")
	p.trouble(nil)
	f.write(w, rows...)
	wantRows(t, f, rows)
}

// spreadRows are rows of many partitions, small and large, each at a time of its own.
func spreadRows(n int) []cql.Row {
	rows := make([]cql.Row, n)
	for i := range rows {
		rows[i] = row(fmt.Sprint("device ", i%(n/20)), fmt.Sprint(i), int32(i), fmt.Sprint("note ", i))
		rows[i].Timestamp = int64(1000 + i)
	}
	return rows
}

// wantRows wants just these rows in the table, their cells at their times.
func wantRows(t *testing.T, f *fixture, rows []cql.Row) {
	t.Helper()
	want := map[string]cql.Row{}
	for _, r := range rows {
		want[string(r.KeyBytes())] = r
	}
	for got, err := range f.db.Cells(t.Context(), f.table) {
		if err != nil {
			t.Fatal(err)
		}
		var packed []byte
		for _, v := range got.Values {
			packed = cql.AppendValue(packed, v.Bytes)
		}
		key := cql.AppendValue(cql.AppendValue(nil, got.Values[0].Bytes), got.Values[1].Bytes)
		r, ok := want[string(key)]
		if !ok || string(r.Values) != string(packed) || got.Times[2] != r.Timestamp || got.Times[3] != r.Timestamp {
			t.Fatalf("found %q at %v, expected %q at %d", packed, got.Times, r.Values, r.Timestamp)
		}
		delete(want, string(key))
	}
	if len(want) > 0 {
		t.Errorf("%d of %d rows are missing", len(want), len(rows))
	}
}
