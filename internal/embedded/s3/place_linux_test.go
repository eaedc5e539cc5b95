package s3

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// placed is a backend with a bucket, and the way to put objects there.
func placed(t *testing.T) (*rooted, func(key, data string, absent bool, etag string) (string, error)) {
	t.Helper()
	r, err := openBackend(t.TempDir())
	if err == nil {
		t.Cleanup(r.Shutdown)
		err = os.Mkdir(r.path("bucket"), 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r, func(key, data string, absent bool, etag string) (string, error) {
		return r.place("bucket", key, []byte(data), absent, etag)
	}
}

// What is placed is posix's object; what cannot be is left to it.
func TestPlace(t *testing.T) {
	r, put := placed(t)
	long := strings.Repeat("x", 250)
	tags := map[string]string{}
	for i, c := range []struct {
		key, data string
		absent    bool
		over      string // what there must be
		want      error
	}{
		{key: "a", data: "1", absent: true},
		{key: "a", data: "2", absent: true, want: fs.ErrExist},
		{key: "a", data: "2"},
		{key: "a", data: "3", over: "1", want: fs.ErrExist},
		{key: "a", data: "3", over: "2"},
		{key: "a", absent: true, want: fs.ErrExist},
		{key: "a", over: "3"},
		{key: "b", data: "1", over: "3", want: fs.ErrNotExist},
		{key: "deep/er/c", absent: true},
		{key: "deep/er/c", absent: true, want: fs.ErrExist},
		{key: "deep/er/c"},
		{key: "deep/er/c", data: "1"},
		{key: "deep/er/c"},
		{key: "deep/er/d"},
		{key: "deep/er/e", data: "1"},
		{key: "deep", absent: true, want: errRequest},
		{key: "deep", want: errRequest},
		{key: "a/below", data: "1", want: errRequest},
		{key: "a/below", want: errRequest},
		{key: long, data: "1", absent: true},
		{key: long, data: "2", want: errRequest},
		{key: strings.Repeat("x", 256), data: "1", want: errRequest},
	} {
		tag, err := put(c.key, c.data, c.absent, tags[c.over])
		if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%d: %s: %v; want %v", i, c.key, err, c.want)
		}
		if err != nil {
			continue
		}
		if c.data != "" {
			tags[c.data] = tag
		}
		bucket := "bucket"
		head, err := r.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &bucket, Key: &c.key})
		if err != nil || strings.Trim(*head.ETag, `"`) != tag || *head.ContentLength != int64(len(c.data)) {
			t.Errorf("%d: %s: %+v, %v; want ETag %s", i, c.key, head, err, tag)
		}
		if data, err := os.ReadFile(r.path(bucket) + "/" + c.key); string(data) != c.data {
			t.Errorf("%d: %s: %q, %v", i, c.key, data, err)
		}
	}
	if _, err := r.place("none", "key", nil, true, ""); !errors.Is(err, errRequest) || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no bucket: %v", err)
	}
}

func TestRemove(t *testing.T) {
	r, put := placed(t)
	for _, key := range []string{"a", "deep/er/b", "deep/er/c"} {
		if _, err := put(key, "", true, ""); err != nil {
			t.Fatal(err)
		}
	}
	for i, c := range []struct {
		key, left string
		want      error
	}{
		{"a", "deep", nil}, {"a", "deep", fs.ErrNotExist}, {"deep", "deep", errRequest},
		{"deep/er/b", "deep/er/c", nil}, {"deep/er/c", ".sgwtmp", nil},
	} {
		if err := r.remove("bucket", c.key); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%d: %s: %v; want %v", i, c.key, err, c.want)
		}
		if _, err := os.Stat(r.path("bucket") + "/" + c.left); err != nil {
			t.Errorf("%d: %v", i, err)
		}
	}
	if _, err := os.Stat(r.path("bucket") + "/deep"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("folders that are empty: %v", err)
	}
}

// File systems bound the names of a file; ext4 has 65,000.
func TestEmptyFileHasManyNames(t *testing.T) {
	r, put := placed(t)
	if _, err := put("first", "", true, ""); err != nil {
		t.Fatal(err)
	}
	others, first := t.TempDir(), filepath.Join(r.path("bucket"), "first")
	for i := range 65_000 {
		if os.Link(first, fmt.Sprintf("%s/%d", others, i)) != nil {
			break
		}
	}
	for _, key := range []string{"second", "third"} {
		if _, err := put(key, "", true, ""); err != nil {
			t.Errorf("%s: %v", key, err)
		}
	}
}

// Whoever writes by requests waits for the same lock. The names of its files are posix's own: an upgrade may change
// them.
func TestLockIsPosixs(t *testing.T) {
	r, _ := placed(t)
	s := &Server{backend: r}
	p := placing{root: r.path("bucket"), key: "key"}
	err := p.under(r.root, func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err := s.put(ctx, "bucket", "key", nil, true, "")
		return err
	})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while the key is held: %v", err)
	}
	if _, err := s.put(t.Context(), "bucket", "key", nil, true, ""); err != nil {
		t.Errorf("after that: %v", err)
	}
}

// Placing an object, the way of posix and ours.
func BenchmarkPlace(b *testing.B) {
	r, err := openBackend(b.TempDir())
	if err == nil {
		b.Cleanup(r.Shutdown)
		err = os.Mkdir(r.path("bucket"), 0o755)
	}
	if err != nil {
		b.Fatal(err)
	}
	s := &Server{backend: r}
	for _, size := range []int{0, 400} {
		data, n := make([]byte, size), 0
		each := func(name string, put func(key string) error) {
			b.Run(fmt.Sprintf("%s/%d", name, size), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if n++; put(fmt.Sprintf("%s/%d/%d", name, size, n)) != nil {
						b.Fatal(err)
					}
				}
			})
		}
		each("posix", func(key string) error {
			_, err := s.put(b.Context(), "bucket", key, data, true, "")
			return err
		})
		each("place", func(key string) error {
			_, err := r.place("bucket", key, data, true, "")
			return err
		})
	}
}
