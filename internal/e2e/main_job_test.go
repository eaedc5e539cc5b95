package e2e

import (
	"encoding/csv"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/contracts"
)

const readingsPipeline = `
name: readings
source: {format: csv}
table: {keyspace: %s, name: readings, partition_key: [device], clustering_key: [seq], create: true}
columns:
  - {name: device, type: text}
  - {name: seq, type: int}
  - {name: ts, type: timestamp}
  - {name: level, type: double}
  - {name: ok, type: boolean}
  - {name: note, type: text}
  - {name: count, type: bigint}
  - {name: day, type: date}
  - {name: tag, type: ascii}
  - {name: twice, type: bigint, expr: "int(count) * 2"}
`

// TestMainJob loads 100 MB of CSV from S3 through NATS into Cassandra with three worker processes, one of which is
// killed in the middle, and compares every cell with another reading of the file.
func TestMainJob(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	path := filepath.Join(l.dir, "readings.csv")
	writeReadings(t, path, 100<<20)
	f, err := os.Open(path)
	l.must(err)
	defer f.Close()
	info, err := f.Stat()
	l.must(err)
	source := l.put("2026/readings.csv", f, info.Size())

	l.start("dispatcher")
	victim := l.start("worker", "--workers", "2")
	l.start("worker", "--workers", "2")
	l.start("worker", "--workers", "2")
	events := l.events("*")
	killed := make(chan int, 1)
	go func() {
		done := 0
		for e := range events {
			if e.Kind == contracts.EventChunkDone {
				done++
			}
			if done == 4 {
				victim.kill()
				killed <- done
				return
			}
		}
	}()
	pipeline := l.file("readings.yaml", fmt.Sprintf(readingsPipeline, l.keyspace))
	report := l.report(l.run("submit", "--wait", "--output", "json", "--chunk-size", "4MiB", pipeline, source), 0)
	select {
	case <-killed:
	default:
		t.Fatal("the worker was not killed while the job ran")
	}
	want, read := expectReadings(t, path)
	if report.Records.Read != read || report.Records.Rejected != 0 || report.Chunks.Dead != 0 || report.Objects.Loaded != 1 {
		t.Errorf("report %+v; expected %d records read, none rejected", report, read)
	}
	compareReadings(t, l, want)
}

// reading is a row as the test expects it, in text.
type reading [10]string

var readingHeader = []string{"device", "seq", "ts", "level", "ok", "note", "count", "day", "tag"}

// writeReadings writes so many bytes of seeded CSV: keys repeat near and far, fields are empty, quoted, and hold
// delimiters, quotes and line breaks.
func writeReadings(t *testing.T, path string, size int64) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := csv.NewWriter(f)
	rnd := rand.New(rand.NewPCG(2026, 11))
	notes := []string{"", "plain", "a, b", `say "hi"`, "two\nlines", "three\n\nlines,\"q\"", "ünïcode ✓", strings.Repeat("long ", 20)}
	if err := w.Write(readingHeader); err != nil {
		t.Fatal(err)
	}
	base := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for n := 0; ; n++ {
		at := base.Add(time.Duration(rnd.IntN(1e9)) * time.Millisecond)
		record := []string{
			fmt.Sprintf("device-%05d", rnd.IntN(20_000)), strconv.Itoa(rnd.IntN(40)),
			at.Format("2006-01-02T15:04:05.000Z"), strconv.FormatFloat(rnd.NormFloat64(), 'g', -1, 64),
			strconv.FormatBool(rnd.IntN(2) == 0), notes[rnd.IntN(len(notes))], strconv.FormatInt(rnd.Int64N(1<<40), 10),
			at.Format(time.DateOnly), fmt.Sprintf("t%d", rnd.IntN(10)),
		}
		if rnd.IntN(10) == 0 {
			record[3+rnd.IntN(3)] = "" // null: an older value stays
		}
		if err := w.Write(record); err != nil {
			t.Fatal(err)
		}
		if n%1000 == 0 {
			w.Flush()
			if at, err := f.Seek(0, io.SeekCurrent); err != nil || at >= size {
				break
			}
		}
	}
	w.Flush()
	if err := w.Error(); err != nil {
		t.Fatal(err)
	}
}

// expectReadings reads the file one record at a time: the last value that is set wins, column by column.
func expectReadings(t *testing.T, path string) (map[string]*reading, int64) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.ReuseRecord = true
	if _, err := r.Read(); err != nil {
		t.Fatal(err)
	}
	rows := map[string]*reading{}
	for n := int64(0); ; n++ {
		record, err := r.Read()
		if err == io.EOF {
			return rows, n
		}
		if err != nil {
			t.Fatal(err)
		}
		key := record[0] + "/" + record[1]
		row := rows[key]
		if row == nil {
			row = &reading{}
			rows[key] = row
		}
		for i, v := range record {
			if v != "" {
				row[i] = strings.Clone(v)
			}
		}
		count, err := strconv.ParseInt(record[6], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		row[9] = strconv.FormatInt(2*count, 10)
	}
}

// compareReadings reads the table through the driver alone.
func compareReadings(t *testing.T, l *lab, want map[string]*reading) {
	t.Helper()
	iter := l.cql.Query("SELECT device, seq, ts, level, ok, note, count, day, tag, twice FROM " + l.keyspace + ".readings").
		PageSize(5000).Iter()
	var (
		device    string
		seq       int
		ts, day   *time.Time
		level     *float64
		ok        *bool
		note, tag *string
		count     *int64
		twice     *int64
	)
	rows := 0
	for iter.Scan(&device, &seq, &ts, &level, &ok, &note, &count, &day, &tag, &twice) {
		rows++
		got := reading{device, strconv.Itoa(seq)}
		got[2] = show(ts, func(v time.Time) string { return v.UTC().Format("2006-01-02T15:04:05.000Z") })
		got[3] = show(level, func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) })
		got[4] = show(ok, strconv.FormatBool)
		got[5] = show(note, func(v string) string { return v })
		got[6] = show(count, func(v int64) string { return strconv.FormatInt(v, 10) })
		got[7] = show(day, func(v time.Time) string { return v.UTC().Format(time.DateOnly) })
		got[8] = show(tag, func(v string) string { return v })
		got[9] = show(twice, func(v int64) string { return strconv.FormatInt(v, 10) })
		expected := want[device+"/"+strconv.Itoa(seq)]
		if expected == nil || *expected != got {
			t.Fatalf("row %s/%d:\n got %q\nwant %q", device, seq, got, expected)
		}
	}
	if err := iter.Close(); err != nil {
		t.Fatal(err)
	}
	if rows != len(want) {
		t.Errorf("%d rows in the table, expected %d", rows, len(want))
	}
}

func show[T any](v *T, text func(T) string) string {
	if v == nil {
		return ""
	}
	return text(*v)
}
