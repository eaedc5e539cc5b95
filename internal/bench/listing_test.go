package bench

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
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
		size, isLines := linesSize(strings.TrimPrefix(r.URL.Path, "/"+syntheticBucket+"/"))
		switch q := r.URL.Query(); {
		case isLines:
			writeLines(w, r, size)
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

// linesKey is an object of the bucket that is not listed, of so many MiB. Its lines are all alike but for their number.
func linesKey(size int) string { return fmt.Sprintf("lines-%d.ndjson", size) }

// linesSize is the size of such an object, in bytes; false for another key.
func linesSize(key string) (size int64, ok bool) {
	_, err := fmt.Sscanf(key, "lines-%d.ndjson", &size)
	return size << 20, err == nil
}

// writeLines answers for the head of such an object: more is not asked of it by way of HTTP.
func writeLines(w http.ResponseWriter, r *http.Request, size int64) {
	h := w.Header()
	h.Set("ETag", `"00000000000000000000000000000001"`)
	h.Set("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
	if r.Method == http.MethodHead {
		h.Set("Content-Length", strconv.FormatInt(size, 10))
		return
	}
	var from, to int64
	if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &from, &to); err != nil {
		http.Error(w, "expected a range", http.StatusBadRequest)
		return
	}
	h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to, size))
	h.Set("Content-Length", strconv.FormatInt(to-from+1, 10))
	w.WriteHeader(http.StatusPartialContent)
	if _, err := io.CopyN(w, &lineReader{off: from}, to-from+1); err != nil {
		return // the client has seen enough
	}
}

// lineLength is that of one line, with its end. A MiB holds a whole number of them.
const lineLength = 128

// lineReader yields the lines of a synthetic object from some byte on.
type lineReader struct {
	off  int64
	line [lineLength]byte
	have int64 // number of the line, from 1; 0 for none
}

func (r *lineReader) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if number := r.off/lineLength + 1; number != r.have {
			text := fmt.Appendf(r.line[:0], `{"k":"%012d","v":"`, number)
			for i := len(text); i < lineLength; i++ {
				r.line[i] = 'x'
			}
			copy(r.line[lineLength-3:], "\"}\n")
			r.have = number
		}
		c := copy(p[n:], r.line[r.off%lineLength:])
		n += c
		r.off += int64(c)
	}
	return n, nil
}

// linesPipeline loads synthetic lines.
const linesPipeline = `name: readings
source: {format: ndjson}
table: {keyspace: %s, name: lines, partition_key: [k], create: true}
columns: [{name: k, type: text}, {name: v, type: text}]
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
