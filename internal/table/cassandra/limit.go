package cassandra

import (
	"context"
	"sync"
	"time"
)

// Bounds of batches in flight. 128 at once drowned a server of two cores in the lab; 16 keep it busy.
const (
	startInFlight = 16
	maxInFlight   = 64
	// slowBatch is the latency from which more in flight only lengthens the server's queue, unless the way there is that
	// long: then it is slowFactor of the shortest.
	slowBatch  = 250 * time.Millisecond
	slowFactor = 4
)

// limiter bounds the batches in flight and adapts the bound: up by one for a full round of quick answers, down by one
// for a round of slow ones until it is where it started, down by half when the server times out or sheds load.
type limiter struct {
	mu       sync.Mutex
	limit    int
	inFlight int
	quick    int           // quick answers since the limit last changed or one was slow
	slow     int           // slow answers since the limit last changed or one was quick
	best     time.Duration // the shortest latency so far; 0 before the first
	lowered  time.Time     // batches that began before this say nothing about the new limit
	wake     chan struct{}
}

func newLimiter() *limiter { return &limiter{limit: startInFlight, wake: make(chan struct{}, 1)} }

// acquire waits for a slot. Each slot is released once.
func (l *limiter) acquire(ctx context.Context) error {
	for {
		if l.take() {
			return nil
		}
		select {
		case <-l.wake:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// take gets a slot if one is free, and wakes the next in line if another is.
func (l *limiter) take() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.inFlight >= l.limit {
		return false
	}
	l.inFlight++
	l.signal()
	return true
}

func (l *limiter) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inFlight--
	l.signal()
}

// signal wakes one waiter if there is room. It is called with the lock held.
func (l *limiter) signal() {
	if l.inFlight >= l.limit {
		return
	}
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// succeeded notes an answer that took d.
func (l *limiter) succeeded(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.best == 0 || d < l.best {
		l.best = d
	}
	if d > max(slowBatch, slowFactor*l.best) {
		l.quick, l.slow = 0, l.slow+1
	} else {
		l.quick, l.slow = l.quick+1, 0
	}
	switch {
	case l.quick >= l.limit && l.limit < maxInFlight:
		l.set(l.limit + 1)
		l.signal()
	case l.slow >= l.limit && l.limit > startInFlight:
		l.set(l.limit - 1)
	}
}

// set changes the limit and begins a new round.
func (l *limiter) set(limit int) { l.limit, l.quick, l.slow = limit, 0, 0 }

// overloaded notes a timeout or a refusal of a batch that began at start.
func (l *limiter) overloaded(start time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if start.Before(l.lowered) {
		return
	}
	l.set(max(1, l.limit/2))
	l.lowered = time.Now()
}
