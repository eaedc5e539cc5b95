package queuetest

import (
	"context"
	"sync"

	"github.com/penstock-io/penstock/contracts"
)

func shared(x *fixture) {
	const n = 40
	q, other := x.queue(), x.open()
	for i := range n {
		x.publish(q, "job-1", i)
	}
	ctx, stop := context.WithCancel(x.ctx)
	defer stop()
	var mu sync.Mutex
	seen := map[string]int{}
	drain := func(p Puller) error {
		for {
			m, err := p.Next(ctx)
			if err != nil {
				return err
			}
			if err := m.Ack(x.ctx); err != nil {
				return err
			}
			mu.Lock()
			if seen[m.Subject()]++; len(seen) == n {
				stop()
			}
			mu.Unlock()
		}
	}
	var wg sync.WaitGroup
	errs := make([]error, 4)
	pullers := []Puller{x.puller(q.Chunks), x.puller(other.Chunks)}
	for i := range errs {
		wg.Go(func() { errs[i] = drain(pullers[i%2]) })
	}
	wg.Wait()
	for _, err := range errs {
		x.kind(contracts.KindInterrupted, err)
	}
	for subject, times := range seen {
		if times != 1 {
			x.Errorf("%s came %d times", subject, times)
		}
	}
	x.queued(q, "job-1")
}

// nothingBuffered lets one puller be busy with a message: all others must reach the idle one before any lease ends.
func nothingBuffered(x *fixture) {
	q, other := x.queue(), x.open()
	busy, idle := x.puller(q.Chunks), x.puller(other.Chunks)
	for i := range 10 {
		x.publish(q, "job-1", i)
	}
	x.next(busy)
	for range 9 {
		if m := x.next(idle); m.Deliveries() != 1 {
			x.Fatalf("found delivery %d of %s", m.Deliveries(), m.Subject())
		}
	}
}

func cancelledNext(x *fixture) {
	q := x.queue()
	p := x.puller(q.Chunks)
	for i := range 20 {
		ctx, cancel := context.WithCancel(x.ctx)
		done := make(chan error)
		go func() {
			_, err := p.Next(ctx)
			done <- err
		}()
		cancel()
		x.kind(contracts.KindInterrupted, <-done)
		x.publish(q, "job-1", i)
		m := x.next(p)
		if m.Deliveries() != 1 || x.chunkOf(m) != i {
			x.Fatalf("found chunk %d, delivery %d: expected chunk %d, delivery 1", x.chunkOf(m), m.Deliveries(), i)
		}
	}
}

func nextEnds(x *fixture) {
	q := x.queue()
	p := x.puller(q.Chunks)
	x.publish(q, "job-1", 0)
	ended, cancel := context.WithCancel(x.ctx)
	cancel()
	_, err := p.Next(ended)
	x.kind(contracts.KindInterrupted, err)
	if m := x.next(p); m.Deliveries() != 1 {
		x.Fatalf("found delivery %d: the ended call took the message", m.Deliveries())
	}
}

func stopEnds(x *fixture) {
	q := x.queue()
	jobs, chunks := x.puller(q.Jobs), x.puller(q.Chunks)
	x.publish(q, "job-1", 0)
	held := x.next(chunks)
	errs := make(chan error)
	wait := func(p Puller) {
		_, err := p.Next(x.ctx)
		errs <- err
	}
	go wait(chunks)
	chunks.Stop()
	x.kind(contracts.KindInterrupted, <-errs)
	_, err := chunks.Next(x.ctx)
	x.kind(contracts.KindInterrupted, err)
	x.ack(held)
	go wait(jobs)
	q.Close()
	x.kind(contracts.KindInterrupted, <-errs)
	x.kind(contracts.KindInterrupted, q.PublishChunk(x.ctx, chunk("job-1", 1)))
}
