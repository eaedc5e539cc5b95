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

// TestAHeadThatGoesOnBehindWhatIsRead: where the bytes read for the head end with a block, the file does not.
func TestAHeadThatGoesOnBehindWhatIsRead(t *testing.T) {
	t.Parallel()
	csv := contracts.CSVFormat{Delimiter: ",", Quote: `"`, Header: true}
	f := compressedFormat(contracts.Format{Name: "csv", CSV: csv})
	for key, first := range map[string][]byte{
		"o.bgz": block(t, 6, "id,v"),
		"o.zst": append(multiframe(t, "id"), multiframe(t, ",v")...),
	} {
		rest := block(t, 6, "alue\n1,2\n")
		if key == "o.zst" {
			rest = multiframe(t, "alue\n1,2\n")
		}
		m := &memory{data: append(first, rest...)}
		head, blocks, err := chunk.ReadBlocks(t.Context(), m, m.object(key), f, int64(len(first)))
		if err != nil || blocks != nil {
			t.Errorf("%s: found the head %q at %+v, %v: expected none", key, head.Names, blocks, err)
		}
		head, blocks, err = chunk.ReadBlocks(t.Context(), m, m.object(key), f, int64(len(m.data)))
		if err != nil || blocks == nil || len(head.Names) != 2 || head.Names[1] != "value" {
			t.Errorf("%s: found the head %q at %+v, %v", key, head.Names, blocks, err)
		}
	}
}
