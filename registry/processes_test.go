package registry_test

import (
	"testing"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/internal/kv/pgkv"
	"bajigong/internal/kv/pgkv/pgtest"
	"bajigong/registry"
	"bajigong/registry/registrytest"
)

// A key that one process revokes is refused by another with the next request, and
// so is a sign-in that was opened with it: neither is kept in a process.
func TestRevokedKeyIsRefusedByEveryProcess(t *testing.T) {
	connString := pgtest.New(t)
	open := func(process string) *registry.Registry {
		e, err := pgkv.Open(t.Context(), connString, pgkv.Options{})
		if err != nil {
			t.Fatal(err)
		}
		db, err := kv.Open(t.Context(), e, kv.Options{Now: time.Now, Process: process}, registry.Migrations())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		reg, err := registry.New(db, registrytest.New(t).Registry.Config())
		if err != nil {
			t.Fatal(err)
		}
		return reg
	}
	one, two := open("one"), open("two")
	if err := one.BeginLog(t.Context()); err != nil {
		t.Fatal(err)
	}
	account, err := one.CreateAccount(t.Context(), registry.Operator(), registry.NewAccount{Name: "authority", Roles: []registry.Role{registry.RoleAuthority}, Region: "320000"})
	if err != nil {
		t.Fatal(err)
	}
	key, secret, err := one.IssueKey(t.Context(), registry.Operator(), account.ID, "test", 24*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	_, session, err := two.SignIn(t.Context(), secret)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := two.Authenticate(t.Context(), secret); err != nil {
			t.Fatal(err)
		}
		if _, _, err := two.SignedIn(t.Context(), session); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := one.RevokeKey(t.Context(), registry.Operator(), key.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := two.Authenticate(t.Context(), secret); fail.KindOf(err) != fail.Unauthorized {
		t.Errorf("a key revoked by the other process: %v", err)
	}
	if _, _, err := two.SignedIn(t.Context(), session); fail.KindOf(err) != fail.Unauthorized {
		t.Errorf("a sign-in with a key revoked by the other process: %v", err)
	}
}
