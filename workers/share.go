package workers

import (
	"context"
	"errors"
	"hash/crc32"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
)

// A chunk gets its share of the process's memory before it is read. How much its rows take is known only then: the
// first guess is what rows take as a rule, later ones what those of the chunk before took. A batch that outgrows its
// share asks for more. Where there is no more, the chunk is begun anew with twice the share; and where that would be
// more than one batch may have, its segments are read more than once, each time for the rows of a part of the keys. It
// is never written in pieces that share a key: they would tear rows.

// guess is how many bytes a batch takes for each byte of its segment: readings of ten columns take 2.1.
const guess = 2.5

// guessRecords is how much more it takes where the records are held, too.
const guessRecords = 1.5

// leastShare is more than twice what the first pages of a batch take.
const leastShare = 2 << 20

// mostPasses bounds how often a segment is read.
const mostPasses = 256

// errOutgrown says that a batch got no more memory: the chunk must be begun anew.
var errOutgrown = errors.New("the rows outgrew their share of the memory")

// appetite is what a loader knows about the memory that the chunks of one revision take.
type appetite struct {
	revision string
	ratio    float64 // bytes for each byte of a segment
	share    int64   // of the chunk under way
	passes   int     // in which its segments are read
	pass     int     // the one under way, from 0
	peak     int64   // the most that one of its batches took
}

// expect says how much a chunk will take, at most so many bytes at a time, and more if the records are held beside the
// rows.
func (a *appetite) expect(work contracts.ChunkWork, records bool, most int64) {
	if a.revision != work.Revision || a.ratio == 0 {
		a.revision, a.ratio = work.Revision, guess
		if records {
			a.ratio += guessRecords
		}
	}
	need := int64(a.ratio*float64(sourceBytesOf(work))) + leastShare
	a.passes = int((need-1)/most) + 1
	a.share = min(need, most)
	a.pass, a.peak = 0, 0
}

// sourceBytesOf is the most that a batch holds of a chunk, in bytes of its source.
func sourceBytesOf(work contracts.ChunkWork) (n int64) {
	for _, p := range work.Parts {
		if p.Compression != "" && p.Compression != "none" {
			return work.SegmentSize
		}
		n += p.End - p.Start
	}
	return min(n, work.SegmentSize)
}

// outgrew doubles the share of the chunk, or the passes where it had the most. False where that is beyond all measure.
func (a *appetite) outgrew(most int64) bool {
	if a.pass, a.peak = 0, 0; a.share < most {
		a.share = min(2*a.share, most)
		return true
	}
	a.passes *= 2
	return a.passes <= mostPasses
}

// learn makes the next guess of what this chunk took.
func (a *appetite) learn(work contracts.ChunkWork) {
	if n := sourceBytesOf(work); n >= leastShare {
		a.ratio = max(0.5, 1.1*float64(a.peak)*float64(a.passes)/float64(n))
	}
}

// keeps says whether batches hold the records, too: where these are asked for, or could not be read again but by going
// through the whole stream.
func (l *loader) keeps() bool { return l.passOver != nil || l.long() }

// full says that the batch is to be written at the boundary between two segments.
func (l *loader) full() bool {
	return l.batch.full(l.work.SegmentSize / int64(l.passes))
}

// grow gets more memory for a batch that needs it.
func (l *loader) grow(ctx context.Context) error {
	b, most := l.batch, l.w.memory.most
	if err := l.settle(ctx); err != nil { // what waits to be counted is memory, too
		return err
	}
	more := min(b.bytes()-b.share+max(b.share/8, leastShare), most-b.share)
	if l.passes > 1 && b.share == most && b.groups.n == 1 {
		return l.tooLong() // more passes are of no use
	}
	if b.share+more < b.bytes() || !l.w.memory.grow(ctx, more) {
		return errOutgrown
	}
	b.share += more
	return nil
}

// mine says whether the pass that is under way takes a row: all rows of a key, and with static columns of a partition,
// are taken by one.
func (l *loader) mine(row cql.Row) bool {
	if l.passes == 1 {
		return true
	}
	key := row.KeyBytes()
	if l.batch.hasStatics() {
		key = row.PartitionBytes()
	}
	return crc32.ChecksumIEEE(key)%uint32(l.passes) == uint32(l.pass) // the same at every try, as rejects then are
}
