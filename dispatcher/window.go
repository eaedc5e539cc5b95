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
	scans  *state.PlanReader    // of its own, since scans stand on a later page
	out    map[int]chunk.Prefix // loads that are queued and have no outcome, with the automaton at their start
	asked  map[int]bool         // scans that are queued and have no result
	known  map[int]contracts.ScanResult
	load   int                  // the next chunk to load
	scan   int                  // the next chunk to scan
	prefix chunk.Prefix         // the automaton at the start of the next chunk to load, where that one follows another
	broken *contracts.ErrorInfo // why prefix is not known: a scan before it failed
}

func newWindow(r *runner) *window {
	return &window{
		r: r, loads: r.d.store.PlanReader(r.plan), scans: r.d.store.PlanReader(r.plan),
		out: map[int]chunk.Prefix{}, asked: map[int]bool{}, known: map[int]contracts.ScanResult{},
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
		if err != nil || !ready {
			return err
		}
	}
	return nil
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
			if err := w.askScan(ctx, w.scan, c); err != nil {
				return err
			}
		}
		w.scan++
	}
	return nil
}

// askScan asks for a chunk's transition function, unless the store has it from before.
func (w *window) askScan(ctx context.Context, n int, c state.Planned) error {
	result, err := w.r.d.store.Scan(ctx, w.r.id, n)
	switch contracts.KindOf(err) {
	case "":
		w.known[n] = result
		return nil
	case contracts.KindMissing:
		w.asked[n] = true
		return w.publish(ctx, contracts.Scan, n, c.Parts)
	default:
		return err
	}
}

// loadNext publishes the next chunk's load, or passes over it if it has an outcome; false while its scan is not known:
// the chunk itself could go, but keeping all in order keeps one prefix.
func (w *window) loadNext(ctx context.Context) (bool, error) {
	c, err := w.loads.Chunk(ctx, w.load)
	if err != nil {
		return false, err
	}
	scan, scanned := w.known[w.load]
	if c.Scan && !scanned {
		return false, nil
	}
	if !c.Follows {
		w.prefix, w.broken = chunk.StartPrefix(), nil
	}
	if !w.r.progress.Has(w.load) {
		if err := w.start(ctx, c); err != nil {
			return false, err
		}
	}
	if c.Scan {
		w.pass(scan)
	}
	w.load++
	return true, nil
}

// start publishes the next chunk's load; behind a failed scan nobody knows where its records start, so it is dead.
func (w *window) start(ctx context.Context, c state.Planned) error {
	if w.broken != nil {
		return w.r.bury(ctx, w.load, w.broken)
	}
	if err := w.publish(ctx, contracts.Load, w.load, withPrefix(c, w.prefix)); err != nil {
		return err
	}
	w.out[w.load] = w.prefix
	return nil
}

// pass moves the prefix over the next chunk.
func (w *window) pass(scan contracts.ScanResult) {
	delete(w.known, w.load)
	if w.broken != nil {
		return
	}
	if w.broken = scan.Error; w.broken != nil {
		return
	}
	if w.prefix = w.prefix.Then(scan.Outcomes); !w.prefix.Known() {
		w.broken = contracts.Info(contracts.Errorf(contracts.KindInternal,
			"the scan of chunk %d does not know the state in which the chunk begins", w.load))
	}
}

// withPrefix writes the start state into a chunk that follows another.
func withPrefix(c state.Planned, p chunk.Prefix) []contracts.Part {
	if c.Scan || c.Follows {
		c.Parts[0].State, c.Parts[0].Records = p.State, p.Records
	}
	return c.Parts
}

func (w *window) publish(ctx context.Context, work contracts.Work, n int, parts []contracts.Part) error {
	return w.r.d.queue.PublishChunk(ctx, w.r.plan.Work(w.r.job, work, n, parts))
}

// scanned takes a chunk's transition function.
func (w *window) scanned(n int, result contracts.ScanResult) {
	if w.asked[n] {
		delete(w.asked, n)
		w.known[n] = result
	}
}

// settled takes note that a chunk has an outcome.
func (w *window) settled(n int) { delete(w.out, n) }
