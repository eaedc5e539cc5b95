package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/internal/testenv"
)

// BenchmarkRequests counts what is asked of the object store for a job of one small file and for one of a thousand, by
// dispatcher and worker together. The lease and looking for lost jobs count too, some requests in half a minute.
func BenchmarkRequests(b *testing.B) {
	for b.Loop() {
		t := &tally{count: map[string]int{}}
		l := newLatencyLab(b, t.before(b, testenv.S3(b)))
		l.first("warm-up")
		t.clear()
		l.first("one")
		b.Log(t)
		b.ReportMetric(t.all(), "requests/job")
		const files = 1000
		var storing errgroup.Group
		storing.SetLimit(16)
		for i := range files {
			storing.Go(func() error {
				data := note()
				_, err := l.s3.Upload(b.Context(), l.bucket, fmt.Sprintf("many/%04d", i), bytes.NewReader(data), int64(len(data)))
				return err
			})
		}
		must(b, storing.Wait())
		t.clear()
		job, err := json.Marshal(contracts.Job{Source: []string{"s3://" + l.bucket + "/many/"}})
		must(b, err)
		publishJob(b, l.conn, l.prefix, job)
		l.awaitEnd()
		b.Log(t)
		b.ReportMetric(t.all()/files, "requests/file")
	}
}

// tally counts requests by method and by what they are for: the folder in the state bucket, or any source.
type tally struct {
	mu    sync.Mutex
	count map[string]int
	order []string // what came first
}

// before is a server that counts what it hands on.
func (t *tally) before(b *testing.B, server testenv.S3Server) testenv.S3Server {
	behind, err := url.Parse(server.URL)
	must(b, err)
	rest := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(behind)
		r.Out.Host = r.In.Host // it is signed
	}}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.add(r)
		rest.ServeHTTP(w, r)
	}))
	b.Cleanup(front.Close)
	server.URL = front.URL
	return server
}

func (t *tally) add(r *http.Request) {
	_, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	what := r.Method + " source"
	if parts := strings.Split(key, "/"); r.URL.Query().Has("list-type") {
		what = "LIST " + strings.Split(r.URL.Query().Get("prefix"), "/")[0]
	} else if parts[0] == "jobs" && len(parts) > 2 {
		what = r.Method + " jobs/" + parts[2]
	} else if len(parts) > 1 && parts[0] != "many" || key == "leader" {
		what = r.Method + " " + parts[0]
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.count[what]++; t.count[what] == 1 {
		t.order = append(t.order, what)
	}
}

func (t *tally) clear() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.count, t.order = map[string]int{}, nil
}

func (t *tally) all() (n float64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, one := range t.count {
		n += float64(one)
	}
	return n
}

func (t *tally) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var b strings.Builder
	for _, what := range t.order {
		fmt.Fprintf(&b, "%s ×%d, ", what, t.count[what])
	}
	return strings.TrimSuffix(b.String(), ", ")
}
