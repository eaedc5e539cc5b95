package workers

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
)

// tally is a meter that notes what it is told.
type tally struct {
	mu    sync.Mutex
	lines []string
}

func (m *tally) Concluded(pipeline string, c contracts.Completion) {
	m.note(fmt.Sprintf("%s concluded, dead %t: %+v", pipeline, c.Error != nil, c.Counts))
}

func (m *tally) GivenBack(pipeline string, failed bool) {
	m.note(fmt.Sprintf("%s given back, failed %t", pipeline, failed))
}

func (m *tally) note(line string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lines = append(m.lines, line)
}

func (m *tally) expect(t *testing.T, want ...string) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if !slices.Equal(m.lines, want) {
		t.Errorf("counted %q, expected %q", m.lines, want)
	}
}

const (
	doneLine = "p concluded, dead false: {Read:2 Written:1 Merged:0 Filtered:0 Rejected:1}"
	deadLine = "p concluded, dead true: {Read:0 Written:0 Merged:0 Filtered:0 Rejected:0}"
)

// TestChunksAreCountedOnce counts by the first completion that is stored, whoever's deliveries come how often.
func TestChunksAreCountedOnce(t *testing.T) {
	t.Parallel()
	r, w := oneRow(t, write(accepting))
	r.withState(t)
	first, second := &tally{}, &tally{}
	r.cfg.Meter = first
	other := New(Config{Name: "w2", Meter: second}, r.Parts)
	r.handleOne(t, newMessage(t, w, 1))
	r.handleOne(t, newMessage(t, w, 2)) // its acknowledgement was lost
	other.handle(t.Context(), newMessage(t, w, 1), newLoader(other))
	first.expect(t, doneLine)
	second.expect(t)
}

func TestFailuresAreCounted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		kind       contracts.Kind
		deliveries int
		want       []string
	}{
		"handed back":  {contracts.KindInterrupted, 1, []string{"p given back, failed false"}},
		"failed, dead": {contracts.KindInternal, 2, []string{"p given back, failed true", deadLine}},
		"dead at once": {contracts.KindMissing, 1, []string{deadLine}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, w := oneRow(t, failing(contracts.Errorf(c.kind, "the fault")))
			r.withState(t)
			meter := &tally{}
			r.cfg.Meter = meter
			for n := range c.deliveries {
				r.handleOne(t, newMessage(t, w, n+1))
			}
			meter.expect(t, c.want...)
		})
	}
}

// TestLinesAboutChunksSayWhich reads what a worker logs as JSON of a chunk that it takes, tries again, and cannot
// settle.
func TestLinesAboutChunksSayWhich(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	ctx, leave := context.WithCancel(t.Context())
	r, w := oneRow(t, write(func(context.Context, []cql.Row) ([]cql.Refusal, error) {
		leave()
		return nil, contracts.Errorf(contracts.KindUnavailable, "the table is away")
	}))
	r.withState(t)
	r.cfg.Log = slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	again, w2 := oneRow(t, write(accepting))
	again.withState(t)
	again.cfg.Log, again.news.fail = r.cfg.Log, contracts.Errorf(contracts.KindInternal, "nobody hears")
	r.handle(ctx, newMessage(t, w, 3), newLoader(r.Workers))
	again.handle(t.Context(), newMessage(t, w2, 3), newLoader(again.Workers))
	seen := map[string]bool{}
	for line := range strings.Lines(out.String()) {
		var of map[string]any
		must(t, json.Unmarshal([]byte(line), &of))
		seen[fmt.Sprint(of["msg"])] = true
		if of["job"] != "j1" || of["chunk"] != 0.0 || of["attempt"] != 3.0 || of["work"] != "load" {
			t.Errorf("%s lacks job, chunk, work or attempt", line)
		}
	}
	for _, want := range []string{"chunk taken", "chunk not settled: it will come again"} {
		if !seen[want] {
			t.Errorf("no line %q in\n%s", want, out.String())
		}
	}
}
