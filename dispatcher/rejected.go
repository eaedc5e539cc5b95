package dispatcher

import (
	"context"

	"github.com/penstock-io/penstock/chunk"
	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/pipeline"
	"github.com/penstock-io/penstock/state"
)

// A job of rejects loads the records again that another job rejected, and no others. Its parts are those of that job's
// chunks that have rejects, from the first of them to the last: a rejected record's first byte is known, so no range
// needs a scan. A range of a compressed object cannot be read alone: its object is read whole, by one worker. Which
// records it is, the worker reads from the reject objects itself.

// rejectPlanner plans a job of rejects.
type rejectPlanner struct {
	planner
	d    *Dispatcher
	of   contracts.JobID
	part *contracts.Part // of a compressed object whose ranges are being gathered

	object  contracts.Object   // the last one that was met
	binding *contracts.Binding // of it; nil before it was needed
	bad     bool               // it has none
}

// span is where in an object the rejects of a chunk are.
type span struct{ first, last int64 }

// planRejects emits the chunks that load again what a job rejected.
func (d *Dispatcher) planRejects(
	ctx context.Context, of contracts.JobID, c *pipeline.Compiled, emit func(state.Planned) error,
) (out PlanResult, err error) {
	old, err := d.rejecting(ctx, of, c)
	if err != nil {
		return out, err
	}
	p := &rejectPlanner{d: d, of: of}
	p.Planning = Planning{Objects: d.objects, Pipeline: c, SegmentSize: old.SegmentSize, Emit: emit}
	p.out.SegmentSize = old.SegmentSize
	plan := d.store.PlanReader(old)
	for n := range old.Totals.Chunks {
		spans, err := p.spans(ctx, n)
		if err != nil {
			return p.out, err
		}
		if len(spans) == 0 {
			continue
		}
		planned, err := plan.Chunk(ctx, n)
		if err == nil {
			err = p.chunk(ctx, n, planned.Parts, spans)
		}
		if err != nil {
			return p.out, err
		}
	}
	return p.out, p.gathered()
}

// rejecting gives the plan of the job whose rejects are to be loaded.
func (d *Dispatcher) rejecting(ctx context.Context, of contracts.JobID, c *pipeline.Compiled) (state.Plan, error) {
	job, err := d.store.Job(ctx, of)
	if err != nil {
		return state.Plan{}, err
	}
	if name := c.Spec().Name; job.Pipeline != name {
		return state.Plan{}, contracts.Errorf(contracts.KindConfig,
			"rejects of job %s: it is of pipeline %q: expected %q", of, job.Pipeline, name)
	}
	if _, err := d.store.Report(ctx, of); contracts.KindOf(err) == contracts.KindMissing {
		return state.Plan{}, notOver(of)
	} else if err != nil {
		return state.Plan{}, err
	}
	if d.rejects == nil {
		return state.Plan{}, contracts.Errorf(contracts.KindConfig, "rejects of job %s: they are not read again here", of)
	}
	return d.store.Plan(ctx, of)
}

// spans finds where the rejects of a chunk are, by object.
func (p *rejectPlanner) spans(ctx context.Context, n int) (map[string]span, error) {
	spans := map[string]span{}
	err := p.d.store.EachReject(ctx, p.d.rejects, p.of, n, func(r contracts.Reject) error {
		s, ok := spans[r.Object]
		if !ok {
			s = span{r.Offset, r.Offset}
		}
		spans[r.Object] = span{min(s.first, r.Offset), max(s.last, r.Offset)}
		return nil
	})
	return spans, err
}

// chunk plans the parts of one chunk that have rejects.
func (p *rejectPlanner) chunk(ctx context.Context, n int, parts []contracts.Part, spans map[string]span) error {
	for _, part := range parts {
		s, ok := spans[part.Object.Address()]
		if !ok {
			continue
		}
		p.meet(part.Object)
		if part.Compression != "none" && !part.Whole {
			if err := p.gather(n, part.Object, part.Compression); err != nil {
				return err
			}
			continue
		}
		if err := p.gathered(); err != nil {
			return err
		}
		part.Only = &contracts.Only{Job: p.of, First: n, Last: n}
		if !part.Whole {
			if err := p.narrow(ctx, &part, s); err != nil {
				return err
			}
		}
		if !p.bad {
			p.add(part)
		}
	}
	return p.flush()
}

// meet counts an object once, whatever number of chunks it has.
func (p *rejectPlanner) meet(o contracts.Object) {
	if p.out.Totals.Objects == 0 || contracts.CompareObjects(p.object, o) != 0 {
		p.out.Totals.Objects++
		p.object, p.binding, p.bad = o, nil, false
	}
}

// narrow cuts a range to its rejects. The state at its start is that at any record's, and the fields are found anew:
// the pipeline may have changed.
func (p *rejectPlanner) narrow(ctx context.Context, part *contracts.Part, s span) error {
	if p.binding == nil && !p.bad {
		head, err := chunk.ReadHead(ctx, p.Objects, part.Object, p.Pipeline.Format(), maxHead)
		if err == nil {
			p.binding, err = p.bind(part.Object, head)
		}
		if p.bad = err != nil; p.bad {
			return p.fail(err)
		}
	}
	part.Binding = p.binding
	part.Start, part.End, part.State, part.Records = s.first, s.last+1, chunk.StartPrefix().State, -1
	return nil
}

// gather lets a range of a compressed object be read with the ranges before it.
func (p *rejectPlanner) gather(n int, o contracts.Object, compression string) error {
	if p.part != nil && contracts.CompareObjects(p.part.Object, o) == 0 {
		p.part.Only.Last = n
		return nil
	}
	if err := p.gathered(); err != nil {
		return err
	}
	p.part = &contracts.Part{
		Object: o, End: o.Size, Whole: true, Compression: compression,
		Segments: chunk.Segments(o.Size, compression, p.SegmentSize),
		Only:     &contracts.Only{Job: p.of, First: n, Last: n},
	}
	return nil
}

// gathered emits the compressed object whose ranges were gathered.
func (p *rejectPlanner) gathered() error {
	if p.part == nil {
		return nil
	}
	p.add(*p.part)
	p.part = nil
	return p.flush()
}

// add puts a part into the chunk that is being planned.
func (p *rejectPlanner) add(part contracts.Part) {
	p.out.Totals.Bytes += part.End - part.Start
	part.Segment = p.out.Totals.Segments
	p.out.Totals.Segments += part.Segments
	p.pack = append(p.pack, part)
}
