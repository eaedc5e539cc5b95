package objectstest

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/penstock-io/penstock/contracts"
)

func documents(t *testing.T, f WriteFixture) {
	ctx := t.Context()
	for _, key := range []string{"jobs/2/job.json", "jobs/10/job.json", "clock"} {
		if err := f.Docs.Put(ctx, key, []byte(key)); err != nil {
			t.Fatal(err)
		}
	}
	data, etag, err := f.Get(ctx, "clock")
	if err != nil || string(data) != "clock" || etag == "" {
		t.Fatalf("get: %q, %q, %v", data, etag, err)
	}
	if o := f.stat(t, "clock"); o.ETag != etag {
		t.Errorf("get says ETag %q, stat %q", etag, o.ETag)
	}
	if err := f.Create(ctx, "empty", nil); err != nil {
		t.Fatal(err)
	}
	if data, _, err := f.Get(ctx, "empty"); err != nil || len(data) != 0 {
		t.Errorf("empty: %q, %v", data, err)
	}
	var keys []string
	for key, err := range f.List(ctx, "jobs/", "jobs/10/job.json") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	wantKeys(t, "list", keys, []string{"jobs/2/job.json"})
	for range 2 { // the second time nothing is there
		if err := f.Docs.Delete(ctx, "clock"); err != nil {
			t.Error(err)
		}
	}
}

func refusedWrites(t *testing.T, f WriteFixture) {
	ctx := t.Context()
	_, _, err := f.Get(ctx, "x")
	wantKind(t, "get nothing", err, contracts.KindMissing)
	_, err = f.Replace(ctx, "x", []byte("0"), "0123456789abcdef0123456789abcdef")
	wantKind(t, "replace nothing", err, contracts.KindChanged)
	if err := f.Create(ctx, "x", []byte("1")); err != nil {
		t.Fatal(err)
	}
	wantKind(t, "create again", f.Create(ctx, "x", []byte("2")), contracts.KindExists)
	_, etag, err := f.Get(ctx, "x")
	if err != nil {
		t.Fatal(err)
	}
	now, err := f.Replace(ctx, "x", []byte("3"), etag)
	if err != nil || now == etag || now == "" {
		t.Fatalf("replace: %q, %v", now, err)
	}
	_, err = f.Replace(ctx, "x", []byte("4"), etag)
	wantKind(t, "replace an old one", err, contracts.KindChanged)
	if !strings.HasPrefix(err.Error(), "s3://"+f.Bucket+"/x: replace: ") ||
		!strings.Contains(err.Error(), "read it again") {
		t.Errorf("message: %v", err)
	}
	data, last, err := f.Get(ctx, "x")
	if err != nil || string(data) != "3" || last != now {
		t.Errorf("in the end: %q, %q, %v; want 3, %q", data, last, err, now)
	}
}

func createRace(t *testing.T, f WriteFixture) {
	for round := range 5 {
		var group sync.WaitGroup
		var winner atomic.Pointer[string]
		key := fmt.Sprintf("race/%d", round)
		for i := range 16 {
			group.Go(func() {
				content := fmt.Sprintf("contender %d", i)
				err := f.Create(t.Context(), key, []byte(content))
				switch {
				case err == nil:
					if other := winner.Swap(&content); other != nil {
						t.Errorf("both %q and %q created it", *other, content)
					}
				case contracts.KindOf(err) != contracts.KindExists:
					t.Errorf("%s: %v", content, err)
				}
			})
		}
		group.Wait()
		data, _, err := f.Get(t.Context(), key)
		if err != nil || winner.Load() == nil || string(data) != *winner.Load() {
			t.Errorf("round %d: found %q, %v", round, data, err)
		}
	}
}

func replaceRace(t *testing.T, f WriteFixture) {
	const hands, each = 8, 12
	if err := f.Create(t.Context(), "counter", []byte("0")); err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range hands {
		group.Go(func() {
			for done := 0; done < each; {
				data, etag, err := f.Get(t.Context(), "counter")
				if err != nil {
					t.Error(err)
					return
				}
				n, _ := strconv.Atoi(string(data))
				_, err = f.Replace(t.Context(), "counter", []byte(strconv.Itoa(n+1)), etag)
				switch contracts.KindOf(err) {
				case "":
					done++
				case contracts.KindChanged:
				default:
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	if data, _, err := f.Get(t.Context(), "counter"); err != nil || string(data) != strconv.Itoa(hands*each) {
		t.Errorf("counted %q, %v, want %d", data, err, hands*each)
	}
}

const bigSize = 20<<20 + 12345 // more than one part

func bigUpload(t *testing.T, f WriteFixture) {
	data := pattern(bigSize)
	checkBig(t, f, data, bytes.NewReader(data), bigSize)
}

func streamUpload(t *testing.T, f WriteFixture) {
	data := pattern(bigSize)
	checkBig(t, f, data, io.MultiReader(bytes.NewReader(data)), -1)
}

func checkBig(t *testing.T, f WriteFixture, data []byte, r io.Reader, size int64) {
	o, err := f.Upload(t.Context(), f.Bucket, "big file.bin", r, size)
	if err != nil {
		t.Fatal(err)
	}
	if s := f.stat(t, "big file.bin"); o.Version() != s.Version() || o.Size != s.Size || o.Size != bigSize {
		t.Errorf("upload says %+v, stat %+v", o, s)
	}
	got, err := f.read(t.Context(), o, 0, -1)
	if err != nil || sha256.Sum256(got) != sha256.Sum256(data) {
		t.Errorf("read back: %d bytes, %v", len(got), err)
	}
	const from, n = 16<<20 - 100, 200 // over the border of two parts
	if got, err := f.read(t.Context(), o, from, n); err != nil || !bytes.Equal(got, data[from:from+n]) {
		t.Errorf("read a range: %d bytes, %v", len(got), err)
	}
}

func shortUpload(t *testing.T, f WriteFixture) {
	for name, r := range map[string]io.Reader{
		"small": strings.NewReader("shrunk"),
		"big":   io.LimitReader(bytes.NewReader(make([]byte, bigSize)), bigSize-1),
	} {
		size := int64(bigSize)
		if name == "small" {
			size = 1000
		}
		_, err := f.Upload(t.Context(), f.Bucket, name, r, size)
		wantKind(t, name, err, contracts.KindChanged)
	}
	wantKeys(t, "afterwards", f.keys(t, "", ""), nil)
}

func ensureBucket(t *testing.T, f WriteFixture) {
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 2 {
				if err := f.EnsureBucket(t.Context(), f.Bucket+"-x"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if _, err := f.Upload(t.Context(), f.Bucket+"-x", "k", strings.NewReader("v"), 1); err != nil {
		t.Error(err)
	}
}

func missingBucket(t *testing.T, f WriteFixture) {
	bucket := f.Bucket + "-none"
	_, err := f.Stat(t.Context(), bucket, "k")
	wantKind(t, "stat", err, contracts.KindMissing)
	_, err = f.Upload(t.Context(), bucket, "k", strings.NewReader("v"), 1)
	wantKind(t, "upload", err, contracts.KindMissing)
	err = nil
	for _, e := range f.Reader.List(t.Context(), bucket, "", "") {
		err = e
	}
	wantKind(t, "list", err, contracts.KindMissing)
	if !strings.Contains(err.Error(), bucket) || !strings.Contains(err.Error(), "no such bucket") {
		t.Errorf("message: %v", err)
	}
}

func probe(t *testing.T, f WriteFixture) {
	if err := f.Probe(t.Context()); err != nil {
		t.Error(err)
	}
	wantKeys(t, "afterwards", f.keys(t, "", ""), nil)
}
