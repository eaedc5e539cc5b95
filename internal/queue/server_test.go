package queue_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/internal/embedded/nats"
	"github.com/penstock-io/penstock/internal/queue"
)

// raw is JetStream without the queue, to look behind it and to do what others might.
func raw(t *testing.T, url string) jetstream.JetStream {
	t.Helper()
	nc, err := natsgo.Connect(url)
	must(t, err)
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	must(t, err)
	return js
}

func config(t *testing.T, js jetstream.JetStream, stream string) jetstream.StreamConfig {
	t.Helper()
	s, err := js.Stream(t.Context(), stream)
	must(t, err)
	return s.CachedInfo().Config
}

func start(t *testing.T) (url string, js jetstream.JetStream) {
	t.Helper()
	url = embedded(t, nats.Config{Dir: t.TempDir()}).URL()
	return url, raw(t, url)
}

func TestStreams(t *testing.T) {
	t.Parallel()
	url, js := start(t)
	must(t, open(t, queue.Config{URL: url}).Setup(t.Context()))
	lab := queue.Config{URL: url, Prefix: "lab", MaxChunks: 5, MaxAckPending: 7, AckWait: time.Minute}
	must(t, open(t, lab).Setup(t.Context()))

	chunks := config(t, js, "CHUNKS")
	if chunks.Retention != jetstream.WorkQueuePolicy || chunks.Storage != jetstream.FileStorage ||
		chunks.MaxMsgs != 1_000_000 || chunks.Discard != jetstream.DiscardNew ||
		!chunks.DiscardNewPerSubject || chunks.MaxMsgsPerSubject != 1 {
		t.Errorf("CHUNKS: found %+v", chunks)
	}
	jobs := config(t, js, "JOBS")
	if jobs.Retention != jetstream.WorkQueuePolicy || jobs.Discard != jetstream.DiscardNew ||
		!slices.Equal(jobs.Subjects, []string{"penstock.jobs.*"}) {
		t.Errorf("JOBS: found %+v", jobs)
	}
	if status := config(t, js, "STATUS"); status.MaxAge != 7*24*time.Hour || status.MaxBytes != 1<<30 {
		t.Errorf("STATUS: found %+v", status)
	}
	if dead := config(t, js, "DEAD"); dead.MaxAge != 30*24*time.Hour || dead.MaxBytes != 1<<30 {
		t.Errorf("DEAD: found %+v", dead)
	}
	notices := config(t, js, "NOTIFICATIONS")
	if !slices.Equal(notices.Subjects, []string{"penstock.notifications", "penstock.notifications.>"}) {
		t.Errorf("NOTIFICATIONS: found %+v", notices)
	}
	if lab := config(t, js, "LAB_CHUNKS"); lab.MaxMsgs != 5 || !slices.Equal(lab.Subjects, []string{"lab.chunks.>"}) {
		t.Errorf("LAB_CHUNKS: found %+v", lab)
	}
	c, err := js.Consumer(t.Context(), "LAB_CHUNKS", "workers")
	must(t, err)
	if cfg := c.CachedInfo().Config; cfg.AckPolicy != jetstream.AckExplicitPolicy || cfg.AckWait != time.Minute ||
		cfg.MaxAckPending != 7 || cfg.MaxDeliver != -1 || cfg.MaxWaiting < 4096 {
		t.Errorf("consumer: found %+v", cfg)
	}
}

func TestSetupKeepsWhatIsTheOperators(t *testing.T) {
	t.Parallel()
	url, js := start(t)
	_, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "STATUS", Subjects: []string{"penstock.status.>"},
		MaxAge: time.Hour, Description: "ours"})
	must(t, err)
	_, err = js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "CHUNKS", Subjects: []string{"penstock.chunks.>"},
		Retention: jetstream.WorkQueuePolicy, Description: "ours"})
	must(t, err)
	_, err = js.CreateConsumer(t.Context(), "CHUNKS", jetstream.ConsumerConfig{Durable: "workers", Description: "ours",
		AckPolicy: jetstream.AckExplicitPolicy, MaxWaiting: 100, BackOff: []time.Duration{time.Second}, MaxDeliver: 3})
	must(t, err)
	must(t, open(t, queue.Config{URL: url}).Setup(t.Context()))
	if cfg := config(t, js, "STATUS"); cfg.MaxAge != time.Hour || cfg.Description != "ours" {
		t.Errorf("STATUS: found %+v", cfg)
	}
	if cfg := config(t, js, "CHUNKS"); cfg.Description != "ours" || cfg.Discard != jetstream.DiscardNew ||
		!cfg.DiscardNewPerSubject || cfg.MaxMsgsPerSubject != 1 || cfg.MaxMsgs != 1_000_000 {
		t.Errorf("CHUNKS: found %+v", cfg)
	}
	c, err := js.Consumer(t.Context(), "CHUNKS", "workers")
	must(t, err)
	if cfg := c.CachedInfo().Config; cfg.Description != "ours" || cfg.MaxWaiting != 100 || len(cfg.BackOff) > 0 ||
		cfg.MaxDeliver != -1 || cfg.AckWait != 30*time.Second {
		t.Errorf("consumer: found %+v", cfg)
	}
}

func TestSetupRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		exists jetstream.StreamConfig
		cfg    queue.Config
		says   string
	}{
		"a stream of another kind": {
			jetstream.StreamConfig{Name: "JOBS", Subjects: []string{"penstock.jobs.*"}}, queue.Config{},
			"stream JOBS: found retention Limits, expected WorkQueue: delete the stream or choose another PENSTOCK_NATS_PREFIX"},
		"another stream on the subjects": {
			jetstream.StreamConfig{Name: "ALL", Subjects: []string{"penstock.>"}}, queue.Config{},
			"delete the other stream or choose another PENSTOCK_NATS_PREFIX"},
		"replicas without a cluster": {
			jetstream.StreamConfig{Name: "OTHER"}, queue.Config{Replicas: 3}, "use 1 replica, or a NATS cluster"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, js := start(t)
			_, err := js.CreateStream(t.Context(), c.exists)
			must(t, err)
			c.cfg.URL = url
			wants(t, open(t, c.cfg).Setup(t.Context()), contracts.KindConfig, c.says)
		})
	}
}

func TestDeadLetters(t *testing.T) {
	t.Parallel()
	url, js := start(t)
	q := open(t, queue.Config{URL: url})
	must(t, q.Setup(t.Context()))
	read := func(subject string) *jetstream.RawStreamMsg {
		s, err := js.Stream(t.Context(), "DEAD")
		must(t, err)
		m, err := s.GetLastMsgForSubject(t.Context(), subject)
		must(t, err)
		return m
	}
	must(t, q.PublishDead(t.Context(), "penstock.dead.jobs", []byte("{"), "no JSON:\r\nX-Evil: 1"))
	m := read("penstock.dead.jobs")
	if string(m.Data) != "{" || m.Header.Get(queue.ReasonHeader) != "no JSON: X-Evil: 1" || len(m.Header) != 1 {
		t.Errorf("found %q with %v", m.Data, m.Header)
	}
	big := bytes.Repeat([]byte("x"), 1<<20) // as long as a message may be
	must(t, q.PublishDead(t.Context(), "penstock.dead.job-1.0", big, strings.Repeat("é", 1<<20)))
	m = read("penstock.dead.job-1.0")
	if m.Header.Get(queue.TruncatedHeader) != "1048576" || len(m.Data) < 1<<19 || !bytes.HasPrefix(big, m.Data) {
		t.Errorf("found %d bytes with %s", len(m.Data), m.Header.Get(queue.TruncatedHeader))
	}
}

func TestMessageTooLong(t *testing.T) {
	t.Parallel()
	url, _ := start(t)
	q := open(t, queue.Config{URL: url})
	must(t, q.Setup(t.Context()))
	err := q.PublishJob(t.Context(), "readings", make([]byte, 1<<20+1))
	wants(t, err, contracts.KindConfig, "found 1048577 bytes, expected at most 1048576: raise max_payload")
}

func TestEventsPassOverWhatIsNone(t *testing.T) {
	t.Parallel()
	url, js := start(t)
	var log syncBuffer
	q := open(t, queue.Config{URL: url, Log: slog.New(slog.NewTextHandler(&log, nil))})
	must(t, q.Setup(t.Context()))
	for _, junk := range []string{"", "{", "junk", `{"v":2,"job":"job-1"}`} {
		_, err := js.Publish(t.Context(), "penstock.status.job-1.done", []byte(junk))
		must(t, err)
	}
	must(t, q.PublishEvent(t.Context(), contracts.Event{V: 1, Job: "job-1", Kind: contracts.EventDone}))
	events := make(chan contracts.Event)
	stop, err := q.Events(t.Context(), "job-1", true, func(e contracts.Event) { events <- e })
	must(t, err)
	if e := <-events; e.V != 1 || e.Kind != contracts.EventDone {
		t.Errorf("found %+v", e)
	}
	stop()
	text := log.String()
	if n := strings.Count(text, "is no event"); n != 4 || !strings.Contains(text, "upgrade this process") {
		t.Errorf("found %d log lines, expected 4:\n%s", n, text)
	}
}

type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// TestLostStore loses the whole of NATS under a puller and a follower, as a dead disk would: once the streams are made
// again, both go on by themselves, and new events are seen though their sequences start over.
func TestLostStore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := embedded(t, nats.Config{Dir: dir})
	q := open(t, queue.Config{URL: s.URL()})
	must(t, q.Setup(t.Context()))
	events := make(chan contracts.EventKind, 10)
	stop, err := q.Events(t.Context(), "", false, func(e contracts.Event) { events <- e.Kind })
	must(t, err)
	defer stop()
	for range 5 {
		must(t, q.PublishEvent(t.Context(), contracts.Event{V: 1, Job: "job-1", Kind: contracts.EventChunkDone}))
		<-events
	}
	p, err := q.Chunks(t.Context())
	must(t, err)
	came := make(chan error)
	go func() {
		_, err := p.Next(t.Context())
		came <- err
	}()
	s.Close()
	must(t, os.RemoveAll(dir))
	embedded(t, nats.Config{Dir: dir, Addr: s.Addr()})
	untilUp(t, func() error { return q.Setup(t.Context()) })
	must(t, q.PublishEvent(t.Context(), contracts.Event{V: 1, Job: "job-1", Kind: contracts.EventDone}))
	if kind := <-events; kind != contracts.EventDone {
		t.Errorf("found %s", kind)
	}
	must(t, q.PublishChunk(t.Context(), contracts.ChunkWork{V: 1, Job: "job-1", Work: contracts.Load}))
	must(t, <-came)
}

// TestStreamMadeAgain deletes the status stream while the connection holds.
func TestStreamMadeAgain(t *testing.T) {
	t.Parallel()
	url, js := start(t)
	q := open(t, queue.Config{URL: url})
	must(t, q.Setup(t.Context()))
	events := make(chan contracts.EventKind, 10)
	stop, err := q.Events(t.Context(), "", true, func(e contracts.Event) { events <- e.Kind })
	must(t, err)
	defer stop()
	for range 3 {
		must(t, q.PublishEvent(t.Context(), contracts.Event{V: 1, Job: "job-1", Kind: contracts.EventChunkDone}))
		<-events
	}
	must(t, js.DeleteStream(t.Context(), "STATUS"))
	must(t, q.Setup(t.Context()))
	must(t, q.PublishEvent(t.Context(), contracts.Event{V: 1, Job: "job-1", Kind: contracts.EventDone}))
	if kind := <-events; kind != contracts.EventDone {
		t.Errorf("found %s", kind)
	}
}

func TestAckWithoutServer(t *testing.T) {
	t.Parallel()
	s := embedded(t, nats.Config{Dir: t.TempDir()})
	q := open(t, queue.Config{URL: s.URL()})
	must(t, q.Setup(t.Context()))
	must(t, q.PublishChunk(t.Context(), contracts.ChunkWork{V: 1, Job: "job-1", Work: contracts.Load}))
	p, err := q.Chunks(t.Context())
	must(t, err)
	m, err := p.Next(t.Context())
	must(t, err)
	s.Close()
	ctx, cancel := context.WithCancel(t.Context())
	untilDown(t, m.Progress)
	wants(t, m.Ack(ctx), contracts.KindUnavailable, "acknowledge penstock.chunks.job-1.load.0 at nats://")
	wants(t, m.Nak(0), contracts.KindUnavailable, "hand back")
	wants(t, q.PublishJob(ctx, "readings", nil), contracts.KindUnavailable, "publish to penstock.jobs.readings")
	_, err = q.Queued(ctx, "job-1")
	wants(t, err, contracts.KindUnavailable, "list the queued chunks of job job-1")
	cancel()
	wants(t, m.Ack(ctx), contracts.KindInterrupted, "")
	_, err = p.Next(ctx)
	wants(t, err, contracts.KindInterrupted, "pull from stream CHUNKS")
}

// TestNextWhileDisconnected begins to wait when there is no server to ask.
func TestNextWhileDisconnected(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := embedded(t, nats.Config{Dir: dir})
	q := open(t, queue.Config{URL: s.URL()})
	must(t, q.Setup(t.Context()))
	must(t, q.PublishChunk(t.Context(), contracts.ChunkWork{V: 1, Job: "job-1", Work: contracts.Load}))
	p, err := q.Chunks(t.Context())
	must(t, err)
	m, err := p.Next(t.Context())
	must(t, err)
	s.Close()
	untilDown(t, m.Progress)
	ctx, cancel := context.WithTimeout(t.Context(), 25*time.Second)
	defer cancel()
	came := make(chan error)
	go func() {
		_, err := p.Next(ctx)
		came <- err
	}()
	embedded(t, nats.Config{Dir: dir, Addr: s.Addr()})
	untilUp(t, func() error {
		return q.PublishChunk(t.Context(), contracts.ChunkWork{V: 1, Job: "job-2", Work: contracts.Load})
	})
	must(t, <-came)
}

func untilUp(t *testing.T, call func() error) {
	t.Helper()
	err := call()
	for contracts.KindOf(err) == contracts.KindUnavailable && t.Context().Err() == nil {
		err = call()
	}
	must(t, err)
}

// untilDown calls until the client has noticed that the server is gone.
func untilDown(t *testing.T, call func() error) {
	t.Helper()
	for call() == nil && t.Context().Err() == nil {
	}
}
