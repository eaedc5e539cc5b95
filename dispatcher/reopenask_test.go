package dispatcher

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/state"
)

// TestReplayAfterARequestThatCameTooLate: what was asked of a job that ended all the same is not asked of its replay.
func TestReplayAfterARequestThatCameTooLate(t *testing.T) {
	t.Parallel()
	for _, late := range []state.Control{state.Pause, state.Resume, state.Cancel} {
		t.Run(string(late), func(t *testing.T) {
			t.Parallel()
			l := newLab(t, csvSpec)
			l.put("a", numbered(20))
			mend := l.denyScans(func(int) bool { return true })
			d, _ := l.run()
			l.work()
			l.accept(d, "j1")
			l.forgotten("j1")
			must(t, l.store.SetControl(t.Context(), "j1", late))
			mend()
			n, err := Reopen(t.Context(), l.store, "j1", nil, time.Now())
			must(t, err)
			if n == 0 {
				t.Fatal("nothing was dead")
			}
			d.court.announce("j1")
			told := func(kind contracts.EventKind) bool { return l.queue.told(kind) > 0 }
			l.await(func() bool {
				return told(contracts.EventPaused) || told(contracts.EventCancelled) || told(contracts.EventDone)
			})
			r, err := l.store.Report(t.Context(), "j1")
			must(t, err)
			expectReport(t, r, contracts.StateDone, 20, totals(1, 1, 0, 0))
		})
	}
}

// TestReplayThatIsUnderWay: the same command again finds the replay, changes nothing, and says how much of it is left.
func TestReplayThatIsUnderWay(t *testing.T) {
	t.Parallel()
	l, ctx := newLab(t, csvSpec), t.Context()
	l.put("a", numbered(3))
	d, _ := l.run()
	l.accept(d, "j1")
	w, _ := l.queue.take(ctx)
	l.bury(w)
	l.queue.done(w)
	l.forgotten("j1")
	for i := range 3 {
		n, err := Reopen(ctx, l.store, "j1", []int{0}[:i%2], time.Now())
		if err != nil || n != 1 {
			t.Fatalf("try %d: found %d, %v", i, n, err)
		}
	}
	d.court.announce("j1")
	w, _ = l.queue.take(ctx)
	must(t, l.serve(ctx, w))
	_, err := Reopen(ctx, l.store, "j1", []int{0}, time.Now())
	if contracts.KindOf(err) != contracts.KindConfig || !strings.Contains(err.Error(), "not dead") {
		t.Errorf("found %v", err)
	}
}

// TestReplayOfAChunkThatWasDoneLate: there is nothing to load, but the report does not know.
func TestReplayOfAChunkThatWasDoneLate(t *testing.T) {
	t.Parallel()
	l, ctx := newLab(t, csvSpec), t.Context()
	l.put("a", numbered(3))
	d, _ := l.run()
	l.accept(d, "j1")
	w, _ := l.queue.take(ctx)
	l.bury(w)
	expectReport(t, l.report("j1"), contracts.StateFailed, 0, totals(1, 0, 0, 1))
	must(t, l.serve(ctx, w))
	expectReport(t, l.replay(d, "j1", 1), contracts.StateDone, 3, totals(1, 1, 0, 0))
	if n, err := Reopen(ctx, l.store, "j1", nil, time.Now()); n != 0 || err != nil {
		t.Errorf("found %d, %v, expected nothing to replay", n, err)
	}
}

// awayDocs are documents of which those of one name are away.
type awayDocs struct {
	state.Docs
	name string
}

func (d awayDocs) Get(ctx context.Context, key string) ([]byte, string, error) {
	if strings.HasSuffix(key, d.name) {
		return nil, "", contracts.Errorf(contracts.KindUnavailable, "%s is away", key)
	}
	return d.Docs.Get(ctx, key)
}

// TestRejectsOfAJobWhoseReportIsAway: whether it is over nobody knows now, so its rejects are planned later.
func TestRejectsOfAJobWhoseReportIsAway(t *testing.T) {
	t.Parallel()
	l := newLab(t, ndjsonSpec)
	l.put("a", numberedJSON(3))
	l.accept(l.dispatcher(), "j1")
	_, err := l.dispatcher().rejecting(t.Context(), "j1", l.pipelines.c)
	expectKind(t, err, contracts.KindConfig)
	l.store = state.New(awayDocs{l.docs, "report.json"})
	_, err = l.dispatcher().rejecting(t.Context(), "j1", l.pipelines.c)
	expectKind(t, err, contracts.KindUnavailable)
}
