package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/internal/testenv/child"
)

// patience bounds each wait for something that must come, so that a test fails with its logs instead of with go test's
// limit. How long anything takes is no matter of these tests.
const patience = 4 * time.Minute

// role is a command that runs beside the test.
type role struct {
	*child.Process
	t    *testing.T
	name string
	cmd  *exec.Cmd
	out  *watched // stdout
	log  *watched // stderr
}

// start starts a command; it is killed with the test, and its log shown if that failed.
func (l *lab) start(args ...string) *role {
	l.t.Helper()
	r := &role{
		t: l.t, name: strings.Join(args, " "), cmd: l.command(context.Background(), args...),
		out: newWatched(), log: newWatched(),
	}
	r.cmd.Stdout, r.cmd.Stderr = r.out, r.log
	var err error
	r.Process, err = child.Start(r.cmd)
	l.must(err)
	go func() {
		<-r.Done()
		r.log.end()
	}()
	l.t.Cleanup(func() {
		r.Kill()
		if l.t.Failed() {
			l.t.Logf("%s:\n%s", r.name, r.log.tail(4000))
		}
	})
	return r
}

// end waits for the command's end.
func (r *role) end() result {
	r.t.Helper()
	select {
	case <-r.Done():
	case <-time.After(patience):
		r.t.Fatalf("%s does not end", r.name)
	}
	return result{r.cmd.ProcessState.ExitCode(), r.out.text(), r.log.text()}
}

// says waits until the log has the text.
func (r *role) says(text string) {
	r.t.Helper()
	timer := time.AfterFunc(patience, r.log.end)
	defer timer.Stop()
	if !r.log.await(text) {
		r.t.Fatalf("%s never said %q", r.name, text)
	}
}

// watched collects a process's output and lets others wait for words in it.
type watched struct {
	mu    sync.Mutex
	more  *sync.Cond
	buf   bytes.Buffer
	ended bool
}

func newWatched() *watched {
	w := &watched{}
	w.more = sync.NewCond(&w.mu)
	return w
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.more.Broadcast()
	return w.buf.Write(p)
}

// end lets those who wait go.
func (w *watched) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	w.more.Broadcast()
}

// await waits for the text; false where the output ended without it.
func (w *watched) await(text string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for !strings.Contains(w.buf.String(), text) {
		if w.ended {
			return false
		}
		w.more.Wait()
	}
	return true
}

func (w *watched) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.String()
}

func (w *watched) tail(n int) string {
	text := w.text()
	return text[max(0, len(text)-n):]
}

// events follows a job's status over plain NATS, as any other program would; "*" follows every job.
func (l *lab) events(job string) <-chan contracts.Event {
	l.t.Helper()
	events := make(chan contracts.Event, 100_000)
	sub, err := l.nats.Subscribe(l.prefix+".status."+job+".>", func(m *nats.Msg) {
		var e contracts.Event
		if json.Unmarshal(m.Data, &e) == nil {
			events <- e
		}
	})
	l.must(err)
	l.must(l.nats.Flush())
	l.t.Cleanup(func() { sub.Unsubscribe() }) //nolint:errcheck // the connection closes next
	return events
}

// await takes events until one is wanted.
func (l *lab) await(events <-chan contracts.Event, what string, wanted func(contracts.Event) bool) contracts.Event {
	l.t.Helper()
	limit := time.After(patience)
	for {
		select {
		case e := <-events:
			if wanted(e) {
				return e
			}
		case <-limit:
			l.t.Fatalf("no event came: expected %s", what)
		}
	}
}

// awaitKind waits for so many events of a kind, each of another chunk where it is about chunks.
func (l *lab) awaitKind(events <-chan contracts.Event, kind contracts.EventKind, n int) {
	l.t.Helper()
	seen := map[int]bool{}
	l.await(events, string(kind), func(e contracts.Event) bool {
		if e.Kind.Terminal() && e.Kind != kind {
			l.t.Fatalf("job %s ended (%s) before %d of %s", e.Job, e.Kind, n, kind)
		}
		if e.Kind == kind {
			if e.Chunk == nil {
				return true
			}
			seen[*e.Chunk] = true
		}
		return len(seen) >= n
	})
}

// awaitEnd waits for a job's end and gives its report; "" is any job.
func (l *lab) awaitEnd(events <-chan contracts.Event, job contracts.JobID) contracts.Report {
	l.t.Helper()
	e := l.await(events, "the end of job "+string(job), func(e contracts.Event) bool {
		return e.Kind.Terminal() && (job == "" || e.Job == job)
	})
	if e.Report == nil {
		l.t.Fatalf("job %s ended (%s) without a report", e.Job, e.Kind)
	}
	if !e.Report.Records.Balanced() || string(e.Report.State) != string(e.Kind) {
		l.t.Fatalf("report %+v of event %s", e.Report, e.Kind)
	}
	return *e.Report
}

// receive takes the next message of a plain subscription.
func (l *lab) receive(messages <-chan *nats.Msg, what string) *nats.Msg {
	l.t.Helper()
	select {
	case m := <-messages:
		return m
	case <-time.After(patience):
		l.t.Fatalf("no message came: expected %s", what)
		return nil
	}
}
