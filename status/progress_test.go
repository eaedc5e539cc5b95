package status

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/penstock-io/penstock/contracts"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// chunkFate is what a chunk's stored outcomes are: dead, done, or both.
type chunkFate struct {
	dead, done *contracts.Completion
}

func (f chunkFate) canonical() (contracts.Completion, bool) {
	if f.done != nil {
		return *f.done, true
	}
	return *f.dead, false
}

func randomCompletion(r *rand.Rand, chunk int, dead bool) *contracts.Completion {
	c := &contracts.Completion{Chunk: chunk, Bytes: r.Int64N(1000), Rules: contracts.RuleCounts{}}
	c.Counts = contracts.Counts{Written: r.Int64N(9), Merged: r.Int64N(9), Filtered: r.Int64N(9)}
	for _, rule := range []contracts.Rule{contracts.RuleType, contracts.RuleKey} {
		if n := r.Int64N(3); n > 0 {
			c.Rules[rule] = n
			c.Counts.Rejected += n
		}
	}
	c.Counts.Read = c.Counts.Written + c.Counts.Merged + c.Counts.Filtered + c.Counts.Rejected
	if dead {
		c.Error = &contracts.ErrorInfo{Kind: contracts.KindInput, Message: fmt.Sprintf("chunk %d", chunk)}
	}
	return c
}

func randomFates(r *rand.Rand, total int) []chunkFate {
	fates := make([]chunkFate, total)
	for chunk := range fates {
		if r.IntN(3) == 0 {
			fates[chunk].dead = randomCompletion(r, chunk, true)
		}
		if fates[chunk].dead == nil || r.IntN(2) == 0 {
			fates[chunk].done = randomCompletion(r, chunk, false)
		}
	}
	return fates
}

// outcomes are all news of the fates, by event or by completion, some of it twice, in any order. A dead chunk that is
// done too may be told of as dead after that, by an event that came late.
func outcomes(r *rand.Rand, fates []chunkFate) []Outcome {
	var all []Outcome
	add := func(c *contracts.Completion, done bool) {
		kind := contracts.EventChunkDone
		if !done {
			kind = contracts.EventChunkDead
		}
		for range 1 + r.IntN(3) {
			o := OutcomeOf(*c, done)
			if r.IntN(2) == 0 {
				e := contracts.Event{
					Kind: kind, Chunk: &c.Chunk, Counts: &c.Counts, Bytes: c.Bytes, Rules: c.Rules, Error: c.Error,
				}
				o, _ = OutcomeOfEvent(e)
			}
			all = append(all, o)
		}
	}
	for _, f := range fates {
		if f.done != nil {
			add(f.done, true)
		}
		if f.dead != nil {
			add(f.dead, false)
		}
	}
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// expected is the fold by other means: the canonical completion of each chunk, summed up.
func expected(fates []chunkFate) *Progress {
	p := NewProgress(len(fates))
	for chunk, f := range fates {
		c, done := f.canonical()
		p.Counts.Add(c.Counts)
		p.Bytes += c.Bytes
		for rule, n := range c.Rules {
			p.Rules[rule] += n
		}
		if done {
			p.DoneAt[chunk/8] |= 1 << (chunk % 8)
			p.Done++
		} else {
			p.Dead[chunk] = OutcomeOf(c, false)
		}
	}
	return p
}

func text(t *testing.T, p *Progress) string {
	t.Helper()
	data, err := json.Marshal(p)
	must(t, err)
	return string(data)
}

// TestAnyOrderFoldsToTheSame folds random news in random orders, with a snapshot and a restart somewhere in the middle.
func TestAnyOrderFoldsToTheSame(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		fates := randomFates(r, 1+r.IntN(40))
		want := expected(fates)
		news := outcomes(r, fates)
		p := NewProgress(len(fates))
		restart := r.IntN(len(news))
		for i, o := range news {
			if i == restart {
				data, err := p.Snapshot()
				must(t, err)
				p, err = Restore(data, len(fates))
				must(t, err)
			}
			p.Apply(o)
		}
		if !p.Complete() || !reflect.DeepEqual(p.FirstError(), want.FirstError()) {
			t.Fatalf("seed %d: complete %t, first error %+v", seed, p.Complete(), p.FirstError())
		}
		if got, want := text(t, p), text(t, want); got != want {
			t.Fatalf("seed %d: found\n%s\nexpected\n%s", seed, got, want)
		}
	}
}

func TestDoneAfterDead(t *testing.T) {
	t.Parallel()
	p := NewProgress(2)
	dead := Outcome{
		Chunk: 1, Counts: contracts.Counts{Read: 5, Rejected: 5}, Bytes: 9, Error: &contracts.ErrorInfo{Message: "broken"},
		Rules: map[contracts.Rule]int64{contracts.RuleType: 5},
	}
	done := Outcome{Chunk: 1, Done: true, Counts: contracts.Counts{Read: 6, Written: 6}, Bytes: 10}
	for i, step := range []struct {
		o      Outcome
		change bool
		read   int64
	}{{dead, true, 5}, {dead, false, 5}, {done, true, 6}, {done, false, 6}, {dead, false, 6}} {
		if got := p.Apply(step.o); got != step.change || p.Counts.Read != step.read {
			t.Errorf("step %d: change %t, read %d; expected %t, %d", i, got, p.Counts.Read, step.change, step.read)
		}
	}
	if !p.IsDone(1) || p.Has(0) || p.FirstError() != nil || len(p.Rules) != 0 || p.Bytes != 10 {
		t.Errorf("found %s", text(t, p))
	}
}

func TestOutcomesOfNoChunk(t *testing.T) {
	t.Parallel()
	p := NewProgress(3)
	for _, chunk := range []int{-1, 3, 1 << 40} {
		if p.Apply(Outcome{Chunk: chunk, Done: true, Counts: contracts.Counts{Read: 1, Written: 1}}) {
			t.Errorf("chunk %d of a plan of 3 changed the fold", chunk)
		}
	}
	if p.Counts.Read != 0 || p.Complete() || !NewProgress(0).Complete() {
		t.Errorf("found %s", text(t, p))
	}
}

func TestEventsThatAreNoOutcome(t *testing.T) {
	t.Parallel()
	chunk, counts := 1, contracts.Counts{}
	for name, e := range map[string]contracts.Event{
		"an attempt":          {Kind: contracts.EventChunkFailed, Chunk: &chunk, Counts: &counts},
		"a scan":              {Kind: contracts.EventChunkScanned, Chunk: &chunk},
		"the job's own":       {Kind: contracts.EventDone, Counts: &counts},
		"without its chunk":   {Kind: contracts.EventChunkDone, Counts: &counts},
		"without its records": {Kind: contracts.EventChunkDead, Chunk: &chunk},
	} {
		if o, ok := OutcomeOfEvent(e); ok {
			t.Errorf("%s: found %+v", name, o)
		}
	}
}

func TestSnapshotsThatAreRefused(t *testing.T) {
	t.Parallel()
	good, err := NewProgress(9).Snapshot()
	must(t, err)
	if _, err := Restore(good, 9); err != nil {
		t.Errorf("found %v", err)
	}
	miscounted := NewProgress(9)
	miscounted.Done = 1
	bad, err := miscounted.Snapshot()
	must(t, err)
	for name, c := range map[string]struct {
		data  []byte
		total int
	}{
		"of another plan":            {good, 10},
		"of a plan of as many bytes": {good, 16},
		"cut":                        {good[:len(good)-3], 9},
		"empty":                      {nil, 9},
		"of a newer version":         {[]byte(`{"v":2,"total":9}`), 9},
		"that miscounts":             {bad, 9},
	} {
		if p, err := Restore(c.data, c.total); err == nil {
			t.Errorf("a snapshot %s: found %s", name, text(t, p))
		}
	}
}

// TestErrorsAreBounded: a job of dead chunks alone keeps some errors in memory, and never forgets that it failed.
func TestErrorsAreBounded(t *testing.T) {
	t.Parallel()
	p := NewProgress(maxDeadErrors + 2)
	for n := range maxDeadErrors + 2 {
		p.Apply(Outcome{Chunk: n, Error: &contracts.ErrorInfo{Kind: contracts.KindMissing, Message: "gone"}})
	}
	if p.Dead[maxDeadErrors].Error != nil || p.FirstError() == nil || p.FirstError().Message != "gone" {
		t.Errorf("found %+v, first %+v", p.Dead[maxDeadErrors], p.FirstError())
	}
	for n := range maxDeadErrors {
		p.Apply(Outcome{Chunk: n, Done: true})
	}
	if e := p.FirstError(); e == nil || e.Message != "2 chunks are dead: their completions say why" {
		t.Errorf("found %+v, expected that two chunks are dead", e)
	}
}
