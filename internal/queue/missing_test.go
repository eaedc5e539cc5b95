package queue

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/internal/embedded/nats"
)

func opened(t *testing.T) *Queue {
	t.Helper()
	s, err := nats.Start(t.Context(), nats.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	q, err := Connect(t.Context(), Config{URL: s.URL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(q.Close)
	if err := q.Setup(t.Context()); err != nil {
		t.Fatal(err)
	}
	return q
}

func TestPullerSaysThatItsConsumerIsGone(t *testing.T) {
	t.Parallel()
	q := opened(t)
	p, err := q.Chunks(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p.missing = 0
	if err := q.js.DeleteStream(t.Context(), "CHUNKS"); err != nil {
		t.Fatal(err)
	}
	_, err = p.Next(t.Context())
	if contracts.KindOf(err) != contracts.KindMissing || !strings.Contains(err.Error(), "start a dispatcher") {
		t.Fatalf("found %v, expected an error of kind missing", err)
	}
}

func TestPullerGoesOnWithTheConsumerMadeAgain(t *testing.T) {
	t.Parallel()
	q := opened(t)
	p, err := q.Chunks(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	came := make(chan error)
	go func() {
		_, err := p.Next(t.Context())
		came <- err
	}()
	if err := q.js.DeleteConsumer(t.Context(), "CHUNKS", contracts.Consumer); err != nil {
		t.Fatal(err)
	}
	if err := q.Setup(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := q.PublishChunk(t.Context(), contracts.ChunkWork{V: 1, Job: "job-1", Work: contracts.Load}); err != nil {
		t.Fatal(err)
	}
	if err := <-came; err != nil {
		t.Fatal(err)
	}
}

// TestPurgeWithoutAStream: what NATS has forgotten need not be dropped, and is no reason to fail a job that rests or
// ends.
func TestPurgeWithoutAStream(t *testing.T) {
	t.Parallel()
	q := opened(t)
	if err := q.js.DeleteStream(t.Context(), "CHUNKS"); err != nil {
		t.Fatal(err)
	}
	if err := q.Purge(t.Context(), "job-1"); err != nil {
		t.Errorf("found %v, expected nothing to drop", err)
	}
}

func TestCallEndsAtReconnect(t *testing.T) {
	t.Parallel()
	q := opened(t)
	asked, ended := make(chan struct{}), make(chan error)
	go func() {
		ended <- q.do(t.Context(), "ask", "x", time.Hour, func(ctx context.Context) error {
			close(asked)
			<-ctx.Done()
			return ctx.Err()
		})
	}()
	<-asked
	q.onReconnect(q.nc)
	err := <-ended
	if contracts.KindOf(err) != contracts.KindUnavailable || !strings.Contains(err.Error(), "lost before") {
		t.Errorf("found %v, expected an error of kind unavailable that says why", err)
	}
}
