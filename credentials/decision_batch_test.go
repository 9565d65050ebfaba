package credentials

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"bajigong/credentials/jws"
	"bajigong/internal/fail"
	"bajigong/internal/needed"
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
	keys, err := jws.ParseJWKS(r.JWKS(jws.Decision), jws.Decision)
	noFail(t, err)
	for form, text := range bothForms(t, signer, d) {
		got, err := OpenDecisionBatch(text, keys, jws.Limits{})
		if err != nil || !reflect.DeepEqual(got, d) {
			t.Fatalf("%s: %+v, %v", form, got, err)
		}
		s, key, err := OpenStatement(text, keys, jws.Limits{})
		if err != nil || s.Subject != StatementBatch || s.ID != d.Run || s.Audience != d.Payer || s.TreeSize != d.TreeSize || key.ID != signer.KID() {
			t.Fatalf("%s: %+v by %s, %v", form, s, key.ID, err)
		}
		for i := range len(text) {
			for c := range 256 {
				if byte(c) == text[i] || c != int(text[i])^1 && !strings.ContainsRune("Az0-.=\n", rune(c)) {
					continue
				}
				bad := text[:i] + string([]byte{byte(c)}) + text[i+1:]
				if _, err := OpenDecisionBatch(bad, keys, jws.Limits{}); err == nil {
					t.Fatalf("%s: byte %d as %q opens", form, i, rune(c))
				}
			}
		}
	}
	for _, p := range []jws.Purpose{jws.QR, jws.VC, jws.Status, jws.Directory} {
		other, err := r.Signer(p)
		noFail(t, err)
		if _, err := SignDecisionBatch(other, d); fail.CodeOf(err) != "wrong_purpose" {
			t.Errorf("a key for %s signs: %v", p, err)
		}
		for form, text := range bothForms(t, other, d) {
			if _, err := OpenDecisionBatch(text, r.Public(), jws.Limits{}); !errors.Is(err, jws.ErrWrongPurpose) {
				t.Errorf("%s, signed by a key for %s: %v", form, p, err)
			}
		}
	}
	// Signed by a decision key, and not the one proper text.
	for typ, payload := range payloadsOf(t, d) {
		for name, bad := range map[string]string{
			"a member more":         strings.Replace(payload, `"rows":`, `"name":"张三","rows":`, 1),
			"a member twice":        strings.Replace(payload, `"rows":5`, `"rows":4,"rows":5`, 1),
			"another order":         strings.Replace(payload, `"rows":5,"allow":2`, `"allow":2,"rows":5`, 1),
			"white space":           strings.Replace(payload, `"rows":5`, `"rows": 5`, 1),
			"trailing":              payload + "{}",
			"no policies":           strings.Replace(payload, `"policies":[{`, `"policies":null,"x":[{`, 1),
			"rows that are lost":    strings.Replace(payload, `"rows":5`, `"rows":6`, 1),
			"a log that shrinks":    strings.Replace(payload, `"tree_from":411`, `"tree_from":413`, 1),
			"none":                  `{}`,
			"the form of the other": payloadsOf(t, d)[map[string]string{TypStatement: typBatchBefore, typBatchBefore: TypStatement}[typ]],
		} {
			if bad == payload {
				t.Fatalf("%s: nothing was changed", name)
			}
			text, err := signer.Sign([]byte(bad), typ)
			noFail(t, err)
			if _, err := OpenDecisionBatch(text, keys, jws.Limits{}); err == nil {
				t.Errorf("%s: %s opens", typ, name)
			}
		}
		for _, other := range []string{"vc+jwt", ""} {
			text, err := signer.Sign([]byte(payload), other)
			noFail(t, err)
			if _, err := OpenDecisionBatch(text, keys, jws.Limits{}); !errors.Is(err, jws.ErrWrongType) {
				t.Errorf("typ %q: %v", other, err)
			}
		}
	}
	claim, err := SignStatement(signer, sampleStatement())
	noFail(t, err)
	if _, err := OpenDecisionBatch(claim, keys, jws.Limits{}); fail.CodeOf(err) != "bad_decision" {
		t.Errorf("the decision on a claim opens as one over a file: %v", err)
	}
}

// payloadsOf is what is signed for d, by type: as a statement, and in the form
// before.
func payloadsOf(t testing.TB, d DecisionBatch) map[string]string {
	t.Helper()
	s, err := d.statement()
	noFail(t, err)
	now, err := s.payload()
	noFail(t, err)
	before, err := marshalPlain(d)
	noFail(t, err)
	return map[string]string{TypStatement: string(now), typBatchBefore: string(before)}
}

// bothForms are the signed texts of d, by type.
func bothForms(t testing.TB, signer jws.Signer, d DecisionBatch) map[string]string {
	t.Helper()
	out := payloadsOf(t, d)
	for typ, payload := range out {
		text, err := signer.Sign([]byte(payload), typ)
		noFail(t, err)
		out[typ] = text
	}
	return out
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
	for typ, payload := range payloadsOf(t, sampleDecisionBatch()) {
		s := newJoseScene(t, joseKind{purpose: jws.Decision, typ: typ, payload: payload})
		text := s.sign(s.header("js04"), payload, "js04")
		for _, c := range []struct {
			existed time.Time
			ok      bool
		}{{time.Time{}, false}, {testNow.Add(-time.Second), true}, {testNow, false}} {
			d, err := OpenDecisionBatch(text, s.set, jws.Limits{Existed: c.existed})
			if (err == nil) != c.ok || !c.ok && !errors.Is(err, jws.ErrDistrusted) || d.Rows != 5 {
				t.Errorf("%s %v: %+v, %v", typ, c.existed, d, err)
			}
		}
	}
}

func TestNpmJoseVerifiesTheDecisionOverAFile(t *testing.T) {
	r := mustRing(t)
	signer, err := r.Signer(jws.Decision)
	noFail(t, err)
	for typ, text := range bothForms(t, signer, sampleDecisionBatch()) {
		input, err := json.Marshal(map[string]any{"decision": text, "kid": signer.KID(), "typ": typ, "claims": json.RawMessage(payloadsOf(t, sampleDecisionBatch())[typ]),
			"keys": json.RawMessage(r.JWKS(jws.Decision)), "otherKeys": json.RawMessage(mustRing(t).JWKS(jws.Decision))})
		noFail(t, err)
		if out := needed.NodeScript(t, "testdata/decision.mjs", []string{"jose"}, nil, input); out != "ok\n" {
			t.Fatal(typ, out)
		}
	}
}

// A text that was signed before decisions over files were statements: it opens for
// ever, byte for byte.
func TestDecisionOverAFileSignedBefore(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("testdata", "decision-batch-before.json"))
	noFail(t, err)
	var kept struct {
		Keys     json.RawMessage `json:"keys"`
		Decision string          `json:"decision"`
	}
	noFail(t, json.Unmarshal(b, &kept))
	keys, err := jws.ParseJWKS(kept.Keys, jws.Decision)
	noFail(t, err)
	d, err := OpenDecisionBatch(kept.Decision, keys, jws.Limits{})
	if err != nil || !reflect.DeepEqual(d, sampleDecisionBatch()) {
		t.Fatalf("%+v, %v", d, err)
	}
	flipEvery(t, kept.Decision, func(s string) error { _, _, err := OpenStatement(s, keys, jws.Limits{}); return err })
}
