package dispatcher

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/penstock-io/penstock/chunk"
	"github.com/penstock-io/penstock/contracts"
)

// bgzipped are blocks of so many bytes each; level 0 stores them as they are.
func bgzipped(t testing.TB, level int, data []byte, size int) (out []byte) {
	t.Helper()
	for first := true; first || len(data) > 0; first = false {
		var b bytes.Buffer
		w, err := gzip.NewWriterLevel(&b, level)
		must(t, err)
		w.Extra = []byte("BC\x02\x00\x00\x00")
		n := min(len(data), size)
		_, err = w.Write(data[:n])
		must(t, err)
		must(t, w.Close())
		data = data[n:]
		binary.LittleEndian.PutUint16(b.Bytes()[16:], uint16(b.Len()-1))
		out = append(out, b.Bytes()...)
	}
	return out
}

func framed(t testing.TB, data []byte, size int) (out []byte) {
	t.Helper()
	e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<10))
	must(t, err)
	for len(data) > 0 {
		n := min(len(data), size)
		out = e.EncodeAll(data[:n], out)
		data = data[n:]
	}
	return out
}

// luring are numbered records with values that look like bgzip blocks.
func luring(t testing.TB, n int) []byte {
	t.Helper()
	empty := string(bgzipped(t, -1, nil, 1))
	if strings.ContainsAny(empty, "\",\r\n") {
		t.Fatalf("%q would be no plain value", empty)
	}
	var b bytes.Buffer
	b.WriteString("k,v\n")
	for i := 1; i <= n; i++ {
		fmt.Fprintf(&b, "%d,%s\n", i, strings.Repeat(empty, i%4))
	}
	return b.Bytes()
}

func rescanOf(w contracts.ChunkWork) bool { return w.Work == contracts.Rescan }

// TestCompressedRanges: records of a bgzip file and of zstd frames are numbered as those of a file that is not split.
func TestCompressedRanges(t *testing.T) {
	t.Parallel()
	for _, window := range []int{1, 2, 3, 100} {
		t.Run(fmt.Sprint(window), func(t *testing.T) {
			t.Parallel()
			l := newLab(t, csvSpec)
			l.cfg.Window, l.cfg.Reconcile, l.cfg.ChunkSize = window, time.Hour, 500
			l.put("a.csv.gz", bgzipped(t, 1, numbered(200), 100))
			l.put("b.csv.zst", framed(t, numbered(200), 300))
			l.put("c.csv.bgz", bgzipped(t, 0, luring(t, 100), 900))
			l.put("d.csv", numbered(90))
			d, _ := l.run()
			l.work()
			l.accept(d, "j1")
			r := l.report("j1")
			expectReport(t, r, contracts.StateDone, 590, totals(4, 4, 0, 0))
			if n := l.queue.count(rescanOf); n == 0 || n > r.Chunks.Total/2 || l.queue.most > window {
				t.Errorf("%d of %d chunks scanned again, %d messages at a time", n, r.Chunks.Total, l.queue.most)
			}
			inQuotes := l.queue.count(func(w contracts.ChunkWork) bool {
				return loadOf(w) && w.Parts[0].State != chunk.StartPrefix().State
			})
			if inQuotes == 0 {
				t.Error("no chunk starts inside a record")
			}
		})
	}
}

func TestCompressedLines(t *testing.T) {
	t.Parallel()
	l := newLab(t, ndjsonSpec)
	l.cfg.ChunkSize = 300
	l.put("a.gz", bgzipped(t, 0, numberedJSON(300), 111))
	l.put("b.zst", framed(t, numberedJSON(200), 222))
	d, _ := l.run()
	l.work()
	l.work()
	l.accept(d, "j1")
	r := l.report("j1")
	expectReport(t, r, contracts.StateDone, 500, totals(2, 2, 0, 0))
	if r.Chunks.Total < 10 {
		t.Errorf("%d chunks", r.Chunks.Total)
	}
}

// TestLostRescans: messages and news of scans asked again get lost, and another dispatcher takes over.
func TestLostRescans(t *testing.T) {
	t.Parallel()
	l := newLab(t, csvSpec)
	l.cfg.ChunkSize = 700
	l.put("a.csv.gz", bgzipped(t, 0, luring(t, 100), 900))
	lost := map[string]bool{}
	once := func(key string) bool {
		again := lost[key]
		lost[key] = true
		return !again
	}
	l.queue.lose = func(w contracts.ChunkWork) bool { return once(subjectOf(w)) && !scanOf(w) }
	l.queue.loseEvent = func(e contracts.Event) bool {
		return e.Kind == contracts.EventChunkScanned && once(fmt.Sprintf("%d of %v", *e.Chunk, e.Blocks))
	}
	d, stop := l.run()
	l.work()
	l.accept(d, "j1")
	if !l.queue.wait(t.Context(), func() bool {
		n := 0
		for _, w := range l.queue.published {
			n += boolInt(loadOf(w))
		}
		return n > 5
	}) {
		t.Fatal("no loads")
	}
	stop()
	l.run()
	expectReport(t, l.report("j1"), contracts.StateDone, 100, totals(1, 1, 0, 0))
	if l.queue.count(rescanOf) == 0 {
		t.Error("no scan was asked for again")
	}
}

// TestBrokenBlocks: what comes before a fault is loaded, and the job names its place in the decompressed bytes.
func TestBrokenBlocks(t *testing.T) {
	t.Parallel()
	l := newLab(t, csvSpec)
	l.cfg.ChunkSize = 500
	data := bgzipped(t, 0, numbered(200), 250)
	at := len(data) / 2
	data[at] ^= 0x40
	l.put("a.csv.gz", data)
	l.put("b.csv.gz", bgzipped(t, 0, numbered(100), 250)[:1200])
	l.put("c.csv.gz", bgzipped(t, 0, numbered(100), 250))
	d, _ := l.run()
	l.work()
	l.accept(d, "j1")
	r := l.report("j1")
	if r.State != contracts.StateFailed || r.Objects != totals(3, 1, 0, 2) || r.Error.Kind != contracts.KindInput {
		t.Fatalf("found %+v, error %+v", r, r.Error)
	}
	if offset := *r.Error.Offset; offset < int64(at-1500) || offset > int64(at) {
		t.Errorf("found offset %d, the fault is at stored byte %d", offset, at)
	}
	if r.Records.Read <= 100+40 || r.Records.Read >= 400 || r.Chunks.Done == 0 {
		t.Errorf("found %+v, %+v", r.Records, r.Chunks)
	}
}

// TestReplayOfCompressedRanges: a range whose own scan failed for reasons that pass is loaded when it is replayed.
func TestReplayOfCompressedRanges(t *testing.T) {
	t.Parallel()
	l := newLab(t, csvSpec)
	l.cfg.ChunkSize = 500
	l.put("a.csv.gz", bgzipped(t, 0, luring(t, 100), 900))
	mend := l.denyScans(func(chunk int) bool { return chunk == 3 })
	d, _ := l.run()
	l.work()
	l.accept(d, "j1")
	first := l.report("j1")
	dead := l.deadChunks("j1")
	if first.State != contracts.StateFailed || len(dead) < 2 || dead[0] != 3 {
		t.Fatalf("found %s, dead %v: expected the fourth chunk and all that follow", first.State, dead)
	}
	mend()
	l.replay(d, "j1", 1, dead[0])
	expectReport(t, l.replay(d, "j1", len(dead)-1), contracts.StateDone, 100, totals(1, 1, 0, 0))
	l.sameWork()
}

func TestPlanningCompressedRanges(t *testing.T) {
	t.Parallel()
	m := newMemory("s3://b/a")
	data := map[string][]byte{
		"b.csv.gz":  bgzipped(t, 0, numbered(40), 100),
		"c.csv.gz":  bgzipped(t, 1, numbered(40), 1<<20),
		"d.csv.zst": framed(t, bytes.Repeat(numbered(1), 40), 50),
		"e.csv.gz":  bgzipped(t, 0, []byte("k,v\n1,2\n"), 3)[:101],
		"f.csv.gz":  bgzipped(t, 0, append([]byte("k,w\n"), numbered(40)...), 100),
	}
	for key, d := range data {
		m.add("s3://b/"+key, int64(len(d)))
		m.data[key] = d
	}
	chunks, out, err := planOf(t, m, csvSpec, nil)
	must(t, err)
	if out.Totals.Failed != 1 || !strings.Contains(out.Failures[0].Message, "f.csv.gz") {
		t.Errorf("found %+v, expected the header of f to be refused", out.Failures)
	}
	next := int64(0)
	ranges := map[string]int{}
	for _, c := range chunks {
		for _, p := range c.Parts {
			if p.Segment != next || p.Segments < 1 {
				t.Errorf("%+v, expected segment %d", p, next)
			}
			next += p.Segments
			ranges[p.Object.Key]++
			split := p.Object.Key == "b.csv.gz" || p.Object.Key == "d.csv.zst"
			if p.Whole == split || c.Scan != split || (p.Blocks != nil) != (split && p.Start == 0) ||
				c.Follows != (split && p.Start > 0) {
				t.Errorf("found %+v", c)
			}
		}
	}
	if ranges["b.csv.gz"] < 5 || ranges["d.csv.zst"] < 5 || next != out.Totals.Segments {
		t.Errorf("found %v, %d ordinals of %d", ranges, next, out.Totals.Segments)
	}
}
