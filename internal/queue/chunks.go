package queue

import (
	"context"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/penstock-io/penstock/contracts"
)

// Queued lists the subjects of a job's chunk messages in the stream, held ones included. What is settled or published
// meanwhile may or may not be in it.
func (q *Queue) Queued(ctx context.Context, job contracts.JobID) (map[string]bool, error) {
	queued := map[string]bool{}
	what := "list the queued chunks of job " + string(job)
	err := q.chunks(ctx, what, func(ctx context.Context, s jetstream.Stream) error {
		info, err := s.Info(ctx, jetstream.WithSubjectFilter(q.subjects.Chunks(job))) // reads all pages
		if err != nil {
			return err
		}
		for subject := range info.State.Subjects {
			queued[subject] = true
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return queued, nil
}

// Purge drops a job's chunk messages, held ones included: their holders' acknowledgements change nothing. Where the
// stream is gone, so are they.
func (q *Queue) Purge(ctx context.Context, job contracts.JobID) error {
	err := q.chunks(ctx, "purge the chunks of job "+string(job), func(ctx context.Context, s jetstream.Stream) error {
		return s.Purge(ctx, jetstream.WithPurgeSubject(q.subjects.Chunks(job)))
	})
	if contracts.KindOf(err) == contracts.KindMissing {
		return nil
	}
	return err
}

// Sweep drops chunk messages that no worker will ever be given: those that the consumer has seen acknowledged. A store
// that lost its last writes, or was put together from backups, may hold some, and as long as one does, the same piece
// of work counts as queued and cannot be queued again.
func (q *Queue) Sweep(ctx context.Context) error {
	return q.chunks(ctx, "sweep the chunk stream", func(ctx context.Context, s jetstream.Stream) error {
		consumer, err := s.Consumer(ctx, contracts.Consumer)
		if err != nil {
			return err
		}
		floor := consumer.CachedInfo().AckFloor.Stream
		if state := s.CachedInfo().State; state.Msgs == 0 || state.FirstSeq > floor {
			return nil
		}
		return s.Purge(ctx, jetstream.WithPurgeSequence(floor+1))
	})
}

func (q *Queue) chunks(ctx context.Context, what string, call func(context.Context, jetstream.Stream) error) error {
	name := q.subjects.Stream(contracts.StreamChunks)
	return q.do(ctx, what, "."+name, listTimeout, func(ctx context.Context) error {
		stream, err := q.js.Stream(ctx, name)
		if err != nil {
			return err
		}
		return call(ctx, stream)
	})
}
