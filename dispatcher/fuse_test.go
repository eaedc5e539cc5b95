package dispatcher

import (
	"context"
	"iter"
	"sync/atomic"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/state"
)

// fuse is the life of a process that is killed just before its k-th call to the outside. From then on no call of it has
// any effect, and each fails as if the process were leaving.
type fuse struct {
	left atomic.Int64 // calls, the one included before which it is killed
	told func()       // that it was killed; nil: nobody asks
}

func newFuse(k int) *fuse {
	f := &fuse{}
	f.left.Store(int64(k))
	return f
}

var errKilled = contracts.Errorf(contracts.KindInterrupted, "the process was killed")

// burn counts a call; false where there is nobody left to make it.
func (f *fuse) burn() bool {
	left := f.left.Add(-1)
	if left == 0 && f.told != nil {
		f.told()
	}
	return left > 0
}

func (f *fuse) blown() bool { return f.left.Load() <= 0 }

// call makes a call if the process is still there to make it.
func (f *fuse) call(fn func() error) error {
	if !f.burn() {
		return errKilled
	}
	return fn()
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
		if !d.fuse.burn() {
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

func (q fusedQueue) PublishChunks(ctx context.Context, all []contracts.ChunkWork) error {
	for i := range all {
		if err := q.fuse.call(func() error { return q.Queue.PublishChunks(ctx, all[i:i+1]) }); err != nil {
			return err
		}
	}
	return nil
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
