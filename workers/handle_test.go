package workers

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/penstock-io/penstock/chunk"
	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
)

const plainSpec = `
name: p
source: {format: ndjson}
table: {keyspace: lab, name: t, partition_key: [k]}
columns:
  - {name: k, type: text}
  - {name: n, type: int}
`

// accepting takes every row.
func accepting(context.Context, []cql.Row) ([]cql.Refusal, error) { return nil, nil }

func failing(err error) write {
	return func(context.Context, []cql.Row) ([]cql.Refusal, error) { return nil, err }
}

// oneRow is a rig with a chunk of one good and one bad record.
func oneRow(t testing.TB, w Writer) (*rig, contracts.ChunkWork) {
	t.Helper()
	r := newRig(compiled(t, plainSpec), w)
	r.source.data["o"] = []byte("{\"k\":\"a\",\"n\":1}\n{\"k\":\"a\",\"n\":\"x\"}\n")
	return r, work(r.source.part("o", "none", 0, 1))
}

func (r *rig) handleOne(t testing.TB, m *message) {
	t.Helper()
	r.handle(t.Context(), m, newLoader(r.Workers))
}

// failures is how many were counted before; asking counts one more.
func (r *rig) failures(t testing.TB) int {
	t.Helper()
	n, err := r.Store.AddFailure(t.Context(), "j1", 0, contracts.ErrorInfo{})
	must(t, err)
	return n - 1
}

func TestDone(t *testing.T) {
	t.Parallel()
	r, w := oneRow(t, write(accepting))
	r.withState(t)
	m := newMessage(t, w, 1)
	r.handleOne(t, m)
	m.expect(t, "ack")
	c, done, err := r.Store.Completion(t.Context(), "j1", 0)
	want := contracts.Counts{Read: 2, Written: 1, Rejected: 1}
	if err != nil || !done || c.Counts != want || c.Bytes != int64(len(r.source.data["o"])) || c.Worker != "w1" ||
		len(c.Rejects) != 1 || c.Rules[contracts.RuleType] != 1 || len(c.Parts) != 1 || c.Parts[0].Counts != want {
		t.Errorf("found %+v, done %t, %v", c, done, err)
	}
	if len(r.news.events) != 1 {
		t.Fatalf("found %v", r.news.kinds())
	}
	e := r.news.events[0]
	if e.Kind != contracts.EventChunkDone || *e.Counts != want || *e.Chunk != 0 || e.Job != "j1" || e.V != 1 {
		t.Errorf("found %+v", e)
	}
}

// TestSettling has each kind of error end a chunk's first try.
func TestSettling(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind     contracts.Kind
		settled  string
		dead     bool
		failures int
		events   []contracts.EventKind
	}{
		{contracts.KindInterrupted, "nak 0s", false, 0, nil},
		{contracts.KindInput, "ack", true, 0, []contracts.EventKind{contracts.EventChunkDead}},
		{contracts.KindMissing, "ack", true, 0, []contracts.EventKind{contracts.EventChunkDead}},
		{contracts.KindDenied, "ack", true, 0, []contracts.EventKind{contracts.EventChunkDead}},
		{contracts.KindChanged, "ack", true, 0, []contracts.EventKind{contracts.EventChunkDead}},
		{contracts.KindConfig, "ack", true, 0, []contracts.EventKind{contracts.EventChunkDead}},
		{contracts.KindLimit, "ack", true, 0, []contracts.EventKind{contracts.EventChunkDead}},
		{contracts.KindInternal, "nak 1s", false, 1, []contracts.EventKind{contracts.EventChunkFailed}},
		{"", "nak 1s", false, 1, []contracts.EventKind{contracts.EventChunkFailed}}, // nobody has said
	} {
		t.Run(string(c.kind), func(t *testing.T) {
			t.Parallel()
			fault := errors.New("the fault")
			if c.kind != "" {
				fault = contracts.Errorf(c.kind, "the fault")
			}
			r, w := oneRow(t, failing(fault))
			r.withState(t)
			m := newMessage(t, w, 1)
			r.handleOne(t, m)
			m.expect(t, c.settled)
			completion, done, err := r.Store.Completion(t.Context(), "j1", 0)
			if dead := err == nil && !done; dead != c.dead || dead && completion.Error.Message != "the fault" {
				t.Errorf("found %+v, done %t, %v", completion, done, err)
			}
			if n := r.failures(t); n != c.failures {
				t.Errorf("%d failures counted, expected %d", n, c.failures)
			}
			if !slices.Equal(r.news.kinds(), c.events) || len(r.news.dead) != map[bool]int{true: 1}[c.dead] {
				t.Errorf("events %v, dead letters %q", r.news.kinds(), r.news.dead)
			}
		})
	}
}

func TestDeadAfterAttempts(t *testing.T) {
	t.Parallel()
	r, w := oneRow(t, write(func(context.Context, []cql.Row) ([]cql.Refusal, error) { panic("no such luck") }))
	r.withState(t)
	first, second := newMessage(t, w, 1), newMessage(t, w, 2)
	r.handleOne(t, first)
	first.expect(t, "nak 1s")
	r.handleOne(t, second)
	second.expect(t, "ack")
	c, done, err := r.Store.Completion(t.Context(), "j1", 0)
	if err != nil || done || c.Error.Kind != contracts.KindInternal || !c.Counts.Balanced() ||
		!strings.HasPrefix(c.Error.Message, "failed 2 times, last: panic: no such luck\n") {
		t.Errorf("found %+v, done %t, %v", c, done, err)
	}
	want := []contracts.EventKind{contracts.EventChunkFailed, contracts.EventChunkDead}
	if !slices.Equal(r.news.kinds(), want) || len(r.news.dead) != 1 ||
		!strings.HasPrefix(r.news.dead[0], "penstock.dead.j1.0: failed 2 times") {
		t.Errorf("events %v, dead letters %q", r.news.kinds(), r.news.dead)
	}
}

// TestLoaderIsUsableAfterAPanic loads another chunk with the same buffers.
func TestLoaderIsUsableAfterAPanic(t *testing.T) {
	t.Parallel()
	calls := 0
	r, w := oneRow(t, write(func(context.Context, []cql.Row) ([]cql.Refusal, error) {
		if calls++; calls == 1 {
			panic("once")
		}
		return nil, nil
	}))
	r.withState(t)
	l := newLoader(r.Workers)
	r.handle(t.Context(), newMessage(t, w, 1), l)
	m := newMessage(t, w, 2)
	r.handle(t.Context(), m, l)
	m.expect(t, "ack")
	c, done, err := r.Store.Completion(t.Context(), "j1", 0)
	if want := (contracts.Counts{Read: 2, Written: 1, Rejected: 1}); err != nil || !done || c.Counts != want {
		t.Errorf("found %+v, %t, %v", c, done, err)
	}
}

func TestUnavailableIsTriedAgain(t *testing.T) {
	t.Parallel()
	calls := 0
	r, w := oneRow(t, write(func(context.Context, []cql.Row) ([]cql.Refusal, error) {
		if calls++; calls == 1 {
			return nil, contracts.Errorf(contracts.KindUnavailable, "down")
		}
		return nil, nil
	}))
	r.withState(t)
	m := newMessage(t, w, 1)
	r.handleOne(t, m)
	m.expect(t, "ack")
	n, told := r.failures(t), r.news.kinds()
	if calls != 2 || n != 0 || !slices.Equal(told, []contracts.EventKind{contracts.EventChunkDone}) {
		t.Errorf("%d calls, %d failures, events %v", calls, n, told)
	}
}

// TestUnavailableUntilTheJobIsCancelled: nobody waits for the chunk any more.
func TestUnavailableUntilTheJobIsCancelled(t *testing.T) {
	t.Parallel()
	var r *rig
	r, w := oneRow(t, write(func(ctx context.Context, _ []cql.Row) ([]cql.Refusal, error) {
		_, err := r.Store.EndJob(ctx, contracts.Report{Job: "j1", State: contracts.StateCancelled})
		return nil, errors.Join(err, contracts.Errorf(contracts.KindUnavailable, "down"))
	}))
	r.withState(t)
	m := newMessage(t, w, 1)
	r.handleOne(t, m)
	m.expect(t, "ack")
	_, _, err := r.Store.Completion(t.Context(), "j1", 0)
	if contracts.KindOf(err) != contracts.KindMissing || len(r.news.events) != 0 {
		t.Errorf("found %v, events %v", err, r.news.kinds())
	}
}

// TestFinishedChunkIsOnlyAnnounced redelivers a chunk whose worker died before it could tell.
func TestFinishedChunkIsOnlyAnnounced(t *testing.T) {
	t.Parallel()
	for _, dead := range []bool{false, true} {
		r, w := oneRow(t, write(func(context.Context, []cql.Row) ([]cql.Refusal, error) { panic("written again") }))
		r.withState(t)
		stored := contracts.Completion{Job: "j1", Worker: "w0", Counts: contracts.Counts{Read: 7, Written: 7}}
		put, kind := r.Store.PutDone, contracts.EventChunkDone
		if dead {
			stored.Error = contracts.Info(contracts.Errorf(contracts.KindInput, "broken"))
			put, kind = r.Store.PutDead, contracts.EventChunkDead
		}
		_, err := put(t.Context(), stored)
		must(t, err)
		m := newMessage(t, w, 2)
		r.handleOne(t, m)
		m.expect(t, "ack")
		if len(r.news.events) != 1 || r.news.events[0].Kind != kind || *r.news.events[0].Counts != stored.Counts {
			t.Errorf("found %+v", r.news.events)
		}
	}
}

// TestFirstCompletionIsAnnounced: another worker was quicker.
func TestFirstCompletionIsAnnounced(t *testing.T) {
	t.Parallel()
	r, w := oneRow(t, write(accepting))
	r.withState(t)
	first := contracts.Completion{Job: "j1", Worker: "w0", Counts: contracts.Counts{Read: 7, Written: 7}}
	_, err := r.Store.PutDone(t.Context(), first)
	must(t, err)
	m := newMessage(t, w, 1)
	r.handleOne(t, m)
	m.expect(t, "ack")
	if len(r.news.events) != 1 || *r.news.events[0].Counts != first.Counts {
		t.Errorf("found %+v", r.news.events)
	}
}

// TestChunkThatKillsItsWorkers ends as a dead letter, after as many workers past the backstop as there are attempts.
// The death of a process is that of its goroutine here.
func TestChunkThatKillsItsWorkers(t *testing.T) {
	t.Parallel()
	r, w := oneRow(t, write(func(context.Context, []cql.Row) ([]cql.Refusal, error) {
		runtime.Goexit()
		return nil, nil
	}))
	r.withState(t)
	w.Chunk = 3
	for n := range r.cfg.Attempts {
		m := newMessage(t, w, maxDeliveries+1+n)
		died := make(chan struct{})
		go func() {
			defer close(died)
			r.handleOne(t, m)
		}()
		<-died
		m.expect(t)
	}
	m := newMessage(t, w, maxDeliveries+1+r.cfg.Attempts)
	r.handleOne(t, m)
	m.expect(t, "ack")
	c, done, err := r.Store.Completion(t.Context(), "j1", 3)
	must(t, err)
	if done || c.Attempts != maxDeliveries+1+r.cfg.Attempts || c.Error.Kind != contracts.KindLimit ||
		!strings.Contains(c.Error.Message, "chunk 3 was delivered 103 times") {
		t.Errorf("found %+v, done %t", c, done)
	}
	failures, err := r.Store.Failures(t.Context(), "j1", 3)
	if err != nil || len(failures) != 1+r.cfg.Attempts {
		t.Errorf("found %+v, %v", failures, err)
	}
	if len(r.news.dead) != 1 || !strings.HasPrefix(r.news.dead[0], "penstock.dead.j1.3: chunk 3 was delivered") {
		t.Errorf("dead letters %q", r.news.dead)
	}
}

// TestHandedBackOften: workers that cannot read a message hand it back while others are upgraded, and however often
// they did, who can read it loads it.
func TestHandedBackOften(t *testing.T) {
	t.Parallel()
	r, w := oneRow(t, write(accepting))
	r.withState(t)
	m := newMessage(t, w, 10*maxDeliveries)
	r.handleOne(t, m)
	m.expect(t, "ack")
	if _, done, err := r.Store.Completion(t.Context(), "j1", 0); err != nil || !done {
		t.Errorf("done %t, %v", done, err)
	}
}

// TestNewerReader: a message that is to be read in a way that this worker does not know is left to others; one of an
// older way, or of none, is read.
func TestNewerReader(t *testing.T) {
	t.Parallel()
	for reader, settled := range map[int]string{
		0: "ack", 1: "ack", contracts.Reader: "ack", contracts.Reader + 1: "nak 5s",
	} {
		r, w := oneRow(t, write(accepting))
		r.withState(t)
		w.Reader = reader
		m := newMessage(t, w, 2*maxDeliveries)
		r.handleOne(t, m)
		m.expect(t, settled)
		if len(r.news.dead) != 0 {
			t.Errorf("reader %d: dead letters %q", reader, r.news.dead)
		}
	}
}

// TestDoneBeatsDead: whoever finds a chunk dead that another worker has loaded says that it is done.
func TestDoneBeatsDead(t *testing.T) {
	t.Parallel()
	r, w := oneRow(t, write(accepting))
	r.withState(t)
	counts := contracts.Counts{Read: 1, Written: 1}
	first := contracts.Completion{Job: w.Job, Chunk: w.Chunk, Counts: counts, Worker: "first"}
	_, err := r.Store.PutDone(t.Context(), first)
	must(t, err)
	r.source.fail["o"] = contracts.At(contracts.KindMissing, "s3://landing/o", -1, "gone")
	m := newMessage(t, w, 1)
	r.handleOne(t, m)
	m.expect(t, "ack")
	kinds := r.news.kinds()
	if !slices.Equal(kinds, []contracts.EventKind{contracts.EventChunkDone}) || len(r.news.dead) > 0 {
		t.Errorf("found events %v, dead letters %q: expected the chunk done", kinds, r.news.dead)
	}
}

func TestNewsThatCannotBeToldIsNotAcknowledged(t *testing.T) {
	t.Parallel()
	r, w := oneRow(t, write(accepting))
	r.withState(t)
	r.news.fail = contracts.Errorf(contracts.KindInterrupted, "no")
	m := newMessage(t, w, 1)
	r.handleOne(t, m)
	m.expect(t, "nak 0s")
}

func TestMessagesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		data, settled string
		dead          int
	}{
		"of a newer version": {`{"v":2}`, "nak 5s", 0},
		"garbage":            {"hello", "term unreadable", 1},
		"empty":              {"", "term unreadable", 1},
	} {
		r := newRig(nil, nil)
		m := &message{data: []byte(c.data), deliveries: 1}
		r.handleOne(t, m)
		m.expect(t, c.settled)
		if len(r.news.dead) != c.dead || c.dead > 0 && !strings.HasPrefix(r.news.dead[0], "penstock.dead.unreadable.0: ") {
			t.Errorf("%s: dead letters %q", name, r.news.dead)
		}
	}
}

// TestPastTheLease: a nak or a term would hit the newer delivery. The clock jumps while the chunk is worked on.
func TestPastTheLease(t *testing.T) {
	t.Parallel()
	begin := time.Now()
	for name, c := range map[string]struct {
		err     error
		settled []string
	}{
		"interrupted": {contracts.Errorf(contracts.KindInterrupted, "stop"), nil},
		"failed":      {contracts.Errorf(contracts.KindInternal, "a fault"), nil},
		"dead":        {contracts.Errorf(contracts.KindInput, "broken"), []string{"ack"}},
		"done":        {nil, []string{"ack"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var late atomic.Bool
			r, w := oneRow(t, write(func(context.Context, []cql.Row) ([]cql.Refusal, error) {
				late.Store(true)
				return nil, c.err
			}))
			r.withState(t).cfg.Now = func() time.Time {
				if late.Load() {
					return begin.Add(r.cfg.Lease)
				}
				return begin
			}
			m := newMessage(t, w, 1)
			r.handleOne(t, m)
			m.expect(t, c.settled...)
		})
	}
}

func TestUnreadablePastTheLease(t *testing.T) {
	t.Parallel()
	for _, data := range []string{"hello", `{"v":2}`} {
		r := newRig(nil, nil)
		begin, looks := time.Now(), 0
		r.cfg.Now = func() time.Time { // the first look is the lease's begin
			looks++
			return begin.Add(time.Duration(looks-1) * r.cfg.Lease)
		}
		m := &message{data: []byte(data), deliveries: 1}
		r.handleOne(t, m)
		m.expect(t)
	}
}

func TestSegmentsBeyondTheWorker(t *testing.T) {
	t.Parallel()
	r, w := oneRow(t, write(accepting))
	r.withState(t)
	w.SegmentSize = r.cfg.Memory/2 + 1
	m := newMessage(t, w, 1)
	r.handleOne(t, m)
	m.expect(t, "ack")
	c, done, err := r.Store.Completion(t.Context(), "j1", 0)
	if err != nil || done || c.Error.Kind != contracts.KindConfig ||
		!strings.Contains(c.Error.Message, "PENSTOCK_MEMORY") {
		t.Errorf("found %+v, %t, %v", c, done, err)
	}
}

// scanRig is a rig with a CSV chunk to scan.
func scanRig(t *testing.T) (*rig, contracts.ChunkWork) {
	t.Helper()
	r := newRig(compiled(t, strings.Replace(plainSpec, "ndjson", "csv", 1)), nil).withState(t)
	r.source.data["o"] = []byte("k,n\na,1\n\"b\n\",2\n")
	part := r.source.part("o", "", 0, 1)
	part.Whole, part.Start = false, 4
	w := work(part)
	w.Work = contracts.Scan
	return r, w
}

func TestScan(t *testing.T) {
	t.Parallel()
	r, w := scanRig(t)
	m := newMessage(t, w, 1)
	r.handleOne(t, m)
	m.expect(t, "ack")
	stored, err := r.Store.Scan(t.Context(), "j1", 0)
	must(t, err)
	if p := chunk.StartPrefix().Then(stored.Outcomes); !p.Known() || p.Records != 2 {
		t.Errorf("found %+v", p)
	}
	if e := r.news.events; len(e) != 1 || e[0].Kind != contracts.EventChunkScanned ||
		!slices.Equal(e[0].Scan, stored.Outcomes) || *e[0].Chunk != 0 {
		t.Errorf("found %+v", e)
	}
}

func TestScanOfAnObjectThatChanged(t *testing.T) {
	t.Parallel()
	r, w := scanRig(t)
	r.source.fail["o"] = contracts.At(contracts.KindChanged, "s3://landing/o", -1, "changed")
	m := newMessage(t, w, 1)
	r.handleOne(t, m)
	m.expect(t, "ack")
	stored, err := r.Store.Scan(t.Context(), "j1", 0)
	if err != nil || stored.Error == nil || stored.Error.Kind != contracts.KindChanged {
		t.Errorf("found %+v, %v", stored, err)
	}
	if e := r.news.events; len(e) != 1 || e[0].Error == nil || e[0].Kind != contracts.EventChunkScanned {
		t.Errorf("found %+v", e)
	}
}

func TestRevisionThatIsGone(t *testing.T) {
	t.Parallel()
	r, w := oneRow(t, write(accepting))
	r.withState(t)
	r.Pipelines = pipelines{fail: contracts.Errorf(contracts.KindMissing, "no revision r")}
	m := newMessage(t, w, 1)
	r.handleOne(t, m)
	m.expect(t, "ack")
	c, done, err := r.Store.Completion(t.Context(), "j1", 0)
	if err != nil || done || c.Error.Message != "no revision r" {
		t.Errorf("found %+v, %t, %v", c, done, err)
	}
}
