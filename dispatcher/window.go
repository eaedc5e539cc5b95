package dispatcher

import (
	"context"

	"github.com/penstock-io/penstock/chunk"
	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/state"
)

// window keeps a bounded number of a job's chunks in the queue. Loads go out in the order of the plan; scans run ahead
// of them by at most half the window, so that start states are known in time and loads are never starved.
type window struct {
	r      *runner
	loads  *state.PlanReader
	scans  *state.PlanReader      // of its own, since scans stand on a later page
	out    map[int]chunk.Placing  // loads that are queued and have no outcome, with what the scans said for them
	asked  map[int]contracts.Work // scans that are queued and have no result
	known  map[int]contracts.ScanResult
	ready  []contracts.ChunkWork // to be published; at most a page of the plan
	parts  int                   // in ready
	load   int                   // the next chunk to load
	scan   int                   // the next chunk to scan
	prefix chunk.Prefix          // the automaton at the start of the next chunk to load, where that one follows another
	broken *contracts.ErrorInfo  // why prefix is not known: a scan before it failed
}

func newWindow(r *runner, chunks *state.PlanReader) *window {
	return &window{
		r: r, loads: chunks, scans: chunks.Another(),
		out: map[int]chunk.Placing{}, asked: map[int]contracts.Work{}, known: map[int]contracts.ScanResult{},
		prefix: chunk.StartPrefix(),
	}
}

// fill publishes what there is room for.
func (w *window) fill(ctx context.Context) error {
	if err := w.fillScans(ctx); err != nil {
		return err
	}
	for w.load < w.r.progress.Total && w.room() {
		ready, err := w.loadNext(ctx)
		if err != nil {
			return err
		}
		if !ready {
			break
		}
	}
	return w.flush(ctx)
}

func (w *window) room() bool { return len(w.out)+len(w.asked) < w.r.d.cfg.Window }

func (w *window) fillScans(ctx context.Context) error {
	w.scan = max(w.scan, w.load)
	half := max(1, w.r.d.cfg.Window/2)
	for w.scan < w.r.progress.Total && w.scan < w.load+half && len(w.asked) < half && w.room() {
		c, err := w.scans.Chunk(ctx, w.scan)
		if err != nil {
			return err
		}
		if c.Scan {
			if err := w.ask(ctx, w.scan, contracts.Scan, c.Parts); err != nil {
				return err
			}
		}
		w.scan++
	}
	return nil
}

// ask asks for a chunk's transition function, unless the store has it from before.
func (w *window) ask(ctx context.Context, n int, work contracts.Work, parts []contracts.Part) error {
	look := w.r.d.store.Scan
	if work == contracts.Rescan {
		look = w.r.d.store.Rescan
	}
	result, err := look(ctx, w.r.id, n)
	switch contracts.KindOf(err) {
	case "":
		w.known[n] = result
		return nil
	case contracts.KindMissing:
		w.asked[n] = work
		return w.publish(ctx, work, n, parts)
	default:
		return err
	}
}

// askAgain asks for the scan of the next chunk to load, whose first guess was wrong, from where its blocks begin.
func (w *window) askAgain(ctx context.Context, n int, c state.Planned) error {
	return w.ask(ctx, n, contracts.Rescan, []contracts.Part{w.prefix.Again(c.Parts[0])})
}

// loadNext publishes the next chunk's load, or passes over it if it has an outcome; false while its scan is not known:
// the chunk itself could go, but keeping all in order keeps one prefix.
func (w *window) loadNext(ctx context.Context) (bool, error) {
	c, err := w.loads.Chunk(ctx, w.load)
	if err != nil {
		return false, err
	}
	if !c.Follows {
		w.prefix, w.broken = chunk.PrefixAt(c.Parts[0]), nil
	}
	scan, ready, err := w.scanOf(ctx, c)
	if err != nil || !ready {
		return false, err
	}
	if !w.r.progress.Has(w.load) {
		if err := w.start(ctx, c, scan); err != nil {
			return false, err
		}
	}
	if c.Scan {
		w.pass(c, scan)
	}
	w.load++
	return true, nil
}

// scanOf gives the scan of the next chunk to load, true where it has none to wait for. One that guessed wrong where the
// chunk's blocks begin is asked for again.
func (w *window) scanOf(ctx context.Context, c state.Planned) (contracts.ScanResult, bool, error) {
	scan, known := w.known[w.load]
	if !c.Scan || !known || w.broken != nil || scan.Error != nil || w.prefix.Accepts(c.Parts[0], scan) {
		return scan, known || !c.Scan, nil
	}
	delete(w.known, w.load)
	err := w.askAgain(ctx, w.load, c)
	scan, known = w.known[w.load]
	return scan, known, err
}

// start publishes the next chunk's load; behind a failed scan nobody knows where its records start, so it is dead.
func (w *window) start(ctx context.Context, c state.Planned, scan contracts.ScanResult) error {
	if w.broken != nil {
		return w.r.bury(ctx, w.load, w.broken)
	}
	at := w.prefix.With(scan)
	if !at.Loads(c.Parts[0]) {
		return w.r.bury(ctx, w.load, scan.Error)
	}
	if err := w.publish(ctx, contracts.Load, w.load, w.placed(c, at)); err != nil {
		return err
	}
	w.out[w.load] = at
	return nil
}

// pass moves the prefix over the next chunk.
func (w *window) pass(c state.Planned, scan contracts.ScanResult) {
	delete(w.known, w.load)
	if w.broken != nil {
		return
	}
	if w.broken = scan.Error; w.broken != nil {
		return
	}
	if w.prefix = w.prefix.Pass(c.Parts[0], scan); !w.prefix.Known() {
		w.broken = contracts.Info(contracts.Errorf(contracts.KindInternal,
			"the scan of chunk %d does not know the state in which the chunk begins", w.load))
	}
}

// placed are a chunk's parts as its load needs them: with what the scans said, where there were any.
func (w *window) placed(c state.Planned, at chunk.Placing) []contracts.Part {
	if !c.Scan && !c.Follows {
		return c.Parts
	}
	return []contracts.Part{at.Place(c.Parts[0], w.r.pipeline.Format(), w.r.plan.SegmentSize)}
}

// publish has a chunk published, with others at once: flush sees to the last of them. Where it fails, the job starts
// over from what is stored.
func (w *window) publish(ctx context.Context, work contracts.Work, n int, parts []contracts.Part) error {
	w.ready = append(w.ready, w.r.plan.Work(w.r.job, work, n, parts))
	if w.parts += len(parts); len(w.ready) < state.PageChunks && w.parts < state.PageParts {
		return nil
	}
	return w.flush(ctx)
}

func (w *window) flush(ctx context.Context) error {
	if len(w.ready) == 0 {
		return nil
	}
	err := w.r.d.queue.PublishChunks(ctx, w.ready)
	clear(w.ready) // they hold on to their parts
	w.ready, w.parts = w.ready[:0], 0
	return err
}

// scanned takes a chunk's transition function.
func (w *window) scanned(n int, result contracts.ScanResult) {
	if _, asked := w.asked[n]; asked {
		delete(w.asked, n)
		w.known[n] = result
	}
}

// settled takes note that a chunk has an outcome.
func (w *window) settled(n int) { delete(w.out, n) }
