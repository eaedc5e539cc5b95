package dispatcher

import (
	"testing"
	"time"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/state"
)

// stands waits until the dispatcher stands as wanted, apart from the bytes, which it gives.
func (l *lab) stands(d *Dispatcher, want Standing) Standing {
	l.t.Helper()
	limit := time.After(time.Minute)
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for {
		s := d.Standing()
		bare := s
		if bare.LagBytes, bare.SettledBytes = 0, 0; bare == want {
			return s
		}
		select {
		case <-again.C:
		case <-limit:
			l.t.Fatalf("found %+v, expected %+v", s, want)
		}
	}
}

// TestStanding follows a job of ten chunks: its lag shrinks by what the fold hears, and a job that rests is none that
// runs.
func TestStanding(t *testing.T) {
	t.Parallel()
	l := newLab(t, ndjsonSpec)
	l.put("a", numberedJSON(100))
	idle := l.dispatcher()
	if s := idle.Standing(); s != (Standing{}) {
		t.Errorf("found %+v of one that does not lead", s)
	}
	d, stop := l.run()
	l.accept(d, "j1")
	ctx := t.Context()
	first, _ := l.queue.take(ctx)
	plan, err := l.store.Plan(ctx, "j1")
	must(t, err)
	total := int64(plan.Totals.Chunks)
	s := l.stands(d, Standing{Leads: true, Running: 1, LagChunks: total})
	if s.LagBytes != plan.Totals.Bytes || s.SettledBytes != 0 {
		t.Errorf("found %+v of a plan of %d bytes", s, plan.Totals.Bytes)
	}
	must(t, l.serve(ctx, first))
	s = l.stands(d, Standing{Leads: true, Running: 1, LagChunks: total - 1, Settled: 1})
	if s.SettledBytes == 0 || s.LagBytes+s.SettledBytes != plan.Totals.Bytes {
		t.Errorf("found %+v of a plan of %d bytes", s, plan.Totals.Bytes)
	}
	l.ask("j1", true, state.Pause, state.Run)
	l.await(func() bool { return l.queue.told(contracts.EventPaused) > 0 })
	l.stands(d, Standing{Leads: true, Resting: 1, Settled: 1})
	l.ask("j1", true, state.Resume, state.Pause, state.Paused)
	l.await(func() bool { return l.queue.told(contracts.EventResumed) > 0 })
	l.stands(d, Standing{Leads: true, Running: 1, LagChunks: total - 1, Settled: 1})
	l.work()
	l.report("j1")
	l.stands(d, Standing{Leads: true, Settled: total})
	stop()
	if s := d.Standing(); s != (Standing{}) {
		t.Errorf("found %+v of one that left", s)
	}
}
