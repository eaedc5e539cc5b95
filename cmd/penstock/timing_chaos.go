//go:build chaos

package main

import (
	"os"
	"time"
)

// roleTiming reads CHAOS_SKEW and CHAOS_LEASE. What is no duration is 0.
func roleTiming() timing {
	skew, _ := time.ParseDuration(os.Getenv("CHAOS_SKEW"))   //nolint:errcheck // see above
	lease, _ := time.ParseDuration(os.Getenv("CHAOS_LEASE")) //nolint:errcheck // see above
	return timing{skew, lease}
}
