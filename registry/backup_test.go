package registry_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"bajigong/registry"
	"bajigong/registry/registrytest"
)

// TestBackupIsDueByTheStoresTime: the first at once, then one period after the
// last that was recorded.
func TestBackupIsDueByTheStoresTime(t *testing.T) {
	reg := registrytest.New(t)
	ctx := context.Background()
	due := func() bool {
		t.Helper()
		due, err := reg.BackupDue(ctx, 24*time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return due
	}
	if _, ok, err := reg.LastBackup(ctx); ok || err != nil || !due() {
		t.Fatalf("a new store: %t %v %t", ok, err, due())
	}
	made := registry.Backup{ID: "x", File: "f", Bytes: 7, Records: 3}
	if _, held, err := reg.LeasedBackup(ctx, func(context.Context) (registry.Backup, error) { return made, nil }); !held || err != nil {
		t.Fatal(held, err)
	}
	last, ok, err := reg.LastBackup(ctx)
	if err != nil || !ok || last.File != "f" || !last.At.Equal(reg.Clock.Now()) || due() {
		t.Errorf("%+v %t %v", last, ok, err)
	}
	reg.Clock.Add(24*time.Hour - time.Second)
	if due() {
		t.Error("due too early")
	}
	reg.Clock.Add(time.Second)
	if !due() {
		t.Error("not due")
	}
	// One that failed is none.
	broken := errors.New("disk")
	if _, held, err := reg.LeasedBackup(ctx, func(context.Context) (registry.Backup, error) { return made, broken }); !held || !errors.Is(err, broken) || !due() {
		t.Errorf("%t %v", held, err)
	}
}

// TestBackupOfOneWhoSlept: who lost the lease records nothing.
func TestBackupOfOneWhoSlept(t *testing.T) {
	reg := registrytest.New(t)
	ctx := context.Background()
	_, held, err := reg.LeasedBackup(ctx, func(ctx context.Context) (registry.Backup, error) {
		reg.Clock.Add(registry.LeaseTime + time.Second) // it stood still
		_, held, err := reg.LeasedBackup(ctx, func(ctx context.Context) (registry.Backup, error) {
			if _, held, err := reg.LeasedBackup(ctx, nil); held || err != nil {
				t.Errorf("a third beside it: %t %v", held, err)
			}
			return registry.Backup{File: "second"}, nil
		})
		if !held || err != nil {
			t.Errorf("nobody takes over: %t %v", held, err)
		}
		return registry.Backup{File: "first"}, nil
	})
	if !held || err == nil {
		t.Errorf("%t %v", held, err)
	}
	if last, _, err := reg.LastBackup(ctx); err != nil || last.File != "second" {
		t.Errorf("%+v %v", last, err)
	}
}
