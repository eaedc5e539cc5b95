package main

import (
	"context"
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
