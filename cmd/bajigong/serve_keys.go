package main

import (
	"context"
	"log/slog"
	"time"

	"bajigong/registry"
)

// followEvery is how often a server looks whether a command has changed the key ring,
// or another process distrusts a key.
const followEvery = time.Second

// followKeys makes what `key ring distrust` and `rotate` say count in all processes,
// until ctx ends. A failure is logged once.
func followKeys(ctx context.Context, reg *registry.Registry, log *slog.Logger) {
	failing := map[string]bool{}
	tell := func(what string, err error) {
		if err != nil && ctx.Err() == nil && !failing[what] {
			log.Error(what, "error", err)
		}
		failing[what] = err != nil
	}
	every(ctx, followEvery, func() {
		tell("key ring not read again; going on with the one in memory", reg.Config().Keys.ReloadChanged())
		tell("key ring not recorded in the log", reg.RecordKeys(ctx))
	})
}
