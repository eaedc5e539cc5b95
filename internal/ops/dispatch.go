package ops

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Standing is how a dispatcher stands; all but Leads are 0 where another leads.
type Standing struct {
	Leads                     bool
	Waiting, Running, Resting int // jobs
	LagChunks, LagBytes       int64
	Settled, SettledBytes     int64 // chunks with an outcome, and what was read for them, since this process leads
}

// Dispatching shows how the dispatcher stands. What it returns estimates the time to drain and runs until its context
// ends.
func (m *Metrics) Dispatching(now func() Standing) (run func(context.Context)) {
	d := &dispatching{now: now}
	gauge := func(name, help string, value func(Standing) float64) {
		m.gauge(name, help, nil, func() float64 { return value(now()) })
	}
	gauge("leader", "Whether this dispatcher leads.", func(s Standing) float64 { return oneIf(s.Leads) })
	gauge("lag_chunks", "Planned chunks of running jobs that have no outcome yet.",
		func(s Standing) float64 { return float64(s.LagChunks) })
	gauge("lag_bytes", "Bytes of source, as stored, that running jobs have yet to read; about.",
		func(s Standing) float64 { return float64(s.LagBytes) })
	gauge("drain_seconds", "Estimated time until running jobs have no chunk left, by the last minute's rate.",
		func(s Standing) float64 { return d.rate.seconds(time.Now(), s) })
	for state, count := range map[string]func(Standing) int{
		"accepted": func(s Standing) int { return s.Waiting }, "running": func(s Standing) int { return s.Running },
		"paused": func(s Standing) int { return s.Resting },
	} {
		m.gauge("jobs", "Jobs that have not ended.", prometheus.Labels{"state": state},
			func() float64 { return float64(count(now())) })
	}
	return d.run
}

// dispatching is what is known of a dispatcher.
type dispatching struct {
	now  func() Standing
	rate drain
}

// run takes a sample of the fold every few seconds.
func (d *dispatching) run(ctx context.Context) {
	tick := time.NewTicker(drainWindow / drainSamples)
	defer tick.Stop()
	for {
		d.rate.note(time.Now(), d.now())
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

const (
	drainWindow  = time.Minute
	drainSamples = 12
)

// drain estimates how long the lag takes, from what was settled in the last minute. The zero value knows nothing.
type drain struct {
	mu      sync.Mutex
	samples []sample // the oldest first
}

type sample struct {
	at            time.Time
	chunks, bytes int64
}

// note takes a sample, and forgets those that are out of the window and those before a loss of leadership.
func (d *drain) note(at time.Time, s Standing) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n := len(d.samples); n > 0 && d.samples[n-1].chunks > s.Settled {
		d.samples = d.samples[:0]
	}
	kept := d.samples[:0]
	for _, old := range d.samples {
		if at.Sub(old.at) <= drainWindow {
			kept = append(kept, old)
		}
	}
	if len(kept) > 2*drainSamples {
		kept = append(kept[:0], kept[1:]...)
	}
	d.samples = append(kept, sample{at, s.Settled, s.SettledBytes})
}

// seconds is how long the lag takes at that rate: by bytes, since chunks differ in size, else by chunks.
func (d *drain) seconds(at time.Time, s Standing) float64 {
	if s.LagChunks == 0 {
		return 0
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.samples) == 0 {
		return math.Inf(1)
	}
	first := d.samples[0]
	for _, left := range []struct{ lag, settled int64 }{
		{s.LagBytes, s.SettledBytes - first.bytes}, {s.LagChunks, s.Settled - first.chunks},
	} {
		if left.lag > 0 && left.settled > 0 && at.After(first.at) {
			return float64(left.lag) / float64(left.settled) * at.Sub(first.at).Seconds()
		}
	}
	return math.Inf(1)
}
