package workers

import (
	"context"
	"sync"
	"time"
)

// lease keeps a message alive while it is worked on and knows whether it still is this worker's.
type lease struct {
	m     Message
	term  time.Duration
	now   func() time.Time
	mu    sync.Mutex
	alive time.Time // when the queue was last told
	stop  context.CancelFunc
	done  chan struct{}
}

// hold begins to tell the queue, three times a lease, that the message is in progress. Release ends it.
func (w *Workers) hold(ctx context.Context, m Message) *lease {
	ctx, stop := context.WithCancel(ctx)
	l := &lease{
		m: m, term: w.cfg.Lease, now: w.cfg.Now, alive: w.cfg.Now(), stop: stop, done: make(chan struct{}),
	}
	go func() {
		defer close(l.done)
		for sleep(ctx, l.term/3) {
			l.renew()
		}
	}()
	return l
}

func (l *lease) renew() {
	at := l.now()
	if !l.held() || l.m.Progress() != nil {
		return // a lease that has run out is not taken back: another worker may have the chunk
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.alive = at
}

// held says whether the message is surely not with another worker. A process that was stopped and woken finds that it
// is not.
func (l *lease) held() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.now().Sub(l.alive) < l.term
}

// release stops the heartbeat and waits for it.
func (l *lease) release() {
	l.stop()
	<-l.done
}
