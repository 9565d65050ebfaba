package torture

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"bajigong/evaluators"
	"bajigong/internal/invented"
	"bajigong/registry"
	"bajigong/standards"
)

// NewRace makes what a race needs in an empty register: accounts, and people with
// from two to six certificates each. It moves the clock by about two weeks, to
// Clock.From.
func NewRace(ctx context.Context, reg *registry.Registry, move func(time.Time), size RaceSize) (*RacePlan, error) {
	if err := size.Valid(); err != nil {
		return nil, err
	}
	p := &RacePlan{Size: size, Scene: &Scene{Seed: size.Seed, Clock: RaceBegin}}
	move(RaceBegin)
	for _, step := range []func(context.Context, *registry.Registry) error{p.admit, p.enrol} {
		if err := step(ctx, reg); err != nil {
			return nil, err
		}
	}
	if err := p.certify(ctx, reg, move); err != nil {
		return nil, err
	}
	p.Clock = RaceClock{From: p.Scene.Clock, For: size.For, Days: size.Days}
	return p, nil
}

// raceAuthority is who makes accounts and admits the institution.
func (p *RacePlan) raceAuthority() registry.Actor { return p.Scene.authority() }

func (p *RacePlan) admit(ctx context.Context, reg *registry.Registry) error {
	inst, err := reg.AdmitInstitution(ctx, p.raceAuthority(), evaluators.Institution{Name: "耐久测试评价中心", USCC: invented.USCC(1), Region: "320583"})
	if err != nil {
		return err
	}
	today := standards.DateOf(p.Scene.Clock)
	p.Scene.Institution = inst.ID
	var scope []evaluators.ScopeItem
	for _, o := range raceOccupations {
		scope = append(scope, evaluators.ScopeItem{Occupation: o, Levels: standards.LevelsOf(raceLevels...)})
	}
	p.Scene.Filing, err = reg.RecordFiling(ctx, p.raceAuthority(), evaluators.Filing{Institution: inst.ID, Class: evaluators.Social, Code: evaluators.ProvincialCode,
		Province: "32", Site: "058301", Authority: Region, From: today, Until: today.AddDays(3 * 365), Document: "苏人社备〔2025〕1号", Scope: scope})
	return err
}

// enrol makes two accounts of each payer and two of the authority. The operator makes
// them: one of the payers is in another province.
func (p *RacePlan) enrol(ctx context.Context, reg *registry.Registry) error {
	account := func(out *raceAccount, in registry.NewAccount) error {
		a, err := reg.CreateAccount(ctx, registry.Operator(), in)
		if err != nil {
			return err
		}
		*out = raceAccount{Account: a.ID, Organisation: a.Organisation, Region: a.Region}
		_, out.Key, err = reg.IssueKey(ctx, registry.Operator(), a.ID, "race", registry.KeyLifeMax)
		return err
	}
	p.Payers = make([][2]raceAccount, len(racePayers))
	for i, payer := range racePayers {
		for n := range p.Payers[i] {
			if err := account(&p.Payers[i][n], registry.NewAccount{Name: fmt.Sprintf("%s-%d", payer.name, n+1), Roles: []registry.Role{registry.RolePayer},
				Region: payer.region, Organisation: payer.name}); err != nil {
				return err
			}
		}
	}
	for n := range p.Authorities {
		if err := account(&p.Authorities[n], registry.NewAccount{Name: fmt.Sprintf("race-authority-%d", n+1), Roles: []registry.Role{registry.RoleAuthority}, Region: Region}); err != nil {
			return err
		}
	}
	return nil
}

// personOf spreads the people over the years of birth of package invented.
func personOf(who int) int { return who * 137 % 14000 }

// raceSession is a session and who is examined in it.
type raceSession struct {
	id string
	of []*raceCertificate
}

// certify issues to everybody certificates of two occupations at three levels.
func (p *RacePlan) certify(ctx context.Context, reg *registry.Registry, move func(time.Time)) error {
	today := standards.DateOf(p.Scene.Clock)
	sessions, err := p.planned(ctx, reg, today)
	if err != nil {
		return err
	}
	p.Scene.move(move, today.AddDays(2), 10)
	until := today
	for _, s := range sessions {
		if _, err := reg.UploadResults(ctx, p.Scene.Issuer(), s.id, registry.Upload{File: strings.NewReader(raceResults(s.of))}); err != nil {
			return err
		}
		shown, err := reg.StartPublicity(ctx, p.Scene.Issuer(), s.id)
		if err != nil {
			return err
		}
		until = max(until, shown.Publicity.Until)
	}
	p.Scene.move(move, until.AddDays(1), 9)
	for _, s := range sessions {
		if _, err := reg.Issue(ctx, p.Scene.Issuer(), s.id, nil); err != nil {
			return err
		}
		issued, err := certificatesOf(ctx, reg, p.Scene.Issuer(), s.id)
		if err != nil {
			return err
		}
		for _, c := range issued {
			x := s.of[c.Row-2] // the header is row 1
			x.Number, x.Issued = c.Number, c.Issued
			p.Certificates = append(p.Certificates, x)
		}
	}
	return nil
}

// planned plans the sessions.
func (p *RacePlan) planned(ctx context.Context, reg *registry.Registry, today standards.Date) (sessions []raceSession, err error) {
	rnd := rand.New(rand.NewPCG(p.Size.Seed, 2))
	for o := range raceOccupations {
		for l := range raceLevels {
			var of []*raceCertificate
			for who := range p.Size.People {
				if rnd.IntN(6) < 4 || o == 0 && l < 2 {
					of = append(of, &raceCertificate{Who: who, Occupation: o, Level: l, Scarce: rnd.IntN(3) == 0})
				}
			}
			for page := range slices.Chunk(of, sessionMax) {
				s, err := reg.PlanSession(ctx, p.Scene.Issuer(), registry.NewSession{Name: "耐久测试批次", Filing: p.Scene.Filing.ID, Occupation: raceOccupations[o],
					Level: raceLevels[l], ExamDate: today.AddDays(1)})
				if err != nil {
					return nil, err
				}
				sessions = append(sessions, raceSession{s.ID, page})
			}
		}
	}
	return sessions, nil
}

func raceResults(of []*raceCertificate) string {
	var out strings.Builder
	out.WriteString("姓名,证件号码,理论成绩,技能成绩\n")
	for _, c := range of {
		p := invented.PersonAt(personOf(c.Who))
		fmt.Fprintf(&out, "%s,%s,%d,%d\n", p.Name, p.Document, 60+c.Who%40, 60+c.Who*7%40)
	}
	return out.String()
}
