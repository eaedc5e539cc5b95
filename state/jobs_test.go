package state_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/state"
)

func job(id contracts.JobID, sources ...string) contracts.AcceptedJob {
	return contracts.AcceptedJob{
		Job:      contracts.Job{V: 1, ID: id, Pipeline: "readings", Revision: "r1", Source: sources},
		Accepted: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC),
	}
}

// listed gathers ids.
func listed(t *testing.T, ids func(func(contracts.JobID, error) bool)) []contracts.JobID {
	t.Helper()
	var all []contracts.JobID
	for id, err := range ids {
		must(t, err)
		all = append(all, id)
	}
	return all
}

func TestAcceptTwice(t *testing.T) {
	t.Parallel()
	s := open(t)
	first, created, err := s.AcceptJob(t.Context(), job("j1", "s3://a/1"))
	if err != nil || !created {
		t.Fatalf("found %t, %v", created, err)
	}
	second, created, err := s.AcceptJob(t.Context(), job("j1", "s3://b/2"))
	if err != nil || created || !slices.Equal(second.Source, first.Source) || !second.Accepted.Equal(first.Accepted) {
		t.Errorf("found %+v, %t, %v: expected what was stored first", second, created, err)
	}
	if got := listed(t, s.ActiveJobs(t.Context())); !slices.Equal(got, []contracts.JobID{"j1"}) {
		t.Errorf("active: %v", got)
	}
}

func TestAcceptRace(t *testing.T) {
	t.Parallel()
	s := open(t)
	var created atomic.Int32
	sources := make([]string, 8)
	race(8, func(i int) {
		got, mine, err := s.AcceptJob(t.Context(), job("j1", "s3://a/"+string(rune('0'+i))))
		if err != nil {
			t.Error(err)
			return
		}
		if mine {
			created.Add(1)
		}
		sources[i] = got.Source[0]
	})
	if n := len(slices.Compact(sources)); created.Load() != 1 || n != 1 {
		t.Errorf("created %d times; the callers saw %d jobs: %v", created.Load(), n, sources)
	}
}

func TestAJobEndsOnce(t *testing.T) {
	t.Parallel()
	s, ctx := open(t), t.Context()
	_, _, err := s.AcceptJob(ctx, job("j1", "s3://a/1"))
	must(t, err)
	_, err = s.Report(ctx, "j1")
	expectKind(t, err, contracts.KindMissing)
	first, err := s.EndJob(ctx, contracts.Report{Job: "j1", State: contracts.StateDone})
	must(t, err)
	second, err := s.EndJob(ctx, contracts.Report{Job: "j1", State: contracts.StateFailed})
	if err != nil || second.State != first.State {
		t.Errorf("found %+v, %v: expected the first report", second, err)
	}
	must(t, s.Forget(ctx, "j1"))
	must(t, s.Forget(ctx, "j1"))
	// A redelivered message of an ended job does not wake it.
	_, created, err := s.AcceptJob(ctx, job("j1", "s3://a/1"))
	if active := listed(t, s.ActiveJobs(ctx)); err != nil || created || len(active) != 0 {
		t.Errorf("found created %t, active %v, %v", created, active, err)
	}
	if all := listed(t, s.Jobs(ctx)); !slices.Equal(all, []contracts.JobID{"j1"}) {
		t.Errorf("jobs: %v", all)
	}
}

// TestForgetAJobThatWasReopened: a leader that stood still after the job's end must not lose it.
func TestForgetAJobThatWasReopened(t *testing.T) {
	t.Parallel()
	s, ctx := open(t), t.Context()
	_, _, err := s.AcceptJob(ctx, job("j1", "s3://a/1"))
	must(t, err)
	_, err = s.EndJob(ctx, contracts.Report{Job: "j1", State: contracts.StateFailed})
	must(t, err)
	must(t, s.Reopen("j1", time.Now()).Commit(ctx, nil))
	must(t, s.Forget(ctx, "j1"))
	if active := listed(t, s.ActiveJobs(ctx)); !slices.Equal(active, []contracts.JobID{"j1"}) {
		t.Errorf("active: %v", active)
	}
}

// brokenOff are documents of a process that dies after some writes.
type brokenOff struct {
	state.Docs
	writes int
}

var errDied = contracts.Errorf(contracts.KindInterrupted, "the process died")

func (d *brokenOff) write(do func() error) error {
	if d.writes--; d.writes < 0 {
		return errDied
	}
	return do()
}

func (d *brokenOff) Put(ctx context.Context, key string, data []byte) error {
	return d.write(func() error { return d.Docs.Put(ctx, key, data) })
}

func (d *brokenOff) Create(ctx context.Context, key string, data []byte) error {
	return d.write(func() error { return d.Docs.Create(ctx, key, data) })
}

// TestAStoredJobIsListed, whatever the acceptance was broken off at: nobody need send it again.
func TestAStoredJobIsListed(t *testing.T) {
	t.Parallel()
	for writes := 0; ; writes++ {
		d, ctx := docs(t), t.Context()
		_, _, err := state.New(&brokenOff{d, writes}).AcceptJob(ctx, job("j1", "s3://a/1"))
		s := state.New(d)
		if _, missing := s.Job(ctx, "j1"); missing == nil {
			if len(listed(t, s.ActiveJobs(ctx))) != 1 || len(listed(t, s.Jobs(ctx))) != 1 {
				t.Errorf("after %d writes the job is stored, and not listed", writes)
			}
		}
		if err == nil {
			return
		}
		if _, created, err := s.AcceptJob(ctx, job("j1", "s3://a/1")); err != nil || !created {
			t.Errorf("after %d writes, again: %t, %v", writes, created, err)
		}
	}
}

// TestAJobThatEndedIsNotActive, though its message comes again.
func TestAJobThatEndedIsNotActive(t *testing.T) {
	t.Parallel()
	s, ctx := open(t), t.Context()
	_, _, err := s.AcceptJob(ctx, job("j1", "s3://a/1"))
	must(t, err)
	_, err = s.EndJob(ctx, contracts.Report{Job: "j1", State: contracts.StateDone})
	must(t, err)
	must(t, s.Forget(ctx, "j1"))
	if _, created, err := s.AcceptJob(ctx, job("j1", "s3://a/1")); err != nil || created {
		t.Errorf("found %t, %v", created, err)
	}
	if got := listed(t, s.ActiveJobs(ctx)); len(got) != 0 {
		t.Errorf("active: %v", got)
	}
}

func TestUnknownJob(t *testing.T) {
	t.Parallel()
	_, err := open(t).Job(t.Context(), "nobody")
	expectKind(t, err, contracts.KindMissing)
}

func TestControl(t *testing.T) {
	t.Parallel()
	s, ctx := open(t), t.Context()
	if c, err := s.Control(ctx, "j1"); err != nil || c != state.Run {
		t.Errorf("found %q, %v", c, err)
	}
	must(t, s.SetControl(ctx, "j1", state.Cancel))
	if c, err := s.Control(ctx, "j1"); err != nil || c != state.Cancel {
		t.Errorf("found %q, %v", c, err)
	}
}

// TestMoveControl: a control moves only from where it may, and a cancel stands.
func TestMoveControl(t *testing.T) {
	t.Parallel()
	s, ctx := open(t), t.Context()
	for _, step := range []struct {
		to   state.Control
		from []state.Control
		now  state.Control
	}{
		{state.Pause, []state.Control{state.Run}, state.Pause},
		{state.Paused, []state.Control{state.Pause}, state.Paused},
		{state.Pause, []state.Control{state.Run, state.Resume}, state.Paused},
		{state.Resume, []state.Control{state.Pause, state.Paused}, state.Resume},
		{state.Run, []state.Control{state.Resume}, state.Run},
		{state.Cancel, []state.Control{state.Run}, state.Cancel},
		{state.Pause, []state.Control{state.Run, state.Resume}, state.Cancel},
		{state.Resume, []state.Control{state.Pause, state.Paused}, state.Cancel},
	} {
		now, err := s.MoveControl(ctx, "j1", step.to, step.from...)
		if stored, serr := s.Control(ctx, "j1"); err != nil || serr != nil || now != step.now || stored != now {
			t.Errorf("to %q from %q: found %q, stored %q, %v, %v; expected %q",
				step.to, step.from, now, stored, err, serr, step.now)
		}
	}
}

func TestPipelines(t *testing.T) {
	t.Parallel()
	s, ctx := open(t), t.Context()
	_, err := s.Current(ctx, "readings")
	expectKind(t, err, contracts.KindMissing)
	_, err = s.Pipeline(ctx, "readings", "r1")
	expectKind(t, err, contracts.KindMissing)
	must(t, s.SavePipeline(ctx, "readings", "r1", []byte("one")))
	must(t, s.SavePipeline(ctx, "readings", "r1", []byte("another")))
	must(t, s.SetCurrent(ctx, "readings", "r1"))
	spec, err := s.Pipeline(ctx, "readings", "r1")
	if err != nil || string(spec) != "one" {
		t.Errorf("found %q, %v: a revision is immutable", spec, err)
	}
	must(t, s.SetCurrent(ctx, "a", "r2"))
	var names []string
	for name, err := range s.Pipelines(ctx) {
		must(t, err)
		names = append(names, name)
	}
	if !slices.Equal(names, []string{"a", "readings"}) {
		t.Errorf("found %v", names)
	}
	if r, err := s.Current(ctx, "a"); err != nil || r != "r2" {
		t.Errorf("found %q, %v", r, err)
	}
}
