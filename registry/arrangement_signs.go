package registry

import (
	"cmp"
	"fmt"
	"slices"

	"bajigong/evaluators/credit"
	"bajigong/evaluators/examiners"
	"bajigong/evaluators/signs"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
)

// keptAway names people of a plan whom a decided case or an integrity file keeps
// from examining on the day.
func (r *Registry) keptAway(rd kv.Reader, f examiners.Facts, same samePeople) (bad []fail.Field, err error) {
	var ids []string
	for id := range f.Cards {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	own, all, err := everyCard(rd, ids, f, same)
	if err != nil {
		return nil, err
	}
	bars, err := r.barredExaminers(rd, all, f.ExamDate)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		for _, card := range own[id] {
			bar, barred := bars[card]
			if !barred {
				continue
			}
			bad = append(bad, fail.Field{Name: "people", Code: "barred", ZH: fmt.Sprintf("%s 在诚信记录（%s）期限内，至%s止不得参加考评", id, bar.Kind.ZH, bar.Until.Chinese()),
				EN: fmt.Sprintf("%s may not examine until %s by an integrity file (%s)", id, bar.Until, bar.Kind.EN)})
			break
		}
		who := own[id]
		for _, p := range same[f.Cards[id].Person] {
			who = append(who, string(p))
		}
		for _, who := range who {
			h, err := hindered(rd, who, f.ExamDate)
			if err != nil {
				return nil, err
			}
			if h != nil {
				bad = append(bad, fail.Field{Name: "people", Code: "hindered", ZH: fmt.Sprintf("%s 受案件 %s 的处理措施限制（%s），不得参加考评", id, h.Case, h.Measure.Kind.Chinese()),
					EN: fmt.Sprintf("%s is kept from examining by a measure (%s) of case %s", id, h.Measure.Kind.English(), h.Case)})
				break
			}
		}
	}
	return bad, nil
}

// everyCard are, for each card of a plan, all cards of its person, itself among
// them, and all of these together: a bar is on the person, under whichever card it
// was recorded.
func everyCard(rd kv.Reader, ids []string, f examiners.Facts, same samePeople) (own map[string][]string, all []string, err error) {
	own = map[string][]string{}
	for _, id := range ids {
		own[id] = []string{id}
		for _, p := range same[f.Cards[id].Person] {
			cards, err := cardsOf(rd, p)
			if err != nil {
				return nil, nil, err
			}
			for _, card := range cards {
				if card.ID != id {
					own[id] = append(own[id], card.ID)
				}
			}
		}
		all = append(all, own[id]...)
	}
	return own, all, nil
}

// examinerDays is what the signs of fraud are asked after an arrangement: how much
// the panel examines on that day everywhere, and how often it came in a row.
func examinerDays(rd kv.Reader, rules examiners.Rules, a Arrangement, f examiners.Facts, same samePeople) (out []signs.ExaminerDay, err error) {
	before := f.Before
	for _, pl := range a.People {
		if !slices.Contains(rules.Rotation.Roles, pl.Role) {
			continue
		}
		p, one := pl.Person, f.Cards[pl.Examiner].Person
		d := signs.ExaminerDay{Examiner: string(p), Day: a.ExamDate, InARow: 1}
		seen := map[string]bool{}
		for _, id := range same[one] {
			day, err := thatDay(rd, id, a.ExamDate)
			if err != nil {
				return nil, err
			}
			for _, other := range day {
				if !seen[other.Session] {
					seen[other.Session] = true
					d.Sessions++
					d.Candidates += other.Seats()
				}
			}
		}
		for _, h := range before {
			if !slices.Contains(h.People, one) {
				break
			}
			d.InARow++
		}
		out = append(out, d)
	}
	return out, nil
}

// afterSupervision turns findings of the authority's supervisor into credit
// events, where the checklist says which. What an institution finds in itself is
// for itself to put right.
func (r *Registry) afterSupervision(tx kv.Tx, by Actor, s Session, report examiners.Report) error {
	if report.Side != examiners.SideExternal {
		return nil
	}
	for _, f := range report.Findings {
		if f.Credit == "" {
			continue
		}
		if _, err := r.recordCredit(tx, by, credit.Event{Institution: s.Institution, Item: f.Credit, Effective: s.ExamDate,
			Origin: credit.OriginSupervision, Reference: report.ID, Document: cmp.Or(report.Supervisor, report.ID), Basis: "督导报告：" + f.Code}); err != nil {
			return fmt.Errorf("credit event of finding %s: %w", f.Code, err)
		}
	}
	return nil
}
