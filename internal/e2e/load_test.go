package e2e

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/minio/minio-go/v7"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/penstock-io/penstock/contracts"
)

// TestSameTable loads one file whole, in tiny chunks, and compressed: the table is the same.
func TestSameTable(t *testing.T) {
	t.Parallel()
	splits := []string{"tiny chunks", "bgzip in ranges", "zstd frames in ranges"}
	for _, c := range []struct{ name, file, chunk string }{
		{"one chunk", "readings.csv", "8MiB"},
		{"tiny chunks", "readings.csv", "1KiB"},
		{"gzip", "readings.csv.gz", "8MiB"},
		{"gzip in tiny segments", "readings.csv.gz", "1KiB"},
		{"zstd in tiny segments", "readings.csv.zst", "1KiB"},
		{"bgzip in ranges", "readings.csv.bgz", "1KiB"},
		{"zstd frames in ranges", "readings.frames.zst", "1KiB"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := newHome(t)
			path, want, records := l.readingsFile(tinyFile)
			data, err := os.ReadFile(path)
			l.must(err)
			source := l.file(c.file, string(compressed(t, c.file, data)))
			r := l.report(l.run("load", "--output", "json", "--chunk-size", c.chunk, l.readings(), source), 0)
			if r.Records.Read != records || (r.Chunks.Total > 1) != slices.Contains(splits, c.name) {
				t.Errorf("report %+v, expected %d records", r, records)
			}
			compareReadings(t, l, want)
			if v := l.run("verify", "--full", string(r.Job)); v.code != 0 {
				t.Errorf("verify: exit %d\n%s%s", v.code, v.out, v.errOut)
			}
			for _, row := range l.query("SELECT 'device=' || device || '|seq=' || seq FROM readings ORDER BY seq LIMIT 5") {
				v := l.run(append([]string{"trace", l.readings(), "--output", "json"}, strings.Split(row, "|")...)...)
				if v.code != 0 || !strings.Contains(v.out, `"raw"`) || strings.Contains(v.out, `"source": null`) {
					t.Errorf("trace %s: exit %d\n%s%s", row, v.code, v.out, v.errOut)
				}
			}
		})
	}
}

// compressed is the data as a file of that name holds it.
func compressed(t *testing.T, name string, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	switch {
	case strings.HasSuffix(name, ".bgz"):
		return pieces(data, 700, func(piece []byte) []byte {
			block := compressed(t, ".gz", piece)
			// The field that makes a member a block of bgzip: its size, less one.
			size := len(block) + 8 - 1
			extra := []byte{6, 0, 'B', 'C', 2, 0, byte(size), byte(size >> 8)}
			block[3] |= 4
			return slices.Insert(block, 10, extra...)
		})
	case strings.HasSuffix(name, ".frames.zst"):
		return pieces(data, 900, func(piece []byte) []byte { return compressed(t, ".zst", piece) })
	case strings.HasSuffix(name, ".gz"):
		w := gzip.NewWriter(&out)
		if _, err := w.Write(data); err != nil || w.Close() != nil {
			t.Fatal("gzip failed")
		}
	case strings.HasSuffix(name, ".zst"):
		w, err := zstd.NewWriter(&out)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(data); err != nil || w.Close() != nil {
			t.Fatal("zstd failed")
		}
	default:
		return data
	}
	return out.Bytes()
}

// pieces packs data piece by piece.
func pieces(data []byte, size int, pack func([]byte) []byte) (out []byte) {
	for piece := range slices.Chunk(data, size) {
		out = append(out, pack(piece)...)
	}
	return out
}

// TestFormats loads the same three records from each format.
func TestFormats(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, source, columns, file, data, last string }{
		{
			"ndjson", "{format: ndjson}", "{name: note, type: text, from: about.note}", "a.ndjson",
			`{"id":"a","n":1,"about":{"note":"one, \"1\""}}` + "\n\n" + `{"about":{"note":"zwei ü"},"n":"2","id":"b"}` + "\r\n" +
				`{"id":"c","n":3,"about":{}}`, "",
		},
		{
			"tsv", "{format: tsv}", "{name: note, type: text}", "a.tsv",
			"id\tnote\tn\na\t\"one, \"\"1\"\"\"\t1\nb\tzwei ü\t2\nc\t\t3\n", "",
		},
		{
			"csv of another dialect",
			`{format: csv, csv: {header: false, delimiter: "::", quote: "'", comment: "#", skip: 1, trim: true}}`,
			"{name: note, type: text, from: 2}", "a.csv", "a title\n#id::n::note\n" +
				"a::1::'one, \"1\"'\n b :: 2 :: zwei ü\nc::3::\n", "",
		},
		{
			"text by fields", "{format: text, text: {fields: [id, n, note]}}", "{name: note, type: text}", "a.txt",
			"a 1 one, \"1\"\n  b   2   zwei ü\nc 3 to the  end \n", "to the  end ",
		},
		{
			"text by a pattern", `{format: text, text: {pattern: '^(?P<id>\w+)=(?P<n>\d+)(?: (?P<note>.+))?$'}}`,
			"{name: note, type: text}", "a.log", "a=1 one, \"1\"\nb=2 zwei ü\nc=3\n", "",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := newHome(t)
			id, n := "{name: id, type: text}", "{name: n, type: int}"
			if strings.Contains(c.source, "header: false") {
				id, n = "{name: id, type: text, from: 0}", "{name: n, type: int, from: 1}"
			}
			pipeline := l.file("p.yaml", fmt.Sprintf("name: formats\nsource: %s\n"+
				"table: {keyspace: lab, name: formats, partition_key: [id], create: true}\ncolumns: [%s, %s, %s]\n",
				c.source, id, n, c.columns))
			r := l.report(l.run("load", "--output", "json", "--chunk-size", "8B", pipeline, l.file(c.file, c.data)), 0)
			if r.Records != (contracts.Counts{Read: 3, Written: 3}) {
				t.Errorf("records %+v, expected 3 read and written", r.Records)
			}
			want := []string{`a|1|one, "1"`, "b|2|zwei ü", "c|3|" + c.last}
			if got := l.query("SELECT id, n, note FROM formats ORDER BY id"); !slices.Equal(got, want) {
				t.Errorf("table %q, expected %q", got, want)
			}
		})
	}
}

// TestScans counts the scans of a split CSV file: none where it says that no quoted value holds a line break.
func TestScans(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		dialect string
		scans   bool
	}{
		"line breaks in quotes": {"", true},
		"none":                  {", csv: {quoted_newlines: false}", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newFileLab(t)
			pipeline := l.file("small.yaml", strings.Replace(smallPipeline, "format: csv", "format: csv"+c.dialect, 1))
			source := l.putText("a.csv", "id,n\n"+strings.Repeat("\"a, b\",1\n", 500))
			events := l.events("*")
			r := l.report(l.run("load", "--output", "json", "--chunk-size", "256B", pipeline, source), 0)
			if r.Records.Read != 500 || r.Chunks.Total < 10 {
				t.Errorf("report %+v, expected 500 records in chunks", r)
			}
			l.must(l.nats.Flush())
			scans := 0
			l.await(events, "the end", func(e contracts.Event) bool {
				if e.Kind == contracts.EventChunkScanned {
					scans++
				}
				return e.Kind.Terminal()
			})
			if (scans > 0) != c.scans {
				t.Errorf("%d scans", scans)
			}
		})
	}
}

// TestUpload loads local files through a NATS that others may use, too: they are uploaded first, once.
func TestUpload(t *testing.T) {
	t.Parallel()
	l := newFileLab(t)
	pipeline := l.file("small.yaml", smallPipeline)
	source := l.file("a [1] %20ü.csv", "id,n\na,1\n")
	load := []string{"load", "--output", "json", pipeline, source}
	if r := l.report(l.run(load...), 0); r.Objects.Loaded != 1 || r.Records.Written != 1 {
		t.Errorf("report %+v", r)
	}
	if r := l.report(l.run(load...), 0); r.Objects != (contracts.ObjectTotals{Total: 1, Skipped: 1}) {
		t.Errorf("again: %+v, expected it skipped", r)
	}
	l.file("a [1] %20ü.csv", "id,n\na,2\nb,2\n")
	if r := l.report(l.run(load...), 0); r.Objects.Loaded != 1 {
		t.Errorf("with other content: %+v, expected it loaded", r)
	}
	if r := l.report(l.run("load", "--output", "json", pipeline, l.dir+"/*.csv"), 0); r.Objects.Skipped != 1 {
		t.Errorf("by a pattern: %+v, expected it skipped", r)
	}
	uploads := 0
	for o := range l.s3.ListObjects(t.Context(), l.state, minio.ListObjectsOptions{Prefix: "uploads/", Recursive: true}) {
		l.must(o.Err)
		uploads++
	}
	if uploads != 2 {
		t.Errorf("%d uploads, expected one for each content", uploads)
	}
	if got := l.query("SELECT id, n FROM small ORDER BY id"); !slices.Equal(got, []string{"a|2", "b|2"}) {
		t.Errorf("table %q", got)
	}
	r := l.run("load", pipeline, l.dir+"/missing.csv")
	if r.code != 2 || !strings.Contains(r.errOut, l.dir+"/missing.csv: no such file or folder") {
		t.Errorf("a missing file: exit %d\n%s%s", r.code, r.out, r.errOut)
	}
}

// TestWorkersZero leaves the work of a load to others: while none are there, nobody asks for its chunks.
func TestWorkersZero(t *testing.T) {
	t.Parallel()
	l := newFileLab(t)
	events := l.events("*")
	loading := l.start("load", "--workers", "0", "--output", "json", l.file("small.yaml", smallPipeline),
		l.file("a.csv", "id,n\na,1\n"))
	l.awaitKind(events, contracts.EventPlanned, 1)
	js, err := jetstream.New(l.nats)
	l.must(err)
	consumer, err := js.Consumer(t.Context(), strings.ToUpper(l.prefix)+"_CHUNKS", "workers")
	l.must(err)
	if info := consumer.CachedInfo(); info.NumWaiting != 0 || info.Delivered.Consumer != 0 {
		t.Errorf("somebody asks for chunks: %+v", info)
	}
	l.start("worker")
	r := loading.end()
	var report contracts.Report
	l.must(json.Unmarshal([]byte(r.out), &report))
	if r.code != 0 || report.Records.Written != 1 {
		t.Errorf("exit %d, report %+v", r.code, report)
	}
}
