package workers

import (
	"bytes"
	"context"
	"io"
	"sync"

	"github.com/penstock-io/penstock/chunk"
	"github.com/penstock-io/penstock/contracts"
)

// Of a chunk's small objects so many, and so many bytes of them, are asked for before their turn: what they take is
// waiting for the store, once for each.
const (
	aheadObjects = 16
	aheadBytes   = 4 << 20
	aheadSmall   = 256 << 10 // bytes of an object that is read as a whole
)

// ahead opens the objects of one chunk, in the order of its parts. It asks for each once, and again only where that
// fails. Not safe for concurrent use. Close it.
type ahead struct {
	opener  chunk.Opener
	parts   []contracts.Part // not yet asked for
	fetched []*fetch         // in order
	bytes   int64            // of them
	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup
}

// fetch is one object on its way.
type fetch struct {
	object contracts.Object
	data   []byte
	err    error
	done   chan struct{}
}

func newAhead(ctx context.Context, o chunk.Opener, parts []contracts.Part) *ahead {
	a := &ahead{opener: o}
	if len(parts) > 1 {
		a.parts = parts
	}
	a.ctx, a.cancel = context.WithCancel(ctx)
	a.goOn()
	return a
}

// Close ends what is on its way.
func (a *ahead) Close() {
	a.cancel()
	a.running.Wait()
}

// Open is chunk.Opener's.
func (a *ahead) Open(ctx context.Context, o contracts.Object, off, n int64) (io.ReadCloser, error) {
	f := a.take(o)
	a.goOn()
	if f == nil || off != 0 || n != o.Size {
		return a.opener.Open(ctx, o, off, n)
	}
	select {
	case <-f.done:
	case <-ctx.Done():
	}
	if ctx.Err() != nil || f.err != nil { // whoever asks again is told what it is
		return a.opener.Open(ctx, o, off, n)
	}
	return io.NopCloser(bytes.NewReader(f.data)), nil
}

// take gives what was asked for of an object and forgets what stands before it; nil where nothing was.
func (a *ahead) take(o contracts.Object) *fetch {
	for i, f := range a.fetched {
		if f.object != o {
			continue
		}
		for _, passed := range a.fetched[:i+1] {
			a.bytes -= passed.object.Size
		}
		a.fetched = a.fetched[i+1:]
		return f
	}
	return nil
}

// goOn asks for further objects as there is room. A larger one is left to whoever comes to it.
func (a *ahead) goOn() {
	for len(a.parts) > 0 && len(a.fetched) < aheadObjects && a.bytes < aheadBytes {
		p := a.parts[0]
		a.parts = a.parts[1:]
		if p.Whole && p.Object.Size > 0 && p.Object.Size <= aheadSmall && p.Object.Bucket != contracts.LocalBucket {
			a.fetch(p.Object)
		}
	}
}

func (a *ahead) fetch(o contracts.Object) {
	f := &fetch{object: o, done: make(chan struct{})}
	a.fetched = append(a.fetched, f)
	a.bytes += o.Size
	a.running.Go(func() {
		defer close(f.done)
		f.err = f.read(a.ctx, a.opener)
	})
}

func (f *fetch) read(ctx context.Context, o chunk.Opener) error {
	body, err := o.Open(ctx, f.object, 0, f.object.Size)
	if err != nil {
		return err
	}
	f.data = make([]byte, f.object.Size)
	_, err = io.ReadFull(body, f.data)
	if cerr := body.Close(); err == nil {
		err = cerr
	}
	return err
}
