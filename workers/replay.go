package workers

import (
	"context"
	"time"

	"github.com/penstock-io/penstock/chunk"
	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/cql"
	"github.com/penstock-io/penstock/pipeline"
	"github.com/penstock-io/penstock/state"
)

// Replay reads chunks as a load does, merged rows and all, and writes nothing: whoever asks gets the rows instead of
// the table. Its buffers are kept from one chunk to the next. Not safe for concurrent use.
type Replay struct {
	loader *loader
	skip   func(part int, offset int64) bool
	take   func(context.Context, Merged) error
}

// NewReplay makes a replay of chunks of these objects and pipelines. Store and rejects tell of the records that a job
// of rejects loads; without them such a job is refused.
func NewReplay(objects chunk.Opener, p Pipelines, store *state.Store, rejects state.RejectDocs) *Replay {
	r := &Replay{}
	parts := Parts{
		Store: store, RejectDocs: rejects, Objects: objects, Pipelines: p, Tables: replayTables{r}, Rejects: noRejects{},
	}
	r.loader = newLoader(New(Config{}, parts))
	r.loader.passOver = func(part int, offset int64) bool { return r.skip != nil && r.skip(part, offset) }
	return r
}

// Chunk gives take the rows of the chunk, some whole segments at a time, and returns what the completion of a load
// would be. Records that skip names, by part and offset in the order of reading, count as rejected: they are those that
// the database refused; nil skips none. The error is take's, or that the chunk could not be read as a whole.
func (r *Replay) Chunk(
	ctx context.Context, work contracts.ChunkWork, skip func(part int, offset int64) bool,
	take func(context.Context, Merged) error,
) (contracts.Completion, error) {
	r.skip, r.take = skip, take
	return r.loader.load(ctx, work)
}

// replayTables is the table of a replay.
type replayTables struct{ r *Replay }

func (t replayTables) Writer(_ context.Context, c *pipeline.Compiled) (Writer, error) {
	if c.EventTime() {
		return nil, contracts.Errorf(contracts.KindConfig, "pipeline %s takes its write times from a column "+
			"(write.timestamp): who wrote a cell cannot be told from its write time", c.Spec().Name)
	}
	return t, nil
}

func (t replayTables) Write(ctx context.Context, rows []cql.Row, _ time.Time) ([]cql.Refusal, error) {
	return nil, t.r.take(ctx, Merged{Rows: rows, loader: t.r.loader})
}

// noRejects keeps no rejects: the load has stored them.
type noRejects struct{}

func (noRejects) Put(context.Context, string, []byte) error { return nil }

// Merged are the rows of some whole segments, valid until the call that got them returns.
type Merged struct {
	Rows   []cql.Row
	loader *loader
}

// Origin is the record that a cell is from. Its bytes are valid as long as the rows.
type Origin struct {
	Part   int // of the chunk
	Object contracts.Object
	Offset int64  // in the decompressed object
	Length int64  // may exceed len(Raw)
	Record int64  // from 1 in the object; 0 where unknown
	Raw    []byte // at most the record limit
}

// Origin is the record that set a column of a row: the last one of its key, or for a static column of its partition. A
// column that none sets, and -1, give the row's last record.
func (m Merged) Origin(row, column int) Origin {
	b := m.loader.batch
	i := b.setter(int32(row), column)
	e, s := b.entry(i), b.sources.at(i)
	return Origin{
		Part: int(e.part), Object: m.loader.work.Parts[e.part].Object, Offset: e.offset, Length: s.length,
		Record: max(s.number, 0), Raw: b.raws.at(s.raw, s.cut),
	}
}

// setter is the entry that set a column of a group's row.
func (b *batch) setter(group int32, column int) int32 {
	last := b.groups.at(group).last
	if column < 0 {
		return last
	}
	if b.columns[column].Role == cql.Static {
		if owner := b.statics.owners[b.statics.tenancy(b, last)][column-b.statics.first]; owner >= 0 {
			return owner
		}
	}
	for i := last; i >= 0; i = b.entry(i).prev {
		if !b.value(i, column).Unset {
			return i
		}
	}
	return last
}
