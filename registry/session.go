package registry

import (
	"context"
	"fmt"
	"strings"
	"time"

	"bajigong/evaluators"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/standards"
)

// SessionState is how far a session 认定批次 has come.
//
//	state       what may happen                              what follows
//	planned     results, from the exam date on               results
//	results     results again (they replace), publicity      results, publicity
//	publicity   issue, after the last day                    issuing
//	            results again, which end the publicity       results
//	issuing     issue again goes on                          issued; publicity if the batch is aborted
//	issued      nothing                                      –
type SessionState string

// The states of a session.
const (
	SessionPlanned   SessionState = "planned"
	SessionResults   SessionState = "results"
	SessionPublicity SessionState = "publicity"
	SessionIssuing   SessionState = "issuing"
	SessionIssued    SessionState = "issued"
)

// Session is one 认定批次: one filing examines one occupation, trade and level.
type Session struct {
	ID          string          `json:"id"`
	Name        string          `json:"name"`
	Institution string          `json:"institution"`
	Filing      string          `json:"filing"`
	Region      string          `json:"region"`
	Occupation  string          `json:"occupation"`
	Trade       string          `json:"trade,omitempty"` // catalogue id, empty for none
	Level       standards.Level `json:"level"`
	Standard    string          `json:"standard"` // version of the 国家职业标准 whose parts and pass marks apply
	ExamDate    standards.Date  `json:"exam_date"`
	Planned     time.Time       `json:"planned"`
	State       SessionState    `json:"state"`
	Results     *Results        `json:"results,omitempty"`
	Publicity   *Publicity      `json:"publicity,omitempty"`
	Batch       string          `json:"batch,omitempty"`
	Issued      *time.Time      `json:"issued,omitempty"`
}

// Results says which upload counts.
type Results struct {
	Generation int       `json:"generation"` // rows of older generations are left over from replaced uploads
	Rows       int       `json:"rows"`
	Passed     int       `json:"passed"`
	Supplied   int       `json:"supplied,omitempty"` // rows that bring their own certificate number
	File       []byte    `json:"file"`               // keyed hash of what was uploaded
	At         time.Time `json:"at"`
}

// Publicity 公示 is at least five working days between upload and issue.
type Publicity struct {
	From  standards.Date  `json:"from"`
	Until standards.Date  `json:"until"` // the last day; issue from the day after
	Basis standards.Basis `json:"basis"` // how working days were known
	At    time.Time       `json:"at"`
}

// NewSession is the plan of a session.
type NewSession struct {
	Name       string          `json:"name"`
	Filing     string          `json:"filing"`
	Occupation string          `json:"occupation"`
	Trade      string          `json:"trade"` // catalogue id or name; empty or "--" for none
	Level      standards.Level `json:"level"`
	ExamDate   standards.Date  `json:"exam_date"`
}

// PlanSession files the plan of a session. Invalid: a field is wrong or the exam
// is not after today (practice: a plan is filed before the exam); Conflict:
// the institution is not entitled, with each reason.
func (r *Registry) PlanSession(ctx context.Context, by Actor, in NewSession) (Session, error) {
	in.Name = strings.TrimSpace(in.Name)
	if n := len([]rune(in.Name)); n == 0 || n > 100 {
		return Session{}, fail.New(fail.Invalid, "session", "the plan is not complete").In("认定计划不完整").
			At(fail.Field{Name: "name", Code: "length", ZH: "批次名称应为 1 至 100 个字", EN: "name has 1 to 100 characters"})
	}
	if bad := impersonal("name", in.Name); bad != nil {
		return Session{}, fail.New(fail.Invalid, "session", "the plan has an identity number in it").In("认定计划中不得写身份证号码").At(bad...)
	}
	id := r.rand.id("s")
	var out Session
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = Session{}
		f, err := filingByID(tx, in.Filing)
		if err != nil {
			return err
		}
		inst, err := institutionByID(tx, f.Institution)
		if err != nil {
			return err
		}
		if err := may(by, RunSessions, Object{Institution: inst.ID, Region: inst.Region}); err != nil {
			return err
		}
		if id, again, err := repeated(tx, by, tx.Now()); err != nil || again {
			if again {
				out, err = sessionFor(tx, by, ReadSession, id)
			}
			return err
		}
		today := standards.DateOf(tx.Now())
		if in.ExamDate <= today {
			return fail.New(fail.Invalid, "exam_date", "a plan is filed before the exam; the exam date %s is not after today, %s", in.ExamDate, today).
				In("认定计划应在考试之前备案；考试日期 %s 不晚于今天 %s", in.ExamDate, today).
				At(fail.Field{Name: "exam_date", Code: "not_after_today", ZH: "考试日期应晚于今天", EN: "the exam date is after today"})
		}
		o, err := r.occupation(tx, in.Occupation)
		if err != nil {
			return err
		}
		trade, err := o.FindTrade(in.Trade)
		if err != nil {
			return err
		}
		std, err := r.starter.Standard(o.Code, trade.ID, in.Level, in.ExamDate)
		if err != nil {
			return err
		}
		s := Session{ID: id, Name: in.Name, Institution: inst.ID, Filing: f.ID, Region: inst.Region, Occupation: o.Code, Trade: trade.ID,
			Level: in.Level, Standard: std.Version, ExamDate: in.ExamDate, Planned: tx.Now(), State: SessionPlanned}
		if err := r.mustBeEntitled(tx, inst, f, s, tx.Now()); err != nil {
			return err
		}
		if err := sessions.Put(tx, s); err != nil {
			return err
		}
		if _, err := r.appendEvent(tx, by, Event{Kind: SessionFiled, Object: s.ID, Institution: inst.ID, Detail: s}); err != nil {
			return err
		}
		out = s
		return remember(tx, by, s.ID)
	})
	if err != nil {
		return Session{}, fmt.Errorf("plan session: %w", err)
	}
	return out, nil
}

// entitlement asks whether a session may go on at now, by what is recorded now.
func (r *Registry) entitlement(rd kv.Reader, inst evaluators.Institution, f evaluators.Filing, s Session, now time.Time) (evaluators.Entitlement, error) {
	ds, err := decisionsOf(rd, inst.ID)
	if err != nil {
		return evaluators.Entitlement{}, err
	}
	return evaluators.Entitled(inst, f, ds, evaluators.Question{
		Occupation: s.Occupation, Trade: s.Trade, Level: s.Level, ExamDate: s.ExamDate, Now: now, Session: s.ID,
	}), nil
}

func (r *Registry) mustBeEntitled(rd kv.Reader, inst evaluators.Institution, f evaluators.Filing, s Session, now time.Time) error {
	e, err := r.entitlement(rd, inst, f, s, now)
	if err != nil {
		return err
	}
	return e.Refusal()
}

// sessionFor loads a session and asks may.
func sessionFor(rd kv.Reader, by Actor, do Action, id string) (Session, error) {
	s, err := need(rd, sessions, kv.Key(id), "session", "认定批次", id)
	if err != nil {
		return s, err
	}
	return s, may(by, do, Object{Institution: s.Institution, Region: s.Region})
}

// SessionByID shows one session.
func (r *Registry) SessionByID(ctx context.Context, by Actor, id string) (out Session, err error) {
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		out, err = sessionFor(rd, by, ReadSession, id)
		return err
	})
	return out, err
}

// Sessions is one page of an institution's sessions.
func (r *Registry) Sessions(ctx context.Context, by Actor, institution string, page Page) (out []Session, next string, err error) {
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		inst, err := institutionByID(rd, institution)
		if err != nil {
			return err
		}
		if err := may(by, ReadSession, Object{Institution: inst.ID, Region: inst.Region}); err != nil {
			return err
		}
		out, next, err = scanIndexPage(rd, sessions, indexSessionsByInstitution, kv.Prefix(kv.Key(institution)), page)
		return err
	})
	return out, next, err
}
