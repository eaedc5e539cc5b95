package queue

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// op is a call that waits for the server. NATS answers what it denies on the side, not to the request, which would
// just time out: so each op says which subject it publishes to, and a denial that names it ends it.
type op struct {
	names  string // part of the subjects that it publishes to
	cancel context.CancelCauseFunc
}

// enter registers an op and derives its context, whose cause says why it ended. leave must be called.
func (q *Queue) enter(ctx context.Context, names string) (opCtx context.Context, leave func()) {
	opCtx, cancel := context.WithCancelCause(ctx)
	o := &op{names, cancel}
	q.mu.Lock()
	q.ops[o] = struct{}{}
	q.mu.Unlock()
	if q.nc.IsClosed() {
		cancel(errClosed)
	}
	return opCtx, func() {
		q.mu.Lock()
		delete(q.ops, o)
		q.mu.Unlock()
		cancel(nil)
	}
}

// do runs one bounded call as an op; what describes it in its error. It ends at the next reconnect, since no answer
// will come any more.
func (q *Queue) do(
	ctx context.Context, what, names string, limit time.Duration, call func(context.Context) error,
) error {
	ctx, leave := q.enter(ctx, names)
	defer leave()
	ctx, done := q.untilReconnect(ctx)
	defer done()
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no answer within %s: %w", limit, nats.ErrTimeout))
	defer cancel()
	return q.fault(ctx, what, call(ctx))
}

func (q *Queue) endOps(which func(*op) bool, cause error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for o := range q.ops {
		if which(o) {
			o.cancel(cause)
		}
	}
}

func (q *Queue) onError(_ *nats.Conn, _ *nats.Subscription, err error) {
	q.log.Warn("NATS reports an error", "server", q.addr, "error", err)
	if !errors.Is(err, nats.ErrPermissionViolation) {
		return
	}
	text := err.Error()
	inbox := strings.Contains(text, "Subscription") // without its inbox no op gets an answer
	q.endOps(func(o *op) bool { return inbox || strings.Contains(text, o.names) }, err)
}

const (
	pauseFirst = 50 * time.Millisecond
	pauseMost  = 2 * time.Second
)

// pause waits longer with each attempt from 0, with jitter, and returns at once when ctx ends.
func pause(ctx context.Context, attempt int) {
	d := min(pauseFirst<<min(attempt, 10), pauseMost)
	timer := time.NewTimer(d/2 + rand.N(d/2))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
