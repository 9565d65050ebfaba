package main

import (
	"context"
	"log/slog"
	"mime"
	"net/netip"

	"bajigong/internal/fail"
	"bajigong/registry"
	"bajigong/registry/auditlog"
	"bajigong/registry/webhooks"
)

// witnesses are those of the configuration, their addresses checked.
func (c config) witnesses() ([]registry.Witness, error) {
	var out []registry.Witness
	for _, w := range c.Witnesses {
		url, err := registry.CheckWitnessURL(w.URL, c.WitnessNetworks)
		if err != nil {
			return nil, fail.New(fail.Invalid, "config", "the address of a witness in config.json cannot be used: %s: %v", w.URL, err).
				In("config.json 中见证方网址不可用：%s", w.URL).Because(err)
		}
		out = append(out, registry.Witness{Key: w.Key, URL: url})
	}
	return out, nil
}

// witnessPost sends to witnesses under the guard of webhooks: no redirect, no
// proxy, and no address inside one's own network but those allowed.
func witnessPost(c webhooks.SenderConfig) registry.PostToWitness {
	sender := webhooks.NewSender(c)
	return func(ctx context.Context, url string, body []byte) (auditlog.WitnessAnswer, error) {
		got, err := sender.Post(ctx, url, body, auditlog.MaxWitnessAnswer)
		if err != nil {
			return auditlog.WitnessAnswer{}, err
		}
		media, _, _ := mime.ParseMediaType(got.ContentType)
		return auditlog.WitnessAnswer{Status: got.Status, ContentType: media, Body: got.Body}, nil
	}
}

// askWitnesses has each minute's checkpoint cosigned until ctx ends. A witness
// that does not cosign is written to the log when that begins, and when it ends.
func askWitnesses(ctx context.Context, reg *registry.Registry, networks []netip.Prefix, log *slog.Logger) {
	if len(reg.Config().Witnesses) == 0 {
		return
	}
	post := witnessPost(webhooks.SenderConfig{Allow: networks})
	silent := map[string]bool{}
	every(ctx, checkpointEvery, func() {
		reports, err := reg.AskWitnesses(ctx, post)
		if err != nil && ctx.Err() == nil {
			log.Error("witnesses not asked; tried again in a minute", "error", err)
		}
		for _, w := range reports {
			switch {
			case ctx.Err() != nil:
			case fail.CodeOf(w.Err) == "witness_ahead":
				log.Error("a witness has seen another log under this name", "witness", w.Name, "size", w.Size, "error", w.Err)
			case w.Err != nil && !silent[w.Name]:
				log.Warn("a witness does not cosign", "witness", w.Name, "size", w.Size, "error", w.Err)
			case w.Err == nil && silent[w.Name]:
				log.Info("a witness cosigns again", "witness", w.Name, "size", w.Size)
			}
			silent[w.Name] = w.Err != nil
		}
	})
}
