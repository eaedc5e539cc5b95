package state_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/state"
)

// hooked are documents that something is done to before the k-th call.
type hooked struct {
	state.Docs
	left atomic.Int64
	hook func() error // an error ends the call, and all after it
	dead atomic.Bool
}

func hookAt(d state.Docs, k int, hook func() error) *hooked {
	h := &hooked{Docs: d, hook: hook}
	h.left.Store(int64(k))
	return h
}

func (h *hooked) call() error {
	if h.left.Add(-1) == 0 {
		if err := h.hook(); err != nil {
			h.dead.Store(true)
		}
	}
	if h.dead.Load() {
		return errKilled
	}
	return nil
}

var errKilled = contracts.Errorf(contracts.KindInterrupted, "the process was killed")

func (h *hooked) Get(ctx context.Context, key string) ([]byte, string, error) {
	if err := h.call(); err != nil {
		return nil, "", err
	}
	return h.Docs.Get(ctx, key)
}

func (h *hooked) Put(ctx context.Context, key string, data []byte) error {
	if err := h.call(); err != nil {
		return err
	}
	return h.Docs.Put(ctx, key, data)
}

func (h *hooked) Create(ctx context.Context, key string, data []byte) error {
	if err := h.call(); err != nil {
		return err
	}
	return h.Docs.Create(ctx, key, data)
}

func (h *hooked) Replace(ctx context.Context, key string, data []byte, etag string) (string, error) {
	if err := h.call(); err != nil {
		return "", err
	}
	return h.Docs.Replace(ctx, key, data, etag)
}

func (h *hooked) Delete(ctx context.Context, key string) error {
	if err := h.call(); err != nil {
		return err
	}
	return h.Docs.Delete(ctx, key)
}

// crowded is a ledger of as many runs as there may be, of one page each but for one of three.
type crowded struct {
	docs   state.Docs
	keys   []string
	loaded []contracts.Object
}

func newCrowded(t *testing.T) (c crowded) {
	t.Helper()
	c.docs = docs(t)
	s := state.New(c.docs).SmallPages(17)
	for i := range state.MaxRuns {
		must(t, enter(t.Context(), s, contracts.JobID(fmt.Sprintf("j%02d", i)), crowdedJob(i)))
		c.loaded = append(c.loaded, crowdedJob(i)...)
	}
	for key, err := range c.docs.List(t.Context(), "ledger/", "") {
		must(t, err)
		c.keys = append(c.keys, key)
	}
	return c
}

// another is a ledger like it, and what is in it.
func (c crowded) another(t *testing.T) (state.Docs, map[contracts.Object]bool) {
	t.Helper()
	d := docs(t)
	for _, key := range c.keys {
		data, _, err := c.docs.Get(t.Context(), key)
		must(t, err)
		must(t, d.Put(t.Context(), key, data))
	}
	loaded := map[contracts.Object]bool{}
	for _, o := range c.loaded {
		loaded[o] = true
	}
	return d, loaded
}

func crowdedJob(i int) []contracts.Object {
	if i == 3 {
		return numbered(i, 7, 40)
	}
	return numbered(i, 7, 17)
}

// TestEnteringKilledAtAnyCall kills a job that enters the run which is one too many before its first call, its second,
// and so on, through its pages, the directory, the merge and what is deleted after it. Another one does it again.
func TestEnteringKilledAtAnyCall(t *testing.T) {
	t.Parallel()
	full := newCrowded(t)
	for k := 1; ; k++ {
		d, loaded := full.another(t)
		last := crowdedJob(state.MaxRuns)
		h := hookAt(d, k, func() error { return errKilled })
		err := enter(t.Context(), state.New(h).SmallPages(17), "last", last)
		if h.dead.Load() == (err == nil) {
			t.Fatalf("killed at call %d: found %v", k, err)
		}
		expectAll(t, state.New(d), loaded) // nothing is lost meanwhile
		for _, o := range last {
			loaded[o] = true
		}
		s := state.New(d).SmallPages(17)
		must(t, enter(t.Context(), s, "last", last))
		must(t, s.MergeLedger(t.Context(), "readings"))
		expectLedger(t, s, numbered(0, 1, 300), loaded)
		expectTidy(t, d)
		if t.Failed() {
			t.Fatalf("killed at call %d", k)
		}
		if err == nil {
			if k < 30 {
				t.Errorf("only %d calls", k)
			}
			return
		}
	}
}

// expectAll wants everything that is loaded to be found.
func expectAll(t *testing.T, s *state.Store, loaded map[contracts.Object]bool) {
	t.Helper()
	var all []contracts.Object
	for o := range loaded {
		all = append(all, o)
	}
	slices.SortFunc(all, contracts.CompareObjects)
	expectLedger(t, s, all, loaded)
}

// TestEnteringStalledAtAnyCall has a job stand still before any of its calls while another dispatcher does the same,
// and others go on until all that it knew is merged and deleted. What it does then does no harm.
func TestEnteringStalledAtAnyCall(t *testing.T) {
	t.Parallel()
	full := newCrowded(t)
	for k := 1; ; k++ {
		d, loaded := full.another(t)
		last := crowdedJob(state.MaxRuns)
		stalled := false
		h := hookAt(d, k, func() error {
			stalled = true
			other := state.New(d).SmallPages(17)
			must(t, enter(t.Context(), other, "last", last))
			for i := range state.MergeWidth - 1 { // and the second merge is due
				more := numbered(1000+i, 7, 17)
				must(t, enter(t.Context(), other, contracts.JobID(fmt.Sprintf("more%d", i)), more))
				for _, o := range more {
					loaded[o] = true
				}
			}
			return nil
		})
		must(t, enter(t.Context(), state.New(h).SmallPages(17), "last", last))
		for _, o := range last {
			loaded[o] = true
		}
		expectAll(t, state.New(d), loaded)
		expectListed(t, d)
		if t.Failed() {
			t.Fatalf("stalled at call %d", k)
		}
		if !stalled {
			return
		}
	}
}

// expectListed wants each page to be there that the directory lists.
func expectListed(t *testing.T, d state.Docs) {
	t.Helper()
	keys, _, untidy, err := state.New(d).RunKeys(t.Context(), "readings")
	if err != nil || untidy {
		t.Errorf("untidy: %t, %v", untidy, err)
	}
	for _, key := range keys {
		if _, _, err := d.Get(t.Context(), key); err != nil {
			t.Errorf("%s: %v", key, err)
		}
	}
}

// TestLookingUpWhileRunsAreMerged: a cursor that finds a page gone reads the directory again.
func TestLookingUpWhileRunsAreMerged(t *testing.T) {
	t.Parallel()
	full := newCrowded(t)
	for _, from := range []int{0, 1, 20, 60} {
		d, loaded := full.another(t)
		all := numbered(0, 1, 200)
		l := state.New(d).Ledger(t.Context(), "readings")
		defer l.Close()
		for i, o := range all {
			if i == from {
				must(t, enter(t.Context(), state.New(d).SmallPages(17), "last", numbered(1000, 1, 17)))
			}
			if has, err := l.Has(o); err != nil || has != loaded[o] {
				t.Errorf("merged before %d: %s: found %t, %v, expected %t", from, o.Key, has, err, loaded[o])
			}
		}
	}
}

// TestLostPages: a page that is listed and gone is said to be, as is one that is damaged.
func TestLostPages(t *testing.T) {
	t.Parallel()
	d, ctx := docs(t), t.Context()
	s := state.New(d)
	mine := numbered(0, 1, 20)
	must(t, enter(ctx, s, "j1", mine))
	keys, _, _, err := s.RunKeys(ctx, "readings")
	must(t, err)
	data, _, err := d.Get(ctx, keys[0])
	must(t, err)
	at := bytes.LastIndexByte(data, 'e') // the last entry's version, behind its length
	data[at-1] = 0xff
	must(t, d.Put(ctx, keys[0], data))
	_, err = s.Loaded(ctx, "readings", mine[19])
	const remedy = "delete ledger/readings/~/directory in the state bucket"
	expectError(t, err, "is damaged: restore it")
	expectError(t, err, remedy)
	must(t, d.Delete(ctx, keys[0]))
	_, err = s.Loaded(ctx, "readings", mine[19])
	expectError(t, err, "page 0 of run j1-")
	expectError(t, err, "though it is listed: restore it")
	expectError(t, err, remedy)
	if err := s.MergeLedger(ctx, "readings"); err != nil {
		t.Errorf("nothing to merge: found %v", err)
	}
	must(t, d.Delete(ctx, "ledger/readings/~/directory"))
	_, err = s.Loaded(ctx, "readings", mine[19])
	expectKind(t, err, contracts.KindMissing)
	must(t, enter(ctx, s, "j1", mine))
	_, err = s.Loaded(ctx, "readings", mine[19])
	must(t, err)
}

func expectError(t *testing.T, err error, want string) {
	t.Helper()
	if contracts.KindOf(err) != contracts.KindInternal || !strings.Contains(fmt.Sprint(err), want) {
		t.Errorf("found %v, expected %q", err, want)
	}
}

// TestWalkedTwiceAlike: a job that is not what it was when it was noted enters nothing.
func TestWalkedTwiceAlike(t *testing.T) {
	t.Parallel()
	s, ctx := open(t), t.Context()
	e := s.Enter("readings", "j1", time.Unix(1, 0))
	all := numbered(0, 1, 30)
	for _, o := range all {
		e.Note(o)
	}
	_, err := e.Commit(ctx, func(add func(contracts.Object) error) error {
		for _, o := range all[1:] {
			must(t, add(o))
		}
		return nil
	})
	expectKind(t, err, contracts.KindChanged)
	_, err = e.Commit(ctx, func(add func(contracts.Object) error) error { must(t, add(all[1])); return add(all[0]) })
	expectKind(t, err, contracts.KindInternal)
	_, err = s.Loaded(ctx, "readings", all[1])
	expectKind(t, err, contracts.KindMissing)
}

// met are documents whose reads of the directory and of an entry wait for each other.
type met struct {
	state.Docs
	directory, entry chan struct{}
}

func (m *met) Get(ctx context.Context, key string) ([]byte, string, error) {
	mine, other := m.entry, m.directory
	if strings.HasSuffix(key, "/~/directory") {
		mine, other = other, mine
	}
	close(mine)
	select {
	case <-other:
		return m.Docs.Get(ctx, key)
	case <-time.After(time.Minute):
		return nil, "", contracts.Errorf(contracts.KindInternal, "%s: read alone, expected entry and directory at once", key)
	}
}

// TestOneStepToLookUp: where no job was large, a lookup waits as long as it did.
func TestOneStepToLookUp(t *testing.T) {
	t.Parallel()
	s := state.New(&met{docs(t), make(chan struct{}), make(chan struct{})})
	_, err := s.Loaded(t.Context(), "readings", numbered(0, 1, 1)[0])
	expectKind(t, err, contracts.KindMissing)
}

// TestRequestsOfManyObjects: a job costs a request for some thousand objects, to enter and to ask for, and an object of
// another key range none but the directory's.
func TestRequestsOfManyObjects(t *testing.T) {
	t.Parallel()
	d := docs(t)
	all := numbered(0, 1, 10_000)
	for _, c := range []struct {
		what  string
		calls int64
		do    func(s *state.Store) error
	}{
		{"enter 10,000: the directory, three pages, the directory", 5, func(s *state.Store) error {
			return enter(t.Context(), s, "j1", all)
		}},
		{"enter them again", 1, func(s *state.Store) error { return enter(t.Context(), s, "j1", all) }},
		{"ask for 10,000: 16 entries, the directory, three pages; the listing is not asked", 20,
			func(s *state.Store) error {
				l := s.Ledger(t.Context(), "readings")
				defer l.Close()
				for _, o := range all {
					if has, err := l.Has(o); err != nil || !has {
						t.Fatalf("%s: found %t, %v", o.Key, has, err)
					}
				}
				return nil
			}},
		{"ask for one of them: entry, directory, page", 3, func(s *state.Store) error {
			_, err := s.Loaded(t.Context(), "readings", all[5000])
			return err
		}},
		{"ask for one beyond: entry, directory", 2, func(s *state.Store) error {
			_, err := s.Loaded(t.Context(), "readings", numbered(20_000, 1, 1)[0])
			if contracts.KindOf(err) == contracts.KindMissing {
				return nil
			}
			return err
		}},
	} {
		h := hookAt(d, 1<<30, nil)
		must(t, c.do(state.New(h)))
		if calls := 1<<30 - h.left.Load(); calls != c.calls {
			t.Errorf("%s: %d requests, expected %d", c.what, calls, c.calls)
		}
	}
}
