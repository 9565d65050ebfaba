package registry

import (
	"context"
	"fmt"
	"time"

	"bajigong/evaluators/signs"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/standards"
)

// inspectionFor loads an inspection and asks may. Its institution sees it once
// the result is entered, and not before: nobody is warned.
func inspectionFor(rd kv.Reader, by Actor, do Action, draw, session string) (signs.Inspection, error) {
	i, err := need(rd, inspections, kv.Key(draw, session), "inspection", "检查", draw+"/"+session)
	if err != nil {
		return i, err
	}
	about := Object{Institution: i.Institution, Region: i.Region}
	if i.State == signs.InspectionDrawn {
		about.Institution = ""
	}
	return i, may(by, do, about)
}

// InspectionByID shows the inspection of one drawn session.
func (r *Registry) InspectionByID(ctx context.Context, by Actor, draw, session string) (out signs.Inspection, err error) {
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		out, err = inspectionFor(rd, by, ReadInspection, draw, session)
		return err
	})
	return out, err
}

// InspectionsOfDraw is one page of the inspections of a draw.
func (r *Registry) InspectionsOfDraw(ctx context.Context, by Actor, draw string, page Page) (out []signs.Inspection, next string, err error) {
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		if _, err := drawFor(rd, by, ReadInspection, draw); err != nil {
			return err
		}
		out, next, err = scanPage(rd, inspections, kv.Prefix(kv.Key(draw)), page)
		return err
	})
	return out, next, err
}

// InspectionsOfInstitution is one page of the inspections of an institution. It
// sees its own once their results are entered.
func (r *Registry) InspectionsOfInstitution(ctx context.Context, by Actor, institution string, page Page) (out []signs.Inspection, next string, err error) {
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		out = nil
		inst, err := institutionByID(rd, institution)
		if err != nil {
			return err
		}
		about := Object{Institution: inst.ID, Region: inst.Region}
		if err := may(by, ReadInspection, about); err != nil {
			return err
		}
		found, cursor, err := scanIndexPage(rd, inspections, indexInspectionsByIssuer, kv.Prefix(kv.Key(institution)), page)
		if err != nil {
			return err
		}
		about.Institution = "" // what is left for those who may see it before its result
		for _, i := range found {
			if i.State != signs.InspectionDrawn || may(by, ReadInspection, about) == nil {
				out = append(out, i)
			}
		}
		next = cursor
		return nil
	})
	return out, next, err
}

// stepInspection runs one rule on one inspection.
func (r *Registry) stepInspection(ctx context.Context, by Actor, do Action, draw, session string, kind EventKind,
	rule func(tx kv.Tx, i signs.Inspection) (signs.Inspection, error)) (signs.Inspection, error) {
	var out signs.Inspection
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = signs.Inspection{}
		i, err := inspectionFor(tx, by, do, draw, session)
		if err != nil {
			return err
		}
		if i, err = rule(tx, i); err != nil {
			return err
		}
		if err := inspections.Put(tx, i); err != nil {
			return err
		}
		if _, err := r.appendEvent(tx, by, Event{Kind: kind, Object: i.Draw + "/" + i.Session, Institution: i.Institution, Detail: i}); err != nil {
			return err
		}
		out = i
		return nil
	})
	if err != nil {
		return signs.Inspection{}, fmt.Errorf("inspection of session %s: %w", session, err)
	}
	return out, nil
}

// EnterInspection records the result of an inspection; from then on the
// institution sees it and can answer. Invalid inspection; Conflict
// inspection_state: a result is there already.
func (r *Registry) EnterInspection(ctx context.Context, by Actor, draw, session string, in signs.Finding) (signs.Inspection, error) {
	if bad := impersonal("findings", in.Findings); bad != nil {
		return signs.Inspection{}, fail.New(fail.Invalid, "inspection", "the findings become public and must not have an identity number in them").
			In("检查结果会公开，不得写身份证号码").At(bad...)
	}
	return r.stepInspection(ctx, by, DrawInspections, draw, session, InspectionEntered, func(tx kv.Tx, i signs.Inspection) (signs.Inspection, error) {
		today := standards.DateOf(tx.Now())
		until := today // without rules nobody waits
		if rules, ok := r.signRules(i.Region, today); ok {
			until, _ = r.cfg.Calendar.AddWorkingDays(today, rules.AnswerDays)
		}
		return i.Enter(in, by.Account, until, tx.Now())
	})
}

// AnswerInspection records what the institution says to the result. Invalid
// inspection; Conflict inspection_state: there is no result, or an answer
// already.
func (r *Registry) AnswerInspection(ctx context.Context, by Actor, draw, session, answer string) (signs.Inspection, error) {
	if bad := impersonal("answer", answer); bad != nil {
		return signs.Inspection{}, fail.New(fail.Invalid, "inspection", "the answer becomes public and must not have an identity number in it").
			In("反馈意见会公开，不得写身份证号码").At(bad...)
	}
	return r.stepInspection(ctx, by, AnswerInspection, draw, session, InspectionAnswered, func(tx kv.Tx, i signs.Inspection) (signs.Inspection, error) {
		return i.Reply(answer, by.Account, tx.Now())
	})
}

// PublishInspection makes the result public 一公开. With the last of a draw the
// draw itself is, so that anybody can repeat it. Conflict inspection_state, or
// answer_pending while the institution may still answer.
func (r *Registry) PublishInspection(ctx context.Context, by Actor, draw, session string) (signs.Inspection, error) {
	return r.stepInspection(ctx, by, DrawInspections, draw, session, InspectionPublished, func(tx kv.Tx, i signs.Inspection) (signs.Inspection, error) {
		i, err := i.Publish(by.Account, tx.Now())
		if err != nil {
			return i, err
		}
		d, err := need(tx, draws, kv.Key(draw), "draw", "抽查", draw)
		if err != nil {
			return i, err
		}
		if d.Open--; d.Open == 0 {
			if d.State, err = d.State.Step(signs.DrawPublish); err != nil {
				return i, err
			}
		}
		return i, draws.Put(tx, d)
	})
}

// PublishedInspection is what anybody may see of an inspection.
type PublishedInspection struct {
	Draw            string         `json:"draw"`
	Session         string         `json:"session"`
	Institution     string         `json:"institution"`
	InstitutionName string         `json:"institution_name"`
	Held            standards.Date `json:"held"`
	Outcome         signs.Outcome  `json:"outcome"`
	OutcomeZH       string         `json:"outcome_zh"`
	OutcomeEN       string         `json:"outcome_en"`
	Findings        string         `json:"findings,omitempty"`
	Answer          string         `json:"answer,omitempty"`
	Published       time.Time      `json:"published"`
}

// PublishedInspections is one page of the published inspections, the newest first.
func (r *Registry) PublishedInspections(ctx context.Context, page Page) (out []PublishedInspection, next string, err error) {
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		out = nil
		found, cursor, err := scanIndexPage(rd, inspections, indexInspectionsPublished, kv.Range{Reverse: true}, page)
		if err != nil {
			return err
		}
		keys := make([][]byte, len(found))
		for n, i := range found {
			keys[n] = kv.Key(i.Institution)
		}
		names, _, err := institutions.GetMany(rd, keys)
		if err != nil {
			return err
		}
		for n, i := range found {
			out = append(out, PublishedInspection{Draw: i.Draw, Session: i.Session, Institution: i.Institution, InstitutionName: names[n].Name, Held: i.Held,
				Outcome: i.Outcome, OutcomeZH: i.Outcome.Chinese(), OutcomeEN: i.Outcome.English(), Findings: i.Findings, Answer: i.Answer, Published: *i.PublishedAt})
		}
		next = cursor
		return nil
	})
	return out, next, err
}
