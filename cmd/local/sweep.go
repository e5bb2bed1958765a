package main

import (
	"context"
	"time"

	"photopass/internal/connection"
	"photopass/internal/telemetry"
)

// sweepEvery is short, since a developer who moves the fake's clock by a month
// wants to see what comes of it. A look at what is due costs next to nothing.
const sweepEvery = time.Minute

// keepAlive refreshes what is due, as the function refresh does every hour,
// until ctx is done. What a run has begun, it finishes.
func keepAlive(ctx context.Context, tokens *connection.Service, log *telemetry.Logger) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		run, cancel := context.WithTimeout(ctx, sweepEvery)
		if _, err := tokens.Sweep(run); err != nil {
			log.Error("sweep", "err", err)
		}
		cancel()
	}
}
