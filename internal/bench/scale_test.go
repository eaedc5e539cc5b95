package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
	"github.com/penstock-io/penstock/internal/objects"
	"github.com/penstock-io/penstock/internal/queue"
	"github.com/penstock-io/penstock/internal/testenv"
	"github.com/penstock-io/penstock/pipeline"
	"github.com/penstock-io/penstock/state"
	"github.com/penstock-io/penstock/workers"
)

// A table of the benchmarks of scale takes tableLatency for the rows of a chunk, and no CPU time: so long that two
// cores are no limit for 64 workers.
const (
	tableLatency    = 4 * time.Second
	chunksPerWorker = 16
)

// BenchmarkScaleWorkers loads as many chunks a worker by 1 to 64 workers: efficiency is rows a second of n workers by n
// times those of one.
func BenchmarkScaleWorkers(b *testing.B) {
	var alone float64
	for _, n := range []int{1, 4, 16, 64} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			for b.Loop() {
				l := newScaleLab(b, n, n, tableLatency) // as many MiB as workers
				seconds, _ := l.load(1 << 20 / chunksPerWorker)
				rate := float64(l.rows()) / seconds
				if n == 1 {
					alone = rate
				}
				b.ReportMetric(rate, "rows/s")
				b.ReportMetric(rate/(float64(n)*alone), "efficiency")
			}
		})
	}
}

// BenchmarkScaleBytes loads objects of 10 MiB to 10 GiB by two workers into a table that costs nothing: what a row
// costs Penstock must not depend on how many there are.
func BenchmarkScaleBytes(b *testing.B) {
	for _, size := range []int{10, 100, 1000, 10_000} {
		b.Run(fmt.Sprintf("%dMiB", size), func(b *testing.B) {
			for b.Loop() {
				l := newScaleLab(b, size, 2, 0)
				_, cpu := l.load(0)
				b.ReportMetric(cpu*1e6/float64(l.rows()), "cpu-s/Mrow")
			}
		})
	}
}

// BenchmarkScaleChunks lets a dispatcher see jobs of ever more chunks to their end, by the default window. Whoever
// works says at once that each chunk is done.
func BenchmarkScaleChunks(b *testing.B) {
	for _, chunks := range []int{10_000, 100_000, 1_000_000} {
		b.Run(strconv.Itoa(chunks), func(b *testing.B) {
			for b.Loop() {
				f := newFlood(b, chunks, 256)
				f.submit()
				defer f.work(b.Context())()
				f.report("chunks", f.end)
				b.ReportMetric(peakOf(b, f.pid), "peak-MiB")
			}
		})
	}
}

// scaleLab is a dispatcher of its own process, and workers in this one that read synthetic lines and write into
// nothing.
type scaleLab struct {
	*flood
	workers int
	latency time.Duration
}

func newScaleLab(b *testing.B, size, n int, latency time.Duration) *scaleLab {
	return &scaleLab{flood: newFlood(b, size, max(256, 2*n)), workers: n, latency: latency}
}

// rows is how many lines there are: chunks counts MiB here.
func (l *scaleLab) rows() int64 { return int64(l.chunks) << 20 / lineLength }

// load loads the object and gives the seconds and CPU-seconds from its plan to the job's end, those of this process and
// of the dispatcher. A chunkSize of 0 leaves that to the planner.
func (l *scaleLab) load(chunkSize int64) (seconds, cpu float64) {
	b := l.b
	ctx, stop := context.WithCancel(b.Context())
	var running errgroup.Group
	w := l.newWorkers()
	job, err := json.Marshal(contracts.Job{
		Source: []string{"s3://" + syntheticBucket + "/" + linesKey(l.chunks)}, ChunkSize: chunkSize,
	})
	must(b, err)
	publishJob(b, l.conn, l.prefix, job)
	l.await(l.events, contracts.EventPlanned)
	begin, before := time.Now(), cpuOf(b, l.pid)+cpuOf(b, 0)
	running.Go(func() error { return w.Run(ctx) })
	end := l.awaitReport()
	seconds, cpu = time.Since(begin).Seconds(), cpuOf(b, l.pid)+cpuOf(b, 0)-before
	stop()
	must(b, running.Wait())
	if end.Records.Written != l.rows() || end.Records.Read != l.rows() {
		b.Fatalf("found %+v, expected %d rows read and written", end.Records, l.rows())
	}
	return seconds, cpu
}

func (l *scaleLab) awaitReport() contracts.Report {
	for {
		m, err := l.events.NextMsgWithContext(l.b.Context())
		must(l.b, err)
		var e contracts.Event
		must(l.b, contracts.Unmarshal(m.Data, &e))
		if e.Kind.Terminal() {
			return *e.Report
		}
	}
}

func (l *scaleLab) newWorkers() *workers.Workers {
	b := l.b
	s3, err := objects.NewS3(b.Context(), objects.S3Config{
		URL: l.server.URL, AccessKey: l.server.AccessKey, SecretKey: l.server.SecretKey,
	})
	must(b, err)
	b.Cleanup(s3.Close)
	q, err := queue.Connect(b.Context(), queue.Config{URL: testenv.NATS(b), Prefix: l.prefix})
	must(b, err)
	b.Cleanup(q.Close)
	must(b, q.Setup(b.Context()))
	chunks, err := q.Chunks(b.Context())
	must(b, err)
	compiled, findings := pipeline.Lint("lines.yaml", fmt.Appendf(nil, linesPipeline, "bench"), nil)
	for _, f := range findings {
		b.Fatal(f)
	}
	t := table{compiled, l.latency}
	return workers.New(workers.Config{Name: "bench", Concurrency: l.workers}, workers.Parts{
		Store: state.New(objects.NewDocs(s3, l.state)), Objects: synthetics{}, Queue: q, Chunks: inbox{chunks},
		Pipelines: t, Tables: t, Rejects: objects.NewDocs(s3, l.state),
	})
}

type inbox struct{ *queue.Puller }

func (i inbox) Next(ctx context.Context) (workers.Message, error) {
	m, err := i.Puller.Next(ctx)
	if err != nil {
		return nil, err
	}
	return m, nil
}

// synthetics reads synthetic lines without a server.
type synthetics struct{}

func (synthetics) Open(_ context.Context, o contracts.Object, off, n int64) (io.ReadCloser, error) {
	if n < 0 {
		n = o.Size - off
	}
	return io.NopCloser(io.LimitReader(&lineReader{off: off}, n)), nil
}

// table is a table of one pipeline that takes rows after some time and keeps none.
type table struct {
	compiled *pipeline.Compiled
	latency  time.Duration
}

func (t table) Compiled(context.Context, string, string) (*pipeline.Compiled, error) {
	return t.compiled, nil
}

func (t table) Writer(context.Context, *pipeline.Compiled) (workers.Writer, error) { return t, nil }

func (t table) Write(ctx context.Context, _ []cql.Row, _ time.Time) ([]cql.Refusal, error) {
	if t.latency == 0 {
		return nil, nil
	}
	timer := time.NewTimer(t.latency)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
