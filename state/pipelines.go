package state

import (
	"context"
	"iter"
	"strings"

	"github.com/penstock-io/penstock/contracts"
)

func revisionKey(name, revision string) string { return "pipelines/" + name + "/" + revision + ".yaml" }

// SavePipeline stores a revision without making it current.
func (s *Store) SavePipeline(ctx context.Context, name, revision string, canonical []byte) error {
	_, err := s.create(ctx, revisionKey(name, revision), canonical)
	return err
}

// SetCurrent makes a stored revision the one that new jobs take.
func (s *Store) SetCurrent(ctx context.Context, name, revision string) error {
	return s.docs.Put(ctx, "current/"+name, []byte(revision))
}

// SwapTarget notes the target that a pipeline is loaded into and returns the one before; "" where there was none. It is
// a note for people: nothing depends on it.
func (s *Store) SwapTarget(ctx context.Context, name, target string) (before string, err error) {
	key := "targets/" + name
	data, _, err := s.docs.Get(ctx, key)
	if err != nil && contracts.KindOf(err) != contracts.KindMissing {
		return "", err
	}
	if string(data) == target {
		return target, nil
	}
	return string(data), s.docs.Put(ctx, key, []byte(target))
}

// Current is the revision that new jobs take; KindMissing where the pipeline was never applied.
func (s *Store) Current(ctx context.Context, name string) (string, error) {
	data, _, err := s.docs.Get(ctx, "current/"+name)
	if contracts.KindOf(err) == contracts.KindMissing {
		return "", contracts.Errorf(contracts.KindMissing, "pipeline %q: not applied: expected `penstock apply` first", name)
	}
	return string(data), err
}

// Pipeline is a revision's canonical spec.
func (s *Store) Pipeline(ctx context.Context, name, revision string) ([]byte, error) {
	data, _, err := s.docs.Get(ctx, revisionKey(name, revision))
	if contracts.KindOf(err) == contracts.KindMissing {
		return nil, contracts.Errorf(contracts.KindMissing, "pipeline %q: no revision %s", name, revision)
	}
	return data, err
}

// Pipelines yields the names of applied pipelines in byte order.
func (s *Store) Pipelines(ctx context.Context) iter.Seq2[string, error] {
	return s.names(ctx, "current/")
}

// names lists what stands directly under a prefix.
func (s *Store) names(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for key, err := range s.docs.List(ctx, prefix, "") {
			if !yield(strings.TrimPrefix(key, prefix), err) || err != nil {
				return
			}
		}
	}
}
