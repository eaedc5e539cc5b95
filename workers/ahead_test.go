package workers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/penstock-io/penstock/contracts"
)

// slowStore answers no request before so many wait at once, or an object is asked for a second time.
type slowStore struct {
	mu     sync.Mutex
	wait   int
	asked  map[string]int // by key
	most   int            // bytes under way at a time
	now    int
	opened chan struct{} // closed when enough wait
	enough sync.Once
	broken string // key of an object that cannot be read the first time
}

func (s *slowStore) Open(ctx context.Context, o contracts.Object, off, n int64) (io.ReadCloser, error) {
	s.mu.Lock()
	s.asked[o.Key]++
	s.now += int(n)
	s.most = max(s.most, s.now)
	if len(s.asked) >= s.wait {
		s.enough.Do(func() { close(s.opened) })
	}
	again := s.asked[o.Key] > 1
	s.mu.Unlock()
	select {
	case <-s.opened:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	s.mu.Lock()
	s.now -= int(n)
	s.mu.Unlock()
	if o.Key == s.broken && !again {
		return nil, errors.New("connection reset")
	}
	return io.NopCloser(strings.NewReader(strings.Repeat("x", int(o.Size))[off : off+n])), nil
}

func small(n int, size int64) []contracts.Part {
	parts := make([]contracts.Part, n)
	for i := range parts {
		o := contracts.Object{Bucket: "b", Key: fmt.Sprint(i), ETag: "e", Size: size}
		parts[i] = contracts.Part{Object: o, End: size, Whole: true}
	}
	return parts
}

// TestSmallObjectsAreFetchedAhead: the store does not answer before as many are asked for as may be.
func TestSmallObjectsAreFetchedAhead(t *testing.T) {
	t.Parallel()
	s := &slowStore{wait: aheadObjects, asked: map[string]int{}, opened: make(chan struct{}), broken: "3"}
	parts := small(40, 10)
	a := newAhead(t.Context(), s, parts)
	defer a.Close()
	for i, p := range parts {
		body, err := a.Open(t.Context(), p.Object, 0, p.Object.Size)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(body)
		if err != nil || string(data) != "xxxxxxxxxx" {
			t.Fatalf("object %d: found %q, %v", i, data, err)
		}
	}
	a.Close()
	for key, n := range s.asked {
		if want := map[bool]int{true: 2, false: 1}[key == s.broken]; n != want {
			t.Errorf("object %s was asked for %d times, expected %d", key, n, want)
		}
	}
}

// TestFetchingAheadIsBounded: by bytes, and large objects and parts of objects are left to those who read them.
func TestFetchingAheadIsBounded(t *testing.T) {
	t.Parallel()
	s := &slowStore{wait: aheadBytes / aheadSmall, asked: map[string]int{}, opened: make(chan struct{})}
	parts := small(64, aheadSmall)
	parts[1].Object.Size++
	parts[2].Whole = false
	parts[3].Object.Bucket = contracts.LocalBucket
	a := newAhead(t.Context(), s, parts)
	<-s.opened
	a.Close()
	if s.most > aheadBytes || len(a.fetched) != aheadBytes/aheadSmall || s.asked["1"]+s.asked["2"]+s.asked["3"] > 0 {
		t.Errorf("found %d bytes and %d objects under way: %v", s.most, len(a.fetched), s.asked)
	}
	if alone := newAhead(t.Context(), s, parts[:1]); len(alone.fetched) > 0 {
		t.Error("the only object of a chunk was asked for before its reader came")
	}
}
