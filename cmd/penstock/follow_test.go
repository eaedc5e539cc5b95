package main

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/state"
)

// away is a store that cannot be reached.
type away struct{ state.Docs }

func (away) Get(context.Context, string) ([]byte, string, error) {
	return nil, "", contracts.Errorf(contracts.KindUnavailable, "away")
}

// TestAnEndWhileTheStoreIsAway: an event of an end may be from before a replay, so it is none until the store says so.
func TestAnEndWhileTheStoreIsAway(t *testing.T) {
	t.Parallel()
	p := &plant{store: state.New(away{})}
	old := contracts.Event{Job: "j1", Kind: contracts.EventFailed, Report: &contracts.Report{State: contracts.StateFailed}}
	if r, over := p.ended(t.Context(), old); over {
		t.Errorf("found %+v, expected none yet", r)
	}
}

// TestHintOfAnInterruptedJob promises no more than the same command does: one that is forced begins a job of its own.
func TestHintOfAnInterruptedJob(t *testing.T) {
	t.Parallel()
	p := &plant{store: state.New(memory{docs: map[string][]byte{}}), log: slog.New(slog.DiscardHandler)}
	for _, force := range []bool{false, true} {
		id := contracts.JobID(map[bool]string{false: "plain", true: "forced"}[force])
		job := contracts.Job{V: 1, ID: id, Pipeline: "p", Source: []string{"s3://b/a"}, Force: force}
		if _, _, err := p.store.AcceptJob(t.Context(), contracts.AcceptedJob{Job: job}); err != nil {
			t.Fatal(err)
		}
		again := job
		again.ID = "again"
		old, err := p.interrupted(t.Context(), again)
		if takes := strings.Contains(goesOn(job), "the same command"); err != nil || takes != (old == job.ID) {
			t.Errorf("forced %t: the hint is %q, and the command takes up %q, %v", force, goesOn(job), old, err)
		}
		if _, err := p.store.EndJob(t.Context(), contracts.Report{Job: job.ID}); err != nil {
			t.Fatal(err)
		}
	}
}
