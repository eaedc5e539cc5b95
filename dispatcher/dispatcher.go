// Package dispatcher turns jobs into plans and plans into chunk messages, and sees each job to its end.
//
// Any number of dispatchers may run: all of them accept jobs, one leads and runs them. Whatever the leader knows it can
// learn again from the object store, so it may be killed at any step. What must never happen: a job acknowledged before
// it is stored; a chunk published before its plan and its timestamps are; an object's data read at planning, but for
// the head of one that is split.
package dispatcher

import (
	"cmp"
	"context"
	"io"
	"iter"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/pipeline"
	"github.com/penstock-io/penstock/state"
)

// Objects is what planning needs of object storage.
type Objects interface {
	// List yields objects whose key has the prefix, in byte order of keys.
	List(ctx context.Context, bucket, prefix, after string) iter.Seq2[contracts.Object, error]
	Stat(ctx context.Context, bucket, key string) (contracts.Object, error)
	Opener
}

// Opener reads a pinned object.
type Opener interface {
	Open(ctx context.Context, o contracts.Object, off, n int64) (io.ReadCloser, error)
}

// Queue is where chunks and news go.
type Queue interface {
	// PublishChunks is content where a chunk is queued already; a full queue is KindUnavailable.
	PublishChunks(ctx context.Context, w []contracts.ChunkWork) error
	PublishEvent(ctx context.Context, e contracts.Event) error
	PublishDead(ctx context.Context, subject string, data []byte, reason string) error
	// Purge drops a job's chunk messages.
	Purge(ctx context.Context, job contracts.JobID) error
	// Sweep drops chunk messages that no worker will ever be given.
	Sweep(ctx context.Context) error
	// Events calls fn for each new event of every job until stopped.
	Events(ctx context.Context, job contracts.JobID, all bool, fn func(contracts.Event)) (stop func(), err error)
}

// Inbox yields messages one at a time.
type Inbox interface {
	Next(ctx context.Context) (Message, error)
}

// Message is one delivery. Whoever took it acknowledges it, once.
type Message interface {
	Data() []byte
	Subject() string
	Time() time.Time
	Sequence() uint64
	Ack(ctx context.Context) error
	Nak(delay time.Duration) error
	Term(reason string) error
}

// Pipelines gives compiled revisions, and makes and checks their tables.
type Pipelines interface {
	Compiled(ctx context.Context, name, revision string) (*pipeline.Compiled, error)
	// Prepare makes the table where the pipeline says so, and checks that it is as the pipeline has it.
	Prepare(ctx context.Context, c *pipeline.Compiled) error
}

// Config sets a dispatcher up. Zero values take the defaults of docs/interface.md.
type Config struct {
	Owner         string             // names this process in the leader's lease
	Solo          bool               // nobody else can dispatch: lead without a lease
	Local         bool               // jobs may name files of this machine
	Subjects      contracts.Subjects // of the dead letters
	ChunkSize     int64              // bytes of a segment, where the job does not say; 0: by what there is to load
	Workers       int                // chunks that all workers have in flight, where segments are chosen for them
	MaxRecord     int64              // bytes
	Window        int                // chunk messages of one job in the queue
	Jobs          int                // jobs that run at a time
	Reconcile     time.Duration      // between two looks at the object store
	Lease         time.Duration      // how long a leader that died keeps others waiting
	RejectsBucket string
	Log           *slog.Logger
	Now           func() time.Time
}

func (c Config) withDefaults() Config {
	c.Workers = cmp.Or(c.Workers, 8)
	c.MaxRecord = cmp.Or(c.MaxRecord, 1<<20)
	c.Window = cmp.Or(c.Window, 256)
	c.Jobs = cmp.Or(c.Jobs, 64)
	c.Reconcile = cmp.Or(c.Reconcile, 30*time.Second)
	c.Lease = cmp.Or(c.Lease, 10*time.Second)
	c.RejectsBucket = cmp.Or(c.RejectsBucket, "penstock-rejects")
	c.Subjects.Prefix = cmp.Or(c.Subjects.Prefix, contracts.DefaultSubjects.Prefix)
	c.Log = cmp.Or(c.Log, slog.New(slog.DiscardHandler))
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// Dispatcher is one dispatcher. Make it with New and Run it once.
type Dispatcher struct {
	cfg           Config
	store         *state.Store
	objects       Objects
	queue         Queue
	jobs          Inbox
	notifications Inbox
	pipelines     Pipelines
	rejects       state.RejectDocs
	court         *court
	leads         atomic.Bool
	settled       settled
	seen          sync.Map                     // names of pipelines that are applied: none is ever taken away
	waiting       shared[[]*pipeline.Compiled] // with a trigger
}

// Parts are what a dispatcher is joined to.
type Parts struct {
	Store         *state.Store
	Objects       Objects
	Queue         Queue
	Jobs          Inbox
	Notifications Inbox // nil where no S3 server sends any
	Pipelines     Pipelines
	Rejects       state.RejectDocs // nil where no job loads rejects again
}

// New makes a dispatcher.
func New(cfg Config, p Parts) *Dispatcher {
	cfg = cfg.withDefaults()
	d := &Dispatcher{
		cfg: cfg, store: p.Store, objects: p.Objects, queue: p.Queue, jobs: p.Jobs,
		notifications: p.Notifications, pipelines: p.Pipelines, rejects: p.Rejects,
	}
	d.court = newCourt(cfg.Jobs)
	return d
}

// Run dispatches until ctx ends; then it returns nil, having given leadership up.
func (d *Dispatcher) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { d.acceptAll(ctx); return nil })
	g.Go(func() error { return d.lead(ctx) })
	if d.notifications != nil {
		g.Go(func() error { d.heedAll(ctx); return nil })
	}
	err := g.Wait()
	if contracts.KindOf(err) == contracts.KindInterrupted {
		return nil
	}
	return err
}

// event tells the world; a failure to do so is no reason to stop, since followers can ask the object store.
func (d *Dispatcher) event(ctx context.Context, e contracts.Event) {
	e.V, e.Time = contracts.Version, d.cfg.Now().UTC()
	if err := d.queue.PublishEvent(ctx, e); err != nil && ctx.Err() == nil {
		d.cfg.Log.Warn("event not published", "job", e.Job, "kind", e.Kind, "err", err)
	}
}

// pause waits, or returns false when ctx ends first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
