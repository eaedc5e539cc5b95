package dispatcher

import (
	"sync/atomic"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/status"
)

// Standing is what a dispatcher has before it and what it has seen settled. All but Leads are 0 where another leads,
// and of a job that is not planned yet, or waits for its turn, nobody knows the chunks.
type Standing struct {
	Leads                     bool
	Waiting, Running, Resting int   // jobs: accepted, planned or under way, paused
	LagChunks                 int64 // planned chunks of running jobs without an outcome
	LagBytes                  int64 // of those chunks, as stored: about, since only the whole plan's are known
	Settled                   int64 // chunks that got an outcome while this process led
	SettledBytes              int64 // that were read for them, as stored
}

// Standing may be asked at any time, by any goroutine.
func (d *Dispatcher) Standing() Standing {
	if !d.leads.Load() {
		return Standing{}
	}
	s := d.court.standing()
	s.Leads, s.Settled, s.SettledBytes = true, d.settled.chunks.Load(), d.settled.bytes.Load()
	return s
}

// standing counts the jobs. One that is looked at only to see that it still rests counts as resting.
func (c *court) standing() (s Standing) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.Resting = len(c.resting)
	for id := range c.waiting {
		if !c.resting[id] {
			s.Waiting++
		}
	}
	for id, r := range c.running {
		switch {
		case c.resting[id] && !r.heeds.Load():
			continue
		case c.resting[id]:
			s.Resting--
		}
		s.Running++
		s.LagChunks += r.lag.chunks.Load()
		s.LagBytes += r.lag.bytes.Load()
	}
	return s
}

// settled counts what got an outcome.
type settled struct{ chunks, bytes atomic.Int64 }

func (s *settled) add(o status.Outcome) {
	s.chunks.Add(1)
	s.bytes.Add(o.Bytes)
}

// lag is what a job's fold lacks.
type lag struct{ chunks, bytes atomic.Int64 }

// measure takes the lag from the fold. Whole records are read, past the end of a chunk, and of what was tried before
// nobody reads again: so the bytes may be through before the chunks are.
func (r *runner) measure() {
	chunks := int64(r.progress.Total - r.progress.Done - len(r.progress.Dead))
	bytes := max(0, r.plan.Totals.Bytes-r.progress.Bytes)
	if chunks == 0 {
		bytes = 0
	}
	r.lag.chunks.Store(chunks)
	r.lag.bytes.Store(bytes)
}

// forgetRests forgets which jobs rest, as another leader may have let them go on.
func (c *court) forgetRests() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.resting = map[contracts.JobID]bool{}
}
