package dispatcher

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/penstock-io/penstock/chunk"
	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/state"
)

func loadOf(w contracts.ChunkWork) bool { return w.Work == contracts.Load }
func scanOf(w contracts.ChunkWork) bool { return w.Work == contracts.Scan }

func totals(total, loaded, skipped, failed int64) contracts.ObjectTotals {
	return contracts.ObjectTotals{Total: total, Loaded: loaded, Skipped: skipped, Failed: failed}
}

// TestJob runs a job of a split object and some small ones, and the same job again.
func TestJob(t *testing.T) {
	t.Parallel()
	l := newLab(t, csvSpec)
	l.cfg.Reconcile = time.Hour // nothing is lost: each message is published once
	l.put("a", numbered(200))
	l.put("b/1", numbered(1))
	l.put("b/2", numbered(2))
	l.put("b/empty", nil)
	d, _ := l.run()
	l.work()
	l.work()
	l.accept(d, "j1")
	r := l.report("j1")
	// An empty object has no header; the lab's reader says so.
	expectReport(t, r, contracts.StateFailed, 203, totals(4, 3, 0, 1))
	if l.queue.most > l.cfg.Window {
		t.Errorf("%d messages at a time, the window is %d", l.queue.most, l.cfg.Window)
	}
	loads, scans := l.queue.count(loadOf), l.queue.count(scanOf)
	if r.Chunks.Total != loads || r.Chunks.Done != loads-1 || scans != loads-2 {
		t.Errorf("%d loads and %d scans for %+v", loads, scans, r.Chunks)
	}
	l.put("c", numbered(3))
	l.accept(d, "j2")
	again := l.report("j2")
	expectReport(t, again, contracts.StateFailed, 3, totals(5, 1, 3, 1))
}

// TestScansRunAhead of the loads, by half a window at the most.
func TestScansRunAhead(t *testing.T) {
	t.Parallel()
	l := newLab(t, csvSpec)
	l.cfg.Reconcile = time.Hour
	l.put("a", numbered(200))
	ahead, loaded := 0, -1
	l.queue.lose = func(w contracts.ChunkWork) bool { // loses nothing
		if loadOf(w) {
			loaded = w.Chunk
		} else {
			ahead = max(ahead, w.Chunk-loaded)
		}
		return false
	}
	d, _ := l.run()
	l.work()
	l.accept(d, "j1")
	expectReport(t, l.report("j1"), contracts.StateDone, 200, totals(1, 1, 0, 0))
	if ahead != l.cfg.Window/2 {
		t.Errorf("scans ran %d chunks ahead, the window is %d", ahead, l.cfg.Window)
	}
}

// TestPrefixes: each load carries the automaton's state and the number of records at its start, composed from scans.
func TestPrefixes(t *testing.T) {
	t.Parallel()
	for _, window := range []int{1, 2, 3, 100} {
		t.Run(fmt.Sprint(window), func(t *testing.T) {
			t.Parallel()
			l := newLab(t, csvSpec)
			l.cfg.Window, l.cfg.Reconcile = window, time.Hour
			l.put("a", numbered(150))
			l.put("b", numbered(90))
			d, _ := l.run()
			l.work()
			l.accept(d, "j1")
			expectReport(t, l.report("j1"), contracts.StateDone, 240, totals(2, 2, 0, 0))
			inQuotes := l.queue.count(func(w contracts.ChunkWork) bool {
				return loadOf(w) && w.Parts[0].State != chunk.StartPrefix().State
			})
			if inQuotes == 0 || l.queue.most > window {
				t.Errorf("%d chunks start inside a record, %d messages at a time", inQuotes, l.queue.most)
			}
		})
	}
}

// TestFailedScan: what follows in that object is dead, and nothing else.
func TestFailedScan(t *testing.T) {
	t.Parallel()
	l := newLab(t, csvSpec)
	l.cfg.Reconcile = time.Hour // the end comes without another look at the store
	l.put("a", numbered(30))
	l.put("b", numbered(60))
	l.put("c", numbered(30))
	l.scanError = func(w contracts.ChunkWork) error {
		if w.Parts[0].Object.Key == "b" && w.Parts[0].Start > 4 && w.Parts[0].Start < 200 {
			return contracts.At(contracts.KindChanged, w.Parts[0].Object.Address(), -1, "changed")
		}
		return nil
	}
	d, _ := l.run()
	l.work()
	l.accept(d, "j1")
	r := l.report("j1")
	if r.State != contracts.StateFailed || r.Objects != totals(3, 2, 0, 1) || r.Error.Kind != contracts.KindChanged {
		t.Errorf("found %+v, error %+v", r, r.Error)
	}
	for n := range r.Chunks.Total {
		c, done, err := l.store.Completion(t.Context(), "j1", n)
		must(t, err)
		planned := l.planned("j1", n)
		// The first two chunks of b start at a known state: the second's own scan is the first that fails.
		want := planned.Parts[0].Object.Key != "b" || planned.Parts[0].Start <= 4+64
		if done != want {
			t.Errorf("chunk %d, %s from %d: done %t, %+v", n, planned.Parts[0].Object.Key, planned.Parts[0].Start, done, c.Error)
		}
	}
}

func (l *lab) planned(id contracts.JobID, n int) state.Planned {
	l.t.Helper()
	p, err := l.store.Plan(l.t.Context(), id)
	must(l.t, err)
	c, err := l.store.PlanReader(p).Chunk(l.t.Context(), n)
	must(l.t, err)
	return c
}

// TestFailedScanOfTheLastObject: the window buries the rest of the job, which then has no news to wait for.
func TestFailedScanOfTheLastObject(t *testing.T) {
	t.Parallel()
	l := newLab(t, csvSpec)
	l.cfg.Reconcile = time.Hour
	l.put("a", numbered(60))
	l.scanError = func(contracts.ChunkWork) error { return contracts.Errorf(contracts.KindMissing, "gone") }
	d, _ := l.run()
	l.work()
	l.accept(d, "j1")
	r := l.report("j1")
	if r.State != contracts.StateFailed || r.Chunks.Done != 1 || r.Chunks.Dead != r.Chunks.Total-1 || r.Chunks.Dead < 3 {
		t.Errorf("found %+v, %+v", r.State, r.Chunks)
	}
}

// TestLimitWhenTheRestIsBuried: the share of rejects is judged at the end, whoever brings it about.
func TestLimitWhenTheRestIsBuried(t *testing.T) {
	t.Parallel()
	l := newLab(t, csvSpec+"rejects: {max: \"1%\"}\n")
	l.cfg.Reconcile = time.Hour
	l.put("a", numbered(60))
	l.rejects = func(contracts.ChunkWork) int64 { return 1 }
	l.scanError = func(w contracts.ChunkWork) error {
		if w.Chunk > 1 { // what comes before can be loaded: let it
			l.queue.wait(t.Context(), func() bool { return l.queue.told(contracts.EventChunkDone) == 2 })
		}
		if w.Chunk > 0 {
			return contracts.Errorf(contracts.KindMissing, "gone")
		}
		return nil
	}
	d, _ := l.run()
	for range l.cfg.Window { // scans that wait must leave a worker
		l.work()
	}
	l.accept(d, "j1")
	if r := l.report("j1"); r.State != contracts.StateFailed || r.Error.Kind != contracts.KindLimit || r.Chunks.Done != 2 {
		t.Errorf("found %s, %+v, %+v", r.State, r.Error, r.Chunks)
	}
}

// TestScansDoNotBurstTheWindow: loads that nobody takes up leave no room for scans.
func TestScansDoNotBurstTheWindow(t *testing.T) {
	t.Parallel()
	l := newLab(t, csvSpec)
	l.cfg.Reconcile = time.Hour
	l.put("a", numbered(200))
	d, _ := l.run()
	l.accept(d, "j1")
	var loads []contracts.ChunkWork
	for len(loads) < l.cfg.Window {
		w, ok := l.queue.take(t.Context())
		if !ok {
			t.Fatal("nothing in the queue")
		}
		if loadOf(w) {
			loads = append(loads, w)
			continue
		}
		must(t, l.serve(t.Context(), w))
	}
	// News that frees nothing has the window filled again.
	must(t, l.queue.PublishEvent(t.Context(), contracts.Event{Job: "j1", Kind: contracts.EventChunkFailed}))
	for _, w := range loads {
		must(t, l.serve(t.Context(), w))
	}
	l.work()
	expectReport(t, l.report("j1"), contracts.StateDone, 200, totals(1, 1, 0, 0))
	if l.queue.most > l.cfg.Window {
		t.Errorf("%d messages at a time, the window is %d", l.queue.most, l.cfg.Window)
	}
}

// TestLostMessages: the queue forgets each message once, and each third event altogether.
func TestLostMessages(t *testing.T) {
	t.Parallel()
	for name, spec := range map[string]string{"csv": csvSpec, "ndjson": ndjsonSpec} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, spec)
			l.cfg.Reconcile = 10 * time.Millisecond
			data := numbered(60)
			if name == "ndjson" {
				data = numberedJSON(40)
			}
			l.put("a", data)
			seen := map[string]bool{}
			l.queue.lose = func(w contracts.ChunkWork) bool {
				first := !seen[subjectOf(w)]
				seen[subjectOf(w)] = true
				return first
			}
			events := 0
			l.queue.loseEvent = func(e contracts.Event) bool {
				events++
				return !e.Kind.Terminal() && events%3 == 0
			}
			d, _ := l.run()
			l.work()
			l.accept(d, "j1")
			r := l.report("j1")
			if r.State != contracts.StateDone || r.Chunks.Dead != 0 || r.Objects != totals(1, 1, 0, 0) {
				t.Errorf("found %+v", r)
			}
		})
	}
}

// TestRestart stops the dispatcher in the middle and starts another on the same store, several times.
func TestRestart(t *testing.T) {
	t.Parallel()
	l := newLab(t, csvSpec)
	l.put("a", numbered(120))
	l.put("b", numbered(5))
	d, stop := l.run()
	l.accept(d, "j1")
	ctx := t.Context()
	for n := range 40 {
		w, ok := l.queue.take(ctx)
		if !ok {
			t.Fatal("nothing in the queue")
		}
		if n%7 == 3 {
			stop() // while the chunk is in work: its news reaches nobody
			must(t, l.serve(ctx, w))
			_, stop = l.run()
			continue
		}
		must(t, l.serve(ctx, w))
		if _, err := l.store.Report(ctx, "j1"); err == nil {
			t.Fatal("the job ended too early for this test")
		}
	}
	l.work()
	expectReport(t, l.report("j1"), contracts.StateDone, 125, totals(2, 2, 0, 0))
}

// TestRestartAfterTheEnd: a leader that died between report and announcement is followed by one that announces.
func TestRestartAfterTheEnd(t *testing.T) {
	t.Parallel()
	l := newLab(t, csvSpec)
	_, _, err := l.store.AcceptJob(t.Context(), contracts.AcceptedJob{Job: contracts.Job{ID: "j1", Pipeline: "p"}})
	must(t, err)
	_, err = l.store.EndJob(t.Context(), contracts.Report{Job: "j1", Pipeline: "p", State: contracts.StateDoneRejects})
	must(t, err)
	_, stop := l.run()
	if r := l.report("j1"); r.State != contracts.StateDoneRejects {
		t.Errorf("found %+v", r)
	}
	stop()
	for id, err := range l.store.ActiveJobs(t.Context()) {
		t.Errorf("still active: %s, %v", id, err)
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	for _, told := range []bool{true, false} {
		t.Run(fmt.Sprintf("told %t", told), func(t *testing.T) {
			t.Parallel()
			l := newLab(t, ndjsonSpec)
			l.put("a", numberedJSON(100))
			d, _ := l.run()
			l.accept(d, "j1")
			ctx := t.Context()
			w, _ := l.queue.take(ctx)
			must(t, l.serve(ctx, w))
			held, _ := l.queue.take(ctx)
			must(t, l.store.SetControl(ctx, "j1", state.Cancel))
			if told {
				must(t, l.queue.PublishEvent(ctx, contracts.Event{Job: "j1", Kind: contracts.EventControl}))
			}
			r := l.report("j1")
			if r.State != contracts.StateCancelled || r.Chunks.Done > 1 || r.Objects != totals(1, 0, 0, 0) || r.Error != nil {
				t.Errorf("found %+v", r)
			}
			must(t, l.serve(ctx, held)) // ends what it holds
			l.queue.mu.Lock()
			defer l.queue.mu.Unlock()
			if l.queue.purged["j1"] == 0 || len(l.queue.waiting) != 0 || len(l.queue.published) > l.cfg.Window+1 {
				t.Errorf("purged %d times, %d waiting, %d published", l.queue.purged["j1"], len(l.queue.waiting),
					len(l.queue.published))
			}
		})
	}
}

func TestRejectLimits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		max     string
		rejects []int64 // of the first chunks; every chunk has ten records
		state   contracts.State
		whole   bool // every chunk was loaded
	}{
		{"3", []int64{1, 2}, contracts.StateDoneRejects, true},
		{"3", []int64{1, 3}, contracts.StateFailed, false},
		{"0", []int64{0, 0, 1}, contracts.StateFailed, false},
		{"0", nil, contracts.StateDone, true},
		{`"10%"`, []int64{10}, contracts.StateDoneRejects, true},
		{`"10%"`, []int64{10, 0, 1}, contracts.StateFailed, true},
		{`"0%"`, []int64{1}, contracts.StateFailed, true},
		{`"0%"`, nil, contracts.StateDone, true},
	} {
		t.Run(fmt.Sprintf("%s of %v", c.max, c.rejects), func(t *testing.T) {
			t.Parallel()
			l := newLab(t, ndjsonSpec+"rejects: {max: "+c.max+"}\n")
			data := numberedJSON(10)
			l.cfg.ChunkSize, l.cfg.Window, l.cfg.Reconcile = int64(len(data)), 1, time.Hour
			for n := range 10 {
				l.put(fmt.Sprint(n), data)
			}
			l.rejects = func(w contracts.ChunkWork) int64 {
				if w.Chunk < len(c.rejects) {
					return c.rejects[w.Chunk]
				}
				return 0
			}
			d, _ := l.run()
			l.work()
			l.accept(d, "j1")
			r := l.report("j1")
			if r.State != c.state || r.Chunks.Total != 10 || (r.Chunks.Done == 10) != c.whole {
				t.Errorf("found %s, %+v, %+v; expected %s", r.State, r.Chunks, r.Records, c.state)
			}
			if r.State == contracts.StateFailed && r.Error.Kind != contracts.KindLimit {
				t.Errorf("found %+v", r.Error)
			}
		})
	}
}

// TestTwoDispatchers at once, neither of which knows of the other, make one plan and one report.
func TestTwoDispatchers(t *testing.T) {
	t.Parallel()
	l := newLab(t, csvSpec)
	l.put("a", numbered(100))
	l.put("b", numbered(3))
	d, _ := l.run()
	l.cfg.Owner = "d2"
	l.run()
	l.work()
	l.work()
	l.accept(d, "j1")
	expectReport(t, l.report("j1"), contracts.StateDone, 103, totals(2, 2, 0, 0))
	l.queue.mu.Lock()
	defer l.queue.mu.Unlock()
	for _, e := range l.queue.ends("j1") {
		if e.Report.State != contracts.StateDone || e.Report.Records.Read != 103 {
			t.Errorf("announced %+v", e.Report)
		}
	}
}

// TestTakeOver: the leader goes without a word, and another takes the job over when its lease has run out.
func TestTakeOver(t *testing.T) {
	t.Parallel()
	l := newLab(t, csvSpec)
	l.cfg.Solo, l.cfg.Lease = false, 100*time.Millisecond
	won, err := l.store.TryLead(t.Context(), "gone", time.Now(), 300*time.Millisecond)
	if err != nil || !won {
		t.Fatal(won, err)
	}
	l.put("a", numbered(60))
	d, stop := l.run()
	l.accept(d, "j1")
	w, _ := l.queue.take(t.Context())
	l.cfg.Owner = "d2"
	l.run()
	stop()
	must(t, l.serve(t.Context(), w))
	l.work()
	expectReport(t, l.report("j1"), contracts.StateDone, 60, totals(1, 1, 0, 0))
}

func TestPipelineOfNoUse(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]error{
		"is gone":           contracts.Errorf(contracts.KindMissing, "pipeline p has no revision r1"),
		"does not compile":  contracts.Errorf(contracts.KindConfig, "p.yaml:3:1: unknown key"),
		"nobody knows what": errors.New("what?"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, csvSpec)
			l.pipelines.compile = func() error { return fault }
			l.put("a", numbered(3))
			d, _ := l.run()
			l.accept(d, "j1")
			r := l.report("j1")
			if r.State != contracts.StateFailed || r.Error == nil || r.Error.Message != fault.Error() {
				t.Errorf("found %+v, %+v", r, r.Error)
			}
		})
	}
}

func TestTableThatCannotBe(t *testing.T) {
	t.Parallel()
	l := newLab(t, csvSpec)
	l.pipelines.prepare = func() error { return contracts.Errorf(contracts.KindConfig, "column k: found int") }
	l.put("a", numbered(3))
	d, _ := l.run()
	l.accept(d, "j1")
	r := l.report("j1")
	if r.State != contracts.StateFailed || r.Error.Message != "plan: column k: found int" || r.Chunks.Total != 0 {
		t.Errorf("found %+v, %+v", r, r.Error)
	}
}

// TestTargetAway: the job stays accepted, and goes on when the target is back.
func TestTargetAway(t *testing.T) {
	t.Parallel()
	l := newLab(t, csvSpec)
	var asked atomic.Int32
	l.pipelines.prepare = func() error {
		if asked.Add(1) == 1 {
			_, err := l.store.Plan(t.Context(), "j1")
			expectKind(t, err, contracts.KindMissing)
			return contracts.Errorf(contracts.KindUnavailable, "no host answers")
		}
		return nil
	}
	l.put("a", numbered(3))
	d, _ := l.run()
	l.work()
	l.accept(d, "j1")
	expectReport(t, l.report("j1"), contracts.StateDone, 3, totals(1, 1, 0, 0))
}

// TestCancelWhileTheTargetIsAway: nobody has to wait for it.
func TestCancelWhileTheTargetIsAway(t *testing.T) {
	t.Parallel()
	l := newLab(t, csvSpec)
	l.pipelines.prepare = func() error {
		return errors.Join(l.store.SetControl(t.Context(), "j1", state.Cancel),
			contracts.Errorf(contracts.KindUnavailable, "no host answers"))
	}
	l.put("a", numbered(3))
	d, _ := l.run()
	l.accept(d, "j1")
	if r := l.report("j1"); r.State != contracts.StateCancelled {
		t.Errorf("found %+v", r)
	}
}

// TestReportOfAJobThatCannotGoOn: what was loaded before is counted, though the job cannot be prepared any more.
func TestReportOfAJobThatCannotGoOn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		fault contracts.Kind
		state contracts.State
	}{
		{"its pipeline is gone", contracts.KindMissing, contracts.StateFailed},
		{"it is cancelled while the target is away", contracts.KindUnavailable, contracts.StateCancelled},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, ndjsonSpec)
			l.put("a", numberedJSON(100))
			d, stop := l.run()
			l.accept(d, "j1")
			w, _ := l.queue.take(t.Context())
			must(t, l.serve(t.Context(), w))
			stop()
			done, _, err := l.store.Completion(t.Context(), "j1", w.Chunk)
			must(t, err)
			l.pipelines.compile = func() error { return contracts.Errorf(c.fault, "no such luck") }
			if c.state == contracts.StateCancelled {
				must(t, l.store.SetControl(t.Context(), "j1", state.Cancel))
			}
			l.run()
			r := l.report("j1")
			if r.State != c.state || r.Chunks.Done != 1 || r.Chunks.Total < 2 || r.Records != done.Counts {
				t.Errorf("found %s, %+v, %+v; expected %s, one chunk done, %+v", r.State, r.Chunks, r.Records, c.state,
					done.Counts)
			}
		})
	}
}

// TestPlanThatIsGone is an end, not an endless loop.
func TestPlanThatIsGone(t *testing.T) {
	t.Parallel()
	l := newLab(t, csvSpec)
	ctx := t.Context()
	_, _, err := l.store.AcceptJob(ctx, contracts.AcceptedJob{Job: contracts.Job{V: 1, ID: "j1", Pipeline: "p"}})
	must(t, err)
	_, err = l.store.NewPlan("j1").Seal(ctx, state.Plan{SegmentSize: 1, Totals: contracts.PlanTotals{Chunks: 3}})
	must(t, err)
	l.run()
	r := l.report("j1")
	if r.State != contracts.StateFailed || r.Error.Kind != contracts.KindMissing {
		t.Errorf("found %+v, %+v", r, r.Error)
	}
}

// TestManyJobs: more than may run at a time.
func TestManyJobs(t *testing.T) {
	t.Parallel()
	l := newLab(t, ndjsonSpec)
	l.cfg.Jobs = 2
	d, _ := l.run()
	l.work()
	for i := range 7 {
		address := l.put(fmt.Sprint(i), numberedJSON(10))
		l.accept(d, contracts.JobID(fmt.Sprintf("j%d", i)), address)
	}
	bases := map[int64]bool{}
	for i := range 7 {
		id := contracts.JobID(fmt.Sprintf("j%d", i))
		expectReport(t, l.report(id), contracts.StateDone, 10, totals(1, 1, 0, 0))
		p, err := l.store.Plan(t.Context(), id)
		must(t, err)
		bases[p.Base] = true
	}
	if len(bases) != 7 {
		t.Errorf("found %d bases for 7 jobs", len(bases))
	}
}
