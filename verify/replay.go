package verify

import (
	"context"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/workers"
)

func (p Parts) newReplay() *workers.Replay {
	return workers.NewReplay(p.Objects, p.Pipelines, p.Store, p.Rejects)
}

// replay gives take the merged rows of a chunk's parts as they were loaded, without the records that are rejects. What
// is wrong with a source now is in the completion's parts.
func (p Parts) replay(
	ctx context.Context, r *workers.Replay, work contracts.ChunkWork, loaded contracts.Completion,
	take func(context.Context, workers.Merged) error,
) (contracts.Completion, error) {
	rejected := newRefused(p.Rejects, work, loaded)
	skip := func(part int, offset int64) bool { return rejected.skip(ctx, part, offset) }
	again, err := r.Chunk(ctx, work, skip, func(ctx context.Context, m workers.Merged) error {
		if rejected.err != nil {
			return rejected.err
		}
		return take(ctx, m)
	})
	if err == nil {
		err = rejected.err
	}
	return again, err
}
