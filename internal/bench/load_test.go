package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/internal/testenv"
)

// loadMiB bounds a process that loads, with embedded NATS and S3 in it, whatever the size of the file.
const loadMiB = 384

// BenchmarkLoad loads one CSV file of ten columns by `penstock load`, everything but Cassandra in the one process.
func BenchmarkLoad(b *testing.B) {
	for _, size := range []int64{100e6, 1e9} {
		b.Run(fmt.Sprintf("%dMB", size/1e6), func(b *testing.B) {
			file, rows := readings(b, size)
			b.Run("sqlite", func(b *testing.B) { load(b, file, rows) })
			b.Run("cassandra", func(b *testing.B) {
				load(b, file, rows, "PENSTOCK_TARGET=cassandra://"+testenv.Cassandra(b))
			})
		})
	}
}

func load(b *testing.B, file string, rows int64, env ...string) {
	binary := testenv.Penstock(b)
	for b.Loop() {
		dir := b.TempDir()
		pipeline := filepath.Join(dir, "readings.yaml")
		must(b, os.WriteFile(pipeline, fmt.Appendf(nil, readingsPipeline, testenv.Name(b, "bench")), 0o600))
		cmd := exec.CommandContext(b.Context(), binary, "load", "--output", "json", pipeline, file)
		cmd.Dir, cmd.Env = dir, environ(append(env, "PENSTOCK_DATA="+filepath.Join(dir, "data"))...)
		var report contracts.Report
		c := run(b, cmd, &report)
		if got := report.Records; got.Read != rows || got.Written != rows {
			b.Fatalf("found %+v, expected %d rows read and written", got, rows)
		}
		b.ReportMetric(float64(rows)/c.seconds, "rows/s")
		c.report(b, loadMiB)
	}
}
