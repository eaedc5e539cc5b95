package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/penstock-io/penstock/contracts"
)

// retryOpen opens until it succeeds, fails for good, or ctx ends.
func retryOpen[T any](ctx context.Context, log *slog.Logger, open func() (T, error)) (T, error) {
	for delay := time.Second; ; delay = min(2*delay, 15*time.Second) {
		v, err := open()
		if contracts.KindOf(err) != contracts.KindUnavailable || ctx.Err() != nil {
			return v, err
		}
		log.Warn("server away: trying again", "in", delay, "err", err)
		select {
		case <-ctx.Done():
			return v, ctx.Err()
		case <-time.After(delay):
		}
	}
}
