package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/internal/testenv"
)

// flooded is the number of chunks of the job that floods a dispatcher.
const flooded = 100_000

// BenchmarkDispatch lets `penstock dispatcher` publish all chunks of a job: from the plan as it is stored to the
// acknowledgements of nats-server. Nobody takes them.
func BenchmarkDispatch(b *testing.B) {
	for b.Loop() {
		f := newFlood(b, flooded, flooded)
		f.report("chunks", f.dispatch)
	}
}

// BenchmarkFoldEvents lets `penstock dispatcher` fold the news that all chunks of a job are done: from nats-server to
// the report. Nobody has loaded them.
func BenchmarkFoldEvents(b *testing.B) {
	for b.Loop() {
		f := newFlood(b, flooded, flooded)
		f.dispatch()
		f.report("events", f.fold)
	}
}

// flood is a dispatcher with a job of so many chunks.
type flood struct {
	*lab
	chunks int
	pid    int
	conn   *nats.Conn
	js     jetstream.JetStream
	events *nats.Subscription
	job    contracts.JobID
}

func newFlood(b *testing.B, chunks, window int) *flood {
	f := &flood{lab: newLab(b, listing(b, 0)), chunks: chunks}
	must(b, os.WriteFile(f.pipeline(), fmt.Appendf(nil, linesPipeline, "bench"), 0o600))
	f.env = append(f.env, "PENSTOCK_WINDOW="+strconv.Itoa(window))
	var err error
	f.conn, err = nats.Connect(testenv.NATS(b))
	must(b, err)
	b.Cleanup(f.conn.Close)
	f.js, err = jetstream.New(f.conn)
	must(b, err)
	f.events, err = f.conn.SubscribeSync(f.prefix + ".status.*.*")
	must(b, err)
	must(b, f.events.SetPendingLimits(-1, -1))
	f.command("apply", f.pipeline())
	f.pid = f.role("dispatcher").Process.Pid
	b.Cleanup(func() { purge(b, f.js, strings.ToUpper(f.prefix)) })
	return f
}

// report runs a step and reports how many chunks it took a second, and a second of the dispatcher's CPU time.
func (f *flood) report(what string, step func()) {
	begin, before := time.Now(), cpuOf(f.b, f.pid)
	step()
	f.b.ReportMetric(float64(f.chunks)/time.Since(begin).Seconds(), what+"/s")
	f.b.ReportMetric(float64(f.chunks)/(cpuOf(f.b, f.pid)-before), what+"/cpu-s")
}

// submit publishes the job and waits until it is planned.
func (f *flood) submit() {
	job, err := json.Marshal(contracts.Job{
		Source: []string{"s3://" + syntheticBucket + "/" + linesKey(f.chunks)}, ChunkSize: 1 << 20, Force: true,
	})
	must(f.b, err)
	publishJob(f.b, f.conn, f.prefix, job)
	f.job = f.await(f.events, contracts.EventPlanned).Job
}

// dispatch waits until all chunks of a new job are queued.
func (f *flood) dispatch() {
	f.submit()
	stream, err := f.js.Stream(f.b.Context(), strings.ToUpper(f.prefix)+"_CHUNKS")
	must(f.b, err)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for ; ; <-tick.C {
		info, err := stream.Info(f.b.Context())
		must(f.b, err)
		if info.State.Msgs >= uint64(f.chunks) {
			return
		}
	}
}

// fold publishes news of every chunk and waits for the job's end.
func (f *flood) fold() {
	go f.tellAll(f.b.Context())
	f.end()
}

// end waits for the job's end.
func (f *flood) end() {
	b := f.b
	for {
		m, err := f.events.NextMsgWithContext(b.Context())
		must(b, err)
		if strings.HasSuffix(m.Subject, "."+string(contracts.EventChunkDone)) {
			continue
		}
		var e contracts.Event
		must(b, contracts.Unmarshal(m.Data, &e))
		if e.Kind.Terminal() {
			if want := int64(f.chunks); e.Report.Records.Written != want || e.Kind != contracts.EventDone {
				b.Fatalf("found %s, expected %d rows", m.Data, want)
			}
			return
		}
	}
}

// tellAll publishes that each chunk is done.
func (f *flood) tellAll(ctx context.Context) {
	for n := range f.chunks {
		if err := f.tell(n); err != nil && ctx.Err() == nil {
			f.b.Errorf("chunk %d: %v", n, err)
			return
		}
	}
}

// tell publishes that a chunk is done, with one row.
func (f *flood) tell(n int) error {
	one := contracts.Counts{Read: 1, Written: 1}
	data, err := json.Marshal(contracts.Event{V: 1, Job: f.job, Pipeline: "readings", Kind: contracts.EventChunkDone,
		Time: firstReading, Chunk: &n, Counts: &one, Bytes: 1 << 20})
	if err == nil {
		_, err = f.js.PublishAsync(f.prefix+".status."+string(f.job)+".chunk_done", data,
			jetstream.WithStallWait(time.Minute))
	}
	return err
}

// work takes chunks as they come, and says of each that it is done, until ctx ends.
func (f *flood) work(ctx context.Context) (stop func()) {
	workers, err := f.js.Consumer(ctx, strings.ToUpper(f.prefix)+"_CHUNKS", contracts.Consumer)
	must(f.b, err)
	taking, err := workers.Consume(func(m jetstream.Msg) {
		n, err := strconv.Atoi(contracts.LastToken(m.Subject()))
		if err == nil {
			err = errors.Join(m.Ack(), f.tell(n))
		}
		if err != nil && ctx.Err() == nil {
			f.b.Errorf("%s: %v", m.Subject(), err)
		}
	}, jetstream.PullMaxMessages(1000))
	must(f.b, err)
	return taking.Stop
}

// purge drops a benchmark's streams from the shared server.
func purge(b *testing.B, js jetstream.JetStream, prefix string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, name := range []string{"CHUNKS", "STATUS", "JOBS", "DEAD", "NOTIFICATIONS"} {
		if err := js.DeleteStream(ctx, prefix+"_"+name); err != nil {
			b.Logf("stream %s not deleted: %v", name, err)
		}
	}
}

// cpuOf is the CPU time that a process has used so far, in seconds; 0 is this one. It reads Linux's /proc, which
// counts in ticks of 10 ms.
func cpuOf(b *testing.B, pid int) float64 {
	stat, err := os.ReadFile(proc(pid, "stat"))
	must(b, err)
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	user, err := strconv.ParseFloat(fields[11], 64)
	must(b, err)
	system, err := strconv.ParseFloat(fields[12], 64)
	must(b, err)
	return (user + system) / 100
}

// peakOf is the most resident memory that a process has held so far, in MiB.
func peakOf(b *testing.B, pid int) float64 {
	status, err := os.ReadFile(proc(pid, "status"))
	must(b, err)
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kib, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	must(b, err)
	return kib / 1024
}

func proc(pid int, file string) string {
	if pid == 0 {
		return "/proc/self/" + file
	}
	return fmt.Sprintf("/proc/%d/%s", pid, file)
}
