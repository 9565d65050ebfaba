package main

import (
	"context"
	"log/slog"
	"net/netip"
	"time"

	"bajigong/registry"
	"bajigong/registry/webhooks"
)

// relianceEvery is how often a server looks whether payers are to be told of
// something.
const relianceEvery = 2 * time.Second

// tellPayers writes out what waits for the payers' feeds and sends webhooks until
// ctx ends.
func tellPayers(ctx context.Context, reg *registry.Registry, networks []netip.Prefix, log *slog.Logger) {
	sender := webhooks.NewSender(webhooks.SenderConfig{Allow: networks})
	every(ctx, relianceEvery, func() {
		if _, err := reg.SpreadReliance(ctx); err != nil && ctx.Err() == nil {
			log.Error("payers not told yet of what changed under their claims; tried again", "error", err)
		}
		if _, err := reg.DeliverWebhooks(ctx, sender.Send); err != nil && ctx.Err() == nil {
			log.Error("webhooks not sent; tried again, and the feed has everything", "error", err)
		}
	})
}
