package queue

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/penstock-io/penstock/contracts"
)

// Puller pulls messages of one durable consumer, one at a time: none waits in this process. It is safe for concurrent
// use, each call pulling for itself.
type Puller struct {
	q        *Queue
	stream   string
	consumer jetstream.Consumer
	stopped  context.Context // a latch
	stop     context.CancelFunc
}

// Jobs pulls job messages.
func (q *Queue) Jobs(ctx context.Context) (*Puller, error) {
	return q.puller(ctx, contracts.StreamJobs, dispatchers)
}

// Chunks pulls chunk messages.
func (q *Queue) Chunks(ctx context.Context) (*Puller, error) {
	return q.puller(ctx, contracts.StreamChunks, contracts.Consumer)
}

// Notifications pulls bucket notifications.
func (q *Queue) Notifications(ctx context.Context) (*Puller, error) {
	return q.puller(ctx, contracts.StreamNotifications, dispatchers)
}

// puller fails with kind missing before anyone has called Setup.
func (q *Queue) puller(ctx context.Context, stream, name string) (*Puller, error) {
	c, err := q.consumer(ctx, stream, name)
	if err != nil {
		return nil, err
	}
	p := &Puller{q: q, stream: q.subjects.Stream(stream), consumer: c}
	p.stopped, p.stop = context.WithCancel(context.Background())
	return p, nil
}

// Stop ends the calls of Next that wait, and all later ones, with kind interrupted. Messages that were handed out stay
// valid.
func (p *Puller) Stop() { p.stop() }

// Next waits for a message, through reconnects and restarts of the server. Errors are of kind interrupted (ctx ended,
// Stop or Close was called), denied, or missing: the consumer has been gone for half a minute, so call Setup.
func (p *Puller) Next(ctx context.Context) (*Message, error) {
	what := "pull from stream " + p.stream
	ctx, leave := p.q.enter(ctx, "CONSUMER.MSG.NEXT."+p.stream+".")
	defer leave()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(p.stopped, cancel)()
	var gone time.Time // since when the consumer is
	for attempt := 0; ctx.Err() == nil; attempt++ {
		msg, err := p.pull(ctx)
		switch {
		case msg != nil:
			return p.q.message(msg)
		case err == nil: // nothing came in one pull's time
			attempt, gone = -1, time.Time{}
			continue
		case !isGone(err):
			gone = time.Time{}
		case gone.IsZero():
			gone = time.Now()
		case time.Since(gone) > p.q.missing:
			return nil, contracts.Errorf(contracts.KindMissing, "%s: its consumer is gone: "+
				"start a dispatcher, which makes the streams and their consumers: %w", what, err)
		}
		pause(ctx, attempt)
	}
	return nil, p.q.fault(ctx, what, ctx.Err())
}

func isGone(err error) bool {
	return errors.Is(err, nats.ErrNoResponders) || errors.Is(err, jetstream.ErrConsumerDeleted)
}

// pull asks for one message once. Neither a message nor an error means that none came, or that NATS came back and must
// be asked again.
func (p *Puller) pull(ctx context.Context) (jetstream.Msg, error) {
	pulling, done := p.q.untilReconnect(ctx)
	defer done()
	if !p.q.nc.IsConnected() {
		<-pulling.Done()
		return nil, nil
	}
	// A fetch without deadline asks for 30 s with heartbeats; its context is our own so that we can look, once it has
	// ended, whether a message came while it did.
	fetching, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	batch, err := p.consumer.Fetch(1, jetstream.FetchContext(fetching))
	if err != nil {
		return nil, err
	}
	defer context.AfterFunc(pulling, end)()
	msg := last(batch.Messages())
	switch {
	case msg == nil && fetching.Err() != nil:
		return nil, nil
	case msg == nil:
		return nil, batch.Error()
	case ctx.Err() != nil: // nobody is left to take it: on to the next worker, at once
		return nil, msg.Nak()
	}
	return msg, nil
}

// last reads messages until the fetch has ended: there is one at most.
func last(msgs <-chan jetstream.Msg) (msg jetstream.Msg) {
	for m := range msgs {
		msg = m
	}
	return msg
}

// Message is one delivery of a message. Its holder settles it once, with Ack, Nak or Term, within AckWait of the
// delivery or of the last Progress.
type Message struct {
	q    *Queue
	msg  jetstream.Msg
	meta *jetstream.MsgMetadata
}

func (q *Queue) message(msg jetstream.Msg) (*Message, error) {
	meta, err := msg.Metadata()
	if err != nil {
		return nil, contracts.Errorf(contracts.KindInternal, "read the metadata of a message on %s: %w", msg.Subject(), err)
	}
	return &Message{q, msg, meta}, nil
}

// Data is the message's body.
func (m *Message) Data() []byte { return m.msg.Data() }

// Subject is where it was published.
func (m *Message) Subject() string { return m.msg.Subject() }

// Deliveries counts this delivery and those before it: 1 for the first.
func (m *Message) Deliveries() int { return int(m.meta.NumDelivered) }

// Time is when the stream stored the message.
func (m *Message) Time() time.Time { return m.meta.Timestamp }

// Sequence is the message's number in its stream. A stream that was lost and made again starts over.
func (m *Message) Sequence() uint64 { return m.meta.Sequence.Stream }

// Progress starts the lease anew. No answer is awaited.
func (m *Message) Progress() error { return m.settle("keep", m.msg.InProgress()) }

// Ack removes the message and waits for the server to say so. After an error other than a second settlement's, it may
// or may not have been removed: call again.
func (m *Message) Ack(ctx context.Context) error {
	what := "acknowledge " + m.Subject()
	return m.q.do(ctx, what, m.msg.Reply(), requestTimeout, func(ctx context.Context) error {
		err := m.msg.DoubleAck(ctx)
		if errors.Is(err, nats.ErrNoResponders) {
			return contracts.Errorf(contracts.KindUnavailable, "%s: its consumer is gone: %w", what, err)
		}
		return m.misused(what, err)
	})
}

// Nak hands the message back, to be delivered again after the delay. No answer is awaited.
func (m *Message) Nak(delay time.Duration) error {
	return m.settle("hand back", m.msg.NakWithDelay(delay))
}

// Term removes the message for good; the reason goes to the server's advisory. No answer is awaited.
func (m *Message) Term(reason string) error {
	return m.settle("terminate", m.msg.TermWithReason(oneLine(reason)))
}

func (m *Message) settle(verb string, err error) error {
	what := verb + " " + m.Subject()
	return m.q.fault(context.Background(), what, m.misused(what, err))
}

func (m *Message) misused(what string, err error) error {
	if errors.Is(err, jetstream.ErrMsgAlreadyAckd) {
		return contracts.Errorf(contracts.KindInternal, "%s: it was settled before: %w", what, err)
	}
	return err
}
