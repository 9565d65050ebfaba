package registry_test

import (
	"fmt"
	"strings"
	"testing"

	"bajigong/credentials"
	"bajigong/internal/fail"
	"bajigong/registry"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// The reference that a payer gives a claim and those of payments of the past are
// two things: neither takes the place of the other.
func TestReferencesOfThePastStandApart(t *testing.T) {
	e := newClaimEnv(t)
	e.kunshan.Organisation = "320583/ks-payer"
	cert := e.issue(1, "6-31-01-03", standards.Senior)
	q := e.request(1, cert.Number)
	q.Reference = "past/P-1"
	e.mustAnswer("reserved under past/P-1", e.mustReserve(e.kunshan, q), policy.Allow)
	csv := ledgerHeader + ledgerLine(2, "2023-05-10", "2000", "", "电工", "三级/高级工", "P-1") + ledgerLine(3, "2023-05-10", "2000", "", "电工", "三级/高级工", "P-2")
	if got := e.mustImportPayments(csv, false); got.Imported != 2 {
		t.Fatalf("%+v %+v", got.PastReport, got.findings)
	}
	if got := e.mustImportPayments(csv, false); got.AlreadyThere != 2 {
		t.Errorf("again: %+v %+v", got.PastReport, got.findings)
	}
	q = e.request(4, e.issue(4, "6-31-01-03", standards.Senior).Number)
	q.Reference = "past/P-2"
	e.mustAnswer("reserved under past/P-2", e.mustReserve(e.kunshan, q), policy.Allow)
	q.Reference = "past#P-2"
	if _, err := e.ReserveClaim(ctx, e.kunshan, q); fail.KindOf(err) != fail.Invalid {
		t.Errorf("past#P-2 as one's own: %v", err)
	}
}

// What the first release took over is found under the reference it has there.
func TestReferencesOfTheFirstReleaseAreFound(t *testing.T) {
	e := newClaimEnv(t)
	csv := ledgerHeader + ledgerLine(2, "2023-05-10", "2000", "", "电工", "三级/高级工", "P-1")
	e.mustImportPayments(csv, false)
	payer := e.kunshan
	payer.Organisation = "320583/ks-payer"
	mine, _, err := e.Claims(ctx, payer, registry.Page{})
	if err != nil || len(mine) != 1 {
		t.Fatalf("%+v, %v", mine, err)
	}
	if err := e.Rename(ctx, mine[0].ID, "past/P-1"); err != nil {
		t.Fatal(err)
	}
	if got := e.mustImportPayments(csv, false); got.AlreadyThere != 1 {
		t.Errorf("%+v %+v", got.PastReport, got.findings)
	}
	csv = ledgerHeader + ledgerLine(2, "2023-05-10", "2001", "", "电工", "三级/高级工", "P-1")
	if got := e.mustImportPayments(csv, false); got.Collisions != 1 {
		t.Errorf("%+v %+v", got.PastReport, got.findings)
	}
}

// A payer that a ledger names can have its decisions signed: both are held to one
// bound, and so are accounts.
func TestEveryPayerCanBeNamedInAStatement(t *testing.T) {
	e := newClaimEnv(t)
	longest := strings.Repeat("经", (credentials.MaxAudience-len("320583/"))/3)
	if _, err := e.CreateAccount(ctx, registry.Operator(), registry.NewAccount{Name: "k", Organisation: longest, Roles: []registry.Role{registry.RolePayer}, Region: "320583"}); err != nil {
		t.Errorf("an account of %d bytes: %v", len(longest), err)
	}
	if _, err := e.CreateAccount(ctx, registry.Operator(), registry.NewAccount{Name: "l", Organisation: longest + "办", Roles: []registry.Role{registry.RolePayer}, Region: "320583"}); fail.KindOf(err) != fail.Invalid {
		t.Errorf("a longer one: %v", err)
	}
	payer := e.kunshan
	payer.Organisation = "320583/" + longest
	cert := e.issue(1, "6-31-01-03", standards.Senior)
	if a, err := e.SignedCheck(ctx, payer, e.request(1, cert.Number)); err != nil || a.Signed == "" {
		t.Errorf("signed for %d bytes: %v", len(payer.Organisation), err)
	}
	for add, want := range map[string]registry.Bucket{"": registry.BucketImported, "办": registry.BucketRefused} {
		csv := ledgerHeader + strings.Replace(ledgerLine(2, "2023-05-10", "2000", "", "电工", "三级", "P-"+fmt.Sprint(len(add))), "ks-payer", longest+add, 1)
		got := e.mustImportPayments(csv, true)
		if (want == registry.BucketImported) != (got.Imported == 1) || (want == registry.BucketRefused) != (got.Refused == 1) {
			t.Errorf("%q: %+v", add, got.findings)
		}
	}
}

// A document with more rows than the register decides over, that of who handed in
// for others: the import goes on, and says of the rest why it is not taken.
func TestManyRowsOfOneDocument(t *testing.T) {
	e := newClaimEnv(t)
	var csv strings.Builder
	csv.WriteString(ledgerHeader)
	for i := range 700 {
		csv.WriteString(ledgerLine(1, fmt.Sprintf("20%02d-03-01", 17+i%9), "1000", "", "电工", "五级", fmt.Sprintf("P-%d", i)))
	}
	csv.WriteString(ledgerLine(2, "2023-03-01", "1000", "", "电工", "五级", "Q-1"))
	for _, dry := range []bool{true, false} {
		got := e.mustImportPayments(csv.String(), dry)
		if got.Imported != 201 || got.Refused != 500 {
			t.Errorf("dry %t: %+v", dry, got.PastReport)
		}
		if f := got.findings[len(got.findings)-2]; f.Faults[0].Code != "too_many_claims" {
			t.Errorf("dry %t: %+v", dry, f)
		}
	}
	if got := e.mustImportPayments(csv.String(), false); got.AlreadyThere != 201 || got.Refused != 500 {
		t.Errorf("again: %+v", got.PastReport)
	}
	cert := e.issue(1, "6-31-01-03", standards.Senior)
	e.mustReserve(e.kunshan, e.request(1, cert.Number)) // is decided
}

// An approval that is on record with a claim, and the facts sealed with it, hold
// when the claim is held against payments of the past as they did when it was decided.
func TestApprovedClaimsDoNotCollide(t *testing.T) {
	p := trial(t, "trial-appraisal", policy.FundAppraisal, map[string]string{
		"frequency": rule("frequency", "max: 1, per: natural_year, counter: own, funds: [appraisal], in_principle: yes"),
	})
	e := newClaimEnv(t).withPolicies(p)
	ask := func(number string) registry.ClaimRequest {
		q := e.request(1, number)
		q.Policy, q.Facts = p.ID, nil
		return q
	}
	one, two := e.issue(1, "6-31-01-03", standards.Senior), e.issue(1, "4-10-01-05", standards.Senior)
	first := e.mustReserve(e.kunshan, ask(one.Number))
	q := ask(two.Number)
	q.Exceptions = []policy.Exception{{Rule: "frequency", Document: "昆人社〔2026〕5号", Approver: "昆山市人力资源和社会保障局", On: "2026-03-02"}}
	e.mustAnswer("the second, approved", e.mustReserve(e.kunshan, q), policy.Allow)
	line := strings.Replace(ledgerLine(1, "2026-01-15", "300", "", "焊工", "四级", "P-1"), "技能提升补贴", "appraisal", 1)
	if got := e.mustImportPayments(ledgerHeader+line, false); got.Imported != 1 {
		t.Fatalf("%+v", got.findings)
	}
	found := e.collisions()
	if len(found) != 1 || found[0].Claims[0].Claim.ID != first.Claim.ID {
		t.Errorf("%d collisions: %s", len(found), asJSON(t, found))
	}
}
