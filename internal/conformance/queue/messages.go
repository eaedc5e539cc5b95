package queuetest

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"time"

	"github.com/penstock-io/penstock/contracts"
)

func jobRoundTrip(x *fixture) {
	q := x.queue()
	data := []byte(`{"source":["s3://landing/*.csv"]}`)
	x.ok(q.PublishJob(x.ctx, "readings", data))
	m := x.next(x.puller(q.Jobs))
	if !bytes.Equal(m.Data(), data) || m.Subject() != x.options.Prefix+".jobs.readings" {
		x.Fatalf("found %s on %s", m.Data(), m.Subject())
	}
	if m.Deliveries() != 1 || m.Sequence() != 1 || m.Time().IsZero() {
		x.Fatalf("found delivery %d, sequence %d, time %v", m.Deliveries(), m.Sequence(), m.Time())
	}
	x.ack(m)
}

func chunkRoundTrip(x *fixture) {
	q := x.queue()
	want := chunk("job-1", 7)
	x.ok(q.PublishChunk(x.ctx, want))
	m := x.next(x.puller(q.Chunks))
	var got contracts.ChunkWork
	x.ok(contracts.Unmarshal(m.Data(), &got))
	got.BaseTime = got.BaseTime.UTC()
	if !reflect.DeepEqual(got, want) || m.Subject() != x.options.Prefix+".chunks.job-1.load.7" {
		x.Fatalf("found %+v on %s, expected %+v", got, m.Subject(), want)
	}
	if m.Data()[0] == '{' {
		x.Fatal("found JSON, expected msgpack")
	}
	x.ack(m)
	x.queued(q, "job-1")
}

func eventRoundTrip(x *fixture) {
	q := x.queue()
	wait := x.follow(q, "job-1", true)
	want := event("job-1", contracts.EventChunkDone, 3)
	want.Error = &contracts.ErrorInfo{Kind: contracts.KindInput, Message: "bad"}
	x.ok(q.PublishEvent(x.ctx, want))
	if got := wait(1)[0]; !reflect.DeepEqual(got, want) {
		x.Fatalf("found %+v, expected %+v", got, want)
	}
}

func jobNames(x *fixture) {
	q := x.queue()
	for _, name := range []string{"", "A", "a.b", "*", ">"} {
		err := q.PublishJob(x.ctx, name, []byte(`{}`))
		x.kind(contracts.KindConfig, err)
		if !strings.Contains(err.Error(), "expected 1 to 64 of a-z") {
			x.Fatal(err)
		}
	}
}

func queuedOnce(x *fixture) {
	q := x.queue()
	p := x.puller(q.Chunks)
	x.publish(q, "job-1", 0, 0)
	held := x.next(p)
	x.publish(q, "job-1", 0, 1) // held is still queued
	if m := x.next(p); x.chunkOf(m) != 1 {
		x.Fatalf("found chunk %d twice", x.chunkOf(m))
	}
	x.ack(held)
	x.publish(q, "job-1", 0) // settled is not
	if m := x.next(p); x.chunkOf(m) != 0 || m.Deliveries() != 1 {
		x.Fatalf("found chunk %d, delivery %d", x.chunkOf(m), m.Deliveries())
	}
	scan := chunk("job-1", 1)
	scan.Work = contracts.Scan
	x.ok(q.PublishChunk(x.ctx, scan)) // other work on the same chunk is another message
	if m := x.next(p); !strings.HasSuffix(m.Subject(), ".scan.1") {
		x.Fatalf("found %s", m.Subject())
	}
}

func fullStream(x *fixture) {
	x.options.MaxChunks = 2
	q := x.queue()
	x.publish(q, "job-1", 0, 1)
	err := q.PublishChunk(x.ctx, chunk("job-1", 2))
	x.kind(contracts.KindUnavailable, err)
	if !errors.Is(err, x.f.Full) {
		x.Fatalf("found %v, expected it to wrap %v", err, x.f.Full)
	}
	x.publish(q, "job-1", 0) // queued already is no error
	x.ack(x.next(x.puller(q.Chunks)))
	x.publish(q, "job-1", 2)
	x.queued(q, "job-1", 1, 2)
}

func largerLimit(x *fixture) {
	x.options.MaxChunks = 1
	q := x.queue()
	x.publish(q, "job-1", 0)
	x.kind(contracts.KindUnavailable, q.PublishChunk(x.ctx, chunk("job-1", 1)))
	x.options.MaxChunks = 2
	x.queue()
	x.publish(q, "job-1", 1)
	x.queued(q, "job-1", 0, 1)
}

func handBack(x *fixture) {
	q := x.queue()
	p := x.puller(q.Chunks)
	x.publish(q, "job-1", 0)
	x.ok(x.next(p).Nak(0))
	x.ok(x.next(p).Nak(100 * time.Millisecond))
	m := x.next(p)
	if m.Deliveries() != 3 {
		x.Fatalf("found delivery %d, expected 3", m.Deliveries())
	}
	x.ack(m)
	x.queued(q, "job-1")
}

func vanishedHolder(x *fixture) {
	x.options.AckWait = time.Second
	q, holder := x.queue(), x.open()
	x.publish(q, "job-1", 0)
	x.next(x.puller(holder.Chunks))
	holder.Close()
	m := x.next(x.puller(q.Chunks))
	if m.Deliveries() != 2 {
		x.Fatalf("found delivery %d, expected 2", m.Deliveries())
	}
	x.ack(m)
}

// progressKeeps holds one message alive while another one, which nobody keeps, comes three times.
func progressKeeps(x *fixture) {
	x.options.AckWait = 2 * time.Second
	q := x.queue()
	p := x.puller(q.Chunks)
	x.publish(q, "job-1", 0)
	held := x.next(p)
	x.publish(q, "job-1", 1)
	done := make(chan struct{})
	kept := make(chan error, 1)
	go func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				kept <- held.Progress()
				return
			case <-tick.C:
				if err := held.Progress(); err != nil {
					kept <- err
					return
				}
			}
		}
	}()
	for range 3 {
		if m := x.next(p); x.chunkOf(m) != 1 {
			x.Errorf("the message that is kept came again: delivery %d", m.Deliveries())
		}
	}
	close(done)
	x.ok(<-kept)
	x.ack(held)
}

func lateAck(x *fixture) {
	x.options.AckWait = time.Second
	q := x.queue()
	p := x.puller(q.Chunks)
	x.publish(q, "job-1", 0)
	late := x.next(p)
	again := x.next(p)
	x.ack(late)
	x.queued(q, "job-1")
	x.ack(again)
}

func settledTwice(x *fixture) {
	q := x.queue()
	p := x.puller(q.Chunks)
	x.publish(q, "job-1", 0, 1)
	for _, settle := range []func(m Message) error{
		func(m Message) error { return m.Ack(x.ctx) },
		func(m Message) error { return m.Term("no") },
	} {
		m := x.next(p)
		x.ok(settle(m))
		for _, err := range []error{m.Ack(x.ctx), m.Nak(0), m.Term("no"), m.Progress()} {
			x.kind(contracts.KindInternal, err)
			if !strings.Contains(err.Error(), "settled before") {
				x.Fatal(err)
			}
		}
	}
}

func terminated(x *fixture) {
	q := x.queue()
	x.publish(q, "job-1", 0)
	x.ok(x.next(x.puller(q.Chunks)).Term("it is\nno use"))
	x.becomes(q, "job-1")
}

func purge(x *fixture) {
	q := x.queue()
	p := x.puller(q.Chunks)
	x.publish(q, "job-1", 0, 1, 2)
	x.publish(q, "job-2", 0)
	held := x.next(p)
	x.ok(q.Purge(x.ctx, "job-1"))
	x.queued(q, "job-1")
	x.queued(q, "job-2", 0)
	x.ack(held)
	if m := x.next(p); !strings.Contains(m.Subject(), ".job-2.") {
		x.Fatalf("found %s, expected a chunk of job-2", m.Subject())
	}
	x.ok(q.Purge(x.ctx, "job-3"))
}

func listing(x *fixture) {
	q := x.queue()
	x.queued(q, "job-1")
	x.publish(q, "job-1", 0, 1, 2)
	x.publish(q, "job-10", 0)
	m := x.next(x.puller(q.Chunks))
	x.queued(q, "job-1", 0, 1, 2)
	x.ack(m)
	x.queued(q, "job-1", 1, 2)
}

func marshal(x *fixture, v any) string {
	x.Helper()
	data, err := json.Marshal(v)
	x.ok(err)
	return string(data)
}
