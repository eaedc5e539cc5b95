package status

import (
	"context"
	"iter"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/state"
)

// Numbered is a chunk's canonical outcome with the number of records that come before it in its object: -1 where a
// chunk before it is not done, so that nobody knows.
type Numbered struct {
	contracts.Completion
	Before int64
}

// InOrder yields the chunks that have an outcome, in the order of the plan. It keeps a page of the plan and a bit a
// chunk in memory.
func InOrder(ctx context.Context, store *state.Store, plan state.Plan) iter.Seq2[Numbered, error] {
	return func(yield func(Numbered, error) bool) {
		ended := make(bits, (plan.Totals.Chunks+7)/8)
		for chunk, err := range store.Ended(ctx, plan.Job) {
			if err != nil {
				yield(Numbered{}, err)
				return
			}
			if chunk < plan.Totals.Chunks {
				ended.set(chunk)
			}
		}
		c := counter{plan: store.PlanReader(plan)}
		for chunk := range plan.Totals.Chunks {
			out, has, err := c.next(ctx, store, plan.Job, chunk, ended.has(chunk))
			if (err != nil || has) && !yield(out, err) || err != nil {
				return
			}
		}
	}
}

// counter counts the records of the object under way.
type counter struct {
	plan   *state.PlanReader
	object contracts.Object
	before int64 // -1 where not known
}

// next goes over a chunk, and reads its outcome if it has one; false where it has none, or none any more: it was
// reopened since it was listed.
func (c *counter) next(
	ctx context.Context, store *state.Store, job contracts.JobID, chunk int, ended bool,
) (out Numbered, has bool, err error) {
	planned, err := c.plan.Chunk(ctx, chunk)
	if err != nil {
		return out, false, err
	}
	if first := planned.Parts[0]; first.Whole || contracts.CompareObjects(first.Object, c.object) != 0 {
		c.object, c.before = first.Object, min(first.Records, 0) // -1 where the plan does not begin with its first record
	}
	done := false
	if out.Before = c.before; ended {
		out.Completion, done, err = store.Completion(ctx, job, chunk)
		if has = contracts.KindOf(err) != contracts.KindMissing; has && err != nil {
			return out, false, err
		}
	}
	if done && c.before >= 0 {
		c.before += out.Counts.Read
	} else {
		c.before = -1
	}
	return out, has, nil
}
