package objects_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/minio/minio-go/v7/pkg/signer"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/internal/objects"
	"github.com/penstock-io/penstock/internal/testenv"
)

// through is a client of the shared server with a hand on the wire in between.
func through(t *testing.T, wire func(http.Handler) http.Handler) *objects.S3 {
	t.Helper()
	e := testenv.S3(t)
	u, err := url.Parse(e.URL)
	if err != nil {
		t.Fatal(err)
	}
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host = u.Scheme, u.Host // the host header stays: it is signed
		r.Out.Host = r.In.Host
	}}
	server := httptest.NewServer(wire(forward))
	t.Cleanup(server.Close)
	return open(t, objects.S3Config{URL: server.URL, AccessKey: e.AccessKey, SecretKey: e.SecretKey})
}

// tearing cuts the bodies of the first GETs of objects after half of them.
func tearing(times int64, before func(n int64)) func(http.Handler) http.Handler {
	var cuts atomic.Int64
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodGet || r.Header.Get("Range") == "" || cuts.Add(1) > times {
				next.ServeHTTP(w, r)
				return
			}
			answer := httptest.NewRecorder()
			next.ServeHTTP(answer, r)
			for k, v := range answer.Header() {
				w.Header()[k] = v
			}
			w.WriteHeader(answer.Code)
			body := answer.Body.Bytes()
			w.Write(body[:len(body)/2])
			http.NewResponseController(w).Flush()
			if before != nil {
				before(cuts.Load())
			}
			panic(http.ErrAbortHandler)
		})
	}
}

func stored(t *testing.T, s *objects.S3, data []byte) contracts.Object {
	t.Helper()
	f := bucketFixture(t, s)
	o, err := s.Upload(t.Context(), f.Bucket, "data", bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func content(n int) []byte {
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(i * i >> 3)
	}
	return data
}

func TestReaderResumes(t *testing.T) {
	t.Parallel()
	data := content(300_000)
	s := through(t, tearing(4, nil))
	r, err := s.Open(t.Context(), stored(t, s, data), 1000, -1)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(got, data[1000:]) {
		t.Errorf("read %d bytes, %v; want the %d that are there", len(got), err, len(data)-1000)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

func TestReaderGivesUp(t *testing.T) {
	t.Parallel()
	s := through(t, tearing(1000, nil))
	r, err := s.Open(t.Context(), stored(t, s, content(300_000)), 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.ReadAll(r)
	wantError(t, err, contracts.KindUnavailable, "the connection broke 6 times", "check the network")
}

func TestReaderResumesThePinnedVersionOnly(t *testing.T) {
	t.Parallel()
	direct := shared(t)
	var o contracts.Object
	s := through(t, tearing(1, func(int64) {
		if _, err := direct.Upload(t.Context(), o.Bucket, o.Key, strings.NewReader("another"), 7); err != nil {
			t.Error(err)
		}
	}))
	o = stored(t, direct, content(300_000))
	r, err := s.Open(t.Context(), o, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.ReadAll(r)
	wantError(t, err, contracts.KindChanged, o.Address(), o.ETag, "changed under the job")
}

// losing lets the store act on the first conditional PUT and loses its answer; before may act in between.
func losing(before func()) func(http.Handler) http.Handler {
	var puts atomic.Int64
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			conditional := r.Header.Get("If-None-Match")+r.Header.Get("If-Match") != ""
			if r.Method != http.MethodPut || !conditional || puts.Add(1) > 1 {
				next.ServeHTTP(w, r)
				return
			}
			next.ServeHTTP(httptest.NewRecorder(), r)
			before()
			panic(http.ErrAbortHandler)
		})
	}
}

func TestLostAnswerOfCreate(t *testing.T) {
	t.Parallel()
	s := through(t, losing(func() {}))
	docs := objects.NewDocs(s, bucketFixture(t, s).Bucket)
	if err := docs.Create(t.Context(), "x", []byte("mine")); err != nil {
		t.Errorf("the document was created, but: %v", err)
	}
	wantError(t, docs.Create(t.Context(), "x", []byte("mine")), contracts.KindExists, "/x: create: ")
}

func TestLostAnswerOfReplace(t *testing.T) {
	t.Parallel()
	s := through(t, losing(func() {}))
	docs := objects.NewDocs(s, bucketFixture(t, s).Bucket)
	if err := docs.Put(t.Context(), "x", []byte("1")); err != nil {
		t.Fatal(err)
	}
	_, etag, err := docs.Get(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	now, err := docs.Replace(t.Context(), "x", []byte("2"), etag)
	if err != nil {
		t.Fatalf("the document was replaced, but: %v", err)
	}
	if _, last, err := docs.Get(t.Context(), "x"); err != nil || last != now {
		t.Errorf("ETag %q, %v; Replace said %q", last, err, now)
	}
}

func TestLostAnswerAndAnotherWriter(t *testing.T) {
	t.Parallel()
	direct := shared(t)
	bucket := bucketFixture(t, direct).Bucket
	s := through(t, losing(func() {
		if err := objects.NewDocs(direct, bucket).Put(t.Context(), "x", []byte("another's")); err != nil {
			t.Error(err)
		}
	}))
	err := objects.NewDocs(s, bucket).Create(t.Context(), "x", []byte("mine"))
	wantError(t, err, contracts.KindExists, "/x: create: ")
}

// deaf drops one header on its way to the store, and signs anew.
func deaf(t *testing.T, method, header string) func(http.Handler) http.Handler {
	e := testenv.S3(t)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == method {
				r.Header.Del(header)
			}
			r.Header.Del("Authorization")
			next.ServeHTTP(w, signer.SignV4(*r, e.AccessKey, e.SecretKey, "", "us-east-1"))
		})
	}
}

func TestProbeNamesTheBrokenPromise(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ method, header string }{{"PUT", "If-None-Match"}, {"PUT", "If-Match"}} {
		t.Run(c.method+" "+c.header, func(t *testing.T) {
			t.Parallel()
			bucket := bucketFixture(t, shared(t)).Bucket
			s := through(t, deaf(t, c.method, c.header))
			err := objects.NewDocs(s, bucket).Probe(t.Context())
			wantError(t, err, contracts.KindConfig, "does not honour "+c.header+" on "+c.method)
		})
	}
}

// A store that ignores If-Match on GET, or ranges, must not get wrong bytes past us.
func TestDeafStore(t *testing.T) {
	t.Parallel()
	direct := shared(t)
	old := stored(t, direct, content(1000))
	if _, err := direct.Upload(t.Context(), old.Bucket, old.Key, bytes.NewReader(content(2000)), 2000); err != nil {
		t.Fatal(err)
	}
	_, err := through(t, deaf(t, "GET", "If-Match")).Open(t.Context(), old, 0, 10)
	wantError(t, err, contracts.KindChanged, "its ETag is ")
	now, err := direct.Stat(t.Context(), old.Bucket, old.Key)
	if err != nil {
		t.Fatal(err)
	}
	_, err = through(t, deaf(t, "GET", "Range")).Open(t.Context(), now, 5, 10)
	wantError(t, err, contracts.KindConfig, "does not honour ranges")
}

// stub answers every request alike.
func stub(t *testing.T, status int, code string) objects.S3Config {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		if code != "" && r.Method != http.MethodHead {
			fmt.Fprintf(w, `<?xml version="1.0"?><Error><Code>%s</Code><Message>server's words</Message></Error>`, code)
		}
	}))
	t.Cleanup(server.Close)
	c := keyed(server.URL)
	c.SessionToken = "the-token"
	return c
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		code   string
		kind   contracts.Kind
		says   string
	}{
		{404, "NoSuchBucket", contracts.KindMissing, "create it or correct the name"},
		{404, "NoSuchKey", contracts.KindMissing, "no such object"},
		{403, "AccessDenied", contracts.KindDenied, "lack this permission"},
		{403, "InvalidAccessKeyId", contracts.KindDenied, "check PENSTOCK_S3_ACCESS_KEY"},
		{403, "SignatureDoesNotMatch", contracts.KindDenied, "check PENSTOCK_S3_SECRET_KEY"},
		{400, "ExpiredToken", contracts.KindDenied, "renew PENSTOCK_S3_SESSION_TOKEN"},
		{403, "RequestTimeTooSkewed", contracts.KindConfig, "set the clock"},
		{400, "AuthorizationHeaderMalformed", contracts.KindConfig, "set PENSTOCK_S3_REGION"},
		{301, "PermanentRedirect", contracts.KindConfig, "set PENSTOCK_S3_REGION"},
		{501, "NotImplemented", contracts.KindConfig, "S3-compatible store?"},
		{503, "SlowDown", contracts.KindUnavailable, "try again"},
		{500, "InternalError", contracts.KindUnavailable, "try again"},
		{502, "", contracts.KindUnavailable, "try again"},
		{429, "", contracts.KindUnavailable, "try again"},
		{400, "Weird", contracts.KindInternal, "unexpected answer"},
	} {
		t.Run(fmt.Sprint(c.status, c.code), func(t *testing.T) {
			t.Parallel()
			config := stub(t, c.status, c.code)
			_, _, err := objects.NewDocs(open(t, config), "bucket").Get(t.Context(), "key")
			wantError(t, err, c.kind, "s3://bucket/key: read: ", c.says)
		})
	}
}

func wantError(t *testing.T, err error, kind contracts.Kind, says ...string) {
	t.Helper()
	if got := contracts.KindOf(err); got != kind {
		t.Fatalf("got kind %q, want %q: %v", got, kind, err)
	}
	for _, s := range says {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("%q is not in the message: %v", s, err)
		}
	}
	for _, secret := range []string{"the-secret-key", "the-token", "penstock-secret"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("a secret is in the message: %v", err)
		}
	}
}
