package auditlog

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bajigong/internal/needed"
)

// TestIndependentChecker has tessera's fsck read a log of ours, from files and as
// a server hands it out.
func TestIndependentChecker(t *testing.T) {
	t.Parallel() // fsck waits
	fsck := needed.Fsck(t)
	s := newSiteAt(t, largeLog(t), 70_000)
	patience := time.Minute
	run := func(change func(dir string)) (string, bool) {
		dir := t.TempDir()
		s.writeTo(t, dir)
		change(dir)
		vkey := filepath.Join(t.TempDir(), "vkey")
		if err := os.WriteFile(vkey, []byte(newSigner(t, testOrigin, 1).VKey()), 0o600); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		out, _ := exec.CommandContext(ctx, fsck, "--storage_url=file://"+dir+"/", "--public_key="+vkey,
			"--origin="+testOrigin, "--ui=false").CombinedOutput()
		return string(out), strings.Contains(string(out), "Successfully fsck'd log with size 70000")
	}
	began := time.Now()
	if out, ok := run(func(string) {}); !ok {
		t.Fatalf("fsck does not accept our log:\n%s", out)
	}
	patience = 2*time.Second + 4*time.Since(began) // with a changed entry it hangs instead of failing
	served := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := s.fetch(strings.TrimPrefix(r.URL.Path, "/log/"))
		if err != nil {
			http.NotFound(w, r)
			return
		}
		w.Write(b)
	}))
	defer served.Close()
	vkey := filepath.Join(t.TempDir(), "vkey")
	if err := os.WriteFile(vkey, []byte(newSigner(t, testOrigin, 1).VKey()), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, fsck, "--storage_url="+served.URL+"/log/", "--public_key="+vkey,
		"--origin="+testOrigin, "--ui=false").CombinedOutput()
	if !strings.Contains(string(out), "Successfully fsck'd log with size 70000") {
		t.Fatalf("fsck does not accept our log over HTTP: %v\n%s", err, out)
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
