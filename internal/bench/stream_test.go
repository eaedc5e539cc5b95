package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/internal/objects"
)

// streamRates are the jobs a second that are published, each for streamSeconds.
var streamRates = []int{25, 100, 200}

const streamSeconds = 15

// BenchmarkStream publishes jobs of one small file each, at a steady rate, to a `penstock up` where everything is
// embedded, and reports the time from the publication of a job to the news of its end, and what a job costs: the CPU
// time of the whole process, NATS, the S3 gateway and SQLite included. The files are stored beforehand.
func BenchmarkStream(b *testing.B) {
	for _, rate := range streamRates {
		b.Run(fmt.Sprint(rate), func(b *testing.B) {
			for b.Loop() {
				newStream(b).run(rate, rate*streamSeconds)
			}
		})
	}
}

// stream is a `penstock up` with everything embedded.
type stream struct {
	*lab
	pid    int
	conn   *nats.Conn
	events chan *nats.Msg
	s3     *objects.S3
}

func newStream(b *testing.B) *stream {
	dir := b.TempDir()
	s := &stream{lab: &lab{b: b, dir: dir, prefix: "penstock", env: environ("PENSTOCK_DATA=" + dir)}}
	must(b, os.WriteFile(s.pipeline(), fmt.Appendf(nil, notesPipeline, "bench"), 0o600))
	s.pid = s.role("up", "--workers", "2").Process.Pid
	var at struct{ NATS, S3 string }
	s.await("up.json", &at)
	var keys struct {
		Access string `json:"access_key"`
		Secret string `json:"secret_key"`
	}
	s.await("credentials.json", &keys)
	var err error
	s.conn, err = nats.Connect(at.NATS)
	must(b, err)
	b.Cleanup(s.conn.Close)
	s.events = make(chan *nats.Msg, 1<<16)
	_, err = s.conn.ChanSubscribe(s.prefix+".status.>", s.events)
	must(b, err)
	s.s3, err = objects.NewS3(b.Context(), objects.S3Config{URL: at.S3, AccessKey: keys.Access, SecretKey: keys.Secret})
	must(b, err)
	b.Cleanup(s.s3.Close)
	must(b, s.s3.EnsureBucket(b.Context(), "landing"))
	s.command("apply", s.pipeline())
	return s
}

// await reads a file of the data folder when it is there.
func (s *stream) await(name string, v any) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for ; s.b.Context().Err() == nil; <-tick.C {
		data, err := os.ReadFile(filepath.Join(s.dir, name))
		if err == nil && json.Unmarshal(data, v) == nil {
			return
		}
	}
}

// run publishes so many jobs a second, after a few that warm the process up.
func (s *stream) run(rate, jobs int) {
	s.store(jobs)
	s.publish("warm-up", fmt.Sprint(jobs))
	s.ends(1, map[string]time.Time{}, nil)
	before := cpuOf(s.b, s.pid)
	begun, took := map[string]time.Time{}, make([]time.Duration, 0, jobs)
	due := time.NewTicker(time.Second / time.Duration(rate))
	defer due.Stop()
	for i := range jobs {
		for waiting := true; waiting; {
			select {
			case m := <-s.events:
				took = s.heard(m, begun, took)
			case <-due.C:
				waiting = false
			}
		}
		id := fmt.Sprintf("job-%06d", i)
		begun[id] = time.Now()
		s.publish(id, fmt.Sprint(i))
	}
	took = s.ends(jobs, begun, took)
	s.b.ReportMetric((cpuOf(s.b, s.pid)-before)*1e3/float64(jobs), "cpu-ms/job")
	slices.Sort(took)
	for _, q := range []int{50, 95, 99} {
		s.b.ReportMetric(took[len(took)*q/100].Seconds()*1e3, fmt.Sprintf("p%d-ms", q))
	}
}

// store puts the files where jobs find them.
func (s *stream) store(files int) {
	data := note()
	for i := range files + 1 {
		_, err := s.s3.Upload(s.b.Context(), "landing", fmt.Sprint(i), bytes.NewReader(data), int64(len(data)))
		must(s.b, err)
	}
}

func (s *stream) publish(id, file string) {
	job, err := json.Marshal(contracts.Job{ID: contracts.JobID(id), Source: []string{"s3://landing/" + file}})
	must(s.b, err)
	must(s.b, s.conn.Publish(s.prefix+".jobs.readings", job))
}

// ends waits until so many jobs have ended.
func (s *stream) ends(jobs int, begun map[string]time.Time, took []time.Duration) []time.Duration {
	for len(took) < jobs {
		select {
		case m := <-s.events:
			took = s.heard(m, begun, took)
		case <-s.b.Context().Done():
			s.b.Fatalf("%d of %d jobs have ended", len(took), jobs)
		}
	}
	return took
}

// heard takes the end of a job, which must be a good one.
func (s *stream) heard(m *nats.Msg, begun map[string]time.Time, took []time.Duration) []time.Duration {
	kind := contracts.EventKind(contracts.LastToken(m.Subject))
	if !kind.Terminal() {
		return took
	}
	if kind != contracts.EventDone {
		s.b.Fatalf("a job ended: %s", m.Data)
	}
	id := strings.Split(m.Subject, ".")[2]
	return append(took, time.Since(begun[id]))
}
