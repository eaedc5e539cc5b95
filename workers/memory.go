package workers

import (
	"context"
	"sync"

	"github.com/penstock-io/penstock/contracts"
)

// memory shares a number of bytes among the batches of a process. Who asks for a share holds none, and waits in order;
// a batch that outgrows its share is served first, but waits for those only who are not waiting themselves: so some
// holder always comes to its end. Safe for concurrent use.
type memory struct {
	total   int64
	most    int64         // of the total, that one batch may have
	turn    chan struct{} // of the one who is next to have a share
	mu      sync.Mutex
	held    int64
	holders int
	growing int           // of the holders, those who wait for more
	changed chan struct{} // closed when something was given back
}

// mostShare is what one batch may have where there is more: its rows are addressed by 32 bits, which reach beyond it by
// more than a batch may hold when it is found to outgrow its share.
const mostShare = 3 << 30

func newMemory(total int64) *memory {
	return &memory{
		total: total, most: min(total, mostShare), turn: make(chan struct{}, 1), changed: make(chan struct{}),
	}
}

// take waits for a share of n bytes, at most the total. The error is of kind interrupted: ctx has ended.
func (m *memory) take(ctx context.Context, n int64) error {
	select {
	case m.turn <- struct{}{}:
		defer func() { <-m.turn }()
	case <-ctx.Done():
		return notServed(ctx)
	}
	for {
		changed, ok := m.try(n)
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return notServed(ctx)
		}
	}
}

func notServed(ctx context.Context) error {
	return contracts.Errorf(contracts.KindInterrupted, "wait for memory: %w", context.Cause(ctx))
}

// try takes a share if it is to be had, or gives what is closed at the next change.
func (m *memory) try(n int64) (changed <-chan struct{}, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.growing > 0 || m.held+n > m.total {
		return m.changed, false
	}
	m.held += n
	m.holders++
	return nil, true
}

// tryTake takes a share for one who holds another, and so may not wait.
func (m *memory) tryTake(n int64) bool {
	select {
	case m.turn <- struct{}{}:
		defer func() { <-m.turn }()
		_, ok := m.try(n)
		return ok
	default:
		return false // somebody waits
	}
}

// grow adds n bytes to a share. False where they are not to be had: all others wait for more, too, or ctx has ended.
func (m *memory) grow(ctx context.Context, n int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.growing++
	defer func() { m.growing-- }()
	for m.held+n > m.total {
		if m.growing == m.holders || ctx.Err() != nil {
			return false
		}
		changed := m.changed
		m.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
		m.mu.Lock()
	}
	m.held += n
	return true
}

// give gives n bytes of a share back, or with the last of them the share.
func (m *memory) give(n int64, all bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.held -= n
	if all {
		m.holders--
	}
	close(m.changed)
	m.changed = make(chan struct{})
}
