package chunk_test

import (
	"bytes"
	stdgzip "compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/penstock-io/penstock/chunk"
	"github.com/penstock-io/penstock/contracts"
)

// bgzfEOF is the empty block that bgzip files end with.
const bgzfEOF = "\x1f\x8b\x08\x04\x00\x00\x00\x00\x00\xff\x06\x00BC\x02\x00\x1b\x00\x03\x00" +
	"\x00\x00\x00\x00\x00\x00\x00\x00"

// block is one bgzip block.
func block(t testing.TB, level int, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, level)
	if err != nil {
		t.Fatal(err)
	}
	w.Extra = []byte("BC\x02\x00\x00\x00")
	_, werr := io.WriteString(w, text)
	if err := errors.Join(werr, w.Close()); err != nil {
		t.Fatal(err)
	}
	out := b.Bytes()
	binary.LittleEndian.PutUint16(out[16:], uint16(len(out)-1))
	return out
}

func bgzip(t testing.TB, level int, pieces ...string) (out []byte) {
	t.Helper()
	for _, p := range pieces {
		out = append(out, block(t, level, p)...)
	}
	return append(out, bgzfEOF...)
}

func encoder(t testing.TB) *zstd.Encoder {
	t.Helper()
	e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithZeroFrames(true),
		zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(1<<16))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// skipped is a zstd frame that holds no data.
func skipped(kind byte, data string) []byte {
	out := binary.LittleEndian.AppendUint32([]byte{0x50 | kind, 0x2a, 0x4d, 0x18}, uint32(len(data)))
	return append(out, data...)
}

func multiframe(t testing.TB, pieces ...string) (out []byte) {
	t.Helper()
	e := encoder(t)
	for _, p := range pieces {
		out = e.EncodeAll([]byte(p), out)
	}
	return out
}

// cut cuts text into pieces of random sizes, some of them empty.
func cut(rnd *rand.Rand, text string, most int) (pieces []string) {
	for text != "" {
		n := min(len(text), rnd.IntN(most+1))
		pieces = append(pieces, text[:n])
		text = text[n:]
	}
	return pieces
}

// split is what the ranges of a compressed object yield, read as a job reads them.
type split struct {
	all     []got
	err     error // of the object
	ranges  int
	rescans int
	bytes   int64 // read as stored
}

// readRanges plans an object, and scans and reads range by range. Where it is not split it is read whole.
func readRanges(t testing.TB, m *memory, key string, s chunk.Spec, segment int64) (out split) {
	t.Helper()
	obj := m.object(key)
	head, blocks, err := chunk.ReadBlocks(t.Context(), m, obj, s.Format, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if blocks == nil {
		out.all, out.err = readPart(t, m, whole(m, key, s.Format), s)
		return out
	}
	bind, err := head.Bind(obj.Address(), s.Format, s.Inputs, s.Strict)
	if err != nil {
		return split{err: err}
	}
	part := contracts.Part{Object: obj, Compression: chunk.Compression(s.Format, key), Binding: &bind, Blocks: blocks}
	r := ranges{t: t, m: m, s: s, segment: segment, prefix: chunk.PrefixAt(part), ordinal: -1}
	for start, end := range chunk.Ranges(obj.Size, blocks.First, segment) {
		r.limit += chunk.BlockSegments(start, end, part.Compression, segment)
	}
	for start, end := range chunk.Ranges(obj.Size, blocks.First, segment) {
		part.Start, part.End, part.Segment = start, end, r.reserved
		part.Segments = chunk.BlockSegments(start, end, part.Compression, segment)
		r.reserved += part.Segments
		if !r.read(part) {
			break
		}
		part.Blocks = nil
	}
	if r.err == nil && (r.prefix.Block != obj.Size || r.bytes != obj.Size-blocks.First) {
		t.Fatalf("the ranges end at %d and read %d bytes of %d", r.prefix.Block, r.bytes, obj.Size)
	}
	if r.err == nil {
		checkQuote(t, r.prefix, nil)
	}
	return r.split
}

type ranges struct {
	split
	t        testing.TB
	m        *memory
	s        chunk.Spec
	segment  int64
	prefix   chunk.Prefix
	reserved int64
	limit    int64 // ordinals of the object
	before   int64 // ordinal of the last record before the range
	ordinal  int64 // of the last record
}

// read scans and reads one range; false if nobody can know where the next one begins.
func (r *ranges) read(part contracts.Part) bool {
	r.t.Helper()
	r.ranges++
	scan, err := chunk.Scan(r.t.Context(), r.m, part, r.s.Format)
	if err == nil && !r.prefix.Accepts(part, scan) {
		r.rescans++
		scan, err = chunk.Scan(r.t.Context(), r.m, r.prefix.Again(part), r.s.Format)
		if err == nil && !r.prefix.Accepts(part, scan) {
			r.t.Fatalf("scan of [%d, %d) began at %+v, asked for %d", part.Start, part.End, scan.Blocks, r.prefix.Block)
		}
	}
	if err != nil && part.Blocks == nil && contracts.KindOf(err) != contracts.KindInput {
		r.t.Fatal(err)
	}
	r.load(r.prefix.With(scan).Place(part, r.s.Format, r.segment), err != nil)
	if err != nil {
		r.same(err)
		return false
	}
	r.prefix = r.prefix.Pass(part, scan)
	if !r.prefix.Known() || r.prefix.Records != int64(len(r.all)) && r.s.Format.Name == "csv" && r.err == nil {
		r.t.Fatalf("behind %d: prefix %+v, %d records were read", part.End, r.prefix, len(r.all))
	}
	return true
}

// same holds a scan's error against the reader's.
func (r *ranges) same(err error) {
	var a, b *contracts.Error
	if !errors.As(err, &a) || !errors.As(r.err, &b) || a.Kind != b.Kind || a.Object != b.Object {
		r.t.Fatalf("scan: %v\nreader: %v", err, r.err)
	}
}

func (r *ranges) load(part contracts.Part, broken bool) {
	r.t.Helper()
	reader, err := chunk.NewReader(r.t.Context(), r.m, part, r.s)
	if err != nil {
		r.t.Fatal(err)
	}
	b := part.Blocks
	r.before = r.ordinal
	for {
		rec, err := reader.Next()
		if err != nil {
			if r.bytes += reader.BytesRead(); err != io.EOF && r.err == nil {
				r.err = err
			}
			if cerr := reader.Close(); cerr != nil || r.m.open != 0 {
				r.t.Fatalf("close: %v, %d bodies open", cerr, r.m.open)
			}
			return
		}
		if rec.Offset < b.Start || b.End >= 0 && rec.Offset >= b.End && rec.Offset > 3 || broken != (b.End < 0) {
			r.t.Fatalf("record at %d is outside of %+v", rec.Offset, b)
		}
		r.order(part, rec.Offset)
		r.all = append(r.all, copied(rec))
	}
}

// order holds segments to ascending from range to range, within what is reserved.
func (r *ranges) order(part contracts.Part, offset int64) {
	r.t.Helper()
	n := part.Segment + chunk.SegmentOf(offset, part.Blocks.Start, r.segment)
	if n >= part.Segment+part.Segments || n >= r.limit || n < r.ordinal || n <= r.before {
		r.t.Fatalf("record at %d is of segment %d of %+v, after %d, limit %d", offset, n, part, r.ordinal, r.limit)
	}
	r.ordinal = n
}

// stream decompresses with another decoder than the product's where there is one.
func stream(t testing.TB, key string, data []byte) (string, error) {
	t.Helper()
	var r io.Reader
	var err error
	if strings.HasSuffix(key, "gz") {
		r, err = stdgzip.NewReader(bytes.NewReader(data))
	} else {
		r, err = zstd.NewReader(bytes.NewReader(data), zstd.WithDecoderConcurrency(1))
	}
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(r)
	return string(text), err
}

// compareRanges reads a compressed document in ranges and holds the records against the reference.
func compareRanges(t testing.TB, f contracts.Format, key, doc string, data []byte, segments []int64, max int64) {
	t.Helper()
	if text, err := stream(t, key, data); err != nil || text != doc {
		t.Fatalf("the test's own %s: %v, %q, expected %q", key, err, text, doc)
	}
	ref := reference{doc: []byte(doc), f: f.CSV}
	want, open := ref.expect(0, max)
	s := chunk.Spec{Format: f, Inputs: ref.inputs(0), MaxRecord: max}
	m := &memory{data: data}
	for _, n := range segments {
		m.step = int(n) % 7 * 100
		out := readRanges(t, m, key, s, n)
		if out.err != nil && len(want) == 0 && open >= 0 {
			continue // the head itself cannot be read
		}
		sameEnd(t, fmt.Sprintf("%s in ranges of %d: %q", key, n, doc), out.all, want, out.err, open)
	}
}

// compressedFormat is a dialect whose objects are compressed by their keys.
func compressedFormat(f contracts.Format) contracts.Format {
	f.Compression = "auto"
	return f
}

// hostile mixes into pieces what looks like blocks and frames.
func hostile(t testing.TB, rnd *rand.Rand, text string) string {
	lure := [...][]byte{
		bgzip(t, rnd.IntN(3), "a,b\n", "c,d\n"), multiframe(t, "a,b\n", "c"), skipped(3, "a,"),
		[]byte(bgzfEOF), []byte(bgzfEOF[:20]), {0x28, 0xb5, 0x2f, 0xfd}, []byte("\x50\x2a\x4d\x18\x03\x00\x00\x00"),
	}[rnd.IntN(7)]
	at := rnd.IntN(len(text) + 1)
	return text[:at] + string(lure) + text[at:]
}

func TestRangesOfCompressedObjectsYieldTheSameRecords(t *testing.T) {
	t.Parallel()
	const documents = 300
	for name, f := range dialects {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rnd := rand.New(rand.NewPCG(3, uint64(len(name))))
			words := alphabet(f.CSV)
			for range documents/len(dialects) + 1 {
				doc := document(rnd, words) + document(rnd, words)
				for range rnd.IntN(3) {
					doc = hostile(t, rnd, doc)
				}
				pieces := cut(rnd, doc, 1+rnd.IntN(40))
				data := bgzip(t, rnd.IntN(3), pieces...)
				if rnd.IntN(4) == 0 { // an ordinary gzip member among the blocks
					data = append(data, packed(t, "a.gz", "tail\n")...)
					doc += "tail\n"
				}
				segments := []int64{1 + rnd.Int64N(100), 1 + rnd.Int64N(int64(len(data)))}
				max := 1 + rnd.Int64N(40)
				f := compressedFormat(f)
				compareRanges(t, f, "a.csv.gz", doc, data, segments, max)
				data = nil
				for _, p := range append(pieces, strings.TrimPrefix(doc, strings.Join(pieces, ""))) {
					if rnd.IntN(3) == 0 {
						data = append(data, skipped(byte(rnd.IntN(16)), p)...)
					}
					data = append(data, multiframe(t, p)...)
				}
				compareRanges(t, f, "a.csv.zst", doc, data, segments, max)
			}
		})
	}
}

// bigDoc has records of all lengths, some with line breaks in quotes.
func bigDoc(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%d,\"row\n%d\",%s\n", i, i*i*7919, strings.Repeat("x", i%90))
	}
	return b.String()
}

func pieces(text string, size int) (all []string) {
	for len(text) > size {
		all, text = append(all, text[:size]), text[size:]
	}
	return append(all, text)
}

func TestAnOrdinaryObjectIsScannedOnceAndInOneRequestARange(t *testing.T) {
	t.Parallel()
	doc := bigDoc(20_000)
	f := compressedFormat(dialect(nil))
	for key, data := range map[string][]byte{
		"a.csv.gz":  bgzip(t, 6, pieces(doc, 60_000)...),
		"a.csv.bgz": bgzip(t, 1, pieces(doc, 5_000)...),
		"a.csv.zst": multiframe(t, pieces(doc, 30_000)...),
	} {
		m := &memory{data: data}
		s := chunk.Spec{Format: f, Inputs: []string{"0", "1", "2"}, MaxRecord: 1000}
		out := readRanges(t, m, key, s, 70_000)
		if out.err != nil || len(out.all) != 20_000 || out.ranges < 3 || out.rescans > 0 {
			t.Errorf("%s: %d records, %d ranges, %d scanned again, %v", key, len(out.all), out.ranges, out.rescans, out.err)
		}
		if len(m.requests) > 1+2*out.ranges {
			t.Errorf("%s: %d requests for %d ranges: %v", key, len(m.requests), out.ranges, m.requests)
		}
	}
}

func TestWhatLooksLikeBlocksIsToldFromThem(t *testing.T) {
	t.Parallel()
	doc := bigDoc(3000)
	inner := string(bgzip(t, 6, pieces(doc, 3_000)...))
	frames := string(multiframe(t, pieces(doc, 3_000)...))
	f := compressedFormat(contracts.Format{Name: "text"})
	s := chunk.Spec{Format: f, MaxRecord: 100}
	for name, c := range map[string]struct {
		key    string
		data   []byte
		fooled bool // some scans begin at a wrong place, and are asked for again
	}{
		"a bgzip file in stored blocks":  {"a.gz", bgzip(t, 0, pieces(strings.Repeat(inner, 3), 60_000)...), true},
		"a bgzip file in a plain member": {"a.gz", append(bgzip(t, 6, "x\n"), bgzip(t, 0, inner)...), true},
		"frames in raw blocks":           {"a.zst", multiframe(t, pieces(strings.Repeat(frames, 3), 30_000)...), true},
		"frames in skipped frames": {"a.zst", bytes.Join([][]byte{
			multiframe(t, "x\n"), skipped(7, frames), multiframe(t, "y\nz"), skipped(7, frames)}, nil), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := &memory{data: c.data}
			want, err := readPart(t, m, whole(m, c.key, f), s)
			if err != nil {
				t.Fatal(err)
			}
			rescans := 0
			for _, segment := range []int64{500, 4_000, 60_000} {
				out := readRanges(t, m, c.key, s, segment)
				if out.err != nil || fmt.Sprint(out.all) != fmt.Sprint(want) {
					t.Errorf("ranges of %d: %d records of %d in %d ranges, %d scanned again, %v",
						segment, len(out.all), len(want), out.ranges, out.rescans, out.err)
				}
				rescans += out.rescans
			}
			if (rescans > 0) != c.fooled {
				t.Errorf("%d scans were fooled", rescans)
			}
		})
	}
}

// TestScansOfHostileObjectsAreLinear counts stored bytes: none of them may be asked for again and again.
func TestScansOfHostileObjectsAreLinear(t *testing.T) {
	t.Parallel()
	const size = 1 << 20
	lie := bgzfEOF[:16] + "\xff\xff" + "\x01\x02\x00\xfd\xffxy" // a stored block, and nothing behind it is right
	raw := "\x28\xb5\x2f\xfd\x00\x58\xf9\xff\x01"               // a frame of one raw block of 8 KiB, said to go on
	f := compressedFormat(dialect(nil))
	for key, data := range map[string][]byte{
		"a.gz":  bgzip(t, 0, pieces("a,b\n"+strings.Repeat(lie, size/len(lie)), 65_000)...),
		"a.zst": multiframe(t, "a,b\n", strings.Repeat(raw, size/len(raw))),
	} {
		m := &memory{data: append(data, bytes.Repeat([]byte("x"), size)...)}
		obj := m.object(key)
		for start, end := range chunk.Ranges(obj.Size, 0, 256<<10) {
			part := contracts.Part{Object: obj, Start: start, End: end, Compression: chunk.Compression(f, key)}
			before := m.given
			if _, err := chunk.Scan(t.Context(), m, part, f); err != nil {
				t.Errorf("%s: %v", key, err)
			}
			if given := m.given - before; given > 4*(3*(end-start)+(256<<10)) {
				t.Errorf("%s: a scan of %d bytes read %d", key, end-start, given)
			}
		}
	}
}

func TestBrokenRangesYieldWhatTheWholeYields(t *testing.T) {
	t.Parallel()
	doc := bigDoc(40)
	f := compressedFormat(dialect(nil))
	s := chunk.Spec{Format: f, Inputs: []string{"0", "1", "2"}, MaxRecord: 1000}
	for key, data := range map[string][]byte{
		"a.csv.gz":  bgzip(t, 6, pieces(doc, 700)...),
		"a.csv.zst": append(multiframe(t, pieces(doc, 600)...), skipped(1, "end")...),
	} {
		t.Run(key, func(t *testing.T) {
			t.Parallel()
			rnd := rand.New(rand.NewPCG(5, 5))
			for at := range len(data) {
				flipped := bytes.Clone(data)
				flipped[at] ^= 1 << rnd.IntN(8)
				for what, broken := range map[string][]byte{"cut": data[:at], "flipped": flipped} {
					if len(broken) == 0 {
						continue
					}
					m := &memory{data: broken}
					want, err := readPart(t, m, whole(m, key, f), s)
					out := readRanges(t, m, key, s, 1+rnd.Int64N(900))
					if fmt.Sprint(out.all) != fmt.Sprint(want) || fmt.Sprint(out.err) != fmt.Sprint(err) {
						t.Fatalf("%s at %d: %d records, %v\nexpected %d, %v", what, at, len(out.all), out.err, len(want), err)
					}
				}
			}
		})
	}
}

func TestWhatIsReadWhole(t *testing.T) {
	t.Parallel()
	doc := bigDoc(2000)
	long := pieces(strings.Repeat("a,b\n", 300)+bigDoc(20_000), 1<<20)
	seekable := "\x02\x00\x00\x00\x00\xb1\xea\x92\x8f"
	text := make([]byte, 2<<20)
	for i := range text {
		text[i] = byte(rand.IntN(256))
	}
	noise := multiframe(t, "a,b\n"+string(text))
	one := multiframe(t, doc)
	size := binary.LittleEndian.AppendUint32(nil, uint32(len(one)))
	for name, c := range map[string]struct {
		key   string
		data  []byte
		split bool
	}{
		"one gzip member":            {"a.gz", packed(t, "a.gz", doc), false},
		"gzip members, not of bgzip": {"a.gz", append(packed(t, "a.gz", doc), packed(t, "a.gz", doc)...), false},
		"bgzip":                      {"a.gz", bgzip(t, 6, long[0][:60_000], long[0][60_000:90_000]), true},
		"no gzip":                    {"a.gz", []byte(doc), false},
		"one frame":                  {"a.zst", one, false},
		"one frame, skipped ones":    {"a.zst", append(skipped(1, "xyz"), one...), false},
		"two frames":                 {"a.zst", append(bytes.Clone(one), one...), true},
		"a frame announced":          {"a.zst", bytes.Join([][]byte{skipped(0, string(size)), one, one}, nil), true},
		"one frame announced":        {"a.zst", append(skipped(0, string(size)), one...), false},
		"a long frame":               {"a.zst", noise, false},
		"a long frame of many":       {"a.zst", append(append(bytes.Clone(noise), one...), skipped(14, seekable)...), true},
		"no zstd":                    {"a.zst", []byte(doc), false},
		"a header that does not end": {"a.gz", bgzip(t, 6, pieces("\""+strings.Repeat("x", 1<<20), 60_000)...), false},
		"UTF-16":                     {"a.gz", bgzip(t, 6, "\xff\xfea\x00"), false},
		"a quote open at the end":    {"a.gz", bgzip(t, 6, "\"a,b", "c\n"), false},
		"a checksum that is wrong":   {"a.gz", bytes.Replace(bgzip(t, 0, doc[:1000]), []byte("row"), []byte("raw"), 1), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := &memory{data: c.data}
			_, blocks, err := chunk.ReadBlocks(t.Context(), m, m.object(c.key), compressedFormat(dialect(nil)), 1<<20)
			if err != nil || (blocks != nil) != c.split || m.open != 0 {
				t.Errorf("found %+v, %v, %d bodies open; expected blocks %v", blocks, err, m.open, c.split)
			}
			if len(m.requests) > 2 || m.given > 1<<20+9 {
				t.Errorf("requests %v for %d bytes", m.requests, m.given)
			}
		})
	}
}

func TestAStoreThatFailsIsNoFaultOfTheObject(t *testing.T) {
	t.Parallel()
	f := compressedFormat(dialect(nil))
	m := &memory{data: bgzip(t, 6, pieces(bigDoc(3000), 1000)...), err: errors.New("broken pipe"), failAt: 4000, step: 100}
	obj := m.object("a.gz")
	part := contracts.Part{Object: obj, Start: 2000, End: obj.Size, Compression: "gzip"}
	if _, err := chunk.Scan(t.Context(), m, part, f); contracts.KindOf(err) != contracts.KindUnavailable {
		t.Errorf("scan: found %v", err)
	}
	m.failAt = 0
	if _, _, err := chunk.ReadBlocks(t.Context(), m, obj, f, 1000); contracts.KindOf(err) != contracts.KindUnavailable {
		t.Errorf("head: found %v", err)
	}
	if m.open != 0 {
		t.Errorf("%d bodies open", m.open)
	}
}

func TestHeadsOfCompressedRanges(t *testing.T) {
	t.Parallel()
	rows := bigDoc(30)
	for name, c := range map[string]struct {
		head   string
		change func(*contracts.CSVFormat)
	}{
		"a header":      {"a,\"b\nb\",c\r\n", func(f *contracts.CSVFormat) { f.Header = true }},
		"a BOM":         {"\xef\xbb\xbf", nil},
		"skipped lines": {"one\r\n\"two\n", func(f *contracts.CSVFormat) { f.Skip = 2 }},
		"all of them": {"\xef\xbb\xbfone\n#\na,b,c\n", func(f *contracts.CSVFormat) {
			f.Header, f.Skip, f.Comment = true, 1, "#"
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := compressedFormat(dialect(c.change))
			s := chunk.Spec{Format: f, Inputs: []string{"0", "1", "2"}, MaxRecord: 100}
			if f.CSV.Header {
				s.Inputs = []string{"c", "a"}
			}
			for _, size := range []int{1, 2, 5, 30, 1000} {
				m := &memory{data: bgzip(t, 1, pieces(c.head+rows, size)...)}
				want, err := readPart(t, m, whole(m, "a.gz", f), s)
				if err != nil || len(want) != 30 {
					t.Fatalf("%d records, %v", len(want), err)
				}
				for _, segment := range []int64{20, 333} {
					if out := readRanges(t, m, "a.gz", s, segment); fmt.Sprint(out.all) != fmt.Sprint(want) || out.err != nil {
						t.Errorf("blocks of %d, ranges of %d: %d records, %v", size, segment, len(out.all), out.err)
					}
				}
			}
		})
	}
}

// TestSegmentsOfDenseBlocks: members of almost deflate's limit, over many ranges each, run out of no ordinals.
func TestSegmentsOfDenseBlocks(t *testing.T) {
	t.Parallel()
	f := compressedFormat(contracts.Format{Name: "text"})
	s := chunk.Spec{Format: f, MaxRecord: 70_000}
	data := bgzip(t, 9, "x\n")
	line := strings.Repeat("a", 65_535) + "\n"
	for range 3 {
		var b bytes.Buffer
		w, err := stdgzip.NewWriterLevel(&b, 9)
		if err != nil {
			t.Fatal(err)
		}
		_, werr := io.WriteString(w, strings.Repeat(line, 16))
		if err := errors.Join(werr, w.Close()); err != nil || b.Len() > 1100 {
			t.Fatalf("%v, %d bytes", err, b.Len())
		}
		data = append(data, b.Bytes()...)
		data = append(data, block(t, 9, "y\n")...)
	}
	m := &memory{data: data}
	for _, segment := range []int64{64, 97, 113, 150, 200, 301} {
		if out := readRanges(t, m, "a.gz", s, segment); out.err != nil || len(out.all) != 1+3*17 {
			t.Errorf("ranges of %d: %d records, %v", segment, len(out.all), out.err)
		}
	}
}
