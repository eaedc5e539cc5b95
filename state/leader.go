package state

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/penstock-io/penstock/contracts"
)

const leaderKey = "leader"

type lease struct {
	V       int       `json:"v"`
	Owner   string    `json:"owner"`
	Expires time.Time `json:"expires"`
}

// watch remembers since when the lease has stood as it is, by this process's own clock.
type watch struct {
	mu    sync.Mutex
	etag  string
	since time.Time
}

// stood is for how long the lease has been seen with this ETag.
func (w *watch) stood(etag string, now time.Time) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.etag != etag {
		w.etag, w.since = etag, now
	}
	return now.Sub(w.since)
}

// TryLead takes or renews leadership until now+ttl. It spares work, no more: two leaders at once do the same job twice,
// and the table comes out the same. A lease that nobody has renewed for ttl is over, whatever the clock of its owner
// said of its end.
func (s *Store) TryLead(ctx context.Context, owner string, now time.Time, ttl time.Duration) (bool, error) {
	data, etag, err := s.docs.Get(ctx, leaderKey)
	mine, encErr := json.Marshal(lease{V: contracts.Version, Owner: owner, Expires: now.Add(ttl)})
	if encErr != nil {
		return false, encErr
	}
	if contracts.KindOf(err) == contracts.KindMissing {
		return s.create(ctx, leaderKey, mine)
	}
	if err != nil {
		return false, err
	}
	var held lease
	if err := contracts.Unmarshal(data, &held); err != nil {
		return false, err
	}
	if stood := s.lead.stood(etag, now); held.Owner != owner && now.Before(held.Expires) && stood < ttl {
		return false, nil
	}
	_, err = s.docs.Replace(ctx, leaderKey, mine, etag)
	if k := contracts.KindOf(err); k == contracts.KindChanged || k == contracts.KindMissing {
		return false, nil
	}
	return err == nil, err
}

// Resign gives leadership up, if owner has it, so that another need not wait for the lease to run out.
func (s *Store) Resign(ctx context.Context, owner string) error {
	data, etag, err := s.docs.Get(ctx, leaderKey)
	if err != nil {
		return err
	}
	var held lease
	if err := contracts.Unmarshal(data, &held); err != nil || held.Owner != owner {
		return err
	}
	held.Expires = time.Time{}
	data, err = json.Marshal(held)
	if err != nil {
		return err
	}
	_, err = s.docs.Replace(ctx, leaderKey, data, etag)
	return err
}
