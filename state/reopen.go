package state

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/penstock-io/penstock/contracts"
)

// Reopening takes an ended job's dead chunks up again. Their outcomes go to the job's history first and its report
// last, so that a crash in between leaves a job that has ended and can be reopened again.
type Reopening struct {
	store *Store
	job   contracts.JobID
	shelf string
}

// Reopen begins to reopen a job that has ended. Two reopenings at the same time have shelves of the same name only if
// they shelve the same.
func (s *Store) Reopen(job contracts.JobID, now time.Time) Reopening {
	stamp := strings.Replace(now.UTC().Format("20060102t150405.000000"), ".", "", 1)
	return Reopening{store: s, job: job, shelf: "history/" + stamp + "/"}
}

// Reopened says whether a job was reopened, once or more often.
func (s *Store) Reopened(ctx context.Context, job contracts.JobID) (bool, error) {
	for _, err := range s.docs.List(ctx, jobKey(job, "history/"), "") {
		return err == nil, err
	}
	return false, nil
}

// Chunk forgets that a chunk is dead, what failed in it, that a user has seen that, and how far its load had come: what
// it had written may be gone, since a table that was lost is made again before a replay.
func (r Reopening) Chunk(ctx context.Context, chunk int) error {
	for _, kind := range []string{"checkpoint", "failures", "discarded", "dead"} {
		if err := r.put(ctx, fmt.Sprintf("%s/%09d", kind, chunk)); err != nil {
			return err
		}
	}
	return nil
}

// Scan forgets that a chunk could not be scanned, if it could not.
func (r Reopening) Scan(ctx context.Context, chunk int) error {
	for _, kind := range []string{"scan", "rescan"} {
		var scan contracts.ScanResult
		err := r.store.read(ctx, chunkKey(r.job, kind, chunk), &scan)
		if err == nil && scan.Error != nil {
			err = r.put(ctx, fmt.Sprintf("%s/%09d", kind, chunk))
		}
		if err != nil && contracts.KindOf(err) != contracts.KindMissing {
			return err
		}
	}
	return nil
}

// Commit puts the job among those that are to run. progress is a snapshot of the fold without what was reopened. What
// was asked of the job, too late to change its end, is asked no more: it would rest or end again at once.
func (r Reopening) Commit(ctx context.Context, progress []byte) error {
	if err := r.put(ctx, "control"); err != nil {
		return err
	}
	if err := r.store.SaveProgress(ctx, r.job, progress); err != nil {
		return err
	}
	// The mark comes before the report goes, so that a crash in between leaves no job that neither has ended nor runs;
	// and again after, since whoever saw both took the mark away.
	if err := r.store.Activate(ctx, r.job); err != nil {
		return err
	}
	if err := r.put(ctx, "report.json"); err != nil {
		return err
	}
	return r.store.Activate(ctx, r.job)
}

// put moves a document of the job into its history; one that is not there need not be moved.
func (r Reopening) put(ctx context.Context, key string) error {
	data, _, err := r.store.docs.Get(ctx, jobKey(r.job, key))
	if contracts.KindOf(err) == contracts.KindMissing {
		return nil
	}
	if err == nil {
		err = r.store.docs.Put(ctx, jobKey(r.job, r.shelf+key), data)
	}
	if err == nil {
		err = r.store.docs.Delete(ctx, jobKey(r.job, key))
	}
	return err
}
