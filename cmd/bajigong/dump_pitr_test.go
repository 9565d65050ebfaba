package main

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/kv/pgkv/pgtest"
	"bajigong/registry"
)

// TestPointInTimeRecovery tries what docs/operations.md says of PostgreSQL's own
// recovery: a base backup and the archived log give the register of any moment
// since. What was acknowledged before it is there, what came after is not, and
// since a later checkpoint was published, nothing is signed. Recovered to the
// end, it goes on.
func TestPointInTimeRecovery(t *testing.T) {
	t.Parallel()
	began := time.Now()
	server := pgtest.StartArchiving(t)
	m := newMachine(t)
	m.env["BAJIGONG_DATA"], m.env["BAJIGONG_STORE"] = t.TempDir()+"/data", server.Database(t)
	m.run(exitOK, "init", "--origin", "https://zs.example.gov.cn", "--region", "320000", "--code", "js")
	base := server.BaseBackup(t)

	data := dataFlags{dir: m.env["BAJIGONG_DATA"], store: m.env["BAJIGONG_STORE"]}
	open := func() *opened {
		reg, err := data.open(t.Context(), m.world(), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		return reg
	}
	reg := open()
	account := func(i int) {
		if _, err := reg.CreateAccount(t.Context(), registry.Operator(), registry.NewAccount{Name: fmt.Sprintf("n%02d", i), Roles: []registry.Role{registry.RoleAuditor}, Region: "320000"}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 20 {
		account(i)
	}
	if _, err := reg.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	moment := server.Now(t)
	time.Sleep(10 * time.Millisecond)
	for i := 20; i < 40; i++ {
		account(i)
	}
	if _, err := reg.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	server.WaitArchived(t)
	if err := reg.Close(); err != nil {
		t.Fatal(err)
	}

	server.Recover(t, base, moment)
	reg = open()
	page, _, err := reg.Accounts(t.Context(), registry.Operator(), registry.Page{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, a := range page {
		names[a.Name] = true
	}
	for i := range 40 {
		if there := names[fmt.Sprintf("n%02d", i)]; there != (i < 20) {
			t.Errorf("account %d: there %t", i, there)
		}
	}
	if _, err := reg.Checkpoint(t.Context()); fail.CodeOf(err) != "log_rolled_back" {
		t.Errorf("a register of the past signs: %v", err)
	}
	if err := reg.Close(); err != nil {
		t.Fatal(err)
	}
	m.run(exitOK, "check")
	m.run(exitOK, "audit", "new-origin", "--name", "zs.example.gov.cn/log-2")
	t.Logf("took %s", time.Since(began).Round(time.Millisecond))
}
