package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"bajigong/credentials"
	"bajigong/internal/needed"
	"bajigong/registry"
)

var fingerprints = regexp.MustCompile(`sha256:[0-9a-f]{64}`)

// TestBundleInOneFile: fetched into one file, checked with no network, updated,
// damaged, pinned, and refused when it is another register's.
func TestBundleInOneFile(t *testing.T) {
	s := newServed(t)
	by := s.MustAdmit(1)
	issued := s.MustCertificates(by, 0, 4)
	dir := t.TempDir()
	bundle := filepath.Join(dir, "js.bundle")
	saved := s.run(exitOK, "verify", "fetch", "-o", bundle)
	says(t, saved, "status-revocation-0.jwt", "directory.jws", "公钥指纹 fingerprint", "zs.jnrd.example.gov.cn/log", "0 秒前 (0 s old)")
	pin := fingerprints.FindString(saved)
	data := mustRead(t, bundle)
	if b, err := credentials.ParseBundle([]byte(data)); err != nil || b.From != s.url {
		t.Fatalf("%+v, %v", b.From, err)
	}

	s.Clock.Add(2 * time.Hour)
	out := s.run(exitOK, "verify", issued[0].QR, "--bundle", bundle, "--pin", pin)
	says(t, out, "✓ 证书有效", "状态清单更新于 2 小时前", issued[0].Name, "keys-qr.json", "保存于 fetched 2 小时前", "status-suspension-0.jwt", "签署于 signed 2 小时前", "已过更新间隔", "due for an update")
	if strings.Contains(out, "status-revocation-1") {
		t.Error("ages of lists that play no part")
	}
	s.run(exitConflict, "verify", issued[0].QR, "--bundle", bundle, "--pin", "sha256:"+strings.Repeat("ab", 32))
	says(t, s.errs.String(), "pin_mismatch", pin)
	s.run(exitInvalid, "verify", issued[0].QR, "--bundle", bundle, "--pin", "x")
	s.run(exitUsage, "verify", issued[0].QR, "--pin", pin, "--jwks", bundle)

	if _, err := s.ChangeCertificate(t.Context(), s.Authority, issued[1].Number, registry.NewChange{Kind: registry.ChangeVoid, Document: "苏人社〔2026〕9号", Reason: "材料不实"}); err != nil {
		t.Fatal(err)
	}
	says(t, s.run(exitOK, "verify", issued[1].QR, "--bundle", bundle), "✓ 证书有效", "2 小时前") // what it was then
	s.run(exitConflict, "verify", "fetch", "-o", bundle, "--pin", "sha256:"+strings.Repeat("ab", 32))
	if mustRead(t, bundle) != data {
		t.Error("saved although the keys are not those of the pin")
	}
	says(t, s.run(exitOK, "verify", "fetch", "-o", bundle, "--pin", pin), "0 秒前")
	says(t, s.run(exitNo, "verify", issued[1].QR, "--bundle", bundle), "✕ 证书已失效")

	s.Clock.Add(30 * 24 * time.Hour)
	says(t, s.run(exitOK, "verify", issued[0].QR, "--bundle", bundle), "? 签名有效，状态清单已过期", "status-revocation-0.jwt", "30 天前", "签名有效，状态清单已过期；请联网查验")

	data = mustRead(t, bundle)
	for _, at := range []int{0, 30, 200, len(data) / 2, len(data) - 2} {
		damaged := []byte(data)
		damaged[at] ^= 4
		s.run(exitInvalid, "verify", issued[0].QR, "--bundle", file(t, "damaged.bundle", string(damaged)))
		says(t, s.errs.String(), "bad_bundle")
	}
	s.run(exitNotFound, "verify", issued[0].QR, "--bundle", filepath.Join(dir, "none.bundle"))
	s.run(exitNotFound, "verify", issued[0].QR, "--bundle", filepath.Join(dir, "none"))
	s.run(exitInvalid, "verify", issued[0].QR, "--bundle", dir)
	says(t, s.errs.String(), "no_qr_keys")

	forger := newServed(t)
	s.run(exitConflict, "verify", "fetch", "-o", bundle, "--server", forger.url)
	says(t, s.errs.String(), "key_replaced")
	if mustRead(t, bundle) != data {
		t.Error("the bundle was replaced")
	}
}

// TestBundleRefusesAnOlderRegister: a server that goes back in time, or whose log
// is shorter, does not replace what is saved.
func TestBundleRefusesAnOlderRegister(t *testing.T) {
	s := newServed(t)
	by := s.MustAdmit(1)
	bundle := filepath.Join(t.TempDir(), "js.bundle")
	s.run(exitOK, "verify", "fetch", "-o", bundle)
	older, err := credentials.ParseBundle([]byte(mustRead(t, bundle)))
	if err != nil {
		t.Fatal(err)
	}
	s.MustCertificates(by, 0, 2)
	s.Clock.Add(time.Hour)
	s.run(exitOK, "verify", "fetch", "-o", bundle)
	w := s.world()
	log, err := bundleLog(older)
	if err != nil || log.Size == 0 {
		t.Fatalf("%+v, %v", log, err)
	}
	_, _, err = follows(w, older, bundle, log)
	says(t, err.Error(), "bundle_older")
	newer, err := loadBundle(bundle)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = follows(w, newer, bundle, log)
	says(t, err.Error(), "log_replaced")
}

// TestScriptFetchesFromAServer: the module's fetchTrust against a real register.
func TestScriptFetchesFromAServer(t *testing.T) {
	t.Parallel()
	node := needed.Tool(t, "node", "nodejs")
	s := newServed(t)
	one := s.MustCertificates(s.MustAdmit(1), 0, 2)[0]
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "bajigong-verify.mjs"), []byte(mustRead(t, "../../web/static/bajigong-verify.js")), 0o600); err != nil {
		t.Fatal(err)
	}
	program := `import {age, fetchTrust, makeTrust, placeOf, verify} from './bajigong-verify.mjs';
		const [, , origin, text, at] = process.argv, now = new Date(at);
		const trust = await fetchTrust(origin, {lists: placeOf(text).list, now});
		const again = await makeTrust({...trust, now});
		const verdicts = [await verify(text, trust, now), await verify(text, again, now)];
		if (JSON.stringify(verdicts[0]) !== JSON.stringify(verdicts[1])) throw new Error('kept trust gives another verdict');
		console.log(verdicts[0].reasons[0], verdicts[0].certificate.name, verdicts[0].institution.name, verdicts[0].basis.zh, age(trust, now).keys.zh, trust.lists.length);
		await fetchTrust('http://127.0.0.1:9', {now}).catch(e => console.log(e.code, e.at));`
	if err := os.WriteFile(filepath.Join(dir, "p.mjs"), []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(node, filepath.Join(dir, "p.mjs"), s.url, one.QR, s.Clock.Now().Format(time.RFC3339)).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	says(t, string(out), "valid "+one.Name, "离线查验 · 状态清单更新于 0 分钟前", "0 分钟 3", "unreachable /keys/qr.json")
}
