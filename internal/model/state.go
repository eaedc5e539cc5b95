package model

import (
	"math/bits"
	"slices"
)

// A state is all that the processes know together: what is stored, what is queued, and where each process stands. Its
// fields are of one byte, so that states compare and hash as memory does.
type state struct {
	jobs        [maxJobs]job
	workers     [maxWorkers]worker
	dispatchers [maxDispatchers]dispatcher
	user        user
	table       [maxCells]cell
	clock       uint8 // clocks/<table>: the first free timestamp
	ledger      set   // of objects
	left        Mishaps
}

// set is a set of small numbers: chunks, objects, records.
type set uint8

func (s set) has(i uint8) bool     { return s&(1<<i) != 0 }
func (s set) with(i uint8) set     { return s | 1<<i }
func (s set) without(i uint8) set  { return s &^ (1 << i) }
func (s *set) put(i uint8, b bool) { *s = s.without(i) | set(is(b))<<i }
func (s set) count() uint8         { return uint8(bits.OnesCount8(uint8(s))) }

func is(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}

// first is the least number up to n that s lacks; false if there is none.
func (s set) first(n int) (uint8, bool) {
	for i := range uint8(n) {
		if !s.has(i) {
			return i, true
		}
	}
	return 0, false
}

// all is the set of all numbers below n.
func all(n int) set { return 1<<n - 1 }

// cell is a cell of the table. The zero value was never written.
type cell struct{ time, value uint8 }

// write is what Cassandra does: the later timestamp wins, of equal ones the greater value.
func (c *cell) write(w cell) {
	if w.time > c.time || w.time == c.time && w.value > c.value {
		*c = w
	}
}

// job is what the object store and the queue have of a job.
type job struct {
	mail     uint8 // its message in JOBS: none, queued, held
	life     uint8
	cancel   bool // jobs/<job>/control
	plan     plan
	chunks   outcomes // jobs/<job>/done and dead
	rejects  set      // chunks whose reject objects are stored
	failures [maxChunks]uint8
	report   report
	revived  set  // chunks that were dead and are to be loaded again: who buried one may still acknowledge it
	shelved  set  // dead chunks that went to the history; the report is to follow them
	told     bool // the job's last event is in STATUS

	queued set              // chunk messages in CHUNKS, those held among them
	held   set              // those of them that are delivered, under a lease that runs
	bases  [maxChunks]uint8 // base
}

// The states of a job's message.
const (
	absent uint8 = iota
	waiting
	taken
)

// A job's life, as its documents say it.
const (
	unknown   uint8 = iota
	listed          // the marker that findJobs lists is there
	active          // and job.json
	forgotten       // the marker is gone again
)

// plan is a sealed plan, or one that a dispatcher would seal. The zero value is none.
type plan struct {
	base    uint8 // from 1
	skipped set   // chunks of objects that the ledger had
	after   bool  // the other job had ended before base was reserved
}

// outcomes are what became of a job's chunks, as the store has it or as a runner folded it.
type outcomes struct {
	done   set
	dead   set
	second set // of done: those with the other counts
}

func (o outcomes) ended() set { return o.done | o.dead }

// canonical is state.Store.Completion: done beats dead.
func (o outcomes) canonical(chunk uint8) outcome {
	switch {
	case o.done.has(chunk):
		return doneFirst + outcome(is(o.second.has(chunk)))
	case o.dead.has(chunk):
		return dead
	}
	return none
}

// outcome is what became of one chunk.
type outcome uint8

const (
	none outcome = iota
	dead
	doneFirst  // with the counts that most workers find
	doneSecond // with others
)

// apply is status.Progress.Apply: by chunk, once, and done beats dead.
func (o *outcomes) apply(chunk uint8, what outcome) {
	if what == none || o.done.has(chunk) {
		return
	}
	o.dead.put(chunk, what == dead)
	o.done.put(chunk, what != dead)
	o.second.put(chunk, what == doneSecond)
}

// report is jobs/<job>/report.json.
type report struct {
	stored  bool
	stopped bool // before its chunks were through
	chunks  outcomes
}

// worker is where a worker stands.
type worker struct {
	at      workerStep
	job     uint8
	chunk   uint8
	base    uint8   // of its message
	wrote   set     // merged rows
	overdue bool    // its lease has run out, and lease.held says so
	learned outcome // the canonical one
}

type workerStep uint8

const (
	idle workerStep = iota
	loading
	flushed   // all rows are acknowledged, the rejects are stored
	spreading // the completion is stored: news of it is next
	burying
	buried // PutDead is through, Completion is not read yet
	acking
	handing // the message back
)

// dispatcher is where a dispatcher stands.
type dispatcher struct {
	accepts uint8 // the job whose message it has, from 1
	at      acceptStep
	runners [maxJobs]runner
}

type acceptStep uint8

const (
	marking  acceptStep = iota
	storing             // the marker is there
	settling            // job.json is, too
)

// runner is where a dispatcher stands with one job.
type runner struct {
	at    runnerStep
	plan  plan
	fold  outcomes
	out   set   // window.out; what is neither out nor has an outcome was not published yet
	knew  set   // outcomes that were stored when the attempt began
	stops bool  // the job ends before its chunks are through
	heard uint8 // broken: events counted instead of chunks
}

type runnerStep uint8

const (
	away      runnerStep = iota
	preparing            // no report was there
	ahead                // has a base, and has not listed
	planning             // listed, and no plan was there
	reserved             // has a base, and no plan was there
	catching             // has the sealed plan
	driving              // listens
	emptying             // the queue
	entering             // objects in the ledger
	ending               // the report is next
	telling              // the last event is next
	dismissed            // Forget is next
	minding              // the marker is gone: was the report still there?
)

// user is where a user stands who replays the dead chunks of a job.
type user struct {
	at     userStep
	job    uint8
	chunks set
}

type userStep uint8

const (
	atRest   userStep = iota
	shelving          // outcomes, and then the first mark
	marked            // the report is next
	reopened          // the second mark is next
)

// rank orders workers by where they stand.
func (w *worker) rank() uint64 {
	rank := uint64(w.at)<<48 | uint64(w.job)<<40 | uint64(w.chunk)<<32 | uint64(w.wrote)<<24 | uint64(w.learned)<<16
	return rank | uint64(is(w.overdue))<<8 | uint64(w.base)
}

// after orders dispatchers by where they stand.
func (d *dispatcher) after(other *dispatcher) bool {
	mine, its := d.rank(), other.rank()
	return slices.Compare(mine[:], its[:]) > 0
}

func (d *dispatcher) rank() (rank [1 + 2*maxJobs]uint64) {
	rank[0] = uint64(d.accepts)<<8 | uint64(d.at)
	for i := range d.runners {
		r := &d.runners[i]
		rank[1+2*i] = uint64(r.at)<<48 | uint64(r.fold.done)<<40 | uint64(r.fold.dead)<<32 |
			uint64(r.fold.second)<<24 | uint64(r.out)<<8 | uint64(r.knew)
		rank[2+2*i] = uint64(r.plan.base)<<32 | uint64(r.plan.skipped)<<24 | uint64(is(r.plan.after))<<16 |
			uint64(is(r.stops))<<8 | uint64(r.heard)
	}
	return rank
}
