// Package state keeps Penstock's truth in the object store: pipelines, jobs, plans, clocks, completions, the ledger and
// who leads. NATS may lose everything; what is here is enough to end every accepted job with the right table.
//
// All writes that two processes could make at once are conditional: create-only, or compare-and-swap. What must never
// happen: a document that decides what a job does to a table being overwritten by another value.
//
// Layout of the state bucket:
//
//	pipelines/<name>/<revision>.yaml   a spec in canonical form; immutable
//	current/<name>                     the revision that new jobs take
//	targets/<name>                     the target that the pipeline was last applied with; a note
//	jobs/<job>/job.json                the accepted job; immutable
//	jobs/<job>/plan.json               the sealed plan, with its chunks where they are few; immutable
//	jobs/<job>/plan/<attempt>/<page>   its chunks, in pages, where they are many; immutable once sealed
//	jobs/<job>/done|dead|scan/<chunk>  completions, dead letters, transition functions; the first one stored counts
//	jobs/<job>/rescan/<chunk>          transition functions that were asked for again; the first one stored counts
//	jobs/<job>/checkpoint/<chunk>      how far the load of a compressed stream has come; a cache
//	jobs/<job>/failures/<chunk>        what went wrong in each attempt
//	jobs/<job>/discarded/<chunk>       a user has seen that the chunk is dead
//	jobs/<job>/history/<time>/…        dead letters and reports from before chunks were replayed
//	jobs/<job>/control                 pause, resume or cancel, asked for by a user
//	jobs/<job>/progress                snapshot of the fold; a cache
//	jobs/<job>/report.json             how the job ended; immutable
//	index/<job>, active/<job>          markers, for listing; written before job.json
//	clocks/<keyspace>.<table>          the first free write timestamp
//	ledger/<pipeline>/<bucket>/…       object versions that were loaded by jobs of a few
//	ledger/<pipeline>/~/directory      the runs of those that were loaded by jobs of many
//	ledger/<pipeline>/~/<run>/<page>   their pages; immutable, until the run is merged
//	refused/<id>, refused-seen/<id>    messages that could not be read, and those that a user has seen
//	leader                             the dispatcher that leads, and until when
package state

import (
	"context"
	"encoding/json"
	"iter"
	"sync"

	"github.com/penstock-io/penstock/contracts"
)

// Docs is the part of an object store that this package uses, on one bucket.
type Docs interface {
	// Get fails with KindMissing where there is nothing.
	Get(ctx context.Context, key string) (data []byte, etag string, err error)
	Put(ctx context.Context, key string, data []byte) error
	// Create fails with KindExists where there is something.
	Create(ctx context.Context, key string, data []byte) error
	// Replace fails with KindChanged unless the document still has this ETag.
	Replace(ctx context.Context, key string, data []byte, etag string) (string, error)
	Delete(ctx context.Context, key string) error
	// List yields keys in byte order, those after the given one.
	List(ctx context.Context, prefix, after string) iter.Seq2[string, error]
}

// Store is the truth. It is safe for concurrent use.
type Store struct {
	docs   Docs
	lead   watch
	mu     sync.Mutex
	clocks map[string]*tableClock
	page   int  // entries of a page of the ledger
	alone  bool // nobody else reserves timestamps
}

// New makes a store on a bucket.
func New(docs Docs) *Store {
	return &Store{docs: docs, clocks: map[string]*tableClock{}, page: pageEntries}
}

// read decodes a document.
func (s *Store) read(ctx context.Context, key string, v any) error {
	data, _, err := s.docs.Get(ctx, key)
	if err != nil {
		return err
	}
	return contracts.Unmarshal(data, v)
}

// createJSON stores a document that people read; false where there is one already.
func (s *Store) createJSON(ctx context.Context, key string, v any) (bool, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return false, contracts.Errorf(contracts.KindInternal, "encode %s: %w", key, err)
	}
	return s.create(ctx, key, data)
}

// create stores a document; false where there is one already.
func (s *Store) create(ctx context.Context, key string, data []byte) (bool, error) {
	err := s.docs.Create(ctx, key, data)
	if contracts.KindOf(err) == contracts.KindExists {
		return false, nil
	}
	return err == nil, err
}
