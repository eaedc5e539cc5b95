package dispatcher

import (
	"cmp"
	"context"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/penstock-io/penstock/chunk"
	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/pipeline"
	"github.com/penstock-io/penstock/state"
)

// Small objects may share a chunk up to the size of a segment, as long as its message stays far below the megabyte that
// a NATS server takes by default.
const (
	maxPacked      = 2048
	maxPackedNames = 512 << 10 // bytes, by partBytes
)

// maxHead bounds what is read of a split object at planning: BOM, skipped lines and header.
const maxHead = 1 << 20

// Planning is what a plan is made of, without where it goes: `penstock plan` shows one and stores nothing.
type Planning struct {
	Objects     Objects
	Pipeline    *pipeline.Compiled
	Sources     []string
	SegmentSize int64                                // bytes; 0: by what there is to load
	Workers     int                                  // chunks that all workers have in flight, for that
	Loaded      func(contracts.Object) (bool, error) // the ledger's answer; nil loads everything
	Emit        func(state.Planned) error
}

// PlanResult is what a planning came to.
type PlanResult struct {
	SegmentSize int64 // bytes
	Totals      contracts.PlanTotals
	Failures    []contracts.ErrorInfo // the first state.MaxFailures of them
}

// planner makes chunks of objects as they come; it holds the objects of one chunk at a time, and the first maxHeld
// until the size of segments is chosen.
type planner struct {
	Planning
	out    PlanResult
	pack   []contracts.Part
	packed int64 // bytes in pack
	names  int   // bytes that pack takes in a message, at most
	held   []contracts.Object
	bytes  int64 // in held
}

// Plan lists the sources and cuts them into chunks. An object that cannot be planned is a failure of its own; an error
// means that the planning as a whole could not go on, and is worth another try if it is transient.
func (p Planning) Plan(ctx context.Context) (PlanResult, error) {
	pl := &planner{Planning: p}
	sources := make([]source, 0, len(p.Sources))
	for _, text := range p.Sources {
		s, err := parseSource(text)
		if err != nil {
			return pl.out, err
		}
		sources = append(sources, s)
	}
	for f := range merge(ctx, p.Objects, sources) {
		if err := pl.take(ctx, f); err != nil {
			return pl.out, err
		}
	}
	if err := pl.choose(ctx); err != nil {
		return pl.out, err
	}
	pl.out.SegmentSize = pl.SegmentSize
	return pl.out, pl.flush()
}

// take plans one object, or enters why a source names none.
func (p *planner) take(ctx context.Context, f found) error {
	p.out.Totals.Objects++
	if f.err != nil {
		return p.fail(f.err)
	}
	if p.Loaded != nil {
		if loaded, err := p.Loaded(f.object); err != nil || loaded {
			p.out.Totals.Skipped += int64(boolInt(loaded))
			return err
		}
	}
	if p.SegmentSize > 0 {
		return p.place(ctx, f.object)
	}
	if !p.hold(f.object) {
		return nil
	}
	return p.choose(ctx)
}

// choose settles the size of segments, if nobody has, and plans what was held until then.
func (p *planner) choose(ctx context.Context) error {
	if p.SegmentSize > 0 {
		return nil
	}
	p.SegmentSize = segmentFor(p.bytes, p.Workers)
	for _, o := range p.held {
		if err := p.place(ctx, o); err != nil {
			return err
		}
	}
	p.held = nil
	return nil
}

// fail enters what is wrong with an object. What may pass, or is nobody's fault, ends the planning instead.
func (p *planner) fail(err error) error {
	if kind := contracts.KindOf(err); kind.Transient() || kind == contracts.KindInternal {
		return err
	}
	p.out.Totals.Failed++
	if len(p.out.Failures) < state.MaxFailures {
		p.out.Failures = append(p.out.Failures, *contracts.Info(err))
	}
	return nil
}

// place decides how an object is read: packed with its neighbours, whole, or split.
func (p *planner) place(ctx context.Context, o contracts.Object) error {
	p.out.Totals.Bytes += o.Size
	compression := chunk.Compression(p.Pipeline.Format(), o.Key)
	if o.Size > p.SegmentSize {
		first, err := p.head(ctx, o, compression)
		if err != nil {
			return p.fail(err)
		}
		if first != nil {
			return p.split(*first)
		}
	}
	return p.packWhole(contracts.Part{
		Object: o, Start: 0, End: o.Size, Whole: true, Compression: compression, Records: 0,
		Segments: chunk.Segments(o.Size, compression, p.SegmentSize),
	})
}

func (p *planner) packWhole(part contracts.Part) error {
	if !p.fits(part.Object) {
		if err := p.flush(); err != nil {
			return err
		}
	}
	part.Segment = p.out.Totals.Segments
	p.out.Totals.Segments += part.Segments
	p.pack = append(p.pack, part)
	p.packed += part.Object.Size
	p.names += partBytes(part.Object)
	return nil
}

// fits says whether an object may share the chunk with what is packed.
func (p *planner) fits(o contracts.Object) bool {
	return len(p.pack) == 0 || len(p.pack) < maxPacked && p.packed+o.Size <= p.SegmentSize &&
		p.names+partBytes(o) <= maxPackedNames
}

// partBytes is the most that an object's part takes in a message: its names, and its numbers under their keys.
func partBytes(o contracts.Object) int {
	return 220 + len(o.Bucket) + len(o.Key) + len(o.VersionID) + len(o.ETag)
}

func (p *planner) flush() error {
	if len(p.pack) == 0 {
		return nil
	}
	c := state.Planned{Parts: p.pack}
	p.pack, p.packed, p.names = nil, 0, 0
	return p.emit(c)
}

func (p *planner) emit(c state.Planned) error {
	p.out.Totals.Chunks++
	return p.Emit(c)
}

// split cuts an object into ranges of a segment each, the first of which begins where first does. Where records may
// hold line breaks, each range but the last is scanned, so that the next one's start state is known; in a compressed
// object each range is, so that its blocks are.
func (p *planner) split(first contracts.Part) error {
	if err := p.flush(); err != nil {
		return err
	}
	format, size := p.Pipeline.Format(), first.Object.Size
	scan := first.Blocks != nil || chunk.NeedsScan(format)
	part := first
	for start, end := range chunk.Ranges(size, first.Start, p.SegmentSize) {
		follows := start > first.Start
		part.Start, part.End, part.Records = start, end, -int64(boolInt(follows))
		if follows {
			part.Blocks = nil // until they are found
		}
		part.Segment, part.Segments = p.out.Totals.Segments, 1
		if first.Blocks != nil {
			part.Segments = chunk.BlockSegments(start, end, part.Compression, p.SegmentSize)
		}
		p.out.Totals.Segments += part.Segments
		last := end == size && first.Blocks == nil
		c := state.Planned{Parts: []contracts.Part{part}, Scan: scan && !last, Follows: scan && follows}
		if err := p.emit(c); err != nil {
			return err
		}
	}
	return nil
}

// head reads the head of a big object and says where its first range begins; nil where one worker must read it whole:
// a compressed stream that does not come in blocks, or in blocks of one range, or a head and nothing behind it.
func (p *planner) head(ctx context.Context, o contracts.Object, compression string) (*contracts.Part, error) {
	part := contracts.Part{Object: o, Compression: compression}
	var head chunk.Head
	var err error
	if chunk.Splittable(p.Pipeline.Format(), compression) {
		head, err = chunk.ReadHead(ctx, p.Objects, o, p.Pipeline.Format(), maxHead)
		part.Start = head.DataOffset
	} else {
		head, part.Blocks, err = chunk.ReadBlocks(ctx, p.Objects, o, p.Pipeline.Format(), maxHead)
		part.Start = o.Size
		if part.Blocks != nil && part.Blocks.First+p.SegmentSize < o.Size {
			part.Start = part.Blocks.First
		}
	}
	if err != nil {
		return nil, fmt.Errorf("read the head of %s: %w", o.Address(), err)
	}
	if part.Start >= o.Size {
		return nil, nil
	}
	part.Binding, err = p.bind(o, head)
	return &part, err
}

// bind finds the pipeline's fields in the head of an object that is split.
func (p *planner) bind(o contracts.Object, head chunk.Head) (*contracts.Binding, error) {
	c := p.Pipeline
	format := c.Format()
	binding, err := head.Bind(o.Address(), format, c.Inputs(), c.Strict())
	if err == nil && c.Strict() {
		err = head.Require(o.Address(), format, c.Inputs()[:c.Required()])
	}
	return &binding, err
}

// plan makes the job's plan and seals it, unless another dispatcher was first; fresh says that it was not. What does
// not depend on each other is asked for at once: the time of a small job is made of such waits.
func (d *Dispatcher) plan(
	ctx context.Context, job contracts.AcceptedJob, c *pipeline.Compiled,
) (plan state.Plan, chunks *state.PlanReader, fresh bool, err error) {
	w := d.store.NewPlan(job.ID)
	plan = state.Plan{MaxRecord: d.cfg.MaxRecord, Reader: contracts.Reader}
	out, base, err := d.gather(ctx, w, job, c)
	if err != nil && (contracts.KindOf(err).Transient() || base == 0) {
		return plan, nil, false, err
	}
	if err != nil {
		out, plan.Error = PlanResult{}, contracts.Info(fmt.Errorf("plan: %w", err))
	}
	plan.SegmentSize, plan.Totals, plan.Failures = out.SegmentSize, out.Totals, out.Failures
	if plan.Base = base; out.Totals.Segments > reservedAhead {
		if plan.Base, err = d.reserveAndFlush(ctx, w, c, out.Totals.Segments); err != nil {
			return plan, nil, false, err
		}
	}
	plan, err = w.Seal(ctx, plan)
	return plan, w.Reader(plan), w.Won(plan), err
}

func (d *Dispatcher) reserveAndFlush(
	ctx context.Context, w *state.PlanWriter, c *pipeline.Compiled, segments int64,
) (base int64, err error) {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return w.Flush(ctx) })
	g.Go(func() (err error) {
		base, err = d.reserve(ctx, c, segments)
		return err
	})
	return base, g.Wait()
}

func (d *Dispatcher) reserve(ctx context.Context, c *pipeline.Compiled, segments int64) (base int64, err error) {
	return d.store.Reserve(ctx, c.Table().Keyspace+"."+c.Table().Name, segments, d.cfg.Now())
}

// reservedAhead is the number of timestamps that are reserved before it is known how many the plan takes: enough for a
// small job. The clock gains at most as many microseconds a job on the wall's.
const reservedAhead = 64

// gather writes the chunks while the table is prepared and its first timestamps are reserved. The error of a job that
// cannot be planned comes with the base; the table's fault goes before the sources'.
func (d *Dispatcher) gather(
	ctx context.Context, w *state.PlanWriter, job contracts.AcceptedJob, c *pipeline.Compiled,
) (out PlanResult, base int64, err error) {
	var beside sync.WaitGroup
	var unprepared, unreserved error
	planning, stop := context.WithCancel(ctx)
	defer stop()
	beside.Go(func() {
		if unprepared = d.pipelines.Prepare(ctx, c); unprepared != nil {
			stop()
		}
	})
	beside.Go(func() { base, unreserved = d.reserve(ctx, c, reservedAhead) })
	out, err = d.planInto(planning, w, job, c)
	beside.Wait()
	return out, base, cmp.Or(unreserved, unprepared, err)
}

func (d *Dispatcher) planInto(
	ctx context.Context, w *state.PlanWriter, job contracts.AcceptedJob, c *pipeline.Compiled,
) (out PlanResult, err error) {
	emit := func(c state.Planned) error { return w.Add(ctx, c) }
	if job.Rejects != "" {
		return d.planRejects(ctx, job.Rejects, c, emit)
	}
	p := Planning{
		Objects: d.objects, Pipeline: c, Sources: job.Source, Emit: emit,
		SegmentSize: cmp.Or(job.ChunkSize, d.cfg.ChunkSize), Workers: d.cfg.Workers,
	}
	if !job.Force {
		ledger := d.store.Ledger(ctx, job.Pipeline)
		defer ledger.Close()
		p.Loaded = ledger.Has
	}
	return p.Plan(ctx)
}
