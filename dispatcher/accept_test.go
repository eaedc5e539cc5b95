package dispatcher

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/penstock-io/penstock/contracts"
)

// letter is a message that records how it was settled.
type letter struct {
	subject, data string
	sequence      uint64
	mu            sync.Mutex
	settled       []string
	mail          *mail
}

func (m *letter) Data() []byte     { return []byte(m.data) }
func (m *letter) Subject() string  { return m.subject }
func (m *letter) Sequence() uint64 { return m.sequence }
func (m *letter) Time() time.Time  { return time.Unix(1_700_000_000, int64(m.sequence)) }
func (m *letter) Ack(context.Context) error {
	return m.note("ack")
}
func (m *letter) Nak(time.Duration) error { return m.note("nak") }
func (m *letter) Term(string) error       { return m.note("term") }

func (m *letter) note(what string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.settled = append(m.settled, what)
	if m.mail != nil && len(m.settled) == 1 {
		m.mail.open.Done()
	}
	return nil
}

// mail is an inbox of letters; when all are settled it ends the reader.
type mail struct {
	letters chan *letter
	open    sync.WaitGroup
	stop    context.CancelFunc
}

func newMail(stop context.CancelFunc, letters []*letter) *mail {
	i := &mail{letters: make(chan *letter, len(letters)), stop: stop}
	for _, m := range letters {
		m.mail = i
		i.open.Add(1)
		i.letters <- m
	}
	return i
}

func (i *mail) Next(ctx context.Context) (Message, error) {
	select {
	case m := <-i.letters:
		return m, nil
	default:
		i.open.Wait()
		i.stop()
		return nil, ctx.Err()
	}
}

// read has a dispatcher read letters to their end.
func (l *lab) read(letters ...*letter) {
	l.t.Helper()
	ctx, stop := context.WithCancel(l.t.Context())
	d := l.dispatcher()
	d.jobs = newMail(stop, letters)
	d.acceptAll(ctx)
}

func TestJobMessages(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ subject, data, settled, reason string }{
		"by hand": {"penstock.jobs.p", `{"source":["s3://b/k"]}`, "ack", ""},
		"in full": {"penstock.jobs.p", `{"v":1,"id":"x","pipeline":"p","source":["s3://b/k"],"chunk_size":9}`,
			"ack", ""},
		"of a revision": {"penstock.jobs.q", `{"revision":"r7","source":["s3://b/k"]}`, "ack", ""},
		"empty":         {"penstock.jobs.p", "", "term", "empty message"},
		"garbage":       {"penstock.jobs.p", "hello", "term", "job on penstock.jobs.p: "},
		"newer":         {"penstock.jobs.p", `{"v":2,"source":["s3://b/k"]}`, "term", "upgrade this process"},
		"of another pipeline": {"penstock.jobs.p", `{"pipeline":"q","source":["s3://b/k"]}`, "term",
			`names the pipeline "q": expected "p" or none`},
		"of no pipeline":   {"penstock.jobs.q", `{"source":["s3://b/k"]}`, "term", "expected `penstock apply` first"},
		"without sources":  {"penstock.jobs.p", `{}`, "term", "no source"},
		"of a bad source":  {"penstock.jobs.p", `{"source":["k"]}`, "term", `source "k"`},
		"of a local file":  {"penstock.jobs.p", `{"source":["/etc/passwd"]}`, "term", "a local path in a job from outside"},
		"of a bad id":      {"penstock.jobs.p", `{"id":"a.b","source":["s3://b/k"]}`, "term", `job id "a.b"`},
		"of a bad name":    {"penstock.jobs.P", `{"source":["s3://b/k"]}`, "term", `pipeline "P"`},
		"of huge chunks":   {"penstock.jobs.p", `{"source":["s3://b/k"],"chunk_size":99999999}`, "term", "chunk_size"},
		"of less than one": {"penstock.jobs.p", `{"source":["s3://b/k"],"chunk_size":-1}`, "term", "chunk_size"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, csvSpec)
			must(t, l.store.SetCurrent(t.Context(), "p", "r1"))
			m := &letter{subject: c.subject, data: c.data}
			l.read(m)
			if !slices.Equal(m.settled, []string{c.settled}) || len(l.submitted()) != map[string]int{"ack": 1}[c.settled] {
				t.Errorf("found %q, jobs %q, dead letters %q", m.settled, l.submitted(), l.queue.dead)
			}
			if c.reason != "" && (len(l.queue.dead) != 1 || !strings.HasPrefix(l.queue.dead[0], "penstock.dead.jobs: ") ||
				!strings.Contains(l.queue.dead[0], c.reason)) {
				t.Errorf("found %q, expected %q", l.queue.dead, c.reason)
			}
		})
	}
}

// TestRedeliveredJobIsOne: with an id of the sender's, or one made from the message.
func TestRedeliveredJobIsOne(t *testing.T) {
	t.Parallel()
	l := newLab(t, csvSpec)
	must(t, l.store.SetCurrent(t.Context(), "p", "r1"))
	unnamed := func(n uint64) *letter {
		return &letter{subject: "penstock.jobs.p", data: `{"source":["s3://b/k"]}`, sequence: n}
	}
	named := func(source string) *letter {
		return &letter{subject: "penstock.jobs.p", data: `{"id":"mine","source":["` + source + `"]}`}
	}
	l.read(unnamed(1), unnamed(1), unnamed(2), named("s3://b/first"), named("s3://b/second"))
	l.expectSubmitted("p  [s3://b/k]", "p  [s3://b/k]", "p  [s3://b/first]")
	accepted := 0
	for _, e := range l.queue.events {
		if e.Kind == contracts.EventAccepted {
			accepted++
		}
	}
	if accepted != 3 {
		t.Errorf("%d jobs announced", accepted)
	}
}

// TestTheFirstOfOneIDIsTheJob, however many are stored at a time.
func TestTheFirstOfOneIDIsTheJob(t *testing.T) {
	t.Parallel()
	l := newLab(t, csvSpec)
	must(t, l.store.SetCurrent(t.Context(), "p", "r1"))
	var letters []*letter
	var want []string
	for id := range 30 {
		for _, source := range []string{"first", "second", "third"} {
			data := fmt.Sprintf(`{"id":"j%02d","source":["s3://b/%s"]}`, id, source)
			letters = append(letters, &letter{subject: "penstock.jobs.p", data: data})
		}
		want = append(want, "p  [s3://b/first]")
	}
	l.read(letters...)
	l.expectSubmitted(want...)
}

// TestJobIsHandedBackWhileTheStoreIsAway: the context of a store that cannot be reached has ended.
func TestJobIsHandedBackWhileTheStoreIsAway(t *testing.T) {
	t.Parallel()
	l := newLab(t, csvSpec)
	d := l.dispatcher()
	m := &letter{subject: "penstock.jobs.p"}
	for _, kind := range []contracts.Kind{contracts.KindUnavailable, contracts.KindInterrupted} {
		d.settle(t.Context(), m, contracts.Errorf(kind, "down"))
	}
	if !slices.Equal(m.settled, []string{"nak", "nak"}) || len(l.queue.dead) != 0 {
		t.Errorf("found %q, %q", m.settled, l.queue.dead)
	}
}

func TestCourtTakesTheOldestFirst(t *testing.T) {
	t.Parallel()
	c := newCourt(2)
	made := func(id contracts.JobID) *runner { return &runner{id: id} }
	for _, id := range []contracts.JobID{"20260103t-c", "20260101t-a", "20260102t-b", "20260101t-a"} {
		c.announce(id)
	}
	first, second := c.next(made), c.next(made)
	if first.id != "20260101t-a" || second.id != "20260102t-b" || c.next(made) != nil {
		t.Fatalf("found %v, %v, then more than there is room for", first.id, second.id)
	}
	c.announce("20260101t-a") // it runs
	c.leave(first)
	if r := c.next(made); r == nil || r.id != "20260103t-c" {
		t.Errorf("found %+v", r)
	}
	c.leave(second)
	if r := c.next(made); r != nil {
		t.Errorf("%s runs twice", r.id)
	}
}

// TestNewsOfARunnerThatEnded is not waited for.
func TestNewsOfARunnerThatEnded(t *testing.T) {
	t.Parallel()
	l := newLab(t, csvSpec)
	d := l.dispatcher()
	d.court.announce("j1")
	r := d.court.next(d.newRunner)
	e := contracts.Event{Job: "j1", Kind: contracts.EventChunkDone}
	for range 2 * cap(r.events) {
		d.court.deliver(t.Context(), e) // it does not listen yet
	}
	r.heeds.Store(true)
	for range cap(r.events) {
		d.court.deliver(t.Context(), e)
	}
	close(r.ended)
	d.court.deliver(t.Context(), e) // full, and nobody reads
	if len(r.events) != cap(r.events) {
		t.Errorf("found %d events", len(r.events))
	}
}

// TestWhatTheCourtHandsOver: a job that was stored here goes to its runner as it is, unless this process may have
// missed what was asked of it.
func TestWhatTheCourtHandsOver(t *testing.T) {
	t.Parallel()
	handed := contracts.AcceptedJob{Job: contracts.Job{ID: "j1"}}
	for name, c := range map[string]struct {
		happens func(c *court)
		handed  bool
	}{
		"accepted":              {func(c *court) { c.accepted(handed) }, true},
		"and its news comes":    {func(c *court) { c.accepted(handed); c.echoed("j1") }, true},
		"and is announced":      {func(c *court) { c.accepted(handed); c.announce("j1") }, true},
		"and something asked":   {func(c *court) { c.accepted(handed); c.recall("j1") }, false},
		"in the reign before":   {func(c *court) { c.accepted(handed); c.reign(false); c.reign(true) }, false},
		"while another leads":   {func(c *court) { c.reign(false); c.accepted(handed) }, false},
		"announced before":      {func(c *court) { c.announce("j1"); c.accepted(handed) }, false},
		"accepted by another":   {func(c *court) { c.echoed("j1") }, false},
		"told of a second time": {func(c *court) { c.accepted(handed); c.echoed("j1"); c.echoed("j1") }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			court := newCourt(1)
			court.reign(true)
			c.happens(court)
			r := court.next(func(id contracts.JobID) *runner { return &runner{id: id} })
			if r == nil || r.handed != nil != c.handed {
				t.Fatalf("found %+v", r)
			}
		})
	}
}

// TestOwnNewsStartsNoJobAgain: news of a job that was accepted here comes when the job has ended.
func TestOwnNewsStartsNoJobAgain(t *testing.T) {
	t.Parallel()
	c := newCourt(1)
	c.reign(true)
	made := func(id contracts.JobID) *runner { return &runner{id: id} }
	c.accepted(contracts.AcceptedJob{Job: contracts.Job{ID: "j1"}})
	c.leave(c.next(made))
	if c.echoed("j1"); c.next(made) != nil {
		t.Error("the job runs again")
	}
}
