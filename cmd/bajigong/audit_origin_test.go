package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bajigong/internal/fail"
	"bajigong/registry"
)

// An older store is restored: the server signs nothing until the operator goes
// on under a new name, and then everything holds again.
func TestNewOriginAfterARestore(t *testing.T) {
	ctx := context.Background()
	w, out, errs := testWorld()
	data := dataFlags{dir: t.TempDir()}
	must := func(args ...string) {
		t.Helper()
		if code := run(ctx, append(args, "--data", data.dir), w); code != exitOK {
			t.Fatalf("%v: exit %d\n%s", args, code, errs)
		}
	}
	must("init", "--origin", "https://zs.example.gov.cn", "--region", "320000", "--code", "js")
	older, err := os.ReadFile(data.storePath())
	if err != nil {
		t.Fatal(err)
	}
	change := func(name string) error {
		reg, err := data.open(ctx, w, newLog(w.stderr))
		if err != nil {
			return err
		}
		defer reg.Close()
		if name != "" {
			if _, err := reg.CreateAccount(ctx, registry.Operator(), registry.NewAccount{Name: name, Roles: []registry.Role{registry.RoleAuditor}, Region: "320000"}); err != nil {
				return err
			}
		}
		_, err = reg.Checkpoint(ctx)
		return err
	}
	if err := change("one"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(data.storePath(), older, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := change(""); fail.CodeOf(err) != "log_rolled_back" {
		t.Fatalf("a restored older store signed: %v", err)
	}
	must("audit", "new-origin", "--name", "zs.example.gov.cn/log-2")
	if !strings.Contains(out.String(), "zs.example.gov.cn/log-2+") {
		t.Errorf("the new key is not shown: %s", out)
	}
	if err := change("two"); err != nil {
		t.Fatal(err)
	}
	must("check")
	if code := run(ctx, []string{"audit", "new-origin", "--name", "zs.example.gov.cn/log-2", "--data", data.dir}, w); code != exitConflict {
		t.Errorf("the same name again: exit %d", code)
	}
}

func TestDistrustedKeyIsReplaced(t *testing.T) {
	ctx := context.Background()
	w, out, errs := testWorld()
	dir := filepath.Join(t.TempDir(), "data")
	for _, args := range [][]string{
		{"init", "--origin", "https://zs.example.gov.cn", "--region", "320000", "--code", "js"},
		{"key", "ring", "distrust", "js01", "--from", time.Now().Add(-time.Hour).Format(time.RFC3339)},
		{"key", "ring", "list"},
	} {
		if code := run(ctx, append(args, "--data", dir), w); code != exitOK {
			t.Fatalf("%v: exit %d: %s", args, code, errs)
		}
	}
	if !strings.Contains(out.String(), "distrusted") {
		t.Errorf("the list does not say so: %s", out)
	}
	if code := run(ctx, []string{"key", "ring", "distrust", "js01", "--from", "2099-01-01T00:00:00Z", "--data", dir}, w); code != exitUsage {
		t.Errorf("a theft in the future: exit %d", code)
	}
}
