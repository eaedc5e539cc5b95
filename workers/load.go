package workers

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/penstock-io/penstock/chunk"
	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/pipeline"
)

// loader loads one chunk after the other and keeps its buffers in between. Not safe for concurrent use.
type loader struct {
	w        *Workers
	objects  *ahead // of the chunk under way
	batch    *batch
	rejects  rejectLog
	work     contracts.ChunkWork
	pipeline *pipeline.Compiled
	writer   Writer
	parts    []contracts.PartResult
	resumed  int64                             // ordinal: the segments before it were written by a try before
	saved    int64                             // ordinal of the last checkpoint
	passOver func(part int, offset int64) bool // of a replay: the record is a reject already; nil for a load
}

func newLoader(w *Workers) *loader { return &loader{w: w, batch: newBatch(&w.pools)} }

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
	l.objects = newAhead(ctx, l.w.Objects, work.Parts)
	defer l.objects.Close()
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
	l.batch.reset()
	l.batch.open(l.pipeline.Table().Columns, l.pipeline.EventTime(), l.passOver != nil || l.long())
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
	r, err := l.openPart(ctx, i)
	if err != nil {
		return l.blame(i, err)
	}
	fault, err := l.readPart(ctx, r)
	l.parts[i].Bytes = r.BytesRead()
	fault = r.end(fault)
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
	if !ofObject(err) {
		return err
	}
	if contracts.KindOf(err) != contracts.KindInput {
		l.parts[i].Counts.Read -= l.batch.drop(i)
	}
	l.parts[i].Error = contracts.Info(err)
	return nil
}

// ofObject says whether an error is an object's, which would meet every try.
func ofObject(err error) bool {
	var object *contracts.Error
	kind := contracts.KindOf(err)
	return errors.As(err, &object) && object.Object != "" && !kind.Transient() && kind != contracts.KindInternal
}

// readPart takes the part's records. fault is what the reader met; err is of the chunk as a whole.
func (l *loader) readPart(ctx context.Context, r *partReader) (fault, err error) {
	part := r.part
	t := l.pipeline.Bind(pipeline.ObjectContext{Job: l.work.Job, BaseTime: l.work.BaseTime, Object: part.Object})
	for {
		rec, err := r.next()
		if err == io.EOF {
			return nil, nil
		}
		if err != nil {
			return err, nil
		}
		if segment := l.segmentOf(part, rec.Offset); segment != r.at.segment {
			if segment >= part.Segment+part.Segments {
				return l.swollen(part, rec.Offset), nil
			}
			if err := l.nextSegment(ctx, &r.at, segment); err != nil {
				return nil, err
			}
		}
		if r.at.segment < l.resumed {
			continue
		}
		if err := l.take(ctx, r.at, t, rec); err != nil {
			return nil, err
		}
	}
}

// segmentOf is the ordinal of the segment to which a record belongs: by its offset alone, so that it is the same at
// every try.
func (l *loader) segmentOf(part contracts.Part, offset int64) int64 {
	switch {
	case part.Blocks != nil:
		return part.Segment + chunk.SegmentOf(offset, part.Blocks.Start, l.work.SegmentSize)
	case part.Segments <= 1:
		return part.Segment
	default:
		return part.Segment + chunk.SegmentOf(offset, part.Start, l.work.SegmentSize)
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
	_, row, result, problem := t.Transform(rec, l.batch.rows.tail())
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
		l.batch.add(at.segment, at.part, row, rec, at.number)
		if l.batch.bytes() > l.w.cfg.maxBatch {
			return l.tooLong(at, rec)
		}
		return nil
	}
}

// tooLong is the error of a segment whose rows do not fit into memory.
func (l *loader) tooLong(at position, rec *contracts.Record) error {
	return contracts.At(contracts.KindConfig, l.work.Parts[at.part].Object.Address(), rec.Offset,
		"the rows of one segment take more than %d bytes: expected less from a segment of %d: load it with a smaller "+
			"--chunk-size", l.w.cfg.maxBatch, l.work.SegmentSize)
}

func (l *loader) reject(ctx context.Context, at position, rec *contracts.Record, p contracts.Problem) error {
	l.parts[at.part].Counts.Rejected++
	return l.tell(ctx, at, rec, p)
}

// tell logs a reject.
func (l *loader) tell(ctx context.Context, at position, rec *contracts.Record, p contracts.Problem) error {
	o := l.work.Parts[at.part].Object
	line := contracts.Reject{
		Job: l.work.Job, Pipeline: l.work.Pipeline, Object: o.Address(), Version: o.Version(),
		Offset: rec.Offset, Length: rec.Length, Column: p.Column, Rule: p.Rule, Value: p.Value, Reason: p.Reason,
	}
	if at.number > 0 {
		line.Record = &at.number
	} else {
		line.InChunk = -at.number
	}
	setRaw(&line, rec.Raw)
	return l.rejects.add(ctx, at.segment, line)
}

// flush writes the batch and counts what became of its records, each for the part that it came from: the last record
// of a row is written, those before it are merged.
func (l *loader) flush(ctx context.Context) error {
	if l.batch.empty() {
		return nil
	}
	refused, err := l.writer.Write(ctx, l.batch.finish(l.work.Base), l.work.BaseTime)
	if err != nil {
		return err
	}
	lost, err := l.refuse(ctx, refused)
	if err != nil {
		return err
	}
	for g := range int32(l.batch.groups.n) {
		l.count(l.batch.groups.at(g), lost[int(g)])
	}
	l.batch.reset()
	return nil
}

// count settles a group of which so many records are not in the table. All records of a group are of one part.
func (l *loader) count(g *group, lost int64) {
	counts := &l.parts[l.batch.entry(g.last).part].Counts
	if kept := l.batch.records(g) - lost; kept > 0 {
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
