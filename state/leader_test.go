package state_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/penstock-io/penstock/state"
)

func expectLead(t *testing.T, s *state.Store, owner string, now time.Time, want bool) {
	t.Helper()
	got, err := s.TryLead(t.Context(), owner, now, 10*time.Second)
	if err != nil || got != want {
		t.Errorf("%s at %s: leads %t, %v, expected %t", owner, now.Format(time.TimeOnly), got, err, want)
	}
}

func TestLease(t *testing.T) {
	t.Parallel()
	s := open(t)
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	expectLead(t, s, "a", at, true)
	expectLead(t, s, "b", at.Add(9*time.Second), false)
	expectLead(t, s, "a", at.Add(9*time.Second), true) // renewed: until 19
	expectLead(t, s, "b", at.Add(18*time.Second), false)
	expectLead(t, s, "b", at.Add(19*time.Second), true) // taken over
	expectLead(t, s, "a", at.Add(20*time.Second), false)
	must(t, s.Resign(t.Context(), "a")) // has nothing to give up
	expectLead(t, s, "a", at.Add(20*time.Second), false)
	must(t, s.Resign(t.Context(), "b"))
	expectLead(t, s, "a", at.Add(20*time.Second), true)
}

// TestLeaseOfAFastClock has the leader die whose clock is an hour ahead: nobody waits for that hour.
func TestLeaseOfAFastClock(t *testing.T) {
	t.Parallel()
	s := open(t)
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	expectLead(t, s, "fast", at.Add(time.Hour), true)
	expectLead(t, s, "b", at.Add(time.Second), false)
	expectLead(t, s, "fast", at.Add(time.Hour+8*time.Second), true)
	expectLead(t, s, "b", at.Add(9*time.Second), false) // it was renewed: seen from here on
	expectLead(t, s, "b", at.Add(18*time.Second), false)
	expectLead(t, s, "b", at.Add(19*time.Second), true)
}

func TestOneLeads(t *testing.T) {
	t.Parallel()
	s := open(t)
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for term := range 3 { // the first creates the document, the others replace it
		var leaders atomic.Int32
		race(8, func(i int) {
			won, err := s.TryLead(t.Context(), string(rune('a'+i)), at.Add(time.Duration(term)*time.Minute), time.Second)
			if err != nil {
				t.Error(err)
			}
			if won {
				leaders.Add(1)
			}
		})
		if leaders.Load() != 1 {
			t.Errorf("term %d: %d lead", term, leaders.Load())
		}
	}
}
