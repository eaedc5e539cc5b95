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

	"github.com/penstock-io/penstock/chunk"
	"github.com/penstock-io/penstock/contracts"
)

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
