package state

import (
	"context"
	"slices"

	"github.com/penstock-io/penstock/contracts"
)

// Control is what a user asked of a job, and how far a dispatcher is with it. Nothing takes a Cancel back.
type Control string

// The controls. The zero value is to run.
const (
	Run    Control = ""
	Pause  Control = "pause"  // asked for
	Paused Control = "paused" // in effect, and told
	Resume Control = "resume" // asked for; it is in effect and told when the job is at Run again
	Cancel Control = "cancel"
)

// SetControl asks something of a job, whatever was asked before.
func (s *Store) SetControl(ctx context.Context, id contracts.JobID, c Control) error {
	return s.docs.Put(ctx, jobKey(id, "control"), []byte(c))
}

// MoveControl asks something of a job that stands at one of the given controls; what the job stands at then is
// returned.
func (s *Store) MoveControl(
	ctx context.Context, id contracts.JobID, to Control, from ...Control,
) (now Control, err error) {
	err = s.update(ctx, jobKey(id, "control"), func(old []byte) ([]byte, error) {
		if now = Control(old); slices.Contains(from, now) {
			now = to
		}
		return []byte(now), nil
	})
	return now, err
}

// Control is what was last asked of a job.
func (s *Store) Control(ctx context.Context, id contracts.JobID) (Control, error) {
	data, _, err := s.docs.Get(ctx, jobKey(id, "control"))
	if contracts.KindOf(err) == contracts.KindMissing {
		return Run, nil
	}
	return Control(data), err
}
