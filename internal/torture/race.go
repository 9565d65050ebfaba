package torture

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"bajigong/evaluators"
	"bajigong/internal/fail"
	"bajigong/internal/invented"
	"bajigong/registry"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// RaceSize says how long and how wide a race is.
type RaceSize struct {
	Seed    uint64
	People  int           // at most 10,000
	Clients int           // goroutines, over all payers and registers
	For     time.Duration // of the storm; it also ends after Most
	Most    int           // steps in all; 0: no limit
	// Days is how far the register's clock moves during the storm: 400 cross the end
	// of a year and of two policies.
	Days int
}

// RaceReport is what came of a race: how often each step had each outcome, and
// every difference between the register and the model.
type RaceReport struct {
	Seed         uint64         `json:"seed"`
	Registers    int            `json:"registers"` // handles on one store
	Clients      int            `json:"clients"`
	People       int            `json:"people"`
	Certificates int            `json:"certificates"`
	Seconds      float64        `json:"storm_seconds"`
	Steps        int            `json:"steps"`
	Outcomes     map[string]int `json:"outcomes"` // step, a space, and its outcome or the code of its refusal
	Claims       int            `json:"claims_recorded"`
	Compared     int            `json:"answers_compared"` // with the model
	Passed       int            `json:"answers_passed_over"`
	Replayed     int            `json:"claims_replayed"`
	LatePaid     int            `json:"late_payments"`
	PaidTwice    int            `json:"paid_twice"`
	InHands      policy.Fen     `json:"in_hands_fen"`
	Owed         policy.Fen     `json:"owed_fen"`
	Problems     []string       `json:"problems"`
}

// RaceBegin is when the clock of a race begins, Monday 6 January 2025, nine o'clock
// in Shanghai: two of its policies end with that year. The register must not have
// seen a later time.
var RaceBegin = time.Date(2025, 1, 6, 1, 0, 0, 0, time.UTC)

// raceProblems is how many problems a report has at most.
const raceProblems = 200

// race is a storm on the registers of one store.
type race struct {
	RaceSize
	scene *Scene
	regs  []*registry.Registry
	now   func() time.Time
	move  func(time.Time)
	certs []*raceCertificate

	mu     sync.Mutex
	report RaceReport
	asks   []*raceAsk
	open   [racePayers][]*raceClaim
	left   int // steps, when there is a limit
	serial int
}

// raceClaim is what its payer remembers of a claim.
type raceClaim struct {
	id, reference string
	amount        policy.Fen
	restores      bool
	request       registry.ClaimRequest
	mu            sync.Mutex
	payments      []string
	back          policy.Fen
}

var racePolicies = [racePayers]struct{ name, region, policy string }{
	{"payer-ks", "320583", "kunshan-2020-67"},
	{"payer-nj", "320100", "jiangsu-2025-22-uplift"},
	{"payer-gd", "440000", "guangdong-2023-training"},
}

func racePayer(i int) registry.Actor {
	p := racePolicies[i]
	return registry.Actor{Account: "a-" + p.name, Organisation: p.name, Roles: []registry.Role{registry.RolePayer}, Region: p.region, Via: "torture"}
}

// moment is a time to compare, in nanoseconds.
type moment int64

func momentOf(t time.Time) moment { return moment(t.UnixNano()) }

// raceOccupations are 电工 and 养老护理员.
var raceOccupations = []string{"6-31-01-03", "4-10-01-05"}

var raceLevels = []standards.Level{standards.Junior, standards.Intermediate, standards.Senior}

// Race makes people with certificates in an empty register, lets payers of three
// regions with three policies do at random all that can be done with claims, on
// all the registers at a time and while the clock moves, and then holds the log,
// every answer, every amount and every decision to a simple model of the policies.
// The registers are handles on one store. now and move are their clock. Errors mean
// that it could not be done at all; what is wrong stands in Problems.
func Race(ctx context.Context, regs []*registry.Registry, now func() time.Time, move func(time.Time), size RaceSize) (RaceReport, error) {
	r := &race{RaceSize: size, regs: regs, now: now, move: move, left: size.Most}
	r.report = RaceReport{Seed: size.Seed, Registers: len(regs), Clients: size.Clients, People: size.People, Outcomes: map[string]int{}, Problems: []string{}}
	if size.People < 1 || size.People > 10_000 || size.Clients < 1 || len(regs) == 0 {
		return r.report, errors.New("a race has 1 to 10000 people, clients and registers")
	}
	for _, step := range []func(context.Context) error{r.prepare, r.storm, r.settle} {
		if err := step(ctx); err != nil {
			return r.report, err
		}
	}
	return r.report, nil
}

func (r *race) problem(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.report.Problems) < raceProblems {
		r.report.Problems = append(r.report.Problems, fmt.Sprintf(format, args...))
	}
}

// personOf spreads the people over the years of birth of package invented.
func personOf(who int) int { return who * 137 % 14000 }

// prepare issues to everybody certificates of two occupations at three levels:
// each person has from two to six of them.
func (r *race) prepare(ctx context.Context) error {
	begin := RaceBegin
	r.move(begin)
	r.scene = &Scene{Seed: r.Seed, Clock: begin}
	reg := r.regs[0]
	inst, err := reg.AdmitInstitution(ctx, r.scene.authority(), evaluators.Institution{Name: "耐久测试评价中心", USCC: invented.USCC(1), Region: "320583"})
	if err != nil {
		return err
	}
	today := standards.DateOf(begin)
	r.scene.Institution = inst.ID
	var scope []evaluators.ScopeItem
	for _, o := range raceOccupations {
		scope = append(scope, evaluators.ScopeItem{Occupation: o, Levels: standards.LevelsOf(raceLevels...)})
	}
	if r.scene.Filing, err = reg.RecordFiling(ctx, r.scene.authority(), evaluators.Filing{Institution: inst.ID, Class: evaluators.Social, Code: evaluators.ProvincialCode,
		Province: "32", Site: "058301", Authority: Region, From: today, Until: today.AddDays(3 * 365), Document: "苏人社备〔2025〕1号", Scope: scope}); err != nil {
		return err
	}
	type planned struct {
		SceneSession
		of []*raceCertificate
	}
	var sessions []planned
	rnd := rand.New(rand.NewPCG(r.Seed, 2))
	for o := range raceOccupations {
		for l := range raceLevels {
			var of []*raceCertificate
			for who := range r.People {
				if rnd.IntN(6) < 4 || o == 0 && l < 2 {
					of = append(of, &raceCertificate{person: personOf(who), who: who, occupation: o, level: l, scarce: rnd.IntN(3) == 0})
				}
			}
			for page := range slices.Chunk(of, sessionMax) {
				s, err := reg.PlanSession(ctx, r.scene.Issuer(), registry.NewSession{Name: "耐久测试批次", Filing: r.scene.Filing.ID, Occupation: raceOccupations[o],
					Level: raceLevels[l], ExamDate: today.AddDays(1)})
				if err != nil {
					return err
				}
				sessions = append(sessions, planned{SceneSession{ID: s.ID}, page})
			}
		}
	}
	r.scene.move(r.move, today.AddDays(2), 10)
	until := today
	for _, s := range sessions {
		if _, err := reg.UploadResults(ctx, r.scene.Issuer(), s.ID, registry.Upload{File: strings.NewReader(raceResults(s.of))}); err != nil {
			return err
		}
		shown, err := reg.StartPublicity(ctx, r.scene.Issuer(), s.ID)
		if err != nil {
			return err
		}
		until = max(until, shown.Publicity.Until)
	}
	r.scene.move(r.move, until.AddDays(1), 9)
	for _, s := range sessions {
		if _, err := reg.Issue(ctx, r.scene.Issuer(), s.ID, nil); err != nil {
			return err
		}
		issued, err := certificatesOf(ctx, reg, r.scene.Issuer(), s.ID)
		if err != nil {
			return err
		}
		for _, c := range issued {
			x := s.of[c.Row-2] // the header is row 1
			x.number, x.issued = c.Number, c.Issued
			r.certs = append(r.certs, x)
		}
	}
	r.report.Certificates = len(r.certs)
	return nil
}

func raceResults(of []*raceCertificate) string {
	var out strings.Builder
	out.WriteString("姓名,证件号码,理论成绩,技能成绩\n")
	for _, c := range of {
		p := invented.PersonAt(c.person)
		fmt.Fprintf(&out, "%s,%s,%d,%d\n", p.Name, p.Document, 60+c.who%40, 60+c.who*7%40)
	}
	return out.String()
}

// storm lets all clients work until the time or the steps are over, and moves the
// clock meanwhile.
func (r *race) storm(ctx context.Context) error {
	began := time.Now()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	time.AfterFunc(r.For, cancel)
	group, working := errgroup.WithContext(context.WithoutCancel(ctx))
	for i := range r.Clients {
		group.Go(func() error {
			rnd := rand.New(rand.NewPCG(r.Seed, uint64(1000+i)))
			for ctx.Err() == nil && working.Err() == nil && r.take() {
				r.step(working, rnd, r.regs[i%len(r.regs)], rnd.IntN(racePayers))
			}
			return nil
		})
	}
	clock := make(chan struct{})
	go func() {
		defer close(clock)
		r.moveOn(ctx)
	}()
	err := group.Wait()
	cancel()
	<-clock
	r.report.Seconds = time.Since(began).Seconds()
	return err
}

// take takes one step from the limit.
func (r *race) take() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.Most > 0 {
		if r.left == 0 {
			return false
		}
		r.left--
	}
	r.report.Steps++
	return true
}

// moveOn moves the clock over r.Days: by the steps done when they are limited,
// else by the time.
func (r *race) moveOn(ctx context.Context) {
	began, from := time.Now(), r.now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(max(r.For/5000, time.Millisecond)):
		}
		part := float64(time.Since(began)) / float64(r.For)
		if r.Most > 0 {
			r.mu.Lock()
			part = float64(r.report.Steps) / float64(r.Most)
			r.mu.Unlock()
		}
		to := from.Add(time.Duration(min(part, 1) * float64(r.Days) * 24 * float64(time.Hour)))
		if to.After(r.now()) {
			r.move(to)
		}
	}
}

// count counts an outcome. What nobody could expect is a problem.
func (r *race) count(step string, err error) bool {
	outcome := "done"
	if err != nil {
		if kind := fail.KindOf(err); kind != fail.Invalid && kind != fail.Conflict && kind != fail.NotFound {
			r.problem("%s: %v", step, err)
		}
		if outcome = fail.CodeOf(err); outcome == "" {
			outcome = "error"
		}
	}
	r.tally(step + " " + outcome)
	return err == nil
}

func (r *race) tally(what string) {
	r.mu.Lock()
	r.report.Outcomes[what]++
	r.mu.Unlock()
}

// step does one thing at random.
func (r *race) step(ctx context.Context, rnd *rand.Rand, reg *registry.Registry, payer int) {
	switch n := rnd.IntN(100); {
	case n < 12:
		r.ask(ctx, rnd, reg, payer, false)
	case n < 47:
		r.ask(ctx, rnd, reg, payer, true)
	case n < 49:
		r.change(ctx, rnd, reg)
	default:
		r.mu.Lock()
		var c *raceClaim
		if open := r.open[payer]; len(open) > 0 {
			c = open[len(open)-1-rnd.IntN(min(len(open), 10*r.Clients+r.People))]
		}
		r.mu.Unlock()
		if c != nil {
			r.handle(ctx, rnd, reg, payer, c)
		}
	}
}

// ask checks or reserves a claim on any certificate.
func (r *race) ask(ctx context.Context, rnd *rand.Rand, reg *registry.Registry, payer int, reserve bool) {
	r.mu.Lock()
	r.serial++
	reference := "R-" + strconv.Itoa(r.serial)
	r.mu.Unlock()
	a := &raceAsk{payer: payer, cert: r.certs[rnd.IntN(len(r.certs))], reserve: reserve, reference: reference}
	t := r.now()
	a.received, a.before = standards.DateOf(t).AddDays(-max(0, rnd.IntN(10)-5)), momentOf(t)
	request := a.request(t)
	do, what := reg.CheckClaim, "check"
	if reserve {
		do, what = reg.ReserveClaim, "reserve"
	}
	answer, err := do(ctx, racePayer(payer), request)
	if err != nil {
		r.count(what, err)
		return
	}
	a.after, a.outcome, a.tree = momentOf(r.now()), answer.Outcome, answer.TreeSize
	r.tally(what + " " + string(answer.Outcome))
	if !answer.Match {
		r.problem("%s %s: name, document and number belong together and are said not to", what, reference)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asks = append(r.asks, a)
	if answer.Claim == nil {
		return
	}
	a.id = answer.Claim.ID
	if a.outcome == policy.Allow {
		r.open[payer] = append(r.open[payer], &raceClaim{id: a.id, reference: reference, amount: answer.Claim.Amount, restores: rnd.IntN(2) == 0, request: request})
	}
}

// request is the complete request: all facts are as the policies want them.
func (a *raceAsk) request(t time.Time) registry.ClaimRequest {
	p := invented.PersonAt(a.cert.person)
	facts := policy.Facts{}
	for kind, value := range map[policy.FactKind]string{
		policy.Insured: policy.Yes, policy.Employed: policy.Yes, policy.PolicyInForce: policy.Yes, policy.InsuredMonths: "36",
		policy.Insured.On(policy.AtIssueMonth): policy.Yes, policy.PersonGroup: "enterprise_employee", policy.ProvinciallyFound: policy.Yes,
		policy.NationallyQueryable: policy.Yes, policy.CatalogueListed: policy.Yes,
		policy.ApprovedAmount: []string{"1000", "1500", "2000"}[a.cert.level], policy.ScarceListed: string(policy.KnownIf(a.cert.scarce)),
	} {
		facts[kind] = policy.Fact{Value: value, Source: "耐久测试", At: t, Reference: "NJ-1"}
	}
	return registry.ClaimRequest{Reference: a.reference, Policy: racePolicies[a.payer].policy, Certificate: a.cert.number, Document: p.Document, Name: p.Name,
		Received: a.received, Facts: facts}
}

// change voids, suspends or resumes a certificate.
func (r *race) change(ctx context.Context, rnd *rand.Rand, reg *registry.Registry) {
	kind := []registry.ChangeKind{registry.ChangeSuspend, registry.ChangeSuspend, registry.ChangeResume, registry.ChangeResume, registry.ChangeResume, registry.ChangeVoid}[rnd.IntN(6)]
	// Few certificates are looked at, or nothing suspended would be resumed.
	c := r.certs[rnd.IntN(max(1, len(r.certs)/4))]
	_, err := reg.ChangeCertificate(ctx, r.scene.authority(), c.number, registry.NewChange{Kind: kind, Document: "测试〔2025〕1号", Reason: "耐久测试"})
	r.count(string(kind), err)
}

// handle takes a step with a claim, mostly one that fits somewhere in its life.
func (r *race) handle(ctx context.Context, rnd *rand.Rand, reg *registry.Registry, payer int, c *raceClaim) {
	by, today := racePayer(payer), standards.DateOf(r.now())
	n := strconv.Itoa(rnd.IntN(1_000_000))
	switch k := rnd.IntN(34); {
	case k < 3:
		_, err := reg.PubliciseClaim(ctx, by, c.id, registry.NewClaimPublicity{From: today})
		r.count("publicise", err)
	case k < 4:
		_, err := reg.ObjectToClaim(ctx, by, c.id, "异议 "+n)
		r.count("object", err)
	case k < 6:
		_, err := reg.ExtendClaim(ctx, by, c.id, registry.ClaimExtension{Until: today.AddDays(30 + rnd.IntN(120)), Reason: "延长 " + n})
		r.count("extend", err)
	case k < 9:
		_, err := reg.MakeClaimPayable(ctx, by, c.id, "批复 "+n)
		r.count("payable", err)
	case k < 15:
		r.pay(ctx, rnd, reg, by, c, today, n)
	case k < 17:
		r.payout(ctx, reg, by, c, today, n)
	case k < 19:
		_, err := reg.ReturnPayment(ctx, by, c.id, registry.PaymentReturn{Payment: c.payment(rnd, n), Reason: "账户异常", On: today})
		r.count("return", err)
	case k < 22:
		_, err := reg.ReleaseClaim(ctx, by, c.id, "解除 "+n)
		r.count("release", err)
	case k < 24:
		_, err := reg.WithdrawClaim(ctx, by, c.id, "撤回 "+n)
		r.count("withdraw", err)
	case k < 25:
		_, err := reg.OpenRecovery(ctx, by, c.id, registry.NewRecovery{Reason: "追回", Restores: &c.restores})
		r.count("recover", err)
	case k < 29:
		r.refund(ctx, rnd, reg, by, c, today, n)
	case k < 31: // of another payer it is not there
		_, err := reg.ReleaseClaim(ctx, racePayer((payer+1)%racePayers), c.id, "解除 "+n)
		if r.count("foreign", err); fail.KindOf(err) != fail.NotFound {
			r.problem("payer %d could touch claim %s of payer %d: %v", (payer+1)%racePayers, c.id, payer, err)
		}
	default:
		answer, err := reg.ReserveClaim(ctx, by, c.request)
		if r.count("again", err); err != nil || answer.Claim == nil || answer.Claim.ID != c.id || answer.Outcome != policy.Allow {
			r.problem("reference %s does not answer claim %s again: %v", c.reference, c.id, err)
		}
	}
}

func (r *race) pay(ctx context.Context, rnd *rand.Rand, reg *registry.Registry, by registry.Actor, c *raceClaim, today standards.Date, n string) {
	amount := c.amount
	if rnd.IntN(20) == 0 {
		amount /= 2 // none of the three policies knows an advance
	}
	_, err := reg.ConfirmClaim(ctx, by, c.id, registry.Payment{Reference: "P-" + n, PaidOn: today, Amount: amount})
	if r.count("confirm", err) {
		c.paidBy("P-" + n)
	}
}

func (r *race) payout(ctx context.Context, reg *registry.Registry, by registry.Actor, c *raceClaim, today standards.Date, n string) {
	lines := []registry.PayoutLine{
		{Claim: c.id, Amount: c.amount, PaidOn: today, Payment: "B-" + n, Result: registry.LinePaid},
		{Reference: "R-none-" + n, Amount: 100, PaidOn: today, Payment: "B-none-" + n, Result: registry.LinePaid},
	}
	p, err := reg.RecordPayout(ctx, by, registry.NewPayout{Reference: "batch-" + n, Lines: lines})
	if !r.count("payout", err) {
		return
	}
	if p.State != registry.PayoutDone {
		r.problem("payout %s ended %s", p.ID, p.State)
	}
	c.paidBy("B-" + n)
}

func (r *race) refund(ctx context.Context, rnd *rand.Rand, reg *registry.Registry, by registry.Actor, c *raceClaim, today standards.Date, n string) {
	c.mu.Lock()
	in := registry.Refund{Amount: c.amount - c.back, On: today, Reason: "追回", Restores: &c.restores}
	c.mu.Unlock()
	if rnd.IntN(2) == 0 {
		in.Amount, in.Reference = c.amount/policy.Fen(2+rnd.IntN(3)), "Z-"+n
	}
	if _, err := reg.RefundClaim(ctx, by, c.id, in); r.count("refund", err) {
		c.mu.Lock()
		c.back += in.Amount
		c.mu.Unlock()
	}
}

func (c *raceClaim) paidBy(reference string) {
	c.mu.Lock()
	c.payments = append(c.payments, reference)
	c.mu.Unlock()
}

// payment is the reference of one of the claim's payments, or of one that was
// never reported.
func (c *raceClaim) payment(rnd *rand.Rand, n string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.payments) == 0 || rnd.IntN(5) == 0 {
		return "P-none-" + n
	}
	return c.payments[rnd.IntN(len(c.payments))]
}
