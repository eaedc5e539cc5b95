package dispatcher

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
)

// TestSharedReadingsBeginAfterTheQuestion: many who ask at once get few readings, and nobody one that began before he
// asked.
func TestSharedReadingsBeginAfterTheQuestion(t *testing.T) {
	t.Parallel()
	var s shared[int64]
	var changes, readings atomic.Int64
	read := func(context.Context) (int64, error) {
		readings.Add(1)
		return changes.Load(), nil
	}
	const many = 100
	var all sync.WaitGroup
	for range many {
		all.Go(func() {
			mine := changes.Add(1)
			if seen, err := s.ask(t.Context(), read); err != nil || seen < mine {
				t.Errorf("change %d was made before, found %d, %v", mine, seen, err)
			}
		})
	}
	all.Wait()
	if n := readings.Load(); n >= many {
		t.Errorf("%d questions took %d readings", many, n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	failing := func(ctx context.Context) (int64, error) { return 0, ctx.Err() }
	if _, err := s.ask(ctx, failing); err == nil {
		t.Error("found no error")
	}
}
