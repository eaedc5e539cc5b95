package queue_test

import (
	"context"
	"testing"
	"time"

	natsgo "github.com/nats-io/nats.go"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/internal/queue"
)

// TestCancelledPullsHoldNothing cancels each of many pulls when the server has just been asked, which is when a message
// may be on its way: none is held by nobody until its lease runs out.
func TestCancelledPullsHoldNothing(t *testing.T) {
	t.Parallel()
	url, _ := start(t)
	q := open(t, queue.Config{URL: url})
	must(t, q.Setup(t.Context()))
	p, err := q.Chunks(t.Context())
	must(t, err)
	const messages = 200
	for n := range messages {
		must(t, q.PublishChunk(t.Context(), contracts.ChunkWork{V: 1, Job: "job-1", Work: contracts.Load, Chunk: n}))
	}
	watcher, err := natsgo.Connect(url)
	must(t, err)
	defer watcher.Close()
	asked := make(chan *natsgo.Msg, 10*messages)
	_, err = watcher.ChanSubscribe("$JS.API.CONSUMER.MSG.NEXT.CHUNKS.*", asked)
	must(t, err)
	must(t, watcher.Flush())
	taken := 0
	for range messages {
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-asked; cancel() }()
		if m, err := p.Next(ctx); err == nil {
			must(t, m.Ack(t.Context()))
			taken++
		}
		<-ctx.Done()
	}
	t.Logf("%d of %d pulls got their message all the same", taken, messages)
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second) // half of a lease
	defer cancel()
	for ; taken < messages; taken++ {
		m, err := p.Next(ctx)
		if err != nil {
			t.Fatalf("%d messages are held by nobody: %v", messages-taken, err)
		}
		must(t, m.Ack(t.Context()))
	}
}
