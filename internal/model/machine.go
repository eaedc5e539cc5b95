package model

import "slices"

// machine takes steps in a world.
type machine struct {
	Config
	writes [maxJobs][maxChunks][]cell // of each chunk, without the base: what merging makes of its records
}

// newMachine prepares a world; its first state has every job accepted or submitted, and nothing else.
func newMachine(c Config) *machine {
	m := &machine{Config: c}
	for j := range c.Jobs {
		for n, chunk := range c.Jobs[j].Chunks {
			m.writes[j][n] = merged(chunk.Records, c.Broken == NoMerge)
		}
	}
	return m
}

func (m *machine) start() state {
	s := state{clock: 1, left: m.May}
	for j, job := range m.Jobs {
		s.jobs[j].life = active
		if job.Submitted {
			s.jobs[j].life, s.jobs[j].mail = unknown, waiting
		}
	}
	return s
}

// merged is batch.finish: the last value of each cell. Each write's time is the number of its cell.
func merged(records []Record, asTheyAre bool) []cell {
	var writes []cell
	for _, r := range records {
		at := slices.IndexFunc(writes, func(w cell) bool { return w.time == r.Cell })
		if at < 0 || asTheyAre {
			writes = append(writes, cell{r.Cell, r.Value})
		} else {
			writes[at].value = r.Value
		}
	}
	return writes
}

func (m *machine) chunks(job uint8) int { return len(m.Jobs[job].Chunks) }

// actor is who takes a step.
type actor uint8

const (
	theWorld actor = iota
	aWorker
	aDispatcher
	aUser
)

// step is one step, told such that only a step of a trace costs a text: see trace.go.
type step struct {
	who        actor
	number     uint8 // of the worker or the dispatcher
	text       string
	job, chunk uint8
	arg        uint8
	kind       kind
	mishap     bool // nothing that has to happen
}

// kind marks the steps that invariants are about.
type kind uint8

const (
	plain kind = iota
	acknowledges
	handsBack
	learns // reads outcomes of the store
)

// successors are the steps out of a state.
type successors func(step, state)

func (m *machine) each(s *state, emit successors) {
	for w := range uint8(m.Workers) {
		workerTurn{m, s, w, emit}.steps()
	}
	for d := range uint8(m.Dispatchers) {
		acceptTurn{m, s, d, emit}.steps()
		for j := range uint8(len(m.Jobs)) {
			runnerTurn{m, s, d, j, emit}.steps()
		}
	}
	replayTurn{m, s, emit}.steps()
	worldTurn{m, s, emit}.steps()
}

// once takes one of what is left of a mishap; false where nothing is.
func once(left *uint8) bool {
	if *left == 0 {
		return false
	}
	if *left != Always {
		*left--
	}
	return true
}

// quiet says that nothing is left to be done.
func (m *machine) quiet(s *state) bool {
	for j := range m.Jobs {
		job := &s.jobs[j]
		lost := job.life < active && (m.May.Forgotten > 0 || m.May.Wiped > 0) // before it was accepted
		ended := job.life == forgotten && job.report.stored && job.told
		if job.queued != 0 || job.mail != absent || !ended && !lost {
			return false
		}
	}
	for d := range s.dispatchers {
		if s.dispatchers[d] != (dispatcher{}) {
			return false
		}
	}
	return s.workers == [maxWorkers]worker{} && s.user == user{}
}
