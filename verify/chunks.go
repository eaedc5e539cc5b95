package verify

import (
	"context"
	"fmt"

	"github.com/penstock-io/penstock/chunk"
	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/state"
)

// chunks makes a job's chunk messages again, as the dispatcher made them of the plan and the stored scans; ascending
// order spares it work. Not safe for concurrent use.
type chunks struct {
	store  *state.Store
	job    opened
	plan   *state.PlanReader
	next   int          // the chunk that prefix is at the start of; -1 before the first walk
	prefix chunk.Prefix // what the chunks before it in its object say
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
	if planned.Follows || planned.Scan {
		if err := c.walkTo(ctx, n); err != nil {
			return contracts.ChunkWork{}, err
		}
		scan, err := c.scan(ctx, n, planned)
		if err != nil {
			return contracts.ChunkWork{}, err
		}
		parts[0] = c.prefix.With(scan).Place(parts[0], c.job.pipeline.Format(), c.job.plan.SegmentSize)
	}
	return c.job.plan.Work(c.job.job, contracts.Load, n, parts), nil
}

// walkTo composes the prefix at the start of a chunk: from the object's first chunk on, or from where the last walk
// ended.
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
		scan, err := c.scan(ctx, c.next, planned)
		if err != nil {
			return err
		}
		if c.prefix = c.prefix.Pass(planned.Parts[0], scan); !c.prefix.Known() {
			return contracts.Errorf(contracts.KindInternal, "the scan of chunk %d does not know how it begins", c.next)
		}
	}
	return nil
}

// scan is what the scan of the chunk at the prefix said: the second one, where the first had guessed wrong.
func (c *chunks) scan(ctx context.Context, n int, planned state.Planned) (scan contracts.ScanResult, err error) {
	if !planned.Scan {
		return scan, nil
	}
	scan, err = c.store.Scan(ctx, c.job.plan.Job, n)
	if err == nil && scan.Error == nil && !c.prefix.Accepts(planned.Parts[0], scan) {
		scan, err = c.store.Rescan(ctx, c.job.plan.Job, n)
	}
	if err != nil {
		return scan, fmt.Errorf("scan of chunk %d: %w", n, err)
	}
	return scan, nil
}

// loaded is the n-th chunk's message with those parts that were read to their end, and the completion with what it says
// of these: of the others nobody knows how much is in the table. A chunk that was not loaded has no parts.
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
	var results []contracts.PartResult
	for i, part := range w.Parts {
		if i < len(done.Parts) && done.Parts[i].Error == nil {
			whole, results = append(whole, part), append(results, done.Parts[i])
		}
	}
	w.Parts, done.Parts = whole, results
	return w, done, nil
}
