package objects

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/penstock-io/penstock/contracts"
)

// A request that fails for want of an answer is made this often, with waits from firstWait that double.
const (
	attempts  = 5
	firstWait = 100 * time.Millisecond
)

// retry runs op again while it says KindUnavailable. The context ends the waits, too.
func retry(ctx context.Context, op func() error) error {
	for i := 1; ; i++ {
		err := op()
		if contracts.KindOf(err) != contracts.KindUnavailable || i == attempts {
			return err
		}
		if !pause(ctx, firstWait<<(i-1)) {
			return contracts.Errorf(contracts.KindInterrupted, "%w, after: %w", context.Cause(ctx), err)
		}
	}
}

// pause waits for half of d and a random part of the rest, so that many clients do not come back at once.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d/2 + rand.N(d/2))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
