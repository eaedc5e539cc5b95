package main

import "time"

// timing is what no installation can set: only the chaos suite's build has another than the zero value.
type timing struct {
	skew  time.Duration // of the clock of roles against the machine's
	lease time.Duration // of chunk messages and of the lead; 0 is the default of either
}

// now is the clock of roles.
func (t timing) now() time.Time { return time.Now().Add(t.skew) }
