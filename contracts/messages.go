package contracts

import "time"

// Version is the version of every message and document that this code writes, and the newest that it reads.
const Version = 1

// Reader is the newest way to read chunks that this code knows. A plan pins the one that it was made for, and so do its
// chunk messages, so that every part of a job is read alike while workers are upgraded:
//
//	1  ranges of plain objects, and compressed objects as a whole
//	2  ranges of compressed objects, too
//	3  of some parts only the records that another job rejected
const Reader = 3

// Job is one request to load objects through one pipeline revision.
type Job struct {
	V         int      `json:"v"`                    // 0 is read as 1
	ID        JobID    `json:"id,omitempty"`         // derived from the message where absent
	Pipeline  string   `json:"pipeline,omitempty"`   // the subject's last token where absent
	Revision  string   `json:"revision,omitempty"`   // the current one where absent
	Source    []string `json:"source"`               // s3://bucket/key, …/prefix/, …/glob*, or local paths
	Force     bool     `json:"force,omitempty"`      // load what the ledger holds, too
	ChunkSize int64    `json:"chunk_size,omitempty"` // bytes; 0 is the dispatcher's setting
	Trigger   string   `json:"trigger,omitempty"`    // cli, api, bucket, schedule: for the record only
	Rejects   JobID    `json:"rejects,omitempty"`    // load the records that this job rejected, and no others
}

// AcceptedJob is a job as the object store keeps it, before it is acknowledged.
type AcceptedJob struct {
	Job
	Accepted time.Time `json:"accepted"` // the base time: what now() gives and TTL counts from
}

// Work says what a chunk message asks for.
type Work string

// The kinds of work.
const (
	Load   Work = "load"   // read, transform, upsert
	Scan   Work = "scan"   // find the chunk's transition function
	Rescan Work = "rescan" // the same, from where the blocks before it are known to end
)

// ChunkWork is a claim check for one chunk: everything that decides what the chunk does to the table, and no row data.
type ChunkWork struct {
	V           int       `json:"v"`
	Job         JobID     `json:"job"`
	Chunk       int       `json:"chunk"` // from 0 in the job
	Work        Work      `json:"work"`
	Pipeline    string    `json:"pipeline"`
	Revision    string    `json:"revision"`
	Base        int64     `json:"base"`         // microseconds: segment k writes at Base + k
	BaseTime    time.Time `json:"base_time"`    // the job's accepted time
	SegmentSize int64     `json:"segment_size"` // decompressed bytes
	MaxRecord   int64     `json:"max_record"`   // bytes
	Parts       []Part    `json:"parts"`
	Reader      int       `json:"reader,omitempty"` // the plan's; 0 is read as 1
}

// Part is one contiguous range of one object.
type Part struct {
	Object      Object   `json:"object"`
	Start       int64    `json:"start"` // first byte; records that start in [Start, End) belong to the part
	End         int64    `json:"end"`
	Whole       bool     `json:"whole"`             // the whole object: the reader reads its head itself
	Compression string   `json:"compression"`       // none, gzip, zstd: decided at planning
	Binding     *Binding `json:"binding,omitempty"` // of a split CSV object
	State       uint8    `json:"state"`             // the automaton's state at Start
	Records     int64    `json:"records"`           // records before Start; -1 where unknown
	Segment     int64    `json:"segment"`           // ordinal of its first segment
	Segments    int64    `json:"segments"`          // ordinals reserved for it: 1, or more for a compressed stream
	Blocks      *Blocks  `json:"blocks,omitempty"`  // of a range of a compressed object, where known
	Only        *Only    `json:"only,omitempty"`    // which of its records are to be loaded; nil: all
}

// Only names the records of an object that a job rejected: those in the reject objects of some of its chunks.
type Only struct {
	Job   JobID `json:"job"`
	First int   `json:"first"` // chunk
	Last  int   `json:"last"`  // chunk
}

// Blocks are the bgzip blocks or zstd frames that start in a range of a compressed object. The range's Start and End
// are stored offsets; its records are those that start in the decompressed bytes of its blocks.
type Blocks struct {
	First int64 `json:"first"` // stored offset of the first of them
	Next  int64 `json:"next"`  // stored offset of the first one behind them; -1 where not known
	Start int64 `json:"start"` // decompressed offset of First; 0 in what a scan found without knowing it
	End   int64 `json:"end"`   // decompressed offset of Next; -1 where not known: records up to the object's end
}

// Outcome is what one run of the automaton over a chunk says, for one start state.
type Outcome struct {
	Start   uint8 `json:"start"`
	End     uint8 `json:"end"`
	Records int64 `json:"records"` // records that start in the chunk
	First   int64 `json:"first"`   // offset of the first of them; -1 for none
	Quote   int64 `json:"quote"`   // where the quote opened that is open at the end; -1 for none in this chunk
}

// ScanResult is a chunk's transition function, or why it cannot be known; then what follows in the object is dead.
type ScanResult struct {
	V        int        `json:"v"`
	Job      JobID      `json:"job"`
	Chunk    int        `json:"chunk"`
	Outcomes []Outcome  `json:"outcomes"`
	Blocks   *Blocks    `json:"blocks,omitempty"` // of a range of a compressed object: those that it went through
	Error    *ErrorInfo `json:"error,omitempty"`
}

// Counts add up: Read = Written + Merged + Filtered + Rejected.
type Counts struct {
	Read     int64 `json:"read"`
	Written  int64 `json:"written"`
	Merged   int64 `json:"merged"`
	Filtered int64 `json:"filtered"`
	Rejected int64 `json:"rejected"`
}

// Add sums c and o.
func (c *Counts) Add(o Counts) {
	c.Read += o.Read
	c.Written += o.Written
	c.Merged += o.Merged
	c.Filtered += o.Filtered
	c.Rejected += o.Rejected
}

// Balanced says whether the counts add up.
func (c Counts) Balanced() bool { return c.Read == c.Written+c.Merged+c.Filtered+c.Rejected }

// PartResult is what became of one part.
type PartResult struct {
	Counts Counts     `json:"counts"`
	Bytes  int64      `json:"bytes"` // read, as stored
	Error  *ErrorInfo `json:"error,omitempty"`
}

// Completion says what became of a chunk. The first one stored is canonical. A chunk with a failed part is dead.
type Completion struct {
	V       int          `json:"v"`
	Job     JobID        `json:"job"`
	Chunk   int          `json:"chunk"`
	Counts  Counts       `json:"counts"`
	Bytes   int64        `json:"bytes"`
	Rules   RuleCounts   `json:"rules,omitempty"`
	Rejects []string     `json:"rejects,omitempty"` // keys in the rejects bucket, each named by its content's hash
	Parts   []PartResult `json:"parts"`             // as in the ChunkWork
	Error   *ErrorInfo   `json:"error,omitempty"`   // the first failed part's, or the chunk's own
	Worker  string       `json:"worker"`
	Seconds float64      `json:"seconds"`
	// Attempts counts the deliveries of the message that this came of, hand-backs included; 0 is unknown.
	Attempts int `json:"attempts,omitempty"`
}

// EventKind is the last token of an event's subject.
type EventKind string

// The kinds of event.
const (
	EventAccepted     EventKind = "accepted"
	EventPlanned      EventKind = "planned"
	EventChunkDone    EventKind = "chunk_done"
	EventChunkDead    EventKind = "chunk_dead"
	EventChunkFailed  EventKind = "chunk_failed"
	EventChunkScanned EventKind = "chunk_scanned"
	EventControl      EventKind = "control" // a user asked something of the job: look at its control document
	EventPaused       EventKind = "paused"
	EventResumed      EventKind = "resumed"
	EventDone         EventKind = "done"
	EventDoneRejects  EventKind = "done_with_rejects"
	EventFailed       EventKind = "failed"
	EventCancelled    EventKind = "cancelled"
)

// Terminal says that the event ends its job and carries the report.
func (k EventKind) Terminal() bool {
	return k == EventDone || k == EventDoneRejects || k == EventFailed || k == EventCancelled
}

// Event is one entry of the status stream. Events may arrive twice and out of order.
type Event struct {
	V        int         `json:"v"`
	Job      JobID       `json:"job"`
	Pipeline string      `json:"pipeline"`
	Kind     EventKind   `json:"kind"`
	Time     time.Time   `json:"time"`
	Chunk    *int        `json:"chunk,omitempty"`
	Counts   *Counts     `json:"records,omitempty"`
	Rules    RuleCounts  `json:"rejects,omitempty"`
	Bytes    int64       `json:"bytes,omitempty"`
	Error    *ErrorInfo  `json:"error,omitempty"`
	Scan     []Outcome   `json:"scan,omitempty"`
	Blocks   *Blocks     `json:"blocks,omitempty"`
	Plan     *PlanTotals `json:"plan,omitempty"`
	Report   *Report     `json:"report,omitempty"`
}

// PlanTotals are the sizes of a plan.
type PlanTotals struct {
	Objects  int64 `json:"objects"` // named by the sources, each once; failed and skipped ones too
	Skipped  int64 `json:"skipped"` // in the ledger
	Failed   int64 `json:"failed"`  // could not be planned
	Chunks   int   `json:"chunks"`
	Segments int64 `json:"segments"`
	Bytes    int64 `json:"bytes"`
}

// State is a job's state.
type State string

// The states. The last four are final.
const (
	StateAccepted    State = "accepted"
	StateRunning     State = "running"
	StatePaused      State = "paused"
	StateDone        State = "done"
	StateDoneRejects State = "done_with_rejects"
	StateFailed      State = "failed"
	StateCancelled   State = "cancelled"
)

// Final says that the job has ended.
func (s State) Final() bool { return EventKind(s).Terminal() }

// Report is a job's account; docs/interface.md publishes its JSON.
type Report struct {
	Job           JobID         `json:"job"`
	Pipeline      string        `json:"pipeline"`
	Revision      string        `json:"revision"`
	State         State         `json:"state"`
	Records       Counts        `json:"records"`
	Objects       ObjectTotals  `json:"objects"`
	Chunks        ChunkTotals   `json:"chunks"`
	Bytes         int64         `json:"bytes"`
	Seconds       float64       `json:"seconds"`
	RowsPerSecond float64       `json:"rows_per_second"`
	Rejects       RejectsReport `json:"rejects"`
	Error         *ErrorInfo    `json:"error"`
}

// ObjectTotals count a job's objects.
type ObjectTotals struct {
	Total   int64 `json:"total"`
	Loaded  int64 `json:"loaded"`
	Skipped int64 `json:"skipped"`
	Failed  int64 `json:"failed"`
}

// ChunkTotals count a job's chunks.
type ChunkTotals struct {
	Total int `json:"total"`
	Done  int `json:"done"`
	Dead  int `json:"dead"`
}

// RejectsReport says how many rejects each rule made and where they are.
type RejectsReport struct {
	ByRule   RuleCounts `json:"by_rule"`
	Location *string    `json:"location"`
}

// Reject is one line of a reject object.
type Reject struct {
	Job       JobID   `json:"job"`
	Pipeline  string  `json:"pipeline"`
	Object    string  `json:"object"` // address
	Version   string  `json:"version"`
	Offset    int64   `json:"offset"`
	Length    int64   `json:"length"`
	Record    *int64  `json:"record"`                    // from 1 in its object; null where not known
	InChunk   int64   `json:"record_in_chunk,omitempty"` // where Record is null: from 1 in its chunk
	Column    string  `json:"column,omitempty"`
	Rule      Rule    `json:"rule"`
	Value     string  `json:"value,omitempty"`
	Reason    string  `json:"reason"`
	Raw       *string `json:"raw,omitempty"`
	RawBase64 []byte  `json:"raw_base64,omitempty"`
}
