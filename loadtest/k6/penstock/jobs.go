package penstock

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/penstock-io/penstock/contracts"
)

const (
	forgotten = time.Minute // after which NATS drops a consumer that nobody asks
	kinds     = 32          // of events that a job has, and more
)

// ends are the events that end a job.
var ends = [...]contracts.EventKind{
	contracts.EventDone, contracts.EventDoneRejects, contracts.EventFailed, contracts.EventCancelled,
}

// waiting are the jobs whose end somebody waits for: no more than there are virtual users.
type waiting struct {
	mu     sync.Mutex
	jobs   map[contracts.JobID]chan *contracts.Report
	failed atomic.Int64 // attempts of chunks, of whatever job
}

func (w *waiting) enter(id contracts.JobID) (<-chan *contracts.Report, func()) {
	end := make(chan *contracts.Report, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.jobs == nil {
		w.jobs = map[contracts.JobID]chan *contracts.Report{}
	}
	w.jobs[id] = end
	return end, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.jobs, id)
	}
}

// tell hands a report to who waits for it. Events may come twice.
func (w *waiting) tell(e contracts.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if end := w.jobs[e.Job]; end != nil && e.Report != nil {
		select {
		case end <- e.Report:
		default:
		}
	}
}

// listen follows the ends of all jobs, by consumers that need no more permissions than a submitter has. Their events
// also rest in the stream, where Wait looks for those that this connection missed.
func (c *Client) listen(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	end := func(m jetstream.Msg) {
		var e contracts.Event
		if contracts.Unmarshal(m.Data(), &e) == nil { // what is no event is the dispatcher's fault: its job's time runs out
			c.waiting.tell(e)
		}
	}
	for _, kind := range ends {
		if err := c.follow(ctx, kind, end); err != nil {
			return err
		}
	}
	return c.follow(ctx, contracts.EventChunkFailed, func(jetstream.Msg) { c.waiting.failed.Add(1) })
}

// FailedAttempts counts chunks that failed and are tried again, of whatever job, since the client connected.
func (c *Client) FailedAttempts() int64 { return c.waiting.failed.Load() }

// follow calls fn for new events of one kind.
func (c *Client) follow(ctx context.Context, kind contracts.EventKind, fn jetstream.MessageHandler) error {
	consumer, err := c.js.CreateConsumer(ctx, c.subjects.Stream(contracts.StreamStatus), jetstream.ConsumerConfig{
		FilterSubject: c.subjects.Status("*", kind), DeliverPolicy: jetstream.DeliverNewPolicy,
		AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, InactiveThreshold: forgotten,
	})
	if err == nil {
		_, err = consumer.Consume(fn)
	}
	if err != nil {
		return fmt.Errorf("follow events %s: %w", kind, err)
	}
	return nil
}

// Publish stores a job, and returns when the server has it.
func (c *Client) Publish(ctx context.Context, job contracts.Job) error {
	data, err := contracts.Marshal(job)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	if _, err = c.js.Publish(ctx, c.subjects.Job(job.Pipeline), data); err != nil {
		return fmt.Errorf("publish job %s: %w", job.ID, err)
	}
	return nil
}

// Load publishes a job and waits for its report.
func (c *Client) Load(ctx context.Context, job contracts.Job, limit time.Duration) (Loaded, error) {
	end, leave := c.waiting.enter(job.ID)
	defer leave()
	begin := time.Now()
	if err := c.Publish(ctx, job); err != nil {
		return Loaded{}, err
	}
	l := Loaded{Published: time.Since(begin)}
	report, err := c.wait(ctx, job.ID, end, limit)
	if err != nil {
		return l, err
	}
	done := time.Now()
	l.Report, l.Took = *report, done.Sub(begin)
	c.totals.add(report.Records.Written, begin, done)
	return l, nil
}

// Loaded is a job that has ended.
type Loaded struct {
	Report    contracts.Report
	Published time.Duration // until the server had the job
	Took      time.Duration // until its end was known
}

// wait waits for a job's end: by its event, by what is in the stream after the connection was lost, and before it gives
// up.
func (c *Client) wait(
	ctx context.Context, id contracts.JobID, end <-chan *contracts.Report, limit time.Duration,
) (*contracts.Report, error) {
	over := time.NewTimer(limit)
	defer over.Stop()
	look := time.NewTicker(time.Second)
	defer look.Stop()
	for lost := c.nc.Stats().Reconnects; ; {
		select {
		case r := <-end:
			return r, nil
		case <-look.C:
			now := c.nc.Stats().Reconnects
			if now == lost {
				continue
			}
			if r, err := c.find(ctx, id); r != nil || err == nil {
				lost = now
				if r != nil {
					return r, nil
				}
			}
		case <-over.C:
			if r, err := c.find(ctx, id); r != nil || err != nil {
				return r, err
			}
			return nil, fmt.Errorf("job %s has not ended after %s", id, limit)
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for job %s: %w", id, context.Cause(ctx))
		}
	}
}

// find looks in the stream for a job's end; nil where it has none yet.
func (c *Client) find(ctx context.Context, id contracts.JobID) (*contracts.Report, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	consumer, err := c.js.CreateConsumer(ctx, c.subjects.Stream(contracts.StreamStatus), jetstream.ConsumerConfig{
		FilterSubject: c.subjects.StatusOf(id), DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy,
		AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, InactiveThreshold: forgotten,
	})
	if err != nil {
		return nil, fmt.Errorf("look for the end of job %s: %w", id, err)
	}
	events, err := consumer.FetchNoWait(kinds)
	if err != nil {
		return nil, fmt.Errorf("look for the end of job %s: %w", id, err)
	}
	for m := range events.Messages() {
		var e contracts.Event
		if contracts.Unmarshal(m.Data(), &e) == nil && e.Kind.Terminal() && e.Report != nil {
			return e.Report, nil
		}
	}
	return nil, events.Error()
}
