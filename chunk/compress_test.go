package chunk_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/penstock-io/penstock/chunk"
	"github.com/penstock-io/penstock/contracts"
)

// packed compresses text by the key's suffix.
func packed(t testing.TB, key, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	var err error
	switch {
	case strings.HasSuffix(key, ".gz"):
		w = gzip.NewWriter(&b)
	case strings.HasSuffix(key, ".zst"):
		w, err = zstd.NewWriter(&b)
	default:
		return []byte(text)
	}
	if err != nil {
		t.Fatal(err)
	}
	_, werr := io.WriteString(w, text)
	if err := errors.Join(werr, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func numbered(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "row %d,%d\n", i, i*i)
	}
	return b.String()
}

func TestCompressedObjectsReadAsPlainOnes(t *testing.T) {
	t.Parallel()
	text := numbered(20_000)
	f := dialect(nil)
	f.Compression = "auto"
	s := chunk.Spec{Format: f, MaxRecord: 100, Inputs: []string{"1"}}
	plain := &memory{data: []byte(text)}
	want, err := readPart(t, plain, whole(plain, "a.csv", f), s)
	if err != nil {
		t.Fatal(err)
	}
	half := len(text) / 2
	for _, key := range []string{"a.csv.gz", "a.csv.zst"} {
		two := append(packed(t, key, text[:half]), packed(t, key, text[half:])...)
		for what, data := range map[string][]byte{"one stream": packed(t, key, text), "two streams": two} {
			m := &memory{data: data}
			got, err := readPart(t, m, whole(m, key, f), s)
			if err != nil || len(got) != len(want) || fmt.Sprint(got[len(got)-1]) != fmt.Sprint(want[len(want)-1]) {
				t.Errorf("%s, %s: %d records, %v; expected %d", key, what, len(got), err, len(want))
			}
			if len(m.requests) != 1 {
				t.Errorf("%s: requests %v, expected one", key, m.requests)
			}
		}
		m := &memory{data: packed(t, key, "a,b\n"+text)}
		f.CSV.Header = true
		if h, err := chunk.ReadHead(t.Context(), m, m.object(key), f, 100); err != nil || h.DataOffset != 4 || h.Width != 2 {
			t.Errorf("%s: head %+v, %v", key, h, err)
		}
		f.CSV.Header = false
	}
}

func TestBrokenStreamsYieldWhatComesBeforeAndSayWhere(t *testing.T) {
	t.Parallel()
	text := numbered(20_000)
	gz, zst := packed(t, "a.gz", text), packed(t, "a.zst", text)
	flipped := bytes.Clone(gz)
	flipped[len(gz)-5] ^= 1 // in the checksum
	tests := map[string]struct {
		key, want string
		data      []byte
		some      bool // records come before the error
	}{
		"gzip cut off":        {"a.gz", "gzip stream is cut off: found the end of the file", gz[:len(gz)-100], true},
		"gzip cut in trailer": {"a.gz", "gzip stream is cut off", gz[:len(gz)-3], true},
		"gzip checksum":       {"a.gz", "gzip stream cannot be read: gzip: invalid checksum", flipped, true},
		"gzip and garbage": {"a.gz", "gzip stream cannot be read: gzip: invalid header",
			append(bytes.Clone(gz), strings.Repeat("x", 20)...), true},
		"gzip and a byte": {"a.gz", "gzip stream is cut off", append(bytes.Clone(gz), 'x'), true},
		"no gzip":         {"a.gz", "gzip stream cannot be read: gzip: invalid header", []byte(text), false},
		"empty gzip":      {"a.gz", "gzip stream is cut off", nil, false},
		"zstd cut off":    {"a.zst", "zstd stream is cut off", zst[:len(zst)-10], true},
		"zstd and garbage": {"a.zst", "zstd stream cannot be read: invalid input: magic number mismatch",
			append(bytes.Clone(zst), strings.Repeat("x", 20)...), true},
		"no zstd":    {"a.zst", "zstd stream cannot be read: invalid input: magic number mismatch", []byte(text), false},
		"empty zstd": {"a.zst", "zstd stream is cut off", nil, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := dialect(func(c *contracts.CSVFormat) { c.Header = false })
			f.Compression = "auto"
			m := &memory{data: tt.data}
			recs, err := readPart(t, m, whole(m, tt.key, f), chunk.Spec{Format: f, MaxRecord: 100, Inputs: []string{"0"}})
			var e *contracts.Error
			if !errors.As(err, &e) || e.Kind != contracts.KindInput || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("found %v\nexpected an input error with: %s", err, tt.want)
			}
			if e.Object != "s3://landing/"+tt.key || e.Offset < 0 || e.Offset > int64(len(text)) {
				t.Errorf("coordinates %s, %d", e.Object, e.Offset)
			}
			if tt.some != (len(recs) > 0) {
				t.Errorf("%d records before the error", len(recs))
			}
			for i, r := range recs {
				if r.Rule != "" || r.Fields[0] != fmt.Sprintf("2:row %d", i) {
					t.Fatalf("record %d is %+v", i, r)
				}
			}
		})
	}
}

func TestAZstdFrameThatAsksForTooMuchMemoryIsRefused(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	w, err := zstd.NewWriter(&b, zstd.WithWindowSize(256<<20))
	if err != nil {
		t.Fatal(err)
	}
	data := bytes.Repeat([]byte("a,b\n"), 1<<20)
	_, werr := w.Write(data)
	if err := errors.Join(werr, w.Flush(), w.Close()); err != nil {
		t.Fatal(err)
	}
	f := dialect(nil)
	f.Compression = "auto"
	m := &memory{data: b.Bytes()}
	_, err = readPart(t, m, whole(m, "a.zst", f), chunk.Spec{Format: f, MaxRecord: 100})
	if contracts.KindOf(err) != contracts.KindInput || !strings.Contains(err.Error(), "window of more than 128 MiB") {
		t.Errorf("found %v", err)
	}
}

func TestAPartOfAStreamIsRefused(t *testing.T) {
	t.Parallel()
	m := &memory{data: packed(t, "a.gz", "a,b\n")}
	part := contracts.Part{Object: m.object("a.gz"), End: 10, Compression: "gzip"}
	_, err := chunk.NewReader(t.Context(), m, part, chunk.Spec{Format: dialect(nil), MaxRecord: 10})
	if contracts.KindOf(err) != contracts.KindInternal {
		t.Errorf("found %v", err)
	}
	if _, err := chunk.ScanPart(t.Context(), m, part, dialect(nil)); contracts.KindOf(err) != contracts.KindInternal {
		t.Errorf("scan: found %v", err)
	}
}
