package budget

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/penstock-io/penstock/contracts"
)

// memory keeps a cell in the bubble's time. A test with a real keeper stands beside its plug, in internal/queue.
type memory struct {
	mu       sync.Mutex
	value    []byte
	revision uint64
	ahead    time.Duration // of the keeper's clock
	err      error         // of every call
	loads    int
	swaps    int
}

func (m *memory) Load(context.Context) ([]byte, uint64, time.Time, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.loads++
	return m.value, m.revision, time.Now().Add(m.ahead), m.err
}

func (m *memory) Swap(_ context.Context, value []byte, revision uint64) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil || revision != m.revision {
		return false, m.err
	}
	m.value, m.revision, m.swaps = value, m.revision+1, m.swaps+1
	return true, nil
}

func (m *memory) set(change func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change()
}

// purse is one process's, whose clock is off by so much.
func (m *memory) purse(skew time.Duration) *Purse {
	return NewPurse("readings", m, slog.New(slog.DiscardHandler), func() time.Time { return time.Now().Add(skew) })
}

// ledger notes what is written when.
type ledger struct {
	mu    sync.Mutex
	begun time.Time
	total time.Duration
	owed  time.Duration // how much more was written than time went by, in the worst span that ends now
	worst time.Duration
	last  time.Time
}

func newLedger() *ledger { return &ledger{begun: time.Now(), last: time.Now()} }

func (l *ledger) note(price time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.owed = max(0, l.owed-time.Since(l.last)) + price
	l.last, l.total, l.worst = time.Now(), l.total+price, max(l.worst, l.owed)
}

// share is what was written of what the budget allowed.
func (l *ledger) share() float64 { return l.total.Seconds() / time.Since(l.begun).Seconds() }

// want holds the ledger against the promise: in no span more than its length and burst, and in all near to the rate.
func (l *ledger) want(t *testing.T, burst time.Duration, least float64) {
	t.Helper()
	t.Logf("wrote %.3f of the budget; at the worst %s more than its span", l.share(), l.worst)
	if l.worst > burst {
		t.Errorf("%s more was written than its span allows, expected at most %s", l.worst, burst)
	}
	if l.share() < least {
		t.Errorf("%.3f of the budget was written, expected at least %.3f", l.share(), least)
	}
}

// writers write batches of a price through each purse until the time is up, two at once.
func writers(l *ledger, price, span time.Duration, purses ...*Purse) {
	ctx, cancel := context.WithTimeout(context.Background(), span)
	defer cancel()
	pace := Rates{Rows: int64(time.Second)} // a row a nanosecond: rows are prices
	var all sync.WaitGroup
	for _, p := range purses {
		for range 2 {
			all.Go(func() {
				for p.Pace(pace)(ctx, int(price), 0) == nil {
					l.note(price)
				}
			})
		}
	}
	all.Wait()
}

func TestRateIsKeptAndMet(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		skews []time.Duration
		price time.Duration
	}{
		"one process":                 {[]time.Duration{0}, 5 * time.Millisecond},
		"batches of a slice and more": {[]time.Duration{0, 0}, 130 * time.Millisecond},
		"batches of seconds":          {[]time.Duration{0, 0}, 7 * time.Second},
		"clocks that are off":         {[]time.Duration{90 * time.Second, -90 * time.Second, 0}, 2 * time.Millisecond},
		"forty processes":             {make([]time.Duration, 40), 3 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m, l := &memory{ahead: -time.Hour}, newLedger()
				var purses []*Purse
				for _, skew := range c.skews {
					purses = append(purses, m.purse(skew))
				}
				writers(l, c.price, time.Minute, purses...)
				l.want(t, time.Second+c.price*time.Duration(len(purses)), 0.95)
				if most := 10*60 + 20; m.swaps > most {
					t.Errorf("%d slices were bought in a minute, expected at most %d", m.swaps, most)
				}
			})
		})
	}
}

// TestEveryProcessHasItsTurn runs more processes than time is sold ahead for.
func TestEveryProcessHasItsTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		ledgers := make([]*ledger, 25)
		var all sync.WaitGroup
		for i := range ledgers {
			ledgers[i] = newLedger()
			all.Go(func() { writers(ledgers[i], 25*time.Millisecond, 4*time.Minute, m.purse(0)) })
		}
		all.Wait()
		for i, l := range ledgers {
			if fair := l.share() * 25; fair < 0.1 || fair > 5 {
				t.Errorf("process %d had %.2f of its fair share", i, fair)
			}
		}
		t.Logf("%d loads for %d slices", m.loads, m.swaps)
	})
}

// TestSharedValueIsLost wipes the keeper's store again and again.
func TestSharedValueIsLost(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(m *memory, first []byte){
		"wiped":                   func(m *memory, _ []byte) { m.value, m.revision = nil, 0 },
		"brought back":            func(m *memory, first []byte) { m.value, m.revision = first, 1 },
		"overwritten":             func(m *memory, _ []byte) { m.value = []byte("nonsense") },
		"the clock was put back":  func(m *memory, _ []byte) { m.ahead -= 90 * time.Second },
		"the clock was put ahead": func(m *memory, _ []byte) { m.ahead += 90 * time.Second },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m, l := &memory{}, newLedger()
				var all sync.WaitGroup
				all.Go(func() { writers(l, 5*time.Millisecond, 100*time.Second, m.purse(0), m.purse(0), m.purse(0)) })
				pass(time.Second)
				var first []byte
				m.set(func() { first = m.value })
				for range 5 {
					pass(15 * time.Second)
					m.set(func() { lose(m, first) })
				}
				all.Wait()
				l.want(t, time.Second+5*time.Second, 0.95) // each time a second that was sold may be sold again
			})
		})
	}
}

func TestIdleTimeIsABoundedBurst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, l := &memory{}, newLedger()
		p, other := m.purse(0), m.purse(0)
		writers(l, 10*time.Millisecond, 10*time.Second, p)
		pass(time.Hour)
		l = newLedger()
		writers(l, 10*time.Millisecond, 10*time.Second, p, other)
		l.want(t, time.Second, 0.98)
	})
}

// TestSurplus spends what is left of a slice without asking anybody, and drops it after a while.
func TestSurplus(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		p := m.purse(0)
		spend := func(loads int) {
			t.Helper()
			if err := p.spend(t.Context(), 30*time.Millisecond); err != nil || m.loads != loads {
				t.Errorf("the keeper was asked %d times, expected %d: %v", m.loads, loads, err)
			}
		}
		begin := time.Now()
		spend(1)
		spend(1)
		spend(1)
		pass(kept + 1)
		spend(2) // 10 ms were left
		if p.left != 70*time.Millisecond {
			t.Errorf("%s are left, expected what one slice has left", p.left)
		}
		if waited := time.Since(begin); waited != kept+1 {
			t.Errorf("waited until %s, expected no wait", waited)
		}
	})
}

func TestWaitIsInterruptedAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := (&memory{}).purse(0)
		check(t, p.spend(t.Context(), time.Hour))
		leaving := errors.New("leaving")
		ctx, cancel := context.WithCancelCause(t.Context())
		begin, errs := time.Now(), make(chan error)
		for range 3 { // the first waits for its slice, the others for their turn
			go func() { errs <- p.spend(ctx, time.Millisecond) }()
		}
		synctest.Wait()
		cancel(leaving)
		for range 3 {
			err := <-errs
			if contracts.KindOf(err) != contracts.KindInterrupted || !errors.Is(err, leaving) ||
				!strings.Contains(err.Error(), "wait for the budget of pipeline readings") {
				t.Errorf("found %v", err)
			}
		}
		if waited := time.Since(begin); waited > 0 {
			t.Errorf("the wait went on for %s", waited)
		}
	})
}

// TestNothingIsBoughtOnceTheContextHasEnded, whether there is something to wait for or not.
func TestNothingIsBoughtOnceTheContextHasEnded(t *testing.T) {
	t.Parallel()
	ended, end := context.WithCancel(t.Context())
	end()
	p := (&memory{}).purse(0)
	for range 100 { // of two that are ready, select would take either
		for _, d := range []time.Duration{-time.Second, 0, time.Hour} {
			if err := p.wait(ended, d); contracts.KindOf(err) != contracts.KindInterrupted {
				t.Fatalf("waited %s, and found %v", d, err)
			}
		}
	}
}

// TestInterruptedSliceIsNotLost spends after all what was bought for a batch that was called off.
func TestInterruptedSliceIsNotLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		check(t, m.purse(0).spend(t.Context(), 500*time.Millisecond))
		p := m.purse(0)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if err := p.spend(ctx, slice); contracts.KindOf(err) != contracts.KindInterrupted {
			t.Errorf("found %v, expected an interruption", err)
		}
		loads := m.loads
		check(t, p.spend(t.Context(), slice))
		if m.loads != loads {
			t.Error("another slice was bought")
		}
	})
}

func TestKeeperIsAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{err: contracts.Errorf(contracts.KindUnavailable, "no answer")}
		p := m.purse(0)
		begin := time.Now()
		err := p.spend(t.Context(), time.Millisecond)
		if contracts.KindOf(err) != contracts.KindUnavailable || time.Since(begin) < patience ||
			time.Since(begin) > patience+2*time.Second {
			t.Errorf("found %v after %s, expected the keeper's error after %s", err, time.Since(begin), patience)
		}
		time.AfterFunc(20*time.Second, func() { m.set(func() { m.err = nil }) })
		begin = time.Now()
		check(t, p.spend(t.Context(), time.Millisecond))
		if waited := time.Since(begin); waited < 20*time.Second || waited > 22*time.Second {
			t.Errorf("waited for %s, expected to go on when the keeper is back", waited)
		}
		m.set(func() { m.err = contracts.Errorf(contracts.KindDenied, "not for you") })
		begin = time.Now()
		err = p.spend(t.Context(), time.Second)
		if contracts.KindOf(err) != contracts.KindDenied || time.Since(begin) > time.Second {
			t.Errorf("found %v after %s, expected a denial at once", err, time.Since(begin))
		}
	})
}

// TestWaitingIsTold logs once when rows begin to wait.
func TestWaitingIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
		p := NewPurse("readings", &memory{}, log, time.Now)
		check(t, p.spend(t.Context(), slice))
		if out.Len() > 0 {
			t.Errorf("told of a wait without one: %s", &out)
		}
		for range 5 {
			check(t, p.spend(t.Context(), slice))
		}
		if n := strings.Count(out.String(), "the budget binds: rows wait for it\" pipeline=readings"); n != 1 {
			t.Errorf("told %d times, expected once:\n%s", n, &out)
		}
	})
}

// pass lets time go by, of the bubble.
func pass(d time.Duration) { <-time.After(d) }

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
