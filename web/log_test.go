package web

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bajigong/internal/needed"
	"bajigong/registry/auditlog"
)

// What C2SP tlog-tiles asks of the resources of a log.
func TestLogResources(t *testing.T) {
	s := newSite(t)
	s.MustCertificates(s.issuer, 0, 300)
	checkpoint := s.get("", "/log/checkpoint").want(200)
	if c := checkpoint.Header.Get("Cache-Control"); c != "no-cache" || checkpoint.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("checkpoint: %v", checkpoint.Header)
	}
	verifier, err := auditlog.NewVerifier(s.LogKey())
	if err != nil {
		t.Fatal(err)
	}
	at, err := auditlog.OpenCheckpoint(checkpoint.Body, verifier)
	if err != nil || at.Size < 300 {
		t.Fatalf("%+v, %v", at, err)
	}
	rest := at.Size % 256
	for path, want := range map[string]struct {
		bytes   int
		forever bool
	}{
		"tile/0/000":                               {256 * 32, true},
		"tile/entries/000":                         {256 * (2 + auditlog.LeafSize), true},
		"tile/1/000.p/1":                           {32, false},
		fmt.Sprintf("tile/0/001.p/%d", rest):       {int(rest) * 32, false},
		fmt.Sprintf("tile/entries/001.p/%d", rest): {int(rest) * (2 + auditlog.LeafSize), false},
	} {
		r := s.get("", "/log/"+path).want(200)
		if len(r.Body) != want.bytes || r.Header.Get("Content-Type") != "application/octet-stream" || r.Header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: %d bytes, %v", path, len(r.Body), r.Header)
		}
		if c := r.Header.Get("Cache-Control"); strings.Contains(c, "immutable") != want.forever || !strings.Contains(c, "public") {
			t.Errorf("%s: %s", path, c)
		}
		tag := r.Header.Get("ETag")
		if sum := sha256.Sum256(r.Body); tag != fmt.Sprintf(`"%x"`, sum[:12]) {
			t.Errorf("%s: tag %s", path, tag)
		}
		if again := s.get("", "/log/"+path, "If-None-Match", tag); again.Status != 304 || len(again.Body) != 0 {
			t.Errorf("%s again: %d", path, again.Status)
		}
		// A server may answer a range with the whole (RFC 9110 §14.2); half a tile is never sent as 200.
		if part := s.get("", "/log/"+path, "Range", "bytes=0-31"); part.Status != 200 || len(part.Body) != want.bytes {
			t.Errorf("%s by range: %d with %d bytes", path, part.Status, len(part.Body))
		}
		s.do("", "POST", "/log/"+path, nil).want(405)
		s.do("", "DELETE", "/log/"+path, nil).want(405)
	}
	for _, path := range []string{
		"tile/0/001", "tile/0/002", fmt.Sprintf("tile/0/001.p/%d", rest+1), "tile/0/001.p/0", "tile/0/001.p/256", "tile/0/000.p/256", "tile/0/1", "tile/0/0000",
		"tile/1/000", "tile/1/000.p/2", "tile/1/001.p/1", "tile/2/000.p/1", "tile/2/000", "tile/63/000", "tile/64/000", "tile/00/000", "tile/-1/000", "tile/entries/001",
		"tile/entries/002.p/1", "tile/0/x000/000", "tile/0/000/", "tile/0/000.p/", "tile/0/000.p/01", "tile/0", "tile/", "tile/8/0/000", "checkpoint/", "nothing",
	} {
		if r := s.get("", "/log/"+path); r.Status != 404 {
			t.Errorf("%s: %d, want 404", path, r.Status)
		}
	}
}

// TestTesseraReadsTheServedLog has the checker of another project read the log as
// the server hands it out.
func TestTesseraReadsTheServedLog(t *testing.T) {
	fsck := needed.Fsck(t)
	s := newSite(t)
	s.MustCertificates(s.issuer, 0, 300)
	url := "http://" + s.listen() + "/log/"
	r, err := http.Get(url + "key")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	key, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "vkey")
	if err := os.WriteFile(name, key, 0o600); err != nil {
		t.Fatal(err)
	}
	origin, _, _ := strings.Cut(string(key), "+")
	run := exec.CommandContext(t.Context(), fsck, "--storage_url="+url, "--public_key="+name, "--origin="+origin, "--ui=false")
	run.WaitDelay = time.Second
	timer := time.AfterFunc(time.Minute, func() { run.Process.Kill() }) // it hangs where it should fail
	defer timer.Stop()
	out, err := run.CombinedOutput()
	if !strings.Contains(string(out), "Successfully fsck'd log with size") {
		t.Fatalf("%v\n%s", err, out)
	}
}
