package torture

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"bajigong/internal/fail"
	"bajigong/internal/invented"
	"bajigong/registry"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// RaceStorm is one process' part in a race: its clients ask one server.
type RaceStorm struct {
	plan    *RacePlan
	n, of   int
	server  *raceServer
	now     func() time.Time
	say     func(RaceLine)
	clients int

	mu     sync.Mutex
	counts map[string]int
	steps  int
	serial int
	open   [len(racePayers)][]*raceClaim
	merges []*raceMerge
}

// Storm is the n-th of several storms of a race. say takes what it says, from
// several goroutines at a time.
func (p *RacePlan) Storm(url string, n, of int, now func() time.Time, say func(RaceLine)) *RaceStorm {
	clients := max(1, (p.Size.Clients+of-1-n)/of)
	return &RaceStorm{plan: p, n: n, of: of, server: newRaceServer(url, clients), now: now, say: say, clients: clients, counts: map[string]int{}}
}

// raceClaim is what its payer remembers of a claim.
type raceClaim struct {
	ask     *raceAsk
	amount  policy.Fen
	advance policy.Fen
	mu      sync.Mutex
	seen    registry.ClaimView // as of the newest answer
}

// restores is what every process says of a recovery of the claim.
func (c *raceClaim) restores() *bool {
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(c.ask.ID))
	yes := sum.Sum32()%2 == 0
	return &yes
}

func (c *raceClaim) saw(v registry.ClaimView) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(v.Steps) >= len(c.seen.Steps) {
		c.seen = v
	}
}

func (c *raceClaim) last() registry.ClaimView {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seen
}

// raceMerge is a merge as its storm knows it: who are two documents.
type raceMerge struct {
	ID    string `json:"id"`
	Keep  int    `json:"keep"`
	Other int    `json:"other"`
}

// Hear makes the claim of a question that another storm asked one of this storm's
// own: both handle it from then on.
func (s *RaceStorm) Hear(l RaceLine) {
	a := l.Ask
	if a == nil || a.ID == "" || a.Outcome != policy.Allow {
		return
	}
	own := *a
	s.keep(&own)
}

func (s *RaceStorm) keep(a *raceAsk) *raceClaim {
	c := &raceClaim{ask: a, amount: a.amountOf(s.plan), advance: a.advanceOf()}
	s.mu.Lock()
	payer := racePolicies[a.Kind].payer
	s.open[payer] = append(s.open[payer], c)
	s.mu.Unlock()
	return c
}

// Run lets all clients work until the time or the steps are over.
func (s *RaceStorm) Run(ctx context.Context, until time.Time) error {
	group, working := errgroup.WithContext(ctx)
	for i := range s.clients {
		group.Go(func() error {
			rnd := rand.New(rand.NewPCG(s.plan.Size.Seed, uint64(1000*(s.n+1)+i)))
			for working.Err() == nil && time.Now().Before(until) && s.take() {
				s.step(working, rnd, rnd.IntN(len(racePayers)))
			}
			return nil
		})
	}
	err := group.Wait()
	s.mu.Lock()
	end := RaceLine{End: true, Steps: s.steps, Counts: maps.Clone(s.counts)}
	s.mu.Unlock()
	s.say(end)
	s.server.http.CloseIdleConnections()
	return err
}

// take takes one step from the limit.
func (s *RaceStorm) take() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.plan.Size.Most > 0 && s.steps >= s.plan.Size.Most {
		return false
	}
	s.steps++
	return true
}

func (s *RaceStorm) done() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.steps
}

func (s *RaceStorm) problem(format string, args ...any) {
	s.say(RaceLine{Problem: fmt.Sprintf(format, args...)})
}

// count counts an outcome. What nobody could expect is a problem.
func (s *RaceStorm) count(ctx context.Context, step string, err error) bool {
	outcome := "done"
	if err != nil {
		if ctx.Err() != nil {
			return false // the race was broken off
		}
		if kind := fail.KindOf(err); kind != fail.Invalid && kind != fail.Conflict && kind != fail.NotFound {
			s.problem("%s: %v", step, err)
		}
		if outcome = fail.CodeOf(err); outcome == "" {
			outcome = "error"
		}
	}
	s.tally(step + " " + outcome)
	return err == nil
}

func (s *RaceStorm) tally(what string) {
	s.mu.Lock()
	s.counts[what]++
	s.mu.Unlock()
}

// unique is a reference that no storm uses twice.
func (s *RaceStorm) unique(kind string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serial++
	return kind + "-" + strconv.Itoa(s.n) + "-" + strconv.Itoa(s.serial)
}

// step does one thing at random.
func (s *RaceStorm) step(ctx context.Context, rnd *rand.Rand, payer int) {
	switch n := rnd.IntN(200); {
	case n < 20:
		s.ask(ctx, rnd, payer, false)
	case n < 84:
		s.ask(ctx, rnd, payer, true)
	case n < 88:
		s.change(ctx, rnd)
	case n < 93:
		s.merge(ctx, rnd)
	case n < 95:
		s.file(ctx, rnd, payer)
	default:
		s.mu.Lock()
		var c *raceClaim
		if open := s.open[payer]; len(open) > 0 {
			c = open[len(open)-1-rnd.IntN(min(len(open), 10*s.clients+s.plan.Size.People))]
		}
		s.mu.Unlock()
		if c != nil {
			s.handle(ctx, rnd, payer, c)
		}
	}
}

// question is a question about any certificate, or about training without one.
func (s *RaceStorm) question(rnd *rand.Rand, kind int) *raceAsk {
	a := &raceAsk{Kind: kind, Cert: rnd.IntN(len(s.plan.Certificates)), Reference: s.unique("R"), At: s.now().UTC().Truncate(time.Second)}
	a.Received = standards.DateOf(a.At).AddDays(-max(0, rnd.IntN(10)-5))
	a.Who = s.plan.Certificates[a.Cert].Who
	if racePolicies[kind].subject == "" {
		return a
	}
	a.Cert, a.Units = -1, 1+rnd.IntN(6)
	a.From = a.Received.AddDays(-rnd.IntN(200) - 31*a.Units)
	a.To = a.From.AddMonths(a.Units).AddDays(-1)
	if racePolicies[kind].subject == policy.ForPreJob {
		a.Units, a.To = 0, a.From.AddDays(rnd.IntN(10))
	}
	return a
}

// ask checks or reserves a claim.
func (s *RaceStorm) ask(ctx context.Context, rnd *rand.Rand, payer int, reserve bool) {
	kind := payer
	if payer == 0 && rnd.IntN(2) == 0 {
		kind = preJob + rnd.IntN(2)
	}
	a := s.question(rnd, kind)
	a.Reserve, a.Before = reserve, momentOf(a.At)
	path, what := "/api/v1/claims/check", "check"
	if reserve {
		path, what = "/api/v1/claims", "reserve"
	}
	var answer raceAnswer
	err := s.server.post(ctx, s.plan.Payers[payer][rnd.IntN(2)], path, "", a.request(s.plan), &answer)
	if err != nil {
		s.count(ctx, what, err)
		return
	}
	a.After, a.Outcome, a.Tree = momentOf(s.now()), answer.Outcome, answer.TreeSize
	s.tally(what + " " + string(answer.Outcome))
	if a.Cert < 0 {
		s.tally(what + " bare " + string(answer.Outcome))
	}
	if !answer.Match {
		s.problem("%s %s: name and document belong together and are said not to", what, a.Reference)
	}
	if answer.Claim != nil {
		a.ID = answer.Claim.ID
	}
	s.say(RaceLine{Ask: a})
	if a.ID != "" && a.Outcome == policy.Allow {
		s.keep(a).saw(*answer.Claim)
	}
}

// raceAnswer is what a race needs of registry.ClaimAnswer.
type raceAnswer struct {
	Outcome  policy.Outcome      `json:"outcome"`
	Match    bool                `json:"match"`
	TreeSize uint64              `json:"tree_size"`
	Claim    *registry.ClaimView `json:"claim"`
}

// request is the complete request: all facts are as the policies want them.
func (a *raceAsk) request(plan *RacePlan) registry.ClaimRequest {
	p := invented.PersonAt(personOf(a.Who))
	values := map[policy.FactKind]string{
		policy.Insured: policy.Yes, policy.Employed: policy.Yes, policy.PolicyInForce: policy.Yes, policy.InsuredMonths: "36",
		policy.Insured.On(policy.AtIssueMonth): policy.Yes, policy.PersonGroup: "enterprise_employee", policy.ProvinciallyFound: policy.Yes,
		policy.NationallyQueryable: policy.Yes, policy.CatalogueListed: policy.Yes,
	}
	out := registry.ClaimRequest{Reference: a.Reference, Policy: racePolicies[a.Kind].id, Document: p.Document, Name: p.Name, Received: a.Received, Facts: policy.Facts{}}
	if a.Cert < 0 {
		out.Subject = policy.Subject{Kind: racePolicies[a.Kind].subject, From: a.From, To: a.To, Units: a.Units}
		values[policy.PersonGroup] = "insured_hardship"
		values[policy.Trained], values[policy.TrainingPassed] = policy.Yes, policy.Yes
	} else {
		c := plan.Certificates[a.Cert]
		out.Certificate = c.Number
		values[policy.ApprovedAmount] = []string{"1000", "1500", "2000"}[c.Level]
		values[policy.ScarceListed] = string(policy.KnownIf(c.Scarce))
	}
	for kind, value := range values {
		out.Facts[kind] = policy.Fact{Value: value, Source: "耐久测试", At: a.At, Reference: "NJ-1"}
	}
	return out
}

// file has a small file of claims checked. Its rows are of people who are in no
// merge: those of one person count for each other, which is not what is raced.
func (s *RaceStorm) file(ctx context.Context, rnd *rand.Rand, payer int) {
	var file []byte
	var asks []*raceAsk
	seen := map[int]bool{}
	before := momentOf(s.now())
	for len(asks) < 5 {
		a := s.question(rnd, payer)
		if a.Who < s.plan.clustered() || seen[a.Who] {
			if len(seen) == 0 && s.plan.Size.People < 20 {
				return
			}
			continue
		}
		seen[a.Who] = true
		q := a.request(s.plan)
		q.Policy = ""
		line, err := json.Marshal(q)
		if err != nil {
			s.problem("file: %v", err)
			return
		}
		file, asks = append(append(file, line...), '\n'), append(asks, a)
	}
	lines, err := s.server.batch(ctx, s.plan.Payers[payer][0], racePolicies[payer].id, file)
	if !s.count(ctx, "file", err) {
		return
	}
	if len(lines) != len(asks) {
		s.problem("a file of %d rows has %d answers", len(asks), len(lines))
		return
	}
	for i, a := range asks {
		a.Before, a.After, a.Outcome, a.Tree = before, momentOf(s.now()), policy.Outcome(lines[i].Outcome), lines[i].TreeSize
		a.Amount, a.Row = lines[i].Amount, lines[i].Row
		s.tally("row " + string(a.Outcome))
		s.say(RaceLine{Ask: a})
	}
}

// change voids, suspends or resumes a certificate.
func (s *RaceStorm) change(ctx context.Context, rnd *rand.Rand) {
	path := []string{"suspension", "suspension", "resumption", "resumption", "resumption", "voiding"}[rnd.IntN(6)]
	// Few certificates are looked at, or nothing suspended would be resumed.
	c := s.plan.Certificates[rnd.IntN(max(1, len(s.plan.Certificates)/4))]
	err := s.server.post(ctx, s.plan.Authorities[rnd.IntN(2)], "/api/v1/certificates/"+c.Number+"/"+path, s.unique("I"),
		registry.NewChange{Document: "测试〔2025〕1号", Reason: "耐久测试"}, nil)
	s.count(ctx, path, err)
}

// mergeCluster is how many people may be merged with each other.
const mergeCluster = 3

// clustered is how many of the people may be merged, the first ones.
func (p *RacePlan) clustered() int { return p.Size.People / 4 / mergeCluster * mergeCluster }

// merge proposes that two documents are one person, or that a merge was wrong, and
// lets the other account of the authority decide.
func (s *RaceStorm) merge(ctx context.Context, rnd *rand.Rand) {
	first := rnd.IntN(2)
	by, other := s.plan.Authorities[first], s.plan.Authorities[1-first]
	s.mu.Lock()
	var m *raceMerge
	if len(s.merges) > 0 && rnd.IntN(2) == 0 {
		m = s.merges[len(s.merges)-1-rnd.IntN(min(len(s.merges), 10+s.plan.Size.People/20))]
	}
	s.mu.Unlock()
	what := "merge"
	if m != nil {
		what = "undo"
		if !s.count(ctx, "undo", s.server.post(ctx, by, "/api/v1/persons/merges/"+m.ID+"/undoing", "", map[string]string{"reason": "核对有误"}, nil)) {
			return
		}
	} else if m = s.propose(ctx, rnd, by); m == nil {
		return
	}
	approve, reason := rnd.IntN(5) > 0, ""
	if !approve {
		reason = "证明材料不足"
	}
	path, in := "/api/v1/persons/merges/"+m.ID+"/decision", map[string]any{"approve": approve, "reason": reason}
	if approve && rnd.IntN(8) == 0 {
		if err := s.server.post(ctx, by, path, "", in, nil); err == nil {
			s.problem("merge %s: the account that proposed it could approve it", m.ID)
		}
	}
	s.count(ctx, fmt.Sprintf("%s decided %t", what, approve), s.server.post(ctx, other, path, "", in, nil))
}

func (s *RaceStorm) propose(ctx context.Context, rnd *rand.Rand, by raceAccount) *raceMerge {
	n := s.plan.clustered()
	if n == 0 {
		return nil
	}
	a := rnd.IntN(n)
	b := a - a%mergeCluster + (a+1+rnd.IntN(mergeCluster-1))%mergeCluster
	var out struct{ ID string }
	err := s.server.post(ctx, by, "/api/v1/persons/merges", s.unique("I"), registry.NewMerge{Keep: invented.PersonAt(personOf(a)).Document,
		Other: invented.PersonAt(personOf(b)).Document, Reason: registry.MergeNewDocument, Evidence: "证明〔2025〕1号"}, &out)
	if !s.count(ctx, "merge", err) {
		return nil
	}
	m := &raceMerge{ID: out.ID, Keep: a, Other: b}
	s.say(RaceLine{Merge: m})
	s.mu.Lock()
	s.merges = append(s.merges, m)
	s.mu.Unlock()
	return m
}
