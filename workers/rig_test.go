package workers

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
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

// compiled compiles a spec.
func compiled(t testing.TB, spec string) *pipeline.Compiled {
	t.Helper()
	c, findings := pipeline.Lint("test.yaml", []byte(spec), nil)
	for _, f := range findings {
		t.Fatal(f)
	}
	return c
}

// store is a source bucket in memory. What an object is failed with is what opening it gives.
type store struct {
	data map[string][]byte
	fail map[string]error
	late map[string]broken // how reading it ends
}

// broken is a body that fails after some bytes, or when it is closed.
type broken struct {
	after      int
	read, shut error
}

type brokenBody struct {
	io.Reader
	shut error
}

func (b brokenBody) Close() error { return b.shut }

func (s *store) Open(ctx context.Context, o contracts.Object, off, n int64) (io.ReadCloser, error) {
	if err := s.fail[o.Key]; err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	data := s.data[o.Key][off:]
	if n >= 0 {
		data = data[:n]
	}
	if b, ok := s.late[o.Key]; ok && b.read != nil {
		return brokenBody{io.MultiReader(bytes.NewReader(data[:b.after]), iotest.ErrReader(b.read)), b.shut}, nil
	} else if ok {
		return brokenBody{bytes.NewReader(data), b.shut}, nil
	}
	return io.NopCloser(bytes.NewReader(data)), nil
}

// part is the whole of an object, whose segments begin with the given ordinal.
func (s *store) part(key, compression string, segment, segments int64) contracts.Part {
	size := int64(len(s.data[key]))
	return contracts.Part{
		Object: contracts.Object{Bucket: "landing", Key: key, ETag: "e1", Size: size}, End: size, Whole: true,
		Compression: compression, Segment: segment, Segments: segments,
	}
}

func zipped(data []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(data) // into memory
	_ = z.Close()
	return b.Bytes()
}

// news records what was published.
type news struct {
	mu     sync.Mutex
	events []contracts.Event
	dead   []string // subject and reason
	fail   error
}

func (n *news) PublishEvent(_ context.Context, e contracts.Event) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.fail == nil {
		n.events = append(n.events, e)
	}
	return n.fail
}

func (n *news) PublishDead(_ context.Context, subject string, _ []byte, reason string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.dead = append(n.dead, subject+": "+reason)
	return nil
}

func (n *news) kinds() []contracts.EventKind {
	n.mu.Lock()
	defer n.mu.Unlock()
	var all []contracts.EventKind
	for _, e := range n.events {
		all = append(all, e.Kind)
	}
	return all
}

// message records how it was settled.
type message struct {
	data       []byte
	deliveries int
	progress   func() error // nil: always fine
	acking     func()       // called before an acknowledgement is answered, unless nil
	mu         sync.Mutex
	settled    []string
}

func newMessage(t testing.TB, w contracts.ChunkWork, deliveries int) *message {
	t.Helper()
	data, err := contracts.Marshal(w)
	must(t, err)
	return &message{data: data, deliveries: deliveries}
}

func (m *message) Data() []byte    { return m.data }
func (m *message) Subject() string { return "penstock.chunks.j1.load.0" }
func (m *message) Deliveries() int { return m.deliveries }
func (m *message) Progress() error {
	if m.progress == nil {
		return nil
	}
	return m.progress()
}
func (m *message) Ack(ctx context.Context) error {
	if m.acking != nil {
		m.acking()
	}
	return errors.Join(m.note("ack"), ctx.Err())
}
func (m *message) Nak(delay time.Duration) error { return m.note("nak " + delay.String()) }
func (m *message) Term(reason string) error      { return m.note("term " + reason) }

func (m *message) note(what string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.settled = append(m.settled, what)
	return nil
}

// expect says how the message must have been settled, and by nothing else.
func (m *message) expect(t testing.TB, want ...string) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if !slices.Equal(m.settled, want) {
		t.Errorf("message settled by %q, expected %q", m.settled, want)
	}
}

// pipelines are one pipeline; fail is what asking for it gives.
type pipelines struct {
	c    *pipeline.Compiled
	fail error
}

func (p pipelines) Compiled(context.Context, string, string) (*pipeline.Compiled, error) {
	return p.c, p.fail
}

// write is a Writer.
type write func(ctx context.Context, rows []cql.Row) ([]cql.Refusal, error)

func (w write) Write(ctx context.Context, rows []cql.Row, _ time.Time) ([]cql.Refusal, error) {
	return w(ctx, rows)
}

// tables give one writer.
type tables struct{ w Writer }

func (t tables) Writer(context.Context, *pipeline.Compiled) (Writer, error) { return t.w, nil }

// memoryDocs are reject objects in memory.
type memoryDocs struct {
	mu   sync.Mutex
	docs map[string][]byte
}

func (m *memoryDocs) Put(_ context.Context, key string, data []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.docs == nil {
		m.docs = map[string][]byte{}
	}
	m.docs[key] = bytes.Clone(data)
	return nil
}

// rig is a worker joined to what a test gives.
type rig struct {
	*Workers
	source  *store
	news    *news
	rejects *memoryDocs
}

// newRig joins a worker to memory; the state store is nil.
func newRig(c *pipeline.Compiled, w Writer) *rig {
	r := &rig{source: &store{data: map[string][]byte{}, fail: map[string]error{}}, news: &news{}, rejects: &memoryDocs{}}
	r.Workers = New(Config{Name: "w1", Attempts: 2}, Parts{
		Objects: r.source, Queue: r.news, Pipelines: pipelines{c: c}, Tables: tables{w}, Rejects: r.rejects,
	})
	return r
}

// withState gives the rig a state store on the gateway.
func (r *rig) withState(t testing.TB) *rig {
	t.Helper()
	r.Store = state.New(teststore.Docs(t, client))
	return r
}

const base = 1_000_000

func work(parts ...contracts.Part) contracts.ChunkWork {
	return contracts.ChunkWork{
		V: 1, Job: "j1", Work: contracts.Load, Pipeline: "p", Revision: "r", Base: base,
		BaseTime: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), SegmentSize: 1 << 20, MaxRecord: 1 << 16, Parts: parts,
	}
}
