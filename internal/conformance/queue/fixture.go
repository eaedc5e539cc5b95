package queuetest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/penstock-io/penstock/contracts"
)

// limit is how long a test may take: far more than it needs, less than the default lease that a broken one waits for.
const limit = 25 * time.Second

type fixture struct {
	*testing.T
	f       Funcs
	ctx     context.Context
	options Options
}

func newFixture(t *testing.T, f Funcs) *fixture {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return &fixture{t, f, ctx, Options{Prefix: f.Prefix(t)}}
}

// open connects without setting up.
func (x *fixture) open() Queue {
	x.Helper()
	q, err := x.f.Connect(x.ctx, x.options)
	x.ok(err)
	x.Cleanup(q.Close)
	return q
}

// queue connects and sets up.
func (x *fixture) queue() Queue {
	x.Helper()
	q := x.open()
	x.ok(q.Setup(x.ctx))
	return q
}

func (x *fixture) ok(err error) {
	x.Helper()
	if err != nil {
		x.Fatal(err)
	}
}

func (x *fixture) kind(want contracts.Kind, err error) {
	x.Helper()
	if got := contracts.KindOf(err); got != want {
		x.Fatalf("found an error of kind %q, expected %q: %v", got, want, err)
	}
}

func (x *fixture) puller(open func(context.Context) (Puller, error)) Puller {
	x.Helper()
	p, err := open(x.ctx)
	x.ok(err)
	return p
}

func (x *fixture) next(p Puller) Message {
	x.Helper()
	m, err := p.Next(x.ctx)
	x.ok(err)
	return m
}

func (x *fixture) ack(m Message) {
	x.Helper()
	x.ok(m.Ack(x.ctx))
}

func (x *fixture) publish(q Queue, job contracts.JobID, chunks ...int) {
	x.Helper()
	for _, c := range chunks {
		x.ok(q.PublishChunk(x.ctx, chunk(job, c)))
	}
}

func (x *fixture) chunkOf(m Message) int {
	x.Helper()
	var w contracts.ChunkWork
	x.ok(contracts.Unmarshal(m.Data(), &w))
	return w.Chunk
}

func (x *fixture) queued(q Queue, job contracts.JobID, chunks ...int) {
	x.Helper()
	got, err := q.Queued(x.ctx, job)
	x.ok(err)
	if want := x.subjects(job, chunks...); !same(got, want) {
		x.Fatalf("queued: found %v, expected %v", got, want)
	}
}

// becomes waits for what the server does after a call has returned.
func (x *fixture) becomes(q Queue, job contracts.JobID, chunks ...int) {
	x.Helper()
	want := x.subjects(job, chunks...)
	for {
		got, err := q.Queued(x.ctx, job)
		x.ok(err)
		if same(got, want) {
			return
		}
	}
}

func (x *fixture) subjects(job contracts.JobID, chunks ...int) []string {
	s := contracts.Subjects{Prefix: x.options.Prefix}
	var all []string
	for _, c := range chunks {
		all = append(all, s.Chunk(job, contracts.Load, c))
	}
	return all
}

func same(got map[string]bool, want []string) bool {
	return len(got) == len(want) && !slices.ContainsFunc(want, func(s string) bool { return !got[s] })
}

func chunk(job contracts.JobID, n int) contracts.ChunkWork {
	return contracts.ChunkWork{V: contracts.Version, Job: job, Chunk: n, Work: contracts.Load, Pipeline: "readings",
		Revision: "abc", Base: 1_700_000_000_000_000, BaseTime: time.Unix(1_700_000_000, 0).UTC(), SegmentSize: 8 << 20,
		MaxRecord: 1 << 20, Parts: []contracts.Part{{
			Object: contracts.Object{Bucket: "landing", Key: "a.csv", ETag: "e1", Size: 10}, End: 10, Compression: "none",
			Binding: &contracts.Binding{DataOffset: 3, Width: 2, Positions: []int{1, -1}}, Records: -1, Segments: 1,
		}}}
}

func event(job contracts.JobID, kind contracts.EventKind, chunk int) contracts.Event {
	return contracts.Event{V: contracts.Version, Job: job, Pipeline: "readings", Kind: kind,
		Time: time.Unix(1_700_000_000, 0).UTC(), Chunk: &chunk, Counts: &contracts.Counts{Read: 2, Written: 2}}
}

// follow collects events; wait returns once n have come.
func (x *fixture) follow(q Queue, job contracts.JobID, all bool) (wait func(n int) []contracts.Event) {
	x.Helper()
	events := make(chan contracts.Event)
	stop, err := q.Events(x.ctx, job, all, func(e contracts.Event) {
		select {
		case events <- e:
		case <-x.ctx.Done():
		}
	})
	x.ok(err)
	x.Cleanup(stop)
	return func(n int) (got []contracts.Event) {
		x.Helper()
		for range n {
			select {
			case e := <-events:
				got = append(got, e)
			case <-x.ctx.Done():
				x.Fatalf("found %d events, expected %d: %v", len(got), n, got)
			}
		}
		return got
	}
}
