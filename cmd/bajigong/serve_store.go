package main

import (
	"context"
	"log/slog"
	"time"

	"bajigong/internal/fail"
	"bajigong/registry"
)

// troubleEvery is how often a server looks whether its store has met a failure
// of the disk.
const troubleEvery = time.Second

// tellTrouble says once in the log that the store takes no writes, and why, and
// once that it does again, until ctx ends. Every write that is refused meanwhile
// says the same to who asked for it.
func tellTrouble(ctx context.Context, reg *registry.Registry, log *slog.Logger) {
	last := ""
	every(ctx, troubleEvery, func() {
		err := reg.StoreTrouble()
		if code := fail.CodeOf(err); code != last {
			last = code
			switch code {
			case "":
				log.Info("the store takes writes again")
			case "store_read_only":
				log.Error("THE STORE IS READ-ONLY after an I/O error: look at the disk, then restart this process; what was acknowledged is kept", "error", err)
			default:
				log.Error("THE STORE TAKES NO WRITES: free room on its disk; nothing else is to be done", "error", err)
			}
		}
	})
}
