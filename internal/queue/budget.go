package queue

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/penstock-io/penstock/contracts"
)

// Budget is the value that the workers of one pipeline share to keep to its budget: the last message of its subject.
// The stream may be lost or brought back like any other. It is safe for concurrent use.
type Budget struct {
	q       *Queue
	subject string
}

// Budget gives the shared value of a pipeline.
func (q *Queue) Budget(pipeline string) *Budget { return &Budget{q, q.subjects.Budget(pipeline)} }

// budgetAge is how long a value is kept that nobody changes: who comes later begins anew.
const budgetAge = 24 * time.Hour

// budgetStream keeps one message a pipeline.
func (q *Queue) budgetStream() jetstream.StreamConfig {
	return jetstream.StreamConfig{Name: q.subjects.Stream(contracts.StreamBudgets),
		Subjects: []string{q.subjects.Prefix + ".budgets.*"}, MaxMsgsPerSubject: 1, MaxAge: budgetAge,
		Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardOld, Replicas: q.cfg.Replicas}
}

// Load gives the value and its revision, nil and 0 where there is none, and the server's time at the return: late by
// the network's delay at most. Where the stream is missing it is made, and the error is of kind unavailable.
func (b *Budget) Load(ctx context.Context) (value []byte, revision uint64, now time.Time, err error) {
	name := b.q.subjects.Stream(contracts.StreamBudgets)
	err = b.q.do(ctx, "read "+b.subject, "."+name, requestTimeout, func(ctx context.Context) error {
		stream, err := b.q.js.Stream(ctx, name)
		if err != nil {
			return err
		}
		asked, there := time.Now(), stream.CachedInfo().TimeStamp
		if there.IsZero() {
			return contracts.Errorf(contracts.KindConfig,
				"read the clock of nats-server at %s: found none: a budget needs nats-server 2.10 or later", b.q.addr)
		}
		switch m, err := stream.GetLastMsgForSubject(ctx, b.subject); {
		case err == nil:
			value, revision = m.Data, m.Sequence
		case !errors.Is(err, jetstream.ErrMsgNotFound):
			return err
		}
		now = there.Add(time.Since(asked))
		return nil
	})
	if contracts.KindOf(err) == contracts.KindMissing {
		err = b.remake(ctx)
	}
	return value, revision, now, err
}

// remake makes the stream, as a dispatcher does when it starts. A worker that may not waits for one.
func (b *Budget) remake(ctx context.Context) error {
	want := b.q.budgetStream()
	if err := b.q.setupStream(ctx, want); err != nil {
		return contracts.Errorf(contracts.KindUnavailable, "stream %s is missing: %w: start a dispatcher, which makes it",
			want.Name, err)
	}
	return contracts.Errorf(contracts.KindUnavailable, "stream %s was missing and is made again: try again", want.Name)
}

// Swap stores a value over that of a revision. It is false where there is another revision by now. After an error the
// value may be stored or not.
func (b *Budget) Swap(ctx context.Context, value []byte, revision uint64) (swapped bool, err error) {
	err = b.q.do(ctx, "publish to "+b.subject, b.subject, requestTimeout, func(ctx context.Context) error {
		_, err := b.q.js.PublishMsg(ctx, &nats.Msg{Subject: b.subject, Data: value},
			jetstream.WithExpectLastSequencePerSubject(revision))
		swapped = err == nil
		if overtaken(err) {
			return nil
		}
		return err
	})
	return swapped, err
}

// overtaken says that the subject's last message is not the expected one.
func overtaken(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && (api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence ||
		api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}
