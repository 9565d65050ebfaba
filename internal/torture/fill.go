package torture

import (
	"context"
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"bajigong/evaluators"
	"bajigong/internal/invented"
	"bajigong/registry"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// A Town is a register that was filled as life fills one: a few institutions issue
// most certificates, most people have one and a few have many, sessions are of all
// sizes, about a twelfth of the candidates fail, and claims are paid in batches by a
// few payers, some given up and some paid back. Everything went through the use
// cases that serve everybody else; only the disk was not waited for. What stands
// here is what must be known to go on and to ask for what is there.
type Town struct {
	ID           string            `json:"id"`
	Seed         uint64            `json:"seed"`
	Clock        time.Time         `json:"clock"`   // the register's time after the last load
	Entries      uint64            `json:"entries"` // of the audit log: which state of the store this is
	Institutions []TownInstitution `json:"institutions"`
	People       int               `json:"people"` // of package invented
	Sessions     int               `json:"sessions"`
	Certificates int               `json:"certificates"`
	Asked        int               `json:"claims_asked"`
	Claims       map[string]int    `json:"claims"`                  // recorded, by what became of them
	Past         int               `json:"past_payments,omitempty"` // of ledgers; each is a claim that was not decided here
	Loads        int               `json:"loads"`
	// Sample are some certificates, evenly from all loads.
	Sample []Holding `json:"sample"`
	// Seconds is how long the parts of filling took. Figures are counted beside the
	// results of the next load, and a load is kept beside the next one.
	Seconds map[string]float64 `json:"seconds"`
	// Whole says that nothing was left for a next load to do.
	Whole bool `json:"whole,omitempty"`
}

// TownInstitution is an institution with its one filing.
type TownInstitution struct {
	ID          string   `json:"id"`
	Filing      string   `json:"filing"`
	Region      string   `json:"region"`
	Occupations []string `json:"occupations"`
}

// TownSize is how much is put into a register.
type TownSize struct {
	Certificates int
	Claims       int // recorded, also refusals
	Past         int // payments since 2017, taken over from payers' ledgers
	// Load is how many certificates are planned, examined, publicised and issued at a
	// time: two weeks of the register's clock.
	Load int
}

// LoadDefault is a load that needs less than 4 GB of memory, also in a large store:
// one load is written while the next is made.
const LoadDefault = 50_000

// taper is how many loads a large store has, of which the last half, but no more than
// half of taper, are made in small ones. A load in bbolt leaves as many free pages as
// it has changed, and each commit writes the list of them: hundreds of thousands after
// large loads, as no store has that has grown by sessions. Growth takes them up.
const taper = 8

// How life is, as far as it matters to a store. None of these figures is a
// statistic of anybody; they are samples.
const (
	townSessionMost  = 500 // candidates
	townFail         = 12  // every so-manieth candidate fails
	townAgain        = 5   // every so-manieth candidate has a certificate already,
	townCollector    = 50  // a third of these are from every so-manieth person
	townSampleMost   = 20_000
	townInstitutions = 24 // and one more for every so many certificates:
	townPerMore      = 5_000
	townMostOf       = 1_500
)

// TownPayer is the payer with a number from 0.
func TownPayer(i int) registry.Actor {
	p := townPayers[i%len(townPayers)]
	return registry.Actor{Account: "a-" + p.name, Organisation: p.name, Roles: []registry.Role{registry.RolePayer}, Region: p.region, Via: "torture"}
}

// townPayers are payers of places that exist; each is as often asked as it has
// places here.
var townPayers = []struct{ name, region string }{
	{"payer-ks", "320583"}, {"payer-nj", "320100"}, {"payer-ks", "320583"}, {"payer-sz", "320500"}, {"payer-ks", "320583"},
	{"payer-nj", "320100"}, {"payer-wx", "320200"}, {"payer-xz", "320300"},
}

var townRegions = []string{"320583", "320505", "320106", "320281", "320583", "320301"}

// townLevels by how often they are examined.
var townLevels = []standards.Level{standards.Junior, standards.Junior, standards.Junior, standards.Intermediate, standards.Intermediate, standards.Intermediate,
	standards.Senior, standards.Senior, standards.Senior, standards.Technician}

// NewTown is a town without anything in it, whose clock begins at Begin.
func NewTown(seed uint64) *Town {
	return &Town{ID: fmt.Sprintf("%016x", rand.Uint64()), Seed: seed, Clock: Begin, Claims: map[string]int{}, Seconds: map[string]float64{}}
}

// Filling is a Town that grows in an open register.
type Filling struct {
	*Town
	Registry *registry.Registry
	Move     func(time.Time) // the register's clock
	// Keep makes durable what a load has left, or begins to once the load before is
	// durable, and says how many entries the log has.
	Keep func(context.Context) (entries uint64, err error)
	// Show hears of progress; it may be nil.
	Show func(certificates, claims int)
}

// townSession is a session of one load.
type townSession struct {
	id     string
	by     registry.Actor
	level  standards.Level
	people []int
	issued []Holding
}

func (t *Town) authority() registry.Actor {
	return registry.Actor{Account: "a-authority", Roles: []registry.Role{registry.RoleAuthority}, Region: Region, Via: "torture"}
}

func (t *Town) issuer(i int) registry.Actor {
	in := t.Institutions[i]
	return registry.Actor{Account: "a-issuer-" + fmt.Sprint(i), Organisation: in.ID, Roles: []registry.Role{registry.RoleInstitution}, Region: in.Region, Via: "torture"}
}

// Recorded is how many claims are in the register.
func (t *Town) Recorded() (n int) {
	for _, c := range t.Claims {
		n += c
	}
	return n
}

// Grow fills the register until it has at least as much as size says. What is there
// counts; an error leaves the Town as it was after the last load that Keep took.
func (f *Filling) Grow(ctx context.Context, size TownSize) error {
	if size.Load == 0 {
		size.Load = LoadDefault
	}
	for f.Certificates < size.Certificates || f.Recorded() < size.Claims || f.Past < size.Past {
		one := size
		if left := size.Certificates - f.Certificates; size.Certificates >= taper*size.Load && left <= taper/2*size.Load {
			one.Load = max(size.Load/25, townSessionMost)
		}
		if err := f.allOrNothing(func() error { return f.load(ctx, one) }); err != nil {
			return err
		}
		if f.Show != nil {
			f.Show(f.Certificates, f.Recorded()+f.Past)
		}
	}
	return f.allOrNothing(func() error {
		counted, err := f.Registry.CountFigures(ctx)
		if err == nil && counted > 0 {
			f.Entries, err = f.Keep(ctx)
		}
		return err
	})
}

// allOrNothing leaves the Town as it was when do fails.
func (f *Filling) allOrNothing(do func() error) error {
	before := f.Town.Copy()
	err := do()
	if err != nil {
		*f.Town = *before
	}
	return err
}

// Copy is a Town that does not change with this one.
func (t *Town) Copy() *Town {
	c := *t
	c.Institutions, c.Sample = slices.Clone(t.Institutions), slices.Clone(t.Sample)
	c.Claims, c.Seconds = map[string]int{}, map[string]float64{}
	for k, v := range t.Claims {
		c.Claims[k] = v
	}
	for k, v := range t.Seconds {
		c.Seconds[k] = v
	}
	return &c
}

// load is about two weeks of the town's life.
func (f *Filling) load(ctx context.Context, size TownSize) error {
	rnd := rand.New(rand.NewPCG(f.Seed, uint64(f.Loads)))
	want := min(size.Load, max(size.Certificates-f.Certificates, 500))
	claims, past := f.claimsOf(size, want), f.pastOf(size, want)
	f.Move(f.Clock)
	var sessions []*townSession
	steps := []struct {
		name string
		do   func() error
	}{
		{"institutions", func() error { return f.admit(ctx, size.Certificates) }},
		{"plan", func() (err error) {
			sessions, err = f.plan(ctx, rnd, want)
			return err
		}},
		{"results and publicity", func() error { return f.publiciseAndCount(ctx, sessions) }},
		{"issue", func() error { return f.issue(ctx, sessions) }},
		{"claims", func() error { return f.claim(ctx, rnd, sessions, claims) }},
		{"ledgers", func() error { return f.ledger(ctx, past) }},
		{"keep", func() (err error) {
			f.advance(1, 9)
			f.Loads++
			f.Entries, err = f.Keep(ctx)
			return err
		}},
	}
	if f.Certificates >= size.Certificates && f.Recorded() >= size.Claims {
		steps = steps[len(steps)-2:] // payments of the past alone are missing
	}
	for _, s := range steps {
		began := time.Now()
		if err := s.do(); err != nil {
			return fmt.Errorf("load %d, %s: %w", f.Loads, s.name, err)
		}
		f.Seconds[s.name] += time.Since(began).Seconds()
	}
	return nil
}

// claimsOf spreads the claims that are missing over the certificates that are, so
// that every load has its part of them.
func (f *Filling) claimsOf(size TownSize, certificates int) int {
	missing, left := size.Claims-f.Recorded(), max(size.Certificates-f.Certificates, certificates)
	if missing <= 0 {
		return 0
	}
	return min(certificates, (missing*certificates+left-1)/left)
}

func (f *Filling) advance(days, hour int) {
	f.Clock = standards.DateOf(f.Clock).AddDays(days).Time().Add(time.Duration(hour) * time.Hour)
	f.Move(f.Clock)
}

// admit admits and files as many institutions as a register of so many certificates
// has.
func (f *Filling) admit(ctx context.Context, certificates int) error {
	want := min(townInstitutions+certificates/townPerMore, townMostOf)
	all := standards.Starter().Occupations()
	today := standards.DateOf(f.Clock)
	for i := len(f.Institutions); i < want; i++ {
		region := townRegions[i%len(townRegions)]
		inst, err := f.Registry.AdmitInstitution(ctx, f.authority(), evaluators.Institution{Name: fmt.Sprintf("第%d评价中心", i+1), USCC: invented.USCC(i + 1), Region: region})
		if err != nil {
			return err
		}
		town := TownInstitution{ID: inst.ID, Region: region}
		var scope []evaluators.ScopeItem
		for j := 0; len(scope) < 4 && j < len(all); j++ {
			o := all[(i*7+j*11)%len(all)]
			if slices.Contains(town.Occupations, o.Code) || slices.ContainsFunc(townLevels, func(l standards.Level) bool {
				_, err := standards.Starter().Standard(o.Code, "", l, today)
				return err != nil
			}) {
				continue
			}
			town.Occupations = append(town.Occupations, o.Code)
			scope = append(scope, evaluators.ScopeItem{Occupation: o.Code, Levels: o.Levels})
		}
		filing, err := f.Registry.RecordFiling(ctx, f.authority(), evaluators.Filing{Institution: inst.ID, Class: evaluators.Social, Code: evaluators.ProvincialCode,
			Province: "32", Site: fmt.Sprintf("%06d", 58301+i), Authority: Region, From: today, Until: today.AddDays(40 * 365),
			Document: fmt.Sprintf("苏人社备〔2026〕%d号", i+1), Scope: scope})
		if err != nil {
			return err
		}
		town.Filing = filing.ID
		f.Institutions = append(f.Institutions, town)
	}
	return nil
}

// plan files the plans of sessions for so many certificates and enters their
// candidates. One institution in ten holds most of them.
func (f *Filling) plan(ctx context.Context, rnd *rand.Rand, certificates int) ([]*townSession, error) {
	exam := standards.DateOf(f.Clock).AddDays(1)
	var out []*townSession
	for passed := 0; passed < certificates; {
		n := townSessionMost
		if rnd.IntN(3) > 0 {
			n = 40 + rnd.IntN(townSessionMost-40)
		}
		n = min(n, (certificates-passed)*townFail/(townFail-1)+1)
		u := rnd.Float64()
		who := int(u * u * u * float64(len(f.Institutions)))
		in := f.Institutions[who]
		s := &townSession{by: f.issuer(who), level: townLevels[rnd.IntN(len(townLevels))]}
		planned, err := f.Registry.PlanSession(ctx, s.by, registry.NewSession{Name: "认定批次 " + fmt.Sprint(f.Sessions+1), Filing: in.Filing,
			Occupation: in.Occupations[rnd.IntN(len(in.Occupations))], Level: s.level, ExamDate: exam, Platform: fmt.Sprintf("YM-%d", f.Sessions+1)})
		if err != nil {
			return nil, err
		}
		s.id, s.people = planned.ID, f.candidates(rnd, n)
		f.Sessions++
		for _, p := range s.people {
			if !fails(planned.ID, p) {
				passed++
			}
		}
		out = append(out, s)
	}
	return out, nil
}

// candidates are people for a session, some of whom have been here before.
func (f *Filling) candidates(rnd *rand.Rand, n int) []int {
	known := f.People
	seen := make(map[int]bool, n)
	for len(seen) < n {
		p := f.People
		if known > townSessionMost && rnd.IntN(townAgain) == 0 {
			p = rnd.IntN(known)
			if rnd.IntN(3) == 0 {
				p -= p % townCollector
			}
		} else {
			f.People++
		}
		seen[p] = true
	}
	out := make([]int, 0, n)
	for p := range seen {
		out = append(out, p)
	}
	slices.Sort(out)
	return out
}

// fails decides who fails where: the same whenever it is asked.
func fails(session string, person int) bool {
	h := uint64(14695981039346656037)
	for _, b := range binary.BigEndian.AppendUint64([]byte(session), uint64(person)) {
		h = (h ^ uint64(b)) * 1099511628211
	}
	return h>>20%townFail == 0
}

// results is the file of results of a session.
func (s *townSession) results() string {
	var out strings.Builder
	out.WriteString("姓名,证件号码,理论成绩,技能成绩,综合评审成绩\n")
	for _, i := range s.people {
		p, skill, review := invented.PersonAt(i), 60+i*7%40, ""
		if fails(s.id, i) {
			skill = 30 + i%29
		}
		if s.level == standards.Technician {
			review = "75"
		}
		fmt.Fprintf(&out, "%s,%s,%d,%d,%s\n", p.Name, p.Document, 60+i%40, skill, review)
	}
	return out.String()
}

// at once is how many sessions are worked on at a time.
const atOnce = 8

func (f *Filling) publicise(ctx context.Context, sessions []*townSession) error {
	f.advance(2, 10)
	var mu sync.Mutex
	until := standards.DateOf(f.Clock)
	err := eachSession(ctx, sessions, func(ctx context.Context, s *townSession) error {
		if _, err := f.Registry.UploadResults(ctx, s.by, s.id, registry.Upload{File: strings.NewReader(s.results())}); err != nil {
			return err
		}
		shown, err := f.Registry.StartPublicity(ctx, s.by, s.id)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		until = max(until, shown.Publicity.Until)
		return nil
	})
	f.Clock = until.Time()
	f.advance(1, 9)
	return err
}

// publiciseAndCount counts the figures of the load before beside the results of this
// one: both wait for the one writer, but a file of results is also read and judged.
func (f *Filling) publiciseAndCount(ctx context.Context, sessions []*townSession) error {
	group, ctx := errgroup.WithContext(ctx)
	var counting time.Duration
	group.Go(func() error {
		began := time.Now()
		_, err := f.Registry.CountFigures(ctx)
		counting = time.Since(began)
		return err
	})
	group.Go(func() error { return f.publicise(ctx, sessions) })
	err := group.Wait()
	f.Seconds["figures"] += counting.Seconds()
	return err
}

func eachSession(ctx context.Context, sessions []*townSession, do func(context.Context, *townSession) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for _, s := range sessions {
		group.Go(func() error { return do(ctx, s) })
	}
	return group.Wait()
}

func (f *Filling) issue(ctx context.Context, sessions []*townSession) error {
	err := eachSession(ctx, sessions, func(ctx context.Context, s *townSession) error {
		if _, err := f.Registry.Issue(ctx, s.by, s.id, nil); err != nil {
			return err
		}
		numbers, err := f.Registry.NumbersOfSession(ctx, s.by, s.id)
		for _, n := range numbers {
			s.issued = append(s.issued, Holding{Number: n.Number, Person: s.people[n.Row-2]}) // the header is row 1
		}
		return err
	})
	if err != nil {
		return err
	}
	rnd := rand.New(rand.NewPCG(f.Seed, uint64(f.Certificates)))
	for _, s := range sessions {
		for _, h := range s.issued {
			f.Certificates++
			if len(f.Sample) < townSampleMost {
				f.Sample = append(f.Sample, h)
			} else if at := rnd.IntN(f.Certificates); at < townSampleMost {
				f.Sample[at] = h
			}
		}
	}
	return nil
}

// townClaim is a claim on its way.
type townClaim struct {
	payer  int
	view   registry.ClaimView
	become string
}

// What becomes of claims that were allowed, of a hundred.
var townBecomes = []struct {
	what string
	of   int
}{{"paid", 84}, {"reserved", 8}, {"released", 5}, {"withdrawn", 1}, {"refunded", 2}}

// townClients is how many claims are under way at a time.
const townClients = 64

// claim lets payers claim on so many of the certificates just issued, and pays what
// was reserved a week later.
func (f *Filling) claim(ctx context.Context, rnd *rand.Rand, sessions []*townSession, n int) error {
	if n == 0 {
		return nil
	}
	f.advance(1, 8)
	var held []Holding
	for _, s := range sessions {
		held = append(held, s.issued...)
	}
	rnd.Shuffle(len(held), func(i, j int) { held[i], held[j] = held[j], held[i] })
	held = held[:min(n, len(held))]
	found := make([]townClaim, len(held))
	payers, laws := make([]int, len(held)), make([]string, len(held))
	for i := range held {
		payers[i], laws[i] = rnd.IntN(len(townPayers)), FirstLanguage
		if rnd.IntN(2) == 0 {
			laws[i] = SecondLanguage
		}
		k := rnd.IntN(100)
		for _, b := range townBecomes {
			if k -= b.of; k < 0 {
				found[i].become = b.what
				break
			}
		}
	}
	today := standards.DateOf(f.Clock)
	err := parallel(ctx, len(held), func(ctx context.Context, i int) error {
		found[i].payer = payers[i]
		by := TownPayer(payers[i])
		answer, err := f.Registry.ReserveClaim(ctx, by, TownClaim(laws[i], held[i], today, f.Clock, "T-"+held[i].Number))
		switch {
		case err != nil:
			return err
		case answer.Claim == nil:
			return fmt.Errorf("claim on %s: %s %v", held[i].Number, answer.Outcome, answer.Reasons)
		case answer.Outcome != policy.Allow:
			found[i].become = "refused"
		}
		found[i].view = *answer.Claim
		return nil
	})
	if err != nil {
		return err
	}
	f.Asked += len(held)
	f.advance(6, 9)
	if err := f.pay(ctx, found); err != nil {
		return err
	}
	if err := f.end(ctx, found); err != nil {
		return err
	}
	for _, c := range found {
		f.Claims[c.become]++
	}
	return nil
}

// The policies of a town: one of language 1 that comes with the program, and one of
// language 2 with a rule in nearly every section, whose text is MeasuredPolicy.
const (
	FirstLanguage  = "sample-2026"
	SecondLanguage = "measured-uplift"
)

// MeasuredPolicy is the policy file of SecondLanguage.
//
//go:embed fill_policy.yaml
var MeasuredPolicy []byte

// TownClaim is a complete request on a holding: every fact that the policy asks for
// is there, so that all of its rules are decided.
func TownClaim(law string, h Holding, received standards.Date, at time.Time, reference string) registry.ClaimRequest {
	p := invented.PersonAt(h.Person)
	facts := policy.Facts{}
	values := map[policy.FactKind]string{policy.Insured: policy.Yes}
	if law == SecondLanguage {
		values = map[policy.FactKind]string{
			policy.PersonGroup: "enterprise_employee", policy.InsuredMonths: "36", policy.Insured.On(policy.AtIssueMonth): policy.Yes, policy.RealNameChecked: policy.Yes,
			policy.SocialCardActive: policy.Yes, policy.IsSupervised: policy.Yes, policy.ProvinciallyFound: policy.Yes, policy.CatalogueListed: policy.Yes,
			policy.ApprovedCost: "3000", policy.ScarceListed: policy.No, policy.FundedBy: "person",
		}
	}
	for kind, value := range values {
		facts[kind] = policy.Fact{Value: value, Source: "耐久测试", At: at, Reference: "CB-1"}
	}
	return registry.ClaimRequest{Reference: reference, Policy: law, Certificate: h.Number, Document: p.Document, Name: p.Name, Received: received, Facts: facts}
}

// parallel does n things with townClients at a time.
func parallel(ctx context.Context, n int, do func(context.Context, int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	for range townClients {
		group.Go(func() error {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := do(ctx, i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// payoutRows is how many lines a payout of the town has at most.
const payoutRows = 1000

// pay pays what is to be paid, in batches of each payer, and every twentieth claim
// by itself.
func (f *Filling) pay(ctx context.Context, found []townClaim) error {
	today := standards.DateOf(f.Clock)
	lines := map[string][]registry.PayoutLine{}
	payers := map[string]int{}
	var single []int
	for i, c := range found {
		if c.become != "paid" && c.become != "refunded" {
			continue
		}
		if i%20 == 0 {
			single = append(single, i)
			continue
		}
		name := townPayers[c.payer].name
		payers[name] = c.payer
		lines[name] = append(lines[name], registry.PayoutLine{Claim: c.view.ID, Amount: c.view.Amount, PaidOn: today, Payment: "P-" + c.view.ID, Result: registry.LinePaid})
	}
	type batch struct {
		payer int
		in    registry.NewPayout
	}
	var batches []batch
	for name, all := range lines {
		for page := range slices.Chunk(all, payoutRows) {
			batches = append(batches, batch{payers[name], registry.NewPayout{Reference: fmt.Sprintf("B-%d-%d", f.Loads, len(batches)), Lines: page}})
		}
	}
	return errors.Join(parallel(ctx, len(batches), func(ctx context.Context, i int) error {
		p, err := f.Registry.RecordPayout(ctx, TownPayer(batches[i].payer), batches[i].in)
		if err == nil && p.Outcomes[registry.OutcomePaid] != len(batches[i].in.Lines) {
			err = fmt.Errorf("payout %s: %v", p.ID, p.Outcomes)
		}
		return err
	}), parallel(ctx, len(single), func(ctx context.Context, i int) error {
		c := found[single[i]]
		_, err := f.Registry.ConfirmClaim(ctx, TownPayer(c.payer), c.view.ID, registry.Payment{Reference: "P-" + c.view.ID, PaidOn: today, Amount: c.view.Amount})
		return err
	}))
}

// end gives up and pays back.
func (f *Filling) end(ctx context.Context, found []townClaim) error {
	return parallel(ctx, len(found), func(ctx context.Context, i int) (err error) {
		c := found[i]
		by := TownPayer(c.payer)
		switch c.become {
		case "released":
			_, err = f.Registry.ReleaseClaim(ctx, by, c.view.ID, "材料不全")
		case "withdrawn":
			_, err = f.Registry.WithdrawClaim(ctx, by, c.view.ID, "本人撤回")
		case "refunded":
			_, err = f.Registry.RefundClaim(ctx, by, c.view.ID, registry.Refund{Amount: c.view.Amount, On: standards.DateOf(f.Clock), Reason: "核查后追回"})
		}
		return err
	})
}
