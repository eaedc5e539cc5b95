package state

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"iter"
	"strconv"
	"time"

	"github.com/penstock-io/penstock/contracts"
)

// Dead yields the completions of a job's dead chunks, in order of chunks; those that were done all the same are not
// among them.
func (s *Store) Dead(ctx context.Context, job contracts.JobID) iter.Seq2[contracts.Completion, error] {
	return func(yield func(contracts.Completion, error) bool) {
		for name, err := range s.names(ctx, jobKey(job, "dead/")) {
			chunk, bad := strconv.Atoi(name)
			if err == nil && bad != nil {
				continue // not ours
			}
			var c contracts.Completion
			done := false
			if err == nil {
				c, done, err = s.Completion(ctx, job, chunk)
			}
			if done || contracts.KindOf(err) == contracts.KindMissing { // reopened since it was listed
				continue
			}
			if !yield(c, err) || err != nil {
				return
			}
		}
	}
}

// Failures are what went wrong in the attempts at a chunk, oldest first; none where nothing did.
func (s *Store) Failures(ctx context.Context, job contracts.JobID, chunk int) ([]contracts.ErrorInfo, error) {
	var f failures
	err := s.read(ctx, chunkKey(job, "failures", chunk), &f)
	if contracts.KindOf(err) == contracts.KindMissing {
		return []contracts.ErrorInfo{}, nil
	}
	return f.Errors, err
}

// Discard notes that a user has seen that a chunk is dead.
func (s *Store) Discard(ctx context.Context, job contracts.JobID, chunk int) error {
	_, err := s.create(ctx, chunkKey(job, "discarded", chunk), []byte("{}"))
	return err
}

// Discarded says whether a user has seen that a chunk is dead.
func (s *Store) Discarded(ctx context.Context, job contracts.JobID, chunk int) (bool, error) {
	return s.has(ctx, chunkKey(job, "discarded", chunk))
}

func (s *Store) has(ctx context.Context, key string) (bool, error) {
	_, _, err := s.docs.Get(ctx, key)
	if contracts.KindOf(err) == contracts.KindMissing {
		return false, nil
	}
	return err == nil, err
}

// Refused is a message that no dispatcher could make anything of.
type Refused struct {
	V       int       `json:"v"`
	ID      string    `json:"id"` // derived from subject and data: the same message again is the same
	Subject string    `json:"subject"`
	Time    time.Time `json:"time"` // when it came first
	Reason  string    `json:"reason"`
	Data    []byte    `json:"data"`
}

// PutRefused stores a message that was refused. Where one of the same subject and data was before, the reason is the
// new one's, and no user has seen it yet.
func (s *Store) PutRefused(ctx context.Context, r Refused) error {
	sum := sha256.Sum256([]byte(r.Subject + "\x00" + string(r.Data)))
	r.V, r.ID = contracts.Version, hex.EncodeToString(sum[:8])
	err := s.update(ctx, "refused/"+r.ID, func(old []byte) ([]byte, error) {
		var first Refused
		if old != nil {
			if err := contracts.Unmarshal(old, &first); err != nil {
				return nil, err
			}
			r.Time = first.Time
		}
		return json.Marshal(r)
	})
	if err != nil {
		return err
	}
	return s.docs.Delete(ctx, "refused-seen/"+r.ID)
}

// Refused is a message that was refused; KindMissing where there is none.
func (s *Store) Refused(ctx context.Context, id string) (Refused, error) {
	var r Refused
	err := s.read(ctx, "refused/"+id, &r)
	if contracts.KindOf(err) == contracts.KindMissing {
		err = contracts.Errorf(contracts.KindMissing, "message %q: unknown: `penstock dead list` lists them", id)
	}
	return r, err
}

// AllRefused yields the messages that were refused.
func (s *Store) AllRefused(ctx context.Context) iter.Seq2[Refused, error] {
	return func(yield func(Refused, error) bool) {
		for id, err := range s.names(ctx, "refused/") {
			var r Refused
			if err == nil {
				r, err = s.Refused(ctx, id)
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// DiscardRefused notes that a user has seen that a message was refused.
func (s *Store) DiscardRefused(ctx context.Context, id string) error {
	_, err := s.create(ctx, "refused-seen/"+id, []byte("{}"))
	return err
}

// DiscardedRefused says whether a user has seen that a message was refused.
func (s *Store) DiscardedRefused(ctx context.Context, id string) (bool, error) {
	return s.has(ctx, "refused-seen/"+id)
}
