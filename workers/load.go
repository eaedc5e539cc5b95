package workers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/penstock-io/penstock/chunk"
	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
	"github.com/penstock-io/penstock/pipeline"
)

// loader loads one chunk after the other and keeps its buffers in between. Not safe for concurrent use.
type loader struct {
	w        *Workers
	batch    *batch
	rows     []cql.Row
	rejects  rejectLog
	work     contracts.ChunkWork
	pipeline *pipeline.Compiled
	writer   Writer
	parts    []contracts.PartResult
	resumed  int64                             // ordinal: the segments before it were written by a try before
	saved    int64                             // ordinal of the last checkpoint
	passOver func(part int, offset int64) bool // of a replay: the record is a reject already; nil for a load
}

func newLoader(w *Workers) *loader { return &loader{w: w, batch: newBatch()} }

// load reads a chunk and writes its rows. What is wrong with an object is part of the completion; an error means that
// the chunk as a whole has no outcome yet.
func (l *loader) load(ctx context.Context, work contracts.ChunkWork) (contracts.Completion, error) {
	begin := l.w.cfg.Now()
	if err := l.open(ctx, work); err != nil {
		return contracts.Completion{}, err
	}
	if err := l.resume(ctx); err != nil {
		return contracts.Completion{}, err
	}
	for i := range work.Parts {
		if err := l.loadPart(ctx, i); err != nil {
			return contracts.Completion{}, err
		}
	}
	if err := l.flush(ctx); err != nil {
		return contracts.Completion{}, err
	}
	if err := l.rejects.flush(ctx); err != nil {
		return contracts.Completion{}, err
	}
	c := l.completion()
	c.Seconds = l.w.cfg.Now().Sub(begin).Seconds()
	if !c.Counts.Balanced() {
		return c, contracts.Errorf(contracts.KindInternal, "the counts of chunk %d do not add up: %+v", work.Chunk, c.Counts)
	}
	return c, nil
}

func (l *loader) open(ctx context.Context, work contracts.ChunkWork) (err error) {
	l.work = work
	if l.pipeline, err = l.w.Pipelines.Compiled(ctx, work.Pipeline, work.Revision); err != nil {
		return err
	}
	if l.writer, err = l.w.Tables.Writer(ctx, l.pipeline); err != nil {
		return err
	}
	l.batch.reset(l.pipeline.Table().Columns)
	l.batch.timed = l.pipeline.EventTime()
	l.parts = make([]contracts.PartResult, len(work.Parts))
	l.rejects.reset(l.w.Rejects, fmt.Sprintf("%s/%s/", work.Pipeline, work.Job))
	return nil
}

// loadPart reads one part into the batch, and writes the batch at segment boundaries when it is full.
func (l *loader) loadPart(ctx context.Context, i int) error {
	if l.batch.full(l.work.SegmentSize) {
		if err := l.flush(ctx); err != nil {
			return err
		}
	}
	c := l.pipeline
	only, err := l.listed(ctx, l.work.Parts[i])
	if err != nil {
		return l.blame(i, err)
	}
	r, err := chunk.NewReader(ctx, l.w.Objects, l.work.Parts[i], chunk.Spec{
		Format: c.Format(), Inputs: c.Inputs(), Strict: c.Strict(), Required: c.Inputs()[:c.Required()],
		MaxRecord: l.work.MaxRecord,
	})
	if err != nil {
		return l.blame(i, err)
	}
	fault, err := l.readPart(ctx, i, r, only)
	l.parts[i].Bytes = r.BytesRead()
	// A local file is looked at once more when it is closed: if it changed, whatever else was found in it counts for
	// nothing.
	if cerr := r.Close(); fault == nil || contracts.KindOf(cerr) == contracts.KindChanged {
		fault = cmp.Or(cerr, fault)
	}
	if err != nil || fault == nil {
		return err
	}
	return l.blame(i, fault)
}

// blame takes what reading a part met for that part's result where the object is at fault, and would be at every try.
// Otherwise the chunk as a whole has no outcome.
//
// Only a fault of the content stops every try at the same record. After any other, rows of half a segment would meet
// those of the whole one at the same timestamps in a later try, and tear: so they are not written.
func (l *loader) blame(i int, err error) error {
	var object *contracts.Error
	if !errors.As(err, &object) || object.Object == "" {
		return err
	}
	if kind := contracts.KindOf(err); kind.Transient() || kind == contracts.KindInternal {
		return err
	}
	if contracts.KindOf(err) != contracts.KindInput {
		l.parts[i].Counts.Read -= l.batch.drop(i)
	}
	l.parts[i].Error = contracts.Info(err)
	return nil
}

// readPart takes the part's records. fault is what the reader met; err is of the chunk as a whole.
func (l *loader) readPart(ctx context.Context, i int, r chunk.Reader, only listed) (fault, err error) {
	part := l.work.Parts[i]
	t := l.pipeline.Bind(pipeline.ObjectContext{Job: l.work.Job, BaseTime: l.work.BaseTime, Object: part.Object})
	at := position{part: i, segment: part.Segment, number: max(part.Records, 0), known: part.Records >= 0}
	for {
		rec, err := r.Next()
		if err == io.EOF {
			return only.missed(part), nil
		}
		if err != nil {
			return err, nil
		}
		if only == nil || at.known { // else those before the part's first record are not counted either
			at.count()
		}
		if !only.wants(rec.Offset) {
			continue
		}
		if segment := part.Segment + l.segmentOf(part, rec.Offset); segment != at.segment {
			if segment >= part.Segment+part.Segments {
				return l.swollen(part, rec.Offset), nil
			}
			if err := l.nextSegment(ctx, &at, segment); err != nil {
				return nil, err
			}
		}
		if at.segment < l.resumed {
			continue
		}
		if err := l.take(ctx, at, t, rec); err != nil {
			return nil, err
		}
	}
}

// position is where in the chunk a record stands.
type position struct {
	part    int
	segment int64
	number  int64 // of the record, from 1 in its object; where that is not known from -1 down in the part
	known   bool  // number is the object's
}

// count goes on to the next record.
func (p *position) count() {
	if p.known {
		p.number++
	} else {
		p.number--
	}
}

// segmentOf is the segment of a part to which a record belongs: by its offset alone, so that it is the same at every
// try.
func (l *loader) segmentOf(part contracts.Part, offset int64) int64 {
	switch {
	case part.Blocks != nil:
		return chunk.SegmentOf(offset, part.Blocks.Start, l.work.SegmentSize)
	case part.Segments <= 1:
		return 0
	default:
		return chunk.SegmentOf(offset, part.Start, l.work.SegmentSize)
	}
}

// swollen is the error of a stream that goes on beyond the ordinals reserved for it.
func (l *loader) swollen(part contracts.Part, offset int64) error {
	return contracts.At(contracts.KindInput, part.Object.Address(), offset,
		"decompresses to more than %d segments of %d bytes: expected a sane ratio; load it uncompressed",
		part.Segments, l.work.SegmentSize)
}

// nextSegment crosses a segment boundary of a stream.
func (l *loader) nextSegment(ctx context.Context, at *position, segment int64) error {
	at.segment = segment
	if !l.batch.full(l.work.SegmentSize) {
		return nil
	}
	if err := l.flush(ctx); err != nil {
		return err
	}
	return l.checkpoint(ctx, segment)
}

// take makes a row of a record, or a reject, or nothing if the pipeline filters it.
func (l *loader) take(ctx context.Context, at position, t *pipeline.Transformer, rec *contracts.Record) error {
	counts := &l.parts[at.part].Counts
	counts.Read++
	if rec.Problem != nil {
		return l.reject(ctx, at, rec, *rec.Problem)
	}
	out, row, result, problem := t.Transform(rec, l.batch.rows)
	switch result {
	case pipeline.Filtered:
		counts.Filtered++
		return nil
	case pipeline.Rejected:
		return l.reject(ctx, at, rec, *problem)
	default:
		if l.passOver != nil && l.passOver(at.part, rec.Offset) {
			counts.Rejected++
			return nil
		}
		if l.batch.rows = out; len(out) > l.batch.limit {
			return l.tooLong(at, rec)
		}
		l.batch.add(at.segment, at.part, row, rec, at.number)
		return nil
	}
}

// tooLong is the error of a segment whose rows do not fit into memory.
func (l *loader) tooLong(at position, rec *contracts.Record) error {
	return contracts.At(contracts.KindConfig, l.work.Parts[at.part].Object.Address(), rec.Offset,
		"the rows of one segment take more than %d bytes: expected less from a segment of %d: load it with a smaller "+
			"--chunk-size", l.batch.limit, l.work.SegmentSize)
}

func (l *loader) reject(ctx context.Context, at position, rec *contracts.Record, p contracts.Problem) error {
	l.parts[at.part].Counts.Rejected++
	line := l.line(at.part, rec.Offset, rec.Length, at.number, p)
	setRaw(&line, rec.Raw)
	return l.rejects.add(ctx, at.segment, line)
}

// rejectEntry rejects a record that is in the batch.
func (l *loader) rejectEntry(ctx context.Context, segment int64, e *entry, p contracts.Problem) error {
	line := l.line(int(e.part), e.offset, e.length, e.record, p)
	setRaw(&line, l.batch.rawOf(e))
	return l.rejects.add(ctx, segment, line)
}

func (l *loader) line(part int, offset, length, number int64, p contracts.Problem) contracts.Reject {
	o := l.work.Parts[part].Object
	line := contracts.Reject{
		Job: l.work.Job, Pipeline: l.work.Pipeline, Object: o.Address(), Version: o.Version(),
		Offset: offset, Length: length, Column: p.Column, Rule: p.Rule, Value: p.Value, Reason: p.Reason,
	}
	if number > 0 {
		line.Record = &number
	} else {
		line.InChunk = -number
	}
	return line
}

// flush writes the batch and counts what became of its records, each for the part that it came from: the last record
// of a row is written, those before it are merged.
func (l *loader) flush(ctx context.Context) error {
	if l.batch.empty() {
		return nil
	}
	l.rows = l.batch.finish(l.work.Base, l.rows[:0])
	refused, err := l.writer.Write(ctx, l.rows, l.work.BaseTime)
	if err != nil {
		return err
	}
	rejected, err := l.refuse(ctx, refused)
	if err != nil {
		return err
	}
	for g := range l.batch.groups {
		l.count(&l.batch.groups[g], rejected[g])
	}
	l.batch.reset(l.batch.columns)
	return nil
}

// count settles a group of which so many records were rejected. All records of a group are of one part.
func (l *loader) count(g *group, rejected int) {
	counts := &l.parts[l.batch.entries[g.last].part].Counts
	counts.Rejected += int64(rejected)
	if kept := int64(g.count) - int64(rejected); kept > 0 {
		counts.Written++
		counts.Merged += kept - 1
	}
}

func (l *loader) completion() contracts.Completion {
	c := contracts.Completion{
		Job: l.work.Job, Chunk: l.work.Chunk, Parts: l.parts, Rules: l.rejects.rules, Rejects: l.rejects.keys,
		Worker: l.w.cfg.Name,
	}
	for _, p := range l.parts {
		c.Counts.Add(p.Counts)
		c.Bytes += p.Bytes
		if c.Error == nil {
			c.Error = p.Error
		}
	}
	return c
}
