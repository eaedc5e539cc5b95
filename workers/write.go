package workers

import (
	"context"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
)

// writing is a batch on its way to the table, while the segments behind it are read.
type writing struct {
	batch   *batch
	done    chan struct{} // closed at the end
	refused []cql.Refusal
	err     error
}

// flush writes the batch. If there is memory for another one, that is filled meanwhile; else flush waits.
func (l *loader) flush(ctx context.Context) error {
	if err := l.settle(ctx); err != nil || l.batch.empty() {
		return err
	}
	w := l.begin()
	if l.passOver != nil || !l.w.memory.tryTake(l.share) { // a replay is asked about the rows while it gives them
		w.write(ctx, l.writer, l.work)
		return l.settle(ctx)
	}
	l.trim()
	go w.write(ctx, l.writer, l.work)
	l.batch, l.spare = l.spare, nil
	l.batch.share = l.share
	return nil
}

// flushLast writes the batch, behind which nothing is read.
func (l *loader) flushLast(ctx context.Context) error {
	if err := l.settle(ctx); err != nil || l.batch.empty() {
		return err
	}
	w := l.begin()
	l.trim()
	w.write(ctx, l.writer, l.work)
	return l.settle(ctx)
}

func (l *loader) begin() *writing {
	l.peak = max(l.peak, l.batch.bytes())
	l.writing = &writing{batch: l.batch, done: make(chan struct{}), err: errNoWord}
	return l.writing
}

// errNoWord is the error of a writer that did not return.
var errNoWord = contracts.Errorf(contracts.KindInternal, "a writer ended without a word about its rows")

// trim gives back what a full batch does not need of its share.
func (l *loader) trim() {
	if unused := l.batch.share - l.peak; unused > 0 {
		l.w.memory.give(unused, false)
		l.batch.share -= unused
	}
}

func (w *writing) write(ctx context.Context, to Writer, work contracts.ChunkWork) {
	defer close(w.done)
	defer caught(&w.err)
	w.refused, w.err = to.Write(ctx, w.batch.finish(work.Base), work.BaseTime)
}

// settle waits until the segments before those of the batch are written, and counts what became of their records, each
// for the part that it came from: the last record of a row is written, those before it are merged.
func (l *loader) settle(ctx context.Context) error {
	w := l.writing
	if w == nil {
		return nil
	}
	if <-w.done; w.err != nil {
		return w.err
	}
	lost, err := l.refuse(ctx, w.batch, w.refused)
	if err != nil {
		return err
	}
	for g := range int32(w.batch.groups.n) {
		l.count(w.batch, w.batch.groups.at(g), lost[int(g)])
	}
	if l.writing = nil; w.batch == l.batch {
		w.batch.reset()
		return nil
	}
	l.put(w.batch)
	l.spare = w.batch
	return nil
}

// count settles a group of which so many records are not in the table. All records of a group are of one part.
func (l *loader) count(b *batch, g *group, lost int64) {
	counts := &l.parts[b.entry(g.last).part].Counts
	if kept := b.records(g) - lost; kept > 0 {
		counts.Written++
		counts.Merged += kept - 1
	}
}
