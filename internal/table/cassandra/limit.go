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
	// slowBatch is the latency from which more in flight only lengthens the server's queue.
	slowBatch = 250 * time.Millisecond
)

// limiter bounds the batches in flight and adapts the bound: up by one for a full round of quick answers, down by half
// when the server times out or sheds load.
type limiter struct {
	mu       sync.Mutex
	limit    int
	inFlight int
	quick    int       // quick answers since the limit last changed
	lowered  time.Time // batches that began before this say nothing about the new limit
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
	if d > slowBatch {
		l.quick = 0
		return
	}
	if l.quick++; l.quick >= l.limit && l.limit < maxInFlight {
		l.limit, l.quick = l.limit+1, 0
		l.signal()
	}
}

// overloaded notes a timeout or a refusal of a batch that began at start.
func (l *limiter) overloaded(start time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if start.Before(l.lowered) {
		return
	}
	l.limit, l.quick, l.lowered = max(1, l.limit/2), 0, time.Now()
}
