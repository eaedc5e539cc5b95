package queue

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/penstock-io/penstock/contracts"
)

// dispatchers is the durable consumer that all dispatchers share, on the job and on the notification stream.
const dispatchers = "dispatchers"

const (
	statusAge    = 7 * 24 * time.Hour
	deadAge      = 30 * 24 * time.Hour
	newsBytes    = 1 << 30 // status and dead letters, each
	maxJobs      = 1_000_000
	maxNotices   = 1_000_000
	leastWaiting = 4096 // pulls that may wait at one consumer, one for each idle goroutine of all workers
)

// Setup makes the streams and durable consumers, and changes existing ones only where Penstock would not work with
// them. Any number of processes may call it at any time. Errors are of kind config (JetStream is off, or a stream of
// that name is something else), denied or unavailable.
func (q *Queue) Setup(ctx context.Context) error {
	for _, want := range q.streams() {
		if err := q.setupStream(ctx, want); err != nil {
			return err
		}
	}
	for _, c := range []struct{ stream, name string }{
		{contracts.StreamChunks, contracts.Consumer},
		{contracts.StreamJobs, dispatchers},
		{contracts.StreamNotifications, dispatchers},
	} {
		if err := q.setupConsumer(ctx, q.subjects.Stream(c.stream), c.name); err != nil {
			return err
		}
	}
	return nil
}

// WaitReady returns when workers can pull: the chunk stream and its consumer exist. It waits for as long as ctx lets
// it; errors that waiting does not mend (denied, config) return at once.
func (q *Queue) WaitReady(ctx context.Context) error {
	for attempt := 0; ; attempt++ {
		_, err := q.consumer(ctx, contracts.StreamChunks, contracts.Consumer)
		kind := contracts.KindOf(err)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return contracts.Errorf(contracts.KindInterrupted, "wait for stream %s: %w: start a dispatcher, which makes it",
				q.subjects.Stream(contracts.StreamChunks), context.Cause(ctx))
		case kind != contracts.KindMissing && kind != contracts.KindUnavailable:
			return err
		}
		pause(ctx, attempt)
	}
}

func (q *Queue) streams() []jetstream.StreamConfig {
	queue := func(name string, limit int64, subjects ...string) jetstream.StreamConfig {
		return jetstream.StreamConfig{Name: q.subjects.Stream(name), Subjects: subjects, MaxMsgs: limit,
			Retention: jetstream.WorkQueuePolicy, Discard: jetstream.DiscardNew, Replicas: q.cfg.Replicas}
	}
	news := func(name string, age time.Duration, subject string) jetstream.StreamConfig {
		return jetstream.StreamConfig{Name: q.subjects.Stream(name), Subjects: []string{subject}, MaxAge: age,
			MaxBytes: newsBytes, Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardOld, Replicas: q.cfg.Replicas}
	}
	p := q.subjects.Prefix
	chunks := queue(contracts.StreamChunks, q.cfg.MaxChunks, p+".chunks.>")
	chunks.MaxMsgsPerSubject, chunks.DiscardNewPerSubject = 1, true
	subject := q.subjects.Notifications()
	notices := queue(contracts.StreamNotifications, maxNotices, subject, subject+".>")
	notices.Discard = jetstream.DiscardOld // the S3 server must not block; a listing finds what was dropped
	return []jetstream.StreamConfig{
		queue(contracts.StreamJobs, maxJobs, p+".jobs.*"), chunks, notices,
		news(contracts.StreamStatus, statusAge, p+".status.>"), news(contracts.StreamDead, deadAge, p+".dead.>"),
		q.budgetStream(),
	}
}

func (q *Queue) setupStream(ctx context.Context, want jetstream.StreamConfig) error {
	return q.do(ctx, "set up stream "+want.Name, "."+want.Name, requestTimeout, func(ctx context.Context) error {
		stream, err := q.js.Stream(ctx, want.Name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			stream, err = q.createStream(ctx, want)
		}
		if err != nil {
			return err
		}
		cfg, changed, err := overlayStream(stream.CachedInfo().Config, want)
		if err != nil || !changed {
			return err
		}
		_, err = q.js.UpdateStream(ctx, cfg)
		return err
	})
}

// createStream makes a stream, or finds the one that another process has just made.
func (q *Queue) createStream(ctx context.Context, want jetstream.StreamConfig) (jetstream.Stream, error) {
	want.Replicas = max(want.Replicas, 1)
	stream, err := q.js.CreateStream(ctx, want)
	if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
		return q.js.Stream(ctx, want.Name)
	}
	return stream, err
}

// overlayStream puts what Penstock relies on over an existing configuration; the rest is the operator's.
func overlayStream(have, want jetstream.StreamConfig) (cfg jetstream.StreamConfig, changed bool, err error) {
	if have.Retention != want.Retention {
		return have, false, contracts.Errorf(contracts.KindConfig,
			"stream %s: found retention %s, expected %s: delete the stream or choose another PENSTOCK_NATS_PREFIX",
			have.Name, have.Retention, want.Retention)
	}
	cfg = have
	lacks := func(subject string) bool { return !slices.Contains(have.Subjects, subject) }
	if slices.ContainsFunc(want.Subjects, lacks) {
		cfg.Subjects, changed = want.Subjects, true
	}
	if want.Replicas > 0 {
		changed = set(&cfg.Replicas, want.Replicas) || changed
	}
	changed = set(&cfg.Discard, want.Discard) || changed
	if want.Retention == jetstream.WorkQueuePolicy {
		changed = set(&cfg.MaxMsgs, want.MaxMsgs) || changed
	}
	if want.DiscardNewPerSubject {
		changed = set(&cfg.DiscardNewPerSubject, true) || changed
		changed = set(&cfg.MaxMsgsPerSubject, want.MaxMsgsPerSubject) || changed
	}
	return cfg, changed, nil
}

func (q *Queue) setupConsumer(ctx context.Context, stream, name string) error {
	what := "set up consumer " + name + " of stream " + stream
	return q.do(ctx, what, "."+stream, requestTimeout, func(ctx context.Context) error {
		var have jetstream.ConsumerConfig
		existing, err := q.js.Consumer(ctx, stream, name)
		switch {
		case errors.Is(err, jetstream.ErrConsumerNotFound):
			have = jetstream.ConsumerConfig{Durable: name, MaxWaiting: max(q.cfg.MaxAckPending, leastWaiting)}
		case err != nil:
			return err
		default:
			have = existing.CachedInfo().Config
		}
		cfg, changed := q.overlayConsumer(have)
		if existing != nil && !changed {
			return nil
		}
		_, err = q.js.CreateOrUpdateConsumer(ctx, stream, cfg)
		return err
	})
}

func (q *Queue) overlayConsumer(have jetstream.ConsumerConfig) (cfg jetstream.ConsumerConfig, changed bool) {
	cfg = have
	changed = set(&cfg.AckPolicy, jetstream.AckExplicitPolicy)
	changed = set(&cfg.AckWait, q.cfg.AckWait) || changed
	changed = set(&cfg.MaxAckPending, q.cfg.MaxAckPending) || changed
	// Past a limit a message would rest in the stream, seen by nobody and in the way of a new one: whoever takes it says
	// when it has come too often.
	changed = set(&cfg.MaxDeliver, -1) || changed
	if len(cfg.BackOff) > 0 { // it would replace AckWait
		cfg.BackOff, changed = nil, true
	}
	return cfg, changed
}

// set assigns and says whether that changed anything.
func set[T comparable](field *T, value T) bool {
	changed := *field != value
	*field = value
	return changed
}

// consumer finds a durable consumer. It asks the server about that consumer only: a worker may do no more.
func (q *Queue) consumer(ctx context.Context, stream, name string) (c jetstream.Consumer, err error) {
	stream = q.subjects.Stream(stream)
	what := "find consumer " + name + " of stream " + stream
	err = q.do(ctx, what, "."+stream, requestTimeout, func(ctx context.Context) error {
		c, err = q.js.Consumer(ctx, stream, name)
		return err
	})
	return c, err
}
