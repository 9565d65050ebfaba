package registry_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"bajigong/credentials"
	"bajigong/credentials/jws"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/registry"
	"bajigong/registry/policy"
	"bajigong/registry/registrytest"
	"bajigong/standards"
)

// Every decision, allowed and refused, is decided anew to the byte later, when
// other claims and changes have come after it, and its payer has it signed.
func TestDecisionsReplayAndAreSigned(t *testing.T) {
	e := newClaimEnv(t)
	cert := e.issue(1, "6-31-01-03", standards.Senior)
	first := e.mustReserve(e.kunshan, e.request(1, cert.Number))
	e.Clock.Add(48 * time.Hour)
	refused := e.mustReserve(e.other, e.request(1, cert.Number))
	e.mustConfirm(e.kunshan, first.Claim.ID, "P-1", first.Claim.Amount)
	for by, a := range map[*registry.Actor]registry.ClaimAnswer{&e.kunshan: first, &e.other: refused} {
		got, err := e.ReplayClaim(ctx, *by, a.Claim.ID)
		if err != nil || !got.Same || len(got.Problems) > 0 || got.Recomputed.Outcome != a.Outcome {
			t.Errorf("%+v, %v", got, err)
		}
		signed, err := e.SignedDecision(ctx, *by, a.Claim.ID)
		if err != nil {
			t.Fatal(err)
		}
		s, _, err := credentials.OpenStatement(signed, e.Config().Keys.Public(), jws.Limits{})
		var d registry.RecordedDecision
		if err != nil || json.Unmarshal(s.Content, &d) != nil || !reflect.DeepEqual(d.Decision, *a.Decision) || s.ID != a.Claim.ID ||
			s.Audience != by.Organisation || s.Subject != credentials.StatementClaim || s.TreeSize != a.Claim.LogIndex {
			t.Errorf("signed %+v %s, %v", s, s.Content, err)
		}
		if q := e.request(1, cert.Number); strings.Contains(string(s.Content), q.Name) || strings.Contains(string(s.Content), q.Document) {
			t.Error("the signed decision names the person")
		}
	}
	for name, err := range map[string]error{
		"replayed by another payer": second(e.ReplayClaim(ctx, e.other, first.Claim.ID)),
		"signed for another payer":  second(e.SignedDecision(ctx, e.other, first.Claim.ID)),
	} {
		if fail.KindOf(err) != fail.NotFound {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// An answer that reserves nothing can be had signed; it is the answer itself.
func TestAnswersAreSigned(t *testing.T) {
	e := newClaimEnv(t)
	cert := e.issue(1, "6-31-01-03", standards.Senior)
	a, err := e.SignedCheck(ctx, e.kunshan, e.request(1, cert.Number))
	if err != nil {
		t.Fatal(err)
	}
	s, _, err := credentials.OpenStatement(a.Signed, e.Config().Keys.Public(), jws.Limits{})
	var got registry.ClaimAnswer
	if err != nil || json.Unmarshal(s.Content, &got) != nil {
		t.Fatal(err)
	}
	a.Signed = ""
	if !reflect.DeepEqual(got, a) || s.TreeSize != a.TreeSize || s.Subject != credentials.StatementCheck || s.ID != "" {
		t.Errorf("signed %+v for %+v", got, a)
	}
}

// The program's policies change; a claim is replayed and paid by the text it was
// decided by, which the store kept.
func TestALawIsKeptWithTheClaimsThatRestOnIt(t *testing.T) {
	e := newClaimEnv(t)
	cert := e.issue(1, "6-31-01-03", standards.Senior)
	first := e.mustReserve(e.kunshan, e.request(1, cert.Number))
	without, err := policy.NewSet(e.Config().Policies.Regions())
	if err != nil {
		t.Fatal(err)
	}
	cfg := e.Config()
	cfg.Policies = without
	later, err := registry.New(e.DB, cfg)
	if err != nil {
		t.Fatal(err)
	}
	got, err := later.ReplayClaim(ctx, e.kunshan, first.Claim.ID)
	if err != nil || !got.Same {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := later.ConfirmClaim(ctx, e.kunshan, first.Claim.ID, e.payment("P-1", first.Claim.Amount)); err != nil {
		t.Error(err)
	}
	report, err := later.Check(ctx, registry.Operator(), nil)
	if err != nil || len(report.Problems) > 0 {
		t.Errorf("%v %v", report.Problems, err)
	}
	if _, err := later.CheckClaim(ctx, e.kunshan, e.request(1, cert.Number)); fail.KindOf(err) != fail.Invalid {
		t.Errorf("a policy that is not in use decides: %v", err)
	}
}

// A law whose text was changed in the store is found.
func TestCheckFindsAChangedLaw(t *testing.T) {
	e := newClaimEnv(t, registrytest.Options{NoCheck: true})
	cert := e.issue(1, "6-31-01-03", standards.Senior)
	digest := e.mustReserve(e.kunshan, e.request(1, cert.Number)).Claim.Digest
	if err := e.DB.Update(ctx, func(tx kv.Tx) error {
		value, err := json.Marshal(registry.Law{Digest: digest, Kind: registry.LawPolicy, ID: "sample-2026", Version: 1, Text: []byte("x")})
		tx.Put("laws", kv.Key(digest), value)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	report, err := e.Check(ctx, registry.Operator(), nil)
	if err != nil || !strings.Contains(strings.Join(report.Problems, "\n"), "another text than that of its digest") {
		t.Errorf("%v %v", report.Problems, err)
	}
}
