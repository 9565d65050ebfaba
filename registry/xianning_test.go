package registry_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"bajigong/evaluators"
	"bajigong/evaluators/cases"
	"bajigong/evaluators/signs"
	"bajigong/internal/fail"
	"bajigong/internal/invented"
	"bajigong/internal/needed"
	"bajigong/registry"
	"bajigong/registry/policy"
	"bajigong/registry/registrytest"
	"bajigong/standards"
)

// xianning replays the case of 咸宁 as the audit tells it: a company is admitted;
// within two months it holds 25 batches and issues more than 2,600 certificates.
type xianning struct {
	*registrytest.Env
	t                *testing.T
	neighbour, fresh registrytest.Issuer
	sessions         []registry.Session
	days             []standards.Date // on which a batch was published, in order
	people           int              // blocks of invented people taken
	peopleOf         map[string]int   // of a session: the first of its people
	scale            int              // how many people of the neighbour one row stands for
}

// csv is a results file of n people nobody has used, none of pension age.
func (x *xianning) csv(n int) string {
	from := x.next()
	x.people++
	return registrytest.CSV(from, from+n)
}

// next is the first of the people that csv takes next.
func (x *xianning) next() int { return 2000 + x.people%11*1050 + x.people/11*14000 }

// reviewsOf lists the reviews on an institution as "sign state", in a fixed order.
func (x *xianning) reviewsOf(by registrytest.Issuer) (out []signs.Review, list string) {
	x.t.Helper()
	out, _, err := x.Reviews(ctx, x.Authority, registry.ReviewFilter{Institution: by.Institution.ID}, registry.Page{Limit: 500})
	if err != nil {
		x.t.Fatal(err)
	}
	var words []string
	for _, v := range out {
		words = append(words, string(v.Sign)+" "+string(v.State))
	}
	return out, strings.Join(words, ", ")
}

// TestXianning: 咸宁审计案例 (2021年10月备案，11—12月25批次、2600余份证书).
func TestXianning(t *testing.T) {
	t.Parallel()
	clock := &registrytest.Clock{}
	clock.Set(time.Date(2024, 2, 26, 1, 0, 0, 0, time.UTC))
	x := &xianning{Env: registrytest.New(t, registrytest.Options{Clock: clock}), t: t, scale: needed.Every(5, 25), peopleOf: map[string]int{}}
	for _, step := range []struct {
		name string
		run  func()
	}{
		{"an honest neighbour issues ten times as many over two years", x.honestNeighbour},
		{"a company is admitted and files its plans", x.admission},
		{"25 batches in two months; a review stands open on the day", x.batches},
		{"the authority looks, and turns the review into a case", x.takenUp},
		{"a suspension is recorded", x.suspension},
		{"what is sent later is not entitled", x.later},
		{"a mass suspension previews every certificate and claim it touches", x.preview},
		{"the neighbour has raised nothing", x.nothingOnTheNeighbour},
	} {
		begun := time.Now()
		step.run()
		t.Logf("%s (%s): %.1fs", step.name, standards.DateOf(x.Clock.Now()), time.Since(begun).Seconds())
	}
}

// honestNeighbour has been filed for years and examines about a thousand people a
// month: 24 batches and 26,250 certificates until the company is admitted.
func (x *xianning) honestNeighbour() {
	inst, err := x.AdmitInstitution(ctx, x.Authority, evaluators.Institution{Name: "江南技师学院", USCC: invented.USCC(900), Region: "320583"})
	if err != nil {
		x.t.Fatal(err)
	}
	f, err := x.RecordFiling(ctx, x.Authority, evaluators.Filing{Institution: inst.ID, Class: evaluators.Social, Code: evaluators.ProvincialCode, Province: "32", Site: "058390",
		Authority: "320000", From: "2020-01-01", Until: "2029-12-31", Scope: registrytest.Scope(), Document: "苏人社备〔2020〕9号"})
	if err != nil {
		x.t.Fatal(err)
	}
	x.neighbour = registrytest.Issuer{Institution: inst, Filing: f,
		Actor: registry.Actor{Account: "a-" + inst.ID, Organisation: inst.ID, Roles: []registry.Role{registry.RoleInstitution}, Region: inst.Region, Via: "test"}}
	total := 0
	for month := range 24 {
		x.Clock.Set(time.Date(2024, time.Month(3+month), 1, 1, 0, 0, 0, time.UTC))
		batches := 1
		if month == 12 {
			batches = 2 // a season that is twice as large
		}
		s := x.MustPlan(x.neighbour)
		var rows strings.Builder
		for range batches {
			csv := x.csv(1050 / x.scale)
			if rows.Len() > 0 {
				_, csv, _ = strings.Cut(csv, "\n")
			}
			rows.WriteString(csv)
		}
		s = x.MustPublicise(x.neighbour, s, rows.String())
		if b, err := x.Issue(ctx, x.neighbour.Actor, s.ID, nil); err != nil {
			x.t.Fatal(err)
		} else {
			total += b.Total
		}
	}
	if total != 26_250/x.scale {
		x.t.Fatalf("the neighbour has issued %d", total)
	}
}

const xianningBatches, xianningRows = 25, 105

func (x *xianning) admission() {
	x.Clock.Set(time.Date(2026, 3, 2, 1, 0, 0, 0, time.UTC))
	x.fresh = x.MustAdmit(1)
	today := standards.DateOf(x.Clock.Now())
	for i := range xianningBatches + 1 {
		s, err := x.PlanSession(ctx, x.fresh.Actor, registry.NewSession{Name: fmt.Sprintf("第%d批", i+1), Filing: x.fresh.Filing.ID, Occupation: "6-31-01-03",
			Level: standards.Senior, ExamDate: today.AddDays(2 + 2*i)})
		if err != nil {
			x.t.Fatal(err)
		}
		x.sessions = append(x.sessions, s)
	}
}

// day does what falls on a day: results and publicity on the day after an exam,
// certificates on the day after publicity.
func (x *xianning) day(today standards.Date) {
	for i, s := range x.sessions {
		switch {
		case s.State == registry.SessionPlanned && s.ExamDate.AddDays(1) == today:
			x.peopleOf[s.ID] = x.next()
			if _, err := x.UploadResults(ctx, x.fresh.Actor, s.ID, registry.Upload{File: strings.NewReader(x.csv(xianningRows))}); err != nil {
				x.t.Fatal(err)
			}
			var err error
			if x.sessions[i], err = x.StartPublicity(ctx, x.fresh.Actor, s.ID); err != nil {
				x.t.Fatal(err)
			}
		case s.State == registry.SessionPublicity && s.Publicity.Until < today && i < xianningBatches:
			if _, err := x.Issue(ctx, x.fresh.Actor, s.ID, nil); err != nil {
				x.t.Fatal(err)
			}
			x.sessions[i].State = registry.SessionIssued
			x.days = append(x.days, today)
		}
	}
}

// crossing is the day on which the thresholds of the sample file are crossed:
// more than 4 batches and 4 in 30 days, or 300 certificates and 350 in 30 days,
// 2 March being the first: 6 × 105 = 630 certificates over 300 + 350·20/30 = 533.
const crossing = standards.Date("2026-03-21")

func (x *xianning) batches() {
	begin := standards.Date("2026-03-02")
	for day := begin.AddDays(1); len(x.days) < xianningBatches; day = day.AddDays(1) {
		if day > begin.AddDays(70) {
			x.t.Fatalf("only %d batches by %s", len(x.days), day)
		}
		x.Clock.Set(day.Time().Add(10 * time.Hour))
		x.day(day)
		// What an inspector would reckon by hand.
		age, batches := day.DaysSince(begin)+1, len(x.days)
		over := batches > 4+4*age/30 || batches*xianningRows > 300+350*age/30
		if over != (day >= crossing) && batches > 0 {
			x.t.Errorf("on %s %d batches are over the thresholds: %t; the scenario has %s for the day", day, batches, over, crossing)
		}
		found, list := x.reviewsOf(x.fresh)
		switch {
		case day < crossing && list != "":
			x.t.Errorf("on %s: %s", day, list)
		case day >= crossing && list != "velocity open":
			x.t.Errorf("on %s: %q, want one open review", day, list)
		case day == crossing:
			x.explained(found[0], day)
		}
	}
	last := x.days[len(x.days)-1]
	if total := xianningBatches * xianningRows; total < 2600 || last.DaysSince(begin) > 61 {
		x.t.Errorf("%d certificates by %s: not two months", total, last)
	}
	if v := x.velocity(); v.Count < 10 || len(v.Findings) > 20 || v.Findings[0].On != crossing || standards.DateOf(v.Newest) != last {
		x.t.Errorf("the review has %d findings from %s to %s", v.Count, v.Findings[0].On, v.Newest)
	}
}

// velocity is the one review of that sign on the company.
func (x *xianning) velocity() signs.Review {
	x.t.Helper()
	found, list := x.reviewsOf(x.fresh)
	if len(found) != 1 || found[0].Sign != signs.KindVelocity {
		x.t.Fatalf("reviews: %q, want one of velocity", list)
	}
	return found[0]
}

// explained: a finding says by which rule, what was measured and on what.
func (x *xianning) explained(v signs.Review, day standards.Date) {
	s := v.Findings[0]
	if v.Region != "320583" || v.Window != "2026-03-02" || standards.DateOf(v.Opened) != day || s.Rule != "signs-sample" || s.Version != "2000-01-01" || s.On != day ||
		s.ZH == "" || s.EN == "" || len(s.Measures) != 2 || !s.Measures[0].Over() && !s.Measures[1].Over() || len(s.Records) == 0 || s.Records[0].Kind != "batch" {
		x.t.Errorf("the review does not explain itself: %+v", v)
	}
}

func (x *xianning) takenUp() {
	id := x.velocity().ID
	c, err := x.OpenCase(ctx, x.Authority, registry.NewCase{Subject: cases.Subject{Target: &evaluators.Target{Institution: x.fresh.Institution.ID}},
		Origin: cases.Origin{Kind: cases.FromSign, ID: id}, Text: "两个月内发证 25 批次"})
	if err != nil {
		x.t.Fatal(err)
	}
	if _, err := x.StepReview(ctx, x.Authority, id, signs.ReviewTakeUp, "", c.ID); fail.CodeOf(err) != "review_state" {
		x.t.Errorf("taken up without being looked at: %v", err)
	}
	if _, err := x.StepReview(ctx, x.Authority, id, signs.ReviewTakeUp, "", "case-none"); fail.CodeOf(err) != "not_found" {
		x.t.Errorf("taken up by a case that does not exist: %v", err)
	}
	for _, do := range []struct {
		action signs.ReviewAction
		caseID string
	}{{signs.ReviewLook, ""}, {signs.ReviewTakeUp, c.ID}} {
		if _, err := x.StepReview(ctx, x.Authority, id, do.action, "", do.caseID); err != nil {
			x.t.Fatal(err)
		}
	}
	if _, list := x.reviewsOf(x.fresh); list != "velocity case" {
		x.t.Errorf("reviews: %s", list)
	}
	// A sign never punishes: the institution may still issue.
	if inst, err := x.InstitutionByID(ctx, x.Authority, x.fresh.Institution.ID); err != nil || inst.Status != evaluators.Registered {
		x.t.Errorf("status %s, %v", inst.Status, err)
	}
}

// suspension comes on the day of the last batch, while a 26th is in publicity.
func (x *xianning) suspension() {
	mustDecide(x.t, x.Env, x.fresh, evaluators.Suspend)
	if _, list := x.reviewsOf(x.fresh); list != "velocity case" {
		x.t.Errorf("a steady pace is no rush: %s", list)
	}
}

func (x *xianning) later() {
	open := &x.sessions[xianningBatches]
	day := standards.DateOf(x.Clock.Now())
	for n := 0; open.State != registry.SessionPublicity || open.Publicity.Until >= day; n++ {
		if n > 30 {
			x.t.Fatal("the last session never came to an end")
		}
		day = day.AddDays(1)
		x.Clock.Set(day.Time().Add(10 * time.Hour))
		x.day(day)
	}
	if _, err := x.Issue(ctx, x.fresh.Actor, open.ID, nil); fail.KindOf(err) != fail.Conflict {
		x.t.Errorf("issued while suspended: %v", err)
	}
	p := invented.PersonAt(5_000_000)
	number := x.fresh.Filing.Number(2026, standards.Senior, 900_001).Format()
	got, err := x.RegisterElsewhere(ctx, x.fresh.Actor, []registry.Elsewhere{{Number: number, Name: p.Name, Document: p.Document, Occupation: "6-31-01-03",
		Level: standards.Senior, Issued: "2026-04-15", InstitutionName: x.fresh.Institution.Name}}) // dated before the suspension
	if err != nil {
		x.t.Fatal(err)
	}
	if e := got[0].Entitlement; e == nil || e.Entitled {
		x.t.Errorf("sent under its own number while suspended: %+v", e)
	}
	if _, list := x.reviewsOf(x.fresh); list != "backdated open, velocity case" {
		x.t.Errorf("reviews: %s", list)
	}
}

// preview: the authority sees what a mass suspension would touch before anything
// is touched: every certificate the company issued and what was claimed on them,
// and none of the neighbour's.
func (x *xianning) preview() {
	list, _, err := x.CertificatesOfSession(ctx, x.fresh.Actor, x.sessions[0].ID, registry.Page{Limit: 3})
	if err != nil {
		x.t.Fatal(err)
	}
	payer := registrytest.Payer("ks", "320583")
	for i, c := range list {
		person := x.peopleOf[x.sessions[0].ID] + c.Row - 2
		p := invented.PersonAt(person)
		got, err := x.ReserveClaim(ctx, payer, registry.ClaimRequest{Reference: fmt.Sprintf("KS-%d", i), Policy: "sample-2026", Certificate: c.Number, Document: p.Document, Name: p.Name,
			Facts: policy.Facts{policy.Insured: {Value: policy.Yes, Source: "参保系统", At: x.Clock.Now(), Reference: "CB-1"}}})
		if err != nil || got.Outcome != policy.Allow {
			x.t.Fatalf("claim: %+v %v", got.Reasons, err)
		}
	}
	x.Clock.Add(time.Minute)
	m, err := x.ProposeMassChange(ctx, x.Authority, registry.NewMassChange{Kind: registry.ChangeSuspend, Scope: registry.MassScope{Institution: x.fresh.Institution.ID},
		Document: "鄂人社核〔2026〕1号", Reason: "批次成绩核查"})
	if err != nil {
		x.t.Fatal(err)
	}
	// One more came in under its own number after the suspension.
	if want := xianningBatches*xianningRows + 1; m.Preview.Affected != want || len(m.Preview.Claims) != 1 || m.Preview.Claims[0].Claims != len(list) {
		x.t.Errorf("the preview has %d certificates and claims %+v, want %d and %d", m.Preview.Affected, m.Preview.Claims, want, len(list))
	}
	if v, err := x.VerdictByHandle(ctx, string(list[0].Handle)); err != nil || !v.Valid {
		x.t.Errorf("a preview touched a certificate: %v %v", v.Reasons, err)
	}
}

func (x *xianning) nothingOnTheNeighbour() {
	if _, list := x.reviewsOf(x.neighbour); list != "" {
		x.t.Errorf("on the neighbour: %s", list)
	}
	all, _, err := x.Reviews(ctx, x.Authority, registry.ReviewFilter{}, registry.Page{})
	if err != nil || len(all) != 2 {
		x.t.Errorf("%d reviews in the region, %v", len(all), err)
	}
}
