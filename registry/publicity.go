package registry

import (
	"context"
	"fmt"
	"time"

	"bajigong/evaluators/course"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/standards"
)

// StartPublicity shows the passed candidates of a session to the public 公示, from
// today for as many working days as the rules of the region ask. Days count from
// the day after today. Starting it again changes nothing. Conflict: there are no
// results, nobody has confirmed them, or no report of the supervisor is there.
func (r *Registry) StartPublicity(ctx context.Context, by Actor, session string) (Session, error) {
	var out Session
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = Session{}
		s, err := sessionFor(tx, by, RunSessions, session)
		if err != nil {
			return err
		}
		if s.Publicity != nil {
			out = s
			return nil
		}
		rules, err := r.courseOf(s)
		if err != nil {
			return err
		}
		if mode, _ := modeOf(rules, s.mode()); rules.Supervision && mode.Scores && s.State == SessionResults {
			if err := r.mustBeSupervised(tx, s); err != nil {
				return err
			}
		}
		if s, err = s.Publicise(rules, r.cfg.Calendar, tx.Now()); err != nil {
			return err
		}
		if s.Publicity.Held, s.Publicity.Excluded, err = holdsOf(tx, s); err != nil {
			return err
		}
		if err := r.putSession(tx, by, s, PublicityStarted, s.Publicity); err != nil {
			return err
		}
		if err := r.signsAfterPublicity(tx, s); err != nil {
			return err
		}
		out = s
		return nil
	})
	if err != nil {
		return Session{}, fmt.Errorf("publicise session %s: %w", session, err)
	}
	return out, nil
}

// Publicise is the rule of StartPublicity.
func (s Session) Publicise(rules course.Rules, cal standards.Calendar, now time.Time) (Session, error) {
	if s.State != SessionResults || s.Results == nil {
		return s, fail.New(fail.Conflict, "session_without_results", "session %s has no results to show", s.ID).
			In("批次 %s 尚无成绩，不能公示", s.ID)
	}
	if s.Results.Passed == 0 {
		return s, fail.New(fail.Conflict, "nobody_passed", "nobody passed in session %s", s.ID).In("批次 %s 无人合格，无需公示", s.ID)
	}
	if err := s.mustBeConfirmed(rules); err != nil {
		return s, err
	}
	today := standards.DateOf(now)
	until, basis := cal.AddWorkingDays(today, rules.PublicityDays)
	s.State = SessionPublicity
	s.Publicity = &Publicity{From: today, Until: until, Basis: basis, At: now}
	return s, nil
}

// PublicRow is a passed candidate as publicity shows it.
type PublicRow struct {
	Row      int    `json:"row"`
	Name     string `json:"name"`     // 张*
	Document string `json:"document"` // first and last character
}

// PublicSession is what anybody may see of a session in publicity.
type PublicSession struct {
	Session     string          `json:"session"`
	Name        string          `json:"name"`
	Institution string          `json:"institution"`
	Occupation  string          `json:"occupation"`
	OccName     string          `json:"occupation_name"`
	TradeName   string          `json:"trade_name"`
	Level       standards.Level `json:"level"`
	ExamDate    standards.Date  `json:"exam_date"`
	From        standards.Date  `json:"from"`
	Until       standards.Date  `json:"until"`
	Passed      int             `json:"passed"`
	Rows        []PublicRow     `json:"rows,omitempty"`
}

// Publicities is one page of the sessions whose publicity is running.
func (r *Registry) Publicities(ctx context.Context, page Page) (out []PublicSession, next string, err error) {
	err = r.view(ctx, func(rd kv.Reader, now time.Time) error {
		out, next = nil, ""
		rng := kv.Range{From: kv.Key(string(standards.DateOf(now)))}
		found, cursor, err := scanIndexPage(rd, sessions, indexSessionsInPublicity, rng, page)
		if err != nil {
			return err
		}
		for _, s := range found {
			p, err := r.publicSession(rd, s)
			if err != nil {
				return err
			}
			out = append(out, p)
		}
		next = cursor
		return nil
	})
	return out, next, err
}

// PublicityByID is one page of the names of a session in publicity. NotFound
// when its publicity is not running: names are not shown longer than the law
// asks.
func (r *Registry) PublicityByID(ctx context.Context, session string, page Page) (out PublicSession, next string, err error) {
	err = r.view(ctx, func(rd kv.Reader, now time.Time) error {
		s, err := need(rd, sessions, kv.Key(session), "publicity", "公示", session)
		if err != nil {
			return err
		}
		if s.Publicity == nil || s.Publicity.Until < standards.DateOf(now) {
			return notFound("publicity", "公示", session)
		}
		if out, err = r.publicSession(rd, s); err != nil {
			return err
		}
		rows, cursor, err := scanPage(rd, candidates, kv.Prefix(kv.Key(s.ID, uint64(s.Results.Generation))), page)
		if err != nil {
			return err
		}
		next = cursor
		for _, c := range rows {
			if !c.Passed {
				continue
			}
			p, err := r.candidatePaper(rd, c)
			if err != nil {
				return err
			}
			out.Rows = append(out.Rows, PublicRow{Row: c.Row, Name: maskName(p.Name), Document: p.Document.Masked()})
		}
		return nil
	})
	return out, next, err
}

func (r *Registry) publicSession(rd kv.Reader, s Session) (PublicSession, error) {
	inst, err := institutionByID(rd, s.Institution)
	if err != nil {
		return PublicSession{}, err
	}
	o, err := r.occupation(rd, s.Occupation)
	if err != nil {
		return PublicSession{}, err
	}
	return PublicSession{Session: s.ID, Name: s.Name, Institution: inst.Name, Occupation: o.Code, OccName: o.Name, TradeName: o.TradeText(s.Trade),
		Level: s.Level, ExamDate: s.ExamDate, From: s.Publicity.From, Until: s.Publicity.Until, Passed: s.Results.Passed}, nil
}
