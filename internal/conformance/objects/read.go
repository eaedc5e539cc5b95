package objectstest

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/contracts"
)

func pattern(n int) []byte {
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(i*7 + i>>8)
	}
	return data
}

func ranges(t *testing.T, f Fixture) {
	data := pattern(3000)
	o := f.put(t, "ranges", data)
	if o.Size != 3000 || o.ETag == "" || strings.Contains(o.ETag, `"`) {
		t.Fatalf("stat: %+v", o)
	}
	for _, r := range []struct{ off, n, from, to int64 }{
		{0, -1, 0, 3000}, {0, 3000, 0, 3000}, {0, 1, 0, 1}, {0, 0, 0, 0}, {1, -1, 1, 3000}, {1000, 1000, 1000, 2000},
		{2999, 1, 2999, 3000}, {2999, -1, 2999, 3000}, {2999, 100, 2999, 3000}, {3000, -1, 0, 0}, {3000, 1, 0, 0},
		{4000, 10, 0, 0}, {10, 0, 0, 0},
	} {
		got, err := f.read(t.Context(), o, r.off, r.n)
		if err != nil || !bytes.Equal(got, data[r.from:r.to]) {
			t.Errorf("%d bytes from %d: got %d bytes, %v, want [%d:%d]", r.n, r.off, len(got), err, r.from, r.to)
		}
	}
}

func emptyObject(t *testing.T, f Fixture) {
	o := f.put(t, "empty", nil)
	if o.Size != 0 || o.ETag == "" {
		t.Fatalf("stat: %+v", o)
	}
	for _, n := range []int64{-1, 0, 5} {
		if got, err := f.read(t.Context(), o, 0, n); err != nil || len(got) != 0 {
			t.Errorf("read %d: got %q, %v", n, got, err)
		}
	}
	wantKeys(t, "list", f.keys(t, "", ""), []string{"empty"})
}

func longKey(t *testing.T, f Fixture) {
	key := strings.Repeat(strings.Repeat("k", 199)+"/", 4) + strings.Repeat("é", 50)
	o := f.put(t, key, []byte("long"))
	if got, err := f.read(t.Context(), o, 0, -1); err != nil || string(got) != "long" {
		t.Errorf("read a key of %d bytes: got %q, %v", len(key), got, err)
	}
	wantKeys(t, "list", f.keys(t, "", ""), []string{key})
}

func overwritten(t *testing.T, f Fixture) {
	old := f.put(t, "x", []byte("one"))
	now := f.put(t, "x", []byte("two"))
	if old.Version() == now.Version() {
		t.Fatalf("both versions are %q", now.Version())
	}
	_, err := f.read(t.Context(), old, 0, -1)
	wantChanged(t, old, err)
	_, err = f.read(t.Context(), old, 1, 1)
	wantChanged(t, old, err)
	if got, err := f.read(t.Context(), now, 0, -1); err != nil || string(got) != "two" {
		t.Errorf("the new version: got %q, %v", got, err)
	}
}

func wantChanged(t *testing.T, o contracts.Object, err error) {
	t.Helper()
	wantKind(t, "read of an old version", err, contracts.KindChanged)
	var e *contracts.Error
	if !errors.As(err, &e) || e.Object != o.Address() || !strings.Contains(err.Error(), "changed under the job") {
		t.Errorf("message: %v", err)
	}
}

func deleted(t *testing.T, f Fixture) {
	o := f.put(t, "x", []byte("one"))
	if err := f.Delete(t.Context(), o.Key); err != nil {
		t.Fatal(err)
	}
	_, err := f.read(t.Context(), o, 0, -1)
	wantChanged(t, o, err)
	_, err = f.Stat(t.Context(), f.Bucket, o.Key)
	wantKind(t, "stat", err, contracts.KindMissing)
}

func missingObject(t *testing.T, f Fixture) {
	f.put(t, "folder/x", nil)
	for _, key := range []string{"nothing", "folder", "no/folder", "folder/x/y"} {
		_, err := f.Stat(t.Context(), f.Bucket, f.Prefix+key)
		wantKind(t, "stat "+key, err, contracts.KindMissing)
		address := contracts.Object{Bucket: f.Bucket, Key: f.Prefix + key}.Address()
		if !strings.HasPrefix(err.Error(), address+": ") {
			t.Errorf("message does not start with %s: %v", address, err)
		}
	}
}

// overwrittenMeanwhile reads an object that is replaced all the time: each read is of one version or is refused. A
// version is one byte, repeated as often as its value plus 1000 says.
func overwrittenMeanwhile(t *testing.T, f Fixture) {
	version := func(i int) []byte { return bytes.Repeat([]byte{byte(i)}, 1000+i%256) }
	f.put(t, "x", version(0))
	done := make(chan error, 1)
	go func() {
		for i := range 300 {
			if err := f.Put(t.Context(), f.Prefix+"x", version(i)); err != nil {
				done <- fmt.Errorf("put %d: %w", i, err)
				return
			}
		}
		done <- nil
	}()
	for {
		data, err := f.read(t.Context(), f.stat(t, "x"), 0, -1)
		switch {
		case contracts.KindOf(err) == contracts.KindChanged:
		case err != nil:
			t.Error(err)
		case len(data) == 0 || !bytes.Equal(data, version(int(data[0]))):
			t.Errorf("read %d bytes that are no version", len(data))
		}
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
			return
		default:
		}
	}
}
