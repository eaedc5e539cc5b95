package verify

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"sort"
	"time"
	"unicode/utf8"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
	"github.com/penstock-io/penstock/pipeline"
	"github.com/penstock-io/penstock/state"
	"github.com/penstock-io/penstock/workers"
)

// Trace is where the cells of a row are from; docs/interface.md publishes its JSON.
type Trace struct {
	Table string            `json:"table"`
	Key   map[string]string `json:"key"`
	Cells []TracedCell      `json:"cells"` // those with a write time, in the table's order
}

// TracedCell is one cell. Without a Source, Note says why.
type TracedCell struct {
	Column string     `json:"column"`
	Value  *string    `json:"value"` // canonical text; null for a deleted one
	Time   int64      `json:"time"`  // microseconds: its WRITETIME
	Job    *TracedJob `json:"job"`   // null: none of this store
	Source *Source    `json:"source"`
	Note   string     `json:"note,omitempty"`
}

// TracedJob is the job that wrote a cell, and where in its plan.
type TracedJob struct {
	ID       contracts.JobID `json:"id"`
	Pipeline string          `json:"pipeline"`
	Revision string          `json:"revision"`
	Segment  int64           `json:"segment"`
	Chunk    int             `json:"chunk"`
	Object   string          `json:"object"`
	Version  string          `json:"version"`
	Start    int64           `json:"start"` // of the segment, decompressed bytes; the last record may end behind End
	End      int64           `json:"end"`
}

// Source is the record that set a cell.
type Source struct {
	Offset    int64   `json:"offset"` // in the decompressed object
	Length    int64   `json:"length"`
	Record    *int64  `json:"record"` // from 1 in the object; null where not known
	Raw       *string `json:"raw,omitempty"`
	RawBase64 []byte  `json:"raw_base64,omitempty"`
}

// Foreign is the note of a cell that no job of the store wrote.
const Foreign = "not written by a Penstock job of this store"

// Trace finds the records that a row's cells are from. row holds its key alone: all of the primary key, or the
// partition key for the static columns of a partition. Errors: missing (no such row), those of the servers. What is
// wrong with a source is a note of the cells that are from it.
func (p Parts) Trace(ctx context.Context, c *pipeline.Compiled, row cql.Row) (Trace, error) {
	table := c.Table()
	t := Trace{Table: table.FullName(), Key: keyText(table, row.KeyBytes()), Cells: []TracedCell{}}
	if err := traceable(c); err != nil {
		return t, err
	}
	reader, err := p.Tables.Reader(ctx, c)
	if err != nil {
		return t, err
	}
	found, err := reader.Read(ctx, []cql.Row{row})
	if err != nil {
		return t, err
	}
	whole := row.Key > row.Partition || table.Count(cql.ClusteringKey) == 0
	if found[0].Values == nil || whole && !isThere(table, found[0]) {
		return t, contracts.Errorf(contracts.KindMissing,
			"table %s has no row of this key: expected the key of one that is there", t.Table)
	}
	t.Cells = timed(table, found[0])
	return t, p.explainCells(ctx, table, row, t.Cells)
}

// timed are the cells whose write time is known.
func timed(table cql.Table, row cql.CellRow) []TracedCell {
	cells := []TracedCell{}
	for i, column := range table.Columns {
		if at := row.Times[i]; at != 0 {
			cells = append(cells, TracedCell{
				Column: column.Name, Value: text(column.Type, row.Values[i].Bytes), Time: at, Note: Foreign,
			})
		}
	}
	return cells
}

// explainCells says where each cell is from, one segment after the other.
func (p Parts) explainCells(ctx context.Context, table cql.Table, row cql.Row, cells []TracedCell) error {
	byTime := map[int64][]*TracedCell{}
	for i := range cells {
		byTime[cells[i].Time] = append(byTime[cells[i].Time], &cells[i])
	}
	times := slices.Sorted(maps.Keys(byTime))
	jobs, err := p.writers(ctx, table.FullName(), times)
	if err != nil {
		return err
	}
	for _, at := range times {
		job, known := jobs[at]
		if !known {
			continue
		}
		if err := p.explainSegment(ctx, job, at-job.plan.Base, row, byTime[at]); err != nil {
			return err
		}
	}
	return nil
}

// explainSegment finds the records behind cells that one segment wrote.
func (p Parts) explainSegment(ctx context.Context, o opened, segment int64, row cql.Row, cells []*TracedCell) error {
	work, part, err := p.chunks(o).locate(ctx, segment)
	if err != nil {
		return err
	}
	for _, c := range cells {
		c.Job, c.Note = tracedJob(o, segment, work.Chunk, work.Parts[part]), ""
	}
	done, _, err := p.Store.Completion(ctx, work.Job, work.Chunk)
	switch {
	case missingIsFine(err) != nil:
		return err
	case part >= len(done.Parts) || done.Parts[part].Error != nil:
		note(cells, "the job has not loaded this object: what its segment wrote before it failed is not known")
		return nil
	}
	work.Parts = work.Parts[part : part+1]
	search := &search{table: o.pipeline.Table(), row: row, at: o.plan.Base + segment, cells: cells}
	again, err := p.replay(ctx, p.newReplay(), work, done, search.take)
	if err != nil && !errors.Is(err, errPassed) {
		return err
	}
	for _, q := range again.Parts {
		if q.Error != nil {
			note(cells, "the record cannot be shown: "+q.Error.Message)
		}
	}
	note(cells, "no record of this segment sets the cell: somebody else wrote it at a time of this job")
	return nil
}

// note says why cells have no source.
func note(cells []*TracedCell, why string) {
	for _, c := range cells {
		if c.Source == nil && c.Note == "" {
			c.Note = why
		}
	}
}

func tracedJob(o opened, segment int64, chunk int, part contracts.Part) *TracedJob {
	t := &TracedJob{
		ID: o.plan.Job, Pipeline: o.job.Pipeline, Revision: o.job.Revision, Segment: segment, Chunk: chunk,
		Object: part.Object.Address(), Version: part.Object.Version(), Start: part.Start, End: part.End,
	}
	if part.Compression != "" && part.Compression != "none" {
		t.Start = (segment - part.Segment) * o.plan.SegmentSize
		if part.Blocks != nil {
			t.Start += part.Blocks.Start
		}
		t.End = t.Start + o.plan.SegmentSize
		if b := part.Blocks; b != nil && b.End >= 0 {
			t.End = min(t.End, b.End)
		}
	}
	return t
}

// locate finds the chunk of a segment and which of its parts that is: ordinals ascend with chunks and parts.
func (c *chunks) locate(ctx context.Context, segment int64) (w contracts.ChunkWork, part int, err error) {
	n := sort.Search(c.job.plan.Totals.Chunks, func(n int) bool {
		var planned state.Planned
		if err == nil {
			planned, err = c.plan.Chunk(ctx, n)
		}
		return err != nil || planned.Parts[0].Segment > segment
	}) - 1
	if err != nil {
		return w, 0, err
	}
	w, err = c.work(ctx, max(n, 0))
	for err == nil && n > 0 && w.Parts[0].Blocks != nil && w.Parts[0].Segment > segment {
		n-- // a block of a range before reaches into the ordinals of this one
		w, err = c.work(ctx, n)
	}
	if err != nil {
		return w, 0, err
	}
	for i, next := range w.Parts {
		if next.Segment <= segment {
			part = i
		}
	}
	return w, part, nil
}

// search looks for the rows of a key, or of its partition where a static column is sought, among those of one segment.
type search struct {
	table cql.Table // of the job
	row   cql.Row
	at    int64
	cells []*TracedCell
}

var errPassed = errors.New("the segment is over")

func (s *search) take(_ context.Context, m workers.Merged) error {
	passed := false
	for i, row := range m.Rows {
		passed = passed || row.Timestamp >= s.at
		if row.Timestamp != s.at || !bytes.Equal(row.PartitionBytes(), s.row.PartitionBytes()) {
			continue
		}
		for _, cell := range s.cells {
			if column := s.table.Index(cell.Column); column >= 0 && s.sets(row, column) {
				cell.Source = source(m.Origin(i, column))
			}
		}
	}
	if passed {
		return errPassed
	}
	return nil
}

// sets says that a row sets the column of the row that is sought.
func (s *search) sets(row cql.Row, column int) bool {
	if s.table.Columns[column].Role != cql.Static && !bytes.Equal(row.KeyBytes(), s.row.KeyBytes()) {
		return false
	}
	packed := row.Values
	var v cql.Value
	for range column + 1 {
		v, packed = cql.NextValue(packed)
	}
	return !v.Unset
}

// source puts a record into its public form.
func source(o workers.Origin) *Source {
	s := &Source{Offset: o.Offset, Length: o.Length}
	if o.Record > 0 {
		s.Record = &o.Record
	}
	if utf8.Valid(o.Raw) {
		raw := string(o.Raw)
		s.Raw = &raw
	} else {
		s.RawBase64 = bytes.Clone(o.Raw)
	}
	return s
}

// When is a write time for people.
func When(micros int64) string {
	return time.UnixMicro(micros).UTC().Format("2006-01-02T15:04:05.000000Z")
}
