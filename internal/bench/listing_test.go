package bench

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"testing"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/internal/testenv"
)

// The synthetic bucket exists in listings only: objects of ten kilobytes each, nobody reads them.
const (
	syntheticBucket = "synthetic"
	syntheticSize   = 10_000
	listingPage     = 1000
)

// synthetic is the i-th object of the bucket, in order of keys.
func synthetic(i int) contracts.Object {
	return contracts.Object{
		Bucket: syntheticBucket, Key: fmt.Sprintf("2026/part-%07d.csv", i), Size: syntheticSize,
		ETag: fmt.Sprintf("%032x", i+1),
	}
}

// listing is the S3 server and one bucket more, that holds so many synthetic objects.
func listing(b *testing.B, objects int) testenv.S3Server {
	b.Helper()
	server := testenv.S3(b)
	behind, err := url.Parse(server.URL)
	must(b, err)
	rest := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(behind)
		r.Out.Host = r.In.Host // it is signed
	}}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch q := r.URL.Query(); {
		case r.URL.Path == "/"+syntheticBucket+"/"+syntheticLines:
			writeLines(w, r)
		case r.URL.Path != "/"+syntheticBucket+"/" && r.URL.Path != "/"+syntheticBucket:
			rest.ServeHTTP(w, r)
		case q.Has("list-type"):
			writePage(w, q, objects)
		default: // it has no settings of its own
			fmt.Fprint(w, `<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"/>`)
		}
	}))
	b.Cleanup(front.Close)
	server.URL = front.URL
	return server
}

// syntheticLines is an object of the bucket that is not listed: a MiB for each chunk of a flood, of which only the head
// is ever asked for.
const syntheticLines = "lines.ndjson"

func writeLines(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("ETag", `"00000000000000000000000000000001"`)
	h.Set("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
	if r.Method == http.MethodHead {
		h.Set("Content-Length", strconv.Itoa(flooded<<20))
		return
	}
	var from, to int
	if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &from, &to); err != nil || to-from > 4<<20 {
		http.Error(w, "expected a range of at most 4 MiB", http.StatusBadRequest)
		return
	}
	h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to, flooded<<20))
	h.Set("Content-Length", strconv.Itoa(to-from+1))
	w.WriteHeader(http.StatusPartialContent)
	w.Write(bytes.Repeat([]byte("{}\n"), (to-from)/3+1)[:to-from+1])
}

// linesPipeline would load what the synthetic lines are not.
const linesPipeline = `name: readings
source: {format: ndjson}
table: {keyspace: %s, name: lines, partition_key: [k], create: true}
columns: [{name: k, type: text}]
`

// writePage answers ListObjectsV2; a page's token is the number of its first object.
func writePage(w http.ResponseWriter, q url.Values, objects int) {
	from, _ := strconv.Atoi(q.Get("continuation-token")) // none on the first page
	to := min(from+listingPage, objects)
	var page bytes.Buffer
	fmt.Fprintf(&page, `<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>%s</Name>`+
		`<KeyCount>%d</KeyCount><IsTruncated>%t</IsTruncated><NextContinuationToken>%d</NextContinuationToken>`,
		syntheticBucket, to-from, to < objects, to)
	for i := from; i < to; i++ {
		o := synthetic(i)
		fmt.Fprintf(&page, `<Contents><Key>%s</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>`+
			`<ETag>&quot;%s&quot;</ETag><Size>%d</Size><StorageClass>STANDARD</StorageClass></Contents>`,
			o.Key, o.ETag, o.Size)
	}
	page.WriteString(`</ListBucketResult>`)
	w.Write(page.Bytes()) // a client that went away is of no interest
}
