package model_test

import (
	"flag"
	"fmt"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/internal/model"
)

var large = flag.Bool("large", false, "explore the worlds of `make model`, too: some minutes and gigabytes")

// Chunks whose records meet in cells: repeated keys in a chunk, the greater value first, and across chunks and jobs.
var (
	first  = model.Chunk{Object: 0, Records: []model.Record{{0, 9}, {0, 2}, {1, 5}}}
	second = model.Chunk{Object: 0, Records: []model.Record{{0, 1}}}
	third  = model.Chunk{Object: 1, Records: []model.Record{{1, 4}}}
	lone   = model.Chunk{Object: 0, Records: []model.Record{{0, 4}}}
	rival  = model.Chunk{Object: 2, Records: []model.Record{{0, 3}}}
)

func job(chunks ...model.Chunk) model.Job { return model.Job{Chunks: chunks} }

// world is one exploration that finds nothing.
type world struct {
	name string
	model.Config
}

// worlds are small enough for every test run. Each asks after one part of the protocol.
var worlds = []world{
	{"two workers, whatever happens to them and their messages", model.Config{
		Jobs: []model.Job{job(first, second)}, Workers: 2, Dispatchers: 1,
		May: model.Mishaps{WorkerDies: model.Always, Overdue: model.Always, Forgotten: model.Always, Wiped: model.Always},
	}},
	{"a worker and a dispatcher, whatever happens", model.Config{
		Jobs: []model.Job{job(first, second)}, Workers: 1, Dispatchers: 1, Attempts: 2,
		May: model.Mishaps{WorkerDies: model.Always, Overdue: model.Always, DispatcherDies: 1, Forgotten: 1, Faults: 1},
	}},
	{"two dispatchers", model.Config{
		Jobs: []model.Job{job(first, second)}, Workers: 1, Dispatchers: 2,
		May: model.Mishaps{DispatcherDies: 1, Forgotten: 1},
	}},
	{"done and dead at once, and counts that differ", model.Config{
		Jobs: []model.Job{job(lone)}, Workers: 2, Dispatchers: 2,
		May: model.Mishaps{Overdue: 1, Hopeless: 1, Miscounts: 1},
	}},
	{"two objects through a window of one", model.Config{
		Jobs: []model.Job{job(first, second, third)}, Workers: 1, Dispatchers: 1, Window: 1,
		May: model.Mishaps{WorkerDies: 1, Overdue: 1, Forgotten: 1, DispatcherDies: 1},
	}},
	{"two jobs into one table", model.Config{
		Jobs: []model.Job{job(lone), job(rival)}, Workers: 1, Dispatchers: 1,
		May: model.Mishaps{Overdue: 1, Wiped: 1, DispatcherDies: 1},
	}},
	{"two jobs and two dispatchers", model.Config{
		Jobs: []model.Job{job(lone), job(rival)}, Workers: 1, Dispatchers: 2,
	}},
	{"two jobs with one object", model.Config{
		Jobs: []model.Job{job(lone), job(lone)}, Workers: 1, Dispatchers: 1,
		May: model.Mishaps{Overdue: 1, Hopeless: 1, DispatcherDies: 1},
	}},
	{"a job that is submitted", model.Config{
		Jobs: []model.Job{{Submitted: true, Chunks: []model.Chunk{lone}}}, Workers: 1, Dispatchers: 2,
		May: model.Mishaps{DispatcherDies: 1, Forgotten: 1},
	}},
	{"a job whose dead chunks are replayed", model.Config{
		Jobs: []model.Job{job(first, third)}, Workers: 1, Dispatchers: 1,
		May: model.Mishaps{Hopeless: 2, Replays: 2, Overdue: 1},
	}},
	{"a job that is cancelled", model.Config{
		Jobs: []model.Job{job(first, third)}, Workers: 1, Dispatchers: 2,
		May: model.Mishaps{Cancels: 1, DispatcherDies: 1},
	}},
}

// wide are explored by `make model`.
var wide = []world{
	{"two workers and two dispatchers", model.Config{
		Jobs: []model.Job{job(first, second)}, Workers: 2, Dispatchers: 2,
		May: model.Mishaps{WorkerDies: 1, Overdue: 1, Forgotten: 1},
	}},
	{"two dispatchers that die", model.Config{
		Jobs: []model.Job{job(first, second)}, Workers: 1, Dispatchers: 2,
		May: model.Mishaps{DispatcherDies: model.Always, WorkerDies: 1, Overdue: 1, Wiped: 1},
	}},
	{"a worker and a dispatcher, always", model.Config{
		Jobs: []model.Job{job(first, second)}, Workers: 1, Dispatchers: 1, Attempts: 2,
		May: model.Mishaps{WorkerDies: model.Always, Overdue: model.Always, Forgotten: model.Always,
			DispatcherDies: model.Always, Faults: 2, Hopeless: 1},
	}},
	{"two jobs and two workers", model.Config{
		Jobs: []model.Job{job(lone), job(rival)}, Workers: 2, Dispatchers: 1,
		May: model.Mishaps{Overdue: 1, Wiped: 1, DispatcherDies: 1},
	}},
}

func TestProtocol(t *testing.T) {
	t.Parallel()
	all := worlds
	if *large {
		all = append(all, wide...)
	}
	for _, w := range all {
		t.Run(w.name, func(t *testing.T) {
			r, err := model.Explore(w.Config, maxStates)
			if err != nil || r.Wrong != "" {
				t.Fatalf("found %v, %s:\n%s", err, r.Wrong, lines(r.Trace))
			}
			t.Logf("%d states, %d steps", r.States, r.Steps)
		})
	}
}

// maxStates bounds what a run may cost.
const maxStates = 50_000_000

// TestSimplifyingHidesNothing explores worlds as they are, which takes no fewer states and finds nothing else.
func TestSimplifyingHidesNothing(t *testing.T) {
	t.Parallel()
	deadly := couple
	deadly.May.DispatcherDies = 1
	for _, c := range []model.Config{couple, deadly, twoJobs, cancelled} {
		less, err := model.Explore(c, maxStates)
		if err != nil || less.Wrong != "" {
			t.Fatalf("found %v, %s:\n%s", err, less.Wrong, lines(less.Trace))
		}
		c.Broken = -1 // no bug, and yet no world to simplify
		full, err := model.Explore(c, maxStates)
		if err != nil || full.Wrong != "" || full.States < less.States {
			t.Errorf("found %v, %q in %d states, expected nothing in at least %d", err, full.Wrong, full.States, less.States)
		}
		t.Logf("%d states for %d", less.States, full.States)
	}
}

// lines numbers the steps of a trace.
func lines(trace []string) string {
	var b strings.Builder
	for i, line := range trace {
		fmt.Fprintf(&b, "%3d  %s\n", i+1, line)
	}
	return b.String()
}

// plants are the broken protocols: the world in which each is found, and what is said of it.
var plants = []struct {
	name   string
	broken model.Bug
	model.Config
	wrong string
}{
	{"acknowledged before it is loaded", model.AckBeforeLoad, simple, "acknowledged before the completion was stored"},
	{"completion before rows", model.CompletionBeforeRows, simple, "one reader would have left"},
	{"completion before rejects", model.CompletionBeforeRejects, simple, "whose rejects are not stored"},
	{"the last completion counts", model.LastCompletionCounts, rivals, "other counts than the completions"},
	{"dead beats done", model.DeadBeatsDone, rivals, "was read as dead"},
	{"records are not merged", model.NoMerge, simple, "cell 1 has the value 9"},
	{"a late nak", model.LateNak, rivals, "handed back by a worker past its lease"},
	{"the base is reserved after publishing", model.BaseAfterPublish, twoJobs, "one reader would have left"},
	{"the base is the wall clock's", model.BaseFromWallClock, twoJobs, "one reader would have left"},
	{"the clock is in the queue", model.ClockInQueue, twoJobs, "one reader would have left"},
	{"two plans", model.PlanAgain, couple, "one reader would have left"},
	{"published by a plan that lost", model.PublishUnsealed, couple, "one reader would have left"},
	{"folded by sequence", model.FoldBySequence, restless, "in the ledger and not loaded"},
	{"the store is not asked", model.NewsOnly, restless, "stuck"},
	{"nothing is published again", model.PublishOnce, restless, "stuck"},
	{"ledger before the end", model.LedgerWithNews, simple, "in the ledger and not loaded"},
	{"the last report counts", model.LastReportCounts, quarrel, "the report was changed"},
	{"a report from nothing", model.ReportFromNothing, cancelled, "stored before its attempt began"},
	{"forgotten before the report", model.ForgetFirst, restless, "stuck"},
	{"news of a death is believed", model.DeathBelieved, replayed, "the report says more than the store"},
	{"forgotten though it was reopened", model.ForgetBlindly, replayed, "stuck"},
	{"acknowledged before it is accepted", model.AckBeforeAccept, submitted, "stuck"},
}

// Worlds for plants: as small as shows them.
var (
	simple  = model.Config{Jobs: []model.Job{job(first, second)}, Workers: 1, Dispatchers: 1}
	couple  = model.Config{Jobs: []model.Job{job(first, second)}, Workers: 1, Dispatchers: 2}
	twoJobs = model.Config{
		Jobs: []model.Job{job(lone), job(rival)}, Workers: 1, Dispatchers: 1, May: model.Mishaps{Wiped: 1},
	}
	restless = model.Config{
		Jobs: []model.Job{job(first, second)}, Workers: 1, Dispatchers: 1,
		May: model.Mishaps{Overdue: 1, Forgotten: 1, DispatcherDies: 1},
	}
	rivals = model.Config{
		Jobs: []model.Job{job(lone)}, Workers: 2, Dispatchers: 1, Attempts: 2,
		May: model.Mishaps{Overdue: 1, Hopeless: 1, Faults: 1, Miscounts: 1},
	}
	quarrel = model.Config{
		Jobs: []model.Job{job(lone)}, Workers: 2, Dispatchers: 2, May: model.Mishaps{Overdue: 1, Hopeless: 1},
	}
	cancelled = model.Config{
		Jobs: []model.Job{job(first, third)}, Workers: 1, Dispatchers: 1,
		May: model.Mishaps{Cancels: 1, DispatcherDies: 1},
	}
	replayed = model.Config{
		Jobs: []model.Job{job(lone)}, Workers: 1, Dispatchers: 1, May: model.Mishaps{Hopeless: 1, Replays: 1},
	}
	submitted = model.Config{
		Jobs: []model.Job{{Submitted: true, Chunks: []model.Chunk{lone}}}, Workers: 1, Dispatchers: 1,
		May: model.Mishaps{DispatcherDies: 1},
	}
)

func TestBrokenProtocols(t *testing.T) {
	t.Parallel()
	for _, p := range plants {
		t.Run(p.name, func(t *testing.T) {
			p.Broken = p.broken
			r, err := model.Explore(p.Config, maxStates)
			if err != nil || !strings.Contains(r.Wrong, p.wrong) {
				t.Fatalf("found %v, %q after %d states, expected %q:\n%s", err, r.Wrong, r.States, p.wrong, lines(r.Trace))
			}
			t.Logf("%s:\n%s", r.Wrong, lines(r.Trace))
		})
	}
}

// holes are what the protocol does not promise. Both take a user who replays dead chunks while a leader stands still at
// the wrong instruction, and both end when he replays them again. A hole that is closed belongs to the worlds.
var holes = []struct {
	name string
	model.Config
	wrong string
}{
	{"a deposed leader stands still from tally to report while the job is reopened", model.Config{
		Jobs: []model.Job{job(lone)}, Workers: 1, Dispatchers: 2, May: model.Mishaps{Hopeless: 1, Replays: 1},
	}, "the report says more than the store"},
	{"a leader takes a reopened job off the active list, and dies before it looks", model.Config{
		Jobs: []model.Job{job(lone)}, Workers: 1, Dispatchers: 1,
		May: model.Mishaps{Hopeless: 1, Replays: 1, DispatcherDies: 1},
	}, "stuck"},
}

func TestHoles(t *testing.T) {
	t.Parallel()
	for _, h := range holes {
		t.Run(h.name, func(t *testing.T) {
			r, err := model.Explore(h.Config, maxStates)
			if err != nil || !strings.Contains(r.Wrong, h.wrong) {
				t.Fatalf("found %v, %q, expected %q:\n%s", err, r.Wrong, h.wrong, lines(r.Trace))
			}
		})
	}
}
