package dispatcher

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/penstock-io/penstock/contracts"
)

// fakeQueue is a queue that keeps one message a subject and may forget what it is given.
type fakeQueue struct {
	mu        sync.Mutex
	changed   chan struct{} // closed and made anew at each change
	waiting   []contracts.ChunkWork
	held      map[string]bool // taken and not done
	published []contracts.ChunkWork
	most      int // messages at a time
	purged    map[contracts.JobID]int
	events    []contracts.Event
	dead      []string // reasons
	listeners map[int]chan contracts.Event
	next      int
	lose      func(contracts.ChunkWork) bool // nil: nothing
	loseEvent func(contracts.Event) bool     // nil: nothing
}

func newFakeQueue() *fakeQueue {
	return &fakeQueue{
		changed: make(chan struct{}), held: map[string]bool{}, purged: map[contracts.JobID]int{},
		listeners: map[int]chan contracts.Event{},
	}
}

// change runs fn and wakes those who wait.
func (q *fakeQueue) change(fn func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	fn()
	close(q.changed)
	q.changed = make(chan struct{})
}

// wait waits until cond holds; false when ctx ends first.
func (q *fakeQueue) wait(ctx context.Context, cond func() bool) bool {
	for {
		q.mu.Lock()
		ok, changed := cond(), q.changed
		q.mu.Unlock()
		if ok {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

func subjectOf(w contracts.ChunkWork) string {
	return contracts.DefaultSubjects.Chunk(w.Job, w.Work, w.Chunk)
}

func (q *fakeQueue) PublishChunks(_ context.Context, all []contracts.ChunkWork) error {
	for _, w := range all {
		q.publish(w)
	}
	return nil
}

func (q *fakeQueue) publish(w contracts.ChunkWork) {
	w.Parts = slices.Clone(w.Parts)
	q.change(func() {
		same := func(o contracts.ChunkWork) bool { return subjectOf(o) == subjectOf(w) }
		if q.held[subjectOf(w)] || slices.ContainsFunc(q.waiting, same) {
			return
		}
		q.published = append(q.published, w)
		if q.lose != nil && q.lose(w) {
			return
		}
		q.waiting = append(q.waiting, w)
		q.most = max(q.most, len(q.waiting)+len(q.held))
	})
}

// take gives the next message; false when ctx ends.
func (q *fakeQueue) take(ctx context.Context) (w contracts.ChunkWork, ok bool) {
	ok = q.wait(ctx, func() bool {
		if len(q.waiting) == 0 || ctx.Err() != nil {
			return false
		}
		w = q.waiting[0]
		q.waiting = q.waiting[1:]
		q.held[subjectOf(w)] = true
		return true
	})
	return w, ok
}

func (q *fakeQueue) done(w contracts.ChunkWork) { q.change(func() { delete(q.held, subjectOf(w)) }) }

func (q *fakeQueue) PublishEvent(_ context.Context, e contracts.Event) error {
	q.change(func() {
		if q.loseEvent != nil && q.loseEvent(e) {
			return
		}
		q.events = append(q.events, e)
		for _, l := range q.listeners {
			l <- e
		}
	})
	return nil
}

func (q *fakeQueue) PublishDead(_ context.Context, subject string, _ []byte, reason string) error {
	q.change(func() { q.dead = append(q.dead, subject+": "+reason) })
	return nil
}

func (q *fakeQueue) Purge(_ context.Context, job contracts.JobID) error {
	q.change(func() {
		q.waiting = slices.DeleteFunc(q.waiting, func(w contracts.ChunkWork) bool { return w.Job == job })
		q.purged[job]++
	})
	return nil
}

func (q *fakeQueue) Sweep(context.Context) error { return nil }

// Events calls fn from a goroutine of its own, as the real queue does.
func (q *fakeQueue) Events(
	_ context.Context, _ contracts.JobID, _ bool, fn func(contracts.Event),
) (stop func(), err error) {
	l := make(chan contracts.Event, 100_000)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for e := range l {
			fn(e)
		}
	}()
	var id int
	q.change(func() { id, q.next = q.next, q.next+1; q.listeners[id] = l })
	return func() {
		q.change(func() { delete(q.listeners, id) })
		close(l)
		<-ended
	}, nil
}

// count is the number of published messages that cond holds for.
func (q *fakeQueue) count(cond func(contracts.ChunkWork) bool) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(slices.DeleteFunc(slices.Clone(q.published), func(w contracts.ChunkWork) bool { return !cond(w) }))
}

// told is the number of events of a kind.
func (q *fakeQueue) told(kind contracts.EventKind) (n int) {
	for _, e := range q.events {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

// ends are the terminal events of a job.
func (q *fakeQueue) ends(id contracts.JobID) (all []contracts.Event) {
	for _, e := range q.events {
		if e.Job == id && e.Kind.Terminal() {
			all = append(all, e)
		}
	}
	return all
}

func (q *fakeQueue) waitEnd(t *testing.T, id contracts.JobID) contracts.Report {
	t.Helper()
	var end contracts.Event
	q.wait(t.Context(), func() bool {
		ends := q.ends(id)
		if len(ends) > 0 {
			end = ends[0]
		}
		return len(ends) > 0
	})
	if end.Report == nil || contracts.EventKind(end.Report.State) != end.Kind {
		t.Fatalf("job %s: found %+v", id, end)
	}
	return *end.Report
}
