package state

import (
	"context"
	"crypto/rand"
	"fmt"
	"sort"
	"strings"

	"github.com/penstock-io/penstock/contracts"
)

// A page of a plan ends with the chunk that brings it to PageChunks chunks or PageParts parts. A part takes some 300
// bytes, so that a page stays below 5 MB.
const (
	PageChunks = 256
	PageParts  = 8192
)

// MaxFailures is the number of planning errors that a plan keeps with their words.
const MaxFailures = 1000

// Plan is a job's sealed plan: what every chunk of it shares.
type Plan struct {
	V           int                   `json:"v"`
	Job         contracts.JobID       `json:"job"`
	Attempt     string                `json:"attempt"` // whose pages count
	Base        int64                 `json:"base"`    // microseconds
	SegmentSize int64                 `json:"segment_size"`
	MaxRecord   int64                 `json:"max_record"`
	Reader      int                   `json:"reader,omitempty"` // how its chunks are read; 0 is read as 1
	Pages       []int                 `json:"pages,omitempty"`  // first chunk of each; none: each has PageChunks
	Totals      contracts.PlanTotals  `json:"totals"`
	Failures    []contracts.ErrorInfo `json:"failures,omitempty"` // of the first MaxFailures objects that were not planned
	Error       *contracts.ErrorInfo  `json:"error,omitempty"`    // the job as a whole could not be planned
	Page        []byte                `json:"page,omitempty"`     // the only page, if it is small: stored here alone
}

// mostInline bounds a page that is part of its plan, in bytes.
const mostInline = 32 << 10

// Work is what a chunk's message asks for: the claim check that workers get, and that a replay makes again.
func (p Plan) Work(job contracts.AcceptedJob, w contracts.Work, n int, parts []contracts.Part) contracts.ChunkWork {
	return contracts.ChunkWork{
		V: contracts.Version, Job: p.Job, Chunk: n, Work: w, Pipeline: job.Pipeline, Revision: job.Revision,
		Base: p.Base, BaseTime: job.Accepted, SegmentSize: p.SegmentSize, MaxRecord: p.MaxRecord, Parts: parts,
		Reader: p.Reader,
	}
}

// page is the number of the page that a chunk is on, and that page's first chunk.
func (p Plan) page(chunk int) (number, first int) {
	if len(p.Pages) == 0 {
		return chunk / PageChunks, chunk / PageChunks * PageChunks
	}
	number = sort.SearchInts(p.Pages, chunk+1) - 1
	return number, p.Pages[number]
}

// Planned is one chunk of a plan.
type Planned struct {
	Parts []contracts.Part `json:"parts"`
	// Scan asks for its transition function, since the next chunk of the object needs it; Follows says that its own
	// start state comes from the chunk before.
	Scan    bool `json:"scan,omitempty"`
	Follows bool `json:"follows,omitempty"`
}

type page struct {
	V      int       `json:"v"`
	Chunks []Planned `json:"chunks"`
}

// PlanWriter stores a plan page by page, so that its size does not matter to memory. Nobody sees any of it before Seal.
type PlanWriter struct {
	store   *Store
	job     contracts.JobID
	attempt string
	pending []Planned
	last    []Planned // the page that was stored last; nil before that
	inline  []byte    // pending, where that is all of a small plan
	parts   int       // in pending
	pages   []int     // as in Plan
	uneven  bool      // a page before the last has fewer than PageChunks
	chunks  int
}

// NewPlan begins a plan. Its pages have a place of their own, so that two tries, of one dispatcher or two, never mix.
func (s *Store) NewPlan(job contracts.JobID) *PlanWriter {
	return &PlanWriter{store: s, job: job, attempt: strings.ToLower(rand.Text())}
}

func pageKey(job contracts.JobID, attempt string, n int) string {
	return jobKey(job, fmt.Sprintf("plan/%s/%06d", attempt, n))
}

// Add appends a chunk. After an error the plan is of no use: begin another.
func (w *PlanWriter) Add(ctx context.Context, c Planned) error {
	if len(w.pending) == 0 {
		w.uneven = w.uneven || w.chunks%PageChunks > 0
		w.pages = append(w.pages, w.chunks)
	}
	w.pending = append(w.pending, c)
	w.chunks++
	if w.parts += len(c.Parts); len(w.pending) < PageChunks && w.parts < PageParts {
		return nil
	}
	return w.flush(ctx)
}

func (w *PlanWriter) flush(ctx context.Context) error {
	data, err := contracts.Marshal(page{V: contracts.Version, Chunks: w.pending})
	if err != nil {
		return err
	}
	number := len(w.pages) - 1
	if err := w.store.docs.Put(ctx, pageKey(w.job, w.attempt, number), data); err != nil {
		return fmt.Errorf("store page %d of the plan of %s: %w", number, w.job, err)
	}
	w.last, w.pending, w.parts = w.pending, w.last[:0], 0
	return nil
}

// Flush stores what is pending, unless it is to be part of the plan, so that Seal has no more to do than to seal.
func (w *PlanWriter) Flush(ctx context.Context) (err error) {
	if w.inline = nil; len(w.pending) == 0 {
		return nil
	}
	if w.last == nil {
		w.inline, err = contracts.Marshal(page{V: contracts.Version, Chunks: w.pending})
		if err != nil || len(w.inline) <= mostInline {
			return err
		}
		w.inline = nil
	}
	return w.flush(ctx)
}

// Chunks is the number of chunks added.
func (w *PlanWriter) Chunks() int { return w.chunks }

// Seal makes the plan the job's, unless another dispatcher was first; the one that counts is returned.
func (w *PlanWriter) Seal(ctx context.Context, p Plan) (Plan, error) {
	if err := w.Flush(ctx); err != nil {
		return p, err
	}
	p.V, p.Job, p.Attempt, p.Page = contracts.Version, w.job, w.attempt, w.inline
	if w.uneven {
		p.Pages = w.pages
	}
	created, err := w.store.createJSON(ctx, jobKey(w.job, "plan.json"), p)
	if err != nil || created {
		return p, err
	}
	return w.store.Plan(ctx, w.job)
}

// Won says whether the plan that Seal returned is the one that was written here.
func (w *PlanWriter) Won(p Plan) bool { return p.Attempt == w.attempt }

// Reader opens a plan that was sealed here. If it is the one that was written, it has the last page at hand, which is
// all of a small one; nothing may be added any more.
func (w *PlanWriter) Reader(p Plan) *PlanReader {
	r := w.store.PlanReader(p)
	if w.Won(p) && w.inline != nil {
		r.page, r.have = w.pending, 0
	} else if w.Won(p) && len(w.pages) > 0 {
		r.page, r.have = w.last, len(w.pages)-1
	}
	return r
}

// Plan is a job's sealed plan; KindMissing before that.
func (s *Store) Plan(ctx context.Context, job contracts.JobID) (Plan, error) {
	var p Plan
	return p, s.read(ctx, jobKey(job, "plan.json"), &p)
}

// PlanReader reads a sealed plan's chunks and keeps one page in memory. Not safe for concurrent use.
type PlanReader struct {
	store *Store
	plan  Plan
	have  int // number of the page in chunks; -1 for none
	page  []Planned
}

// PlanReader opens a sealed plan.
func (s *Store) PlanReader(p Plan) *PlanReader { return &PlanReader{store: s, plan: p, have: -1} }

// Another opens the same plan, and has the same page at hand.
func (r *PlanReader) Another() *PlanReader {
	other := *r
	return &other
}

// Chunk is the n-th chunk, from 0.
func (r *PlanReader) Chunk(ctx context.Context, n int) (Planned, error) {
	number, first := r.plan.page(n)
	if number != r.have {
		p, err := r.read(ctx, number)
		if err != nil {
			return Planned{}, fmt.Errorf("read page %d of the plan of %s: %w", number, r.plan.Job, err)
		}
		r.page, r.have = p.Chunks, number
	}
	if i := n - first; i < len(r.page) {
		return r.page[i], nil
	}
	return Planned{}, contracts.Errorf(contracts.KindInternal, "plan of %s has no chunk %d", r.plan.Job, n)
}

func (r *PlanReader) read(ctx context.Context, number int) (p page, err error) {
	if number == 0 && len(r.plan.Page) > 0 {
		return p, contracts.Unmarshal(r.plan.Page, &p)
	}
	return p, r.store.read(ctx, pageKey(r.plan.Job, r.plan.Attempt, number), &p)
}
