package torture

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"

	"golang.org/x/sync/errgroup"

	"bajigong/internal/fail"
	"bajigong/internal/invented"
	"bajigong/registry"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// happening is one thing in the order of the log. An answer that has no entry
// stands after the entries that it rests on.
type happening struct {
	index  uint64
	answer bool
	do     func(*model)
}

// settle holds everything to the model, after the storm.
func (r *race) settle(ctx context.Context) error {
	views, err := r.views(ctx)
	if err != nil {
		return err
	}
	r.report.Claims = len(views)
	m := &model{claims: map[int][]*modelClaim{}, held: map[int][]*raceCertificate{}, status: map[string]registry.CertificateStatus{}}
	happenings, err := r.changes(ctx, m)
	if err != nil {
		return err
	}
	byID := map[string]*modelClaim{}
	for _, a := range r.asks {
		happenings = append(happenings, r.answers(a, views, byID)...)
	}
	if len(byID) != len(views) {
		r.problem("%d claims are recorded, %d were answered", len(views), len(byID))
	}
	slices.SortStableFunc(happenings, func(a, b happening) int {
		return cmp.Or(cmp.Compare(a.index, b.index), compareBool(b.answer, a.answer))
	})
	for _, h := range happenings {
		h.do(m)
	}
	r.money(m, views)
	return errors.Join(r.replay(ctx, views), r.owed(ctx, m), r.check(ctx))
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
func (r *race) views(ctx context.Context) (map[string]registry.ClaimView, error) {
	out := map[string]registry.ClaimView{}
	for p := range racePayers {
		for page := (registry.Page{Limit: 500}); ; {
			got, next, err := r.regs[0].Claims(ctx, racePayer(p), page)
			if err != nil {
				return nil, err
			}
			for _, v := range got {
				out[v.ID] = v
			}
			if page.Cursor = next; next == "" {
				break
			}
		}
	}
	return out, nil
}

// changes are the changes of certificates, in the order of the log.
func (r *race) changes(ctx context.Context, m *model) (out []happening, err error) {
	for _, c := range r.certs {
		m.held[c.who] = append(m.held[c.who], c)
		m.status[c.number] = registry.CertificateValid
		now, err := r.regs[0].CertificateByNumber(ctx, r.scene.authority(), c.number)
		if err != nil {
			return nil, err
		}
		for _, change := range now.Changes {
			to := map[registry.ChangeKind]registry.CertificateStatus{registry.ChangeSuspend: registry.CertificateSuspended,
				registry.ChangeResume: registry.CertificateValid, registry.ChangeVoid: registry.CertificateVoided}[change.Kind]
			out = append(out, happening{index: change.LogIndex, do: func(m *model) { m.status[c.number] = to }})
		}
	}
	return out, nil
}

// answers are the happenings of one question: the decision, and the steps of its
// claim.
func (r *race) answers(a *raceAsk, views map[string]registry.ClaimView, byID map[string]*modelClaim) (out []happening) {
	if a.id == "" {
		// The answer rests on the entries before a.tree, at a moment of which the
		// race knows only what it lies between. Where a lock ran out then, either
		// may be right.
		return []happening{{index: a.tree, answer: true, do: func(m *model) {
			was, is := m.decide(a, a.before), m.decide(a, a.after)
			if was != is {
				r.report.Passed++
				return
			}
			r.compare(a, was)
		}}}
	}
	v, ok := views[a.id]
	if !ok {
		r.problem("claim %s was answered and is not there", a.id)
		return nil
	}
	c := &modelClaim{raceAsk: a, amount: v.Amount, state: policy.Reserved, payments: map[int]policy.Fen{},
		expires: momentOf(v.Reserved.AddDate(0, 0, lockDays))}
	if a.outcome != policy.Allow {
		c.state = registry.StateRefused
	}
	byID[a.id] = c
	out = append(out, happening{index: v.LogIndex, do: func(m *model) {
		r.compare(a, m.decide(a, momentOf(v.Reserved)))
		if a.outcome == policy.Allow && v.Amount != a.amountOf() {
			r.problem("claim %s of payer %d is worth %s yuan, by the model %s", a.id, a.payer, v.Amount, a.amountOf())
		}
		m.claims[a.cert.who] = append(m.claims[a.cert.who], c)
	}})
	for _, s := range v.Steps {
		out = append(out, happening{index: s.LogIndex, do: func(m *model) {
			if wrong := m.step(c, s); wrong != "" {
				r.problem("claim %s, step %d %s: %s", a.id, s.N, s.Kind, wrong)
			}
			if s.Late || s.TooLate {
				r.report.LatePaid++
			}
			if s.TooLate {
				r.report.PaidTwice++
			}
		}})
	}
	return out
}

func (r *race) compare(a *raceAsk, model policy.Outcome) {
	if r.report.Compared++; a.outcome == model {
		return
	}
	r.problem("%s of payer %d on certificate %s (occupation %d, level %d, person %d), received on %s, before entry %d: the register says %s, the model %s",
		a.reference, a.payer, a.cert.number, a.cert.occupation, a.cert.level, a.cert.who, a.received, a.tree, a.outcome, model)
}

// money compares every claim as it stands at the end.
func (r *race) money(m *model, views map[string]registry.ClaimView) {
	for _, all := range m.claims {
		for _, c := range all {
			v, now := views[c.id], momentOf(r.now())
			hands, owed := c.paid()-c.back, c.owed()
			if v.State != c.at(now) || v.InHands != hands || v.Owed != owed {
				r.problem("claim %s is %s with %s yuan in hands and %s owed, by the model %s with %s and %s", c.id, v.State, v.InHands, v.Owed, c.at(now), hands, owed)
			}
			r.report.InHands += hands
			r.report.Owed += owed
		}
	}
}

// owed compares the lists of what must come back with the model.
func (r *race) owed(ctx context.Context, m *model) error {
	var want, got [racePayers]policy.Fen
	for _, all := range m.claims {
		for _, c := range all {
			want[c.payer] += c.owed()
		}
	}
	for p := range racePayers {
		for page := (registry.Page{Limit: 500}); ; {
			list, next, err := r.regs[0].OwedClaims(ctx, racePayer(p), racePolicies[p].name, page)
			if err != nil {
				return err
			}
			for _, v := range list {
				got[p] += v.Owed
			}
			if page.Cursor = next; next == "" {
				break
			}
		}
	}
	if got != want {
		r.problem("owed to the payers: %v fen are listed, by the model %v", got, want)
	}
	return nil
}

// replay decides every recorded claim anew, on all registers.
func (r *race) replay(ctx context.Context, views map[string]registry.ClaimView) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(len(r.regs) * 2)
	for _, v := range views {
		group.Go(func() error {
			payer := slices.IndexFunc(racePolicies[:], func(p struct{ name, region, policy string }) bool { return p.name == v.Payer })
			out, err := r.regs[v.LogIndex%uint64(len(r.regs))].ReplayClaim(ctx, racePayer(payer), v.ID)
			if err != nil {
				return err
			}
			if !out.Same {
				r.problem("claim %s does not replay: %v", v.ID, out.Problems)
			}
			r.mu.Lock()
			r.report.Replayed++
			r.mu.Unlock()
			return nil
		})
	}
	return group.Wait()
}

func (r *race) check(ctx context.Context) error {
	report, err := r.regs[0].Check(ctx, registry.Operator(), nil)
	if err != nil && fail.KindOf(err) != fail.Internal {
		return err
	}
	if err != nil {
		r.problem("the check broke off: %v", err)
	}
	for _, p := range report.Problems {
		r.problem("check: %s", p)
	}
	return nil
}

// agedForGuangdong reads the age from the identity number: 16 to 60, women to 55
// (一（一）1).
func agedForGuangdong(person int, on standards.Date) bool {
	id := invented.PersonAt(person).Document
	born, _ := strconv.Atoi(id[6:14])
	day, _ := strconv.Atoi(string(on[:4]) + string(on[5:7]) + string(on[8:10]))
	age, most := (day-born)/10000, 60
	if (id[16]-'0')%2 == 0 {
		most = 55
	}
	return age >= 16 && age <= most
}
