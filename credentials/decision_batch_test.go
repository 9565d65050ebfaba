package credentials

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bajigong/credentials/jws"
	"bajigong/internal/fail"
)

func sampleDecisionBatch() DecisionBatch {
	hash := strings.Repeat("0123456789abcdef", 4)
	return DecisionBatch{Issuer: testOrigin, IssuedAt: testNow.Unix(), Run: "cb-0123456789abcdef", Payer: "320583/kunshan", File: hash, Results: strings.ToLower(strings.Repeat("AB", 32)),
		Policies: []DecisionPolicy{{ID: "kunshan-2020-67", Version: 1, Digest: hash}, {ID: "sample-2026", Version: 2, Digest: hash}},
		Rows:     5, Allow: 2, Deny: 1, Hold: 1, Invalid: 1, Amount: 460000, TreeFrom: 411, TreeSize: 412}
}

func TestDecisionOverAFileOpensStrictly(t *testing.T) {
	r := mustRing(t)
	signer, err := r.Signer(jws.Decision)
	noFail(t, err)
	d := sampleDecisionBatch()
	text, err := SignDecisionBatch(signer, d)
	noFail(t, err)
	keys, err := jws.ParseJWKS(r.JWKS(jws.Decision), jws.Decision)
	noFail(t, err)
	got, err := OpenDecisionBatch(text, keys, jws.Limits{})
	if err != nil || got.Run != d.Run || len(got.Policies) != 2 || got.Amount != d.Amount {
		t.Fatalf("%+v, %v", got, err)
	}
	for i := range len(text) {
		for c := range 256 {
			if byte(c) == text[i] || c != int(text[i])^1 && !strings.ContainsRune("Az0-.=\n", rune(c)) {
				continue
			}
			bad := text[:i] + string([]byte{byte(c)}) + text[i+1:]
			if _, err := OpenDecisionBatch(bad, keys, jws.Limits{}); err == nil {
				t.Fatalf("byte %d as %q opens", i, rune(c))
			}
		}
	}
	for _, p := range []jws.Purpose{jws.QR, jws.VC, jws.Status, jws.Directory} {
		other, err := r.Signer(p)
		noFail(t, err)
		if _, err := SignDecisionBatch(other, d); fail.CodeOf(err) != "wrong_purpose" {
			t.Errorf("a key for %s signs: %v", p, err)
		}
		payload, err := marshalPlain(d)
		noFail(t, err)
		forged, err := other.Sign(payload, TypDecisionBatch)
		noFail(t, err)
		if _, err := OpenDecisionBatch(forged, r.Public(), jws.Limits{}); !errors.Is(err, jws.ErrWrongPurpose) {
			t.Errorf("signed by a key for %s: %v", p, err)
		}
	}
	// Signed by a decision key, and not the one proper text.
	payload, err := marshalPlain(d)
	noFail(t, err)
	for name, c := range map[string]struct{ payload, typ string }{
		"another type":   {string(payload), "vc+jwt"},
		"no type":        {string(payload), ""},
		"a member more":  {strings.Replace(string(payload), `"rows":`, `"name":"张三","rows":`, 1), TypDecisionBatch},
		"a member twice": {strings.Replace(string(payload), `"rows":5`, `"rows":4,"rows":5`, 1), TypDecisionBatch},
		"another order":  {strings.Replace(string(payload), `"rows":5,"allow":2`, `"allow":2,"rows":5`, 1), TypDecisionBatch},
		"white space":    {strings.Replace(string(payload), `"rows":5`, `"rows": 5`, 1), TypDecisionBatch},
		"trailing":       {string(payload) + "{}", TypDecisionBatch},
		"no policies":    {strings.Replace(string(payload), `"policies":[{`, `"policies":null,"x":[{`, 1), TypDecisionBatch},
		"none":           {`{}`, TypDecisionBatch},
	} {
		bad, err := signer.Sign([]byte(c.payload), c.typ)
		noFail(t, err)
		if _, err := OpenDecisionBatch(bad, keys, jws.Limits{}); err == nil {
			t.Errorf("%s opens", name)
		}
	}
}

func TestDecisionOverAFileIsHeldAgainstItself(t *testing.T) {
	r := mustRing(t)
	signer, err := r.Signer(jws.Decision)
	noFail(t, err)
	for name, change := range map[string]func(*DecisionBatch){
		"no origin":           func(d *DecisionBatch) { d.Issuer = "https://x/y" },
		"no time":             func(d *DecisionBatch) { d.IssuedAt = 0 },
		"no run":              func(d *DecisionBatch) { d.Run = "" },
		"no payer":            func(d *DecisionBatch) { d.Payer = "" },
		"hash in capitals":    func(d *DecisionBatch) { d.File = strings.ToUpper(d.File) },
		"half a hash":         func(d *DecisionBatch) { d.Results = d.Results[:32] },
		"rows that are lost":  func(d *DecisionBatch) { d.Rows++ },
		"fewer than none":     func(d *DecisionBatch) { d.Hold, d.Deny = -1, 3 },
		"no rows":             func(d *DecisionBatch) { d.Rows, d.Allow, d.Deny, d.Hold, d.Invalid, d.Amount = 0, 0, 0, 0, 0, 0 },
		"paid for nothing":    func(d *DecisionBatch) { d.Allow, d.Deny = 0, 3 },
		"owed":                func(d *DecisionBatch) { d.Amount = -1 },
		"a log that shrinks":  func(d *DecisionBatch) { d.TreeFrom = 413 },
		"policies turned":     func(d *DecisionBatch) { d.Policies[0], d.Policies[1] = d.Policies[1], d.Policies[0] },
		"a policy twice":      func(d *DecisionBatch) { d.Policies[1] = d.Policies[0] },
		"a policy of version": func(d *DecisionBatch) { d.Policies[0].Version = 0 },
		"no list of policies": func(d *DecisionBatch) { d.Policies = nil },
	} {
		d := sampleDecisionBatch()
		change(&d)
		if _, err := SignDecisionBatch(signer, d); fail.CodeOf(err) != "bad_decision" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDecisionOverAFileOfADistrustedKey(t *testing.T) {
	kind := joseKind{purpose: jws.Decision, typ: TypDecisionBatch}
	payload, err := marshalPlain(sampleDecisionBatch())
	noFail(t, err)
	kind.payload = string(payload)
	s := newJoseScene(t, kind)
	text := s.sign(s.header("js04"), kind.payload, "js04")
	for _, c := range []struct {
		existed time.Time
		ok      bool
	}{{time.Time{}, false}, {testNow.Add(-time.Second), true}, {testNow, false}} {
		d, err := OpenDecisionBatch(text, s.set, jws.Limits{Existed: c.existed})
		if (err == nil) != c.ok || !c.ok && !errors.Is(err, jws.ErrDistrusted) || d.Rows != 5 {
			t.Errorf("%v: %+v, %v", c.existed, d, err)
		}
	}
}

func TestNpmJoseVerifiesTheDecisionOverAFile(t *testing.T) {
	node, err := exec.LookPath("node")
	need(t, err == nil, "node")
	modules := nodeModules()
	need(t, modules != "", "a node_modules folder with jose (BAJIGONG_NODE_MODULES)")
	r := mustRing(t)
	signer, err := r.Signer(jws.Decision)
	noFail(t, err)
	d := sampleDecisionBatch()
	text, err := SignDecisionBatch(signer, d)
	noFail(t, err)
	input, err := json.Marshal(map[string]any{"decision": text, "kid": signer.KID(), "typ": TypDecisionBatch, "claims": d,
		"keys": json.RawMessage(r.JWKS(jws.Decision)), "otherKeys": json.RawMessage(mustRing(t).JWKS(jws.Decision))})
	noFail(t, err)
	dir := t.TempDir()
	script, err := os.ReadFile(filepath.Join("testdata", "decision.mjs"))
	noFail(t, err)
	noFail(t, os.WriteFile(filepath.Join(dir, "decision.mjs"), script, 0o600))
	modules, err = filepath.Abs(modules)
	noFail(t, err)
	noFail(t, os.Symlink(modules, filepath.Join(dir, "node_modules")))
	cmd := exec.Command(node, filepath.Join(dir, "decision.mjs"))
	cmd.Stdin = bytes.NewReader(input)
	out, err := cmd.CombinedOutput()
	if err != nil || string(out) != "ok\n" {
		t.Fatalf("%v\n%s", err, out)
	}
}
