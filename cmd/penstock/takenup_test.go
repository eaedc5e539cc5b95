package main

import (
	"context"
	"io"
	"iter"
	"log/slog"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/state"
)

// memory are documents that are only written once.
type memory struct {
	state.Docs
	docs map[string][]byte
}

func (m memory) Get(_ context.Context, key string) ([]byte, string, error) {
	if data, ok := m.docs[key]; ok {
		return data, "", nil
	}
	return nil, "", contracts.Errorf(contracts.KindMissing, "no %s", key)
}

func (m memory) Create(ctx context.Context, key string, data []byte) error {
	return m.Put(ctx, key, data)
}

func (m memory) Put(_ context.Context, key string, data []byte) error {
	m.docs[key] = data
	return nil
}

func (m memory) List(_ context.Context, prefix, _ string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for key := range m.docs {
			if strings.HasPrefix(key, prefix) && !yield(key, nil) {
				return
			}
		}
	}
}

// TestTheSameCommandAgain takes up the job of one that was interrupted, forced or not, and no other's.
func TestTheSameCommandAgain(t *testing.T) {
	t.Parallel()
	p := &plant{store: state.New(memory{docs: map[string][]byte{}}), log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	job := contracts.Job{V: 1, Pipeline: "p", Revision: "r", Source: []string{"s3://b/a"}, Rejects: "old", Trigger: "cli"}
	forced := job
	forced.Force, forced.Rejects = true, ""
	ids := map[contracts.JobID]bool{}
	for _, j := range []contracts.Job{job, forced} {
		first, err := p.takenUp(t.Context(), j)
		if err != nil || first.ID == "" || ids[first.ID] {
			t.Fatalf("found %q, %v, expected a new job", first.ID, err)
		}
		ids[first.ID] = true
		if _, _, err := p.store.AcceptJob(t.Context(), contracts.AcceptedJob{Job: first}); err != nil {
			t.Fatal(err)
		}
		if again, err := p.takenUp(t.Context(), j); err != nil || again.ID != first.ID {
			t.Errorf("found %q, %v, expected %q", again.ID, err, first.ID)
		}
		if _, err := p.store.EndJob(t.Context(), contracts.Report{Job: first.ID}); err != nil {
			t.Fatal(err)
		}
		if again, err := p.takenUp(t.Context(), j); err != nil || again.ID == first.ID {
			t.Errorf("found %q, %v, expected a new one: that one is over", again.ID, err)
		}
	}
}
