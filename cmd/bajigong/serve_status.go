package main

import (
	"context"
	"log/slog"
	"time"

	"bajigong/registry"
)

// statusEvery is how often a server looks whether a status list is behind the
// ledger: far below registry.StatusWithin, so that a process that has died is
// replaced in time.
const statusEvery = 2 * time.Second

// publishStatusLists publishes status lists until ctx ends: at once, then
// whenever something changed.
func publishStatusLists(ctx context.Context, reg *registry.Registry, log *slog.Logger) {
	every(ctx, statusEvery, func() {
		if _, err := reg.PublishStatusLists(ctx); err != nil && ctx.Err() == nil {
			log.Error("status lists not published; they lag until the next attempt", "error", err)
		}
	})
}
