//go:build chaos

package main

import (
	"context"
	"os"
	"time"

	"github.com/penstock-io/penstock/workers"
)

// roleTiming reads CHAOS_SKEW and CHAOS_LEASE. What is no duration is 0.
func roleTiming() timing {
	skew, _ := time.ParseDuration(os.Getenv("CHAOS_SKEW"))   //nolint:errcheck // see above
	lease, _ := time.ParseDuration(os.Getenv("CHAOS_LEASE")) //nolint:errcheck // see above
	return timing{skew, lease}
}

// slowed has each chunk wait for CHAOS_CHUNK before it is begun: a build that has become slow, which a load test must
// notice. What is no duration is 0.
func slowed(inbox workers.Inbox) workers.Inbox {
	delay, _ := time.ParseDuration(os.Getenv("CHAOS_CHUNK")) //nolint:errcheck // see above
	return slowInbox{inbox, delay}
}

type slowInbox struct {
	workers.Inbox
	delay time.Duration
}

func (i slowInbox) Next(ctx context.Context) (workers.Message, error) {
	m, err := i.Inbox.Next(ctx)
	wait := time.NewTimer(i.delay)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-ctx.Done():
	}
	return m, err
}
