package credentials

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"bajigong/credentials/jws"
)

// nodeModules finds the folder with the npm packages of testdata/check.mjs: the
// one that BAJIGONG_NODE_MODULES names, or a node_modules folder above.
func nodeModules() string {
	var candidates []string
	if dir := os.Getenv("BAJIGONG_NODE_MODULES"); dir != "" {
		candidates = append(candidates, dir)
	}
	if dir, err := os.Getwd(); err == nil {
		for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
			candidates = append(candidates, filepath.Join(dir, "node_modules"))
		}
	}
	for _, dir := range candidates {
		_, err1 := os.Stat(filepath.Join(dir, "jose"))
		_, err2 := os.Stat(filepath.Join(dir, "@digitalbazaar", "vc-bitstring-status-list"))
		if err1 == nil && err2 == nil {
			return dir
		}
	}
	return ""
}

func TestNpmJoseVerifiesWhatWeSign(t *testing.T) {
	node, err := exec.LookPath("node")
	need(t, err == nil, "node")
	modules := nodeModules()
	need(t, modules != "", "a node_modules folder with jose and @digitalbazaar/vc-bitstring-status-list (BAJIGONG_NODE_MODULES)")

	r := mustRing(t)
	signer, err := r.Signer(jws.QR)
	noFail(t, err)
	token, err := SignToken(signer, sample())
	noFail(t, err)
	claims, err := sample().encode()
	noFail(t, err)
	statusSigner, err := r.Signer(jws.Status)
	noFail(t, err)
	set := []int{0, 7, 8, 130971, StatusListBits - 1}
	l := NewStatusList(testOrigin, Revocation, 0)
	l.ValidFrom = testNow
	for _, i := range set {
		noFail(t, l.Set(i, true))
	}
	list, err := l.Sign(statusSigner)
	noFail(t, err)
	input, err := json.Marshal(map[string]any{
		"token": token, "kid": signer.KID(), "claims": json.RawMessage(claims),
		"qrKeys": json.RawMessage(r.JWKS(jws.QR)), "otherKeys": json.RawMessage(mustRing(t).JWKS(jws.QR)),
		"statusList": list, "statusKeys": json.RawMessage(r.JWKS(jws.VC, jws.Status)), "set": set,
	})
	noFail(t, err)

	// node looks for packages beside the script.
	dir := t.TempDir()
	script, err := os.ReadFile(filepath.Join("testdata", "check.mjs"))
	noFail(t, err)
	noFail(t, os.WriteFile(filepath.Join(dir, "check.mjs"), script, 0o600))
	modules, err = filepath.Abs(modules)
	noFail(t, err)
	noFail(t, os.Symlink(modules, filepath.Join(dir, "node_modules")))
	cmd := exec.Command(node, filepath.Join(dir, "check.mjs"))
	cmd.Stdin = bytes.NewReader(input)
	out, err := cmd.CombinedOutput()
	if err != nil || string(out) != "ok\n" {
		t.Fatalf("%v\n%s", err, out)
	}
}
