package objects

import (
	"context"
	"crypto/md5"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/internal/testenv"
)

// A folder with more names than a batch is read several times and must come out as one.
func TestFolderInBatches(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	var want []string
	for i := range 23 {
		for _, name := range []string{fmt.Sprintf("%02d.csv", i), fmt.Sprintf("%02d/a", i), fmt.Sprintf("%02d/b", i)} {
			path := filepath.Join(root, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, nil, 0o644); err != nil {
				t.Fatal(err)
			}
			want = append(want, path[1:])
		}
	}
	slices.Sort(want)
	for _, batch := range []int{1, 2, 3, 7, 46, 47, 1000} {
		var got []string
		w := walk{ctx: t.Context(), prefix: root[1:] + "/", batch: batch, yield: func(o contracts.Object, _ error) bool {
			got = append(got, o.Key)
			return true
		}}
		if err := w.folder(w.prefix, nil); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Errorf("batches of %d: got %q\nwant %q", batch, got, want)
		}
	}
}

func TestLocalErrors(t *testing.T) {
	t.Parallel()
	o := contracts.Object{Bucket: contracts.LocalBucket, Key: "data/x.csv"}
	err := local(o, "open", &fs.PathError{Op: "open", Path: "/data/x.csv", Err: fs.ErrPermission})
	const want = "/data/x.csv: open: permission denied: let this user read it"
	if contracts.KindOf(err) != contracts.KindDenied || err.Error() != want {
		t.Errorf("%q: %v", contracts.KindOf(err), err)
	}
}

// silent never says anything until it is cut.
type silent struct{ ctx context.Context }

func (s silent) Read([]byte) (int, error) { <-s.ctx.Done(); return 0, s.ctx.Err() }
func (s silent) Close() error             { return nil }

func TestSilentConnectionIsReplaced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bodies := 0
		r := &reader{ctx: t.Context(), address: "s3://bucket/key", left: 5, get: func(_, n int64) (io.ReadCloser, error) {
			ctx, cancel := context.WithCancel(t.Context())
			if bodies++; bodies < 3 {
				return newStallReader(silent{ctx}, cancel), nil
			}
			return newStallReader(io.NopCloser(strings.NewReader("hello")), cancel), nil
		}}
		if err := r.reopen(); err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil || string(data) != "hello" || bodies != 3 {
			t.Errorf("read %q, %v from %d connections", data, err, bodies)
		}
		r.Close()
	})
}

func TestRetryEndsWithTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		calls := 0
		down := func() error { calls++; return contracts.Errorf(contracts.KindUnavailable, "down") }
		if err := retry(ctx, down); contracts.KindOf(err) != contracts.KindUnavailable || calls != attempts {
			t.Errorf("after %d calls: %v", calls, err)
		}
		calls = 0
		err := retry(ctx, func() error { cancel(); return down() })
		if contracts.KindOf(err) != contracts.KindInterrupted || calls != 1 {
			t.Errorf("after %d calls: %v", calls, err)
		}
	})
}

// The server here knows buckets only as hosts. Its name leads to the test's own server.
func TestHostStyle(t *testing.T) {
	t.Parallel()
	m := testenv.StartMinIO(t, testenv.MinIOOptions{Domain: "s3.test"})
	address := strings.TrimPrefix(m.URL, "http://")
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewS3(t.Context(), S3Config{
		URL: "http://s3.test:" + port, AccessKey: m.AccessKey, SecretKey: m.SecretKey, Style: "host",
	})
	if err != nil {
		t.Fatal(err)
	}
	hosts := make(map[string]bool)
	s.transport.(*http.Transport).DialContext = func(ctx context.Context, network, host string) (net.Conn, error) {
		hosts[strings.TrimSuffix(host, ":"+port)] = true
		var d net.Dialer
		return d.DialContext(ctx, network, address)
	}
	if err := s.EnsureBucket(t.Context(), "landing"); err != nil {
		t.Fatal(err)
	}
	if err := NewDocs(s, "landing").Probe(t.Context()); err != nil {
		t.Error(err)
	}
	if !hosts["landing.s3.test"] {
		t.Errorf("asked the hosts %v, want landing.s3.test", hosts)
	}
}

// A listing of 200 pages must not pile up. It runs before the parallel tests: the heap that it weighs is everybody's.
func TestListHoldsOnePage(t *testing.T) {
	const pages, size = 200, 1000
	etag := fmt.Sprintf("%x", md5.Sum(nil))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("versioning") {
			io.WriteString(w, "<VersioningConfiguration/>")
			return
		}
		page, _ := strconv.Atoi(r.URL.Query().Get("continuation-token"))
		fmt.Fprintf(w, "<ListBucketResult><IsTruncated>%t</IsTruncated><NextContinuationToken>%d</NextContinuationToken>",
			page < pages-1, page+1)
		for i := range size {
			fmt.Fprintf(w, "<Contents><Key>key-%09d</Key><ETag>%s</ETag><Size>1</Size></Contents>", page*size+i, etag)
		}
		io.WriteString(w, "</ListBucketResult>")
	}))
	defer server.Close()
	s, err := NewS3(t.Context(), S3Config{URL: server.URL, AccessKey: "a", SecretKey: "b"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	n, before := 0, live()
	for _, err := range s.List(t.Context(), "bucket", "", "") {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == pages*size-1 {
			if grown := live() - before; grown > 8<<20 { // a page takes less than 1 MB; 200 take more than 100
				t.Errorf("%d bytes are held after %d objects", grown, n)
			}
		}
	}
	if n != pages*size {
		t.Errorf("listed %d objects, want %d", n, pages*size)
	}
}

// live is the heap that is in use.
func live() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
