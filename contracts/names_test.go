package contracts

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestCheckName(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"a", "readings", "a-b_c9", "-", strings.Repeat("x", 64)} {
		check(t, CheckName("pipeline", good))
	}
	for _, bad := range []string{"", "A", "a.b", "a b", "a*", ">", "é", "a\n", "a/b", strings.Repeat("x", 65)} {
		err := CheckName("pipeline", bad)
		if KindOf(err) != KindConfig || !strings.Contains(err.Error(), `expected 1 to 64 of a-z, 0-9, _ and -`) ||
			!strings.HasPrefix(err.Error(), "pipeline ") {
			t.Errorf("%q: found %v", bad, err)
		}
	}
}

func TestNewJobID(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 21, 11, 41, 18, 999, time.FixedZone("", 3600))
	id := NewJobID(at, "seed")
	check(t, CheckName("job", string(id)))
	if !strings.HasPrefix(string(id), "20261121t104118000-") || id != NewJobID(at.UTC(), "seed") {
		t.Errorf("found %s", id)
	}
	if id == NewJobID(at, "other") {
		t.Errorf("two seeds have the id %s", id)
	}
	later := NewJobID(at.Add(time.Millisecond), "a")
	if ids := []JobID{later, id}; !slices.IsSorted([]JobID{id, later}) || slices.IsSorted(ids) {
		t.Errorf("%s does not sort after %s", later, id)
	}
}

func TestSubjects(t *testing.T) {
	t.Parallel()
	lab := Subjects{Prefix: "lab"}
	for _, c := range []struct{ got, want string }{
		{DefaultSubjects.Job("readings"), "penstock.jobs.readings"},
		{DefaultSubjects.Chunk("j1", Load, 7), "penstock.chunks.j1.load.7"},
		{DefaultSubjects.Chunk("j1", Scan, 0), "penstock.chunks.j1.scan.0"},
		{DefaultSubjects.Chunks("j1"), "penstock.chunks.j1.>"},
		{DefaultSubjects.Status("j1", EventDone), "penstock.status.j1.done"},
		{DefaultSubjects.StatusOf("j1"), "penstock.status.j1.>"},
		{DefaultSubjects.StatusOf(""), "penstock.status.>"},
		{DefaultSubjects.Dead("j1", 3), "penstock.dead.j1.3"},
		{DefaultSubjects.DeadJobs(), "penstock.dead.jobs"},
		{DefaultSubjects.Notifications(), "penstock.notifications"},
		{DefaultSubjects.Budget("readings"), "penstock.budgets.readings"},
		{lab.Job("readings"), "lab.jobs.readings"},
		{DefaultSubjects.Stream(StreamJobs), "JOBS"},
		{lab.Stream(StreamJobs), "LAB_JOBS"},
		{LastToken("penstock.jobs.readings"), "readings"},
		{LastToken("readings"), "readings"},
		{LastToken(""), ""},
	} {
		if c.got != c.want {
			t.Errorf("found %s, expected %s", c.got, c.want)
		}
	}
}

func TestObject(t *testing.T) {
	t.Parallel()
	o := Object{Bucket: "landing", Key: "2026/a.csv", ETag: "e1"}
	local := Object{Bucket: LocalBucket, Key: "data/a.csv", ETag: "e2", VersionID: "v2"}
	for _, c := range []struct{ got, want string }{
		{o.Address(), "s3://landing/2026/a.csv"}, {o.Version(), "e1"}, {o.File(), "a.csv"},
		{local.Address(), "/data/a.csv"}, {local.Version(), "v2"},
	} {
		if c.got != c.want {
			t.Errorf("found %s, expected %s", c.got, c.want)
		}
	}
	sorted := []Object{{Bucket: "a", Key: "Z"}, {Bucket: "a", Key: "a"}, {Bucket: "a", Key: "a/"}, {Bucket: "b", Key: "A"}}
	if !slices.IsSortedFunc(sorted, CompareObjects) || CompareObjects(o, o) != 0 {
		t.Error("objects do not sort by the bytes of bucket and key")
	}
}

func TestCounts(t *testing.T) {
	t.Parallel()
	c := Counts{Read: 10, Written: 6, Merged: 1, Filtered: 1, Rejected: 2}
	c.Add(c)
	if c != (Counts{20, 12, 2, 2, 4}) || !c.Balanced() {
		t.Errorf("found %+v", c)
	}
	for _, bad := range []Counts{{Read: 1}, {Written: 1}, {Merged: 1}, {Filtered: 1}, {Rejected: 1}} {
		if bad.Balanced() {
			t.Errorf("%+v is balanced", bad)
		}
	}
}

func TestEnds(t *testing.T) {
	t.Parallel()
	ends := []EventKind{EventDone, EventDoneRejects, EventFailed, EventCancelled}
	for _, k := range []EventKind{EventAccepted, EventPlanned, EventChunkDone, EventChunkDead, EventChunkFailed,
		EventChunkScanned, EventPaused, EventResumed, EventDone, EventDoneRejects, EventFailed, EventCancelled} {
		if k.Terminal() != slices.Contains(ends, k) {
			t.Errorf("%s: terminal %t", k, k.Terminal())
		}
	}
	for _, s := range []State{StateAccepted, StateRunning, StatePaused, StateDone, StateDoneRejects, StateFailed,
		StateCancelled} {
		if s.Final() != slices.Contains(ends, EventKind(s)) {
			t.Errorf("%s: final %t", s, s.Final())
		}
	}
}
