package dispatcher

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/penstock-io/penstock/chunk"
	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/internal/objects"
	"github.com/penstock-io/penstock/internal/teststore"
	"github.com/penstock-io/penstock/pipeline"
	"github.com/penstock-io/penstock/state"
)

// client talks to the one gateway that a process may run.
var client *objects.S3

func TestMain(m *testing.M) { teststore.Main(m, func(c *objects.S3) { client = c }) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func expectKind(t testing.TB, err error, want contracts.Kind) {
	t.Helper()
	if contracts.KindOf(err) != want {
		t.Errorf("found error %v of kind %q, expected %q", err, contracts.KindOf(err), want)
	}
}

// compiled compiles a spec.
func compiled(t testing.TB, spec string) *pipeline.Compiled {
	t.Helper()
	c, findings := pipeline.Lint("test.yaml", []byte(spec), nil)
	for _, f := range findings {
		t.Fatal(f)
	}
	return c
}

const specHead = `
name: p
table: {keyspace: lab, name: t, partition_key: [k]}
columns: [{name: k, type: text}, {name: v, type: text}]
`

const (
	csvSpec    = specHead + "source: {format: csv}\n"
	ndjsonSpec = specHead + "source: {format: ndjson}\n"
)

// pipelines are one pipeline; compile and prepare, where given, say what asking for it gives.
type pipelines struct {
	c       *pipeline.Compiled
	compile func() error
	prepare func() error
}

func (p pipelines) Compiled(_ context.Context, name, _ string) (*pipeline.Compiled, error) {
	if p.compile != nil {
		return p.c, p.compile()
	}
	if name != p.c.Spec().Name {
		return nil, contracts.Errorf(contracts.KindMissing, "pipeline %q: no such revision", name)
	}
	return p.c, nil
}

func (p pipelines) Prepare(context.Context, *pipeline.Compiled) error {
	if p.prepare != nil {
		return p.prepare()
	}
	return nil
}

// lab is one installation: a store, a source bucket, a queue, workers of the test's own, and as many dispatchers as are
// started.
type lab struct {
	t         *testing.T
	docs      state.Docs
	store     *state.Store
	bucket    string
	queue     *fakeQueue
	pipelines pipelines
	cfg       Config
	rejects   func(w contracts.ChunkWork) int64 // records of a chunk that are rejects; nil: none
	scanError func(w contracts.ChunkWork) error // nil: scans succeed
}

func newLab(t *testing.T, spec string) *lab {
	t.Helper()
	docs := teststore.Docs(t, client)
	return &lab{
		t: t, docs: docs, store: state.New(docs), bucket: teststore.Bucket(t, client), queue: newFakeQueue(),
		pipelines: pipelines{c: compiled(t, spec)},
		cfg: Config{
			Owner: "d1", Solo: true, ChunkSize: 64, MaxRecord: 1 << 10, Window: 6, Reconcile: 50 * time.Millisecond,
		},
	}
}

func (l *lab) put(key string, data []byte) string {
	l.t.Helper()
	_, err := client.Upload(l.t.Context(), l.bucket, key, bytes.NewReader(data), int64(len(data)))
	must(l.t, err)
	return "s3://" + l.bucket + "/" + key
}

// dispatcher makes a dispatcher that is not started.
func (l *lab) dispatcher() *Dispatcher {
	return New(l.cfg, Parts{Store: l.store, Objects: client, Queue: l.queue, Jobs: silent{}, Pipelines: l.pipelines})
}

// silent is an inbox without messages.
type silent struct{}

func (silent) Next(ctx context.Context) (Message, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// run starts a dispatcher; stop ends it and waits. It ends with the test at the latest.
func (l *lab) run() (d *Dispatcher, stop func()) {
	l.t.Helper()
	d = l.dispatcher()
	return d, l.start(func(ctx context.Context) {
		if err := d.Run(ctx); err != nil {
			l.t.Errorf("dispatcher: %v", err)
		}
	})
}

// work starts a worker.
func (l *lab) work() (stop func()) {
	return l.start(func(ctx context.Context) {
		for {
			w, ok := l.queue.take(ctx)
			if !ok {
				return
			}
			if err := l.serve(ctx, w); err != nil && ctx.Err() == nil {
				l.t.Errorf("chunk %d: %v", w.Chunk, err)
			}
		}
	})
}

func (l *lab) start(fn func(ctx context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { fn(ctx) })
	stop = func() { cancel(); wg.Wait() }
	l.t.Cleanup(stop)
	return stop
}

// serve does what a worker does with a chunk, but for the table. It acknowledges just before it tells, so that the
// queue never holds what the window does not count.
func (l *lab) serve(ctx context.Context, w contracts.ChunkWork) error {
	e := contracts.Event{Job: w.Job, Pipeline: w.Pipeline, Chunk: &w.Chunk}
	if w.Work != contracts.Load {
		put := l.store.PutScan
		if w.Work == contracts.Rescan {
			put = l.store.PutRescan
		}
		stored, err := put(ctx, l.scan(ctx, w))
		e.Kind, e.Scan, e.Blocks, e.Error = contracts.EventChunkScanned, stored.Outcomes, stored.Blocks, stored.Error
		l.queue.done(w)
		return errors.Join(err, l.queue.PublishEvent(ctx, e))
	}
	c := l.load(ctx, w)
	put := l.store.PutDone
	if e.Kind = contracts.EventChunkDone; c.Error != nil {
		put, e.Kind = l.store.PutDead, contracts.EventChunkDead
	}
	stored, err := put(ctx, c)
	e.Counts, e.Bytes, e.Error, e.Rules = &stored.Counts, stored.Bytes, stored.Error, stored.Rules
	l.queue.done(w)
	return errors.Join(err, l.queue.PublishEvent(ctx, e))
}

func (l *lab) scan(ctx context.Context, w contracts.ChunkWork) contracts.ScanResult {
	var r contracts.ScanResult
	var err error
	if l.scanError != nil {
		err = l.scanError(w)
	}
	if err == nil {
		r, err = chunk.Scan(ctx, client, w.Parts[0], l.pipelines.c.Format())
	}
	r.Job, r.Chunk, r.Error = w.Job, w.Chunk, contracts.Info(err)
	return r
}

// load counts a chunk's records. Where a part knows its first record's number, it must be right: each record of these
// tests carries its own.
func (l *lab) load(ctx context.Context, w contracts.ChunkWork) contracts.Completion {
	c := contracts.Completion{Job: w.Job, Chunk: w.Chunk, Parts: make([]contracts.PartResult, len(w.Parts))}
	for i, part := range w.Parts {
		p := &c.Parts[i]
		if err := l.count(ctx, w, part, p); err != nil {
			p.Error = contracts.Info(err)
		}
		c.Counts.Add(p.Counts)
		if c.Bytes += p.Bytes; c.Error == nil {
			c.Error = p.Error
		}
	}
	if l.rejects != nil {
		c.Counts.Rejected = l.rejects(w)
		c.Counts.Written -= c.Counts.Rejected
		c.Rules = contracts.RuleCounts{contracts.RuleType: c.Counts.Rejected}
	}
	return c
}

func (l *lab) count(ctx context.Context, w contracts.ChunkWork, part contracts.Part, p *contracts.PartResult) error {
	c := l.pipelines.c
	r, err := chunk.NewReader(ctx, client, part, chunk.Spec{
		Format: c.Format(), Inputs: c.Inputs(), Strict: c.Strict(), MaxRecord: w.MaxRecord,
	})
	if err != nil {
		return err
	}
	defer r.Close()
	number := part.Records
	for {
		rec, err := r.Next()
		if err == io.EOF {
			p.Bytes = r.BytesRead()
			return nil
		}
		if err != nil {
			return err
		}
		p.Counts.Read++
		p.Counts.Written++
		if number++; part.Records >= 0 && string(rec.Fields[0].Bytes) != fmt.Sprint(number) {
			l.t.Errorf("chunk %d: record %d of %s is %q", w.Chunk, number, part.Object.Key, rec.Fields[0].Bytes)
		}
	}
}

// accept submits a job of everything in the bucket, or of the given sources.
func (l *lab) accept(d *Dispatcher, id contracts.JobID, sources ...string) {
	l.t.Helper()
	if len(sources) == 0 {
		sources = []string{"s3://" + l.bucket}
	}
	_, err := d.Accept(l.t.Context(), contracts.Job{ID: id, Pipeline: "p", Revision: "r1", Source: sources})
	must(l.t, err)
}

// report waits for a job's end.
func (l *lab) report(id contracts.JobID) contracts.Report {
	l.t.Helper()
	r := l.queue.waitEnd(l.t, id)
	stored, err := l.store.Report(l.t.Context(), id)
	must(l.t, err)
	if fmt.Sprint(stored.State, stored.Records, stored.Objects, stored.Chunks) !=
		fmt.Sprint(r.State, r.Records, r.Objects, r.Chunks) {
		l.t.Errorf("announced %+v, stored %+v", r, stored)
	}
	return r
}

// numbered are CSV records that carry their number from 1 on, some with line breaks and quotes in them.
func numbered(n int) []byte {
	var b bytes.Buffer
	b.WriteString("k,v\n")
	for i := 1; i <= n; i++ {
		fmt.Fprintf(&b, "%d,%s\n", i, [...]string{"plain", "\"line\nbreak\"", "\"quote \"\"\"", "\"\n\n,1\n\"", ""}[i%5])
	}
	return b.Bytes()
}

// numberedJSON is numbered without quotes to scan for.
func numberedJSON(n int) []byte {
	var b bytes.Buffer
	for i := 1; i <= n; i++ {
		fmt.Fprintf(&b, "{\"k\":%d,\"v\":\"x\"}\n", i)
	}
	return b.Bytes()
}

func expectReport(t *testing.T, r contracts.Report, state contracts.State, read int64, objects contracts.ObjectTotals) {
	t.Helper()
	if r.State != state || r.Records.Read != read || r.Objects != objects || !r.Records.Balanced() {
		t.Errorf("found %s, %+v, %+v, %+v, error %+v; expected %s, %d read, %+v",
			r.State, r.Records, r.Objects, r.Chunks, r.Error, state, read, objects)
	}
}
