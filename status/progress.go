// Package status folds what happened to a job's chunks into its state and its report.
//
// The fold is idempotent by chunk: events may come twice, out of order, or be made up for from the object store. What
// must never happen: a chunk counted twice, or a job that reports success though its counts do not add up.
package status

import (
	mathbits "math/bits"

	"github.com/penstock-io/penstock/contracts"
)

// Outcome is what a chunk's completion adds to its job.
type Outcome struct {
	Chunk  int
	Done   bool // else dead
	Counts contracts.Counts
	Bytes  int64
	Rules  map[contracts.Rule]int64
	Error  *contracts.ErrorInfo
}

// OutcomeOf is the outcome that a stored completion says.
func OutcomeOf(c contracts.Completion, done bool) Outcome {
	return Outcome{Chunk: c.Chunk, Done: done, Counts: c.Counts, Bytes: c.Bytes, Rules: c.Rules, Error: c.Error}
}

// OutcomeOfEvent is the outcome that an event carries; false for events of other kinds.
func OutcomeOfEvent(e contracts.Event) (Outcome, bool) {
	done := e.Kind == contracts.EventChunkDone
	if e.Chunk == nil || e.Counts == nil || (!done && e.Kind != contracts.EventChunkDead) {
		return Outcome{}, false
	}
	return Outcome{Chunk: *e.Chunk, Done: done, Counts: *e.Counts, Bytes: e.Bytes, Rules: e.Rules, Error: e.Error}, true
}

// Progress is the fold over one job's chunks. Its size is two bits a chunk and a few words for each dead one. Not safe
// for concurrent use.
type Progress struct {
	V      int                      `json:"v"`
	Total  int                      `json:"total"`
	DoneAt bits                     `json:"done_at"`
	Dead   map[int]Outcome          `json:"dead"` // kept whole: done beats dead, and then what it added is taken back
	Done   int                      `json:"done"`
	Counts contracts.Counts         `json:"counts"`
	Bytes  int64                    `json:"bytes"`
	Rules  map[contracts.Rule]int64 `json:"rules"`
}

// NewProgress begins the fold of a job of so many chunks.
func NewProgress(total int) *Progress {
	return &Progress{
		V: contracts.Version, Total: total, DoneAt: make(bits, (total+7)/8),
		Dead: map[int]Outcome{}, Rules: map[contracts.Rule]int64{},
	}
}

// Restore reads a snapshot; a snapshot of another plan is refused.
func Restore(snapshot []byte, total int) (*Progress, error) {
	p := NewProgress(total)
	if err := contracts.Unmarshal(snapshot, p); err != nil {
		return nil, err
	}
	if p.Total != total || len(p.DoneAt) != (total+7)/8 || p.Done != p.DoneAt.count() {
		return nil, contracts.Errorf(contracts.KindInternal,
			"snapshot of %d chunks, %d done, with marks for %d: expected one of a plan of %d chunks",
			p.Total, p.Done, p.DoneAt.count(), total)
	}
	if p.Dead == nil {
		p.Dead = map[int]Outcome{}
	}
	if p.Rules == nil {
		p.Rules = map[contracts.Rule]int64{}
	}
	return p, nil
}

// Snapshot is the fold in a form that Restore reads.
func (p *Progress) Snapshot() ([]byte, error) { return contracts.Marshal(p) }

// maxDeadErrors is the number of dead chunks whose errors the fold keeps; the store has all of them.
const maxDeadErrors = 10_000

// Apply folds an outcome in; false where it changes nothing.
func (p *Progress) Apply(o Outcome) bool {
	if o.Chunk < 0 || o.Chunk >= p.Total || p.DoneAt.has(o.Chunk) {
		return false
	}
	before, wasDead := p.Dead[o.Chunk]
	switch {
	case o.Done:
		if wasDead {
			p.add(before, -1)
			delete(p.Dead, o.Chunk)
		}
		p.DoneAt.set(o.Chunk)
		p.Done++
	case wasDead:
		return false
	default:
		if len(p.Dead) >= maxDeadErrors {
			o.Error = nil
		}
		p.Dead[o.Chunk] = o
	}
	p.add(o, 1)
	return true
}

func (p *Progress) add(o Outcome, sign int64) {
	p.Counts.Add(contracts.Counts{
		Read: sign * o.Counts.Read, Written: sign * o.Counts.Written, Merged: sign * o.Counts.Merged,
		Filtered: sign * o.Counts.Filtered, Rejected: sign * o.Counts.Rejected,
	})
	p.Bytes += sign * o.Bytes
	for rule, n := range o.Rules {
		if p.Rules[rule] += sign * n; p.Rules[rule] == 0 {
			delete(p.Rules, rule)
		}
	}
}

// Revive forgets that a chunk is dead.
func (p *Progress) Revive(chunk int) {
	if o, dead := p.Dead[chunk]; dead {
		p.add(o, -1)
		delete(p.Dead, chunk)
	}
}

// Has says whether the chunk has an outcome.
func (p *Progress) Has(chunk int) bool {
	_, dead := p.Dead[chunk]
	return dead || p.DoneAt.has(chunk)
}

// IsDone says whether the chunk is done.
func (p *Progress) IsDone(chunk int) bool { return p.DoneAt.has(chunk) }

// Complete says that every chunk has an outcome.
func (p *Progress) Complete() bool { return p.Done+len(p.Dead) == p.Total }

// FirstError is the error of the first dead chunk whose error is kept; nil where none is dead.
func (p *Progress) FirstError() *contracts.ErrorInfo {
	if len(p.Dead) == 0 {
		return nil
	}
	first := -1
	for chunk, o := range p.Dead {
		if o.Error != nil && (first < 0 || chunk < first) {
			first = chunk
		}
	}
	if first < 0 {
		return contracts.Info(contracts.Errorf(contracts.KindInternal,
			"%d chunks are dead: their completions say why", len(p.Dead)))
	}
	return p.Dead[first].Error
}

// bits is a set of small integers.
type bits []byte

func (b bits) has(i int) bool { return b[i/8]&(1<<(i%8)) != 0 }
func (b bits) set(i int)      { b[i/8] |= 1 << (i % 8) }

func (b bits) count() (n int) {
	for _, eight := range b {
		n += mathbits.OnesCount8(eight)
	}
	return n
}
