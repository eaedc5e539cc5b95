package pipeline_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/chunk"
	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/internal/testenv"
	"github.com/penstock-io/penstock/pipeline"
)

// readingsSpec has the ten columns that internal/bench loads.
const readingsSpec = `name: readings
source: {format: %s}
table: {keyspace: lab, name: readings, partition_key: [device], clustering_key: [ts, seq]}
columns:
  - {name: device, type: text}
  - {name: ts, type: timestamp}
  - {name: seq, type: int}
  - {name: status, type: text}
  - {name: temperature, type: double}
  - {name: pressure, type: float}
  - {name: total, type: bigint}
  - {name: valid, type: boolean}
  - {name: note, type: text}
  - {name: batch, type: uuid}
`

var readingsColumns = []string{"device", "ts", "seq", "status", "temperature", "pressure", "total", "valid", "note",
	"batch"}

var readingsNotes = []string{"", "calm", "steady", "rising", "falling", "calibrated", `gusts, then "calm"`, "", "",
	"calm", "steady", "rising", "falling", "calibrated", "two\nlines", ""}

// reading is record i; no value needs quotes in CSV but the note.
func reading(random *rand.Rand, i int) []string {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(i) * time.Millisecond)
	return []string{
		fmt.Sprintf("device-%05d", random.IntN(20_000)), at.Format("2006-01-02T15:04:05.000Z"), strconv.Itoa(i),
		[]string{"ok", "warn", "fault", ""}[random.IntN(4)],
		strconv.FormatFloat(random.Float64()*100-20, 'f', 3, 64), strconv.FormatFloat(950+random.Float64()*100, 'f', 1, 64),
		strconv.FormatInt(random.Int64N(1e12), 10), strconv.FormatBool(random.IntN(8) > 0),
		readingsNotes[i%len(readingsNotes)],
		fmt.Sprintf("%08x-0000-4000-8000-%012x", random.Uint32(), random.Uint64()>>16),
	}
}

func readingsCSV(n int) []byte {
	random := rand.New(rand.NewPCG(1, 2))
	out := []byte(strings.Join(readingsColumns, ",") + "\n")
	for i := range n {
		values := reading(random, i)
		if note := values[8]; strings.ContainsAny(note, ",\"\n") {
			values[8] = `"` + strings.ReplaceAll(note, `"`, `""`) + `"`
		}
		out = append(append(out, strings.Join(values, ",")...), '\n')
	}
	return out
}

// readingsNDJSON has the same records; what is empty in CSV, and so null, is left out.
func readingsNDJSON(n int) []byte {
	random := rand.New(rand.NewPCG(1, 2))
	var out []byte
	for i := range n {
		sep := byte('{')
		for c, value := range reading(random, i) {
			if value == "" {
				continue
			}
			out = append(fmt.Appendf(append(out, sep), "%q", readingsColumns[c]), ':')
			if c == 2 || c >= 4 && c <= 7 {
				out = append(out, value...)
			} else {
				quoted, _ := json.Marshal(value)
				out = append(out, quoted...)
			}
			sep = ','
		}
		out = append(out, '}', '\n')
	}
	return out
}

// inMemory is an object store of one object.
type inMemory []byte

func (m inMemory) Open(_ context.Context, _ contracts.Object, off, n int64) (io.ReadCloser, error) {
	rest := m[off:]
	if n >= 0 && n < int64(len(rest)) {
		rest = rest[:n]
	}
	return io.NopCloser(bytes.NewReader(rest)), nil
}

func compileReadings(t testing.TB, format string) *pipeline.Compiled {
	t.Helper()
	c, findings := pipeline.Lint("readings.yaml", fmt.Appendf(nil, readingsSpec, format), nil)
	if len(findings) > 0 {
		t.Fatal(findings)
	}
	return c
}

// openReadings reads data as a worker does.
func openReadings(t testing.TB, c *pipeline.Compiled, data []byte) chunk.Reader {
	t.Helper()
	part := contracts.Part{Object: contracts.Object{Bucket: "b", Key: "readings", ETag: "e", Size: int64(len(data))},
		End: int64(len(data)), Whole: true}
	r, err := chunk.NewReader(t.Context(), inMemory(data), part,
		chunk.Spec{Format: c.Format(), Inputs: c.Inputs(), MaxRecord: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// packReadings makes packed rows of all of data and returns them.
func packReadings(t testing.TB, c *pipeline.Compiled, data, dst []byte) []byte {
	r := openReadings(t, c, data)
	defer r.Close()
	tr := c.Bind(pipeline.ObjectContext{})
	for {
		rec, err := r.Next()
		if err == io.EOF {
			return dst
		}
		if err != nil || rec.Problem != nil {
			t.Fatal(err, rec)
		}
		var p *contracts.Problem
		if dst, _, _, p = tr.Transform(rec, dst); p != nil {
			t.Fatal(p)
		}
	}
}

// few readings and what is made of them fit into the processor's cache, as a reader's window does.
const fewReadings = 2000

func benchmarkTyped(b *testing.B, format string, data []byte) {
	c := compileReadings(b, format)
	rows := packReadings(b, c, data, nil)
	rounds(b, len(data), func() { rows = packReadings(b, c, data, rows[:0]) })
}

// rounds reports how many MB of input a CPU-second takes, and a second of the fastest round: one that nothing else
// disturbed, where the machine has others to serve.
func rounds(b *testing.B, bytes int, round func()) {
	fastest := time.Hour
	b.ReportAllocs()
	report := testenv.PerCPU(b)
	for b.Loop() {
		begin := time.Now()
		round()
		fastest = min(fastest, time.Since(begin))
	}
	report(bytes)
	b.ReportMetric(float64(bytes)/1e6/fastest.Seconds(), "MB/s-best")
}

// BenchmarkTypedCSV is the path from a file's bytes to packed rows: parse, transform and encode.
func BenchmarkTypedCSV(b *testing.B) { benchmarkTyped(b, "csv", readingsCSV(fewReadings)) }

// BenchmarkTypedNDJSON is the same of JSON lines, which are about twice as long.
func BenchmarkTypedNDJSON(b *testing.B) { benchmarkTyped(b, "ndjson", readingsNDJSON(fewReadings)) }

// keepReadings reads records that outlive their reader.
func keepReadings(t testing.TB, c *pipeline.Compiled, data []byte) []*contracts.Record {
	r := openReadings(t, c, data)
	defer r.Close()
	var kept []*contracts.Record
	for {
		rec, err := r.Next()
		if err == io.EOF {
			return kept
		}
		if err != nil {
			t.Fatal(err)
		}
		own := &contracts.Record{Offset: rec.Offset}
		for _, f := range rec.Fields {
			own.Fields = append(own.Fields, contracts.Field{Kind: f.Kind, Bytes: bytes.Clone(f.Bytes)})
		}
		kept = append(kept, own)
	}
}

// BenchmarkTransformReadings is the part of BenchmarkTyped behind the reader: transform and encode.
func BenchmarkTransformReadings(b *testing.B) {
	for format, data := range map[string][]byte{"csv": readingsCSV(fewReadings), "ndjson": readingsNDJSON(fewReadings)} {
		b.Run(format, func(b *testing.B) {
			c := compileReadings(b, format)
			records, tr := keepReadings(b, c, data), c.Bind(pipeline.ObjectContext{})
			dst := make([]byte, 0, 4096)
			rounds(b, len(data), func() {
				for _, rec := range records {
					if _, _, _, p := tr.Transform(rec, dst); p != nil {
						b.Fatal(p)
					}
				}
			})
		})
	}
}

// TestReadingsAreTheSameRows: of CSV and of NDJSON.
func TestReadingsAreTheSameRows(t *testing.T) {
	t.Parallel()
	fromCSV := packReadings(t, compileReadings(t, "csv"), readingsCSV(fewReadings), nil)
	fromNDJSON := packReadings(t, compileReadings(t, "ndjson"), readingsNDJSON(fewReadings), nil)
	if len(fromCSV) == 0 || !bytes.Equal(fromCSV, fromNDJSON) {
		t.Errorf("%d bytes of CSV, %d of NDJSON: expected the same", len(fromCSV), len(fromNDJSON))
	}
}

// TestReadingsDoNotAllocate: what a file takes does not depend on its number of records.
func TestReadingsDoNotAllocate(t *testing.T) {
	for format, data := range map[string][]byte{"csv": readingsCSV(fewReadings), "ndjson": readingsNDJSON(fewReadings)} {
		c := compileReadings(t, format)
		rows := packReadings(t, c, data, nil)
		if n := testing.AllocsPerRun(3, func() { rows = packReadings(t, c, data, rows[:0]) }); n > fewReadings/20 {
			t.Errorf("%s: %.0f allocations for %d records", format, n, fewReadings)
		}
	}
}
