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

// loader loads one chunk after the other. Not safe for concurrent use.
type loader struct {
	w *Workers
	appetite
	objects  *ahead          // of the chunk under way
	fetch    context.Context // has ended when no work is begun any more
	read     func()          // called when the chunk is read: another one may be
	batch    *batch          // is being filled
	spare    *batch          // empty, while another is written
	writing  *writing        // the segments before those of batch; nil where they are written
	rejects  rejectLog
	work     contracts.ChunkWork
	pipeline *pipeline.Compiled
	writer   Writer
	parts    []contracts.PartResult
	resumed  int64                             // ordinal: the segments before it were written by a try before
	saved    int64                             // ordinal of the last checkpoint
	passOver func(part int, offset int64) bool // of a replay: the record is a reject already; nil for a load
}

func newLoader(w *Workers) *loader {
	return &loader{
		w: w, fetch: context.Background(), read: func() {},
		batch: newBatch(&w.pools), spare: newBatch(&w.pools),
	}
}

// load reads a chunk and writes its rows. What is wrong with an object is part of the completion; an error means that
// the chunk as a whole has no outcome yet.
func (l *loader) load(ctx context.Context, work contracts.ChunkWork) (c contracts.Completion, err error) {
	begin := l.w.cfg.Now()
	l.work = work
	l.expect(work, l.keeps(), l.w.memory.most)
	for err = l.try(ctx, work); errors.Is(err, errOutgrown); err = l.try(ctx, work) {
		if !l.outgrew(l.w.memory.most) {
			return c, l.tooLong()
		}
	}
	if err != nil {
		return c, err
	}
	l.learn(work)
	c = l.completion()
	c.Seconds = l.w.cfg.Now().Sub(begin).Seconds()
	if !c.Counts.Balanced() {
		return c, contracts.Errorf(contracts.KindInternal, "the counts of chunk %d do not add up: %+v", work.Chunk, c.Counts)
	}
	return c, nil
}

// try loads the chunk with the share of memory that it is expected to need.
func (l *loader) try(ctx context.Context, work contracts.ChunkWork) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer l.close()
	defer cancel()
	if err := l.open(ctx, work); err != nil {
		return err
	}
	if err := l.resume(ctx); err != nil {
		return err
	}
	l.objects = newAhead(ctx, l.w.Objects, work.Parts)
	defer l.objects.Close()
	for l.pass = range l.passes {
		for i := range work.Parts {
			if err := l.loadPart(ctx, i); err != nil {
				return err
			}
		}
		if l.pass < l.passes-1 {
			err = errors.Join(l.flush(ctx), l.settle(ctx))
		} else {
			l.read()
			err = l.flushLast(ctx)
		}
		if err != nil {
			return err
		}
	}
	return l.rejects.flush(ctx)
}

func (l *loader) open(ctx context.Context, work contracts.ChunkWork) (err error) {
	if l.pipeline, err = l.w.Pipelines.Compiled(ctx, work.Pipeline, work.Revision); err != nil {
		return err
	}
	if l.writer, err = l.w.Tables.Writer(ctx, l.pipeline); err != nil {
		return err
	}
	waiting, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(l.fetch, func() { cancel(errLeaving) })()
	if err := l.w.memory.take(waiting, l.share); err != nil {
		return err
	}
	l.batch.share = l.share
	for _, b := range []*batch{l.batch, l.spare} {
		b.open(l.pipeline.Table().Columns, l.pipeline.EventTime(), l.keeps())
	}
	l.parts = make([]contracts.PartResult, len(work.Parts))
	l.rejects.reset(l.w.Rejects, fmt.Sprintf("%s/%s/", work.Pipeline, work.Job))
	return nil
}

// close waits for what is being written, and gives the memory back.
func (l *loader) close() {
	if w := l.writing; w != nil {
		if <-w.done; w.batch != l.batch {
			l.put(w.batch)
			l.spare = w.batch
		}
		l.writing = nil
	}
	if l.batch.share > 0 {
		l.put(l.batch)
	}
}

// put empties a batch and gives its share back.
func (l *loader) put(b *batch) {
	b.reset()
	l.w.memory.give(b.share, true)
	b.share = 0
}

// loadPart reads one part into the batch, and writes the batch at segment boundaries when it is full.
func (l *loader) loadPart(ctx context.Context, i int) error {
	if l.full() {
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
	if !l.full() {
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
	if rec.Problem != nil {
		return l.reject(ctx, at, rec, *rec.Problem)
	}
	_, row, result, problem := t.Transform(rec, l.batch.rows.tail())
	switch result {
	case pipeline.Filtered:
		if l.pass == 0 {
			counts.Read++
			counts.Filtered++
		}
		return nil
	case pipeline.Rejected:
		return l.reject(ctx, at, rec, *problem)
	default:
		if !l.mine(row) {
			return nil
		}
		if counts.Read++; l.passOver != nil && l.passOver(at.part, rec.Offset) {
			counts.Rejected++
			return nil
		}
		l.batch.add(at.segment, at.part, row, rec, at.number)
		if l.batch.bytes() > l.batch.share {
			return l.grow(ctx)
		}
		return nil
	}
}

// tooLong is the error of rows of one key that do not fit into memory.
func (l *loader) tooLong() error {
	remedy := "load it with a smaller --chunk-size"
	if l.w.memory.most == l.w.memory.total {
		remedy += ", or give workers more PENSTOCK_MEMORY"
	}
	return contracts.At(contracts.KindConfig, l.work.Parts[0].Object.Address(), -1,
		"the rows of one segment of %d bytes take far more memory than the %d bytes that segments may take here, or too "+
			"many are of one key: %s", l.work.SegmentSize, l.w.memory.most, remedy)
}

// reject rejects a record as it is read, in the first pass alone. What the database refuses of the segments before
// comes first, as in every try.
func (l *loader) reject(ctx context.Context, at position, rec *contracts.Record, p contracts.Problem) error {
	if l.pass > 0 {
		return nil
	}
	counts := &l.parts[at.part].Counts
	counts.Read++
	counts.Rejected++
	if err := l.settle(ctx); err != nil {
		return err
	}
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
