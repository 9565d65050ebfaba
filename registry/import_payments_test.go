package registry_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/invented"
	"bajigong/internal/kv"
	"bajigong/registry"
	"bajigong/registry/policy"
	"bajigong/registry/registrytest"
	"bajigong/standards"
)

const ledgerHeader = "姓名,证件号码,发放日期,发放金额,证书编号,职业名称,等级,资金类别,补贴经办机构,行政区划,支付流水号\n"

// ledgerLine is a payment to person i.
func ledgerLine(i int, paid, yuan, number, occupation, level, reference string) string {
	p := invented.PersonAt(i)
	return strings.Join([]string{p.Name, p.Document, paid, yuan, number, occupation, level, "技能提升补贴", "ks-payer", "320583", reference}, ",") + "\n"
}

func (e *claimEnv) mustImportPayments(csv string, dry bool) importing {
	e.T.Helper()
	var out importing
	var err error
	out.PastReport, err = e.ImportPayments(ctx, registry.Operator(), registry.PaymentLedger{PastFile: registry.PastFile{File: strings.NewReader(csv), DryRun: dry,
		Finding: func(f registry.Finding) error { out.findings = append(out.findings, f); return nil }}})
	if err != nil {
		e.T.Fatal(err)
	}
	if !out.Balanced() {
		e.T.Fatalf("unbalanced: %+v", out.PastReport)
	}
	return out
}

func (e *claimEnv) collisions() []registry.CollisionView {
	e.T.Helper()
	out, _, err := e.Collisions(ctx, e.Authority, registry.CollisionFilter{}, registry.Page{})
	if err != nil {
		e.T.Fatal(err)
	}
	return out
}

// A payment of 2023 counts: the same occupation and level is refused today.
func TestPaymentsOfThePastCount(t *testing.T) {
	e := newClaimEnv(t)
	e.kunshan.Organisation = "320583/ks-payer"
	cert := e.issue(1, "6-31-01-03", standards.Senior)
	ledger := ledgerHeader + ledgerLine(1, "2023-05-10", "2000", "", "电工", "三级/高级工", "P-1")
	if got := e.mustImportPayments(ledger, true); got.Imported != 1 || !got.DryRun {
		t.Fatalf("dry run: %+v", got)
	}
	if a := e.mustCheckClaim(e.other, e.request(1, cert.Number)); a.Outcome != policy.Allow {
		t.Fatalf("a dry run stored something: %+v", a)
	}
	got := e.mustImportPayments(ledger, false)
	if got.Imported != 1 || len(got.findings) != 1 || got.findings[0].Faults[0].Code != "payer_without_account" {
		t.Fatalf("%+v %+v", got.PastReport, got.findings)
	}
	e.mustAnswer("after a payment of 2023", e.mustReserve(e.other, e.request(1, cert.Number)), policy.Deny, policy.OnceTaken)
	again := e.mustImportPayments(ledger, false)
	if again.AlreadyThere != 1 || again.Imported != 0 {
		t.Errorf("again: %+v", again.PastReport)
	}
	mine, _, err := e.Claims(ctx, e.kunshan, registry.Page{})
	if err != nil || len(mine) != 1 || mine[0].State != policy.Confirmed || mine[0].Amount != 200_000 || mine[0].Year != 2023 ||
		mine[0].Payment.PaidOn != "2023-05-10" || mine[0].Payment.Reference != "P-1" {
		t.Errorf("the payer sees %+v, %v", mine, err)
	}
	if _, err := e.SignedDecision(ctx, e.kunshan, mine[0].ID); fail.CodeOf(err) != "not_decided" {
		t.Errorf("a decision on it: %v", err)
	}
	if found := e.collisions(); len(found) != 0 {
		t.Errorf("collisions: %+v", found)
	}
}

func (e *claimEnv) mustCheckClaim(by registry.Actor, q registry.ClaimRequest) registry.ClaimAnswer {
	e.T.Helper()
	a, err := e.CheckClaim(ctx, by, q)
	if err != nil {
		e.T.Fatal(err)
	}
	return a
}

// Every row ends in one bucket, with what would be right.
func TestLedgerRows(t *testing.T) {
	e := newClaimEnv(t)
	cert := e.issue(1, "6-31-01-03", standards.Senior)
	p2 := invented.PersonAt(2)
	rows := []struct {
		line   string
		bucket registry.Bucket
		codes  string
	}{
		{ledgerLine(1, "2025-03-01", `"2,000.00元"`, cert.Number, "", "", "P-1"), registry.BucketImported, ""},
		{ledgerLine(2, "2025年3月1日", "1500", "", "电工", "四级", ""), registry.BucketImported, ""},
		{ledgerLine(2, "2025-03-01", "1500", "", "电工", "中级工", ""), registry.BucketThere, "same_row"},
		{ledgerLine(2, "2025-03-02", "1500", "", "电工", "四级", "P-1"), registry.BucketCollision, "reference_collision"},
		{ledgerLine(2, "2025-03-01", "1500", cert.Number, "", "", "P-3"), registry.BucketRefused, "not_the_holder"},
		{ledgerLine(1, "2025-03-01", "2000", cert.Number, "", "四级", "P-4"), registry.BucketRefused, "certificate_differs"},
		{ledgerLine(1, "2025-03-01", "2000", cert.Number, "保育师", "", "P-5"), registry.BucketRefused, "certificate_differs"},
		{ledgerLine(3, "2025-03-01", "2000", "", "电工", "", "P-6"), registry.BucketRefused, "subject_missing"},
		{ledgerLine(3, "2016-12-31", "0", "", "电工", "三级", "P-7"), registry.BucketRefused, "range amount"},
		{ledgerLine(3, "2027-03-03", "2000.001", "", "电工", "三级", "P-8"), registry.BucketRefused, "range amount"},
		{ledgerLine(3, "2025-03-01", "2000", "", "没有的职业", "三级", p2.Document), registry.BucketRefused, "shape occupation_unknown"},
		{strings.Replace(ledgerLine(3, "2025-03-01", "2000", "", "电工", "三级", "P-9"), "技能提升补贴", "奖金", 1), registry.BucketRefused, "fund_unknown"},
		{strings.Replace(ledgerLine(3, "2025-03-01", "2000", "", "电工", "三级", "P-10"), ",320583,", ",999999,", 1), registry.BucketRefused, "region_not_found"},
		{strings.Replace(ledgerLine(3, "2025-03-01", "2000", "", "电工", "三级", "P-11"), "ks-payer", "", 1), registry.BucketRefused, "required"},
	}
	csv, counts := ledgerHeader, registry.Counts{}
	for _, r := range rows {
		csv += r.line
		switch r.bucket {
		case registry.BucketImported:
			counts.Imported++
		case registry.BucketThere:
			counts.AlreadyThere++
		case registry.BucketCollision:
			counts.Collisions++
		default:
			counts.Refused++
		}
	}
	for _, dry := range []bool{true, false} {
		got := e.mustImportPayments(csv, dry)
		got.Counts.Flagged = 0
		if got.Counts != counts {
			t.Errorf("dry %t: %+v, want %+v", dry, got.Counts, counts)
		}
		for n, r := range rows {
			i := slices.IndexFunc(got.findings, func(f registry.Finding) bool { return f.Row == n+2 })
			if i < 0 {
				t.Errorf("dry %t: nothing is said of row %d", dry, n+2) // all have a payer without account at least
				continue
			}
			f := got.findings[i]
			var codes []string
			for _, x := range f.Faults {
				if x.Code != "payer_without_account" {
					codes = append(codes, x.Code)
				}
			}
			slices.Sort(codes)
			want := strings.Fields(r.codes)
			slices.Sort(want)
			if f.Bucket != r.bucket || !slices.Equal(codes, want) {
				t.Errorf("dry %t: row %d is %s %v, want %s %v", dry, n+2, f.Bucket, codes, r.bucket, want)
			}
			if text := asJSON(t, f); strings.Contains(text, p2.Document) {
				t.Errorf("row %d: the finding has an identity number", n+2)
			}
		}
	}
}

// Payments that a rule of their time, or what every text forbids, stands against
// become collisions once, and nothing is changed by itself.
func TestPaymentsOfThePastCollide(t *testing.T) {
	e := newClaimEnv(t)
	cert := e.issue(1, "6-31-01-03", standards.Senior)
	live := e.mustReserve(e.other, e.request(1, cert.Number)).Claim
	csv := ledgerHeader +
		ledgerLine(1, "2025-03-01", "2000", "", "电工", "三级", "P-1") + // before the reservation of today
		ledgerLine(2, "2023-03-01", "1500", "", "电工", "四级", "P-2") +
		ledgerLine(2, "2024-03-01", "1500", "", "电工", "四级", "P-3") + // a year later, twice
		ledgerLine(3, "2023-03-01", "1500", "", "电工", "四级", "P-4") +
		ledgerLine(3, "2024-03-01", "2000", "", "电工", "三级", "P-5") // the next level
	e.mustImportPayments(csv, false)
	found := e.collisions()
	if len(found) != 2 {
		t.Fatalf("%d collisions: %+v", len(found), found)
	}
	for _, c := range found {
		if c.Source != registry.FromImport || len(c.Rules) == 0 || c.Rules[0].Clause == "" || len(c.Claims) != 2 {
			t.Errorf("%+v", c)
		}
	}
	if !slices.ContainsFunc(found, func(c registry.CollisionView) bool {
		return asJSON(t, c) != "" && strings.Contains(asJSON(t, c), live.ID)
	}) {
		t.Errorf("the reservation of today is in none: %s", asJSON(t, found))
	}
	if v, err := e.ClaimByID(ctx, e.other, live.ID); err != nil || v.State != policy.Reserved {
		t.Errorf("the reservation was touched: %+v %v", v, err)
	}
	e.mustImportPayments(csv, false)
	if again := e.collisions(); len(again) != 2 {
		t.Errorf("%d collisions after the same ledger again", len(again))
	}
}

// A ledger goes on where it was interrupted and takes nothing twice, also when
// Updates run more than once.
func TestLedgerGoesOn(t *testing.T) {
	again := 0
	e := newClaimEnv(t, registrytest.Options{Rerun: func() bool { again++; return again%3 == 0 }})
	var csv strings.Builder
	csv.WriteString(ledgerHeader)
	for i := range 800 {
		csv.WriteString(ledgerLine(i%400, fmt.Sprintf("20%02d-03-01", 18+i%2), "1000", "", "电工", "五级", fmt.Sprintf("P-%d", i)))
	}
	stop := fmt.Errorf("cut")
	_, err := e.ImportPayments(ctx, registry.Operator(), registry.PaymentLedger{PastFile: registry.PastFile{File: strings.NewReader(csv.String()),
		Finding: func(f registry.Finding) error {
			if f.Row > 600 {
				return stop
			}
			return nil
		}}})
	if err == nil {
		t.Fatal("was not interrupted")
	}
	e.Clock.Add(time.Hour)
	got := e.mustImportPayments(csv.String(), false)
	if got.Imported != 800 || got.Resume == 0 {
		t.Errorf("%+v", got.PastReport)
	}
	if _, err := e.ImportPayments(ctx, e.kunshan, registry.PaymentLedger{PastFile: registry.PastFile{File: strings.NewReader(csv.String())}}); fail.KindOf(err) != fail.Forbidden {
		t.Errorf("by a payer: %v", err)
	}
}

// A payment of the past that is lost from the store is missed by the entry of the log
// that took it over.
func TestALostPaymentOfThePastIsMissed(t *testing.T) {
	e := newClaimEnv(t, registrytest.Options{NoCheck: true})
	e.mustImportPayments(ledgerHeader+ledgerLine(1, "2021-05-10", "2000", "", "电工", "三级", "P-1")+ledgerLine(2, "2023-05-10", "2000", "", "电工", "三级", "P-2"), false)
	said := func() (out []string) {
		report, err := e.Check(ctx, registry.Operator(), &registry.CheckOptions{Parts: []string{"records and their events"}})
		if err != nil {
			t.Fatal(err)
		}
		return report.Problems
	}
	if got := said(); len(got) > 0 {
		t.Fatalf("a sound store: %v", got)
	}
	if err := e.DB.Update(ctx, func(tx kv.Tx) error {
		last, err := tx.Scan("claims", kv.Range{Limit: 1, Reverse: true})
		tx.Delete("claims", last[0].Key)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if got := said(); len(got) != 1 || !strings.Contains(got[0], "payments taken over by it") {
		t.Errorf("one is gone: %v", got)
	}
}
