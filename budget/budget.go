// Package budget holds all workers of a pipeline together to so many rows and bytes a second.
//
// What they share is time. Each pipeline has one instant up to which its time is sold, kept where all processes see it.
// Whoever wants to write buys the slice of time that comes next, waits until it begins, and writes what the budget
// allows for in a slice of that length. So revisions of a pipeline with different budgets draw on one account, and no
// machine's clock counts: instants are the keeper's, and a process only measures how much time has gone by.
//
// What must never happen: a slice that is sold twice while what is shared is kept; a wait that the end of its context
// does not end at once; a wait of more than seconds for what is shared when that is lost, brought back or nonsense.
package budget

import "time"

// Rates are a budget, per second; 0 is no limit of that kind.
type Rates struct{ Rows, Bytes int64 }

// None says that nothing is limited.
func (r Rates) None() bool { return r.Rows <= 0 && r.Bytes <= 0 }

// Price is the time in which the budget allows for so many rows and bytes: that of the scarcer of the two.
func (r Rates) Price(rows, bytes int) time.Duration {
	return max(price(int64(rows), r.Rows), price(int64(bytes), r.Bytes))
}

// price rounds up, so that many small prices do not come to less than one large one.
func price(n, rate int64) time.Duration {
	if n <= 0 || rate <= 0 {
		return 0
	}
	seconds, rest := n/rate, n%rate
	return time.Duration(seconds)*time.Second + time.Duration((rest*int64(time.Second)+rate-1)/rate)
}
