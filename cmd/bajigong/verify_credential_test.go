package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bajigong/credentials"
	"bajigong/registry"
)

// TestVerifyACredential: a downloaded file, online and with a bundle, before and
// after its certificate is voided, and with a bundle that has no keys for it.
func TestVerifyACredential(t *testing.T) {
	s := newServed(t)
	by := s.MustAdmit(1)
	one := s.MustCertificates(by, 0, 2)[0]
	dir := filepath.Join(t.TempDir(), "trust")
	s.run(exitOK, "verify", "fetch", "-o", dir)
	compact, err := s.CredentialByHandle(t.Context(), string(one.Handle))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := credentials.Enveloped(compact)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{file(t, "credential.jwt", compact+"\n"), file(t, "credential.json", string(doc))} {
		says(t, s.run(exitOK, "verify", f), "✓ 证书有效", "在线查验", one.Name)
		says(t, s.run(exitOK, "verify", f, "--bundle", dir), "✓ 证书有效", "离线查验", one.Name, "电工", by.Institution.Name, "发证时 已备案")
	}
	says(t, s.run(exitOK, "verify", compact, "--jwks", filepath.Join(dir, "keys-vc.json")), "签名有效，未查状态", by.Institution.Name)
	parts := strings.Split(compact, ".")
	altered := parts[0] + "." + parts[1][:99] + map[bool]string{true: "B", false: "A"}[parts[1][99] == 'A'] + parts[1][100:] + "." + parts[2]
	says(t, s.run(exitNo, "verify", altered, "--bundle", dir), "✕ 电子凭证内容被改动")
	says(t, s.run(exitNo, "verify", altered), "✕ 电子凭证内容被改动")
	s.run(exitInvalid, "verify", file(t, "plain.json", `{"@context":["https://www.w3.org/ns/credentials/v2"],"type":["VerifiableCredential"]}`), "--bundle", dir)
	says(t, s.errs.String(), "no_signature")

	if _, err := s.ChangeCertificate(t.Context(), s.Authority, one.Number, registry.NewChange{Kind: registry.ChangeVoid, Document: "苏人社〔2026〕9号", Reason: "材料不实"}); err != nil {
		t.Fatal(err)
	}
	s.Clock.Add(time.Hour)
	says(t, s.run(exitNo, "verify", compact), "✕ 证书已撤销")
	s.run(exitOK, "verify", "fetch", "-o", dir)
	says(t, s.run(exitNo, "verify", compact, "--bundle", dir), "✕ 证书已失效")

	// A bundle saved before there were credentials serves for codes, and says what
	// it lacks for a credential.
	if err := os.Remove(filepath.Join(dir, "keys-vc.json")); err != nil {
		t.Fatal(err)
	}
	s.run(exitInvalid, "verify", compact, "--bundle", dir)
	says(t, s.errs.String(), "no_vc_keys", "verify fetch")
	says(t, s.run(exitNo, "verify", one.QR, "--bundle", dir), "✕ 证书已失效")
	if r, err := http.Get(s.url + "/c/" + string(one.Handle) + "/credential.jwt"); err != nil || r.StatusCode != http.StatusConflict {
		t.Errorf("download after voiding: %v, %v", r, err)
	} else {
		r.Body.Close()
	}
}
