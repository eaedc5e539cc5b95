package workers

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/penstock-io/penstock/chunk"
	"github.com/penstock-io/penstock/contracts"
)

// handle does what a message asks and settles it. What is done with the message follows from the error's kind alone:
//
//	nil                              stored, announced, acknowledged
//	unavailable                      tried again here, without end, while the message is kept alive
//	interrupted                      handed back at once
//	input, missing, denied, changed, the chunk is dead at once: the same would happen at every try
//	config, limit
//	internal                         counted as a failure; dead after Config.Attempts of them, else handed back
//
// A message whose lease has run out is neither handed back nor terminated, only acknowledged.
func (w *Workers) handle(ctx context.Context, m Message, l *loader) {
	held := w.hold(ctx, m)
	defer held.release()
	var work contracts.ChunkWork
	err := contracts.Unmarshal(m.Data(), &work)
	if err == nil {
		err = contracts.CheckReader("chunk message", work.Reader)
	}
	if err != nil {
		w.refuse(ctx, m, held, err)
		return
	}
	log := w.cfg.Log.With("job", work.Job, "chunk", work.Chunk, "work", work.Work, "attempt", m.Deliveries())
	log.Debug("chunk taken")
	again, counted := m.Deliveries() > 1, m.Deliveries() <= maxDeliveries
	for delay := 500 * time.Millisecond; ; delay = min(2*delay, 15*time.Second) {
		var err error
		if !counted {
			err = w.countDelivery(ctx, work, m.Deliveries())
			counted = err == nil
		}
		if err == nil {
			err = w.attempt(ctx, work, l, again, m.Deliveries())
		}
		again = true
		if contracts.KindOf(err) == contracts.KindUnavailable && ctx.Err() == nil {
			log.Warn("server away: trying again", "in", delay, "err", err)
			sleep(ctx, delay)
			continue
		}
		if err = w.settle(ctx, m, held, work, err); err != nil {
			log.Warn("chunk not settled: it will come again", "err", err)
		}
		return
	}
}

// attempt does the work once, and stores and announces what came of it. A panic is an internal error of this chunk.
func (w *Workers) attempt(
	ctx context.Context, work contracts.ChunkWork, l *loader, again bool, deliveries int,
) (err error) {
	defer caught(&err)
	if most := int64(float64(w.cfg.Memory) / guess); work.SegmentSize > most {
		return contracts.Errorf(contracts.KindConfig,
			"segments of %d bytes: this worker takes at most %d, as it has %d for them: plan with a smaller --chunk-size, "+
				"or give workers more PENSTOCK_MEMORY", work.SegmentSize, most, w.cfg.Memory)
	}
	if again {
		if over, err := w.isOver(ctx, work); err != nil || over {
			return err
		}
	}
	if work.Work != contracts.Load {
		return w.scan(ctx, work)
	}
	completion, err := l.load(ctx, work)
	if err != nil {
		return err
	}
	completion.Attempts = deliveries
	if err := w.conclude(ctx, completion, work); err != nil {
		return err
	}
	return l.dropCheckpoint(ctx)
}

// caught makes an error of a panic. It must be deferred itself.
func caught(err *error) {
	if p := recover(); p != nil {
		*err = contracts.Errorf(contracts.KindInternal, "panic: %v\n%s", p, debug.Stack())
	}
}

// maxDeliveries is a backstop: a chunk that kills its worker's process leaves no failure to count. Hand-backs count
// here too, so it is far above what they come to in a day's work, and no chunk is given up for them alone.
const maxDeliveries = 100

// countDelivery counts a delivery past the backstop as a failure beforehand: if this worker comes to no end either,
// that is what is left of it. After Config.Attempts of them the chunk is given up.
func (w *Workers) countDelivery(ctx context.Context, work contracts.ChunkWork, deliveries int) error {
	why := contracts.Errorf(contracts.KindLimit, "chunk %d was delivered %d times and nobody came to an end with it: "+
		"its workers died or were stopped; see their logs, and whether they have memory enough", work.Chunk, deliveries)
	n, err := w.Store.AddFailure(ctx, work.Job, work.Chunk, *contracts.Info(why))
	if err == nil && n > w.cfg.Attempts {
		return why
	}
	return err
}

// isOver spares work on a chunk that is tried again: the chunk has an outcome, or its job has ended. News is told
// again, since whoever stored the outcome may have died before he could.
func (w *Workers) isOver(ctx context.Context, work contracts.ChunkWork) (bool, error) {
	if work.Work == contracts.Load {
		c, done, err := w.Store.Completion(ctx, work.Job, work.Chunk)
		if err == nil {
			return true, w.announce(ctx, work, c, done)
		}
		if contracts.KindOf(err) != contracts.KindMissing {
			return false, err
		}
	}
	_, err := w.Store.Report(ctx, work.Job)
	if contracts.KindOf(err) == contracts.KindMissing {
		return false, nil
	}
	return err == nil, err
}

func (w *Workers) scan(ctx context.Context, work contracts.ChunkWork) error {
	if len(work.Parts) != 1 {
		return contracts.Errorf(contracts.KindInternal, "scan of %d parts: expected one", len(work.Parts))
	}
	c, err := w.Pipelines.Compiled(ctx, work.Pipeline, work.Revision)
	if err != nil {
		return err
	}
	result, err := chunk.Scan(ctx, w.Objects, work.Parts[0], c.Format())
	if err != nil {
		return err
	}
	return w.concludeScan(ctx, work, result)
}

// concludeScan stores a chunk's transition function and tells of it.
func (w *Workers) concludeScan(ctx context.Context, work contracts.ChunkWork, r contracts.ScanResult) error {
	r.Job, r.Chunk = work.Job, work.Chunk
	put := w.Store.PutScan
	if work.Work == contracts.Rescan {
		put = w.Store.PutRescan
	}
	r, err := put(ctx, r)
	if err != nil {
		return fmt.Errorf("store the scan of chunk %d: %w", work.Chunk, err)
	}
	return w.Queue.PublishEvent(ctx, w.event(work, contracts.Event{
		Kind: contracts.EventChunkScanned, Scan: r.Outcomes, Blocks: r.Blocks, Error: r.Error,
	}))
}

// conclude stores what became of a chunk and tells of it. If another worker was first, its word counts.
func (w *Workers) conclude(ctx context.Context, c contracts.Completion, work contracts.ChunkWork) (err error) {
	done, mine := c.Error == nil, c
	if done {
		c, err = w.Store.PutDone(ctx, c)
	} else {
		_, err = w.Store.PutDead(ctx, c)
	}
	if err == nil && !done { // another worker may have loaded it meanwhile: done beats dead
		c, done, err = w.Store.Completion(ctx, work.Job, work.Chunk)
	}
	if err != nil {
		return fmt.Errorf("store the completion of chunk %d: %w", work.Chunk, err)
	}
	if c.Worker == mine.Worker && c.Attempts == mine.Attempts { // of one chunk no worker has two deliveries of a number
		w.cfg.Meter.Concluded(work.Pipeline, c)
	}
	return w.announce(ctx, work, c, done)
}

func (w *Workers) announce(ctx context.Context, work contracts.ChunkWork, c contracts.Completion, done bool) error {
	kind := contracts.EventChunkDone
	if !done {
		kind = contracts.EventChunkDead
		if err := w.deadLetter(ctx, work, c); err != nil {
			return err
		}
	}
	return w.Queue.PublishEvent(ctx, w.event(work, contracts.Event{
		Kind: kind, Counts: &c.Counts, Rules: c.Rules, Bytes: c.Bytes, Error: c.Error,
	}))
}

func (w *Workers) deadLetter(ctx context.Context, work contracts.ChunkWork, c contracts.Completion) error {
	data, err := contracts.Marshal(work)
	if err != nil {
		return err
	}
	reason := "unknown"
	if c.Error != nil {
		reason = c.Error.Message
	}
	return w.Queue.PublishDead(ctx, w.cfg.Subjects.Dead(work.Job, work.Chunk), data, reason)
}

func (w *Workers) event(work contracts.ChunkWork, e contracts.Event) contracts.Event {
	e.V, e.Job, e.Pipeline, e.Time = contracts.Version, work.Job, work.Pipeline, w.cfg.Now().UTC()
	e.Chunk = &work.Chunk
	return e
}

// settle acknowledges, hands back, or buries a message.
func (w *Workers) settle(ctx context.Context, m Message, held *lease, work contracts.ChunkWork, err error) error {
	kind := contracts.KindOf(err)
	switch {
	case err == nil:
		return acknowledge(ctx, m, held)
	case kind.Transient() || ctx.Err() != nil:
		w.cfg.Meter.GivenBack(work.Pipeline, false)
		return handBack(m, held, 0)
	case kind == contracts.KindInternal:
		n, ferr := w.Store.AddFailure(ctx, work.Job, work.Chunk, *contracts.Info(err))
		if ferr != nil {
			return ferr
		}
		if n < w.cfg.Attempts {
			e := w.event(work, contracts.Event{Kind: contracts.EventChunkFailed, Error: contracts.Info(err)})
			if perr := w.Queue.PublishEvent(ctx, e); perr != nil {
				return perr
			}
			w.cfg.Meter.GivenBack(work.Pipeline, true)
			return handBack(m, held, time.Duration(n)*time.Second)
		}
		err = fmt.Errorf("failed %d times, last: %w", n, err)
	}
	if err := w.bury(ctx, work, m.Deliveries(), contracts.Info(err)); err != nil {
		return err
	}
	return acknowledge(ctx, m, held)
}

// bury stores and tells that a piece of work will never be done.
func (w *Workers) bury(
	ctx context.Context, work contracts.ChunkWork, deliveries int, info *contracts.ErrorInfo,
) error {
	if work.Work != contracts.Load {
		return w.concludeScan(ctx, work, contracts.ScanResult{Error: info})
	}
	c := contracts.Completion{Job: work.Job, Chunk: work.Chunk, Error: info, Worker: w.cfg.Name, Attempts: deliveries}
	return w.conclude(ctx, c, work)
}

// acknowledge takes a message out of the queue. A worker that leaves meanwhile may not have been heard, and hands it
// back: another then finds the outcome at once, not when the lease runs out.
func acknowledge(ctx context.Context, m Message, held *lease) error {
	err := m.Ack(ctx)
	if err != nil && ctx.Err() != nil {
		return handBack(m, held, 0)
	}
	return err
}

func handBack(m Message, held *lease, delay time.Duration) error {
	if !held.held() {
		return nil
	}
	return m.Nak(delay)
}

// refuse deals with a message that cannot be read: a newer version is left to newer workers, anything else is buried.
func (w *Workers) refuse(ctx context.Context, m Message, held *lease, err error) {
	w.cfg.Log.Error("message refused", "subject", m.Subject(), "err", err)
	if errors.Is(err, contracts.ErrNewer) {
		err = handBack(m, held, 5*time.Second)
	} else if err = w.Queue.PublishDead(ctx, w.cfg.Subjects.Dead("unreadable", 0), m.Data(), err.Error()); err == nil &&
		held.held() {
		err = m.Term("unreadable")
	}
	if err != nil {
		w.cfg.Log.Warn("message not settled: it will come again", "subject", m.Subject(), "err", err)
	}
}
