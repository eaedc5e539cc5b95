package workers

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
	"github.com/penstock-io/penstock/internal/objects"
	"github.com/penstock-io/penstock/internal/teststore"
	"github.com/penstock-io/penstock/state"
)

const checkpointSpec = `
name: p
source: {format: ndjson}
table: {keyspace: lab, name: t, partition_key: [n]}
columns: [{name: n, type: int}, {name: x, type: text}]
where: "x != 'drop'"
`

// mixed are lines of which some are merged, some filtered, some rejected, and one in nine is refused by the database.
func mixed(n int) []byte {
	rnd := rand.New(rand.NewPCG(1, 1))
	var b bytes.Buffer
	for i := range n {
		key, text := fmt.Sprint(rnd.IntN(n)/3), fmt.Sprintf("%x", rnd.Uint64())
		switch i % 11 {
		case 3:
			key = `"no"`
		case 7:
			text = "drop"
		}
		fmt.Fprintf(&b, "{\"n\":%s,\"x\":\"%s\"}\n", key, text)
	}
	return b.Bytes()
}

// cells are what a database would hold, and fails at a call.
type cells struct {
	rows   map[string]int64 // key and value: write time
	calls  int
	failAt int
}

func (c *cells) Write(_ context.Context, rows []cql.Row) (refused []cql.Refusal, err error) {
	if c.calls++; c.calls == c.failAt {
		return nil, contracts.Errorf(contracts.KindInterrupted, "the worker leaves")
	}
	for i, row := range rows {
		if row.KeyBytes()[len(row.KeyBytes())-1]%9 == 0 {
			refused = append(refused, cql.Refusal{Row: i, Reason: "no nines"})
			continue
		}
		c.rows[string(row.Values)] = row.Timestamp
	}
	return refused, nil
}

func checkpointRig(t *testing.T, c *cells, blocks bool) (*rig, contracts.ChunkWork) {
	t.Helper()
	r := newRig(compiled(t, checkpointSpec), write(c.Write))
	data := mixed(500)
	r.source.data["o"] = zipped(data)
	w := work(r.source.part("o", "gzip", 5, 4000))
	if blocks {
		w.Parts[0].Whole = false
		w.Parts[0].Blocks = &contracts.Blocks{Next: w.Parts[0].End, End: int64(len(data))}
	}
	w.SegmentSize = 200
	return r, w
}

// TestCheckpoints: a load that is broken off at any write and taken up again does what one that is not does, and does
// not write from the start again.
func TestCheckpoints(t *testing.T) {
	t.Parallel()
	t.Run("a stream", func(t *testing.T) { t.Parallel(); breakOff(t, false) })
	t.Run("a range", func(t *testing.T) { t.Parallel(); breakOff(t, true) })
}

func breakOff(t *testing.T, blocks bool) {
	once := &cells{rows: map[string]int64{}}
	plain, w := checkpointRig(t, once, blocks)
	want, err := newLoader(plain.Workers).load(t.Context(), w)
	must(t, err)
	if k := want.Counts; k.Rejected == 0 || k.Filtered == 0 || k.Merged == 0 || len(want.Rejects) != 1 {
		t.Fatalf("found %+v", want)
	}
	docs := teststore.Docs(t, client)
	spared := 0
	for n := 1; n <= once.calls; n += 3 {
		table := &cells{rows: map[string]int64{}, failAt: n}
		r, w := checkpointRig(t, table, blocks)
		r.Store = state.New(docs)
		w.Chunk = n
		if _, err := newLoader(r.Workers).load(t.Context(), w); contracts.KindOf(err) != contracts.KindInterrupted {
			t.Fatalf("found %v", err)
		}
		before := table.calls
		got, err := newLoader(r.Workers).load(t.Context(), w)
		must(t, err)
		spared += n - 1 - (once.calls - (table.calls - before))
		if again := table.calls - before; n > 4*checkpointSegments && again > once.calls-n+2*checkpointSegments {
			t.Errorf("broken off at write %d: %d of %d were made again", n, again, once.calls)
		}
		got.Chunk, got.Seconds, want.Seconds = 0, 0, 0
		if !reflect.DeepEqual(got, want) || !reflect.DeepEqual(table.rows, once.rows) {
			t.Errorf("broken off at write %d: found %+v and %d rows, expected %+v and %d", n, got, len(table.rows), want,
				len(once.rows))
		}
		if !reflect.DeepEqual(r.rejects.docs, plain.rejects.docs) {
			t.Errorf("broken off at write %d: found other reject objects", n)
		}
	}
	if spared == 0 {
		t.Error("no checkpoint spared a write")
	}
}

// away is a store that is away when the first completion is to be stored.
type away struct {
	*objects.Docs
	was bool
}

func (a *away) Create(ctx context.Context, key string, data []byte) error {
	if !a.was && strings.Contains(key, "/done/") {
		a.was = true
		return contracts.Errorf(contracts.KindUnavailable, "the store is away")
	}
	return a.Docs.Create(ctx, key, data)
}

// TestCheckpointsLastUntilTheOutcomeIsStored: a stream is not written again from its start for its last step.
func TestCheckpointsLastUntilTheOutcomeIsStored(t *testing.T) {
	t.Parallel()
	table := &cells{rows: map[string]int64{}}
	r, w := checkpointRig(t, table, false)
	r.Store = state.New(&away{Docs: teststore.Docs(t, client)})
	l := newLoader(r.Workers)
	if err := r.attempt(t.Context(), w, l, false, 1); contracts.KindOf(err) != contracts.KindUnavailable {
		t.Fatalf("found %v", err)
	}
	once := table.calls
	must(t, r.attempt(t.Context(), w, l, true, 1))
	if again := table.calls - once; again > 2*checkpointSegments || 2*again > once {
		t.Errorf("%d of %d writes were made again", again, once)
	}
	if _, err := r.Store.Checkpoint(t.Context(), "j1", 0); contracts.KindOf(err) != contracts.KindMissing {
		t.Errorf("the checkpoint is still there: %v", err)
	}
}

// TestAReplayIsWrittenFromItsStart: a table that was dropped is made again before its dead chunks are replayed, so that
// it holds nothing of what they had written.
func TestAReplayIsWrittenFromItsStart(t *testing.T) {
	t.Parallel()
	once := &cells{rows: map[string]int64{}}
	plain, w := checkpointRig(t, once, false)
	_, err := newLoader(plain.Workers).load(t.Context(), w)
	must(t, err)
	table := &cells{rows: map[string]int64{}, failAt: once.calls}
	r, w := checkpointRig(t, table, false)
	r.withState(t)
	if _, err := newLoader(r.Workers).load(t.Context(), w); err == nil {
		t.Fatal("the load was not broken off")
	}
	_, err = r.Store.Checkpoint(t.Context(), "j1", 0)
	must(t, err)
	must(t, r.Store.Reopen("j1", time.Now()).Chunk(t.Context(), 0))
	clear(table.rows)
	c, err := newLoader(r.Workers).load(t.Context(), w)
	must(t, err)
	if !reflect.DeepEqual(table.rows, once.rows) {
		t.Errorf("%d rows, expected %d: %+v", len(table.rows), len(once.rows), c.Counts)
	}
}

// TestAVerificationNeitherTakesUpNorLeavesACheckpoint: it wants all rows of a chunk, and writes none.
func TestAVerificationNeitherTakesUpNorLeavesACheckpoint(t *testing.T) {
	t.Parallel()
	r, w := checkpointRig(t, &cells{rows: map[string]int64{}, failAt: 30}, false)
	r.withState(t)
	if _, err := newLoader(r.Workers).load(t.Context(), w); err == nil {
		t.Fatal("the load was not broken off")
	}
	left, err := r.Store.Checkpoint(t.Context(), "j1", 0)
	must(t, err)
	rows := map[bool]int{}
	for _, stored := range []bool{false, true} {
		replay := NewReplay(r.source, r.Pipelines, nil, nil)
		if stored {
			replay = NewReplay(r.source, r.Pipelines, r.Store, nil)
		}
		_, err := replay.Chunk(t.Context(), w, nil, func(_ context.Context, m Merged) error {
			rows[stored] += len(m.Rows)
			return nil
		})
		must(t, err)
	}
	if rows[true] != rows[false] || rows[true] == 0 {
		t.Errorf("%d rows beside a checkpoint, %d without", rows[true], rows[false])
	}
	if now, err := r.Store.Checkpoint(t.Context(), "j1", 0); err != nil || now.Segment != left.Segment {
		t.Errorf("the checkpoint is now at %d, %v: it was at %d", now.Segment, err, left.Segment)
	}
}

func TestCheckpointsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	table := &cells{rows: map[string]int64{}}
	r, w := checkpointRig(t, table, false)
	docs := teststore.Docs(t, client)
	r.Store = state.New(docs)
	for n, text := range []string{"", "junk", `{"v":99,"segment":70}`} {
		w.Chunk = n
		must(t, docs.Put(t.Context(), fmt.Sprintf("jobs/j1/checkpoint/%09d", n), []byte(text)))
		c, err := newLoader(r.Workers).load(t.Context(), w)
		if err != nil || c.Counts.Read != 500 {
			t.Errorf("%q: found %+v, %v", text, c.Counts, err)
		}
	}
}

// TestWhatIsNotCheckpointed asks the store for nothing: it is not there.
func TestWhatIsNotCheckpointed(t *testing.T) {
	t.Parallel()
	table := &cells{rows: map[string]int64{}}
	r, w := checkpointRig(t, table, false)
	r.Store = state.New(nil)
	small := w.Parts[0]
	small.Segments = checkpointSegments
	r.source.data["plain"] = []byte(strings.Repeat("{\"n\":1,\"x\":\"\"}\n", 100))
	for name, parts := range map[string][]contracts.Part{
		"a short stream": {small},
		"packed":         {w.Parts[0], r.source.part("plain", "none", 5000, 1)},
	} {
		w.Parts = parts
		w.SegmentSize = 1 << 20
		if c, err := newLoader(r.Workers).load(t.Context(), w); err != nil || c.Error != nil {
			t.Errorf("%s: %v, %+v", name, err, c.Error)
		}
	}
}
