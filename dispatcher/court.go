package dispatcher

import (
	"context"
	"sync"

	"github.com/penstock-io/penstock/contracts"
)

// court is who waits for the leader: jobs that were announced and events that came in. Dispatchers that do not lead
// keep theirs too, so that a job accepted just before the lead changes is not left to the next look at the store.
type court struct {
	mu      sync.Mutex
	waiting map[contracts.JobID]*contracts.AcceptedJob // nil: what is stored of it must be read
	echoes  map[contracts.JobID]bool                   // accepted here: the news of that is still to come
	running map[contracts.JobID]*runner
	resting map[contracts.JobID]bool // paused, when they were last looked at; at most maxWaiting
	reigns  bool                     // whatever a user asks of a job is heard
	room    int                      // jobs that may still start
	wake    chan struct{}            // holds one token while there may be something to start
}

// maxWaiting bounds the jobs announced and not yet started; those beyond it are found in the store. Of at most
// maxHanded of them it is kept what they say.
const (
	maxWaiting = 10_000
	maxHanded  = 256
)

func newCourt(room int) *court {
	return &court{
		waiting: map[contracts.JobID]*contracts.AcceptedJob{}, echoes: map[contracts.JobID]bool{},
		running: map[contracts.JobID]*runner{}, resting: map[contracts.JobID]bool{},
		room: room, wake: make(chan struct{}, 1),
	}
}

// announce says that a job may want to run.
func (c *court) announce(id contracts.JobID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wait(id, nil)
}

// wait puts a job among those that wait, unless it runs.
func (c *court) wait(id contracts.JobID, j *contracts.AcceptedJob) {
	_, waits := c.waiting[id]
	if r := c.running[id]; r != nil {
		r.heard.Store(true)
	} else if !waits && len(c.waiting) < maxWaiting {
		c.waiting[id] = j
	}
	c.ring()
}

// accepted is announce for a job that was stored just now, and was not before: nothing else is stored of it, and while
// this process leads it hears of whatever is asked of it. So there is nothing to be read.
func (c *court) accepted(j contracts.AcceptedJob) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.echoes) < maxWaiting {
		c.echoes[j.ID] = true
	}
	if c.reigns && len(c.waiting) < maxHanded {
		c.wait(j.ID, &j)
	} else {
		c.wait(j.ID, nil)
	}
}

// echoed is announce for the news that a job was accepted, which is none where it was accepted here.
func (c *court) echoed(id contracts.JobID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.echoes[id] {
		delete(c.echoes, id)
		return
	}
	c.wait(id, nil)
}

// reign says whether this process hears from now on what is asked of jobs. What was asked before it may have missed.
func (c *court) reign(begins bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reigns = begins
	clear(c.echoes)
	for id := range c.waiting {
		c.waiting[id] = nil
	}
}

// recall is announce for a job of which a user has asked something: if it has a runner, that one may have looked
// before, and be about to leave.
func (c *court) recall(id contracts.JobID) {
	c.announce(id)
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.running[id]; r != nil {
		r.recalled.Store(true)
	} else if c.waiting[id] != nil {
		c.waiting[id] = nil
	}
}

func (c *court) ring() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// next takes a waiting job and makes its runner; nil where none waits or there is no room. The oldest goes first.
func (c *court) next(make func(contracts.JobID) *runner) *runner {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.room == 0 || len(c.waiting) == 0 {
		return nil
	}
	var first contracts.JobID
	for id := range c.waiting {
		if first == "" || id < first {
			first = id
		}
	}
	r := make(first)
	r.handed = c.waiting[first]
	delete(c.waiting, first)
	c.running[first] = r
	c.room--
	return r
}

// leave takes a runner that ended off.
func (c *court) leave(r *runner) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.running, r.id)
	if !r.resting.Load() {
		delete(c.resting, r.id)
	} else if len(c.resting) < maxWaiting {
		c.resting[r.id] = true
	}
	if r.recalled.Load() || r.unstored && r.heard.Load() {
		c.waiting[r.id] = nil
	}
	c.room++
	c.ring()
}

// deliver hands an event to its job's runner and waits until it is taken, so that news is never dropped while the
// runner is alive.
func (c *court) deliver(ctx context.Context, e contracts.Event) {
	c.mu.Lock()
	r := c.running[e.Job]
	c.mu.Unlock()
	if r == nil || !r.heeds.Load() {
		return
	}
	select {
	case r.events <- &e:
	case <-r.ended:
	case <-ctx.Done():
	}
}
