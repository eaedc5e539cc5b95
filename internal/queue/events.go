package queue

import (
	"context"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/penstock-io/penstock/contracts"
)

const (
	eventsBuffered  = 256 // events that may wait in this process
	eventsHeartbeat = 5 * time.Second
	eventsForgotten = time.Minute // after it the server drops an unused consumer
)

// Events calls fn for each event of a job, or of all jobs where job is "": all that the stream holds and then the new
// ones, or the new ones only; those published after Events has returned are always seen. Calls come one at a time, in
// the stream's order; after a reconnect or the loss of the stream, events may come again. What is no event is logged
// and passed over. It runs until ctx ends, the queue is closed or stop is called; stop waits for fn, so fn must not
// call it.
func (q *Queue) Events(ctx context.Context, job contracts.JobID, all bool, fn func(contracts.Event)) (
	stop func(), err error,
) {
	f := &follower{q: q, filter: q.subjects.StatusOf(job), all: all, fn: fn}
	ctx, cancel := context.WithCancel(ctx)
	session, err := f.open(ctx)
	if err != nil {
		cancel()
		return nil, err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.run(ctx, session)
	}()
	return func() { cancel(); <-done }, nil
}

// follower is an ordered consumer: ephemeral consumers without acknowledgement, one after another, each from where the
// last one was found incomplete. The client library's own does not notice that the stream was lost and made again,
// with sequences from 1, and would wait for the old numbers to come round.
type follower struct {
	q      *Queue
	filter string
	all    bool
	fn     func(contracts.Event)

	created time.Time // of the stream; zero before the first session
	next    uint64    // stream sequence to go on with
}

func (f *follower) run(ctx context.Context, session jetstream.MessagesContext) {
	for attempt := 0; ctx.Err() == nil && !f.q.nc.IsClosed(); {
		if session != nil {
			attempt = 0
			f.follow(ctx, session)
		}
		var err error
		if session, err = f.open(ctx); err != nil && ctx.Err() == nil {
			f.q.log.Debug("events cannot be followed for now", "filter", f.filter, "error", err)
			pause(ctx, attempt)
			attempt++
		}
	}
	if session != nil {
		session.Stop()
	}
}

// open starts a session at the first event that has not been seen.
func (f *follower) open(ctx context.Context) (session jetstream.MessagesContext, err error) {
	name := f.q.subjects.Stream(contracts.StreamStatus)
	err = f.q.do(ctx, "follow events of "+f.filter, "."+name, requestTimeout, func(ctx context.Context) error {
		stream, err := f.q.js.Stream(ctx, name)
		if err != nil {
			return err
		}
		f.locate(stream.CachedInfo())
		consumer, err := stream.CreateConsumer(ctx, jetstream.ConsumerConfig{
			FilterSubject: f.filter, AckPolicy: jetstream.AckNonePolicy,
			DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: f.next,
			InactiveThreshold: eventsForgotten, MemoryStorage: true, Replicas: 1,
		})
		if err != nil {
			return err
		}
		session, err = consumer.Messages(jetstream.PullMaxMessages(eventsBuffered),
			jetstream.PullHeartbeat(eventsHeartbeat), jetstream.WithMessagesErrOnMissingHeartbeat(true))
		return err
	})
	return session, err
}

// locate decides where to go on, and starts over where the stream is not the one that was followed.
func (f *follower) locate(info *jetstream.StreamInfo) {
	switch {
	case f.created.IsZero() && !f.all:
		f.next = info.State.LastSeq + 1
	case f.created.IsZero(), !f.created.Equal(info.Created), f.next > info.State.LastSeq+1:
		f.next = 1
	}
	f.created = info.Created
}

// follow hands events on until the session breaks, misses one, or NATS comes back.
func (f *follower) follow(ctx context.Context, session jetstream.MessagesContext) {
	defer session.Stop()
	ctx, done := f.q.untilReconnect(ctx)
	defer done()
	for want := uint64(1); ; want++ {
		msg, err := session.Next(jetstream.NextContext(ctx))
		if err != nil {
			return
		}
		meta, err := msg.Metadata()
		if err != nil || meta.Sequence.Consumer != want {
			return
		}
		f.hand(msg, meta.Sequence.Stream)
		f.next = meta.Sequence.Stream + 1
	}
}

func (f *follower) hand(msg jetstream.Msg, sequence uint64) {
	var e contracts.Event
	if err := contracts.Unmarshal(msg.Data(), &e); err != nil {
		f.q.log.Warn("message on the status stream is no event", "subject", msg.Subject(), "sequence", sequence, "error", err)
		return
	}
	f.fn(e)
}
