package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/penstock-io/penstock/contracts"
)

// Puller pulls messages of one durable consumer, one at a time: none waits in this process. It is safe for concurrent
// use, each call pulling for itself.
type Puller struct {
	q       *Queue
	stream  string
	name    string          // of the consumer
	missing time.Duration   // how long it may be gone
	stopped context.Context // a latch
	stop    context.CancelFunc
}

// Jobs pulls job messages.
func (q *Queue) Jobs(ctx context.Context) (*Puller, error) {
	return q.puller(ctx, contracts.StreamJobs, dispatchers, mendAfter)
}

// Chunks pulls chunk messages.
func (q *Queue) Chunks(ctx context.Context) (*Puller, error) {
	return q.puller(ctx, contracts.StreamChunks, contracts.Consumer, missingAfter)
}

// Notifications pulls bucket notifications.
func (q *Queue) Notifications(ctx context.Context) (*Puller, error) {
	return q.puller(ctx, contracts.StreamNotifications, dispatchers, mendAfter)
}

// puller fails with kind missing before anyone has called Setup.
func (q *Queue) puller(ctx context.Context, stream, name string, missing time.Duration) (*Puller, error) {
	if _, err := q.consumer(ctx, stream, name); err != nil {
		return nil, err
	}
	p := &Puller{q: q, stream: q.subjects.Stream(stream), name: name, missing: missing}
	p.stopped, p.stop = context.WithCancel(context.Background())
	return p, nil
}

// Stop ends the calls of Next that wait, and all later ones, with kind interrupted. Messages that were handed out stay
// valid.
func (p *Puller) Stop() { p.stop() }

// Next waits for a message, through reconnects and restarts of the server. Errors are of kind interrupted (ctx ended,
// Stop or Close was called), denied, or missing: the consumer has been gone for half a minute, or for two seconds where
// it is one of dispatchers, who call Setup then.
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
		case time.Since(gone) > p.missing:
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
// be asked again. The client library's own fetch drops a message that arrives while it is cancelled, and nobody has
// that one until its lease runs out; here the subscription is drained first.
func (p *Puller) pull(ctx context.Context) (*nats.Msg, error) {
	pulling, done := p.q.untilReconnect(ctx)
	defer done()
	if !p.q.nc.IsConnected() {
		<-pulling.Done()
		return nil, nil
	}
	inbox, err := p.q.nc.SubscribeSync(p.q.nc.NewInbox())
	if err != nil {
		return nil, err
	}
	msg, err := p.ask(pulling, inbox)
	if msg == nil {
		msg = leftover(inbox)
	} else if uerr := inbox.Unsubscribe(); uerr != nil {
		p.q.log.Debug("inbox of a pull not closed", "error", uerr)
	}
	switch {
	case msg != nil && ctx.Err() != nil: // nobody is left to take it: on to the next worker, at once
		return nil, msg.Nak()
	case msg != nil:
		return msg, nil
	case pulling.Err() != nil:
		return nil, nil
	}
	return nil, err
}

// A pull waits for pullExpires at the server, which shows every pullHeartbeat that it still does. So a few answers come
// to one inbox: the client library would make room for 65,536 each time, half a megabyte to clear and to scan.
const (
	pullExpires   = 30 * time.Second
	pullHeartbeat = 5 * time.Second
	pullBuffered  = 64
)

// ask sends one pull request and waits for what comes of it. Neither a message nor an error means that none came.
func (p *Puller) ask(ctx context.Context, inbox *nats.Subscription) (*nats.Msg, error) {
	subject := "$JS.API.CONSUMER.MSG.NEXT." + p.stream + "." + p.name
	request := fmt.Appendf(nil, `{"batch":1,"expires":%d,"idle_heartbeat":%d}`, pullExpires, pullHeartbeat)
	if err := p.q.nc.PublishRequest(subject, inbox.Subject, request); err != nil {
		return nil, err
	}
	for {
		wait, cancel := context.WithTimeout(ctx, 2*pullHeartbeat)
		msg, err := inbox.NextMsgWithContext(wait)
		cancel()
		if err != nil {
			return nil, err
		}
		switch status := statusOf(msg); status {
		case "":
			return msg, nil
		case "100": // a heartbeat
		case "404", "408": // none came
			return nil, nil
		default:
			return nil, refusedPull(msg.Header.Get("Description"))
		}
	}
}

// statusOf is the code by which the server says something about a pull; "" for a message of the stream.
func statusOf(m *nats.Msg) string {
	if len(m.Data) > 0 {
		return ""
	}
	return m.Header.Get("Status")
}

func refusedPull(reason string) error {
	if strings.EqualFold(reason, "Consumer Deleted") {
		return jetstream.ErrConsumerDeleted
	}
	return errors.New("pull refused: " + reason)
}

// leftover ends a subscription and gives the message that was on its way to it.
func leftover(inbox *nats.Subscription) *nats.Msg {
	if inbox.Drain() != nil {
		return nil // closed with its connection
	}
	for {
		msg, err := inbox.NextMsg(flushTimeout)
		if err != nil {
			return nil
		}
		if statusOf(msg) == "" {
			return msg
		}
	}
}

// Message is one delivery of a message. Its holder settles it once, with Ack, Nak or Term, within AckWait of the
// delivery or of the last Progress.
type Message struct {
	q       *Queue
	msg     *nats.Msg
	meta    *nats.MsgMetadata
	settled atomic.Bool
}

func (q *Queue) message(msg *nats.Msg) (*Message, error) {
	meta, err := msg.Metadata()
	if err != nil {
		return nil, contracts.Errorf(contracts.KindInternal, "read the metadata of a message on %s: %w", msg.Subject, err)
	}
	return &Message{q: q, msg: msg, meta: meta}, nil
}

// Data is the message's body.
func (m *Message) Data() []byte { return m.msg.Data }

// Subject is where it was published.
func (m *Message) Subject() string { return m.msg.Subject }

// Deliveries counts this delivery and those before it: 1 for the first.
func (m *Message) Deliveries() int { return int(m.meta.NumDelivered) }

// Time is when the stream stored the message.
func (m *Message) Time() time.Time { return m.meta.Timestamp }

// Sequence is the message's number in its stream. A stream that was lost and made again starts over.
func (m *Message) Sequence() uint64 { return m.meta.Sequence.Stream }

// Progress starts the lease anew. No answer is awaited.
func (m *Message) Progress() error {
	return m.tell("keep", func() error { return m.msg.InProgress() })
}

// Ack removes the message and waits for the server to say so. After an error other than a second settlement's, it may
// or may not have been removed: call again.
func (m *Message) Ack(ctx context.Context) error {
	what := "acknowledge " + m.Subject()
	return m.settle("acknowledge", func() error {
		return m.q.do(ctx, what, m.msg.Reply, requestTimeout, func(ctx context.Context) error {
			err := m.msg.AckSync(nats.Context(ctx))
			if errors.Is(err, nats.ErrNoResponders) {
				return contracts.Errorf(contracts.KindUnavailable, "%s: its consumer is gone: %w", what, err)
			}
			return err
		})
	})
}

// Nak hands the message back, to be delivered again after the delay. No answer is awaited.
func (m *Message) Nak(delay time.Duration) error {
	return m.settle("hand back", func() error { return m.msg.NakWithDelay(delay) })
}

// Term removes the message for good; the reason goes to the server's advisory. No answer is awaited.
func (m *Message) Term(reason string) error {
	return m.settle("terminate", func() error { return m.msg.Respond([]byte("+TERM " + oneLine(reason))) })
}

// settle tells the server what became of the message, once.
func (m *Message) settle(verb string, send func() error) error {
	err := m.tell(verb, send)
	if err == nil {
		m.settled.Store(true)
	}
	return err
}

func (m *Message) tell(verb string, send func() error) error {
	what := verb + " " + m.Subject()
	if m.settled.Load() {
		return contracts.Errorf(contracts.KindInternal, "%s: it was settled before", what)
	}
	return m.q.fault(context.Background(), what, send())
}
