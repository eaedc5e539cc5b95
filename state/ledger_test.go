package state_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/state"
)

// ledgerKeys makes keys that are hard on an ordered encoding: prefixes of each other, of every byte, around the lengths
// where the encoding is cut, and too long for it.
func ledgerKeys(r *rand.Rand, n int) []string {
	pieces := []string{
		"a", "a/", "a.", "a-", "A", "~", "é", "日本", "\x01", "\x7f", "/", " ", "0", "_",
		strings.Repeat("p", 61), strings.Repeat("p", 62), strings.Repeat("q", 63),
		strings.Repeat("q", 124), strings.Repeat("z", 399),
	}
	seen := map[string]bool{}
	for len(seen) < n {
		var b strings.Builder
		for range 1 + r.IntN(5) {
			b.WriteString(pieces[r.IntN(len(pieces))])
		}
		if key := b.String(); len(key) <= 1000 {
			seen[key] = true
		}
	}
	keys := make([]string, 0, n)
	for key := range seen {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// TestLedgerIsAMap compares the cursor with a plain map. More than sixteen objects make it list.
func TestLedgerIsAMap(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ seed, keys uint64 }{{1, 5}, {2, 15}, {3, 40}, {4, 120}, {5, 120}} {
		t.Run(fmt.Sprintf("%d keys, seed %d", c.keys, c.seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(c.seed, 0))
			s := open(t)
			var asked []contracts.Object
			loaded := map[contracts.Object]bool{}
			for _, bucket := range []string{"aa", "bb"} {
				for _, key := range ledgerKeys(r, int(c.keys)) {
					for v := range 1 + r.IntN(3) {
						o := contracts.Object{Bucket: bucket, Key: key, ETag: fmt.Sprintf("e%d", v)}
						asked = append(asked, o)
						if r.IntN(2) == 0 {
							loaded[o] = true
							must(t, s.AddLedger(t.Context(), "readings", "j1", o, time.Unix(1, 0)))
						}
					}
				}
			}
			expectLedger(t, s, asked, loaded)
		})
	}
}

func expectLedger(t *testing.T, s *state.Store, asked []contracts.Object, loaded map[contracts.Object]bool) {
	t.Helper()
	l := s.Ledger(t.Context(), "readings")
	defer l.Close()
	for i, o := range asked {
		got, err := l.Has(o)
		if err != nil || got != loaded[o] {
			t.Fatalf("object %d of %d, %q %s of bucket %s: found %t, %v, expected %t",
				i, len(asked), o.Key, o.ETag, o.Bucket, got, err, loaded[o])
		}
	}
}

func TestLedgerEntries(t *testing.T) {
	t.Parallel()
	s, ctx := open(t), t.Context()
	o := contracts.Object{Bucket: contracts.LocalBucket, Key: "data/a.csv", ETag: "e1"}
	_, err := s.Loaded(ctx, "readings", o)
	expectKind(t, err, contracts.KindMissing)
	must(t, s.AddLedger(ctx, "readings", "j1", o, time.Unix(1, 0).UTC()))
	must(t, s.AddLedger(ctx, "readings", "j2", o, time.Unix(2, 0).UTC()))
	want := state.LedgerEntry{V: 1, Job: "j1", Object: "/data/a.csv", Version: "e1", Loaded: time.Unix(1, 0).UTC()}
	if got, err := s.Loaded(ctx, "readings", o); err != nil || got != want {
		t.Errorf("found %+v, %v, expected %+v", got, err, want)
	}
	for name, other := range map[string]contracts.Object{
		"another version": {Bucket: o.Bucket, Key: o.Key, ETag: "e2"},
		"another bucket":  {Bucket: "data", Key: o.Key, ETag: "e1"},
		"a key below it":  {Bucket: o.Bucket, Key: o.Key + "/b", ETag: "e1"},
	} {
		if _, err := s.Loaded(ctx, "readings", other); contracts.KindOf(err) != contracts.KindMissing {
			t.Errorf("%s: found %v", name, err)
		}
	}
	_, err = s.Loaded(ctx, "reading", o)
	expectKind(t, err, contracts.KindMissing)
}

// brittle are documents whose first listing breaks off.
type brittle struct {
	state.Docs
	broken bool
}

var errDenied = contracts.Errorf(contracts.KindDenied, "no")

func (b *brittle) List(ctx context.Context, prefix, after string) iter.Seq2[string, error] {
	if b.broken {
		return b.Docs.List(ctx, prefix, after)
	}
	b.broken = true
	return func(yield func(string, error) bool) { yield("", errDenied) }
}

// TestLedgerForgetsABrokenListing: it must not take everything after the error for not loaded.
func TestLedgerForgetsABrokenListing(t *testing.T) {
	t.Parallel()
	s := state.New(&brittle{Docs: docs(t)})
	var all []contracts.Object
	for i := range 20 {
		o := contracts.Object{Bucket: "b", Key: fmt.Sprintf("k%02d", i), ETag: "e"}
		all = append(all, o)
		must(t, s.AddLedger(t.Context(), "readings", "j1", o, time.Unix(1, 0)))
	}
	l := s.Ledger(t.Context(), "readings")
	defer l.Close()
	failed := 0
	for _, o := range all {
		has, err := l.Has(o)
		if errors.Is(err, errDenied) {
			failed++
		} else if err != nil || !has {
			t.Errorf("%s: found %t, %v", o.Key, has, err)
		}
	}
	if failed != 1 {
		t.Errorf("the listing failed %d times, expected once", failed)
	}
}
