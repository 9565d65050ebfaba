package registry_test

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"bajigong/internal/doctest"
	"bajigong/internal/fail"
	"bajigong/internal/kv/kvtest"
	"bajigong/registry"
	"bajigong/registry/policy"
	"bajigong/registry/registrytest"
	"bajigong/standards"
)

func (e *claimEnv) today() standards.Date { return standards.DateOf(e.Clock.Now()) }

func orFail[V any](e *claimEnv) func(V, error) V {
	return func(v V, err error) V {
		e.T.Helper()
		if err != nil {
			e.T.Fatal(err)
		}
		return v
	}
}

// From the reservation to the money, a bank return after it, and paid again.
func TestClaimFromReservationToPayment(t *testing.T) {
	e := newClaimEnv(t, registrytest.Options{Rerun: kvtest.Rerun(2)})
	ok := orFail[registry.ClaimView](e)
	cert := e.issue(1, "6-31-01-03", standards.Senior)
	c := *e.mustReserve(e.kunshan, e.request(1, cert.Number)).Claim
	if _, err := e.MakeClaimPayable(ctx, e.kunshan, c.ID, ""); fail.CodeOf(err) != "publicity_missing" {
		t.Errorf("payable without publicity: %v", err)
	}
	c = ok(e.PubliciseClaim(ctx, e.kunshan, c.ID, registry.NewClaimPublicity{From: e.today()}))
	c = ok(e.ObjectToClaim(ctx, e.kunshan, c.ID, "有人反映材料不实"))
	if c.State != policy.Reserved || c.Publicity.Stopped.IsZero() {
		t.Errorf("after an objection: %s", c.State)
	}
	e.Clock.Add(48 * time.Hour)
	c = ok(e.PubliciseClaim(ctx, e.kunshan, c.ID, registry.NewClaimPublicity{From: e.today(), Reference: "公示〔2026〕3号"}))
	e.mustAnswer("while it is publicised", e.mustReserve(e.other, e.request(1, cert.Number)), policy.Deny, policy.OnceTaken, policy.CertificateUsed)
	e.Clock.Set(c.Publicity.Until.AddDays(1).Time().Add(2 * time.Hour))
	c = ok(e.MakeClaimPayable(ctx, e.kunshan, c.ID, "昆人社审〔2026〕12号"))
	e.Clock.Set(c.Expires.AddDate(0, 0, 1)) // what is to be paid does not expire
	if c = ok(e.ClaimByID(ctx, e.kunshan, c.ID)); c.State != policy.Payable {
		t.Fatalf("after its lock: %s", c.State)
	}
	e.mustAnswer("while it is to be paid", e.mustReserve(e.other, e.request(1, cert.Number)), policy.Deny, policy.OnceTaken, policy.CertificateUsed)
	late, _, err := e.OverdueClaims(ctx, e.kunshan, "", registry.Page{})
	if err != nil || len(late) != 1 || late[0].ID != c.ID {
		t.Errorf("overdue: %+v, %v", late, err)
	}
	c = e.mustConfirm(e.kunshan, c.ID, "P-1", c.Amount)
	if c.State != policy.Confirmed || c.Payment.Late || c.Payment.Unpublicised || c.InHands != c.Amount {
		t.Errorf("paid: %+v", c.Payment)
	}
	c = ok(e.ReturnPayment(ctx, e.kunshan, c.ID, registry.PaymentReturn{Payment: "P-1", Reason: "账户已销户", On: e.today()}))
	if c.State != policy.Payable || c.InHands != 0 {
		t.Errorf("returned: %s", c.State)
	}
	e.mustAnswer("while it is returned", e.mustReserve(e.other, e.request(1, cert.Number)), policy.Deny, policy.OnceTaken, policy.CertificateUsed)
	if c = e.mustConfirm(e.kunshan, c.ID, "P-2", c.Amount); c.State != policy.Confirmed || len(c.Payments) != 1 || len(c.Steps) != 7 {
		t.Errorf("paid again: %+v", c)
	}
	for name, err := range map[string]error{
		"extend":    second(e.ExtendClaim(ctx, e.other, c.ID, registry.ClaimExtension{})),
		"publicise": second(e.PubliciseClaim(ctx, e.other, c.ID, registry.NewClaimPublicity{})),
		"object":    second(e.ObjectToClaim(ctx, e.other, c.ID, "x")),
		"payable":   second(e.MakeClaimPayable(ctx, e.other, c.ID, "")),
		"return":    second(e.ReturnPayment(ctx, e.other, c.ID, registry.PaymentReturn{})),
		"withdraw":  second(e.WithdrawClaim(ctx, e.other, c.ID, "x")),
		"recover":   second(e.OpenRecovery(ctx, e.other, c.ID, registry.NewRecovery{})),
		"correct":   second(e.ProposeClaimCorrection(ctx, e.other, c.ID, registry.NewClaimCorrection{Step: 1})),
		"decide":    second(e.DecideClaimCorrection(ctx, e.other, c.ID, 1, registry.ApproveClaimCorrection, "")),
	} {
		if fail.KindOf(err) != fail.NotFound {
			t.Errorf("%s by another payer: %v", name, err)
		}
	}
}

// A payment is recorded whatever the rules ask; that it came before its publicity
// stands with it.
func TestPaymentBeforePublicityIsMarked(t *testing.T) {
	e := newClaimEnv(t)
	c := e.mustReserve(e.kunshan, e.request(1, e.issue(1, "6-31-01-03", standards.Senior).Number)).Claim
	if v := e.mustConfirm(e.kunshan, c.ID, "P-1", c.Amount); !v.Payment.Unpublicised || v.State != policy.Confirmed {
		t.Errorf("%+v", v.Payment)
	}
}

// What expires soon, is late or owed is found by an index, and forgotten when the
// claim moves on; an auditor of the region sees it, another does not.
func TestListsOfWhatIsToBeDone(t *testing.T) {
	e := newClaimEnv(t)
	var certs []registry.Issued
	for i := range 5 {
		certs = append(certs, e.issue(i, "6-31-01-03", standards.Senior))
	}
	var cs []registry.ClaimView
	for i, one := range certs[:4] {
		cs = append(cs, *e.mustReserve(e.kunshan, e.request(i, one.Number)).Claim)
		e.Clock.Add(24 * time.Hour)
	}
	e.mustReserve(e.other, e.request(4, certs[4].Number))
	auditor := registry.Actor{Account: "a-audit", Roles: []registry.Role{registry.RoleAuditor}, Region: "320500"}
	far := registry.Actor{Account: "a-far", Roles: []registry.Role{registry.RoleAuditor}, Region: "110000"}
	expiring := func(by registry.Actor, payer string, days int) (ids []string) {
		t.Helper()
		for cursor := ""; ; {
			page, next, err := e.ExpiringClaims(ctx, by, payer, days, registry.Page{Limit: 1, Cursor: cursor})
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range page {
				ids = append(ids, v.ID)
			}
			if cursor = next; next == "" {
				return ids
			}
		}
	}
	ids := func(from, to int) (out []string) {
		for _, c := range cs[from:to] {
			out = append(out, c.ID)
		}
		return out
	}
	e.Clock.Set(cs[0].Expires.AddDate(0, 0, -12)) // the others follow by a day each; 14 days by the rules
	if got := expiring(e.kunshan, "", 0); !slices.Equal(got, ids(0, 3)) {
		t.Errorf("within the days of the rules: %v, want %v", got, ids(0, 3))
	}
	// cs[1] is publicised, and stays on the list
	if _, err := e.PubliciseClaim(ctx, e.kunshan, cs[1].ID, registry.NewClaimPublicity{From: e.today()}); err != nil {
		t.Fatal(err)
	}
	if got := expiring(e.kunshan, "", 13); !slices.Equal(got, ids(0, 2)) {
		t.Errorf("within 13 days: %v", got)
	}
	if got := expiring(auditor, e.kunshan.Organisation, 30); !slices.Equal(got, ids(0, 4)) {
		t.Errorf("an auditor of the city: %v", got)
	}
	if got := expiring(far, e.kunshan.Organisation, 30); len(got) != 0 {
		t.Errorf("an auditor of another province: %v", got)
	}
	if _, _, err := e.ExpiringClaims(ctx, e.other, e.kunshan.Organisation, 30, registry.Page{}); fail.KindOf(err) != fail.Forbidden {
		t.Errorf("another payer: %v", err)
	}
	if _, err := e.ExtendClaim(ctx, e.kunshan, cs[0].ID, registry.ClaimExtension{Until: standards.DateOf(cs[0].Expires).AddDays(60), Reason: "财政排期"}); err != nil {
		t.Fatal(err)
	}
	e.mustConfirm(e.kunshan, cs[1].ID, "P", cs[1].Amount)
	if got := expiring(e.kunshan, "", 30); !slices.Equal(got, ids(2, 4)) {
		t.Errorf("after one was extended and one paid: %v", got)
	}
	if _, err := e.OpenRecovery(ctx, e.kunshan, cs[1].ID, registry.NewRecovery{Reason: "证书撤销"}); err != nil {
		t.Fatal(err)
	}
	owed, _, err := e.OwedClaims(ctx, auditor, e.kunshan.Organisation, registry.Page{})
	if err != nil || len(owed) != 1 || owed[0].Owed != cs[1].Amount || owed[0].State != policy.Recovering {
		t.Errorf("owed: %+v, %v", owed, err)
	}
	for i, part := range []policy.Fen{60000, cs[1].Amount - 60000} {
		if _, err := e.RefundClaim(ctx, e.kunshan, cs[1].ID, registry.Refund{Amount: part, Reference: fmt.Sprint("R-", i)}); err != nil {
			t.Fatal(err)
		}
	}
	if owed, _, err := e.OwedClaims(ctx, e.kunshan, "", registry.Page{}); err != nil || len(owed) != 0 {
		t.Errorf("owed when all is back: %+v, %v", owed, err)
	}
	day := standards.DateOf(cs[2].Reserved)
	for state, want := range map[policy.State]int{"": 2, policy.Reserved: 2, policy.Expired: 0, policy.Refunded: 0} {
		got, next, err := e.ClaimsWhere(ctx, e.kunshan, registry.ClaimFilter{State: state, From: day, To: day.AddDays(1)}, registry.Page{})
		if err != nil || len(got) != want || next != "" {
			t.Errorf("%q from %s: %d, %v", state, day, len(got), err)
		}
	}
	if _, _, err := e.ClaimsWhere(ctx, e.kunshan, registry.ClaimFilter{State: "nonsense"}, registry.Page{}); fail.CodeOf(err) != "query" {
		t.Errorf("an unknown state: %v", err)
	}
}

// payoutEnv has n claims of one payer, reserved.
func payoutEnv(t *testing.T, n int, opts ...registrytest.Options) (*claimEnv, []registry.ClaimView) {
	e := newClaimEnv(t, opts...)
	s := e.MustPublicise(e.issuer, e.MustPlanFor(e.issuer, "6-31-01-03", standards.Senior), registrytest.CSV(0, n))
	var cs []registry.ClaimView
	for i, one := range e.MustIssue(e.issuer, s.ID) {
		cs = append(cs, *e.mustReserve(e.kunshan, e.request(i, one.Number)).Claim)
	}
	return e, cs
}

func (e *claimEnv) line(c registry.ClaimView, payment string) registry.PayoutLine {
	return registry.PayoutLine{Claim: c.ID, Amount: c.Amount, PaidOn: e.today(), Payment: payment, Result: registry.LinePaid}
}

func TestPayoutAnswersEveryLine(t *testing.T) {
	e, cs := payoutEnv(t, 8, registrytest.Options{Rerun: kvtest.Rerun(2)})
	e.mustConfirm(e.kunshan, cs[1].ID, "P-1", cs[1].Amount)
	if _, err := e.ReleaseClaim(ctx, e.kunshan, cs[2].ID, "x"); err != nil {
		t.Fatal(err)
	}
	e.mustAnswer("taken meanwhile", e.mustReserve(e.other, e.request(2, cs[2].Certificate)), policy.Allow)
	in := registry.NewPayout{Reference: "KS-2026-04", Lines: []registry.PayoutLine{
		e.line(cs[0], "B-0"), e.line(cs[1], "P-1"), e.line(cs[2], "B-2"),
		{Reference: cs[3].Reference, Amount: cs[3].Amount, PaidOn: e.today(), Payment: "B-3", Result: registry.LinePaid},
		{Claim: cs[4].ID, Amount: cs[4].Amount - 1, PaidOn: e.today(), Payment: "B-4", Result: registry.LinePaid},
		{Claim: cs[1].ID, Amount: cs[1].Amount, PaidOn: e.today(), Payment: "P-1", Result: registry.LineFailed, Reason: "账户状态异常"},
		{Claim: cs[5].ID, Amount: cs[5].Amount, PaidOn: e.today(), Payment: "B-5", Result: registry.LineFailed, Reason: "账户状态异常"},
		{Claim: "c-0000000000000000", Amount: 1, PaidOn: e.today(), Payment: "B-7", Result: registry.LinePaid},
	}}
	in.Lines[5].Payment = "P-1 " // read as P-1: the same payment is named twice, once as made and once as returned
	if _, err := e.RecordPayout(ctx, e.kunshan, in); fail.CodeOf(err) != "payout" {
		t.Errorf("two lines of one payment: %v", err)
	}
	in.Lines[1].Payment, in.Lines[1].Claim = "B-1", cs[6].ID
	p, err := e.RecordPayout(ctx, e.kunshan, in)
	if err != nil || p.State != registry.PayoutDone || p.Done != 8 || p.Paid != 3*cs[0].Amount+cs[6].Amount {
		t.Fatalf("%+v, %v", p, err)
	}
	lines, _, err := e.PayoutLines(ctx, e.kunshan, p.ID, registry.Page{})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		outcome registry.LineOutcome
		state   policy.State
		code    string
	}{{registry.OutcomePaid, policy.Confirmed, ""}, {registry.OutcomePaid, policy.Confirmed, ""}, {registry.OutcomeDuplicate, policy.Duplicate, ""},
		{registry.OutcomePaid, policy.Confirmed, ""}, {registry.OutcomeRefused, policy.Reserved, "payment"}, {registry.OutcomeReturned, policy.Payable, ""},
		{registry.OutcomeFailed, policy.Reserved, ""}, {registry.OutcomeRefused, "", "not_found"}} {
		if a := lines[i].Answer; a == nil || a.Outcome != want.outcome || a.State != want.state || a.Code != want.code || (a.Code != "") != (a.ZH != "" && a.EN != "") {
			t.Errorf("line %d: %+v, want %+v", i+1, a, want)
		}
	}
	before := asJSON(t, lines)
	again, err := e.RecordPayout(ctx, e.kunshan, in)
	if after, _, _ := e.PayoutLines(ctx, e.kunshan, p.ID, registry.Page{}); err != nil || asJSON(t, again) != asJSON(t, p) || asJSON(t, after) != before {
		t.Errorf("the same batch again: %+v, %v", again, err)
	}
	other := in
	other.Reference = "KS-2026-05"
	if p, err = e.RecordPayout(ctx, e.kunshan, other); err != nil || p.Outcomes[registry.OutcomeAlready] != 6 || p.Paid != 0 {
		t.Errorf("the same lines under another reference: %+v, %v", p, err)
	}
	in.Lines = in.Lines[1:]
	if _, err := e.RecordPayout(ctx, e.kunshan, in); fail.CodeOf(err) != "payout_reference_reused" {
		t.Errorf("another batch under the same reference: %v", err)
	}
	if changed, _, err := e.PayoutClaims(ctx, e.kunshan, again.ID, registry.Page{}); err != nil || len(changed) != 6 {
		t.Errorf("%d claims were changed, %v", len(changed), err)
	}
	if _, err := e.PayoutByID(ctx, e.other, p.ID); fail.KindOf(err) != fail.NotFound {
		t.Errorf("another payer's payout: %v", err)
	}
}

func TestMalformedPayoutChangesNothing(t *testing.T) {
	e, cs := payoutEnv(t, 2)
	good := e.line(cs[0], "B-0")
	for name, spoil := range map[string]func(*registry.NewPayout){
		"no lines":         func(p *registry.NewPayout) { p.Lines = nil },
		"too many":         func(p *registry.NewPayout) { p.Lines = make([]registry.PayoutLine, registry.PayoutMaxLines+1) },
		"no reference":     func(p *registry.NewPayout) { p.Reference = "" },
		"no claim":         func(p *registry.NewPayout) { p.Lines[1].Claim = "" },
		"two names":        func(p *registry.NewPayout) { p.Lines[1].Reference = "ref-1" },
		"no amount":        func(p *registry.NewPayout) { p.Lines[1].Amount = 0 },
		"no day":           func(p *registry.NewPayout) { p.Lines[1].PaidOn = "2026-02-30" },
		"no payment":       func(p *registry.NewPayout) { p.Lines[1].Payment = "" },
		"unknown result":   func(p *registry.NewPayout) { p.Lines[1].Result = "maybe" },
		"failed, no words": func(p *registry.NewPayout) { p.Lines[1].Result = registry.LineFailed },
		"an account": func(p *registry.NewPayout) {
			p.Lines[1].Result, p.Lines[1].Reason = registry.LineFailed, "6222021202001234567"
		},
		"twice": func(p *registry.NewPayout) { p.Lines[1] = p.Lines[0] },
	} {
		in := registry.NewPayout{Reference: "B", Lines: []registry.PayoutLine{good, e.line(cs[1], "B-1")}}
		spoil(&in)
		_, err := e.RecordPayout(ctx, e.kunshan, in)
		if fs := fail.Of(err).Fields; fail.CodeOf(err) != "payout" || len(fs) == 0 || len(in.Lines) == 2 && name != "no reference" && fs[0].Row != 2 {
			t.Errorf("%s: %v %+v", name, err, fs)
		}
	}
	if v, err := e.ClaimByID(ctx, e.kunshan, cs[0].ID); err != nil || v.State != policy.Reserved {
		t.Errorf("%s, %v", v.State, err)
	}
	if ps, _, err := e.Payouts(ctx, e.kunshan, registry.Page{}); err != nil || len(ps) != 0 {
		t.Errorf("%d payouts, %v", len(ps), err)
	}
}

// A process dies in the middle of a batch: the next one goes on with the line after
// the last that is durable, and records nothing twice.
func TestPayoutGoesOnAfterACrash(t *testing.T) {
	e, cs := payoutEnv(t, 250)
	in := registry.NewPayout{Reference: "B"}
	for i, c := range cs {
		in.Lines = append(in.Lines, e.line(c, fmt.Sprint("B-", i)))
	}
	p, err := e.BeginPayout(ctx, e.kunshan, in, 1)
	if err != nil || p.State != registry.PayoutRunning || p.Done != 100 {
		t.Fatalf("%+v, %v", p, err)
	}
	e.MustCheck() // what is half done is whole as far as it goes
	if err := e.ResumePayouts(ctx); err != nil {
		t.Fatal(err)
	}
	if p, err = e.PayoutByID(ctx, e.kunshan, p.ID); err != nil || p.State != registry.PayoutDone || p.Outcomes[registry.OutcomePaid] != 250 {
		t.Fatalf("%+v, %v", p, err)
	}
	var got []int
	for cursor := ""; ; {
		page, next, err := e.PayoutLines(ctx, e.kunshan, p.ID, registry.Page{Limit: 70, Cursor: cursor})
		if err != nil || len(page) > 70 {
			t.Fatalf("%d, %v", len(page), err)
		}
		for _, l := range page {
			got = append(got, l.N)
		}
		if cursor = next; next == "" {
			break
		}
	}
	if len(got) != 250 || !slices.IsSorted(got) || got[249] != 250 {
		t.Errorf("%d lines", len(got))
	}
}

// Two accounts approve one correction at the same moment: one of them does it.
func TestOneOfTwoApprovals(t *testing.T) {
	e := newClaimEnv(t, registrytest.Options{Rerun: kvtest.Rerun(3)})
	c := e.mustReserve(e.kunshan, e.request(1, e.issue(1, "6-31-01-03", standards.Senior).Number)).Claim
	e.mustConfirm(e.kunshan, c.ID, "P-1", c.Amount)
	if _, err := e.ProposeClaimCorrection(ctx, e.kunshan, c.ID, registry.NewClaimCorrection{Step: 1, Void: true, Reason: "登记到他人名下"}); err != nil {
		t.Fatal(err)
	}
	errs := make([]error, 2)
	var wg sync.WaitGroup
	for i := range errs {
		by := e.kunshan
		by.Account += fmt.Sprint("-", i)
		wg.Go(func() { _, errs[i] = e.DecideClaimCorrection(ctx, by, c.ID, 1, registry.ApproveClaimCorrection, "") })
	}
	wg.Wait()
	if (errs[0] == nil) == (errs[1] == nil) || fail.CodeOf(cmp.Or(errs[0], errs[1])) != "claim_correction_state" {
		t.Errorf("%v, %v", errs[0], errs[1])
	}
	if v, err := e.ClaimByID(ctx, e.kunshan, c.ID); err != nil || v.State != policy.Reserved || len(v.Steps) != 2 || v.Steps[0].Amount != c.Amount {
		t.Errorf("%+v, %v", v, err)
	}
}

// modelClaim is a claim as the model of the walk knows it: its state by the table
// of policy.State, and its money.
type modelClaim struct {
	id, payer  string
	person     int
	state      string
	until      time.Time
	paid, back policy.Fen
	payment    string
	publicised standards.Date // last day; empty: not, or stopped
}

// TestRandomLivesAgreeWithAModel walks the claims of a few persons at two payers
// through everything that can happen to them, beside a model that knows only the
// table of policy.State, sums, and that a person has one certificate to be paid
// for. At the end Check replays all of it.
func TestRandomLivesAgreeWithAModel(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("BAJIGONG_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	t.Logf("BAJIGONG_SEED=%d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	table := doctest.States(t, "policy/claim.go", "State").Next
	e := newClaimEnv(t)
	const persons = 3
	var certs []registry.Issued
	for i := range persons {
		certs = append(certs, e.issue(i, "6-31-01-03", standards.Senior))
	}
	var all []*modelClaim
	payers := map[string]registry.Actor{e.kunshan.Organisation: e.kunshan, e.other.Organisation: e.other}
	amount := policy.Fen(260000)
	age := func() {
		for _, c := range all {
			if next := table[c.state]["expire"]; next != "-" && !e.Clock.Now().Before(c.until) {
				c.state = next
			}
		}
	}
	counts := func(person int, but *modelClaim) bool {
		return slices.ContainsFunc(all, func(c *modelClaim) bool {
			return c.person == person && c != but && policy.State(c.state).Counts() == policy.CountsYes // the sample lets a refund restore
		})
	}
	seen := map[string]int{}
	for step := range 600 {
		e.Clock.Add(time.Duration(rnd.IntN(5*24)) * time.Hour)
		age()
		if len(all) == 0 || rnd.IntN(5) == 0 {
			person := rnd.IntN(persons)
			by := []registry.Actor{e.kunshan, e.other}[rnd.IntN(2)]
			a, err := e.ReserveClaim(ctx, by, e.request(person, certs[person].Number))
			if err != nil {
				if fail.CodeOf(err) == "too_many_claims" {
					break
				}
				t.Fatal(err)
			}
			allowed := a.Outcome == policy.Allow
			if allowed == counts(person, nil) && !slices.Contains(a.Reasons, policy.FrequencyReached) {
				t.Fatalf("step %d: %s %v, the model says otherwise", step, a.Outcome, a.Reasons)
			}
			if allowed {
				all = append(all, &modelClaim{id: a.Claim.ID, payer: by.Organisation, person: person, state: "reserved", until: a.Claim.Expires})
			}
			continue
		}
		c := all[len(all)-1-rnd.IntN(min(len(all), 6))]
		by, ref := payers[c.payer], fmt.Sprint("S-", step)
		event, do, after := walkStep(e, rnd, c, by, ref, amount, counts(c.person, c))
		want := table[c.state][event]
		v, err := do()
		if want == "-" || want == "" {
			if fail.KindOf(err) != fail.Conflict && fail.KindOf(err) != fail.Invalid {
				t.Fatalf("step %d: %s of a claim that is %s: %s, %v", step, event, c.state, v.State, err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("step %d: %s of a claim that is %s: %v", step, event, c.state, err)
		}
		seen[event]++
		c.state = want
		after(v)
		if string(v.State) != c.state || v.InHands != c.paid-c.back {
			t.Fatalf("step %d: %s leads to %s with %s yuan, the model says %s with %s", step, event, v.State, v.InHands, c.state, c.paid-c.back)
		}
	}
	for _, c := range all {
		v, err := e.ClaimByID(ctx, payers[c.payer], c.id)
		age()
		seen["taken away"] += len(v.Corrections)
		if err != nil || string(v.State) != c.state {
			t.Errorf("claim %s is %s, the model says %s: %v", c.id, v.State, c.state, err)
		}
	}
	t.Logf("%d claims; %v", len(all), seen)
	if len(seen) < 8 {
		t.Errorf("the walk saw too little: %v", slices.Sorted(maps.Keys(seen)))
	}
}

// walkStep picks what happens next to a claim: the event by the model, the call,
// and what it does to the model.
func walkStep(e *claimEnv, rnd *rand.Rand, c *modelClaim, by registry.Actor, ref string, amount policy.Fen, taken bool) (event string, do func() (registry.ClaimView, error), after func(registry.ClaimView)) {
	nothing := func(registry.ClaimView) {}
	today := e.today()
	switch rnd.IntN(14) {
	case 0:
		until := standards.DateOf(c.until).AddDays(1 + rnd.IntN(20))
		return "extend", func() (registry.ClaimView, error) {
				v, err := e.ExtendClaim(ctx, by, c.id, registry.ClaimExtension{Until: until, Reason: ref})
				if fail.CodeOf(err) == "extension" { // its bounds; the model does not know them
					v, err = e.ClaimByID(ctx, by, c.id)
				}
				return v, err
			}, func(v registry.ClaimView) {
				c.until = v.Expires
			}
	case 1, 2, 3:
		return "publicise", func() (registry.ClaimView, error) {
				v, err := e.PubliciseClaim(ctx, by, c.id, registry.NewClaimPublicity{From: today, Reference: ref})
				if fail.CodeOf(err) == "lock_too_short" {
					if _, err = e.ExtendClaim(ctx, by, c.id, registry.ClaimExtension{Until: standards.DateOf(c.until).AddDays(60), Reason: ref}); err == nil {
						v, err = e.PubliciseClaim(ctx, by, c.id, registry.NewClaimPublicity{From: today, Reference: ref})
					}
				}
				return v, err
			}, func(v registry.ClaimView) {
				c.until, c.publicised = v.Expires, v.Publicity.Until
			}
	case 4:
		return "object", func() (registry.ClaimView, error) { return e.ObjectToClaim(ctx, by, c.id, ref) }, func(registry.ClaimView) { c.publicised = "" }
	case 5, 6:
		event := "approve"
		if c.state == "reserved" || c.state == "publicised" && c.publicised >= today {
			event = "too early"
		}
		if c.state == "payable" {
			event = "fail" // done before: it stays
		}
		return event, func() (registry.ClaimView, error) { return e.MakeClaimPayable(ctx, by, c.id, ref) }, nothing
	case 7, 8:
		event := "confirm"
		if slices.Contains([]string{"released", "withdrawn", "expired"}, c.state) {
			if event = "late_payment"; taken {
				event = "late_payment_too_late"
			}
		} else if c.state == "duplicate" {
			event = "confirm" // nothing is left to pay
		}
		line := registry.PayoutLine{Claim: c.id, Amount: amount, PaidOn: today, Payment: ref, Result: registry.LinePaid}
		return event, func() (registry.ClaimView, error) {
				if rnd.IntN(2) == 0 {
					return e.ConfirmClaim(ctx, by, c.id, registry.Payment{Reference: ref, PaidOn: today, Amount: amount})
				}
				return e.payOne(by, ref, line)
			}, func(registry.ClaimView) {
				c.paid, c.payment = amount, ref
			}
	case 9:
		event := "fail"
		if c.paid > 0 {
			event = "return"
		}
		payment := c.payment
		if c.paid == 0 {
			payment = ref
		}
		return event, func() (registry.ClaimView, error) {
			return e.ReturnPayment(ctx, by, c.id, registry.PaymentReturn{Payment: payment, Reason: "退票", On: today})
		}, func(registry.ClaimView) { c.paid = 0 }
	case 10:
		if rnd.IntN(2) == 0 {
			return "release", func() (registry.ClaimView, error) { return e.ReleaseClaim(ctx, by, c.id, ref) }, nothing
		}
		return "withdraw", func() (registry.ClaimView, error) { return e.WithdrawClaim(ctx, by, c.id, ref) }, nothing
	case 11:
		return "recover", func() (registry.ClaimView, error) {
			return e.OpenRecovery(ctx, by, c.id, registry.NewRecovery{Reason: ref})
		}, nothing
	case 12:
		part, event := policy.Fen(1+rnd.IntN(int(amount))), "refund_part"
		if owed := c.paid - c.back; rnd.IntN(2) == 0 || part >= owed {
			part, event = max(owed, 1), "refund"
		}
		return event, func() (registry.ClaimView, error) {
			return e.RefundClaim(ctx, by, c.id, registry.Refund{Amount: part, Reference: ref, Reason: "追回"})
		}, func(registry.ClaimView) { c.back += part }
	}
	return "correct", func() (registry.ClaimView, error) { return e.takeAway(by, c) }, nothing
}

// takeAway has the newest payment of a claim taken away, by two accounts, as one
// that was made to another; only of a claim that was confirmed from its lock, whose
// model is then what it was.
func (e *claimEnv) takeAway(by registry.Actor, c *modelClaim) (registry.ClaimView, error) {
	conflict := fail.New(fail.Conflict, "model", "nothing that the model follows")
	v, err := e.ClaimByID(ctx, by, c.id)
	if err != nil || c.state != "confirmed" || v.Payment.Late || v.Steps[len(v.Steps)-1].Kind != registry.StepPaid {
		return v, cmp.Or(err, error(conflict))
	}
	before := policy.Reserved
	if n := len(v.Steps); n > 1 {
		before = v.Steps[n-2].State
	}
	if _, err := e.ProposeClaimCorrection(ctx, by, c.id, registry.NewClaimCorrection{Step: len(v.Steps), Void: true, Reason: "登记到他人名下"}); err != nil {
		return v, err
	}
	second := by
	second.Account += "-2"
	n := len(v.Corrections) + 1
	if _, err := e.DecideClaimCorrection(ctx, by, c.id, n, registry.ApproveClaimCorrection, ""); fail.CodeOf(err) != "second_person" {
		e.T.Fatalf("approved by who asked: %v", err)
	}
	if v, err = e.DecideClaimCorrection(ctx, second, c.id, n, registry.ApproveClaimCorrection, ""); err != nil {
		return v, err
	}
	if c.state, c.paid = string(policy.StateAt(before, c.until, e.Clock.Now())), 0; string(v.State) != c.state || v.InHands != 0 {
		e.T.Fatalf("a payment taken away: %s with %s yuan, the model says %s", v.State, v.InHands, c.state)
	}
	return v, conflict // the walk goes on from what it is now
}

// payOne reports one payment as a batch of one line.
func (e *claimEnv) payOne(by registry.Actor, ref string, line registry.PayoutLine) (registry.ClaimView, error) {
	p, err := e.RecordPayout(ctx, by, registry.NewPayout{Reference: ref, Lines: []registry.PayoutLine{line}})
	if err != nil {
		return registry.ClaimView{}, err
	}
	lines, _, err := e.PayoutLines(ctx, by, p.ID, registry.Page{})
	if err != nil {
		return registry.ClaimView{}, err
	}
	if a := lines[0].Answer; a.Outcome == registry.OutcomeRefused {
		return registry.ClaimView{}, fail.New(fail.Conflict, a.Code, "%s", a.EN)
	}
	return e.ClaimByID(ctx, by, line.Claim)
}

func TestCheckFindsStepsThatCannotBe(t *testing.T) {
	for name, c := range map[string]struct {
		tamper func(r map[string]any)
		says   string
	}{
		"another amount":         {func(r map[string]any) { stepOf(r, 0)["amount_fen"] = 1 }, "step 1"},
		"a refund less":          {func(r map[string]any) { stepOf(r, 1)["amount_fen"] = 1 }, "is not what entry"},
		"a payment left out":     {func(r map[string]any) { r["steps"] = r["steps"].([]any)[1:] }, "out of the order"},
		"an answer that changed": {func(r map[string]any) { r["recovery"].(map[string]any)["restores_right"] = false }, "keeps other"},
		"another day":            {func(r map[string]any) { stepOf(r, 0)["on"] = "2026-01-01" }, "is not what entry"},
		"paid by nobody":         {func(r map[string]any) { stepOf(r, 0)["by"] = "a-x" }, "is not what entry"},
		"a lock for ever":        {func(r map[string]any) { r["expires"] = "2099-01-01T00:00:00Z" }, "audit log"},
	} {
		t.Run(name, func(t *testing.T) {
			e := newClaimEnv(t, registrytest.Options{NoCheck: true})
			v := *e.mustReserve(e.kunshan, e.request(1, e.issue(1, "6-31-01-03", standards.Senior).Number)).Claim
			e.mustConfirm(e.kunshan, v.ID, "P-1", v.Amount)
			if _, err := e.RefundClaim(ctx, e.kunshan, v.ID, registry.Refund{Amount: 60000, Reference: "R-1", Reason: "x"}); err != nil {
				t.Fatal(err)
			}
			e.tamper(v.ID, c.tamper)
			report, err := e.Check(ctx, registry.Operator(), nil)
			if found := strings.Join(report.Problems, "\n"); err != nil || !strings.Contains(found, c.says) {
				t.Errorf("want %q, %v, found:\n%s", c.says, err, found)
			}
		})
	}
}

func stepOf(r map[string]any, i int) map[string]any { return r["steps"].([]any)[i].(map[string]any) }

// Two payers whose reservations have run out report at the same moment that they
// have paid: one of them had the right, the other one has paid twice.
func TestTwoLatePaymentsAtOnce(t *testing.T) {
	for range 5 {
		e := newClaimEnv(t, registrytest.Options{Rerun: kvtest.Rerun(3)})
		cert := e.issue(1, "6-31-01-03", standards.Senior)
		var cs []registry.ClaimView
		payers := []registry.Actor{e.kunshan, e.other}
		for _, by := range payers {
			c := e.mustReserve(by, e.request(1, cert.Number)).Claim
			if _, err := e.WithdrawClaim(ctx, by, c.ID, "本人撤回"); err != nil {
				t.Fatal(err)
			}
			cs = append(cs, *c)
		}
		views, errs := make([]registry.ClaimView, 2), make([]error, 2)
		var wg sync.WaitGroup
		for i, by := range payers {
			wg.Go(func() { views[i], errs[i] = e.ConfirmClaim(ctx, by, cs[i].ID, e.payment("P", cs[i].Amount)) })
		}
		wg.Wait()
		states := []policy.State{views[0].State, views[1].State}
		slices.Sort(states)
		if errs[0] != nil || errs[1] != nil || !slices.Equal(states, []policy.State{policy.Confirmed, policy.Duplicate}) {
			t.Fatalf("%v, %v", states, errs)
		}
	}
}
