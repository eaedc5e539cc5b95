package state_test

import (
	"testing"
	"time"

	"github.com/penstock-io/penstock/state"
)

// TestBaseAfterTheStoreWasRestored puts the clock of an hour ago back, as whoever restores a bucket does: what was
// reserved since is not given out again, for the wall clock has gone on.
func TestBaseAfterTheStoreWasRestored(t *testing.T) {
	t.Parallel()
	d, ctx := docs(t), t.Context()
	s := state.New(d)
	reserve := func(at time.Time) int64 {
		t.Helper()
		base, err := s.Reserve(ctx, "lab.t", 1000, at)
		must(t, err)
		return base
	}
	noon := time.UnixMicro(1_700_000_000_000_000)
	reserve(noon)
	backup, _, err := d.Get(ctx, "clocks/lab.t")
	must(t, err)
	lost := reserve(noon.Add(time.Hour))
	must(t, d.Put(ctx, "clocks/lab.t", backup))
	if base := reserve(noon.Add(2 * time.Hour)); base < lost+1000 {
		t.Errorf("found base %d, expected one after [%d, %d), which a job has", base, lost, lost+1000)
	}
}
