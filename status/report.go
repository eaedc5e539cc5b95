package status

import (
	"cmp"
	"maps"
	"strings"
	"time"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/state"
)

// Account is all that a report is made of.
type Account struct {
	Job      contracts.AcceptedJob
	Plan     state.Plan // zero before the plan is sealed
	Progress *Progress  // nil before the plan is sealed
	Objects  contracts.ObjectTotals
	Stopped  contracts.State      // failed or cancelled before its chunks were through; "" otherwise
	Error    *contracts.ErrorInfo // why the job as a whole failed; nil otherwise
	Rejects  string               // where reject objects are: an address
}

// Report gives the account of a job that has ended.
func (a Account) Report(now time.Time) contracts.Report {
	r := a.Running(now)
	r.State, r.Error = a.verdict(r)
	return r
}

// Running gives the account of a job at some time in its life.
func (a Account) Running(now time.Time) contracts.Report {
	r := contracts.Report{
		Job: a.Job.ID, Pipeline: a.Job.Pipeline, Revision: a.Job.Revision, State: contracts.StateAccepted,
		Objects: a.Objects, Seconds: now.Sub(a.Job.Accepted).Seconds(),
		Rejects: contracts.RejectsReport{ByRule: map[contracts.Rule]int64{}}, Error: a.Error,
	}
	if a.Progress == nil {
		return r
	}
	p := a.Progress
	r.State = contracts.StateRunning
	r.Records, r.Bytes = p.Counts, p.Bytes
	r.Chunks = contracts.ChunkTotals{Total: p.Total, Done: p.Done, Dead: len(p.Dead)}
	r.Rejects.ByRule = maps.Clone(p.Rules)
	if p.Counts.Rejected > 0 {
		r.Rejects.Location = &a.Rejects
	}
	if r.Seconds > 0 {
		r.RowsPerSecond = float64(p.Counts.Written) / r.Seconds
	}
	return r
}

// verdict is the state in which a job ends, and the first error in order of objects.
func (a Account) verdict(r contracts.Report) (contracts.State, *contracts.ErrorInfo) {
	first := cmp.Or(a.Error, a.Plan.Error, a.firstFailure())
	switch {
	case a.Stopped != "":
		return a.Stopped, first
	case first != nil:
		return contracts.StateFailed, first
	case !r.Records.Balanced():
		return contracts.StateFailed, contracts.Info(contracts.Errorf(contracts.KindInternal,
			"the counts do not add up: read %d, written %d + merged %d + filtered %d + rejected %d",
			r.Records.Read, r.Records.Written, r.Records.Merged, r.Records.Filtered, r.Records.Rejected))
	case r.Records.Rejected > 0:
		return contracts.StateDoneRejects, nil
	default:
		return contracts.StateDone, nil
	}
}

// firstFailure is the first error in order of objects, whether planning or a chunk met it.
func (a Account) firstFailure() (first *contracts.ErrorInfo) {
	if a.Progress != nil {
		first = a.Progress.FirstError()
	}
	for i := range a.Plan.Failures {
		if f := &a.Plan.Failures[i]; first == nil || place(f) < place(first) {
			first = f
		}
	}
	return first
}

// place is the address of an error's object in a form that sorts as objects do; an error without one comes last.
func place(e *contracts.ErrorInfo) string {
	if e.Object == nil {
		return "\xff"
	}
	if address, ok := strings.CutPrefix(*e.Object, "s3://"); ok {
		return strings.Replace(address, "/", "\x00", 1)
	}
	return contracts.LocalBucket + "\x00" + *e.Object
}
