package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bajigong/credentials"
	"bajigong/registry"
	"bajigong/registry/auditlog"
)

// TestVerifyOnlineAndOffline: one certificate, before and after it is voided, by
// the server and by a bundle that was saved before and renewed after.
func TestVerifyOnlineAndOffline(t *testing.T) {
	s := newServed(t)
	by := s.MustAdmit(1)
	one := s.MustCertificates(by, 0, 2)[0]
	dir := filepath.Join(t.TempDir(), "trust")
	saved := s.run(exitOK, "verify", "fetch", "-o", dir)
	says(t, saved, "revocation-0", "suspension-0", "0 秒前 (0 s old)", "zs.jnrd.example.gov.cn/log", "1 个备案")

	offline := func(want int, text string, more ...string) string {
		t.Helper()
		return s.run(want, append([]string{"verify", text, "--bundle", dir}, more...)...)
	}
	says(t, offline(exitOK, one.QR), "✓ 证书有效", "离线查验 · 状态清单更新于 0 分钟前", one.Name, "电工", by.Institution.Name, "发证时 已备案", "目录 directory")
	_, digits, _ := strings.Cut(one.QR, "#")
	says(t, offline(exitOK, digits), "✓ 证书有效")
	s.stdin = one.QR + "\n"
	says(t, s.run(exitOK, "verify", "-"), "✓ 证书有效", "在线查验", "日志 log entry")
	says(t, offline(exitOK, "-"), "✓ 证书有效")
	s.stdin = ""
	altered := one.QR[:len(one.QR)-2] + map[bool]string{true: "11", false: "12"}[strings.HasSuffix(one.QR, "12")]
	says(t, offline(exitNo, altered), "✕ 二维码内容被改动", "请举报")
	says(t, s.run(exitNo, "verify", altered), "✕ 二维码内容被改动")
	address, _, _ := strings.Cut(one.QR, "#")
	says(t, s.run(exitOK, "verify", address), "✓ 证书有效")
	offline(exitInvalid, address) // nothing to check in an address
	for _, text := range []string{"张三的证书", "https://example.com/x#1234", "123"} {
		offline(exitInvalid, text)
		s.run(exitInvalid, "verify", text)
	}

	if _, err := s.ChangeCertificate(t.Context(), s.Authority, one.Number, registry.NewChange{Kind: registry.ChangeVoid, Document: "苏人社〔2026〕9号", Reason: "材料不实"}); err != nil {
		t.Fatal(err)
	}
	var v credentials.Verdict
	if err := json.Unmarshal([]byte(s.run(exitNo, "verify", one.QR, "--json")), &v); err != nil || v.First() != credentials.ReasonVoided || !v.Online {
		t.Errorf("online: %+v, %v", v, err)
	}
	s.Clock.Add(3 * time.Hour)
	says(t, offline(exitOK, one.QR), "✓ 证书有效", "3 小时前") // what it was when the list was saved
	says(t, s.run(exitOK, "verify", "fetch", "-o", dir), "0 秒前")
	says(t, offline(exitNo, one.QR), "✕ 证书已失效")
	if err := json.Unmarshal([]byte(offline(exitNo, one.QR, "--json")), &v); err != nil || v.First() != credentials.ReasonRevoked {
		t.Errorf("offline: %+v, %v", v, err)
	}
	s.Clock.Add(30 * 24 * time.Hour)
	says(t, offline(exitOK, s.MustCertificates(by, 2, 3)[0].QR), "? 签名有效，状态清单已过期")
}

// TestFetchRefusesAnotherRegister: the first fetch decides whom a folder trusts.
func TestFetchRefusesAnotherRegister(t *testing.T) {
	s, forger := newServed(t), newServed(t)
	dir := filepath.Join(t.TempDir(), "trust")
	s.run(exitOK, "verify", "fetch", "-o", dir)
	keys := mustRead(t, filepath.Join(dir, "keys-qr.json"))
	s.run(exitConflict, "verify", "fetch", "-o", dir, "--server", forger.url)
	says(t, s.errs.String(), "key_replaced", "仿冒")
	if mustRead(t, filepath.Join(dir, "keys-qr.json")) != keys {
		t.Error("the keys were replaced")
	}
	for _, f := range []string{"keys-qr.json", "keys-vc.json", "keys-directory.json", "keys-status.json"} {
		if err := os.Remove(filepath.Join(dir, f)); err != nil {
			t.Fatal(err)
		}
	}
	s.run(exitConflict, "verify", "fetch", "-o", dir, "--server", forger.url)
	says(t, s.errs.String(), "log_replaced")
}

// TestAuditFindsWhatWasChanged audits the served log, extends an earlier
// checkpoint, and refuses a log of another history and other keys.
func TestAuditFindsWhatWasChanged(t *testing.T) {
	s := newServed(t)
	by := s.MustAdmit(1)
	vkey := s.LogKey()
	kept := filepath.Join(t.TempDir(), "checkpoint")
	says(t, s.run(exitOK, "audit", "log", "--vkey", vkey, "--save", kept), "✓ 审计通过", "未比对")
	one := s.MustCertificates(by, 0, 2)[0]
	keyFile := file(t, "log.vkey", vkey+"\n")
	says(t, s.run(exitOK, "audit", "log", "--vkey", keyFile, "--earlier", kept, "--save", kept), "✓ 审计通过", "衔接 extends", "检查点 checkpoint")

	forger := newServed(t)
	says(t, s.run(exitNo, "audit", "log", "--vkey", forger.LogKey()), "✕ 审计不通过", "checkpoint_untrusted")
	copied := copyLog(t, s)
	says(t, s.run(exitOK, "audit", "log", "--dir", copied, "--vkey", vkey), "✓ 审计通过")
	if tile := filepath.Join(copied, "tile", "entries"); os.RemoveAll(tile) != nil {
		t.Fatal(tile)
	}
	says(t, s.run(exitNo, "audit", "log", "--dir", copied, "--vkey", vkey), "✕ 审计不通过", "log_incomplete")
	mirror := httptest.NewServer(http.StripPrefix("/log/", http.FileServer(http.Dir(copied))))
	defer mirror.Close()
	says(t, s.run(exitNo, "audit", "log", "--server", mirror.URL, "--vkey", vkey), "✕ 审计不通过", "log_incomplete")
	s.run(exitNotFound, "audit", "log", "--dir", t.TempDir(), "--vkey", vkey)
	s.run(exitInvalid, "audit", "log", "--vkey", "a+b+c")
	s.run(exitUsage, "audit", "log", "--vkey", vkey, "--dir", copied, "--server", s.url)

	s.institutionKey(by)
	bundle, err := s.Proof(t.Context(), by.Actor, one.LogIndex)
	if err != nil {
		t.Fatal(err)
	}
	b, err := bundle.Format()
	if err != nil {
		t.Fatal(err)
	}
	says(t, s.run(exitOK, "audit", "entry", file(t, "p.json", string(b)), "--vkey", vkey), "✓ 凭据成立", one.Number)
	says(t, s.run(exitNo, "audit", "entry", file(t, "q.json", strings.Replace(string(b), one.Number, one.Number[:21]+"9", 1)), "--vkey", vkey), "✕", "event_mismatch")
	s.run(exitInvalid, "audit", "entry", file(t, "r.json", "{}"), "--vkey", vkey)
	s.stdin = string(b)
	says(t, s.run(exitOK, "audit", "entry", "-", "--vkey", vkey, "--json"), `"holds": true`)
}

// copyLog saves the served log in a folder, as its paths are.
func copyLog(t *testing.T, s *served) string {
	t.Helper()
	dir := t.TempDir()
	flags := serverFlags{url: s.url}
	c, err := flags.client(s.world(), false)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := logVerifier([]string{s.LogKey()})
	if err != nil {
		t.Fatal(err)
	}
	keep := func(path string) ([]byte, error) {
		b, err := c.logResource(t.Context(), path)
		if err != nil {
			return nil, err
		}
		at := filepath.Join(dir, filepath.FromSlash(path))
		return b, errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.WriteFile(at, b, 0o644))
	}
	if _, err := auditlog.AuditLog(keep, verifier, nil, nil); err != nil {
		t.Fatal(err)
	}
	return dir
}
