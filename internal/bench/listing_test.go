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
