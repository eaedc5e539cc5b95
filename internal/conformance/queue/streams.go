package queuetest

import (
	"context"
	"strings"
	"sync"

	"github.com/penstock-io/penstock/contracts"
)

func eventsFromFirst(x *fixture) {
	q := x.queue()
	const n = 600 // more than a follower buffers
	var want []string
	for i := range n {
		e := event("job-1", contracts.EventChunkDone, i)
		x.ok(q.PublishEvent(x.ctx, e))
		want = append(want, marshal(x, e))
	}
	wait := x.follow(q, "", true)
	for i, e := range wait(n) {
		if got := marshal(x, e); got != want[i] {
			x.Fatalf("event %d: found %s, expected %s", i, got, want[i])
		}
	}
	x.ok(q.PublishEvent(x.ctx, event("job-2", contracts.EventDone, 0)))
	if e := wait(1)[0]; e.Job != "job-2" {
		x.Fatalf("found %+v", e)
	}
}

func eventsNew(x *fixture) {
	q := x.queue()
	x.ok(q.PublishEvent(x.ctx, event("job-1", contracts.EventChunkDone, 0)))
	wait := x.follow(q, "job-1", false)
	x.ok(q.PublishEvent(x.ctx, event("job-1", contracts.EventChunkDone, 1)))
	if e := wait(1)[0]; *e.Chunk != 1 {
		x.Fatalf("found the event of chunk %d, expected chunk 1's", *e.Chunk)
	}
}

func eventsOfJob(x *fixture) {
	q := x.queue()
	wait := x.follow(q, "job-1", true)
	for i, job := range []contracts.JobID{"job-2", "job-1", "job-10", "job-1"} {
		x.ok(q.PublishEvent(x.ctx, event(job, contracts.EventChunkDone, i)))
	}
	if got := wait(2); *got[0].Chunk != 1 || *got[1].Chunk != 3 {
		x.Fatalf("found chunks %d and %d, expected 1 and 3", *got[0].Chunk, *got[1].Chunk)
	}
}

func prefixes(x *fixture) {
	q := x.queue()
	x.options.Prefix = x.f.Prefix(x.T)
	other := x.queue()
	wait := x.follow(other, "", true)
	x.publish(q, "job-1", 0)
	x.ok(q.PublishJob(x.ctx, "readings", []byte(`{}`)))
	x.ok(q.PublishEvent(x.ctx, event("job-1", contracts.EventDone, 0)))
	x.queued(other, "job-1")
	x.publish(other, "job-1", 1)
	x.ok(other.PublishEvent(x.ctx, event("job-1", contracts.EventDone, 1)))
	if m := x.next(x.puller(other.Chunks)); x.chunkOf(m) != 1 {
		x.Fatalf("found chunk %d, expected 1", x.chunkOf(m))
	}
	if e := wait(1)[0]; *e.Chunk != 1 {
		x.Fatalf("found the other prefix's event: %+v", e)
	}
}

func concurrentSetup(x *fixture) {
	const n = 4
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		q := x.open()
		wg.Go(func() { errs[i] = q.Setup(x.ctx) })
	}
	wg.Wait()
	for _, err := range errs {
		x.ok(err)
	}
	q := x.queue()
	x.publish(q, "job-1", 0)
	x.queue() // changes nothing that is there
	x.queued(q, "job-1", 0)
	x.puller(q.Notifications)
}

func waitReady(x *fixture) {
	worker := x.open()
	ctx, cancel := context.WithCancel(x.ctx)
	cancel()
	err := worker.WaitReady(ctx)
	x.kind(contracts.KindInterrupted, err)
	if !strings.Contains(err.Error(), "start a dispatcher") {
		x.Fatal(err)
	}
	ready := make(chan error)
	go func() { ready <- worker.WaitReady(x.ctx) }()
	x.queue()
	x.ok(<-ready)
	x.puller(worker.Chunks)
}

func beforeSetup(x *fixture) {
	q := x.open()
	_, err := q.Chunks(x.ctx)
	x.kind(contracts.KindMissing, err)
	_, err = q.Events(x.ctx, "", true, func(contracts.Event) {})
	x.kind(contracts.KindMissing, err)
	_, err = q.Queued(x.ctx, "job-1")
	x.kind(contracts.KindMissing, err)
	err = q.PublishChunk(x.ctx, chunk("job-1", 0))
	x.kind(contracts.KindUnavailable, err)
	if !strings.Contains(err.Error(), "start a dispatcher") {
		x.Fatal(err)
	}
}

func restart(x *fixture) {
	connect, restart := x.f.Restartable(x.T)
	x.f.Connect = connect
	q := x.queue()
	p := x.puller(q.Chunks)
	wait := x.follow(q, "", true)
	x.publish(q, "job-1", 0)
	x.ok(q.PublishEvent(x.ctx, event("job-1", contracts.EventAccepted, 0)))
	wait(1)
	held := x.next(p)
	came := make(chan Message, 1)
	go func() {
		defer close(came)
		m, err := p.Next(x.ctx)
		if err != nil {
			x.Error(err)
			return
		}
		came <- m
	}()
	restart()
	x.retry(func() error { return q.PublishChunk(x.ctx, chunk("job-1", 1)) })
	m := <-came
	if m == nil {
		x.FailNow()
	}
	for x.chunkOf(m) != 1 { // a killed server may have forgotten that the first one is held
		m = x.next(p)
	}
	x.queued(q, "job-1", 0, 1)
	x.retry(func() error { return held.Ack(x.ctx) })
	x.queued(q, "job-1", 1)
	x.retry(func() error { return q.PublishEvent(x.ctx, event("job-1", contracts.EventDone, 0)) })
	for wait(1)[0].Kind != contracts.EventDone { // the first may come again
	}
}

// retry calls until the server is back.
func (x *fixture) retry(call func() error) {
	x.Helper()
	err := call()
	for contracts.KindOf(err) == contracts.KindUnavailable && x.ctx.Err() == nil {
		err = call()
	}
	x.ok(err)
}
