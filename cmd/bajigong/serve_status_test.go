package main

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"bajigong/registry"
	"bajigong/registry/registrytest"
)

// A server publishes what changes while it runs, without being asked, and lets go
// of the job when it stops.
func TestServePublishesStatusLists(t *testing.T) {
	e := registrytest.New(t)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		publishStatusLists(ctx, e.Registry, slog.New(slog.DiscardHandler))
	}()
	got := e.MustCertificates(e.MustAdmit(1), 0, 1)
	if _, err := e.ChangeCertificate(ctx, e.Authority, got[0].Number, registry.NewChange{Kind: registry.ChangeVoid, Document: "苏人社决〔2026〕3号", Reason: "查实替考"}); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(registry.StatusWithin / 2); ; time.Sleep(100 * time.Millisecond) {
		l, err := e.PublishedStatusList(ctx, "revocation-0")
		if err != nil {
			t.Fatal(err)
		}
		if l.Version == 1 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("version %d is published half a minute after a change", l.Version)
		}
	}
	stop()
	<-done
	if held, err := e.Leased(context.Background(), "status lists", func(context.Context, *registry.Lease) error { return nil }); !held || err != nil {
		t.Errorf("the lease was not given back: %t %v", held, err)
	}
}
