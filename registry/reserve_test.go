package registry_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/invented"
	"bajigong/internal/kv"
	"bajigong/internal/kv/kvtest"
	"bajigong/internal/rulefile"
	"bajigong/registry"
	"bajigong/registry/locks"
	"bajigong/registry/policy"
	"bajigong/registry/registrytest"
	"bajigong/standards"
)

// claimEnv is a registry with certificates and two payers.
type claimEnv struct {
	*registrytest.Env
	issuer         registrytest.Issuer
	kunshan, other registry.Actor
	refs           int
}

func newClaimEnv(t *testing.T, opts ...registrytest.Options) *claimEnv {
	t.Helper()
	e := &claimEnv{Env: registrytest.New(t, opts...)}
	e.issuer = e.MustAdmit(1)
	e.kunshan, e.other = registrytest.Payer("ks-payer", "320583"), registrytest.Payer("cz-payer", "320581")
	return e
}

// issue gives person i one certificate.
func (e *claimEnv) issue(i int, occupation string, level standards.Level) registry.Issued {
	e.T.Helper()
	csv := registrytest.CSV(i, i+1)
	if level >= standards.Technician {
		csv = strings.Replace(strings.TrimSuffix(csv, "\n"), "技能成绩\n", "技能成绩,综合评审成绩\n", 1) + ",80\n"
	}
	s := e.MustPublicise(e.issuer, e.MustPlanFor(e.issuer, occupation, level), csv)
	return e.MustIssue(e.issuer, s.ID)[0]
}

// request is a complete claim of person i under the sample policy.
func (e *claimEnv) request(i int, number string) registry.ClaimRequest {
	e.refs++
	p := invented.PersonAt(i)
	return registry.ClaimRequest{Reference: fmt.Sprintf("ref-%d", e.refs), Policy: "sample-2026", Certificate: number, Document: p.Document, Name: p.Name,
		Facts: policy.Facts{policy.Insured: {Value: policy.Yes, Source: "社会保险系统", At: e.Clock.Now(), Reference: "SB-1"}}}
}

func (e *claimEnv) mustReserve(by registry.Actor, q registry.ClaimRequest) registry.ClaimAnswer {
	e.T.Helper()
	a, err := e.ReserveClaim(ctx, by, q)
	if err != nil {
		e.T.Fatalf("reserve %s: %v", q.Reference, err)
	}
	return a
}

func (e *claimEnv) mustAnswer(what string, a registry.ClaimAnswer, outcome policy.Outcome, reasons ...policy.Reason) {
	e.T.Helper()
	if a.Outcome != outcome || len(a.Reasons) != len(reasons) || len(reasons) > 0 && !slices.Equal(a.Reasons, reasons) {
		e.T.Fatalf("%s: %s %v, want %s %v", what, a.Outcome, a.Reasons, outcome, reasons)
	}
}

// A reservation stands for the days of the payer's region and expires with them.
func TestLockByRegion(t *testing.T) {
	e := newClaimEnv(t, registrytest.Options{Rules: func(r *registry.Rules) {
		own := locks.Rules{Head: rulefile.Head{ID: "kunshan", Region: "320583", From: "2026-01-01", Sample: "test"}, Days: 30}
		var err error
		if r.Locks, err = r.Locks.With(own); err != nil {
			t.Fatal(err)
		}
	}})
	for i, c := range []struct {
		by   registry.Actor
		days int
	}{{e.kunshan, 30}, {e.other, 90}} {
		issued := e.issue(i, "6-31-01-03", standards.Senior)
		a := e.mustReserve(c.by, e.request(i, issued.Number))
		if a.Claim == nil || !a.Claim.Expires.Equal(a.Claim.Reserved.AddDate(0, 0, c.days)) {
			t.Fatalf("%s: %+v, want %d days", c.by.Region, a.Claim, c.days)
		}
		for days, want := range map[int]policy.State{c.days - 1: policy.Reserved, c.days: policy.Expired} {
			if got := policy.StateAt(a.Claim.State, a.Claim.Expires, a.Claim.Reserved.AddDate(0, 0, days)); got != want {
				t.Errorf("%s after %d days: %s, want %s", c.by.Region, days, got, want)
			}
		}
	}
}

func asJSON(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Two payers reserve the same right 200 times at once, each time anew.
func TestOneOfManyParallelReservationsIsAllowed(t *testing.T) {
	engines(t, func(t *testing.T, open func(testing.TB, string) kv.Engine) {
		mustAllowOne(t, newClaimEnv(t, registrytest.Options{Rerun: kvtest.Rerun(3), Engine: open}))
	})
}

func mustAllowOne(t *testing.T, e *claimEnv) {
	t.Helper()
	cert := e.issue(7, "6-31-01-03", standards.Senior)
	person := invented.PersonAt(7)
	type result struct {
		by     registry.Actor
		answer registry.ClaimAnswer
		err    error
	}
	results := make([]result, 200)
	var wg sync.WaitGroup
	for i := range results {
		q := e.request(7, cert.Number)
		results[i].by = []registry.Actor{e.kunshan, e.other}[i%2]
		wg.Go(func() { results[i].answer, results[i].err = e.ReserveClaim(ctx, results[i].by, q) })
	}
	wg.Wait()
	var winner *result
	for i, r := range results {
		if r.err != nil {
			t.Fatal(r.err)
		}
		if r.answer.Outcome == policy.Allow {
			if winner != nil {
				t.Fatal("two reservations were allowed")
			}
			winner = &results[i]
		}
	}
	if winner == nil {
		t.Fatal("no reservation was allowed")
	}
	if c := winner.answer.Claim; c.Amount != 260000 || c.State != policy.Reserved || !c.Expires.Equal(c.Reserved.AddDate(0, 0, 90)) {
		t.Errorf("allowed: %+v", c)
	}
	for _, r := range results {
		if r.answer.Outcome == policy.Allow {
			continue
		}
		e.mustAnswer("the others", r.answer, policy.Deny, policy.OnceTaken, policy.CertificateUsed)
		text := asJSON(t, r.answer)
		for what, secret := range map[string]string{"name": person.Name, "document": person.Document} {
			if strings.Contains(text, secret) {
				t.Fatalf("a refusal tells the %s: %s", what, text)
			}
		}
		if r.by.Organisation != winner.by.Organisation {
			for _, secret := range []string{winner.by.Organisation, winner.answer.Claim.ID, winner.answer.Claim.Reference + `"`} {
				if strings.Contains(text, secret) {
					t.Fatalf("a refusal tells another payer's %s: %s", secret, text)
				}
			}
		}
	}
}

func TestSameReferenceSameAnswer(t *testing.T) {
	e := newClaimEnv(t, registrytest.Options{Rerun: kvtest.Rerun(3)})
	cert := e.issue(1, "6-31-01-03", standards.Senior)
	q := e.request(1, cert.Number)
	answers := make([]string, 20)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() {
			a, err := e.ReserveClaim(ctx, e.kunshan, q)
			if err != nil {
				t.Error(err)
			}
			answers[i] = asJSON(t, a)
		})
	}
	wg.Wait()
	for _, a := range answers {
		if a != answers[0] {
			t.Fatalf("one reference, two answers:\n%s\n%s", answers[0], a)
		}
	}
	first := e.mustReserve(e.kunshan, q)
	e.mustAnswer("first", first, policy.Allow)

	refused := e.request(1, cert.Number)
	before := asJSON(t, e.mustReserve(e.other, refused))
	if _, err := e.ReleaseClaim(ctx, e.kunshan, first.Claim.ID, "申请人撤回"); err != nil {
		t.Fatal(err)
	}
	if after := asJSON(t, e.mustReserve(e.other, refused)); after != before {
		t.Errorf("a refused reference answers otherwise later:\n%s\n%s", before, after)
	}
	if again := e.mustReserve(e.kunshan, q); again.Outcome != policy.Allow || again.Claim.State != policy.Released || again.Claim.ID != first.Claim.ID {
		t.Errorf("the reference of a released claim: %+v", again)
	}
	q.Facts = nil
	if _, err := e.ReserveClaim(ctx, e.kunshan, q); fail.CodeOf(err) != "reference_reused" || fail.KindOf(err) != fail.Conflict {
		t.Errorf("the reference with another content: %v", err)
	}
	free := e.request(1, cert.Number)
	free.Reference = first.Claim.Reference // another payer's references are its own
	e.mustAnswer("another payer, same reference", e.mustReserve(e.other, free), policy.Allow)
}

func TestWhatDoesNotBelongTogetherHasOneAnswer(t *testing.T) {
	e := newClaimEnv(t)
	cert := e.issue(1, "6-31-01-03", standards.Senior)
	e.issue(2, "6-31-01-03", standards.Senior)
	var texts []string
	for name, spoil := range map[string]func(*registry.ClaimRequest){
		"unknown number": func(q *registry.ClaimRequest) { q.Certificate = cert.Number[:21] + "9" },
		"other document": func(q *registry.ClaimRequest) { q.Document = invented.PersonAt(2).Document },
		"unknown person": func(q *registry.ClaimRequest) { q.Document = invented.PersonAt(9).Document },
		"other name":     func(q *registry.ClaimRequest) { q.Name = "不是本人" },
		"two people": func(q *registry.ClaimRequest) {
			q.Document, q.Name = invented.PersonAt(2).Document, invented.PersonAt(2).Name
		},
	} {
		q := e.request(1, cert.Number)
		q.Reference = "ref-mismatch" // nothing is recorded, so it stays free
		spoil(&q)
		a := e.mustReserve(e.kunshan, q)
		e.mustAnswer(name, a, policy.Deny, registry.NoMatch)
		if a.Match || a.Claim != nil || a.Decision != nil {
			t.Errorf("%s: says more than that: %+v", name, a)
		}
		texts = append(texts, asJSON(t, a))
		checked, err := e.CheckClaim(ctx, e.kunshan, q)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, asJSON(t, checked))
	}
	for _, text := range texts {
		if text != texts[0] {
			t.Errorf("two ways of not matching differ:\n%s\n%s", texts[0], text)
		}
	}
	q := e.request(1, cert.Number)
	q.Reference = "ref-mismatch"
	e.mustAnswer("corrected", e.mustReserve(e.kunshan, q), policy.Allow)
}

func TestCertificateOfAnUnpublishedBatchIsNotThere(t *testing.T) {
	e := newClaimEnv(t)
	e.StepByStep()
	s := e.MustPublicise(e.issuer, e.MustPlan(e.issuer), registrytest.CSV(1, 2))
	q := e.request(1, "S000032058301263000001")
	asked := 0
	_, err := e.Issue(ctx, e.issuer.Actor, s.ID, func(b registry.Batch) {
		if b.State == registry.BatchSigned {
			asked++
			e.mustAnswer("signed and not published", e.mustReserve(e.kunshan, q), policy.Deny, registry.NoMatch)
		}
	})
	if err != nil || asked == 0 {
		t.Fatalf("asked %d times, %v", asked, err)
	}
	e.mustAnswer("published", e.mustReserve(e.kunshan, q), policy.Allow)
}

func TestRefusalsDoNotFillTheRoomOfClaims(t *testing.T) {
	e := newClaimEnv(t)
	cert := e.issue(1, "6-31-01-03", standards.Senior)
	c := e.mustReserve(e.kunshan, e.request(1, cert.Number)).Claim
	recorded := 0
	for range 255 {
		a := e.mustReserve(e.other, e.request(1, cert.Number))
		e.mustAnswer("refused", a, policy.Deny, policy.OnceTaken, policy.CertificateUsed)
		if a.Claim != nil {
			recorded++
		}
	}
	if recorded != 249 {
		t.Errorf("%d refusals were recorded, want 249 beside the claim", recorded)
	}
	if _, err := e.ReleaseClaim(ctx, e.kunshan, c.ID, "x"); err != nil {
		t.Fatal(err)
	}
	e.mustAnswer("who has the right", e.mustReserve(e.other, e.request(1, cert.Number)), policy.Allow)
}

func TestCheckReservesNothing(t *testing.T) {
	e := newClaimEnv(t)
	cert := e.issue(1, "6-31-01-03", standards.Senior)
	q := e.request(1, cert.Number)
	for range 2 {
		a, err := e.CheckClaim(ctx, e.kunshan, q)
		if err != nil {
			t.Fatal(err)
		}
		e.mustAnswer("check", a, policy.Allow)
		if a.Claim != nil || a.Decision.Amount != 260000 || a.TreeSize == 0 {
			t.Errorf("check: %+v", a)
		}
	}
	a := e.mustReserve(e.kunshan, q)
	if a.Claim.LogIndex != a.TreeSize {
		t.Errorf("decided on a tree of %d, logged at %d", a.TreeSize, a.Claim.LogIndex)
	}
	checked, err := e.CheckClaim(ctx, e.other, q)
	if err != nil {
		t.Fatal(err)
	}
	e.mustAnswer("check after", checked, policy.Deny, policy.OnceTaken, policy.CertificateUsed)
}

func TestMissingFactsHoldAndAreNotRecorded(t *testing.T) {
	e := newClaimEnv(t)
	cert := e.issue(1, "6-31-01-03", standards.Senior)
	q := e.request(1, cert.Number)
	facts := q.Facts
	q.Facts = nil
	a := e.mustReserve(e.kunshan, q)
	e.mustAnswer("without facts", a, policy.Hold, policy.FactMissing)
	if a.Claim != nil {
		t.Error("what is held was recorded")
	}
	q.Facts = facts
	e.mustAnswer("completed under the same reference", e.mustReserve(e.kunshan, q), policy.Allow)
}

func TestStateOfTheCertificateDecides(t *testing.T) {
	e := newClaimEnv(t)
	cert := e.issue(1, "6-31-01-03", standards.Senior)
	change := func(kind registry.ChangeKind) {
		t.Helper()
		if _, err := e.ChangeCertificate(ctx, e.Authority, cert.Number, registry.NewChange{Kind: kind, Document: "苏人社〔2026〕9号", Reason: "核查"}); err != nil {
			t.Fatal(err)
		}
	}
	change(registry.ChangeSuspend)
	a := e.mustReserve(e.kunshan, e.request(1, cert.Number))
	e.mustAnswer("suspended", a, policy.Hold, policy.CertificatePending)
	change(registry.ChangeResume)
	a = e.mustReserve(e.kunshan, e.request(1, cert.Number))
	e.mustAnswer("resumed", a, policy.Allow)
	if _, err := e.ReleaseClaim(ctx, e.kunshan, a.Claim.ID, "申请人撤回"); err != nil {
		t.Fatal(err)
	}
	change(registry.ChangeVoid)
	a = e.mustReserve(e.kunshan, e.request(1, cert.Number))
	e.mustAnswer("voided", a, policy.Deny, policy.CertificateNotGood)
	if a.Claim == nil || a.Claim.State != registry.StateRefused {
		t.Errorf("a refusal is not recorded: %+v", a.Claim)
	}
}

func TestThreeTimesANaturalYearInShanghai(t *testing.T) {
	e := newClaimEnv(t)
	var certs []registry.Issued
	for _, level := range []standards.Level{standards.Junior, standards.Intermediate, standards.Senior, standards.Technician} {
		certs = append(certs, e.issue(1, "6-31-01-03", level))
	}
	e.Clock.Set(time.Date(2026, 12, 20, 1, 0, 0, 0, time.UTC))
	for _, c := range certs[:3] {
		e.mustAnswer("one of three", e.mustReserve(e.kunshan, e.request(1, c.Number)), policy.Allow)
	}
	e.Clock.Set(time.Date(2026, 12, 31, 15, 59, 59, 0, time.UTC))
	a := e.mustReserve(e.other, e.request(1, certs[3].Number))
	e.mustAnswer("the fourth in the last second of the year", a, policy.Deny, policy.FrequencyReached)
	e.Clock.Add(time.Second)
	q := e.request(1, certs[3].Number)
	q.Received = "2026-12-31"
	e.mustAnswer("received in the old year", e.mustReserve(e.other, q), policy.Deny, policy.FrequencyReached)
	a = e.mustReserve(e.other, e.request(1, certs[3].Number))
	e.mustAnswer("in the new year", a, policy.Allow)
	if a.Claim.Year != 2027 {
		t.Errorf("counts in %d", a.Claim.Year)
	}
}

func TestPolicyOfThePayersRegion(t *testing.T) {
	e := newClaimEnv(t)
	cert := e.issue(1, "6-31-01-03", standards.Senior)
	check := func(by registry.Actor, change func(*registry.ClaimRequest)) (registry.ClaimAnswer, error) {
		q := e.request(1, cert.Number)
		q.Policy, q.Fund = "", policy.FundSkillUplift
		change(&q)
		return e.CheckClaim(ctx, by, q)
	}
	for name, c := range map[string]struct {
		by     registry.Actor
		change func(*registry.ClaimRequest)
		policy string
		code   string
	}{
		"nearest region":       {e.kunshan, func(*registry.ClaimRequest) {}, "kunshan-2020-67", ""},
		"region above":         {e.other, func(*registry.ClaimRequest) {}, "sample-2026", ""},
		"named, nation":        {e.kunshan, func(q *registry.ClaimRequest) { q.Policy = "sample-2026" }, "sample-2026", ""},
		"named, not its own":   {e.other, func(q *registry.ClaimRequest) { q.Policy = "kunshan-2020-67" }, "", "policy_region"},
		"named, other fund":    {e.kunshan, func(q *registry.ClaimRequest) { q.Policy, q.Fund = "sample-2026", policy.FundTraining }, "", "policy_fund"},
		"no such policy":       {e.kunshan, func(q *registry.ClaimRequest) { q.Policy = "moon-1969" }, "", "policy_not_found"},
		"no policy for it":     {e.kunshan, func(q *registry.ClaimRequest) { q.Fund = policy.FundApprenticeship }, "", "no_policy"},
		"region not in tables": {registrytest.Payer("x", "999999"), func(*registry.ClaimRequest) {}, "", "region_not_found"},
		"not a payer":          {e.issuer.Actor, func(*registry.ClaimRequest) {}, "", "not_allowed"},
		"nobody":               {registry.Actor{}, func(*registry.ClaimRequest) {}, "", "key_required"},
	} {
		a, err := check(c.by, c.change)
		if fail.CodeOf(err) != c.code {
			t.Errorf("%s: %v, want %q", name, err, c.code)
		} else if c.code == "" && a.Decision.Policy != c.policy {
			t.Errorf("%s: decided by %s", name, a.Decision.Policy)
		}
	}
}

func TestStoreHasNothingPersonalOfClaims(t *testing.T) {
	e := newClaimEnv(t)
	cert := e.issue(1, "6-31-01-03", standards.Senior)
	q := e.request(1, cert.Number)
	q.Facts[policy.Insured] = policy.Fact{Value: policy.Yes, Source: "社保窗口甲", At: e.Clock.Now(), Reference: "SB-SECRET-1"}
	a := e.mustReserve(e.kunshan, q)
	if _, err := e.ConfirmClaim(ctx, e.kunshan, a.Claim.ID, registry.Payment{Reference: "PAY-1", PaidOn: standards.DateOf(e.Clock.Now()), Amount: a.Claim.Amount}); err != nil {
		t.Fatal(err)
	}
	person := invented.PersonAt(1)
	err := eachEntry(t, e.Env, func(table, value string) {
		for _, secret := range []string{person.Name, person.Document, "社保窗口甲", "SB-SECRET-1"} {
			if strings.Contains(value, secret) {
				t.Errorf("table %s holds %q in the clear", table, secret)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}
