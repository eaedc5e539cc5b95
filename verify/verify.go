// Package verify compares tables with the files that they were loaded from, and finds the record that a cell is from.
// It keeps no index: what a job wrote is read again by the job's own plan, and the write time of a cell names job,
// segment and so the bytes of the file.
//
// What must never happen: a cell called right that was not read from the table; a record that is a reject, or filtered,
// expected in the table; a write by anything but a repair that was asked for, or at another time than the load's.
package verify

import (
	"context"
	"time"

	"github.com/penstock-io/penstock/chunk"
	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
	"github.com/penstock-io/penstock/pipeline"
	"github.com/penstock-io/penstock/state"
	"github.com/penstock-io/penstock/workers"
)

// Reader reads rows of a table by their primary keys: one answer for each, without values where there is nothing. Where
// only the partition's static cells are there, or a row has no clustering values, the answer's clustering key is null.
type Reader interface {
	Read(ctx context.Context, rows []cql.Row) ([]cql.CellRow, error)
}

// Tables are the target.
type Tables interface {
	Reader(ctx context.Context, c *pipeline.Compiled) (Reader, error)
	Writer(ctx context.Context, c *pipeline.Compiled) (workers.Writer, error) // of repairs
}

// Parts are what this package is joined to.
type Parts struct {
	Store     *state.Store
	Objects   chunk.Opener
	Pipelines workers.Pipelines
	Tables    Tables
	Rejects   state.RejectDocs
	Now       func() time.Time
}

// Options say how much of a job is compared.
type Options struct {
	Sample int  // chunks; 0 is all of them
	Repair bool // write what is missing
}

// MaxShown is the number of differences, and of sources that cannot be read, that a result holds with their words.
const MaxShown = 20

// Result is what a comparison came to; docs/interface.md publishes its JSON.
type Result struct {
	Job         contracts.JobID       `json:"job"`
	Chunks      int                   `json:"chunks"`   // compared
	Unloaded    int                   `json:"unloaded"` // of the chunks chosen: those that the job has not loaded
	Rows        int64                 `json:"rows"`     // merged ones
	Cells       Cells                 `json:"cells"`
	Mended      int64                 `json:"mended"` // cells that a repair has written; they count as right
	Differences []Difference          `json:"differences"`
	Sources     int                   `json:"unreadable"` // sources that are gone or changed
	Errors      []contracts.ErrorInfo `json:"errors"`     // the first of these
}

// Right says that nothing differs and every source was read.
func (r Result) Right() bool { return r.Cells.Missing+r.Cells.Differs == 0 && r.Sources == 0 }

// Cells are counts of cells by what was found.
type Cells struct {
	Right      int64 `json:"right"`
	Superseded int64 `json:"superseded"`
	Missing    int64 `json:"missing"`
	Differs    int64 `json:"differs"`
}

// Verdict says what was found of a cell.
type Verdict string

// The verdicts.
const (
	Right      Verdict = "right"
	Superseded Verdict = "superseded" // written or deleted later
	Missing    Verdict = "missing"    // not there, or older than it must be
	Differs    Verdict = "differs"    // of the right time and another value
)

func (c *Cells) add(v Verdict, n int64) {
	switch v {
	case Right:
		c.Right += n
	case Superseded:
		c.Superseded += n
	case Missing:
		c.Missing += n
	case Differs:
		c.Differs += n
	}
}

// Difference is a cell that is not as its record has it.
type Difference struct {
	Key      map[string]string `json:"key"`
	Column   string            `json:"column"` // "" where the row itself is missing, of which nothing but a key is known
	Verdict  Verdict           `json:"verdict"`
	Expected *string           `json:"expected"` // canonical text; null: deleted
	Found    *string           `json:"found"`    // null: nothing
	Time     *int64            `json:"time"`     // microseconds: when what was found was written; null where unknown
	Object   string            `json:"object"`
	Offset   int64             `json:"offset"`
}

// opened is a job with all that its chunks are read by.
type opened struct {
	job      contracts.AcceptedJob
	plan     state.Plan
	pipeline *pipeline.Compiled
}

// open reads a job's documents; its pipeline's cells must have the times that the plan gives.
func (p Parts) open(ctx context.Context, id contracts.JobID) (o opened, err error) {
	if o.job, err = p.Store.Job(ctx, id); err != nil {
		return o, err
	}
	if o.plan, err = p.Store.Plan(ctx, id); err != nil {
		if contracts.KindOf(err) == contracts.KindMissing {
			err = contracts.Errorf(contracts.KindConfig, "job %s was not planned: there is nothing to compare", id)
		}
		return o, err
	}
	o.pipeline, err = p.Pipelines.Compiled(ctx, o.job.Pipeline, o.job.Revision)
	return o, err
}

// traceable refuses pipelines whose cells cannot be told by their write times.
func traceable(c *pipeline.Compiled) error {
	if !c.EventTime() {
		return nil
	}
	return contracts.Errorf(contracts.KindConfig, "pipeline %s writes its rows at event times (write.timestamp): their "+
		"write times name no job and no segment, so its cells can be neither verified nor traced", c.Spec().Name)
}
