package registry

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"bajigong/evaluators"
	"bajigong/evaluators/signs"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// SessionState is how far a session 认定批次 has come.
//
// The test of this package reads this table; a dash means refused.
//
//	state     | roster  | results | confirm | return  | publicity | appeal    | approve   | issue
//	----------+---------+---------+---------+---------+-----------+-----------+-----------+--------
//	planned   | planned | results | -       | -       | -         | -         | -         | -
//	results   | -       | results | results | -       | publicity | -         | -         | -
//	publicity | -       | results | -       | results | publicity | publicity | publicity | issuing
//	issuing   | -       | -       | -       | -       | issuing   | -         | -         | issuing
//	issued    | -       | -       | -       | -       | issued    | -         | -         | issued
//
// Results come from the exam date on and replace earlier ones, whose publicity
// ends. Whether a roster, a second person's confirmation and the authority's
// approval are needed stands in the rules of the region (package course).
// Issuing goes on where it stopped; an aborted batch leads back to publicity, or
// to issued when an earlier batch of the session is out. Rows held by an appeal
// are left out and issued by a further batch once the appeal is rejected.
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
	Standard    string          `json:"standard"`       // version of the 国家职业标准 or 评价规范 whose parts and pass marks apply
	Norm        string          `json:"norm,omitempty"` // id of that version of the 评价规范, none for the national standard
	ExamDate    standards.Date  `json:"exam_date"`
	// Mode is how the certificates are acquired 取得方式; an exam when empty. Other
	// modes rest on ModeBasis, and every candidate on one of his own.
	Mode      policy.Mode `json:"mode,omitempty"`
	ModeBasis *ModeBasis  `json:"mode_basis,omitempty"`
	// Course is the id of the rules for its course, those in force when its plan
	// was filed; course.First when empty.
	Course string `json:"course,omitempty"`
	// Platform is the session's reference on the supervision platform 云眸.
	Platform  string       `json:"platform,omitempty"`
	Site      string       `json:"site,omitempty"` // place of examination; none is the filing's own
	Planned   time.Time    `json:"planned"`
	State     SessionState `json:"state"`
	Roster    *Roster      `json:"roster,omitempty"`
	Results   *Results     `json:"results,omitempty"`
	Publicity *Publicity   `json:"publicity,omitempty"`
	Batch     string       `json:"batch,omitempty"`
	Earlier   []string     `json:"earlier_batches,omitempty"` // published before Batch; Batch has rows that appeals had held
	Issued    *time.Time   `json:"issued,omitempty"`
}

// ModeBasis is what a session that is not an exam rests on.
type ModeBasis struct {
	Document string `json:"document"` // 文号
	Approver string `json:"approver"` // 批准单位
}

// mode is how the session's certificates are acquired.
func (s Session) mode() policy.Mode { return cmp.Or(s.Mode, policy.ModeExam) }

// Results says which upload counts.
type Results struct {
	Generation int       `json:"generation"` // rows of older generations are left over from replaced uploads
	Rows       int       `json:"rows"`
	Passed     int       `json:"passed"`
	Supplied   int       `json:"supplied,omitempty"` // rows that bring their own certificate number
	File       []byte    `json:"file"`               // keyed hash of what was uploaded
	At         time.Time `json:"at"`
	By         string    `json:"by,omitempty"` // account
	// Confirmed is the second person's check, Approved the authority's; both are
	// of this upload and fall with it.
	Confirmed *SignOff `json:"confirmed,omitempty"`
	Approved  *SignOff `json:"approved,omitempty"`
	// Returned is why the authority sent an earlier upload back 退回.
	Returned string `json:"returned,omitempty"`
	// Figures are what the signs need of the file; none before there were signs.
	Figures *signs.Figures `json:"figures,omitempty"`
	// Content is the SHA-256 of the rows as they were stored, without what appeals and
	// issue change in them; none before there was one.
	Content []byte `json:"content,omitempty"`
}

// SignOff is who stood for something, and when.
type SignOff struct {
	By       string    `json:"by"` // account
	At       time.Time `json:"at"`
	Document string    `json:"document,omitempty"` // 文号
}

// Publicity 公示 is at least five working days between upload and issue.
type Publicity struct {
	From  standards.Date  `json:"from"`
	Until standards.Date  `json:"until"` // the last day; issue from the day after
	Basis standards.Basis `json:"basis"` // how working days were known
	At    time.Time       `json:"at"`
	// Held rows wait for an appeal, Excluded ones lost it, Released ones may be
	// issued by a further batch.
	Held     int `json:"held,omitempty"`
	Excluded int `json:"excluded,omitempty"`
	Released int `json:"released,omitempty"`
}

// NewSession is the plan of a session.
type NewSession struct {
	Name       string          `json:"name"`
	Filing     string          `json:"filing"`
	Occupation string          `json:"occupation"`
	Trade      string          `json:"trade"` // catalogue id or name; empty or "--" for none
	Level      standards.Level `json:"level"`
	ExamDate   standards.Date  `json:"exam_date"` // of a session without exam the day of the review
	Mode       policy.Mode     `json:"mode,omitempty"`
	ModeBasis  *ModeBasis      `json:"mode_basis,omitempty"` // asked for unless the mode is exam
	Platform   string          `json:"platform,omitempty"`   // reference on the supervision platform; may follow later
	Norm       string          `json:"norm,omitempty"`       // id of a 评价规范 to go by in place of the national standard; class Y alone
	Site       string          `json:"site,omitempty"`       // id of a place of examination; none is the filing's own
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
	bad := impersonal("name", in.Name)
	bad = append(bad, in.textProblems()...)
	if bad != nil {
		return Session{}, fail.New(fail.Invalid, "session", "the plan has a text that is not right").In("认定计划中有填写有误的内容").At(bad...)
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
		// 准入类 before all else: such an occupation may not be in any list here.
		if _, err := r.starter.Standard(in.Occupation, "", in.Level, in.ExamDate); fail.CodeOf(err) == "occupation_restricted" {
			return err
		}
		o, err := r.occupation(tx, in.Occupation)
		if err != nil {
			return err
		}
		trade, err := o.FindTrade(in.Trade)
		if err != nil {
			return err
		}
		standard, err := r.standardFor(tx, f, in, o.Code, trade.ID)
		if err != nil {
			return err
		}
		rules, err := r.mayUseMode(f, inst.Region, in, today)
		if err != nil {
			return err
		}
		s := Session{ID: id, Name: in.Name, Mode: in.Mode, ModeBasis: in.ModeBasis, Course: rules.ID, Platform: in.Platform, Site: in.Site, Institution: inst.ID, Filing: f.ID, Region: inst.Region,
			Occupation: o.Code, Trade: trade.ID, Level: in.Level, Standard: standard, Norm: in.Norm, ExamDate: in.ExamDate, Planned: tx.Now(), State: SessionPlanned}
		if err := r.mustBeEntitled(tx, inst, f, s, tx.Now()); err != nil {
			return err
		}
		if err := sessions.Put(tx, s); err != nil {
			return err
		}
		if _, err := r.appendEvent(tx, by, Event{Kind: SessionFiled, Object: s.ID, Institution: inst.ID, Detail: s}); err != nil {
			return err
		}
		if err := r.signsAfterPlan(tx, s); err != nil {
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
	filed, err := lineOf(rd, f, standards.DateOf(now))
	if err != nil {
		return evaluators.Entitlement{}, err
	}
	return evaluators.Entitled(inst, f, ds, evaluators.Question{
		Occupation: s.Occupation, Trade: s.Trade, Level: s.Level, ExamDate: s.ExamDate, Now: now, Session: s.ID, Site: s.Site, Filed: filed,
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
