package registry_test

import (
	"fmt"
	"testing"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/rulefile"
	"bajigong/registry"
	"bajigong/registry/policy"
	"bajigong/registry/registrytest"
	"bajigong/registry/uploads"
	"bajigong/standards"
	"bajigong/standards/sameness"
)

// A refund that did not happen leaves two payments beside each other: the second
// one was allowed because of it. Somebody has to look at that.
func TestARefundTakenAwayCollides(t *testing.T) {
	e := newClaimEnv(t)
	cert := e.issue(1, "6-31-01-03", standards.Senior)
	first := e.mustPay(e.kunshan, e.mustReserve(e.kunshan, e.request(1, cert.Number)))
	v, err := e.RefundClaim(ctx, e.kunshan, first.ID, registry.Refund{Amount: first.Amount, Reason: "误发"})
	if err != nil || !v.Refund.Restores {
		t.Fatalf("refund: %+v, %v", v.Refund, err)
	}
	second := e.mustReserve(e.other, e.request(1, cert.Number))
	e.mustAnswer("after the refund", second, policy.Allow)
	e.mustPay(e.other, second)
	if _, err := e.ProposeClaimCorrection(ctx, e.kunshan, first.ID, registry.NewClaimCorrection{Step: len(v.Steps), Void: true, Reason: "登记有误"}); err != nil {
		t.Fatal(err)
	}
	approver := e.kunshan
	approver.Account = "a-second"
	if v, err = e.DecideClaimCorrection(ctx, approver, first.ID, 1, registry.ApproveClaimCorrection, ""); err != nil || v.State != policy.Confirmed {
		t.Fatalf("taken away: %s, %v", v.State, err)
	}
	if found := e.collisions(); len(found) != 1 || len(found[0].Claims) != 2 {
		t.Fatalf("collisions: %+v", found)
	}
}

// 昆政办发〔2020〕67号 四（二）: at most six months. A late payment is held against
// them as against the other rules over a person's claims.
func TestALatePaymentIsHeldAgainstTheUnits(t *testing.T) {
	e := newClaimEnv(t).withPolicies(workTraining(t))
	e.Clock.Add(400 * 24 * time.Hour)
	first := e.mustReserve(e.kunshan, e.bare(3, months("2026-07-01", "2026-12-31", 6)))
	e.mustAnswer("six months", first, policy.Allow)
	e.Clock.Set(first.Claim.Expires)
	second := e.mustReserve(e.kunshan, e.bare(3, months("2026-01-01", "2026-06-30", 6)))
	e.mustAnswer("six other months", second, policy.Allow)
	e.mustPay(e.kunshan, second)
	if late := e.mustPay(e.kunshan, first); late.State != policy.Duplicate {
		t.Fatalf("twelve months are paid: %s", late.State)
	}
}

// A refusal rests on what the national query had then.
func TestARefusalBeforeTheNationalQueryReplays(t *testing.T) {
	e := newClaimEnv(t, registrytest.Options{Rules: nationalRule(t, func(r *uploads.Rules) { r.Counts = true })})
	cert := e.issue(1, "6-31-01-03", standards.Senior)
	q := e.request(1, cert.Number)
	q.Facts = policy.Facts{policy.Insured: e.fact(policy.No)}
	a := e.mustReserve(e.kunshan, q)
	if a.Outcome != policy.Deny || len(a.Decision.Missing) == 0 {
		t.Fatalf("%+v", a.Decision)
	}
	if got, err := e.ReplayClaim(ctx, e.kunshan, a.Claim.ID); err != nil || !got.Same {
		t.Fatalf("%v, %v", got.Problems, err)
	}
}

// A payment that was confirmed here is in its payer's ledger as well.
func TestALedgerHasWhatWasPaidHere(t *testing.T) {
	e := newClaimEnv(t)
	e.kunshan.Organisation = "320583/ks-payer"
	cert := e.issue(1, "6-31-01-03", standards.Senior)
	c := e.mustReserve(e.kunshan, e.request(1, cert.Number)).Claim
	e.mustConfirm(e.kunshan, c.ID, "P-1", c.Amount)
	line := ledgerLine(1, string(e.today()), c.Amount.String(), cert.Number, "", "", "P-1")
	if got := e.mustImportPayments(ledgerHeader+line, false); got.AlreadyThere != 1 || got.Imported != 0 {
		t.Fatalf("%+v", got.PastReport)
	}
	if got := e.mustImportPayments(ledgerHeader+ledgerLine(1, string(e.today()), "1", cert.Number, "", "", "P-1"), false); got.Collisions != 1 {
		t.Fatalf("another amount: %+v", got.PastReport)
	}
	if found := e.collisions(); len(found) != 0 {
		t.Fatalf("one payment stands twice: %+v", found)
	}
}

// A ledger has the document that counted then; the certificate may lie under the
// other one of the same person.
func TestALedgerOfAPersonWithTwoDocuments(t *testing.T) {
	e := newClaimEnv(t)
	one, two := e.issue(1, "6-31-01-03", standards.Senior), e.issue(2, "6-31-01-03", standards.Intermediate)
	e.mustMerge(1, 2)
	if got := e.mustImportPayments(ledgerHeader+ledgerLine(2, "2025-03-01", "2000", one.Number, "", "", "P-1"), false); got.Imported != 1 {
		t.Fatalf("%+v %+v", got.PastReport, got.findings)
	}
	_ = two
}

// Two ledgers have paid one person under two documents: the merge finds it.
func TestAMergeOfTwoLedgers(t *testing.T) {
	e := newClaimEnv(t)
	e.mustImportPayments(ledgerHeader+ledgerLine(1, "2021-05-10", "2000", "", "电工", "三级", "P-1")+ledgerLine(2, "2023-05-10", "2000", "", "电工", "三级", "P-2")+
		ledgerLine(2, "2023-06-10", "1500", "", "电工", "四级", "P-3"), false)
	if found := e.collisions(); len(found) != 0 {
		t.Fatalf("before: %+v", found)
	}
	e.mustMerge(1, 2)
	if found := e.collisions(); len(found) != 1 || len(found[0].Claims) != 2 {
		t.Fatalf("after: %+v", found)
	}
}

// One payer that reserves and gives up again and again cannot fill the room of a
// person's claims for all others.
func TestReleasesDoNotFillTheRoomOfClaims(t *testing.T) {
	e := newClaimEnv(t)
	cert := e.issue(1, "6-31-01-03", standards.Senior)
	refused := ""
	for range 502 {
		a, err := e.ReserveClaim(ctx, e.other, e.request(1, cert.Number))
		if err != nil {
			refused = fail.CodeOf(err)
			break
		}
		if _, err := e.ReleaseClaim(ctx, e.other, a.Claim.ID, "x"); err != nil {
			t.Fatal(err)
		}
	}
	if refused != "too_many_claims" {
		t.Errorf("it goes on for ever: %q", refused)
	}
	e.mustAnswer("another payer", e.mustReserve(e.kunshan, e.request(1, cert.Number)), policy.Allow)
}

// Two rows of one person under two documents reckon with each other.
func TestRowsOfAPersonWithTwoDocuments(t *testing.T) {
	e := newClaimEnv(t)
	one, two := e.issue(1, "6-31-01-03", standards.Senior), e.issue(2, "6-31-01-03", standards.Senior)
	e.mustMerge(1, 2)
	lines, _, _ := e.mustCheckFile(e.kunshan, asCSV([]batchRow{rowOf(1, one.Number), rowOf(2, two.Number)}))
	e.mustLine(lines[0], "allow")
	e.mustLine(lines[1], "deny", policy.OnceTaken)
	if fmt.Sprint(lines[1].EarlierRows) != "[2]" {
		t.Errorf("%v", lines[1].EarlierRows)
	}
}

// The code of a certificate of an older edition is a code of that edition.
func TestALedgerKeepsTheEditionOfACertificate(t *testing.T) {
	e := newClaimEnv(t)
	e.kunshan.Organisation = "320583/ks-payer"
	in := elsewhere(1, "", "0510003010312345")
	in.Issued, in.Edition, in.Occupation, in.OccupationName, in.Level = "2005-06-01", "1999", "6-07-06-05", "维修电工", standards.Senior
	e.mustRegister(in)
	if got := e.mustImportPayments(ledgerHeader+ledgerLine(1, "2018-03-01", "2000", in.Number, "", "", "P-1"), false); got.Imported != 1 {
		t.Fatalf("%+v %+v", got.PastReport, got.findings)
	}
	mine, _, err := e.Claims(ctx, e.kunshan, registry.Page{})
	if err != nil || len(mine) != 1 || mine[0].Edition != "1999" {
		t.Fatalf("%+v, %v", mine, err)
	}
}

// The files that say which occupations are the same change under the claims that
// were decided by them: each is decided again by the table of its time.
func TestATableOfSameOccupationsIsKept(t *testing.T) {
	e := newClaimEnv(t)
	cert := e.issue(1, "6-31-01-03", standards.Senior)
	first := e.mustReserve(e.kunshan, e.request(1, cert.Number))
	if first.Decision.Equivalence == "" {
		t.Fatal("no table was used")
	}
	cfg := e.Config()
	cfg.Rules.Sameness = rulefile.Set[sameness.File]{}
	later, err := registry.New(e.DB, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := later.ReplayClaim(ctx, e.kunshan, first.Claim.ID); err != nil || !got.Same {
		t.Errorf("%v, %v", got.Problems, err)
	}
	report, err := later.Check(ctx, registry.Operator(), nil)
	if err != nil || len(report.Problems) > 0 {
		t.Errorf("%v %v", report.Problems, err)
	}
}
