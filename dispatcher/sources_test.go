package dispatcher

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/contracts"
)

// named gives the addresses that sources name, and errors by their objects.
func named(t *testing.T, m *memory, texts ...string) (addresses []string) {
	t.Helper()
	var sources []source
	for _, text := range texts {
		s, err := parseSource(text)
		must(t, err)
		sources = append(sources, s)
	}
	for f := range merge(t.Context(), m, sources) {
		if f.err != nil {
			addresses = append(addresses, fmt.Sprintf("%s: %s", contracts.KindOf(f.err), *contracts.Info(f.err).Object))
			continue
		}
		addresses = append(addresses, f.object.Address())
	}
	return addresses
}

func TestSources(t *testing.T) {
	t.Parallel()
	m := newMemory("s3://b/a.csv", "s3://b/a.csv.bak", "s3://b/d/", "s3://b/d/1.csv", "s3://b/d/2.csv", "s3://b/d/e/3.csv",
		"s3://b/d/e/f/4.csv", "s3://b/d2",
		"s3://b/w*[1]?\\.csv", "s3://b/wxx1y.csv", "s3://b/é.csv", "s3://b/x\ny", "s3://c/z")
	for _, c := range []struct {
		sources []string
		want    []string
	}{
		{[]string{"s3://b/a.csv"}, []string{"s3://b/a.csv"}},
		{[]string{"s3://b/a."}, []string{"s3://b/a.csv", "s3://b/a.csv.bak"}}, // a prefix where no object has the key
		{[]string{"s3://b/d/"}, []string{"s3://b/d/1.csv", "s3://b/d/2.csv", "s3://b/d/e/3.csv", "s3://b/d/e/f/4.csv"}},
		{[]string{"s3://b/d/*"}, []string{"s3://b/d/1.csv", "s3://b/d/2.csv"}},
		{[]string{"s3://b/d/**"}, []string{"s3://b/d/1.csv", "s3://b/d/2.csv", "s3://b/d/e/3.csv", "s3://b/d/e/f/4.csv"}},
		{[]string{"s3://b/d/**/3.csv"}, []string{"s3://b/d/e/3.csv"}},
		{[]string{"s3://b/d/*/*.csv"}, []string{"s3://b/d/e/3.csv"}},
		{[]string{"s3://b/d/?.csv"}, []string{"s3://b/d/1.csv", "s3://b/d/2.csv"}},
		{[]string{"s3://b/d/[13].csv"}, []string{"s3://b/d/1.csv"}},
		{[]string{"s3://b/d/[^1].csv"}, []string{"s3://b/d/2.csv"}},
		{[]string{"s3://b/d/[2-9].csv"}, []string{"s3://b/d/2.csv"}},
		{[]string{"s3://b/?.csv"}, []string{"s3://b/a.csv", "s3://b/é.csv"}},
		{[]string{"s3://b/x*"}, []string{"s3://b/x\ny"}},
		{[]string{"s3://b/w\\*\\[1\\]\\?\\\\.csv"}, []string{"s3://b/w*[1]?\\.csv"}},
		{[]string{"s3://b/w*1*"}, []string{"s3://b/w*[1]?\\.csv", "s3://b/wxx1y.csv"}},
		{[]string{"s3://c"}, []string{"s3://c/z"}},
		{[]string{"s3://c/"}, []string{"s3://c/z"}},
		{[]string{"s3://c/z", "s3://b/d/2.csv", "s3://b/d/*", "s3://b/d/1.csv"}, // order and repetition do not count
			[]string{"s3://b/d/1.csv", "s3://b/d/2.csv", "s3://c/z"}},
		{[]string{"s3://b/nothing/", "s3://c/z"}, []string{"missing: s3://b/nothing/", "s3://c/z"}},
		{[]string{"s3://c/y", "s3://c/y"}, []string{"missing: s3://c/y", "missing: s3://c/y"}},
		{[]string{"s3://b/d/*.tsv"}, []string{"missing: s3://b/d/*.tsv"}},
	} {
		if got := named(t, m, c.sources...); !slices.Equal(got, c.want) {
			t.Errorf("%q: found %q, expected %q", c.sources, got, c.want)
		}
	}
}

func TestSourcesOfThisMachine(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"/data/a.csv": "data/a.csv", "file:///data/a.csv": "data/a.csv", "/data/*.csv": "data/",
	} {
		s, err := parseSource(text)
		if err != nil || s.bucket != contracts.LocalBucket || s.key != want {
			t.Errorf("%s: found %+v, %v", text, s, err)
		}
	}
}

func TestSourcesThatAreRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "a.csv", "s3://", "s3:///key", "http://host/a", "s3://b/[a", "s3://b/[]",
		"s3://b/[z-a]", "file://data/a.csv"} {
		if _, err := parseSource(text); contracts.KindOf(err) != contracts.KindConfig ||
			!strings.Contains(err.Error(), fmt.Sprintf("%q", text)) {
			t.Errorf("%q: found %v", text, err)
		}
	}
}

// TestEscapedKeysMeanThemselves, whatever is in them.
func TestEscapedKeysMeanThemselves(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 1))
	alphabet := []string{"*", "?", "[", "]", "\\", "a", "-", "^", "/", ".", "é", "\n", "(", "$"}
	for range 2000 {
		var b strings.Builder
		for range 1 + r.IntN(6) {
			b.WriteString(alphabet[r.IntN(len(alphabet))])
		}
		key := b.String() + "x"
		s, err := parseSource("s3://b/" + EscapeGlob(key))
		if err != nil {
			t.Fatalf("%q: %v", key, err)
		}
		if s.pattern == nil && s.key != key ||
			s.pattern != nil && (!s.pattern.MatchString(key) || !strings.HasPrefix(key, s.key)) {
			t.Fatalf("%q: found %+v", key, s)
		}
		if other := key + "y"; s.pattern != nil && s.pattern.MatchString(other) {
			t.Fatalf("%q matches %q", key, other)
		}
	}
}

// TestMergeIsASortedSet compares the merge of random sources with a plain set.
func TestMergeIsASortedSet(t *testing.T) {
	t.Parallel()
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 2))
		m := newMemory()
		for range 40 {
			a := fmt.Sprintf("s3://%c/%c/%c", 'b'+r.IntN(3), 'k'+r.IntN(4), 'p'+r.IntN(6))
			if !slices.ContainsFunc(m.objects, func(o contracts.Object) bool { return o.Address() == a }) {
				m.add(a, 1)
			}
		}
		var sources []string
		want := map[string]bool{}
		for range 1 + r.IntN(6) {
			bucket, folder, key := 'b'+r.IntN(3), 'k'+r.IntN(4), 'p'+r.IntN(6)
			text := [...]string{fmt.Sprintf("s3://%c", bucket), fmt.Sprintf("s3://%c/%c/", bucket, folder),
				fmt.Sprintf("s3://%c/*/%c", bucket, key), fmt.Sprintf("s3://%c/%c/%c", bucket, folder, key)}[r.IntN(4)]
			sources = append(sources, text)
			for _, a := range named(t, m, text) {
				if !strings.Contains(a, "missing") {
					want[a] = true
				}
			}
		}
		got := slices.DeleteFunc(named(t, m, sources...), func(a string) bool { return strings.Contains(a, "missing") })
		if !slices.IsSorted(got) || len(got) != len(want) || len(slices.Compact(slices.Clone(got))) != len(got) {
			t.Fatalf("seed %d, %q: found %q, expected %v", seed, sources, got, want)
		}
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	m := newMemory("s3://b/1", "s3://b/2", "s3://b/3")
	n := 0
	for o, err := range Find(t.Context(), m, "s3://b/*") {
		if n++; err != nil || o.Key != fmt.Sprint(n) {
			t.Errorf("found %+v, %v", o, err)
		}
		if n == 2 {
			break
		}
	}
	for _, err := range Find(t.Context(), m, "nowhere") {
		expectKind(t, err, contracts.KindConfig)
		n++
	}
	if n != 3 {
		t.Errorf("yielded %d times", n)
	}
}
