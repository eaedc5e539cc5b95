package status

import (
	"testing"
	"time"

	"github.com/penstock-io/penstock/contracts"
	"github.com/penstock-io/penstock/state"
)

var accepted = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// account is one of a job with a single chunk of those counts.
func account(c contracts.Counts) Account {
	p := NewProgress(1)
	p.Apply(Outcome{Done: true, Counts: c, Bytes: 10, Rules: map[contracts.Rule]int64{contracts.RuleType: c.Rejected}})
	return Account{
		Job:      contracts.AcceptedJob{Job: contracts.Job{ID: "j1", Pipeline: "p", Revision: "r"}, Accepted: accepted},
		Progress: p, Rejects: "s3://rejects/p/j1/", Objects: contracts.ObjectTotals{Total: 1, Loaded: 1},
	}
}

func failure(address string) contracts.ErrorInfo {
	return contracts.ErrorInfo{Kind: contracts.KindInput, Message: "at " + address, Object: &address}
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	whole := contracts.ErrorInfo{Kind: contracts.KindLimit, Message: "too many"}
	for name, c := range map[string]struct {
		account Account
		state   contracts.State
		message string
	}{
		"all written": {account(contracts.Counts{Read: 2, Written: 2}), contracts.StateDone, ""},
		"nothing":     {account(contracts.Counts{}), contracts.StateDone, ""},
		"a reject":    {account(contracts.Counts{Read: 2, Written: 1, Rejected: 1}), contracts.StateDoneRejects, ""},
		"counts that do not add up": {account(contracts.Counts{Read: 3, Written: 1, Merged: 1}), contracts.StateFailed,
			"the counts do not add up: read 3, written 1 + merged 1 + filtered 0 + rejected 0"},
		"cancelled": {with(account(contracts.Counts{}), func(a *Account) { a.Stopped = contracts.StateCancelled }),
			contracts.StateCancelled, ""},
		"over the limit": {with(account(contracts.Counts{}), func(a *Account) {
			a.Stopped, a.Error = contracts.StateFailed, &whole
		}), contracts.StateFailed, "too many"},
		"an object that could not be planned": {with(account(contracts.Counts{Read: 1, Written: 1}), func(a *Account) {
			a.Plan.Failures = []contracts.ErrorInfo{failure("s3://b/x")}
		}), contracts.StateFailed, "at s3://b/x"},
		"no plan to be had": {with(account(contracts.Counts{}), func(a *Account) {
			a.Plan = state.Plan{Error: &whole}
		}), contracts.StateFailed, "too many"},
		"not planned": {with(account(contracts.Counts{}), func(a *Account) {
			a.Progress, a.Stopped, a.Error = nil, contracts.StateFailed, &whole
		}), contracts.StateFailed, "too many"},
	} {
		r := c.account.Report(accepted.Add(time.Second))
		message := ""
		if r.Error != nil {
			message = r.Error.Message
		}
		if r.State != c.state || message != c.message {
			t.Errorf("%s: found %s, %q; expected %s, %q", name, r.State, message, c.state, c.message)
		}
		if !r.State.Final() {
			t.Errorf("%s: %s is no end", name, r.State)
		}
	}
}

func with(a Account, change func(*Account)) Account {
	change(&a)
	return a
}

// TestFirstErrorInOrderOfObjects: planning fails for some objects and chunks of others die.
func TestFirstErrorInOrderOfObjects(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		planning, dead []string
		want           string
	}{
		{[]string{"s3://b/2", "s3://b/1"}, nil, "s3://b/1"},
		{[]string{"s3://b/2"}, []string{"s3://b/1", "s3://b/3"}, "s3://b/1"},
		{[]string{"s3://b/1"}, []string{"s3://b/2"}, "s3://b/1"},
		{[]string{"s3://a-b/1"}, []string{"s3://a/2"}, "s3://a/2"},
		{nil, []string{"/data/2", "/data/3"}, "/data/2"},
	} {
		a := account(contracts.Counts{})
		a.Progress = NewProgress(len(c.dead))
		for i := len(c.dead) - 1; i >= 0; i-- {
			f := failure(c.dead[i])
			a.Progress.Apply(Outcome{Chunk: i, Error: &f})
		}
		for _, address := range c.planning {
			a.Plan.Failures = append(a.Plan.Failures, failure(address))
		}
		if r := a.Report(accepted); r.State != contracts.StateFailed || *r.Error.Object != c.want {
			t.Errorf("planning %v, chunks %v: found %s, expected %s", c.planning, c.dead, *r.Error.Object, c.want)
		}
	}
}

func TestReportOfRunningJob(t *testing.T) {
	t.Parallel()
	a := account(contracts.Counts{Read: 4, Written: 2, Rejected: 2})
	r := a.Running(accepted.Add(2 * time.Second))
	if r.State != contracts.StateRunning || r.Seconds != 2 || r.RowsPerSecond != 1 || r.Bytes != 10 ||
		r.Chunks != (contracts.ChunkTotals{Total: 1, Done: 1}) || r.Rejects.ByRule[contracts.RuleType] != 2 ||
		r.Rejects.Location == nil || *r.Rejects.Location != "s3://rejects/p/j1/" {
		t.Errorf("found %+v", r)
	}
	a.Progress = nil
	r = a.Running(accepted)
	if r.State != contracts.StateAccepted || r.Rejects.ByRule == nil || r.Rejects.Location != nil {
		t.Errorf("found %+v", r)
	}
}
