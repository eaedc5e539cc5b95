// Package model is the protocol of dispatchers, workers and the fold as a state machine small enough to be explored to
// its last state. Its steps are the code's reads and writes of the object store, the queue and the table, in the code's
// order; each says in a comment which function it stands for. Whoever changes that order there changes it here.
//
// What must never happen: a step that the code can take and the model cannot. Where they differ, the model does more:
//
//   - There is no leader's lease: every dispatcher may run every job at any time, as a leader that was deposed and has
//     not noticed does.
//   - The reconciler has no clock: what is out may be looked up, or published again, at any time.
//   - Who takes a message may or may not look whether its chunk is over, as if it had or had not come before.
//   - An acknowledgement hits whatever delivery of the chunk there is, and a message may be gone at any time: a store
//     that was rolled back, or one whose sequences are used again, is no worse.
//   - News reaches any of the runners that listen, or none. Late news is what a runner reads of the store then.
//
// Left out: scans (a chunk waits for another's document, which is create-only, too), snapshots of the fold (CatchUp
// lists all that is stored beside them), dead letters in the queue (copies), pauses (a cancel that ends nothing), and
// segments of one chunk (each chunk is one).
package model

// Config is what is explored: how large a world, what may go wrong in it, and what is broken on purpose.
type Config struct {
	Jobs        []Job // one or two, into one table and from one pipeline
	Workers     int   // one or two
	Dispatchers int   // one or two
	Window      int   // chunks of a job that are out at a time; 0 is no bound
	Attempts    int   // faults of a chunk's own before it is dead
	May         Mishaps
	Broken      Bug
}

// Job is a job: the chunks that its plan has.
type Job struct {
	Submitted bool // its message is in the queue; else it was accepted before
	Chunks    []Chunk
}

// Chunk is a chunk of one segment.
type Chunk struct {
	Object  int // from 0; the same number in two jobs is the same object version
	Records []Record
}

// Record sets one cell.
type Record struct{ Cell, Value uint8 }

// Mishaps are how often each thing may go wrong; Always is no bound.
type Mishaps struct {
	WorkerDies     uint8 // at any step
	DispatcherDies uint8 // or gives one attempt at a job up, because a server was away
	Overdue        uint8 // a lease runs out while the worker goes on
	Forgotten      uint8 // the queue loses a message
	Wiped          uint8 // the queue loses all
	Hopeless       uint8 // a worker finds that a chunk can never be loaded
	Faults         uint8 // an attempt at a chunk fails for the chunk's own reasons
	Cancels        uint8 // a user cancels a job
	Replays        uint8 // a user has the dead chunks of a job loaded again
	Miscounts      uint8 // a worker counts a chunk otherwise than another: the server refused a row to one of them
}

// Always is a mishap without bound.
const Always = 255

// Sizes of the largest world.
const (
	maxJobs, maxWorkers, maxDispatchers = 2, 2, 2
	maxChunks, maxCells, maxRecords     = 3, 3, 4
)
