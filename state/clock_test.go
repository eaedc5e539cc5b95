package state_test

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
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

// counted are documents that count what is asked of them, and fail while they are told to.
type counted struct {
	state.Docs
	gets, puts atomic.Int64
	away       atomic.Bool
}

func (c *counted) Get(ctx context.Context, key string) ([]byte, string, error) {
	c.gets.Add(1)
	return c.Docs.Get(ctx, key)
}

func (c *counted) Replace(ctx context.Context, key string, data []byte, etag string) (string, error) {
	if c.puts.Add(1); c.away.Load() {
		return "", errDenied
	}
	return c.Docs.Replace(ctx, key, data, etag)
}

// TestClockIsRememberedAndNotTrusted: what this process wrote is not read again, and what another wrote is found out.
func TestClockIsRememberedAndNotTrusted(t *testing.T) {
	t.Parallel()
	d := &counted{Docs: docs(t)}
	s, other := state.New(d), state.New(d.Docs)
	reserve := func(s *state.Store, want int64) {
		t.Helper()
		if base, err := s.Reserve(t.Context(), "lab.t", 10, time.UnixMicro(1)); err != nil || base != want {
			t.Errorf("found %d, %v, expected %d", base, err, want)
		}
	}
	reserve(s, 1)
	reserve(s, 11)
	before := d.gets.Load()
	reserve(s, 21)
	reserve(s, 31)
	if n := d.gets.Load() - before; n > 0 {
		t.Errorf("the clock was read %d times", n)
	}
	reserve(other, 41)
	reserve(s, 51)
	d.away.Store(true)
	if _, err := s.Reserve(t.Context(), "lab.t", 10, time.UnixMicro(1)); !errors.Is(err, errDenied) {
		t.Errorf("found %v", err)
	}
	d.away.Store(false)
	reserve(s, 61)
}

// TestReservationsAtOnceShareRequests: those who wait while one is being written are served together.
func TestReservationsAtOnceShareRequests(t *testing.T) {
	t.Parallel()
	d := &counted{Docs: docs(t)}
	s := state.New(d)
	for range 2 { // the second writes over the first
		_, err := s.Reserve(t.Context(), "lab.t", 1, time.UnixMicro(1))
		must(t, err)
	}
	const many = 200
	var mu sync.Mutex
	bases := map[int64]bool{}
	race(many, func(int) {
		base, err := s.Reserve(t.Context(), "lab.t", 3, time.UnixMicro(1))
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		bases[base] = true
	})
	for base := int64(3); base < 3+3*many; base += 3 {
		if !bases[base] {
			t.Fatalf("found %d bases without %d", len(bases), base)
		}
	}
	if n := d.puts.Load(); n >= many {
		t.Errorf("%d reservations took %d requests", many, n)
	}
}

// TestClockOfAProcessThatIsAlone is written seldom, and never gives what was given before or is past.
func TestClockOfAProcessThatIsAlone(t *testing.T) {
	t.Parallel()
	d := &counted{Docs: docs(t)}
	s := state.New(d)
	s.Alone()
	last, now := int64(0), int64(1_000_000)
	reserve := func(s *state.Store, n int64) {
		t.Helper()
		base, err := s.Reserve(t.Context(), "lab.t", n, time.UnixMicro(now))
		if err != nil || base < last || base < now {
			t.Errorf("found %d, %v, at %d, expected %d or later", base, err, now, last)
		}
		last = base + n
	}
	for range 100 { // each rests long enough for the clock not to go ahead
		reserve(s, 64)
		if last != now+64 {
			t.Errorf("found a base of %d at %d", last-64, now)
		}
		now += 200_000
	}
	if n := d.puts.Load(); n != 99 {
		t.Errorf("found %d writes, expected one for each after the first", n)
	}
	d.puts.Store(0)
	for range 1000 {
		reserve(s, 64)
		now += 1000
	}
	if n := d.puts.Load(); n > 20 {
		t.Errorf("1000 reservations in a second took %d writes", n)
	}
	reserve(s, 1_000_000)
	d.away.Store(true)
	for base := last; last < base+100_000-64; { // what was taken beforehand needs no server
		reserve(s, 64)
	}
	if _, err := s.Reserve(t.Context(), "lab.t", 100_000, time.UnixMicro(now)); !errors.Is(err, errDenied) {
		t.Errorf("found %v", err)
	}
	d.away.Store(false)
	for range 3 {
		s = state.New(d.Docs) // it died, and the next begins
		s.Alone()
		reserve(s, 64)
		reserve(s, 64)
	}
}
