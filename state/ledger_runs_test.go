package state_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/state"
)

// enter has a job enter objects, and merge what there is to merge.
func enter(ctx context.Context, s *state.Store, job contracts.JobID, objects []contracts.Object) error {
	e := s.Enter("readings", job, time.Unix(1, 0))
	for _, o := range objects {
		e.Note(o)
	}
	untidy, err := e.Commit(ctx, func(add func(contracts.Object) error) error {
		for _, o := range objects {
			if err := add(o); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || !untidy {
		return err
	}
	return s.MergeLedger(ctx, "readings")
}

// numbered are n objects of one bucket, every step-th from the first.
func numbered(first, step, n int) []contracts.Object {
	all := make([]contracts.Object, n)
	for i := range all {
		all[i] = contracts.Object{Bucket: "b", Key: fmt.Sprintf("2026/part-%07d.csv", first+i*step), ETag: "e"}
	}
	return all
}

// expectTidy wants all pages to be there that are listed, and no others.
func expectTidy(t *testing.T, d state.Docs) {
	t.Helper()
	want, runs, untidy, err := state.New(d).RunKeys(t.Context(), "readings")
	must(t, err)
	if runs > state.MaxRuns || untidy {
		t.Errorf("%d runs, untidy: %t; expected at most %d, tidy", runs, untidy, state.MaxRuns)
	}
	slices.Sort(want)
	var got []string
	for key, err := range d.List(t.Context(), "ledger/readings/~/", "") {
		must(t, err)
		if !strings.HasSuffix(key, "/directory") {
			got = append(got, key)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("found pages %q, expected those that are listed: %q", got, want)
	}
}

// TestRunsAreAMap has jobs of any size enter objects of any kind, some that others have entered, and asks for all and
// others in one go and one by one.
func TestRunsAreAMap(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 1))
			d := docs(t)
			s := state.New(d).SmallPages(1 + r.IntN(12))
			all := assorted(r)
			loaded := map[contracts.Object]bool{}
			for job := range 20 + r.IntN(20) {
				part := 1 + r.IntN(8)
				var mine []contracts.Object
				for _, o := range all {
					same := len(mine) > 0 && mine[len(mine)-1].Key == o.Key && mine[len(mine)-1].Bucket == o.Bucket
					if r.IntN(8) < part && r.IntN(4) == 0 && !same {
						mine = append(mine, o)
						loaded[o] = true
					}
				}
				must(t, enter(t.Context(), s, contracts.JobID(fmt.Sprintf("j%d", job)), mine))
			}
			expectLedger(t, s, all, loaded)
			for range 20 {
				o := all[r.IntN(len(all))]
				e, err := s.Loaded(t.Context(), "readings", o)
				if loaded[o] != (err == nil) || loaded[o] && (e.Object != o.Address() || e.Version != o.ETag || e.Job == "") {
					t.Errorf("%q %s: found %+v, %v, expected %t", o.Key, o.ETag, e, err, loaded[o])
				}
			}
			expectTidy(t, d)
		})
	}
}

// assorted are versions of objects of two buckets, in order.
func assorted(r *rand.Rand) (all []contracts.Object) {
	for _, bucket := range []string{"aa", contracts.LocalBucket} {
		for _, key := range ledgerKeys(r, 100) {
			for v := range 1 + r.IntN(3) {
				all = append(all, contracts.Object{Bucket: bucket, Key: key, ETag: fmt.Sprintf("e%d", v)})
			}
		}
	}
	return all
}

// TestLongRuns are of more pages than the directory lists: of every fourth one it has the first entry.
func TestLongRuns(t *testing.T) {
	t.Parallel()
	s := state.New(docs(t)).SmallPages(1)
	const n = 520
	must(t, enter(t.Context(), s, "j1", numbered(0, 2, n)))
	all, loaded := numbered(0, 1, 2*n), map[contracts.Object]bool{}
	for i, o := range all {
		loaded[o] = i%2 == 0
	}
	expectLedger(t, s, all, loaded)
	r := rand.New(rand.NewPCG(1, 1))
	for range 30 {
		o := all[r.IntN(len(all))]
		if _, err := s.Loaded(t.Context(), "readings", o); loaded[o] != (err == nil) {
			t.Errorf("%s: found %v, expected %t", o.Key, err, loaded[o])
		}
	}
	l := s.Ledger(t.Context(), "readings")
	defer l.Close()
	for _, i := range r.Perm(len(all))[:60] { // nobody asks so, and what it says is right all the same
		if has, err := l.Has(all[i]); i < 17 && (err != nil || has != loaded[all[i]]) {
			t.Errorf("%s: found %t, %v", all[i].Key, has, err)
		}
	}
}

// TestObjectsInNoOrder are entered one by one: a run must be in order.
func TestObjectsInNoOrder(t *testing.T) {
	t.Parallel()
	s := open(t)
	all, loaded := numbered(0, 1, 20), map[contracts.Object]bool{}
	for _, o := range all {
		loaded[o] = true
	}
	mixed := slices.Clone(all)
	slices.Reverse(mixed)
	must(t, enter(t.Context(), s, "j1", mixed))
	if keys, _, _, err := s.RunKeys(t.Context(), "readings"); err != nil || len(keys) > 0 {
		t.Errorf("found pages %q, %v, expected none", keys, err)
	}
	expectLedger(t, s, all, loaded)
}

// TestWritersAtOnce: each run counts, and two dispatchers with one job list one.
func TestWritersAtOnce(t *testing.T) {
	t.Parallel()
	d := docs(t)
	race(12, func(i int) {
		s := state.New(d).SmallPages(8)
		if err := enter(t.Context(), s, contracts.JobID(fmt.Sprintf("j%d", i/2)), numbered(i/2, 6, 20)); err != nil {
			t.Errorf("job %d: %v", i/2, err)
		}
	})
	loaded := map[contracts.Object]bool{}
	for _, o := range numbered(0, 1, 120) {
		loaded[o] = true
	}
	expectLedger(t, state.New(d), numbered(0, 1, 130), loaded)
	if _, runs, _, err := state.New(d).RunKeys(t.Context(), "readings"); err != nil || runs != 6 {
		t.Errorf("found %d runs, %v, expected 6", runs, err)
	}
	expectTidy(t, d)
}
