package dispatcher

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/state"
)

// TestKilledAtAnyCall kills a dispatcher before its first call to the store or queue, its second, and so on; another
// one finishes what it began. Whoever did what, it is one job of one plan, loaded once.
func TestKilledAtAnyCall(t *testing.T) {
	t.Parallel()
	killedAtAnyCall(t, 0)
}

// TestKilledAtAnyCallOfManyObjects enters what is loaded as a run.
func TestKilledAtAnyCallOfManyObjects(t *testing.T) {
	t.Parallel()
	killedAtAnyCall(t, 15)
}

func killedAtAnyCall(t *testing.T, more int) {
	t.Helper()
	for k := 1; ; k++ {
		ended := killedAt(t, k, more)
		if t.Failed() {
			t.Fatalf("the dispatcher was killed before call %d", k)
		}
		if ended {
			if k < 20 {
				t.Errorf("a job of %d calls: expected more", k)
			}
			return
		}
	}
}

// killedAt says whether the job came to its end before its dispatcher was killed. It has two objects, and more of a
// record each.
func killedAt(t *testing.T, k, more int) (ended bool) {
	t.Helper()
	l := newLab(t, csvSpec)
	l.cfg.Reconcile = 20 * time.Millisecond
	l.put("a", numbered(20))
	l.put("b", numbered(3))
	for i := range more {
		l.put(fmt.Sprintf("c%02d", i), numbered(1))
	}
	defer l.work()()
	f := newFuse(k)
	f.told = func() { l.queue.change(func() {}) }
	first := New(l.cfg, Parts{
		Store: state.New(fusedDocs{l.docs, f}), Objects: client, Queue: fusedQueue{l.queue, f}, Jobs: silent{},
		Pipelines: l.pipelines,
	})
	stop := l.start(func(ctx context.Context) { _ = first.Run(ctx) })
	job := contracts.Job{ID: "j1", Pipeline: "p", Revision: "r1", Source: []string{"s3://" + l.bucket}}
	_, err := first.Accept(t.Context(), job)
	l.await(func() bool { return f.blown() || len(l.queue.ends("j1")) > 0 })
	stop()
	second, stop := l.run()
	defer stop()
	all := int64(2 + more)
	if _, unknown := l.store.Job(t.Context(), "j1"); err != nil && unknown != nil {
		// Its message was not acknowledged: it comes again. Where the job is stored, the message may be lost.
		_, err := second.Accept(t.Context(), job)
		must(t, err)
	}
	expectReport(t, l.report("j1"), contracts.StateDone, 23+int64(more), totals(all, all, 0, 0))
	l.sameWork()
	l.accept(second, "j2")
	expectReport(t, l.report("j2"), contracts.StateDone, 0, totals(all, 0, all, 0))
	one, err := l.store.Plan(t.Context(), "j1")
	must(t, err)
	two, err := l.store.Plan(t.Context(), "j2")
	must(t, err)
	if two.Base < one.Base+one.Totals.Segments {
		t.Errorf("the second job's timestamps begin at %d, the first one's %d at %d", two.Base, one.Totals.Segments, one.Base)
	}
	l.forgotten("j1")
	return !f.blown()
}
