package chunk_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/chunk"
	"github.com/penstock-io/penstock/contracts"
)

func TestCompressionGoesByName(t *testing.T) {
	t.Parallel()
	auto := contracts.Format{Compression: "auto"}
	for key, want := range map[string]string{"a.csv": "none", "a.csv.gz": "gzip", "A.GZ": "gzip", "a.zst": "zstd"} {
		if got := chunk.Compression(auto, key); got != want {
			t.Errorf("%s: %s, expected %s", key, got, want)
		}
	}
	if got := chunk.Compression(contracts.Format{Compression: "gzip"}, "a.csv"); got != "gzip" {
		t.Errorf("declared gzip: %s", got)
	}
}

func TestOnlyQuotedLineBreaksNeedAScan(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{"default": true, "one line": false, "no quote": false} {
		if got := chunk.NeedsScan(dialects[name]); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if chunk.NeedsScan(contracts.Format{Name: "ndjson", CSV: dialects["default"].CSV}) {
		t.Error("ndjson needs no scan")
	}
	if !chunk.Splittable(dialects["default"], "none") || chunk.Splittable(dialects["default"], "gzip") {
		t.Error("plain objects split, gzip streams do not")
	}
}

func TestSegmentsCoverWhatAStreamCanHold(t *testing.T) {
	t.Parallel()
	tests := []struct {
		size        int64
		compression string
		segment     int64
		want        int64
	}{
		{0, "none", 10, 1}, {10, "none", 10, 1}, {11, "none", 10, 2}, {1, "gzip", 10, 104}, {1, "zstd", 32 << 10, 1},
		{1 << 60, "zstd", 1 << 20, (1<<63 - 1) >> 20},
	}
	for _, tt := range tests {
		if got := chunk.Segments(tt.size, tt.compression, tt.segment); got != tt.want {
			t.Errorf("Segments(%d, %s, %d) = %d, expected %d", tt.size, tt.compression, tt.segment, got, tt.want)
		}
	}
	if got := chunk.SegmentOf(25, 5, 10); got != 2 {
		t.Errorf("SegmentOf: %d", got)
	}
}

func TestAPrefixOfIncompleteScansIsNotKnown(t *testing.T) {
	t.Parallel()
	p := chunk.StartPrefix().Then([]contracts.Outcome{{Start: 3, End: 0}})
	if p.Known() || p.Then([]contracts.Outcome{{Start: 0}, {Start: 255}}).Known() {
		t.Errorf("%+v: expected an unknown prefix that stays so", p)
	}
	m := &memory{data: []byte("a\nb\n")}
	part := contracts.Part{Object: m.object("a"), Start: 2, End: 4, State: p.State, Binding: &contracts.Binding{Width: 1}}
	_, err := chunk.NewReader(t.Context(), m, part, chunk.Spec{Format: dialects["default"], MaxRecord: 10})
	if contracts.KindOf(err) != contracts.KindInternal {
		t.Errorf("found %v, expected that the state is refused", err)
	}
}

func TestRequestsAreFewAndStayInTheObject(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 500_000)
	m := &memory{data: []byte("a\nb\n" + long + "\nc\n")}
	s := chunk.Spec{Format: dialects["default"], MaxRecord: 1 << 20, Inputs: []string{"0"}}
	bind := &contracts.Binding{Width: 1, Positions: []int{0}}
	obj := m.object("a.csv")
	tests := map[string]struct {
		part    contracts.Part
		want    []string
		records int
		bytes   int64
	}{
		"whole": {whole(m, "a.csv", s.Format), []string{"0+500007"}, 4, 500_007},
		"short look-ahead": {contracts.Part{Object: obj, Start: 0, End: 3, Binding: bind},
			[]string{"0+65539"}, 2, 3},
		"long record": {contracts.Part{Object: obj, Start: 2, End: 5, Binding: bind},
			[]string{"2+65539", "65541+131072", "196613+262144", "458757+41250"}, 2, 3},
		"nothing starts here": {contracts.Part{Object: obj, Start: 5, End: 100, Binding: bind, State: 2},
			[]string{"5+65631"}, 0, 95},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m := &memory{data: m.data}
			r, err := chunk.NewReader(t.Context(), m, tt.part, s)
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for _, err = r.Next(); err == nil; _, err = r.Next() {
				n++
			}
			if n != tt.records || !slices.Equal(m.requests, tt.want) || r.BytesRead() != tt.bytes {
				t.Errorf("%d records, requests %v, %d bytes (%v); expected %d, %v, %d",
					n, m.requests, r.BytesRead(), err, tt.records, tt.want, tt.bytes)
			}
			if err := r.Close(); err != nil || m.open != 0 {
				t.Errorf("close: %v, %d bodies open", err, m.open)
			}
		})
	}
}

func TestALookAheadIsReadToItsEnd(t *testing.T) {
	t.Parallel()
	m := &memory{data: []byte(strings.Repeat("a,b\n", 500_000))}
	obj := m.object("a.csv")
	s := chunk.Spec{Format: dialects["default"], MaxRecord: 1 << 20, Inputs: []string{"0"}}
	bind := &contracts.Binding{Width: 2, Positions: []int{0}}
	part := contracts.Part{Object: obj, Start: 0, End: 1_000_000, Binding: bind}
	if _, err := readPart(t, m, part, s); err != nil || m.given != part.End+64<<10 || len(m.requests) != 1 {
		t.Errorf("%v, %d bytes in requests %v: expected one, read to its end", err, m.given, m.requests)
	}
	r, err := chunk.NewReader(t.Context(), m, part, s)
	if err != nil {
		t.Fatal(err)
	}
	m.given = 0
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil || m.given > 64<<10 || m.open > 0 {
		t.Errorf("%v, %d bytes read, %d bodies open: expected no more than was asked for", err, m.given, m.open)
	}
}

func TestEmptyObjectsMakeNoRequest(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"csv", "ndjson", "text"} {
		m := &memory{}
		f := contracts.Format{Name: name, CSV: dialects["default"].CSV}
		f.CSV.Header = true
		recs, err := readPart(t, m, whole(m, "a", f), chunk.Spec{Format: f, MaxRecord: 10})
		if len(recs) > 0 || err != nil || len(m.requests) > 0 {
			t.Errorf("%s: %v %v %v, expected nothing", name, recs, err, m.requests)
		}
		if h, err := chunk.ReadHead(t.Context(), m, m.object("a"), f, 100); err != nil || h.Width != 0 {
			t.Errorf("%s: head %+v, %v", name, h, err)
		}
	}
}

func TestAWholeObjectBindsItself(t *testing.T) {
	t.Parallel()
	f := dialects["default"]
	f.CSV.Header = true
	m := &memory{data: []byte("\xef\xbb\xbfid,level\r\nx,1\r\n\r\n,\"\"\r\n")}
	s := chunk.Spec{Format: f, MaxRecord: 100, Inputs: []string{"level", "id"}}
	want := []got{
		{13, 3, "x,1", "", []string{"2:1", "2:x"}},
		{20, 3, `,""`, "", []string{"2:", "1:"}},
	}
	all, err := readPart(t, m, whole(m, "a.csv", f), s)
	if err != nil || !reflect.DeepEqual(all, want) {
		t.Errorf("got %+v, %v; want %+v", all, err, want)
	}
	s.Inputs, s.Strict, s.Required = []string{"id", "level", "seq"}, true, []string{"seq"}
	_, err = readPart(t, m, whole(m, "a.csv", f), s)
	if contracts.KindOf(err) != contracts.KindInput || !strings.Contains(err.Error(), `header lacks "seq"`) {
		t.Errorf("found %v, expected that seq is required", err)
	}
	s = chunk.Spec{Format: dialects["default"], MaxRecord: 100, Inputs: []string{"5"}}
	_, err = readPart(t, m, whole(m, "a.csv", s.Format), s)
	if err == nil || !strings.Contains(err.Error(), "first record has 2 fields, expected at least 6") {
		t.Errorf("found %v, expected that position 5 is missing", err)
	}
}

func TestAHeadIsBounded(t *testing.T) {
	t.Parallel()
	f := dialects["comment"]
	f.CSV.Header = true
	m := &memory{data: []byte(strings.Repeat("# no header\n", 1000) + "a,b\n")}
	_, err := chunk.ReadHead(t.Context(), m, m.object("a.csv"), f, 1000)
	if contracts.KindOf(err) != contracts.KindInput || !strings.Contains(err.Error(), "does not end within 1000 bytes") {
		t.Errorf("found %v", err)
	}
	if m.open != 0 {
		t.Errorf("%d bodies open", m.open)
	}
	m = &memory{data: []byte("\xff\xfe{\x00")}
	_, err = chunk.ReadHead(t.Context(), m, m.object("a.json"), contracts.Format{Name: "ndjson"}, 1000)
	if contracts.KindOf(err) != contracts.KindInput || !strings.Contains(err.Error(), "convert") {
		t.Errorf("UTF-16 NDJSON: found %v", err)
	}
}

func TestABrokenConnectionIsNotTheFilesFault(t *testing.T) {
	t.Parallel()
	reset, changed := errors.New("connection reset"), contracts.Errorf(contracts.KindChanged, "etag")
	tests := map[string]struct {
		err, want error
		kind      contracts.Kind
	}{
		"reset":     {reset, reset, contracts.KindUnavailable},
		"short":     {io.EOF, io.ErrUnexpectedEOF, contracts.KindUnavailable},
		"cancelled": {context.Canceled, context.Canceled, contracts.KindInterrupted},
		"changed":   {changed, changed, contracts.KindChanged},
	}
	for name, tt := range tests {
		for _, key := range []string{"a.csv", "a.csv.gz", "a.csv.zst"} {
			m := &memory{data: packed(t, key, strings.Repeat("a,b\n", 50_000)), step: 5, err: tt.err, failAt: 10}
			f := dialect(func(*contracts.CSVFormat) {})
			f.Compression = "auto"
			_, err := readPart(t, m, whole(m, key, f), chunk.Spec{Format: f, MaxRecord: 100})
			if contracts.KindOf(err) != tt.kind || !errors.Is(err, tt.want) {
				t.Errorf("%s of %s: %v, expected kind %s", name, key, err, tt.kind)
			}
			part := contracts.Part{Object: m.object("a.csv"), End: int64(len(m.data))}
			if _, err := chunk.ScanPart(t.Context(), m, part, f); contracts.KindOf(err) != tt.kind {
				t.Errorf("scan, %s: %v, expected kind %s", name, err, tt.kind)
			}
		}
	}
}

func TestLinesSplitAnywhere(t *testing.T) {
	t.Parallel()
	docs := []string{
		"{\"a\":1}\n{\"a\":2}\n", "{\"a\":1}\r\n{\"a\":2}\r\n\r\n", "{\"a\":1}\r{\"a\":\"x\"}", "\n\n \t\n{}\n", "{\n}\n",
		"\xef\xbb\xbf{\"a\":1}\n{\"a\":2}", "\r\n\r\n{\"a\":null}\r\n", "",
	}
	for _, name := range []string{"ndjson", "text"} {
		f := contracts.Format{Name: name, Text: contracts.TextFormat{Fields: []string{"a"}}}
		s := chunk.Spec{Format: f, MaxRecord: 8, Inputs: []string{"a"}}
		for _, doc := range docs {
			m := &memory{data: []byte(doc)}
			want, err := readPart(t, m, whole(m, "a", f), s)
			if err != nil {
				t.Fatal(err)
			}
			for n := 1; n <= len(doc); n++ {
				var all []got
				for start, end := range chunk.Ranges(int64(len(doc)), 0, int64(n)) {
					part := contracts.Part{Object: m.object("a"), Start: start, End: end}
					r, err := chunk.NewReader(t.Context(), m, part, s)
					if err != nil {
						t.Fatal(err)
					}
					rec, err := r.Next()
					for ; err == nil; rec, err = r.Next() {
						all = append(all, copied(rec))
					}
					_ = r.Close()
				}
				if !reflect.DeepEqual(all, want) {
					t.Fatalf("%s %q by %d:\n got %+v\nwant %+v", name, doc, n, all, want)
				}
			}
		}
	}
}

func TestUnknownFormatsAreRefused(t *testing.T) {
	t.Parallel()
	m := &memory{data: []byte("x")}
	for _, f := range []contracts.Format{{Name: "xml"}, {Name: "text", Compression: "lz4"}} {
		_, err := readPart(t, m, whole(m, "a", f), chunk.Spec{Format: f, MaxRecord: 8})
		if contracts.KindOf(err) != contracts.KindConfig {
			t.Errorf("%s: found %v, expected a config error", fmt.Sprint(f.Name, f.Compression), err)
		}
	}
}
