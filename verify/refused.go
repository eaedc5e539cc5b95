package verify

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/state"
)

// refused goes through the records of a chunk that the database refused, in the order of reading, which is the order in
// which a load stores them. It holds those of one reject object at a time.
type refused struct {
	rejects state.RejectDocs
	work    contracts.ChunkWork
	objects map[string]bool // of the parts that are read: other objects' rejects do not come up
	keys    []string        // to read
	next    []place
	err     error // what reading the rejects met; then nothing that was said counts
}

// place is where a record is.
type place struct {
	object string // address
	offset int64
}

func newRefused(r state.RejectDocs, work contracts.ChunkWork, c contracts.Completion) *refused {
	objects := map[string]bool{}
	for _, part := range work.Parts {
		objects[part.Object.Address()] = true
	}
	out := &refused{rejects: r, work: work, objects: objects}
	if c.Rules[contracts.RuleDatabase] > 0 {
		out.keys = c.Rejects
	}
	return out
}

// skip says whether a record was refused. Records come in the order of reading.
func (r *refused) skip(ctx context.Context, part int, offset int64) bool {
	for len(r.next) == 0 && len(r.keys) > 0 && r.err == nil {
		r.err = r.load(ctx)
	}
	if len(r.next) == 0 || r.next[0] != (place{r.work.Parts[part].Object.Address(), offset}) {
		return false
	}
	r.next = r.next[1:]
	return true
}

// load reads the next reject object.
func (r *refused) load(ctx context.Context) error {
	data, _, err := r.rejects.Get(ctx, r.keys[0])
	if err != nil {
		return fmt.Errorf("read the rejects of chunk %d: %w", r.work.Chunk, err)
	}
	r.keys, r.next = r.keys[1:], r.next[:0]
	for line := range bytes.Lines(data) {
		var reject contracts.Reject
		if err := json.Unmarshal(line, &reject); err != nil {
			return contracts.Errorf(contracts.KindInternal, "read the rejects of chunk %d: %w", r.work.Chunk, err)
		}
		if reject.Rule == contracts.RuleDatabase && r.objects[reject.Object] {
			r.next = append(r.next, place{reject.Object, reject.Offset})
		}
	}
	return nil
}
