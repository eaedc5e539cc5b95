package objectstest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
)

// oddKeys sort otherwise by runes, by locale or by folder than they do by bytes.
func oddKeys(files bool) []string {
	keys := []string{
		"a-b", "a.b", "a/b", "a/b.c", "a/b-c", "a/B", "a/c/d", "a/c.d", "a/c-d/e", "a0", "a b/c d", "a+b", "a++b/c",
		"a%2Fb", "a%", "100%/x", "A", "_", "~", "ä", "ö/ü", "ö-", "日本/語", "😀", "\ufffd", "q?x=y&z", "s#t", "w*", "[x]", "{y}",
		"quote'\"", "back\\slash", "semi;colon:@,$!", "<xml>&amp;", ".hidden", "dir.csv/part",
	}
	if !files {
		keys = append(keys, "a", "a/c", "ö")
	}
	slices.Sort(keys)
	return keys
}

func listOrder(t *testing.T, f Fixture) {
	keys := oddKeys(f.Files)
	for _, key := range keys {
		f.put(t, key, []byte("content of "+key))
	}
	wantKeys(t, "all", f.keys(t, "", ""), keys)
	for i, key := range keys {
		wantKeys(t, "after "+key, f.keys(t, "", f.Prefix+key), keys[i+1:])
	}
	for _, after := range []string{"a", "a/", "a/c/", "a/c/~", "a/c0", "b", "\x01", "ä/", "zzz"} {
		first, found := slices.BinarySearch(keys, after)
		if found {
			first++
		}
		wantKeys(t, "after "+after, f.keys(t, "", f.Prefix+after), keys[first:])
	}
	sameAsStat(t, f)
	for _, key := range keys {
		if data, err := f.read(t.Context(), f.stat(t, key), 0, -1); err != nil || string(data) != "content of "+key {
			t.Errorf("read %q: got %q, %v", key, data, err)
		}
	}
}

func sameAsStat(t *testing.T, f Fixture) {
	t.Helper()
	for o, err := range f.List(t.Context(), f.Bucket, f.Prefix, "") {
		if err != nil {
			t.Fatal(err)
		}
		s := f.stat(t, o.Key[len(f.Prefix):])
		if s.ETag != o.ETag || s.VersionID != o.VersionID || s.Size != o.Size || s.Key != o.Key || s.ETag == "" {
			t.Errorf("listed %+v, stat says %+v", o, s)
		}
	}
}

func listPrefix(t *testing.T, f Fixture) {
	keys := oddKeys(f.Files)
	for _, key := range keys {
		f.put(t, key, nil)
	}
	for _, prefix := range []string{
		"a", "a/", "a/b", "a/c", "a/c/", "a/c/d", "a b", "a b/", "a%", "ö", "日本/", "nothing", "no/thing/",
	} {
		want := slices.DeleteFunc(slices.Clone(keys), func(k string) bool { return !strings.HasPrefix(k, prefix) })
		wantKeys(t, "prefix "+prefix, f.keys(t, prefix, ""), want)
		if len(want) > 1 {
			wantKeys(t, "rest of prefix "+prefix, f.keys(t, prefix, f.Prefix+want[0]), want[1:])
		}
	}
	for o, err := range f.List(t.Context(), f.Bucket, f.Prefix, "") {
		if err != nil || o.Key != f.Prefix+keys[0] {
			t.Fatalf("first: got %q, %v, want %q", o.Key, err, keys[0])
		}
		break // the listing must stand that
	}
}

func listMany(t *testing.T, f Fixture) {
	const n, hands = 1100, 8 // more than a page of S3
	var group sync.WaitGroup
	want := make([]string, n)
	for i := range n {
		want[i] = fmt.Sprintf("part-%d/%05d.csv", i/500, i)
	}
	for h := range hands {
		group.Go(func() {
			for i := h; i < n; i += hands {
				if err := f.Put(t.Context(), f.Prefix+want[i], []byte{1}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	wantKeys(t, "all", f.keys(t, "", ""), want)
	wantKeys(t, "the last", f.keys(t, "", f.Prefix+want[n-3]), want[n-2:])
}

func cancelled(t *testing.T, f Fixture) {
	o := f.put(t, "x", []byte("x"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := f.Stat(ctx, f.Bucket, f.Prefix+"x")
	wantKind(t, "stat", err, "interrupted")
	_, err = f.read(ctx, o, 0, -1)
	wantKind(t, "open", err, "interrupted")
	err = nil
	for _, e := range f.List(ctx, f.Bucket, f.Prefix, "") {
		err = e
	}
	wantKind(t, "list", err, "interrupted")
}
