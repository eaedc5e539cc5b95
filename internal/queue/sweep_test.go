package queue_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/internal/embedded/nats"
	"github.com/penstock-io/penstock/internal/queue"
)

// TestSweep puts messages back under a consumer that has seen them acknowledged, as a store does that lost its last
// writes: without a sweep they would count as queued for ever, and nobody would get them.
func TestSweep(t *testing.T) {
	t.Parallel()
	dir, backup := t.TempDir(), t.TempDir()
	work := func(n int) contracts.ChunkWork {
		return contracts.ChunkWork{V: 1, Job: "j", Chunk: n, Work: contracts.Load}
	}
	before, err := nats.Start(t.Context(), nats.Config{Dir: dir})
	must(t, err)
	q := open(t, queue.Config{URL: before.URL()})
	must(t, q.Setup(t.Context()))
	for n := range 3 {
		must(t, q.PublishChunk(t.Context(), work(n)))
	}
	blocks, err := filepath.Glob(filepath.Join(dir, "jetstream", "*", "streams", "CHUNKS", "msgs"))
	if err != nil || len(blocks) != 1 {
		t.Fatalf("the stream's messages are at %q (%v)", blocks, err)
	}
	must(t, os.CopyFS(backup, os.DirFS(blocks[0])))
	chunks, err := q.Chunks(t.Context())
	must(t, err)
	for range 3 {
		m, err := chunks.Next(t.Context())
		must(t, err)
		must(t, m.Ack(t.Context()))
	}
	q.Close()
	before.Close()
	must(t, os.RemoveAll(blocks[0]))
	must(t, os.CopyFS(blocks[0], os.DirFS(backup)))

	q = open(t, queue.Config{URL: embedded(t, nats.Config{Dir: dir}).URL()})
	queued := func(want int) {
		t.Helper()
		found, err := q.Queued(t.Context(), "j")
		must(t, err)
		if len(found) != want {
			t.Fatalf("queued: %v, expected %d", found, want)
		}
	}
	queued(3)
	must(t, q.Sweep(t.Context()))
	queued(0)
	must(t, q.PublishChunk(t.Context(), work(1)))
	must(t, q.Sweep(t.Context()))
	queued(1)
	chunks, err = q.Chunks(t.Context())
	must(t, err)
	m, err := chunks.Next(t.Context())
	must(t, err)
	must(t, q.Sweep(t.Context())) // while it is held
	queued(1)
	must(t, m.Ack(t.Context()))
}
