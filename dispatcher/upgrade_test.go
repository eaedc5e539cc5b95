package dispatcher

import (
	"encoding/json"
	"testing"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/state"
)

// TestPlansOfOtherVersions: a plan of an older dispatcher, made by hand without the reader's version, goes on as it is,
// and one of a newer dispatcher is left to it, for as long as it takes.
func TestPlansOfOtherVersions(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(plan map[string]any)
		ends   bool
		reader int // of its messages
	}{
		"this one's":           {func(map[string]any) {}, true, contracts.Reader},
		"without a reader":     {func(p map[string]any) { delete(p, "reader") }, true, 0},
		"of the first reader":  {func(p map[string]any) { p["reader"] = 1 }, true, 1},
		"of an unknown reader": {func(p map[string]any) { p["reader"] = contracts.Reader + 1 }, false, 0},
		"of a newer version":   {func(p map[string]any) { p["v"] = contracts.Version + 1 }, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, csvSpec)
			l.put("a", numbered(40))
			l.rewritePlan("j1", c.change)
			l.run()
			l.work()
			if c.ends {
				expectReport(t, l.report("j1"), contracts.StateDone, 40, totals(1, 1, 0, 0))
				if n := l.queue.count(func(w contracts.ChunkWork) bool { return w.Reader != c.reader }); n > 0 {
					t.Errorf("%d messages are not of the plan's reader %d", n, c.reader)
				}
				return
			}
			l.accept(l.dispatcher(), "fence", l.put("b", numbered(1)))
			l.report("fence")
			l.queue.mu.Lock()
			defer l.queue.mu.Unlock()
			for _, w := range l.queue.published {
				if w.Job == "j1" {
					t.Errorf("chunk %d was published", w.Chunk)
				}
			}
			if ends := l.queue.ends("j1"); len(ends) > 0 {
				t.Errorf("the job ended: %+v", ends[0])
			}
		})
	}
}

// rewritePlan has a dispatcher accept and plan a job, and changes the sealed plan as another version would have it.
func (l *lab) rewritePlan(id contracts.JobID, change func(plan map[string]any)) {
	l.t.Helper()
	ctx := l.t.Context()
	d, stop := l.run()
	l.accept(d, id)
	l.await(func() bool { return l.queue.told(contracts.EventPlanned) > 0 })
	must(l.t, l.store.SetControl(ctx, id, state.Pause))
	l.await(func() bool { return l.queue.told(contracts.EventPaused) > 0 && len(l.queue.waiting) == 0 })
	stop()
	must(l.t, l.store.SetControl(ctx, id, state.Run))
	key := "jobs/" + string(id) + "/plan.json"
	data, etag, err := l.docs.Get(ctx, key)
	must(l.t, err)
	var plan map[string]any
	must(l.t, json.Unmarshal(data, &plan))
	change(plan)
	data, err = json.Marshal(plan)
	must(l.t, err)
	_, err = l.docs.Replace(ctx, key, data, etag)
	must(l.t, err)
	l.queue.change(func() { l.queue.published = nil })
}
