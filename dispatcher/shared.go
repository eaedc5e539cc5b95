package dispatcher

import (
	"context"
	"sync"
	"time"

	"github.com/penstock-io/penstock/contracts"
)

// shared is a question that many may ask at once. Whoever asks is answered by a reading that began after he did, and
// all who wait for the next one share it; readings begin at least readingPause apart. Safe for concurrent use.
type shared[T any] struct {
	mu    sync.Mutex
	next  *reading[T] // has not begun
	begun time.Time   // the last one
}

type reading[T any] struct {
	done  chan struct{}
	value T
	err   error
}

const readingPause = 100 * time.Millisecond

func (s *shared[T]) ask(ctx context.Context, read func(context.Context) (T, error)) (value T, err error) {
	r, mine := s.join()
	if mine {
		s.begin(ctx)
		r.value, r.err = read(ctx)
		close(r.done)
	}
	select {
	case <-r.done:
		return r.value, r.err
	case <-ctx.Done():
		return value, contracts.Errorf(contracts.KindInterrupted, "wait for another's reading: %w", context.Cause(ctx))
	}
}

// join gives the next reading; mine says that whoever asked is to make it.
func (s *shared[T]) join() (r *reading[T], mine bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next != nil {
		return s.next, false
	}
	s.next = &reading[T]{done: make(chan struct{})}
	return s.next, true
}

// begin waits until the next reading may begin. Who asks from then on waits for the one behind it.
func (s *shared[T]) begin(ctx context.Context) {
	s.mu.Lock()
	wait := readingPause - time.Since(s.begun)
	s.mu.Unlock()
	if wait > 0 {
		pause(ctx, wait)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next, s.begun = nil, time.Now()
}
