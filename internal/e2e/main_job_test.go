package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/penstock-io/penstock/contracts"
)

// TestMainJob loads 100 MB of CSV from S3 through NATS into Cassandra with three worker processes, one of which is
// killed in the middle, and compares every cell with another reading of the file.
func TestMainJob(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	path := filepath.Join(l.dir, "readings.csv")
	writeReadings(t, path, 100<<20, 20_000)
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
				victim.Kill()
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
	if report.Records.Read != read || report.Records.Rejected != 0 || report.Chunks.Dead != 0 ||
		report.Objects.Loaded != 1 {
		t.Errorf("report %+v; expected %d records read, none rejected", report, read)
	}
	compareReadings(t, l, want)
}
