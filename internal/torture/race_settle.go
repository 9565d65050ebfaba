package torture

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"bajigong/internal/fail"
	"bajigong/registry"
	"bajigong/registry/policy"
)

// settling holds a race to the model.
type settling struct {
	plan   *RacePlan
	reg    *registry.Registry
	now    func() time.Time
	mu     sync.Mutex
	report RaceReport

	merges map[string]*raceMerge
	// newer are the collisions by the claim that the rules refuse, and refused that
	// claim by the collision.
	newer   map[string][]registry.CollisionView
	refused map[string]string
}

// happening is one thing in the order of the log. An answer that has no entry
// stands after the entries that it rests on.
type happening struct {
	index  uint64
	answer bool
	do     func(*model)
}

// Settle holds everything to the model, after the storms: lines are all that they
// said. now is the clock of the register.
func (p *RacePlan) Settle(ctx context.Context, reg *registry.Registry, now func() time.Time, lines []RaceLine) (RaceReport, error) {
	s := &settling{plan: p, reg: reg, now: now, merges: map[string]*raceMerge{}, newer: map[string][]registry.CollisionView{}, refused: map[string]string{},
		report: RaceReport{Seed: p.Size.Seed, Clients: p.Size.Clients, People: p.Size.People, Certificates: len(p.Certificates), Outcomes: map[string]int{}, Problems: []string{}}}
	err := s.settle(ctx, lines)
	return s.report, err
}

func (s *settling) settle(ctx context.Context, lines []RaceLine) error {
	asks := s.read(lines)
	views, err := s.views(ctx)
	if err != nil {
		return err
	}
	m := &model{plan: s.plan, claims: map[int][]*modelClaim{}, held: map[int][]*raceCertificate{}, status: map[string][]modelStatus{}}
	happenings, err := s.changes(ctx, m)
	if err != nil {
		return err
	}
	if err := s.collisions(ctx); err != nil {
		return err
	}
	merged, err := s.merged(ctx)
	if err != nil {
		return err
	}
	happenings = append(happenings, merged...)
	byID := map[string]*modelClaim{}
	for _, a := range asks {
		happenings = append(happenings, s.answers(a, views, byID)...)
	}
	if s.report.Claims = len(views); len(byID) != len(views) {
		s.problem("%d claims are recorded, %d were answered", len(views), len(byID))
	}
	slices.SortStableFunc(happenings, func(a, b happening) int {
		return cmp.Or(cmp.Compare(a.index, b.index), compareBool(b.answer, a.answer))
	})
	for _, h := range happenings {
		h.do(m)
	}
	s.money(m, views)
	return errors.Join(s.replay(ctx, views), s.owed(ctx, m), s.check(ctx))
}

func (s *settling) problem(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.report.Problems) < raceProblems {
		s.report.Problems = append(s.report.Problems, fmt.Sprintf(format, args...))
	}
}

// read takes the lines apart. The same claim may have been answered more than once.
func (s *settling) read(lines []RaceLine) (asks []*raceAsk) {
	for _, l := range lines {
		switch {
		case l.Ask != nil:
			asks = append(asks, l.Ask)
		case l.Merge != nil:
			s.merges[l.Merge.ID] = l.Merge
		case l.Problem != "":
			s.problem("%s", l.Problem)
		case l.End:
			s.report.Steps += l.Steps
			for what, n := range l.Counts {
				s.report.Outcomes[what] += n
			}
		}
	}
	return asks
}

// compareBool puts true after false.
func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// views reads all the claims of all the payers.
func (s *settling) views(ctx context.Context) (map[string]registry.ClaimView, error) {
	out := map[string]registry.ClaimView{}
	for p := range racePayers {
		err := eachPage(func(page registry.Page) (string, error) {
			got, next, err := s.reg.Claims(ctx, s.plan.payer(p), page)
			for _, v := range got {
				out[v.ID] = v
			}
			return next, err
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// eachPage reads pages until the last one.
func eachPage(read func(registry.Page) (next string, err error)) error {
	for page := (registry.Page{Limit: 500}); ; {
		next, err := read(page)
		if err != nil || next == "" {
			return err
		}
		page.Cursor = next
	}
}

// changes are the changes of certificates, in the order of the log.
func (s *settling) changes(ctx context.Context, m *model) (out []happening, err error) {
	for _, c := range s.plan.Certificates {
		m.held[c.Who] = append(m.held[c.Who], c)
		now, err := s.reg.CertificateByNumber(ctx, s.plan.raceAuthority(), c.Number)
		if err != nil {
			return nil, err
		}
		for _, change := range now.Changes {
			to := map[registry.ChangeKind]registry.CertificateStatus{registry.ChangeSuspend: registry.CertificateSuspended,
				registry.ChangeResume: registry.CertificateValid, registry.ChangeVoid: registry.CertificateVoided}[change.Kind]
			out = append(out, happening{index: change.LogIndex, do: func(m *model) {
				m.status[c.Number] = append(m.status[c.Number], modelStatus{change.LogIndex, to})
			}})
		}
	}
	return out, nil
}

// collisions reads all collisions by their newer claim. Each payer sees those of its
// own claims, whatever the region.
func (s *settling) collisions(ctx context.Context) error {
	for p := range racePayers {
		err := eachPage(func(page registry.Page) (string, error) {
			got, next, err := s.reg.Collisions(ctx, s.plan.payer(p), registry.CollisionFilter{}, page)
			for _, c := range got {
				for _, one := range c.Claims {
					if one.Newer && one.Own && one.Claim != nil {
						s.report.Collisions++
						s.newer[one.Claim.ID] = append(s.newer[one.Claim.ID], c)
						s.refused[c.ID] = one.Claim.ID
					}
				}
			}
			return next, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// merged are the merges that were made and undone, in the order of the log.
func (s *settling) merged(ctx context.Context) (out []happening, err error) {
	err = eachPage(func(page registry.Page) (string, error) {
		got, next, err := s.reg.Merges(ctx, s.plan.raceAuthority(), false, page)
		for _, v := range got {
			known := s.merges[v.ID]
			if known == nil {
				s.problem("merge %s is recorded and was answered to nobody", v.ID)
				continue
			}
			for i, step := range v.Steps {
				if step.Do != registry.ApproveMerge {
					continue
				}
				if i == 0 || v.Steps[i-1].By == step.By {
					s.problem("merge %s was decided by one person", v.ID)
				}
				do := func(m *model) { s.join(m, v, known, step) }
				if step.To == registry.MergeUndone {
					do = func(m *model) { s.part(m, v, known) }
				}
				out = append(out, happening{index: step.LogIndex, do: do})
			}
		}
		return next, err
	})
	return out, err
}

// join makes two documents one person and compares the collisions that it brought.
func (s *settling) join(m *model, v registry.MergeView, known *raceMerge, step registry.MergeStep) {
	s.report.Merged++
	now := momentOf(step.At)
	a, b := m.together(known.Keep), m.together(known.Other)
	if slices.Contains(a, known.Other) {
		s.problem("merge %s joins who were one person already", v.ID)
	}
	collide, unjudged := m.foreseen(a, b, now)
	s.report.Foreseen += len(collide)
	brought := map[string]bool{}
	for _, c := range v.Collisions {
		id := s.refused[c]
		if brought[id] = true; !collide[id] && !unjudged[id] {
			s.problem("merge %s brings a collision of claim %s, by the model it does not", v.ID, id)
		}
	}
	for id := range collide {
		// The same finding of before, by a payment or a correction, stands for it.
		if !brought[id] && !slices.ContainsFunc(s.newer[id], func(c registry.CollisionView) bool { return c.Source != registry.FromMerge && !c.Opened.After(step.At) }) {
			s.problem("merge %s brings no collision of claim %s, by the model it does", v.ID, id)
		}
	}
	m.joined = append(m.joined, [2]int{known.Keep, known.Other})
}

// part makes one person two again; the collisions of the merge have lapsed.
func (s *settling) part(m *model, v registry.MergeView, known *raceMerge) {
	s.report.Undone++
	i := slices.Index(m.joined, [2]int{known.Keep, known.Other})
	if i < 0 {
		s.problem("merge %s was undone and did not stand", v.ID)
		return
	}
	m.joined = slices.Delete(m.joined, i, i+1)
	for _, id := range v.Collisions {
		for _, c := range s.newer[s.refused[id]] {
			if c.ID == id && c.State != registry.CollisionLapsed {
				s.problem("collision %s is %s, and its merge was undone", c.ID, c.State)
			}
		}
	}
}

// answers are the happenings of one question: the decision, and the steps of its
// claim.
func (s *settling) answers(a *raceAsk, views map[string]registry.ClaimView, byID map[string]*modelClaim) (out []happening) {
	if a.ID == "" {
		// The answer rests on the entries before a.Tree, at a moment of which the
		// race knows only what it lies between. Where a lock ran out then, either
		// may be right.
		return []happening{{index: a.Tree, answer: true, do: func(m *model) {
			was, is := m.decide(a, a.Before), m.decide(a, a.After)
			if was != is {
				s.report.Passed++
				return
			}
			s.compare(a, was)
			if a.Row > 0 && a.Outcome == policy.Allow && a.Amount != a.amountOf(s.plan) {
				s.problem("row %d (%s) is worth %s yuan, by the model %s", a.Row, a.Reference, a.Amount, a.amountOf(s.plan))
			}
		}}}
	}
	v, ok := views[a.ID]
	if !ok {
		s.problem("claim %s was answered and is not there", a.ID)
		return nil
	}
	if byID[a.ID] != nil {
		s.problem("claim %s was answered to two references", a.ID)
		return nil
	}
	c := s.claim(a, v)
	byID[a.ID] = c
	out = append(out, happening{index: v.LogIndex, do: func(m *model) {
		own := *a
		own.Tree = v.LogIndex
		s.compare(a, m.decide(&own, c.reserved))
		if a.Outcome == policy.Allow && (v.Amount != c.amount || v.Advance != c.advance) {
			s.problem("claim %s under %s is worth %s yuan, %s of them ahead, by the model %s and %s", a.ID, racePolicies[a.Kind].id, v.Amount, v.Advance, c.amount, c.advance)
		}
		m.claims[a.Who] = append(m.claims[a.Who], c)
	}})
	if c.cert == nil {
		s.report.Bare++
	}
	for _, step := range v.Steps {
		out = append(out, happening{index: step.LogIndex, do: func(m *model) { s.step(m, c, step) }})
	}
	return out
}

// claim is a claim before its first step.
func (s *settling) claim(a *raceAsk, v registry.ClaimView) *modelClaim {
	c := &modelClaim{raceAsk: a, index: v.LogIndex, reserved: momentOf(v.Reserved), amount: a.amountOf(s.plan), advance: a.advanceOf(),
		expires: momentOf(v.Reserved.AddDate(0, 0, lockDays)), refused: a.Outcome != policy.Allow}
	if a.Cert >= 0 {
		c.cert = s.plan.Certificates[a.Cert]
	}
	c.life = modelLife{index: v.LogIndex, state: policy.Reserved, expires: c.expires}
	if c.refused {
		c.life.state = registry.StateRefused
	}
	c.past = []modelLife{c.life}
	return c
}

func (s *settling) step(m *model, c *modelClaim, step registry.ClaimStep) {
	s.report.Judged++
	if wrong := m.step(c, step); wrong != "" {
		s.problem("claim %s, step %d %s: %s", c.ID, step.N, step.Kind, wrong)
	}
	switch {
	case step.Kind == registry.StepCorrected:
		s.report.Corrected++
	case step.State == policy.PartPaid && step.Kind == registry.StepPaid:
		s.report.Advances++
	}
	if step.Late || step.TooLate {
		s.report.LatePaid++
	}
	if !step.TooLate {
		return
	}
	s.report.PaidTwice++
	q := m.askedOf(c.raceAsk)
	q.now, q.index, q.self = momentOf(step.At), step.LogIndex, c
	if _, against := m.bars(q); len(against) > 0 && len(s.newer[c.ID]) == 0 { // what bars may be a certificate that is held
		s.problem("claim %s under %s, step %d: paid twice beside %s, and nobody was told of a collision", c.ID, racePolicies[c.Kind].id, step.N, against[0].ID)
	}
}

func (s *settling) compare(a *raceAsk, model policy.Outcome) {
	if s.report.Compared++; a.Outcome == model {
		return
	}
	what := "training"
	if a.Cert >= 0 {
		c := s.plan.Certificates[a.Cert]
		what = fmt.Sprintf("certificate %s (occupation %d, level %d)", c.Number, c.Occupation, c.Level)
	}
	s.problem("%s under %s on %s of person %d, received on %s, before entry %d: the register says %s, the model %s",
		a.Reference, racePolicies[a.Kind].id, what, a.Who, a.Received, a.Tree, a.Outcome, model)
}

// money compares every claim as it stands at the end, and that nobody has money of
// two claims that exclude each other without a recovery or a collision.
func (s *settling) money(m *model, views map[string]registry.ClaimView) {
	now := momentOf(s.now())
	for _, who := range slices.Sorted(maps.Keys(m.claims)) {
		for _, c := range m.claims[who] {
			v := views[c.ID]
			hands, owed := c.life.paid()-c.life.back, c.life.owed()
			if v.State != c.life.at(now) || v.InHands != hands || v.Owed != owed {
				s.problem("claim %s is %s with %s yuan in hands and %s owed, by the model %s with %s and %s", c.ID, v.State, v.InHands, v.Owed, c.life.at(now), hands, owed)
			}
			s.report.InHands += hands
			s.report.Owed += owed
		}
		s.once(m.claims[who])
	}
}

// once looks for two claims of one document for one occupation and level whose
// money is both in hands: one of them has to be a recovery, or known as a collision.
func (s *settling) once(all []*modelClaim) {
	for i, c := range all {
		for _, o := range all[:i] {
			if c.cert == nil || o.cert == nil || c.cert.Occupation != o.cert.Occupation || c.cert.Level != o.cert.Level {
				continue
			}
			hands := func(c *modelClaim) bool { return c.life.paid() > c.life.back && !c.life.state.MustRecover() }
			if hands(c) && hands(o) && len(s.newer[c.ID])+len(s.newer[o.ID]) == 0 {
				s.problem("claims %s and %s were both paid for one certificate, and nobody was told", o.ID, c.ID)
			}
		}
	}
}

// owed compares the lists of what must come back with the model.
func (s *settling) owed(ctx context.Context, m *model) error {
	var want, got [len(racePayers)]policy.Fen
	for _, all := range m.claims {
		for _, c := range all {
			want[racePolicies[c.Kind].payer] += c.life.owed()
		}
	}
	for p := range racePayers {
		by := s.plan.payer(p)
		err := eachPage(func(page registry.Page) (string, error) {
			list, next, err := s.reg.OwedClaims(ctx, by, by.Organisation, page)
			for _, v := range list {
				got[p] += v.Owed
			}
			return next, err
		})
		if err != nil {
			return err
		}
	}
	if got != want {
		s.problem("owed to the payers: %v fen are listed, by the model %v", got, want)
	}
	return nil
}

// replay decides every recorded claim anew.
func (s *settling) replay(ctx context.Context, views map[string]registry.ClaimView) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(4)
	for _, v := range views {
		group.Go(func() error {
			payer := slices.IndexFunc(s.plan.Payers, func(p [2]raceAccount) bool { return p[0].Organisation == v.Payer })
			out, err := s.reg.ReplayClaim(ctx, s.plan.payer(payer), v.ID)
			if err != nil {
				return err
			}
			if !out.Same {
				s.problem("claim %s does not replay: %v", v.ID, out.Problems)
			}
			s.mu.Lock()
			s.report.Replayed++
			s.mu.Unlock()
			return nil
		})
	}
	return group.Wait()
}

func (s *settling) check(ctx context.Context) error {
	report, err := s.reg.Check(ctx, registry.Operator(), nil)
	if err != nil && fail.KindOf(err) != fail.Internal {
		return err
	}
	if err != nil {
		s.problem("the check broke off: %v", err)
	}
	for _, p := range report.Problems {
		s.problem("check: %s", p)
	}
	return nil
}
