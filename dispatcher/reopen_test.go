package dispatcher

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/state"
)

// TestReplay loads dead chunks of a job that has ended: first one of them, then the rest. What each chunk is to do is
// what it was to do before.
func TestReplay(t *testing.T) {
	t.Parallel()
	l := newLab(t, csvSpec)
	l.put("a", numbered(60))
	l.put("b", numbered(60))
	mend := l.denyScans(func(chunk int) bool { return chunk == 1 })
	d, _ := l.run()
	l.work()
	l.accept(d, "j1")
	first := l.report("j1")
	dead := l.deadChunks("j1")
	if first.State != contracts.StateFailed || len(dead) < 3 || dead[0] != 2 || first.Chunks.Dead != len(dead) {
		t.Fatalf("found %s, %+v, dead %v: expected all of a that follows its second chunk", first.State, first.Chunks, dead)
	}
	_, err := Reopen(t.Context(), l.store, "j1", []int{0}, time.Now())
	expectKind(t, err, contracts.KindConfig)
	mend()
	last := dead[len(dead)-1]
	second := l.replay(d, "j1", 1, last)
	if second.State != contracts.StateFailed || second.Chunks.Dead != len(dead)-1 ||
		second.Records.Read <= first.Records.Read {
		t.Errorf("found %s, %+v, %+v", second.State, second.Chunks, second.Records)
	}
	expectReport(t, l.replay(d, "j1", len(dead)-1), contracts.StateDone, 120, totals(2, 2, 0, 0))
	if n, err := Reopen(t.Context(), l.store, "j1", nil, time.Now()); n != 0 || err != nil {
		t.Errorf("nothing is dead: found %d, %v", n, err)
	}
	l.sameWork()
	l.put("c", numbered(3))
	l.accept(d, "j2")
	expectReport(t, l.report("j2"), contracts.StateDone, 3, totals(3, 1, 2, 0))
}

// TestNewsFromBeforeAReplay: a worker that stood still tells of a death after the chunk was reopened.
func TestNewsFromBeforeAReplay(t *testing.T) {
	t.Parallel()
	l, ctx := newLab(t, csvSpec), t.Context()
	l.put("a", numbered(3))
	d, _ := l.run()
	l.accept(d, "j1")
	w, _ := l.queue.take(ctx)
	news := l.bury(w)
	l.queue.done(w)
	expectReport(t, l.report("j1"), contracts.StateFailed, 0, totals(1, 0, 0, 1))
	l.forgotten("j1")
	_, err := Reopen(ctx, l.store, "j1", nil, time.Now())
	must(t, err)
	d.court.announce("j1")
	w, _ = l.queue.take(ctx)
	must(t, l.queue.PublishEvent(ctx, news))
	must(t, l.serve(ctx, w))
	l.forgotten("j1")
	r, err := l.store.Report(ctx, "j1")
	must(t, err)
	expectReport(t, r, contracts.StateDone, 3, totals(1, 1, 0, 0))
}

// TestReplayThatBrokeOff: who begins it again finds the job running.
func TestReplayThatBrokeOff(t *testing.T) {
	t.Parallel()
	l, ctx := newLab(t, csvSpec), t.Context()
	_, _, err := l.store.AcceptJob(ctx, contracts.AcceptedJob{Job: contracts.Job{ID: "j1", Pipeline: "p"}})
	must(t, err)
	must(t, l.docs.Delete(ctx, "active/j1"))
	_, err = Reopen(ctx, l.store, "j1", nil, time.Now())
	expectKind(t, err, contracts.KindConfig)
	for id, err := range l.store.ActiveJobs(ctx) {
		if err != nil || id != "j1" {
			t.Errorf("found %s, %v", id, err)
		}
		return
	}
	t.Error("the job is not active")
}

// denyScans refuses workers the scans of some chunks until mend is called.
func (l *lab) denyScans(denied func(chunk int) bool) (mend func()) {
	var mended atomic.Bool
	l.scanError = func(w contracts.ChunkWork) error {
		if mended.Load() || !denied(w.Chunk) {
			return nil
		}
		return contracts.Errorf(contracts.KindDenied, "access denied")
	}
	return func() { mended.Store(true) }
}

// bury stores that a chunk is dead and gives the news of it, which it tells.
func (l *lab) bury(w contracts.ChunkWork) contracts.Event {
	l.t.Helper()
	dead := contracts.Completion{Job: w.Job, Chunk: w.Chunk,
		Error: &contracts.ErrorInfo{Kind: contracts.KindDenied, Message: "denied"}}
	_, err := l.store.PutDead(l.t.Context(), dead)
	must(l.t, err)
	news := contracts.Event{Job: w.Job, Kind: contracts.EventChunkDead, Chunk: &w.Chunk, Counts: &dead.Counts,
		Error: dead.Error}
	must(l.t, l.queue.PublishEvent(l.t.Context(), news))
	return news
}

// replay reopens a job, wants so many chunks to be reopened, and gives the report of its new end.
func (l *lab) replay(d *Dispatcher, id contracts.JobID, want int, chunks ...int) contracts.Report {
	l.t.Helper()
	l.forgotten(id)
	n, err := Reopen(l.t.Context(), l.store, id, chunks, time.Now())
	if err != nil || n != want {
		l.t.Fatalf("reopened %d, %v; expected %d", n, err, want)
	}
	d.court.announce(id)
	l.forgotten(id)
	r, err := l.store.Report(l.t.Context(), id)
	must(l.t, err)
	return r
}

// forgotten waits until a job has ended and is no longer active: the last thing that is done for it. Of one that was
// reopened the mark may be away for a moment before that, since whoever takes it away looks for the report afterwards.
func (l *lab) forgotten(id contracts.JobID) {
	l.t.Helper()
	for {
		active := false
		for running, err := range l.store.ActiveJobs(l.t.Context()) {
			must(l.t, err)
			active = active || running == id
		}
		if _, err := l.store.Report(l.t.Context(), id); !active && err == nil {
			return
		}
	}
}

func (l *lab) deadChunks(id contracts.JobID) (dead []int) {
	l.t.Helper()
	for c, err := range l.store.Dead(l.t.Context(), id) {
		must(l.t, err)
		dead = append(dead, c.Chunk)
	}
	return dead
}

// sameWork wants all messages of one piece of work to be the same: what a chunk does to the table hangs on nothing
// else.
func (l *lab) sameWork() {
	l.t.Helper()
	l.queue.mu.Lock()
	defer l.queue.mu.Unlock()
	first := map[string]string{}
	for _, w := range l.queue.published {
		data, err := contracts.Marshal(w)
		must(l.t, err)
		if was, ok := first[subjectOf(w)]; ok && was != string(data) {
			l.t.Errorf("%s was published as another piece of work", subjectOf(w))
		}
		first[subjectOf(w)] = string(data)
	}
}

// TestReplayThatBreaksOff anywhere leaves a job that is over and can be replayed, or one that goes on.
func TestReplayThatBreaksOff(t *testing.T) {
	t.Parallel()
	for k := 1; !breaksOff(t, k); k++ {
	}
}

// breaksOff ends a replay at its k-th call to the store, and says whether it came to its end before.
func breaksOff(t *testing.T, k int) bool {
	t.Helper()
	l := newLab(t, csvSpec)
	l.put("a", numbered(20))
	mend := l.denyScans(func(int) bool { return true })
	d, stop := l.run()
	defer stop()
	defer l.work()()
	l.accept(d, "j1")
	if r := l.report("j1"); r.Chunks.Dead == 0 {
		t.Fatalf("found %+v", r)
	}
	mend()
	_, err := Reopen(t.Context(), state.New(fusedDocs{l.docs, newFuse(k)}), "j1", nil, time.Now())
	if _, rerr := l.store.Report(t.Context(), "j1"); rerr == nil {
		_, rerr = Reopen(t.Context(), l.store, "j1", nil, time.Now())
		must(t, rerr)
	}
	d.court.announce("j1")
	l.await(func() bool { return l.queue.told(contracts.EventDone) > 0 })
	r, rerr := l.store.Report(t.Context(), "j1")
	must(t, rerr)
	expectReport(t, r, contracts.StateDone, 20, totals(1, 1, 0, 0))
	if err == nil && k < 10 {
		t.Errorf("reopened with %d calls: expected more", k)
	}
	return err == nil
}

// TestReplayOfAStoppedJob is refused, and says what to do.
func TestReplayOfAStoppedJob(t *testing.T) {
	t.Parallel()
	l := newLab(t, ndjsonSpec)
	l.put("a", numberedJSON(50))
	d, _ := l.run()
	l.accept(d, "j1")
	_, err := Reopen(t.Context(), l.store, "j1", nil, time.Now())
	expectKind(t, err, contracts.KindConfig)
	must(t, l.store.SetControl(t.Context(), "j1", state.Cancel))
	l.report("j1")
	_, err = Reopen(t.Context(), l.store, "j1", nil, time.Now())
	if contracts.KindOf(err) != contracts.KindConfig || !strings.Contains(err.Error(), "penstock retry j1") {
		t.Errorf("found %v", err)
	}
}
