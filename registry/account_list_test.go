package registry_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"bajigong/internal/fail"
	"bajigong/registry"
	"bajigong/registry/registrytest"
)

func TestAccountsAndTheirKeysAreListedForWhoManagesThem(t *testing.T) {
	reg := registrytest.New(t)
	ctx := context.Background()
	op := registry.Operator()
	names := map[string]registry.Account{}
	for i, region := range []string{"320500", "320583", "330100"} {
		a, err := reg.CreateAccount(ctx, op, registry.NewAccount{Name: fmt.Sprintf("补贴 %d", i), Organisation: fmt.Sprintf("payer-%d", i),
			Roles: []registry.Role{registry.RolePayer}, Region: region})
		if err != nil {
			t.Fatal(err)
		}
		names[a.Name] = a
	}
	see := func(by registry.Actor, limit int) (seen []string) {
		t.Helper()
		for page := (registry.Page{Limit: limit}); ; {
			list, next, err := reg.Accounts(ctx, by, page)
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range list {
				seen = append(seen, a.Name)
			}
			if page.Cursor = next; next == "" {
				return seen
			}
		}
	}
	if got := see(op, 1); len(got) != 3 {
		t.Fatalf("the operator sees %q", got)
	}
	if got := see(reg.Authority, 2); len(got) != 2 { // 320000 governs two of the three
		t.Fatalf("the authority of 320000 sees %q", got)
	}
	if _, _, err := reg.Accounts(ctx, registry.Actor{}, registry.Page{}); fail.KindOf(err) != fail.Unauthorized {
		t.Fatalf("the public got %v", err)
	}
	if _, _, err := reg.Accounts(ctx, registrytest.Payer("payer-0", "320500"), registry.Page{}); fail.KindOf(err) != fail.Forbidden {
		t.Fatalf("a payer got %v", err)
	}

	mine := names["补贴 0"]
	found, err := reg.AccountByName(ctx, op, " 补贴 0 ")
	if err != nil || found.ID != mine.ID {
		t.Fatalf("by name: %+v, %v", found, err)
	}
	for name, by := range map[string]registry.Actor{"补贴 9": op, "": op, "补贴 2": reg.Authority} {
		if _, err := reg.AccountByName(ctx, by, name); fail.KindOf(err) != fail.NotFound {
			t.Errorf("account %q: %v", name, err)
		}
	}

	first, _, err := reg.IssueKey(ctx, op, mine.ID, "first", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err = reg.IssueKey(ctx, op, mine.ID, "second", 0); err != nil {
		t.Fatal(err)
	}
	if _, _, err = reg.IssueKey(ctx, op, names["补贴 1"].ID, "another's", 0); err != nil {
		t.Fatal(err)
	}
	if _, err := reg.RevokeKey(ctx, op, first.ID); err != nil {
		t.Fatal(err)
	}
	keys, next, err := reg.KeysOfAccount(ctx, op, mine.ID, registry.Page{})
	if err != nil || next != "" || len(keys) != 2 {
		t.Fatalf("keys: %+v, %q, %v", keys, next, err)
	}
	for _, k := range keys {
		if k.Hash != nil || k.Account != mine.ID || (k.Revoked != nil) != (k.Label == "first") {
			t.Errorf("key %+v", k)
		}
	}
	for _, id := range []string{"a-none", names["补贴 2"].ID} {
		if _, _, err := reg.KeysOfAccount(ctx, reg.Authority, id, registry.Page{}); fail.KindOf(err) != fail.NotFound {
			t.Errorf("keys of %s: %v", id, err)
		}
	}
}
