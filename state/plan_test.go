package state_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/state"
)

// planned is a chunk that says whose it is.
func planned(whose string, n int) state.Planned {
	o := contracts.Object{Bucket: "b", Key: fmt.Sprintf("%s/%d", whose, n), ETag: "e", Size: int64(n)}
	part := contracts.Part{Object: o, End: int64(n), Segments: 1}
	return state.Planned{Parts: []contracts.Part{part}, Scan: n%2 == 0, Follows: n%3 == 0}
}

// writePlan writes so many chunks and seals them.
func writePlan(t *testing.T, s *state.Store, whose string, chunks int) state.Plan {
	t.Helper()
	w := s.NewPlan("j1")
	for n := range chunks {
		must(t, w.Add(t.Context(), planned(whose, n)))
	}
	if w.Chunks() != chunks {
		t.Errorf("found %d chunks, expected %d", w.Chunks(), chunks)
	}
	p, err := w.Seal(t.Context(), state.Plan{Base: 7, Totals: contracts.PlanTotals{Chunks: chunks}})
	must(t, err)
	return p
}

// expectPlan reads the chunks in the given order and compares them.
func expectPlan(t *testing.T, s *state.Store, p state.Plan, whose string, order ...int) {
	t.Helper()
	r := s.PlanReader(p)
	for _, n := range order {
		got, err := r.Chunk(t.Context(), n)
		must(t, err)
		if want := planned(whose, n); fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
			t.Errorf("chunk %d: found %+v, expected %+v", n, got, want)
		}
	}
}

func TestPlanOverPages(t *testing.T) {
	t.Parallel()
	const page = state.PageChunks
	for _, chunks := range []int{1, page - 1, page, page + 1, 2*page + 3} {
		t.Run(fmt.Sprint(chunks), func(t *testing.T) {
			t.Parallel()
			s := open(t)
			_, err := s.Plan(t.Context(), "j1")
			expectKind(t, err, contracts.KindMissing)
			p := writePlan(t, s, "a", chunks)
			expectPlan(t, s, p, "a", 0, chunks-1, chunks/2, 0, chunks-1)
			if _, err := s.PlanReader(p).Chunk(t.Context(), chunks); err == nil {
				t.Errorf("a plan of %d chunks has chunk %d", chunks, chunks)
			}
		})
	}
}

// TestPlanOfChunksOfManyParts has pages that end before they have as many chunks as others.
func TestPlanOfChunksOfManyParts(t *testing.T) {
	t.Parallel()
	s := open(t)
	const chunks, parts = 20, state.PageParts / 3
	w := s.NewPlan("j1")
	for n := range chunks {
		c := planned("a", n)
		for n%2 == 0 && len(c.Parts) < parts {
			c.Parts = append(c.Parts, c.Parts[0])
		}
		must(t, w.Add(t.Context(), c))
	}
	p, err := w.Seal(t.Context(), state.Plan{})
	must(t, err)
	if len(p.Pages) < 3 {
		t.Errorf("found the pages %v, expected more than two", p.Pages)
	}
	stored, err := s.Plan(t.Context(), "j1")
	must(t, err)
	for _, r := range []*state.PlanReader{s.PlanReader(stored), w.Reader(p)} {
		for _, n := range []int{0, chunks - 1, 7, 6, 5, 8, 19, 1} {
			c, err := r.Chunk(t.Context(), n)
			must(t, err)
			if want := planned("a", n).Parts[0].Object.Key; c.Parts[0].Object.Key != want {
				t.Errorf("chunk %d: found %s, expected %s", n, c.Parts[0].Object.Key, want)
			}
		}
		if _, err := r.Chunk(t.Context(), chunks); err == nil {
			t.Errorf("a plan of %d chunks has chunk %d", chunks, chunks)
		}
	}
}

func TestEmptyPlan(t *testing.T) {
	t.Parallel()
	s := open(t)
	writePlan(t, s, "a", 0)
	p, err := s.Plan(t.Context(), "j1")
	if err != nil || p.Base != 7 || p.Job != "j1" || p.Totals.Chunks != 0 {
		t.Errorf("found %+v, %v", p, err)
	}
}

// TestSealRace has two dispatchers plan one job at once: all read the chunks of the one that sealed first.
func TestSealRace(t *testing.T) {
	t.Parallel()
	s := open(t)
	const chunks = state.PageChunks + 2
	sealed := make([]state.Plan, 4)
	race(len(sealed), func(i int) {
		w := s.NewPlan("j1")
		for n := range chunks {
			if err := w.Add(t.Context(), planned(fmt.Sprint(i), n)); err != nil {
				t.Error(err)
			}
		}
		var err error
		if sealed[i], err = w.Seal(t.Context(), state.Plan{Base: int64(i)}); err != nil {
			t.Error(err)
		}
	})
	for _, p := range sealed {
		if p.Attempt != sealed[0].Attempt || p.Base != sealed[0].Base {
			t.Fatalf("found two plans: %+v and %+v", p, sealed[0])
		}
		expectPlan(t, s, p, fmt.Sprint(sealed[0].Base), 0, chunks-1)
	}
}

// TestPlanOfALateDispatcher lets one that lost its lead go on planning after another has sealed.
func TestPlanOfALateDispatcher(t *testing.T) {
	t.Parallel()
	s := open(t)
	late := s.NewPlan("j1")
	must(t, late.Add(t.Context(), planned("late", 0)))
	first := writePlan(t, s, "first", 3)
	for n := 1; n < state.PageChunks+1; n++ {
		must(t, late.Add(t.Context(), planned("late", n)))
	}
	p, err := late.Seal(t.Context(), state.Plan{Base: 8})
	must(t, err)
	if p.Attempt != first.Attempt || p.Base != first.Base {
		t.Errorf("found %+v, expected the first plan %+v", p, first)
	}
	expectPlan(t, s, p, "first", 0, 1, 2)
}

// TestSmallPlanIsOneDocument, and a plan that is not is read as ever.
func TestSmallPlanIsOneDocument(t *testing.T) {
	t.Parallel()
	d := docs(t)
	s := state.New(d)
	const chunks = state.PageChunks
	expectPlan(t, s, writePlan(t, s, "a", 3), "a", 0, 1, 2)
	stored, err := s.Plan(t.Context(), "j1")
	must(t, err)
	expectPlan(t, state.New(d), stored, "a", 2, 0, 1)
	for key, err := range d.List(t.Context(), "jobs/j1/plan/", "") {
		t.Errorf("found a page %s, %v", key, err)
	}
	w := s.NewPlan("j2")
	for n := range chunks {
		must(t, w.Add(t.Context(), planned(strings.Repeat("long", 50), n)))
	}
	large, err := w.Seal(t.Context(), state.Plan{Totals: contracts.PlanTotals{Chunks: chunks}})
	must(t, err)
	if len(large.Page) > 0 {
		t.Errorf("a plan of %d bytes is one document", len(large.Page))
	}
	expectPlan(t, state.New(d), large, strings.Repeat("long", 50), chunks-1)
}
