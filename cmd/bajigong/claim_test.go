package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"bajigong/internal/invented"
	"bajigong/registry"
	"bajigong/registry/policy"
)

// claimRequest is a request in a file.
func claimRequest(t *testing.T, number string, person invented.Person, reference, more string) string {
	t.Helper()
	return file(t, reference+".json", fmt.Sprintf(`{"reference": %q, "fund": "skill_uplift", "certificate": %q, "name": %q, "document": %q%s}`,
		reference, number, person.Name, person.Document, more))
}

// claimFacts are the facts that the embedded policies of Kunshan ask for.
func claimFacts(at time.Time) string {
	var facts []string
	for kind, value := range map[policy.FactKind]string{policy.Employed: "yes", policy.Insured: "yes", policy.InsuredMonths: "60",
		policy.PensionEligible: "no", policy.PolicyInForce: "yes", policy.ScarceListed: "no"} {
		facts = append(facts, fmt.Sprintf(`%q: {"value": %q, "source": "社保", "at": %q, "reference": "SB-1"}`, kind, value, at.Format(time.RFC3339)))
	}
	return `, "facts": {` + strings.Join(facts, ",") + `}`
}

func TestClaimIsPaidOnce(t *testing.T) {
	s := newServed(t)
	by := s.MustAdmit(1)
	issued := s.MustCertificates(by, 0, 2)
	number, person := issued[0].Number, invented.PersonAt(0)
	kunshan := s.payerKey("ks-jy", "320583")
	other := s.payerKey("wj-rs", "320583")
	s.env["BAJIGONG_KEY"] = kunshan

	bare := claimRequest(t, number, person, "KS-1", "")
	full := claimRequest(t, number, person, "KS-1", claimFacts(s.Clock.Now()))
	wrong := claimRequest(t, number, invented.PersonAt(1), "KS-2", "")
	if out := s.run(exitNo, "claim", "check", "--file", bare); strings.Contains(out, "✕ 不予发放") {
		t.Errorf("what is missing is not a refusal:\n%s", out)
	} else {
		says(t, out, "‖ 待补充后再定", "请提供 supply: --fact ")
	}
	says(t, s.run(exitNo, "claim", "check", "--file", wrong), "✕ 不予发放", "未查到")
	allowed := s.run(exitOK, "claim", "check", "--file", full)
	says(t, allowed, "✓ 可以发放", "金额 amount", "政策 policy")

	s.stdin = mustRead(t, full)
	reserved := s.run(exitOK, "claim", "reserve", "--file", "-")
	s.stdin = ""
	says(t, reserved, "✓ 可以发放", "申领 claim", "KS-1")
	if again := s.run(exitOK, "claim", "reserve", "--file", full); again != reserved {
		t.Errorf("the same reference again:\n%s\n%s", reserved, again)
	}
	var answer registry.ClaimAnswer
	if err := json.Unmarshal([]byte(s.run(exitOK, "claim", "reserve", "--file", full, "--json")), &answer); err != nil || answer.Claim == nil {
		t.Fatalf("--json: %v", err)
	}
	claim := answer.Claim
	s.run(exitConflict, "claim", "reserve", "--file", full, "--fact", "employed=no", "--fact-source", "x", "--fact-reference", "y")

	s.env["BAJIGONG_KEY"] = other
	refused := s.run(exitNo, "claim", "reserve", "--file", full, "--reference", "WJ-1")
	says(t, refused, "✕ 不予发放", "["+string(policy.OnceTaken)+"]", "其他机构 another payer")
	for _, secret := range []string{claim.ID, "KS-1", person.Document, person.Name} {
		if strings.Contains(refused, secret) {
			t.Errorf("another payer learns %q:\n%s", secret, refused)
		}
	}
	s.run(exitNotFound, "claim", "show", claim.ID)

	s.env["BAJIGONG_KEY"] = kunshan
	says(t, s.run(exitOK, "claim", "show", claim.ID), claim.ID, "锁定")
	s.run(exitInvalid, "claim", "confirm", claim.ID, "--payment", "P-1", "--paid-on", "2026-03-31", "--amount", "1,000")
	pay := []string{"claim", "confirm", claim.ID, "--payment", "P-1", "--paid-on", string(claim.Reserved.Format(time.DateOnly)), "--amount", claim.Amount.String()}
	paid := s.run(exitOK, pay...)
	says(t, paid, "发放 paid", "P-1", claim.Amount.String()+" 元")
	if again := s.run(exitOK, pay...); again != paid {
		t.Errorf("the same payment again:\n%s", again)
	}
	s.run(exitConflict, "claim", "release", claim.ID, "--reason", "本人撤回")
	says(t, s.run(exitOK, "claim", "refund", claim.ID, "--amount", claim.Amount.String(), "--reason", "多发", "--restores", refundRule(t, s, claim)), "追回 refunded")
	says(t, s.run(exitOK, "claim", "show", claim.ID, "--json"), `"state": "refunded"`)
}

// refundRule says whether the claim's policy gives the right back.
func refundRule(t *testing.T, s *served, claim *registry.ClaimView) string {
	t.Helper()
	p, err := s.Config().Policies.Policy(claim.Policy, claim.Version)
	if err != nil {
		t.Fatal(err)
	}
	if p.Refund != nil && p.Refund.RestoresRight {
		return policy.Yes
	}
	return policy.No
}

// TestPaymentAfterSomebodyElse: a payment that comes too late is recorded and has
// to come back.
func TestPaymentAfterSomebodyElse(t *testing.T) {
	s := newServed(t)
	issued := s.MustCertificates(s.MustAdmit(1), 0, 1)
	person := invented.PersonAt(0)
	reserve := func(reference string) registry.ClaimView {
		var a registry.ClaimAnswer
		out := s.run(exitOK, "claim", "reserve", "--json", "--file", claimRequest(t, issued[0].Number, person, reference, claimFacts(s.Clock.Now())))
		if err := json.Unmarshal([]byte(out), &a); err != nil {
			t.Fatal(err)
		}
		return *a.Claim
	}
	first := s.payerKey("ks-jy", "320583")
	mine := reserve("KS-1")
	says(t, s.run(exitOK, "claim", "release", mine.ID, "--reason", "本人撤回"), "解除 released", "本人撤回")
	s.payerKey("wj-rs", "320583")
	reserve("WJ-1")
	s.env["BAJIGONG_KEY"] = first
	says(t, s.run(exitNo, "claim", "confirm", mine.ID, "--payment", "P-1", "--paid-on", mine.Reserved.Format(time.DateOnly), "--amount", mine.Amount.String()),
		"须追回 to recover", "锁定结束后报来")
	says(t, s.errs.String(), "重复发放")
}

func TestClaimRequestsAreReadStrictly(t *testing.T) {
	m := newMachine(t)
	m.env["BAJIGONG_KEY"], m.env["BAJIGONG_SERVER"] = "bjg_a_b", "https://zs.example.gov.cn"
	for name, content := range map[string]string{
		"no JSON":        `name=张三`,
		"unknown member": `{"nmae": "张三"}`,
		"wrong type":     `{"name": 7}`,
	} {
		m.run(exitInvalid, "claim", "check", "--file", file(t, "r.json", content))
		if bytesContain(m.errs.Bytes(), "张三") {
			t.Errorf("%s: personal data in the error: %s", name, &m.errs)
		}
	}
	m.run(exitInvalid, "claim", "check", "--fact", "employed=perhaps", "--fact-source", "社保", "--fact-reference", "1")
	says(t, m.errs.String(), "facts.employed", "应为 yes 或 no")
	m.run(exitInvalid, "claim", "check", "--received", "next week")

	var f requestFlags
	f.file = file(t, "r.json", "\ufeff"+`{"reference": "A", "name": "甲"}`)
	f.in.Reference = "B"
	f.facts, f.source, f.ref, f.at = []string{"insured_months=36"}, "社保", "SB-1", "2026-03-20"
	got, err := f.request(m.world())
	fact := got.Facts[policy.InsuredMonths]
	if err != nil || got.Reference != "B" || got.Name != "甲" || fact.Value != "36" || fact.At.Format(time.RFC3339) != "2026-03-19T16:00:00Z" {
		t.Errorf("%+v, %v", got, err)
	}
}
