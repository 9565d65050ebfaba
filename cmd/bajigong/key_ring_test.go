package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestKeyRingIsEncrypted: a register whose keys lie encrypted is made, refuses to
// open without the passphrase, gets another one and a key file.
func TestKeyRingIsEncrypted(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w, out, errs := testWorld()
	dir := filepath.Join(t.TempDir(), "data")
	secret := func(name, text string) string {
		path := filepath.Join(filepath.Dir(dir), name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	first, second := secret("first", "第一个口令，至少十二个字\n"), secret("second", "the second passphrase\n")
	key := secret("key", strings.Repeat("0123456789abcdef", 4)+"\n")
	do := func(exit int, args ...string) {
		t.Helper()
		if code := run(ctx, append(args, "--data", dir), w); code != exit {
			t.Fatalf("%v: exit %d, not %d: %s", args, code, exit, errs)
		}
	}
	do(exitInvalid, "init", "--origin", "https://zs.example.gov.cn", "--region", "320000", "--code", "js", "--ring-passphrase-file", secret("short", "short"))
	do(exitOK, "init", "--origin", "https://zs.example.gov.cn", "--region", "320000", "--code", "js", "--ring-passphrase-file", first)
	if left, _ := filepath.Glob(filepath.Join(dir, "keys", "*.pem")); len(left) > 0 {
		t.Fatalf("in the clear: %v", left)
	}
	list := []string{"key", "list"}
	do(exitDenied, list...)
	do(exitDenied, append(list, "--ring-passphrase-file", second)...)
	do(exitDenied, append(list, "--ring-key-file", key)...)
	do(exitUsage, append(list, "--ring-passphrase-file", first, "--ring-key-file", key)...)
	do(exitOK, append(list, "--ring-passphrase-file", first)...)
	if err := os.Chmod(first, 0o644); err != nil {
		t.Fatal(err)
	}
	do(exitDenied, append(list, "--ring-passphrase-file", first)...)
	if err := os.Chmod(first, 0o600); err != nil {
		t.Fatal(err)
	}
	do(exitUsage, "key", "ring", "encrypt", "--ring-passphrase-file", first)
	do(exitOK, "key", "ring", "encrypt", "--ring-passphrase-file", first, "--new-passphrase-file", second)
	do(exitDenied, append(list, "--ring-passphrase-file", first)...)
	do(exitOK, "key", "ring", "encrypt", "--ring-passphrase-file", second, "--new-key-file", key)
	do(exitOK, append(list, "--ring-key-file", key)...)
	do(exitConflict, "key", "ring", "rotate", "qr", "--ring-key-file", key) // the next key is too young
	if !strings.Contains(errs.String(), "公布时间不足") {
		t.Errorf("it does not say why: %s", errs)
	}
	do(exitOK, "key", "ring", "rotate", "qr", "--early", "--ring-key-file", key)
	do(exitOK, "key", "ring", "schedule", "qr", "--every", "365", "--lead", "30", "--ring-key-file", key)
	do(exitInvalid, "key", "ring", "schedule", "qr", "--every", "30", "--lead", "30", "--ring-key-file", key)
	do(exitUsage, "key", "ring", "schedule", "everything", "--every", "30", "--ring-key-file", key)
	do(exitOK, "key", "ring", "touched", "js01", "--ring-key-file", key)
	do(exitConflict, "key", "ring", "resign", "js01", "--ring-key-file", key)
	do(exitOK, "key", "ring", "encrypt", "--ring-key-file", key, "--clear")
	out.Reset()
	do(exitOK, "key", "ring", "list")
	if !strings.Contains(out.String(), "未加密") || !strings.Contains(out.String(), "js0b") {
		t.Errorf("the list: %s", out)
	}
	do(exitOK, "check")
}
