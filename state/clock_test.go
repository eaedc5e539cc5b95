package state_test

import (
	"cmp"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/internal/objects"
	"github.com/penstock-io/penstock/internal/testenv"
	"github.com/penstock-io/penstock/state"
)

type reservation struct{ base, n int64 }

func TestReservationsOfManyAreDisjoint(t *testing.T) {
	t.Parallel()
	s := open(t)
	now := time.UnixMicro(1_700_000_000_000_000)
	var mu sync.Mutex
	var all []reservation
	race(8, func(i int) {
		last := int64(0)
		for k := range 4 {
			// Clocks of different machines disagree, and one steps back.
			at := now.Add(time.Duration(i-4*k) * time.Microsecond)
			n := int64(1 + i*k)
			base, err := s.Reserve(t.Context(), "lab.readings", n, at)
			if err != nil || base < at.UnixMicro() || base <= last {
				t.Errorf("reserver %d: found base %d after %d at %d, error %v", i, base, last, at.UnixMicro(), err)
				return
			}
			last = base
			mu.Lock()
			all = append(all, reservation{base, n})
			mu.Unlock()
		}
	})
	slices.SortFunc(all, func(a, b reservation) int { return cmp.Compare(a.base, b.base) })
	for i := 1; i < len(all); i++ {
		if all[i-1].base+all[i-1].n > all[i].base {
			t.Errorf("reservations overlap: %+v and %+v", all[i-1], all[i])
		}
	}
}

func TestReserveWhileTheClockStepsBack(t *testing.T) {
	t.Parallel()
	s := open(t)
	at := func(micro int64) time.Time { return time.UnixMicro(micro) }
	for _, step := range []struct {
		now     time.Time
		n, want int64
	}{{at(1000), 10, 1000}, {at(500), 5, 1010}, {at(0), 0, 1015}, {at(1015), 1, 1015}, {at(5000), 1, 5000}} {
		got, err := s.Reserve(t.Context(), "lab.t", step.n, step.now)
		if err != nil || got != step.want {
			t.Errorf("reserve %d at %d: found %d, %v, expected %d", step.n, step.now.UnixMicro(), got, err, step.want)
		}
	}
	if got, err := s.Reserve(t.Context(), "lab.other", 1, at(7)); err != nil || got != 7 {
		t.Errorf("another table: found %d, %v: expected a clock of its own", got, err)
	}
}

func TestNoBucketIsNoLostRace(t *testing.T) {
	t.Parallel()
	s := state.New(objects.NewDocs(client, testenv.Bucket(t)))
	_, err := s.Reserve(t.Context(), "lab.t", 1, time.Now())
	expectKind(t, err, contracts.KindMissing)
}

func TestClockOfANewerVersionIsLeftAlone(t *testing.T) {
	t.Parallel()
	d := docs(t)
	must(t, d.Put(t.Context(), "clocks/lab.t", []byte(`{"v":2,"next":9}`)))
	_, err := state.New(d).Reserve(t.Context(), "lab.t", 1, time.Now())
	expectKind(t, err, contracts.KindConfig)
}
