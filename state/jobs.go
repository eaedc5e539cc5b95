package state

import (
	"context"
	"iter"

	"golang.org/x/sync/errgroup"

	"github.com/penstock-io/penstock/contracts"
)

func jobKey(job contracts.JobID, rest string) string { return "jobs/" + string(job) + "/" + rest }

// AcceptJob stores a job, once: where the id is taken, what was stored first is returned with false.
//
// The markers come first, so that a job which is stored will be found, even if the process dies here and the job's
// message is lost. A marker without a job says that one may come.
func (s *Store) AcceptJob(ctx context.Context, j contracts.AcceptedJob) (contracts.AcceptedJob, bool, error) {
	if err := s.MarkJob(ctx, j.ID); err != nil {
		return j, false, err
	}
	return s.StoreJob(ctx, j)
}

// MarkJob is the first half of AcceptJob, for who does not know yet all that the job says.
func (s *Store) MarkJob(ctx context.Context, id contracts.JobID) error {
	markers, ctx := errgroup.WithContext(ctx)
	markers.Go(func() error { return s.docs.Put(ctx, "index/"+string(id), nil) })
	markers.Go(func() error { return s.Activate(ctx, id) })
	return markers.Wait()
}

// StoreJob is the second half of AcceptJob.
func (s *Store) StoreJob(ctx context.Context, j contracts.AcceptedJob) (contracts.AcceptedJob, bool, error) {
	created, err := s.createJSON(ctx, jobKey(j.ID, "job.json"), j)
	if err != nil || created {
		return j, created, err
	}
	if j, err = s.Job(ctx, j.ID); err != nil {
		return j, false, err
	}
	ended, err := s.ended(ctx, j.ID)
	if err == nil && ended {
		err = s.Forget(ctx, j.ID)
	}
	return j, false, err
}

// Job is an accepted job.
func (s *Store) Job(ctx context.Context, id contracts.JobID) (contracts.AcceptedJob, error) {
	var j contracts.AcceptedJob
	err := s.read(ctx, jobKey(id, "job.json"), &j)
	if contracts.KindOf(err) == contracts.KindMissing {
		err = contracts.Errorf(contracts.KindMissing, "job %q: unknown: `penstock jobs` lists them", id)
	}
	return j, err
}

// Jobs yields the ids of all jobs, oldest first where ids were made by NewJobID; rarely one whose job is not stored.
func (s *Store) Jobs(ctx context.Context) iter.Seq2[contracts.JobID, error] {
	return s.ids(ctx, "index/")
}

// ActiveJobs yields the ids of jobs that have not ended, and rarely one whose job is not stored.
func (s *Store) ActiveJobs(ctx context.Context) iter.Seq2[contracts.JobID, error] {
	return s.ids(ctx, "active/")
}

func (s *Store) ids(ctx context.Context, prefix string) iter.Seq2[contracts.JobID, error] {
	return func(yield func(contracts.JobID, error) bool) {
		for name, err := range s.names(ctx, prefix) {
			if !yield(contracts.JobID(name), err) {
				return
			}
		}
	}
}

// Report is how a job ended; KindMissing while it has not.
func (s *Store) Report(ctx context.Context, id contracts.JobID) (contracts.Report, error) {
	var r contracts.Report
	return r, s.read(ctx, jobKey(id, "report.json"), &r)
}

func (s *Store) ended(ctx context.Context, id contracts.JobID) (bool, error) {
	_, err := s.Report(ctx, id)
	if contracts.KindOf(err) == contracts.KindMissing {
		return false, nil
	}
	return err == nil, err
}

// EndJob stores a job's report; the first one stored counts and is returned. The job stays active until Forget, so that
// whoever takes over after a crash announces the end again.
func (s *Store) EndJob(ctx context.Context, r contracts.Report) (contracts.Report, error) {
	created, err := s.createJSON(ctx, jobKey(r.Job, "report.json"), r)
	if err != nil || created {
		return r, err
	}
	return s.Report(ctx, r.Job)
}

// Forget takes an ended job off the active list, unless it was reopened meanwhile.
func (s *Store) Forget(ctx context.Context, id contracts.JobID) error {
	if err := s.docs.Delete(ctx, "active/"+string(id)); err != nil {
		return err
	}
	if ended, err := s.ended(ctx, id); err != nil || ended {
		return err
	}
	return s.Activate(ctx, id)
}

// Activate puts a job on the active list. Whoever looks at one that has ended takes it off again.
func (s *Store) Activate(ctx context.Context, id contracts.JobID) error {
	return s.docs.Put(ctx, "active/"+string(id), nil)
}
