package dispatcher

import (
	"context"
	"iter"
	"sync"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/state"
)

// fuse is the life of a process that is killed at its k-th call to the outside. From then on no call of it has any
// effect, and each fails as if the process were leaving.
type fuse struct {
	mu    sync.Mutex
	left  int
	after bool // the last call takes effect, and nobody hears of it
	gone  bool
}

// burn counts a call: do says whether it takes effect, err what the caller hears if it does not hear of the call.
func (f *fuse) burn() (do bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.gone {
		return false, errKilled
	}
	if f.left--; f.left > 0 {
		return true, nil
	}
	f.gone = true
	return f.after, errKilled
}

func (f *fuse) blown() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.gone
}

var errKilled = contracts.Errorf(contracts.KindInterrupted, "the process was killed")

// call makes a call if the process is still there to make it.
func (f *fuse) call(fn func() error) error {
	do, killed := f.burn()
	if do {
		if err := fn(); killed == nil {
			return err
		}
	}
	return killed
}

// fusedDocs are documents behind a fuse.
type fusedDocs struct {
	state.Docs
	fuse *fuse
}

func (d fusedDocs) Get(ctx context.Context, key string) (data []byte, etag string, err error) {
	err = d.fuse.call(func() (err error) { data, etag, err = d.Docs.Get(ctx, key); return err })
	return data, etag, err
}

func (d fusedDocs) Put(ctx context.Context, key string, data []byte) error {
	return d.fuse.call(func() error { return d.Docs.Put(ctx, key, data) })
}

func (d fusedDocs) Create(ctx context.Context, key string, data []byte) error {
	return d.fuse.call(func() error { return d.Docs.Create(ctx, key, data) })
}

func (d fusedDocs) Replace(ctx context.Context, key string, data []byte, etag string) (now string, err error) {
	err = d.fuse.call(func() (err error) { now, err = d.Docs.Replace(ctx, key, data, etag); return err })
	return now, err
}

func (d fusedDocs) Delete(ctx context.Context, key string) error {
	return d.fuse.call(func() error { return d.Docs.Delete(ctx, key) })
}

func (d fusedDocs) List(ctx context.Context, prefix, after string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if do, err := d.fuse.burn(); !do || err != nil {
			yield("", errKilled)
			return
		}
		for key, err := range d.Docs.List(ctx, prefix, after) {
			if !yield(key, err) {
				return
			}
		}
	}
}

// fusedQueue is a queue behind a fuse.
type fusedQueue struct {
	Queue
	fuse *fuse
}

func (q fusedQueue) PublishChunk(ctx context.Context, w contracts.ChunkWork) error {
	return q.fuse.call(func() error { return q.Queue.PublishChunk(ctx, w) })
}

func (q fusedQueue) PublishEvent(ctx context.Context, e contracts.Event) error {
	return q.fuse.call(func() error { return q.Queue.PublishEvent(ctx, e) })
}

func (q fusedQueue) PublishDead(ctx context.Context, subject string, data []byte, reason string) error {
	return q.fuse.call(func() error { return q.Queue.PublishDead(ctx, subject, data, reason) })
}

func (q fusedQueue) Purge(ctx context.Context, job contracts.JobID) error {
	return q.fuse.call(func() error { return q.Queue.Purge(ctx, job) })
}
