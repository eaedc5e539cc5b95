package queue_test

import (
	"context"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	queuetest "github.com/penstock-io/penstock/internal/conformance/queue"
	"github.com/penstock-io/penstock/internal/embedded/nats"
	"github.com/penstock-io/penstock/internal/queue"
	"github.com/penstock-io/penstock/internal/testenv"
)

// tested shows a Queue as the suite sees it.
type tested struct{ *queue.Queue }

func (q tested) Jobs(ctx context.Context) (queuetest.Puller, error) { return pulled(q.Queue.Jobs(ctx)) }
func (q tested) Chunks(ctx context.Context) (queuetest.Puller, error) {
	return pulled(q.Queue.Chunks(ctx))
}
func (q tested) Notifications(ctx context.Context) (queuetest.Puller, error) {
	return pulled(q.Queue.Notifications(ctx))
}

type puller struct{ *queue.Puller }

func pulled(p *queue.Puller, err error) (queuetest.Puller, error) { return puller{p}, err }

func (p puller) Next(ctx context.Context) (queuetest.Message, error) {
	m, err := p.Puller.Next(ctx)
	if err != nil {
		return nil, err
	}
	return m, nil
}

func connectTo(url string) queuetest.Connect {
	return func(ctx context.Context, o queuetest.Options) (queuetest.Queue, error) {
		q, err := queue.Connect(ctx, queue.Config{URL: url, Prefix: o.Prefix, AckWait: o.AckWait, MaxChunks: o.MaxChunks})
		if err != nil {
			return nil, err
		}
		return tested{q}, nil
	}
}

// uniquePrefix makes a prefix whose streams go with the test: two of them reserve storage.
func uniquePrefix(t *testing.T, url string) string {
	prefix := testenv.Name(t, "q")
	js := raw(t, url)
	t.Cleanup(func() {
		ctx := context.Background()
		for name := range js.StreamNames(ctx, jetstream.WithStreamListSubject(prefix+".>")).Name() {
			if err := js.DeleteStream(ctx, name); err != nil {
				t.Error(err)
			}
		}
	})
	return prefix
}

func TestEmbedded(t *testing.T) {
	t.Parallel()
	url := embedded(t, nats.Config{Dir: t.TempDir()}).URL()
	queuetest.Run(t, queuetest.Funcs{
		Connect: connectTo(url),
		Prefix:  func(t *testing.T) string { return uniquePrefix(t, url) },
		Full:    queue.ErrFull,
		Restartable: func(t *testing.T) (queuetest.Connect, func()) {
			dir := t.TempDir()
			s := embedded(t, nats.Config{Dir: dir})
			return connectTo(s.URL()), func() {
				s.Close()
				embedded(t, nats.Config{Dir: dir, Addr: s.Addr()})
			}
		},
	})
}

func TestRealServer(t *testing.T) {
	t.Parallel()
	url := testenv.NATS(t)
	queuetest.Run(t, queuetest.Funcs{
		Connect: connectTo(url),
		Prefix:  func(t *testing.T) string { return uniquePrefix(t, url) },
		Full:    queue.ErrFull,
		Restartable: func(t *testing.T) (queuetest.Connect, func()) {
			s := testenv.StartNATS(t, "")
			return connectTo(s.URL), s.Restart
		},
	})
}

func embedded(t *testing.T, cfg nats.Config) *nats.Server {
	t.Helper()
	s, err := nats.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}
