package e2e

import (
	"maps"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/penstock-io/penstock/contracts"
)

// The jobs here are small files in many tiny chunks, so that there is a middle of a job to disturb.
const (
	tinyFile  = 40_000 // bytes
	tinyChunk = "512B"
)

// disturbed is a job that is in its middle.
type disturbed struct {
	*lab
	events  <-chan contracts.Event
	want    map[string]*reading
	records int64
	job     string
}

// submitReadings submits a job of tiny chunks.
func (l *lab) submitReadings() *disturbed {
	l.t.Helper()
	path, want, records := l.readingsFile(tinyFile)
	d := &disturbed{lab: l, events: l.events("*"), want: want, records: records}
	source := l.putFile("readings.csv", path)
	d.job = strings.TrimSpace(l.ok("submit", "--chunk-size", tinyChunk, l.readings(), source))
	return d
}

// midway waits until some chunks are done and more are to do.
func (d *disturbed) midway() {
	d.t.Helper()
	d.awaitKind(d.events, contracts.EventChunkDone, 3)
}

// finish wants the job to end well and the table to be right.
func (d *disturbed) finish() {
	d.t.Helper()
	d.check(d.awaitEnd(d.events, contracts.JobID(d.job)))
}

func (d *disturbed) check(r contracts.Report) {
	d.t.Helper()
	if r.State != contracts.StateDone || r.Records.Read != d.records || r.Objects.Loaded != 1 || r.Chunks.Dead != 0 {
		d.t.Errorf("report %+v, expected %d records of one object", r, d.records)
	}
	compareReadings(d.t, d.lab, d.want)
}

// TestWorkerDrains ends a worker in the middle of a job: it holds no message when it is gone.
func TestWorkerDrains(t *testing.T) {
	t.Parallel()
	for name, grace := range map[string]string{"what it holds is done": "30s", "what it holds is handed back": "1ns"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newFileLab(t, "PENSTOCK_GRACE="+grace)
			l.start("dispatcher").says("msg=ready")
			leaver := l.start("worker", "--workers", "2")
			d := l.submitReadings()
			d.midway()
			leaver.Signal(syscall.SIGTERM)
			if r := leaver.end(); r.code != 0 {
				t.Errorf("exit %d\n%s", r.code, r.errOut)
			}
			if held := l.heldChunks(); len(held) > 0 {
				t.Errorf("%v is still held by the worker that left", held)
			}
			l.start("worker", "--workers", "2")
			d.finish()
		})
	}
}

// heldChunks are the chunk messages that no worker could have now. All others it takes and hands back.
func (l *lab) heldChunks() []string {
	l.t.Helper()
	js, err := jetstream.New(l.nats)
	l.must(err)
	stream, err := js.Stream(l.t.Context(), strings.ToUpper(l.prefix)+"_CHUNKS")
	l.must(err)
	info, err := stream.Info(l.t.Context(), jetstream.WithSubjectFilter(">"))
	l.must(err)
	consumer, err := stream.Consumer(l.t.Context(), "workers")
	l.must(err)
	batch, err := consumer.FetchNoWait(1000)
	l.must(err)
	for m := range batch.Messages() {
		delete(info.State.Subjects, m.Subject())
		l.must(m.Nak())
	}
	l.must(batch.Error())
	l.must(l.nats.Flush())
	return slices.Sorted(maps.Keys(info.State.Subjects))
}

// TestInterruptedLoad presses ctrl-C and repeats the command.
func TestInterruptedLoad(t *testing.T) {
	t.Parallel()
	interrupt := func(t *testing.T, l *lab, source string, midway func(*role)) contracts.Report {
		command := []string{
			"load", "--output", "json", "--log-level", "info", "--chunk-size", tinyChunk, l.readings(), source,
		}
		first := l.start(command...)
		midway(first)
		first.Signal(syscall.SIGINT)
		r := first.end()
		if r.code != 130 || !strings.Contains(r.errOut, "is not over: the same command takes it up again") {
			t.Fatalf("exit %d, expected 130\n%s", r.code, r.errOut)
		}
		report := l.report(l.run(command...), 0)
		if !strings.Contains(r.errOut, "interrupted: job "+string(report.Job)) {
			t.Errorf("the second command ran job %s, expected the first one's\n%s", report.Job, r.errOut)
		}
		return report
	}
	t.Run("with servers", func(t *testing.T) {
		t.Parallel()
		l := newFileLab(t)
		path, want, records := l.readingsFile(tinyFile)
		d := &disturbed{lab: l, events: l.events("*"), want: want, records: records}
		d.check(interrupt(t, l, l.putFile("readings.csv", path), func(*role) { d.midway() }))
	})
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		l := newHome(t)
		path, want, records := l.readingsFile(tinyFile)
		d := &disturbed{lab: l, want: want, records: records}
		d.check(interrupt(t, l, path, func(r *role) { r.says("job accepted") }))
	})
}

// TestDispatcherIsKilled kills the leading one of two dispatchers. The window is so small that the job cannot end on
// what is queued.
func TestDispatcherIsKilled(t *testing.T) {
	t.Parallel()
	l := newFileLab(t, "PENSTOCK_WINDOW=2")
	leader := l.start("dispatcher")
	leader.says("msg=leading")
	other := l.start("dispatcher")
	other.says("msg=ready")
	l.start("worker", "--workers", "2")
	d := l.submitReadings()
	d.midway()
	leader.Kill()
	other.says("msg=leading")
	d.finish()
}

// TestSourceChanges overwrites an object after it was planned, and before it was read.
func TestSourceChanges(t *testing.T) {
	t.Parallel()
	l := newFileLab(t)
	l.start("dispatcher").says("msg=ready")
	l.apply(l.file("small.yaml", smallPipeline))
	rows := func(id string) string { return "id,n\n" + strings.Repeat(id+",1\n", 100) }
	split, packed := l.putText("split.csv", rows("split")), l.putText("packed.csv", "id,n\npacked,1\n")
	l.putText("whole.csv", "id,n\nwhole,1\n")
	events := l.events("*")
	l.publish("small", l.json(map[string]any{"id": "job", "source": []string{"s3://" + l.bucket + "/"}, "chunk_size": 64}))
	l.awaitKind(events, contracts.EventPlanned, 1)
	l.putText("split.csv", rows("other"))
	l.putText("packed.csv", "id,n\nother,1\n")
	l.start("worker", "--workers", "2")
	r := l.awaitEnd(events, "job")
	if r.State != contracts.StateFailed || r.Objects != (contracts.ObjectTotals{Total: 3, Loaded: 1, Failed: 2}) ||
		r.Error == nil || r.Error.Kind != contracts.KindChanged || *r.Error.Object != packed {
		t.Errorf("report %+v, error %+v; expected %s and %s changed", r, r.Error, packed, split)
	}
	if got := l.query("SELECT id FROM small"); len(got) != 1 || got[0] != "whole" {
		t.Errorf("table %q, expected the object that did not change", got)
	}
	l.publish("small", l.json(map[string]any{"id": "next", "source": []string{"s3://" + l.bucket + "/"}}))
	if r := l.awaitEnd(events, "next"); r.Objects != (contracts.ObjectTotals{Total: 3, Loaded: 2, Skipped: 1}) {
		t.Errorf("the next job: %+v, expected what failed to be loaded", r)
	}
}

// TestQueueForgets empties the chunk stream under a job.
func TestQueueForgets(t *testing.T) {
	t.Parallel()
	l := newFileLab(t, "PENSTOCK_RECONCILE=500ms")
	l.start("dispatcher").says("msg=ready")
	d := l.submitReadings()
	d.awaitKind(d.events, contracts.EventPlanned, 1)
	js, err := jetstream.New(l.nats)
	l.must(err)
	stream, err := js.Stream(t.Context(), strings.ToUpper(l.prefix)+"_CHUNKS")
	l.must(err)
	l.must(stream.Purge(t.Context()))
	l.start("worker", "--workers", "2")
	d.midway()
	l.must(stream.Purge(t.Context()))
	d.finish()
}
