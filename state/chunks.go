package state

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strconv"

	"github.com/penstock-io/penstock/contracts"
)

func chunkKey(job contracts.JobID, kind string, chunk int) string {
	return jobKey(job, fmt.Sprintf("%s/%09d", kind, chunk))
}

// PutDone stores a chunk's completion; the first one stored counts and is returned.
func (s *Store) PutDone(ctx context.Context, c contracts.Completion) (contracts.Completion, error) {
	return s.putCompletion(ctx, "done", c)
}

// PutDead stores what became of a chunk that cannot be loaded; the first one stored counts and is returned.
func (s *Store) PutDead(ctx context.Context, c contracts.Completion) (contracts.Completion, error) {
	return s.putCompletion(ctx, "dead", c)
}

func (s *Store) putCompletion(ctx context.Context, kind string, c contracts.Completion) (contracts.Completion, error) {
	c.V = contracts.Version
	created, err := s.createJSON(ctx, chunkKey(c.Job, kind, c.Chunk), c)
	if err != nil || created {
		return c, err
	}
	var first contracts.Completion
	return first, s.read(ctx, chunkKey(c.Job, kind, c.Chunk), &first)
}

// Completion is a chunk's canonical outcome and whether it is done: done beats dead. KindMissing while it has none.
func (s *Store) Completion(ctx context.Context, job contracts.JobID, chunk int) (contracts.Completion, bool, error) {
	var c contracts.Completion
	err := s.read(ctx, chunkKey(job, "done", chunk), &c)
	if contracts.KindOf(err) != contracts.KindMissing {
		return c, err == nil, err
	}
	err = s.read(ctx, chunkKey(job, "dead", chunk), &c)
	return c, false, err
}

// Ended yields the chunks that have an outcome: first those done, then those dead. A chunk may be in both.
func (s *Store) Ended(ctx context.Context, job contracts.JobID) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for _, kind := range []string{"done/", "dead/"} {
			for name, err := range s.names(ctx, jobKey(job, kind)) {
				chunk, bad := strconv.Atoi(name)
				if err == nil && bad != nil {
					continue // not ours
				}
				if !yield(chunk, err) || err != nil {
					return
				}
			}
		}
	}
}

// PutScan stores a chunk's transition function; the first one stored counts and is returned.
func (s *Store) PutScan(ctx context.Context, r contracts.ScanResult) (contracts.ScanResult, error) {
	return s.putScan(ctx, "scan", r)
}

// Scan is a chunk's transition function; KindMissing while it is not known.
func (s *Store) Scan(ctx context.Context, job contracts.JobID, chunk int) (contracts.ScanResult, error) {
	return s.scan(ctx, "scan", job, chunk)
}

// PutRescan is PutScan for a scan that was asked for again, from where the chunk's blocks are known to begin.
func (s *Store) PutRescan(ctx context.Context, r contracts.ScanResult) (contracts.ScanResult, error) {
	return s.putScan(ctx, "rescan", r)
}

// Rescan is the result of a scan that was asked for again; KindMissing while it is not known.
func (s *Store) Rescan(ctx context.Context, job contracts.JobID, chunk int) (contracts.ScanResult, error) {
	return s.scan(ctx, "rescan", job, chunk)
}

func (s *Store) putScan(ctx context.Context, kind string, r contracts.ScanResult) (contracts.ScanResult, error) {
	r.V = contracts.Version
	created, err := s.createJSON(ctx, chunkKey(r.Job, kind, r.Chunk), r)
	if err != nil || created {
		return r, err
	}
	return s.scan(ctx, kind, r.Job, r.Chunk)
}

func (s *Store) scan(
	ctx context.Context, kind string, job contracts.JobID, chunk int,
) (contracts.ScanResult, error) {
	var r contracts.ScanResult
	return r, s.read(ctx, chunkKey(job, kind, chunk), &r)
}

type failures struct {
	V      int                   `json:"v"`
	Errors []contracts.ErrorInfo `json:"errors"`
}

// AddFailure records that an attempt at a chunk failed for the chunk's own reasons and returns how many have.
func (s *Store) AddFailure(ctx context.Context, job contracts.JobID, chunk int, e contracts.ErrorInfo) (int, error) {
	var n int
	err := s.update(ctx, chunkKey(job, "failures", chunk), func(old []byte) ([]byte, error) {
		f := failures{V: contracts.Version}
		if old != nil {
			if err := contracts.Unmarshal(old, &f); err != nil {
				return nil, err
			}
		}
		f.Errors = append(f.Errors, e)
		n = len(f.Errors)
		return json.Marshal(f)
	})
	return n, err
}

// version is what was seen of a document; without an ETag there was none.
type version struct {
	data []byte
	etag string
}

func (s *Store) look(ctx context.Context, key string) (v version, err error) {
	v.data, v.etag, err = s.docs.Get(ctx, key)
	if contracts.KindOf(err) == contracts.KindMissing {
		return version{}, nil
	}
	return v, err
}

// update changes a document by compare-and-swap until it wins; old is nil where there is none.
func (s *Store) update(ctx context.Context, key string, change func(old []byte) ([]byte, error)) error {
	seen, err := s.look(ctx, key)
	if err != nil {
		return err
	}
	_, err = s.updateFrom(ctx, key, seen, change)
	return err
}

// updateFrom is update for a document that was seen before. It returns what it stored; without an ETag where that is
// not known.
func (s *Store) updateFrom(
	ctx context.Context, key string, seen version, change func(old []byte) ([]byte, error),
) (version, error) {
	for {
		data, err := change(seen.data)
		if err != nil {
			return version{}, err
		}
		now := version{data: data}
		if seen.etag == "" {
			err = s.docs.Create(ctx, key, data)
		} else {
			now.etag, err = s.docs.Replace(ctx, key, data, seen.etag)
		}
		switch contracts.KindOf(err) {
		case "":
			return now, nil
		case contracts.KindExists, contracts.KindChanged: // somebody else was first
			seen, err = s.look(ctx, key)
		}
		if err != nil {
			return version{}, err
		}
	}
}

// SaveProgress stores a snapshot of the fold.
func (s *Store) SaveProgress(ctx context.Context, job contracts.JobID, snapshot []byte) error {
	return s.docs.Put(ctx, jobKey(job, "progress"), snapshot)
}

// Progress is the last snapshot of the fold; KindMissing where there is none.
func (s *Store) Progress(ctx context.Context, job contracts.JobID) ([]byte, error) {
	data, _, err := s.docs.Get(ctx, jobKey(job, "progress"))
	return data, err
}
