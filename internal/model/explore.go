package model

import (
	"fmt"
	"hash/maphash"
)

// Result is what exploring came to.
type Result struct {
	States int      // that can be reached, up to the names of workers and dispatchers
	Steps  int      // between them
	Wrong  string   // the invariant that does not hold; "" where all do
	Trace  []string // the shortest way there, a line a step
}

// Explore walks every state that can be reached, breadth first, and ends at the first that breaks an invariant. Then it
// looks for a state from which no steps lead to the end without a further mishap. limit bounds the states.
func Explore(c Config, limit int) (Result, error) {
	e := explorer{machine: newMachine(c), numbers: map[print]uint32{}}
	e.seeds = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}
	first := e.start()
	e.visit(&first, edge{})
	for at := uint32(0); len(e.frontier) > 0 && e.wrong == ""; at++ {
		if len(e.from) > limit {
			return Result{}, fmt.Errorf("more than %d states: expected a smaller world", limit)
		}
		s := e.frontier[0]
		e.frontier = e.frontier[1:]
		e.expand(at, &s)
	}
	r := Result{States: len(e.from), Steps: e.steps, Wrong: e.wrong}
	if r.Wrong == "" {
		e.findStuck(&r)
	} else {
		r.Trace = e.trace(e.last)
	}
	return r, nil
}

// explorer numbers states in the order in which it meets them.
type explorer struct {
	*machine
	numbers  map[print]uint32
	seeds    [2]maphash.Seed
	frontier []state
	from     []edge   // by which each state was met
	ends     []uint32 // states where nothing is left to do
	fair     []link   // steps that are no mishaps
	steps    int
	wrong    string
	last     edge // which is wrong
}

// print stands for a state: of a hundred million states, two have one print with a probability of 10^-23.
type print [2]uint64

// edge is the n-th step out of a state.
type edge struct{ state, step uint32 }

type link struct{ from, to uint32 }

// expand takes every step out of a state.
func (e *explorer) expand(at uint32, s *state) {
	n := uint32(0)
	e.each(s, func(d step, next state) {
		by := edge{at, n}
		n++
		if e.wrong != "" {
			return
		}
		e.steps++
		if e.wrong = e.judgeStep(d, s, &next); e.wrong != "" {
			e.last = by
			return
		}
		e.simplify(&next)
		e.rename(&next)
		to := e.visit(&next, by)
		if !d.mishap && to != at {
			e.fair = append(e.fair, link{at, to})
		}
	})
}

// visit gives a state its number.
func (e *explorer) visit(s *state, by edge) uint32 {
	of := print{maphash.Comparable(e.seeds[0], *s), maphash.Comparable(e.seeds[1], *s)}
	if n, known := e.numbers[of]; known {
		return n
	}
	n := uint32(len(e.from))
	e.numbers[of] = n
	e.from = append(e.from, by)
	e.frontier = append(e.frontier, *s)
	if e.wrong = e.judge(s); e.wrong != "" {
		e.last = by
	}
	if e.quiet(s) {
		e.ends = append(e.ends, n)
	}
	return n
}

// findStuck walks back from the ends. A state that it does not come to has no way there.
func (e *explorer) findStuck(r *Result) {
	back := reverse(e.fair, len(e.from))
	reached := make([]bool, len(e.from))
	todo := e.ends
	for _, n := range todo {
		reached[n] = true
	}
	for len(todo) > 0 {
		n := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, p := range back.of(n) {
			if !reached[p] {
				reached[p] = true
				todo = append(todo, p)
			}
		}
	}
	for n, ok := range reached {
		if !ok {
			r.Wrong = "stuck: no steps lead from here to the end"
			r.Trace = e.trace(e.from[n])
			return
		}
	}
}

// links are the states before each state, one list after the other.
type links struct{ start, before []uint32 }

func (l links) of(n uint32) []uint32 { return l.before[l.start[n]:l.start[n+1]] }

func reverse(fair []link, states int) links {
	l := links{make([]uint32, states+2), make([]uint32, len(fair))}
	for _, f := range fair {
		l.start[f.to+2]++
	}
	for n := 2; n < len(l.start); n++ {
		l.start[n] += l.start[n-1]
	}
	for _, f := range fair {
		l.before[l.start[f.to+1]] = f.from
		l.start[f.to+1]++
	}
	return l
}

// rename gives workers and dispatchers their names by where they stand, since it does not matter who is who, and says
// which were swapped.
func (e *explorer) rename(s *state) (workers, dispatchers bool) {
	w, d := &s.workers, &s.dispatchers
	if e.Workers == 2 && w[0].rank() > w[1].rank() {
		w[0], w[1] = w[1], w[0]
		workers = true
	}
	if e.Dispatchers == 2 && d[0].after(&d[1]) {
		d[0], d[1] = d[1], d[0]
		dispatchers = true
	}
	return workers, dispatchers
}
