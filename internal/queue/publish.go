package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/penstock-io/penstock/contracts"
)

// Headers of a dead letter.
const (
	ReasonHeader    = "Penstock-Reason"    // why the message is dead, on one line
	TruncatedHeader = "Penstock-Truncated" // the bytes it had, where it was cut to fit
)

const maxReason = 4096 // bytes

// PublishJob stores a job message, JSON or msgpack, for a pipeline.
func (q *Queue) PublishJob(ctx context.Context, pipeline string, data []byte) error {
	if err := contracts.CheckName("pipeline", pipeline); err != nil {
		return err
	}
	return q.publish(ctx, &nats.Msg{Subject: q.subjects.Job(pipeline), Data: data})
}

// PublishChunk stores a chunk message. Where that piece of work is queued already, held ones included, it returns nil
// and changes nothing. A full stream is an error of kind unavailable that wraps ErrFull.
func (q *Queue) PublishChunk(ctx context.Context, w contracts.ChunkWork) error {
	return q.PublishChunks(ctx, []contracts.ChunkWork{w})
}

// chunksInFlight is how many chunk messages wait for the server's word at a time.
const chunksInFlight = 256

// PublishChunks is PublishChunk for many: it asks for all of them before it waits for answers. After an error nobody
// knows which are stored.
func (q *Queue) PublishChunks(ctx context.Context, works []contracts.ChunkWork) error {
	for batch := range slices.Chunk(works, chunksInFlight) {
		what := fmt.Sprintf("publish %d chunk messages, the first to %s", len(batch),
			q.subjects.Chunk(batch[0].Job, batch[0].Work, batch[0].Chunk))
		err := q.do(ctx, what, q.subjects.Prefix+".chunks.", requestTimeout, func(ctx context.Context) error {
			return q.publishBatch(ctx, batch)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (q *Queue) publishBatch(ctx context.Context, batch []contracts.ChunkWork) error {
	futures := make([]jetstream.PubAckFuture, len(batch))
	for i, w := range batch {
		data, err := contracts.Marshal(w)
		if err != nil {
			return err
		}
		msg := &nats.Msg{Subject: q.subjects.Chunk(w.Job, w.Work, w.Chunk), Data: data}
		futures[i], err = q.js.PublishMsgAsync(msg, jetstream.WithStallWait(requestTimeout))
		if err = q.refused(msg, err); err != nil {
			return err
		}
	}
	for _, f := range futures {
		select {
		case <-f.Ok():
		case err := <-f.Err():
			if err = q.refused(f.Msg(), err); err != nil && !perSubject(err) {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// PublishEvent stores an event, as JSON.
func (q *Queue) PublishEvent(ctx context.Context, e contracts.Event) error {
	data, err := json.Marshal(e)
	if err != nil {
		return contracts.Errorf(contracts.KindInternal, "encode event %s of job %s: %w", e.Kind, e.Job, err)
	}
	return q.publish(ctx, &nats.Msg{Subject: q.subjects.Status(e.Job, e.Kind), Data: data})
}

// Notify tells dispatchers of an object that was created, as an S3 server of its own would: at once, without an answer.
// What is told while NATS is away waits as far as Config.Held has room; listings find what notifications miss.
func (q *Queue) Notify(data []byte) {
	if err := q.nc.Publish(q.subjects.Notifications(), data); err != nil {
		q.log.Debug("a bucket notification is lost", "error", err)
	}
}

// PublishDead stores a dead letter with the reason in its header. Data that does not fit beside the reason is cut.
func (q *Queue) PublishDead(ctx context.Context, subject string, data []byte, reason string) error {
	msg := nats.NewMsg(subject)
	msg.Header.Set(ReasonHeader, oneLine(reason))
	room := int(q.nc.MaxPayload()) - 2*maxReason // headers count as payload; they and their names take less than this
	if room > 0 && len(data) > room {
		msg.Header.Set(TruncatedHeader, strconv.Itoa(len(data)))
		data = data[:room]
	}
	msg.Data = data
	return q.publish(ctx, msg)
}

func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	return strings.ToValidUTF8(s[:min(len(s), maxReason)], "")
}

func (q *Queue) publish(ctx context.Context, msg *nats.Msg) error {
	return q.do(ctx, "publish to "+msg.Subject, msg.Subject, requestTimeout, func(ctx context.Context) error {
		_, err := q.js.PublishMsg(ctx, msg)
		return q.refused(msg, err)
	})
}

// refused says why the server does not take a message.
func (q *Queue) refused(msg *nats.Msg, err error) error {
	switch {
	case streamFull(err):
		return contracts.Errorf(contracts.KindUnavailable, "publish to %s: %w: %w: wait until it has been worked off",
			msg.Subject, ErrFull, err)
	case errors.Is(err, nats.ErrMaxPayload):
		return fmt.Errorf("%w: found %d bytes, expected at most %d", err, len(msg.Data), q.nc.MaxPayload())
	}
	return err
}
