package queue_test

import (
	"testing"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/internal/embedded/nats"
	"github.com/penstock-io/penstock/internal/queue"
)

// TestPublishChunks: more than are asked for at once, some of them queued already, and then one more than there is room
// for.
func TestPublishChunks(t *testing.T) {
	t.Parallel()
	const many = 700
	q := open(t, queue.Config{URL: embedded(t, nats.Config{Dir: t.TempDir()}).URL(), MaxChunks: many})
	must(t, q.Setup(t.Context()))
	works := make([]contracts.ChunkWork, many+1)
	for n := range works {
		works[n] = contracts.ChunkWork{V: 1, Job: "job-1", Chunk: n, Work: contracts.Load}
	}
	for _, upTo := range []int{300, many} {
		must(t, q.PublishChunks(t.Context(), works[:upTo]))
		queued, err := q.Queued(t.Context(), "job-1")
		if must(t, err); len(queued) != upTo {
			t.Errorf("found %d chunks queued, expected %d", len(queued), upTo)
		}
	}
	if err := q.PublishChunks(t.Context(), works); contracts.KindOf(err) != contracts.KindUnavailable {
		t.Errorf("found %v, expected a full queue", err)
	}
	must(t, q.PublishChunks(t.Context(), nil))
}
