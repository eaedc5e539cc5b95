// Package queue carries Penstock's messages over NATS JetStream and is the only importer of nats.go. It owns the
// connection, the streams and durable consumers, publishing, pulling, and following events.
//
// Delivery is at least once: a message that is neither acknowledged nor kept alive with Progress comes again after
// AckWait, to whoever pulls next. The holder of a message settles it once, with Ack, Nak or Term, and only while its
// lease runs: a late nak or term would hit the newer delivery.
//
// What must never happen: a credential in an error or a log; a message that waits in a client's buffer while its worker
// is busy; a publish that returns nil before the server has stored the message.
package queue

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/penstock-io/penstock/contracts"
)

const (
	connectTimeout = 5 * time.Second
	reconnectWait  = 500 * time.Millisecond
	requestTimeout = 10 * time.Second // for one answer of the server
	listTimeout    = time.Minute      // for all pages of a listing
	flushTimeout   = 2 * time.Second  // for the last naks before the connection closes
	missingAfter   = 30 * time.Second // a dispatcher has this long to make a lost consumer again
	mendAfter      = 2 * time.Second  // and does so when its own has been gone for this long
)

// Queue is a connection to NATS. It reconnects by itself for as long as it is open. All methods are safe for concurrent
// use.
type Queue struct {
	cfg      Config
	subjects contracts.Subjects
	addr     string // as errors show it
	log      *slog.Logger
	nc       *nats.Conn
	js       jetstream.JetStream

	mu   sync.Mutex
	link link             // ends at the next reconnect
	ops  map[*op]struct{} // waiting for the server; its denials end them
}

// link is one span of connectedness. It is a context because that is how whatever waits on the server is ended.
type link struct {
	ctx context.Context
	end context.CancelFunc
}

func newLink() link {
	ctx, end := context.WithCancel(context.Background())
	return link{ctx, end}
}

// Connect opens a connection. Errors are of kind unavailable (no server answers), denied (the credentials are wrong) or
// config. It needs no stream: see Setup and WaitReady.
func Connect(ctx context.Context, cfg Config) (*Queue, error) {
	cfg = cfg.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	addr, err := cfg.address()
	if err != nil {
		return nil, err
	}
	q := &Queue{cfg: cfg, subjects: contracts.Subjects{Prefix: cfg.Prefix}, addr: addr, log: cfg.Log,
		link: newLink(), ops: map[*op]struct{}{}}
	if err := q.connect(ctx); err != nil {
		return nil, err
	}
	return q, nil
}

func (q *Queue) connect(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return contracts.Errorf(contracts.KindInterrupted, "connect to NATS at %s: %w", q.addr, err)
	}
	opts, err := q.options(ctx)
	if err != nil {
		return err
	}
	if q.nc, err = nats.Connect(q.cfg.URL, opts...); err != nil {
		return q.connectFault(err)
	}
	if q.js, err = jetstream.New(q.nc); err != nil {
		q.nc.Close()
		return contracts.Errorf(contracts.KindInternal, "open JetStream: %w", err)
	}
	return nil
}

func (q *Queue) options(ctx context.Context) ([]nats.Option, error) {
	timeout := connectTimeout
	if deadline, ok := ctx.Deadline(); ok {
		timeout = min(timeout, time.Until(deadline))
	}
	held := -1
	if q.cfg.Held > 0 {
		held = q.cfg.Held
	}
	opts := []nats.Option{
		nats.Name(q.cfg.Name),
		nats.CustomInboxPrefix(q.cfg.Inbox),
		nats.SyncQueueLen(pullBuffered),
		nats.Timeout(timeout),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(reconnectWait),
		nats.IgnoreAuthErrorAbort(), // rotated credentials are no reason to give up for ever
		nats.ReconnectBufSize(held), // a nak that is sent after a reconnect may hit a newer delivery
		nats.ErrorHandler(q.onError),
		nats.DisconnectErrHandler(q.onDisconnect),
		nats.ReconnectHandler(q.onReconnect),
	}
	identity, err := q.cfg.identity()
	return append(opts, identity...), err
}

// Close sends what is buffered and closes the connection. Whatever waits on the queue ends with an error of kind
// interrupted. Messages that are still held come again, to others, after AckWait.
func (q *Queue) Close() {
	if q.nc.IsConnected() {
		if err := q.nc.FlushTimeout(flushTimeout); err != nil {
			q.log.Warn("NATS did not take the last messages", "error", err)
		}
	}
	q.nc.Close()
	q.endOps(func(*op) bool { return true }, errClosed)
}

func (q *Queue) onReconnect(*nats.Conn) {
	q.log.Info("NATS is back", "server", q.addr)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.link.end()
	q.link = newLink()
}

func (q *Queue) onDisconnect(_ *nats.Conn, err error) {
	if err != nil {
		q.log.Warn("NATS is gone, reconnecting", "server", q.addr, "error", err)
	}
}

// untilReconnect derives a context that ends with ctx and at the next reconnect, when the server has forgotten what was
// asked of it. Its cause says which.
func (q *Queue) untilReconnect(ctx context.Context) (context.Context, context.CancelFunc) {
	q.mu.Lock()
	l := q.link
	q.mu.Unlock()
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(l.ctx, func() { cancel(errReconnected) })
	return ctx, func() { stop(); cancel(nil) }
}
