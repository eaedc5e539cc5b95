package e2e

import (
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/penstock-io/penstock/contracts"
)

// TestPausedJobSurvives pauses a job in its middle, kills the dispatcher and the worker, starts others, and lets the
// job go on.
func TestPausedJobSurvives(t *testing.T) {
	t.Parallel()
	l := newFileLab(t, "PENSTOCK_RECONCILE=300ms")
	leader := l.start("dispatcher")
	leader.says("msg=leading")
	worker := l.start("worker", "--workers", "2")
	d := l.submitReadings()
	d.midway()
	l.ok("pause", d.job)
	l.awaitKind(d.events, contracts.EventPaused, 1)
	if n := l.queuedChunks(); n != 0 {
		t.Errorf("%d chunks are queued of a paused job", n)
	}
	leader.Kill()
	worker.Kill()
	l.start("dispatcher").says("msg=leading")
	l.start("worker", "--workers", "2").says("msg=ready")
	if out := l.ok("status", d.job); !strings.Contains(out, ": paused\n") {
		t.Errorf("found\n%s\nexpected the state paused", out)
	}
	l.ok("resume", d.job)
	l.awaitKind(d.events, contracts.EventResumed, 1)
	d.finish()
	for _, c := range []struct{ command, says string }{
		{"pause", "is over: done"}, {"resume", "is over: done"}, {"cancel", "is over: done"},
	} {
		if r := l.run(c.command, d.job); r.code != 1 || !strings.Contains(r.errOut, c.says) {
			t.Errorf("%s: exit %d, %q; expected 1 and %q", c.command, r.code, r.errOut, c.says)
		}
	}
}

// TestControlsInTheWrongOrder are refused with what was expected.
func TestControlsInTheWrongOrder(t *testing.T) {
	t.Parallel()
	l := newFileLab(t)
	l.apply(l.file("small.yaml", smallPipeline))
	dispatcher := l.start("dispatcher")
	dispatcher.says("msg=leading")
	events := l.events("*")
	l.publish("small", l.json(map[string]any{"id": "j1", "source": []string{l.putText("a.csv", "id,n\na,1\n")}}))
	l.awaitKind(events, contracts.EventPlanned, 1)
	dispatcher.Kill()
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"resume", "j1"}, 1, "job j1 is not paused"},
		{[]string{"pause", "nobody"}, 1, `job "nobody": unknown`},
		{[]string{"pause"}, 2, "pause JOB"},
		{[]string{"pause", "j1"}, 0, "asked to rest"},
		{[]string{"pause", "j1"}, 0, "asked to rest"},
		{[]string{"resume", "j1"}, 0, "asked to go on"},
		{[]string{"pause", "j1"}, 0, "asked to rest"},
		{[]string{"cancel", "j1"}, 0, "asked to end"},
		{[]string{"pause", "j1"}, 1, "is asked to end: expected one that goes on"},
		{[]string{"resume", "j1"}, 1, "is not paused"},
	} {
		if r := l.run(c.args...); r.code != c.code || !strings.Contains(r.errOut, c.says) {
			t.Errorf("%v: exit %d, %q; expected %d, %q", c.args, r.code, r.errOut, c.code, c.says)
		}
	}
}

// queuedChunks is the number of messages in the chunk stream.
func (l *lab) queuedChunks() uint64 {
	l.t.Helper()
	js, err := jetstream.New(l.nats)
	l.must(err)
	stream, err := js.Stream(l.t.Context(), strings.ToUpper(l.prefix)+"_CHUNKS")
	l.must(err)
	return stream.CachedInfo().State.Msgs
}
