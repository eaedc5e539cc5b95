package dispatcher

import (
	"fmt"
	"testing"
	"time"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/state"
)

// ask moves a job's control as the commands do, and tells of it or does not.
func (l *lab) ask(id contracts.JobID, told bool, to state.Control, from ...state.Control) {
	l.t.Helper()
	now, err := l.store.MoveControl(l.t.Context(), id, to, from...)
	must(l.t, err)
	if now != to {
		l.t.Fatalf("job %s is at %q, expected %q", id, now, to)
	}
	if told {
		must(l.t, l.queue.PublishEvent(l.t.Context(), contracts.Event{Job: id, Kind: contracts.EventControl}))
	}
}

// await waits until cond holds of the queue.
func (l *lab) await(cond func() bool) {
	l.t.Helper()
	if !l.queue.wait(l.t.Context(), cond) {
		l.t.Fatal("it never came to that")
	}
}

// TestPause: no further chunk starts, what is held ends, a restart changes nothing, and in the end all is loaded.
func TestPause(t *testing.T) {
	t.Parallel()
	for _, told := range []bool{true, false} {
		for name, spec := range map[string]string{"csv": csvSpec, "ndjson": ndjsonSpec} {
			t.Run(fmt.Sprintf("%s, told %t", name, told), func(t *testing.T) {
				t.Parallel()
				l := newLab(t, spec)
				if told {
					l.cfg.Reconcile = 500 * time.Millisecond
				}
				data := numbered(100)
				if name == "ndjson" {
					data = numberedJSON(100)
				}
				l.put("a", data)
				pauseAndResume(t, l, told)
			})
		}
	}
}

func pauseAndResume(t *testing.T, l *lab, told bool) {
	ctx := t.Context()
	d, stop := l.run()
	l.accept(d, "j1")
	w, _ := l.queue.take(ctx)
	must(t, l.serve(ctx, w))
	held, _ := l.queue.take(ctx)
	l.ask("j1", told, state.Pause, state.Run)
	l.await(func() bool { return l.queue.told(contracts.EventPaused) > 0 })
	must(t, l.serve(ctx, held))
	l.untouched("j1")
	stop()
	_, _ = l.run()
	l.untouched("j1")
	l.ask("j1", told, state.Resume, state.Pause, state.Paused)
	l.await(func() bool { return l.queue.told(contracts.EventResumed) > 0 })
	l.work()
	expectReport(t, l.report("j1"), contracts.StateDone, 100, totals(1, 1, 0, 0))
	l.queue.mu.Lock()
	defer l.queue.mu.Unlock()
	if p, r := l.queue.told(contracts.EventPaused), l.queue.told(contracts.EventResumed); p != 1 || r != 1 {
		t.Errorf("told %d times that the job is paused, %d times that it goes on; expected once each", p, r)
	}
}

// untouched wants nothing to be published for a job while the dispatcher looks at it several times, and whatever a
// leader of the past publishes to be taken out of the queue.
func (l *lab) untouched(id contracts.JobID) {
	l.t.Helper()
	l.await(func() bool { return len(l.queue.waiting) == 0 })
	all := func(contracts.ChunkWork) bool { return true }
	published := l.queue.count(all)
	l.queue.publish(contracts.ChunkWork{Job: id, Chunk: 1 << 20, Work: contracts.Load})
	looks := 0
	l.await(func() bool { looks = max(looks, l.queue.purged[id]+3); return true })
	l.await(func() bool { return l.queue.purged[id] >= looks && len(l.queue.waiting) == 0 })
	if now := l.queue.count(all); now != published+1 {
		l.t.Errorf("%d messages published while the job is paused", now-published-1)
	}
}

// TestPauseBeforeThePlan: a job that is paused before anyone took it up is not even planned.
func TestPauseBeforeThePlan(t *testing.T) {
	t.Parallel()
	l := newLab(t, ndjsonSpec)
	l.put("a", numberedJSON(10))
	l.accept(l.dispatcher(), "j1")
	l.ask("j1", false, state.Pause, state.Run)
	l.run()
	l.work()
	l.await(func() bool { return l.queue.purged["j1"] > 2 })
	_, err := l.store.Plan(t.Context(), "j1")
	expectKind(t, err, contracts.KindMissing)
	l.ask("j1", true, state.Resume, state.Paused)
	expectReport(t, l.report("j1"), contracts.StateDone, 10, totals(1, 1, 0, 0))
}

// TestCancelOfAPausedJob ends it.
func TestCancelOfAPausedJob(t *testing.T) {
	t.Parallel()
	l := newLab(t, ndjsonSpec)
	l.put("a", numberedJSON(50))
	d, _ := l.run()
	l.accept(d, "j1")
	l.await(func() bool { return len(l.queue.waiting) > 0 })
	l.ask("j1", true, state.Pause, state.Run)
	l.await(func() bool { return l.queue.told(contracts.EventPaused) > 0 })
	must(t, l.store.SetControl(t.Context(), "j1", state.Cancel))
	must(t, l.queue.PublishEvent(t.Context(), contracts.Event{Job: "j1", Kind: contracts.EventControl}))
	if r := l.report("j1"); r.State != contracts.StateCancelled || r.Objects != totals(1, 0, 0, 0) {
		t.Errorf("found %+v", r)
	}
}

// TestPausedJobsLeaveRoom: however many jobs rest, another runs.
func TestPausedJobsLeaveRoom(t *testing.T) {
	t.Parallel()
	l := newLab(t, ndjsonSpec)
	l.cfg.Jobs = 1
	address := l.put("a", numberedJSON(10))
	d := l.dispatcher()
	for i := range 3 {
		id := contracts.JobID(fmt.Sprintf("j%d", i))
		l.accept(d, id, address)
		l.ask(id, false, state.Pause, state.Run)
	}
	l.accept(d, "last", address)
	l.run()
	l.work()
	expectReport(t, l.report("last"), contracts.StateDone, 10, totals(1, 1, 0, 0))
}

// TestPauseAndResumeAtOnce: whatever a user asks in whatever haste, the job does what he asked last.
func TestPauseAndResumeAtOnce(t *testing.T) {
	t.Parallel()
	l := newLab(t, ndjsonSpec)
	l.cfg.Reconcile = time.Hour // nothing but news moves the job
	l.put("a", numberedJSON(200))
	d, _ := l.run()
	l.accept(d, "j1")
	l.await(func() bool { return len(l.queue.waiting) > 0 })
	for range 50 {
		l.ask("j1", true, state.Pause, state.Run, state.Resume)
		l.ask("j1", true, state.Resume, state.Pause, state.Paused)
	}
	l.work()
	expectReport(t, l.report("j1"), contracts.StateDone, 200, totals(1, 1, 0, 0))
}
