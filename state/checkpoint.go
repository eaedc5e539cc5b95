package state

import (
	"context"

	"github.com/penstock-io/penstock/contracts"
)

// Checkpoint is how far a load of one compressed stream has come: all segments before Segment are written, and this is
// what became of their records. It saves work and decides nothing: a load without it writes the same.
type Checkpoint struct {
	V       int                  `json:"v"`
	Segment int64                `json:"segment"` // ordinal
	Counts  contracts.Counts     `json:"counts"`
	Rules   contracts.RuleCounts `json:"rules,omitempty"`
	Rejects []string             `json:"rejects,omitempty"` // keys of the reject objects that are stored
	Pending []byte               `json:"pending,omitempty"` // lines of the next reject object
	First   int64                `json:"first,omitempty"`   // segment of the first of them
}

// SaveCheckpoint stores a load's last checkpoint. Workers that load the same chunk at the same time may overwrite each
// other's: each is right.
func (s *Store) SaveCheckpoint(ctx context.Context, job contracts.JobID, chunk int, c Checkpoint) error {
	c.V = contracts.Version
	data, err := contracts.Marshal(c)
	if err != nil {
		return err
	}
	return s.docs.Put(ctx, chunkKey(job, "checkpoint", chunk), data)
}

// Checkpoint is a load's last checkpoint; KindMissing where there is none.
func (s *Store) Checkpoint(ctx context.Context, job contracts.JobID, chunk int) (Checkpoint, error) {
	var c Checkpoint
	return c, s.read(ctx, chunkKey(job, "checkpoint", chunk), &c)
}

// DropCheckpoint forgets a load's checkpoint.
func (s *Store) DropCheckpoint(ctx context.Context, job contracts.JobID, chunk int) error {
	return s.docs.Delete(ctx, chunkKey(job, "checkpoint", chunk))
}
