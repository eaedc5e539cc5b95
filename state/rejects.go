package state

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/penstock-io/penstock/contracts"
)

// RejectDocs reads reject objects, which are in a bucket of their own.
type RejectDocs interface {
	Get(ctx context.Context, key string) (data []byte, etag string, err error)
}

// EachReject calls fn for each reject of a chunk that is done, one reject object in memory at a time. Rejects of one
// object come nearly, but not quite, in order. A chunk that is dead may be done one day, with other rejects: it has
// none here.
func (s *Store) EachReject(
	ctx context.Context, docs RejectDocs, job contracts.JobID, chunk int, fn func(contracts.Reject) error,
) error {
	c, done, err := s.Completion(ctx, job, chunk)
	if contracts.KindOf(err) == contracts.KindMissing || err == nil && !done {
		return nil
	}
	if err != nil {
		return err
	}
	for _, key := range c.Rejects {
		data, _, err := docs.Get(ctx, key)
		if err != nil {
			return fmt.Errorf("rejects of chunk %d of job %s: %w", chunk, job, err)
		}
		lines := json.NewDecoder(bytes.NewReader(data))
		for {
			var r contracts.Reject
			if err := lines.Decode(&r); err == io.EOF {
				break
			} else if err != nil {
				return contracts.Errorf(contracts.KindInternal, "reject object %s: %w", key, err)
			}
			if err := fn(r); err != nil {
				return err
			}
		}
	}
	return nil
}
