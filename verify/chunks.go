package verify

import (
	"context"
	"fmt"

	"github.com/penstock-io/penstock/chunk"
	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/state"
)

// chunks makes a job's chunk messages again, in ascending order. Not safe for concurrent use.
type chunks struct {
	store  *state.Store
	job    opened
	plan   *state.PlanReader
	next   int          // the chunk that prefix is at the start of; -1 before the first walk
	prefix chunk.Prefix // the automaton there, composed of the stored scans as the dispatcher did
}

func (p Parts) chunks(o opened) *chunks {
	return &chunks{store: p.Store, job: o, plan: p.Store.PlanReader(o.plan), next: -1}
}

// work is the n-th chunk's message.
func (c *chunks) work(ctx context.Context, n int) (contracts.ChunkWork, error) {
	planned, err := c.plan.Chunk(ctx, n)
	if err != nil {
		return contracts.ChunkWork{}, err
	}
	parts := append([]contracts.Part(nil), planned.Parts...) // the page is read again
	if planned.Scan || planned.Follows {
		if parts[0], err = c.place(ctx, n, parts[0]); err != nil {
			return contracts.ChunkWork{}, err
		}
	}
	return c.job.plan.Work(c.job.job, contracts.Load, n, parts), nil
}

// place is a part of a split object as its load had it.
func (c *chunks) place(ctx context.Context, n int, part contracts.Part) (contracts.Part, error) {
	if err := c.walkTo(ctx, n); err != nil {
		return part, err
	}
	var scan contracts.ScanResult
	if chunk.InBlocks(part) {
		var err error
		if scan, err = c.scan(ctx, n, part); err != nil {
			return part, err
		}
	}
	return c.prefix.With(scan).Place(part, c.job.pipeline.Format(), c.job.plan.SegmentSize), nil
}

// scan is the scan of the chunk that prefix is at the start of: the second one if the first guessed wrong.
func (c *chunks) scan(ctx context.Context, n int, part contracts.Part) (contracts.ScanResult, error) {
	scan, err := c.store.Scan(ctx, c.job.plan.Job, n)
	if err == nil && scan.Error == nil && !c.prefix.Accepts(part, scan) {
		scan, err = c.store.Rescan(ctx, c.job.plan.Job, n)
	}
	if err != nil {
		return scan, fmt.Errorf("scan of chunk %d: %w", n, err)
	}
	return scan, nil
}

// walkTo composes the prefix at the start of a chunk that follows others of its object: from the object's first chunk
// on, or from where the last walk ended.
func (c *chunks) walkTo(ctx context.Context, n int) error {
	for at := n; at != c.next; at-- {
		planned, err := c.plan.Chunk(ctx, at)
		if err != nil {
			return err
		}
		if !planned.Follows {
			c.next, c.prefix = at, chunk.PrefixAt(planned.Parts[0])
			break
		}
	}
	for ; c.next < n; c.next++ {
		planned, err := c.plan.Chunk(ctx, c.next)
		if err != nil {
			return err
		}
		scan, err := c.scan(ctx, c.next, planned.Parts[0])
		if err != nil {
			return err
		}
		if c.prefix = c.prefix.Pass(planned.Parts[0], scan); !c.prefix.Known() {
			return contracts.Errorf(contracts.KindInternal, "the scan of chunk %d does not know how it begins", c.next)
		}
	}
	return nil
}

// loaded is the n-th chunk's message with those parts that were read to their end, and the completion that says so: of
// the others nobody knows how much is in the table. A chunk that was not loaded has no parts.
func (c *chunks) loaded(ctx context.Context, n int) (w contracts.ChunkWork, done contracts.Completion, err error) {
	done, _, err = c.store.Completion(ctx, c.job.plan.Job, n)
	if err != nil || len(done.Parts) == 0 {
		if contracts.KindOf(err) == contracts.KindMissing {
			err = nil
		}
		return w, done, err
	}
	if w, err = c.work(ctx, n); err != nil {
		return w, done, err
	}
	var whole []contracts.Part
	for i, part := range w.Parts {
		if i < len(done.Parts) && done.Parts[i].Error == nil {
			whole = append(whole, part)
		}
	}
	w.Parts = whole
	return w, done, nil
}
