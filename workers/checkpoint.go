package workers

import (
	"bytes"
	"context"
	"fmt"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/state"
)

// checkpointSegments is how many segments of a compressed stream lie at least between two checkpoints.
const checkpointSegments = 16

// checkpoints says whether the chunk is one long stream, or a range with long blocks, which a worker that takes it over
// must decompress from its start, but need not write again from there.
func (l *loader) checkpoints() bool {
	if l.w.Store == nil || l.passOver != nil || l.passes > 1 { // a replay wants all rows, and each pass all segments
		return false
	}
	return l.long()
}

// long says whether the chunk is a compressed stream of many segments, of which none is found again without going
// through all before it.
func (l *loader) long() bool {
	if len(l.work.Parts) != 1 {
		return false
	}
	part := l.work.Parts[0]
	if b := part.Blocks; b != nil {
		return b.End-b.Start > checkpointSegments*l.work.SegmentSize
	}
	return part.Whole && part.Segments > checkpointSegments && part.Object.Size > l.work.SegmentSize
}

// resume takes up what another worker, or a try before, has left. What cannot be read is as good as nothing.
func (l *loader) resume(ctx context.Context) error {
	if l.resumed, l.saved = 0, 0; !l.checkpoints() {
		return nil
	}
	l.saved = l.work.Parts[0].Segment
	c, err := l.w.Store.Checkpoint(ctx, l.work.Job, l.work.Chunk)
	if contracts.KindOf(err).Transient() {
		return fmt.Errorf("read the checkpoint of chunk %d: %w", l.work.Chunk, err)
	}
	if err != nil {
		return nil
	}
	l.resumed, l.saved = c.Segment, c.Segment
	l.parts[0].Counts = c.Counts
	l.rejects.restore(c)
	return nil
}

// checkpoint notes that all segments before this one are written, when they are. The batch must be empty.
func (l *loader) checkpoint(ctx context.Context, segment int64) error {
	if !l.checkpoints() || segment < l.saved+checkpointSegments {
		return nil
	}
	if err := l.settle(ctx); err != nil {
		return err
	}
	c := l.rejects.checkpoint()
	c.Segment, c.Counts = segment, l.parts[0].Counts
	if err := l.w.Store.SaveCheckpoint(ctx, l.work.Job, l.work.Chunk, c); err != nil {
		return fmt.Errorf("store a checkpoint of chunk %d: %w", l.work.Chunk, err)
	}
	l.saved = segment
	return nil
}

// dropCheckpoint forgets what was saved: the chunk has an outcome that is stored.
func (l *loader) dropCheckpoint(ctx context.Context) error {
	if !l.checkpoints() || l.saved == l.work.Parts[0].Segment {
		return nil
	}
	if err := l.w.Store.DropCheckpoint(ctx, l.work.Job, l.work.Chunk); err != nil {
		return fmt.Errorf("drop the checkpoint of chunk %d: %w", l.work.Chunk, err)
	}
	return nil
}

// checkpoint is what the log holds. What is buffered stays so: the objects are cut as without a checkpoint.
func (r *rejectLog) checkpoint() state.Checkpoint {
	return state.Checkpoint{Rules: r.rules, Rejects: r.keys, Pending: bytes.Clone(r.buf.Bytes()), First: r.first}
}

// restore makes the log hold what it held at a checkpoint.
func (r *rejectLog) restore(c state.Checkpoint) {
	r.buf.Write(c.Pending)
	r.first, r.keys = c.First, c.Rejects
	for rule, n := range c.Rules {
		r.rules[rule] = n
	}
}
