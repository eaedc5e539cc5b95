package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"

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
	data, err := contracts.Marshal(w)
	if err != nil {
		return err
	}
	err = q.publish(ctx, &nats.Msg{Subject: q.subjects.Chunk(w.Job, w.Work, w.Chunk), Data: data})
	if perSubject(err) {
		return nil
	}
	return err
}

// PublishEvent stores an event, as JSON.
func (q *Queue) PublishEvent(ctx context.Context, e contracts.Event) error {
	data, err := json.Marshal(e)
	if err != nil {
		return contracts.Errorf(contracts.KindInternal, "encode event %s of job %s: %w", e.Kind, e.Job, err)
	}
	return q.publish(ctx, &nats.Msg{Subject: q.subjects.Status(e.Job, e.Kind), Data: data})
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
		switch {
		case streamFull(err):
			return contracts.Errorf(contracts.KindUnavailable, "publish to %s: %w: %w: wait until it has been worked off",
				msg.Subject, ErrFull, err)
		case errors.Is(err, nats.ErrMaxPayload):
			return fmt.Errorf("%w: found %d bytes, expected at most %d", err, len(msg.Data), q.nc.MaxPayload())
		}
		return err
	})
}
