// Package workers does the work of chunk messages: read the chunk, split records, transform, merge by key, upsert,
// store what became of it, acknowledge.
//
// A worker may be killed at any instruction, and may wake up long after its chunk went to another: what a chunk does to
// the table depends on nothing but its message. What must never happen: an acknowledgement before the completion is
// stored; a nak or a term for a message whose lease has run out; rows counted that the database has not acknowledged.
package workers

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/penstock-io/penstock/chunk"
	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
	"github.com/penstock-io/penstock/pipeline"
	"github.com/penstock-io/penstock/state"
)

// Queue is where news goes.
type Queue interface {
	PublishEvent(ctx context.Context, e contracts.Event) error
	PublishDead(ctx context.Context, subject string, data []byte, reason string) error
}

// Inbox yields chunk messages one at a time.
type Inbox interface {
	Next(ctx context.Context) (Message, error)
}

// Message is one delivery of a chunk message.
type Message interface {
	Data() []byte
	Subject() string
	Deliveries() int
	Progress() error
	Ack(ctx context.Context) error
	Nak(delay time.Duration) error
	Term(reason string) error
}

// Pipelines gives compiled revisions.
type Pipelines interface {
	Compiled(ctx context.Context, name, revision string) (*pipeline.Compiled, error)
}

// Tables gives writers; a writer is safe for concurrent use and is shared by all chunks of a revision.
type Tables interface {
	Writer(ctx context.Context, c *pipeline.Compiled) (Writer, error)
}

// Writer upserts rows. It returns when all of them are acknowledged or refused. An error blames no row: the same call
// may be made again and changes nothing twice.
type Writer interface {
	Write(ctx context.Context, rows []cql.Row, baseTime time.Time) ([]cql.Refusal, error)
}

// Rejects stores reject objects.
type Rejects interface {
	Put(ctx context.Context, key string, data []byte) error
}

// Meter counts what becomes of chunks. It is called once for each, and from many goroutines.
type Meter interface {
	// Concluded is told of a load whose outcome this process was the first to store; that of a dead one has an error.
	Concluded(pipeline string, c contracts.Completion)
	// GivenBack is told of a message that went back to the queue: failed says that the attempt counts as a failure.
	GivenBack(pipeline string, failed bool)
}

// Config sets workers up. Zero values take the defaults of docs/interface.md.
type Config struct {
	Name        string             // of this process, for completions
	Concurrency int                // chunks that are read at a time; as many more may be on their way to the table
	Attempts    int                // failures of a chunk before it is a dead letter
	Lease       time.Duration      // the queue's ack wait
	Grace       time.Duration      // to finish what is held, after Run's context ends
	Memory      int64              // bytes that what was read may take: bounds the chunks in flight, and segments
	Subjects    contracts.Subjects // of the dead letters
	Log         *slog.Logger
	Meter       Meter // nil counts nothing
	Now         func() time.Time
}

func (c Config) withDefaults() Config {
	c.Concurrency = cmp.Or(c.Concurrency, 1)
	c.Attempts = cmp.Or(c.Attempts, 5)
	c.Lease = cmp.Or(c.Lease, 30*time.Second)
	c.Grace = cmp.Or(c.Grace, 30*time.Second)
	c.Memory = cmp.Or(c.Memory, 192<<20)
	c.Subjects.Prefix = cmp.Or(c.Subjects.Prefix, contracts.DefaultSubjects.Prefix)
	c.Log = cmp.Or(c.Log, slog.New(slog.DiscardHandler))
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Meter == nil {
		c.Meter = unmetered{}
	}
	return c
}

// unmetered counts nothing.
type unmetered struct{}

func (unmetered) Concluded(string, contracts.Completion) {}
func (unmetered) GivenBack(string, bool)                 {}

// Parts are what workers are joined to.
type Parts struct {
	Store     *state.Store
	Objects   chunk.Opener
	Queue     Queue
	Chunks    Inbox
	Pipelines Pipelines
	Tables    Tables
	Rejects   Rejects
	// RejectDocs reads what other jobs rejected; nil where no job loads that again.
	RejectDocs state.RejectDocs
}

// Workers are the workers of one process. Make them with New and Run them once.
type Workers struct {
	Parts
	cfg     Config
	pools   pools
	memory  *memory
	reading chan struct{} // full where as many chunks are being read as may
}

// New makes workers.
func New(cfg Config, p Parts) *Workers {
	cfg = cfg.withDefaults()
	return &Workers{
		Parts: p, cfg: cfg, memory: newMemory(cfg.Memory), reading: make(chan struct{}, cfg.Concurrency),
	}
}

// errLeaving is the cause of a work context that ends because the process does.
var errLeaving = errors.New("this worker is leaving")

// Run works until ctx ends, then finishes what it holds or, after the grace period, hands it back.
func (w *Workers) Run(ctx context.Context) error {
	work, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	var pulling, waiting sync.WaitGroup
	waiting.Go(func() { w.endAfterGrace(ctx, work, stop) })
	for range 2 * w.cfg.Concurrency {
		pulling.Go(func() { w.pull(ctx, work) })
	}
	pulling.Wait()
	stop(errLeaving)
	waiting.Wait()
	return nil
}

// endAfterGrace stops work that is still going on when the grace period is over.
func (w *Workers) endAfterGrace(fetch, work context.Context, stop context.CancelCauseFunc) {
	select {
	case <-fetch.Done():
		sleep(work, w.cfg.Grace)
		stop(errLeaving)
	case <-work.Done():
	}
}

// pull takes one message after the other while fetch lasts; each is worked on under work. It waits for a place among
// those who read, which its chunk leaves when it is read: so the next is read while the rows of this one are written,
// and no chunk is held in advance that another process could begin.
func (w *Workers) pull(fetch, work context.Context) {
	loader := newLoader(w)
	loader.fetch = fetch
	for fetch.Err() == nil {
		select {
		case w.reading <- struct{}{}:
			loader.read = sync.OnceFunc(func() { <-w.reading })
			w.pullOne(fetch, work, loader)
			loader.read()
		case <-fetch.Done():
		}
	}
}

func (w *Workers) pullOne(fetch, work context.Context, l *loader) {
	if fetch.Err() != nil {
		return
	}
	m, err := w.Chunks.Next(fetch)
	switch {
	case err == nil:
		w.handle(work, m, l)
	case fetch.Err() == nil:
		w.cfg.Log.Warn("no chunks to be had", "err", err)
		sleep(fetch, time.Second)
	}
}

// sleep waits, or returns false when ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
