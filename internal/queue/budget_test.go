package queue_test

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/penstock-io/penstock/budget"
	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/internal/embedded/nats"
	"github.com/penstock-io/penstock/internal/queue"
	"github.com/penstock-io/penstock/internal/testenv"
)

// onEach runs a test on the embedded server and on a real one, each time with streams of its own.
func onEach(t *testing.T, test func(t *testing.T, url, prefix string)) {
	for name, start := range map[string]func(*testing.T) string{
		"embedded": func(t *testing.T) string { return embedded(t, nats.Config{Dir: t.TempDir()}).URL() },
		"real":     func(t *testing.T) string { return testenv.NATS(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := start(t)
			test(t, url, uniquePrefix(t, url))
		})
	}
}

func TestBudgetIsSwapped(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, url, prefix string) {
		one := open(t, queue.Config{URL: url, Prefix: prefix}).Budget("readings")
		other := open(t, queue.Config{URL: url, Prefix: prefix}).Budget("readings")
		_, _, _, err := one.Load(t.Context())
		wants(t, err, contracts.KindUnavailable, "was missing and is made again")

		value, revision, first, err := one.Load(t.Context())
		must(t, err)
		if value != nil || revision != 0 || first.IsZero() {
			t.Errorf("found %q of revision %d at %s, expected nothing, and a time", value, revision, first)
		}
		swap := func(b *queue.Budget, value string, revision uint64, want bool) {
			t.Helper()
			swapped, err := b.Swap(t.Context(), []byte(value), revision)
			if err != nil || swapped != want {
				t.Errorf("%s over %d: found %t, %v, expected %t", value, revision, swapped, err, want)
			}
		}
		swap(one, "a", 0, true)
		swap(other, "b", 0, false)
		_, revision, _, err = other.Load(t.Context())
		must(t, err)
		swap(other, "c", revision, true)
		swap(one, "d", revision, false)
		value, _, second, err := one.Load(t.Context())
		must(t, err)
		if string(value) != "c" || second.Before(first) {
			t.Errorf("found %q at %s, expected c, after %s", value, second, first)
		}
		value, revision, _, err = open(t, queue.Config{URL: url, Prefix: prefix}).Budget("others").Load(t.Context())
		if value != nil || revision != 0 || err != nil {
			t.Errorf("found %q of revision %d, %v: expected nothing of another pipeline", value, revision, err)
		}
	})
}

const batch = 20 * time.Millisecond // what a batch costs

// fleet is processes that write as much as the budget lets them.
type fleet struct {
	t       *testing.T
	keeper  *queue.Budget
	written atomic.Int64 // nanoseconds of the budget
	purses  []*budget.Purse
}

// newFleet starts nothing: each process has a connection, and a clock that is off by its skew.
func newFleet(t *testing.T, url, prefix string, skews ...time.Duration) *fleet {
	f := &fleet{t: t, keeper: open(t, queue.Config{URL: url, Prefix: prefix}).Budget("readings")}
	for _, skew := range skews {
		b := open(t, queue.Config{URL: url, Prefix: prefix}).Budget("readings")
		now := func() time.Time { return time.Now().Add(skew) }
		f.purses = append(f.purses, budget.NewPurse("readings", b, slog.New(slog.DiscardHandler), now))
	}
	return f
}

// write writes until so much of the budget is spent.
func (f *fleet) write(target time.Duration) {
	f.t.Helper()
	pace := budget.Rates{Rows: int64(time.Second / batch)} // a batch is one row
	var all sync.WaitGroup
	for _, p := range f.purses {
		for range 2 {
			all.Go(func() {
				for f.written.Load() < int64(target) {
					if err := p.Pace(pace)(f.t.Context(), 1, 0); err != nil {
						f.t.Error(err)
						return
					}
					f.written.Add(int64(batch))
				}
			})
		}
	}
	all.Wait()
}

// clock is the server's.
func (f *fleet) clock() time.Time {
	f.t.Helper()
	for range 2 { // the first may find no stream
		if _, _, now, err := f.keeper.Load(f.t.Context()); err == nil {
			return now
		}
	}
	f.t.Fatal("the server tells no time")
	return time.Time{}
}

// want holds what was written against the server's clock: so much more than the time that went by is allowed. A slow
// machine lets more time go by, never less.
func (f *fleet) want(begin time.Time, burst time.Duration) {
	f.t.Helper()
	written, passed := time.Duration(f.written.Load()), f.clock().Sub(begin)
	f.t.Logf("wrote %s worth of the budget within %s", written, passed)
	if written > passed+burst+time.Duration(len(f.purses))*batch {
		f.t.Errorf("wrote %s worth of the budget within %s, expected at most %s more", written, passed, burst)
	}
}

// TestBudgetIsKept has two processes write whose clocks are three minutes apart.
func TestBudgetIsKept(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, url, prefix string) {
		f := newFleet(t, url, prefix, 90*time.Second, -90*time.Second)
		begin := f.clock()
		f.write(3 * time.Second)
		f.want(begin, time.Second)
	})
}

// TestBudgetIsLost loses the stream twice under writing processes.
func TestBudgetIsLost(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, url, prefix string) {
		f := newFleet(t, url, prefix, 0, 0)
		begin := f.clock()
		f.write(700 * time.Millisecond)
		stream := contracts.Subjects{Prefix: prefix}.Stream(contracts.StreamBudgets)
		var losing sync.WaitGroup
		losing.Go(func() {
			s, err := raw(t, url).Stream(t.Context(), stream)
			if err == nil {
				err = s.Purge(t.Context())
			}
			if err != nil {
				t.Error(err)
			}
		})
		f.write(1500 * time.Millisecond)
		losing.Wait()
		losing.Go(func() {
			if err := raw(t, url).DeleteStream(t.Context(), stream); err != nil {
				t.Error(err)
			}
		})
		f.write(3 * time.Second)
		losing.Wait()
		f.want(begin, 1500*time.Millisecond) // a slice of each process is sold twice, each time
	})
}

// TestBudgetSurvivesARestart takes the server away from processes that wait.
func TestBudgetSurvivesARestart(t *testing.T) {
	t.Parallel()
	s := testenv.StartNATS(t, "")
	f := newFleet(t, s.URL, testenv.Name(t, "q"), 0, 0)
	begin := f.clock()
	f.write(500 * time.Millisecond)
	var all sync.WaitGroup
	all.Go(func() { f.write(1500 * time.Millisecond) })
	s.Restart()
	all.Wait()
	f.want(begin, 2*time.Second)
}

// TestBudgetPermissions holds a worker's part of a budget to what docs/interface.md has its user granted.
func TestBudgetPermissions(t *testing.T) {
	t.Parallel()
	addr := serve(t, `jetstream {}
authorization {users: [
  {user: dispatcher, password: d}
  {user: worker, password: w, permissions: {
    publish: ["penstock.budgets.*", "$JS.API.STREAM.INFO.BUDGETS", "$JS.API.STREAM.MSG.GET.BUDGETS"]
    subscribe: ["_INBOX.>"]}}
]}`)
	worker := open(t, queue.Config{URL: "nats://" + addr, User: "worker", Password: "w"}).Budget("readings")
	_, _, _, err := worker.Load(t.Context())
	wants(t, err, contracts.KindUnavailable, "stream BUDGETS is missing")
	wants(t, err, contracts.KindUnavailable, "start a dispatcher")
	must(t, open(t, queue.Config{URL: "nats://" + addr, User: "dispatcher", Password: "d"}).Setup(t.Context()))
	p := budget.NewPurse("readings", worker, slog.New(slog.DiscardHandler), time.Now)
	must(t, p.Pace(budget.Rates{Rows: 1000})(t.Context(), 100, 0))
	value, _, _, err := worker.Load(t.Context())
	must(t, err)
	if len(value) == 0 {
		t.Error("nothing was stored")
	}
}

// TestBudgetAway tells of a server that is gone, so that the worker tries again.
func TestBudgetAway(t *testing.T) {
	t.Parallel()
	s := embedded(t, nats.Config{Dir: t.TempDir()})
	b := open(t, queue.Config{URL: s.URL()}).Budget("readings")
	s.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, _, _, err := b.Load(ctx)
	wants(t, err, contracts.KindUnavailable, "read penstock.budgets.readings at nats://")
	_, err = b.Swap(ctx, []byte("a"), 0)
	wants(t, err, contracts.KindUnavailable, "publish to penstock.budgets.readings at nats://")
}
