package auditlog

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestIndependentChecker has tessera's fsck read a log of ours. It runs when
// BAJIGONG_FSCK names that program (go install
// github.com/transparency-dev/tessera/cmd/fsck@v1.0.4); it is not looked up by
// name, since fsck is another program on most machines.
func TestIndependentChecker(t *testing.T) {
	fsck := os.Getenv("BAJIGONG_FSCK")
	if fsck == "" {
		t.Skip("BAJIGONG_FSCK does not name tessera's fsck")
	}
	s := newSiteAt(t, largeLog(t), 70_000)
	run := func(change func(dir string)) (string, bool) {
		dir := t.TempDir()
		s.writeTo(t, dir)
		change(dir)
		vkey := filepath.Join(t.TempDir(), "vkey")
		if err := os.WriteFile(vkey, []byte(newSigner(t, testOrigin, 1).VKey()), 0o600); err != nil {
			t.Fatal(err)
		}
		// With a changed entry it hangs instead of failing.
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		out, _ := exec.CommandContext(ctx, fsck, "--storage_url=file://"+dir+"/", "--public_key="+vkey,
			"--origin="+testOrigin, "--ui=false").CombinedOutput()
		return string(out), strings.Contains(string(out), "Successfully fsck'd log with size 70000")
	}
	if out, ok := run(func(string) {}); !ok {
		t.Fatalf("fsck does not accept our log:\n%s", out)
	}
	if out, ok := run(func(dir string) {
		name := filepath.Join(dir, "tile", "entries", "100")
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		b[100] ^= 1
		if err := os.WriteFile(name, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}); ok {
		t.Fatalf("fsck accepts a changed entry:\n%s", out)
	}
}
