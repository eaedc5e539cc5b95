package dispatcher

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/pipeline"
	"github.com/penstock-io/penstock/state"
	"github.com/penstock-io/penstock/status"
)

// runner sees one job to its end. All of its fields belong to the goroutine of run, but for events, ended and the
// atomic ones.
type runner struct {
	d        *Dispatcher
	id       contracts.JobID
	events   chan *contracts.Event
	heeds    atomic.Bool // events are taken; before that they are of no use to a job that reads the store anyway
	recalled atomic.Bool // something was asked of the job since its control was read
	heard    atomic.Bool // the job was announced while this runner had it
	unstored bool        // the job is marked and not stored: it is being accepted just now, or nobody came to that
	ended    chan struct{}
	lag      lag
	resting  atomic.Bool            // the job was found paused
	handed   *contracts.AcceptedJob // the job, of which nothing else is stored yet; nil where the store is to be asked
	job      contracts.AcceptedJob
	pipeline *pipeline.Compiled
	plan     state.Plan
	progress *status.Progress
	window   *window
}

func (d *Dispatcher) newRunner(id contracts.JobID) *runner {
	return &runner{d: d, id: id, events: make(chan *contracts.Event, 256), ended: make(chan struct{})}
}

// run sees the job to its end or returns when ctx ends. While a server is away it tries again.
func (r *runner) run(ctx context.Context) {
	log := r.d.cfg.Log.With("job", r.id)
	for delay := time.Second; ; delay = min(2*delay, 30*time.Second) {
		err := r.attempt(ctx)
		if err == nil || ctx.Err() != nil || r.unstored {
			return
		}
		log.Warn("job held up: trying again", "in", delay, "err", err)
		if !r.wait(ctx, delay) {
			return
		}
	}
}

// wait lets time pass while it drops news: the next attempt starts from the store.
func (r *runner) wait(ctx context.Context, delay time.Duration) bool {
	t := time.NewTimer(delay)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-t.C:
			return true
		case <-r.events:
		}
	}
}

func (r *runner) attempt(ctx context.Context) error {
	seen, err := r.look(ctx)
	if err != nil {
		return err
	}
	if seen.report != nil {
		return r.announce(ctx, *seen.report)
	}
	asked := seen.control != state.Run
	if asked { // look at it again: it may be of a time before the job was opened again
		if rests, err := r.rests(ctx); rests || err != nil {
			return err
		}
	}
	if err = r.prepare(ctx, seen.plan); err == nil {
		err = r.drive(ctx, asked)
	}
	if err == nil || ctx.Err() != nil {
		return err
	}
	return r.giveUp(ctx, err)
}

// sight is what the store says of a job: nil where it says nothing.
type sight struct {
	report  *contracts.Report
	plan    *state.Plan
	control state.Control
}

// look asks the store all at once. In which order it answers does not matter: a job that has ended is announced, and
// any other goes on from its plan, if it has one.
func (r *runner) look(ctx context.Context) (s sight, err error) {
	if r.handed != nil { // if another leader was faster, it has sealed the plan
		r.job, r.handed = *r.handed, nil
		return s, nil
	}
	g, ctx := errgroup.WithContext(ctx)
	r.unstored = false
	g.Go(func() (err error) {
		r.job, err = r.d.store.Job(ctx, r.id)
		r.unstored = contracts.KindOf(err) == contracts.KindMissing
		return err
	})
	g.Go(func() (err error) { s.report, err = stored(r.d.store.Report(ctx, r.id)); return err })
	g.Go(func() (err error) { s.plan, err = stored(r.d.store.Plan(ctx, r.id)); return err })
	g.Go(func() (err error) { s.control, err = r.control(ctx); return err })
	return s, g.Wait()
}

// stored is a document that need not be there.
func stored[T any](v T, err error) (*T, error) {
	switch contracts.KindOf(err) {
	case "":
		return &v, nil
	case contracts.KindMissing:
		return nil, nil
	default:
		return nil, err
	}
}

// giveUp ends a job that cannot go on: one that a user does not want to wait for, and one that will never be able to.
// Credentials may be renewed, so a denial is waited out.
func (r *runner) giveUp(ctx context.Context, err error) error {
	verdict, kind := contracts.StateFailed, contracts.KindOf(err)
	if control, cerr := r.d.store.Control(ctx, r.id); cerr == nil && control == state.Cancel {
		verdict = contracts.StateCancelled
	} else if kind.Transient() || kind == contracts.KindDenied || kind == contracts.KindChanged ||
		errors.Is(err, contracts.ErrNewer) { // a dispatcher that can read it comes with the rest of the upgrade
		return err
	}
	if rerr := r.recollect(ctx); contracts.KindOf(rerr).Transient() {
		return rerr
	}
	return r.end(ctx, verdict, err)
}

// recollect learns what is stored of a job that could not be prepared this time, but was before: its report counts what
// is in the table.
func (r *runner) recollect(ctx context.Context) error {
	if r.progress != nil {
		return nil
	}
	plan, err := r.d.store.Plan(ctx, r.id)
	if err != nil {
		return err // not planned, as a rule: nothing was loaded
	}
	r.plan = plan
	r.progress, err = status.CatchUp(ctx, r.d.store, r.id, plan.Totals.Chunks)
	return err
}

// prepare gets everything that drive needs: pipeline, sealed plan, what is done already. Of a plan that was sealed just
// now nothing is; or another leader is at it, and then it is done twice.
func (r *runner) prepare(ctx context.Context, plan *state.Plan) (err error) {
	r.plan, r.progress = state.Plan{}, nil // of an attempt before
	if r.pipeline, err = r.d.pipelines.Compiled(ctx, r.job.Pipeline, r.job.Revision); err != nil {
		return err
	}
	var chunks *state.PlanReader
	fresh := false
	if plan != nil {
		r.plan, chunks = *plan, r.d.store.PlanReader(*plan)
	} else if r.plan, chunks, fresh, err = r.d.plan(ctx, r.job, r.pipeline); err != nil {
		return err
	}
	if err = contracts.CheckReader("plan of "+string(r.id), r.plan.Reader); err != nil {
		return err
	}
	r.heeds.Store(true)
	t := r.plan.Totals
	if fresh {
		r.progress = status.NewProgress(t.Chunks)
	} else if r.progress, err = status.CatchUp(ctx, r.d.store, r.id, t.Chunks); err != nil {
		return err
	}
	r.window = newWindow(r, chunks)
	r.measure()
	r.d.event(ctx, contracts.Event{Job: r.id, Pipeline: r.job.Pipeline, Kind: contracts.EventPlanned, Plan: &t})
	return nil
}

// drive keeps the window full until every chunk has an outcome, the job is stopped, or ctx ends. asked says that
// something is asked of the job.
func (r *runner) drive(ctx context.Context, asked bool) (err error) {
	tick := time.NewTicker(r.d.cfg.Reconcile)
	defer tick.Stop()
	stopped := r.overLimit()
	if asked || r.recalled.Load() {
		stopped, err = r.stopped(ctx)
	}
	for heard := true; err == nil; {
		if stopped != nil {
			return r.stop(ctx, *stopped)
		}
		if err = r.window.fill(ctx); err != nil {
			return err
		}
		if r.progress.Complete() { // by the window perhaps, which buries what nobody can load
			return r.complete(ctx)
		}
		select {
		case <-ctx.Done():
			return nil
		case e := <-r.events:
			heard = true
			stopped, err = r.hearAll(ctx, *e)
		case <-tick.C:
			if !heard {
				err = r.window.reconcile(ctx)
			}
			heard = false
			if err == nil {
				stopped, err = r.stopped(ctx)
			}
			r.snapshot(ctx)
		}
	}
	return err
}

// complete ends a job whose chunks are through.
func (r *runner) complete(ctx context.Context) error {
	if s := r.overLimit(); s != nil {
		return r.end(ctx, s.state, s.err)
	}
	return r.end(ctx, "", nil)
}

// stop is why a job ends, or rests, before its chunks are through.
type stop struct {
	state contracts.State
	err   error
}

func (r *runner) stop(ctx context.Context, s stop) error {
	if s.state != contracts.StatePaused {
		return r.end(ctx, s.state, s.err)
	}
	r.snapshot(ctx)
	if rests, err := r.rests(ctx); rests || err != nil {
		return err
	}
	return r.attempt(ctx) // the user has changed his mind
}

// hearAll takes a piece of news and what has come behind it, so that the room it makes is filled at once.
func (r *runner) hearAll(ctx context.Context, e contracts.Event) (s *stop, err error) {
	for range cap(r.events) {
		if s, err = r.hear(ctx, e); s != nil || err != nil {
			return s, err
		}
		select {
		case next := <-r.events:
			e = *next
		default:
			return nil, nil
		}
	}
	return r.hear(ctx, e)
}

// hear takes news of the job.
func (r *runner) hear(ctx context.Context, e contracts.Event) (*stop, error) {
	switch e.Kind {
	case contracts.EventChunkDone, contracts.EventChunkDead:
		if o, ok := status.OutcomeOfEvent(e); ok {
			r.fold(o)
		}
		return r.overLimit(), nil
	case contracts.EventChunkScanned:
		if e.Chunk != nil {
			r.window.scanned(*e.Chunk, contracts.ScanResult{Outcomes: e.Scan, Blocks: e.Blocks, Error: e.Error})
		}
	case contracts.EventControl:
		return r.stopped(ctx)
	}
	return nil, nil
}

func (r *runner) fold(o status.Outcome) {
	if r.progress.Apply(o) {
		r.d.settled.add(o)
		r.measure()
	}
	r.window.settled(o.Chunk)
}

// bury gives a chunk up that no worker can be asked to load.
func (r *runner) bury(ctx context.Context, chunk int, why *contracts.ErrorInfo) error {
	c, err := r.d.store.PutDead(ctx, contracts.Completion{Job: r.id, Chunk: chunk, Error: why, Worker: r.d.cfg.Owner})
	if err != nil {
		return err
	}
	r.fold(status.OutcomeOf(c, false))
	r.d.event(ctx, contracts.Event{
		Job: r.id, Pipeline: r.job.Pipeline, Kind: contracts.EventChunkDead, Chunk: &chunk,
		Counts: &c.Counts, Bytes: c.Bytes, Error: c.Error,
	})
	return nil
}

// stopped looks for a reason to end the job early, or to let it rest.
func (r *runner) stopped(ctx context.Context) (*stop, error) {
	control, err := r.control(ctx)
	if err != nil {
		return nil, err
	}
	switch control {
	case state.Cancel:
		return &stop{contracts.StateCancelled, nil}, nil
	case state.Pause, state.Paused:
		return &stop{contracts.StatePaused, nil}, nil
	}
	return r.overLimit(), nil
}

// overLimit says whether the job has more rejects than its pipeline lets pass.
func (r *runner) overLimit() *stop {
	count, percent, ok := r.pipeline.Limit()
	counts := r.progress.Counts
	switch {
	case !ok:
		return nil
	case percent >= 0:
		if !r.progress.Complete() || float64(counts.Rejected)*100 <= percent*float64(counts.Read) {
			return nil
		}
		return &stop{contracts.StateFailed, contracts.Errorf(contracts.KindLimit,
			"%d of %d records rejected: more than rejects.max %v%%", counts.Rejected, counts.Read, percent)}
	case counts.Rejected > count:
		return &stop{contracts.StateFailed, contracts.Errorf(contracts.KindLimit,
			"%d records rejected: more than rejects.max %d", counts.Rejected, count)}
	}
	return nil
}

// snapshot spares the next leader work; without it only time is lost.
func (r *runner) snapshot(ctx context.Context) {
	data, err := r.progress.Snapshot()
	if err == nil {
		err = r.d.store.SaveProgress(ctx, r.id, data)
	}
	if err != nil && ctx.Err() == nil {
		r.d.cfg.Log.Warn("snapshot not saved", "job", r.id, "err", err)
	}
}
