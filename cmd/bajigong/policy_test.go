package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bajigong/internal/invented"
	"bajigong/registry"
	"bajigong/registry/policy"
)

// reserved is a claim on a served register, reserved with the key of its payer.
func reserved(t *testing.T, s *served) registry.ClaimView {
	t.Helper()
	issued := s.MustCertificates(s.MustAdmit(1), 0, 1)
	s.payerKey("ks-jy", "320583")
	var a registry.ClaimAnswer
	full := claimRequest(t, issued[0].Number, invented.PersonAt(0), "KS-1", claimFacts(s.Clock.Now()))
	if err := json.Unmarshal([]byte(s.run(exitOK, "claim", "reserve", "--file", full, "--json")), &a); err != nil || a.Claim == nil {
		t.Fatalf("reserve: %v", err)
	}
	return *a.Claim
}

// fetched saves what the served register answers to its payer.
func fetched(t *testing.T, s *served, path, name string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.env["BAJIGONG_KEY"])
	got, err := (&client{base: req.URL, key: s.env["BAJIGONG_KEY"], http: http.DefaultClient}).send(t.Context(), ask{method: http.MethodGet, path: path, accept: "*/*"})
	if err != nil || got.status != http.StatusOK {
		t.Fatalf("%s: %d %v", path, got.status, err)
	}
	return file(t, name, string(got.body))
}

func TestPolicyReplayOfAServer(t *testing.T) {
	s := newServed(t)
	c := reserved(t, s)
	out := s.run(exitOK, "policy", "replay", c.ID)
	says(t, out, "✓ 重算与记录逐字节相同", c.ID, c.Policy, c.Digest, "可以发放")
	var r registry.Replay
	if err := json.Unmarshal([]byte(s.run(exitOK, "policy", "replay", c.ID, "--json")), &r); err != nil || !r.Same {
		t.Errorf("--json: %+v, %v", r, err)
	}
	if r, err := s.ReplayClaim(t.Context(), storeAuditor(), c.ID); err != nil || !r.Same {
		t.Errorf("with the store of this machine: %+v, %v", r, err)
	}
	s.payerKey("wj-rs", "320583")
	s.run(exitNotFound, "policy", "replay", c.ID)
}

// What differs stands side by side; members that only one has, too.
func TestPrintReplay(t *testing.T) {
	m := newMachine(t)
	a := policy.Decision{Policy: "x-1", Outcome: policy.Allow, Amount: 200000, Failing: []policy.Failure{}}
	b := a
	b.Outcome, b.Amount, b.Failing = policy.Deny, 100000, []policy.Failure{{Rule: "once\x1b[2J"}}
	if err := printReplay(m.world(), registry.Replay{Claim: "c-1", Recorded: a, Recomputed: b, Problems: []policy.Text{{ZH: "重算不一致", EN: "recomputed otherwise"}}}); err != nil {
		t.Fatal(err)
	}
	out := m.out.String()
	says(t, strings.Join(strings.Fields(out), " "), "✕ 重算与记录不一致", "! 重算不一致 recomputed otherwise", "项目 field 记录 recorded 重算 recomputed",
		"outcome allow deny", "failing[0].rule — once", `failing[0].clause — ""`, "amount_fen 200000 100000")
	if strings.Contains(out, "\x1b") || strings.Contains(out, "x-1") {
		t.Errorf("what is the same, or steers a terminal, is shown:\n%s", out)
	}
}

func TestPolicyVerify(t *testing.T) {
	s := newServed(t)
	c := reserved(t, s)
	signed := fetched(t, s, "/api/v1/claims/"+c.ID+"/decision", "c.jwt")
	keys := fetched(t, s, "/keys/decision.json", "decision.json")
	out := s.run(exitOK, "policy", "verify", signed, "--jwks", keys)
	says(t, out, "✓ 签名有效", s.Config().Origin, "ks-jy", c.ID, "KS-1", "✓ 可以发放", c.Amount.String()+" 元", c.Digest, c.Policy)
	if online := s.run(exitOK, "policy", "verify", signed); online != out {
		t.Errorf("with the keys of the server:\n%s", online)
	}
	says(t, s.run(exitOK, "policy", "verify", signed, "--jwks", keys, "--json"), `"subject": "claim"`, `"outcome": "allow"`)

	text := mustRead(t, signed)
	head, rest, _ := strings.Cut(text, ".")
	body, signature, _ := strings.Cut(rest, ".")
	other := "A"
	if strings.HasPrefix(signature, other) {
		other = "B"
	}
	forged := other + signature[1:]
	says(t, s.run(exitNo, "policy", "verify", file(t, "forged.jwt", head+"."+body+"."+forged), "--jwks", keys), "✕ 不能证明")
	s.run(exitInvalid, "policy", "verify", file(t, "no.jwt", "what is this"), "--jwks", keys)
	s.run(exitInvalid, "policy", "verify", file(t, "no.json", `{"outcome":"allow"}`), "--jwks", keys)
	says(t, s.errs.String(), "signed=yes")
	elsewhere := newServed(t)
	s.run(exitInvalid, "policy", "verify", signed, "--jwks", fetched(t, elsewhere, "/keys/qr.json", "qr.json"))
	says(t, s.errs.String(), "/keys/decision.json")
	answer, err := json.Marshal(map[string]string{"signed": text})
	if err != nil {
		t.Fatal(err)
	}
	if again := s.run(exitOK, "policy", "verify", file(t, "answer.json", string(answer)), "--jwks", keys); again != out {
		t.Errorf("from an answer in JSON:\n%s", again)
	}
}

// Every case that comes with the program holds on the command line, too, and the
// program's own files pass lint.
func TestPolicyFilesOfTheProgram(t *testing.T) {
	m := newMachine(t)
	m.env["BAJIGONG_DATA"] = t.TempDir()
	for _, name := range []string{"kunshan-2020-67", "cn-2024-40-uplift"} {
		cases := filepath.Join("..", "..", "registry", "policy", "cases", name+".yaml")
		if _, err := os.Stat(cases); err != nil {
			t.Fatal(err)
		}
		if out := m.run(exitOK, "policy", "try", cases); strings.Contains(out, "✕") || strings.Contains(out, "rules without a case") {
			t.Errorf("%s:\n%s", name, out)
		}
	}
	src := filepath.Join("..", "..", "registry", "policy", "policies", "sample-2026.yaml")
	says(t, m.run(exitNo, "policy", "lint", src), "sample-2026 v1 is there already; a policy is changed by a new version")
}
