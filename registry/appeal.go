package registry

import (
	"context"
	"fmt"
	"strings"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/standards"
)

// AppealState is how far an objection 异议 to a publicised row has come. The test
// of this package reads this table; a dash means refused.
//
//	state     | uphold | reject   | withdraw
//	----------+--------+----------+----------
//	open      | upheld | rejected | withdrawn
//	upheld    | -      | -        | -
//	rejected  | -      | -        | -
//	withdrawn | -      | -        | -
type AppealState string

// The states of an appeal.
const (
	AppealOpen      AppealState = "open"
	AppealUpheld    AppealState = "upheld"    // 异议成立: the row gets no certificate
	AppealRejected  AppealState = "rejected"  // 异议不成立
	AppealWithdrawn AppealState = "withdrawn" // 撤回
)

// Appeal is an objection to one row during publicity. Who raised it and what was
// said are sealed: the ledger knows only that there is one.
type Appeal struct {
	Session    string      `json:"session"`
	ID         string      `json:"id"`
	Generation int         `json:"generation"`
	Row        int         `json:"row"`
	State      AppealState `json:"state"`
	Filed      time.Time   `json:"filed"`
	Decided    *SignOff    `json:"decided,omitempty"`
	Reason     string      `json:"reason,omitempty"` // of the decision
}

// Objection is what somebody raises during publicity, with the name and the
// telephone number under which the answer can be given: an objection nobody
// stands for stops nobody's certificate.
type Objection struct {
	Row   int    `json:"row"`
	Text  string `json:"text"`
	Name  string `json:"name"`
	Phone string `json:"phone"`
}

// AppealView is an appeal with what was said, for those who decide it.
type AppealView struct {
	Appeal
	Objection Objection `json:"objection"`
}

// Limits of appeals: one row may have a few open ones, one session many.
const (
	appealsPerRow     = 3
	appealsPerSession = 500
)

// FileAppeal stops the row it concerns until it is decided. Anybody may file one
// while publicity runs. It answers the receipt number only. Conflict: publicity
// is not running, or the row has as many open appeals as it can.
func (r *Registry) FileAppeal(ctx context.Context, session string, in Objection) (Appeal, error) {
	if err := in.check(); err != nil {
		return Appeal{}, err
	}
	id := r.rand.id("y")
	var out Appeal
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = Appeal{}
		s, c, err := r.publicRow(tx, session, in.Row)
		if err != nil {
			return err
		}
		open, all, err := appealsOf(tx, s, in.Row)
		if err != nil {
			return err
		}
		if all >= appealsPerSession {
			return fail.New(fail.Conflict, "appeals_full", "session %s has %d appeals and takes no more here; turn to the institution or the authority", s.ID, all).
				In("批次 %s 的异议已达 %d 件，请直接向评价机构或主管部门反映", s.ID, all)
		}
		if open >= appealsPerRow {
			return fail.New(fail.Conflict, "appeal_exists", "this row is stopped already by an appeal that is being looked at").In("该人员已有异议在核查中，发证已暂停")
		}
		a := Appeal{Session: s.ID, ID: id, Generation: s.Results.Generation, Row: in.Row, State: AppealOpen, Filed: tx.Now()}
		if err := appeals.Put(tx, a); err != nil {
			return err
		}
		if err := r.vault.seal(tx, sealedAppeal(a), in); err != nil {
			return err
		}
		if open == 0 && c.Hold != HoldExcluded { // an appeal that was upheld is not undone by another
			s = s.withHold(c.Hold, HoldAppeal)
			c.Hold = HoldAppeal
			if err := candidates.Put(tx, c); err != nil {
				return err
			}
		}
		if err := r.putSession(tx, Actor{}, s, AppealFiled, map[string]any{"appeal": a.ID, "row": a.Row, "generation": a.Generation}); err != nil {
			return err
		}
		out = a
		return nil
	})
	if err != nil {
		return Appeal{}, fmt.Errorf("appeal in session %s: %w", session, err)
	}
	return out, nil
}

func (in *Objection) check() error {
	in.Text, in.Name, in.Phone = strings.TrimSpace(in.Text), strings.TrimSpace(in.Name), strings.TrimSpace(in.Phone)
	bad := length("text", in.Text, 5, 1000, "异议内容", "the objection")
	if _, err := standards.CleanName(in.Name); err != nil {
		e := fail.Of(err)
		bad = append(bad, fail.Field{Name: "name", Code: e.Code, ZH: e.ZH, EN: e.Text})
	}
	bad = append(bad, length("phone", in.Phone, 5, 20, "联系电话", "telephone number")...)
	if len(bad) > 0 {
		return fail.New(fail.Invalid, "appeal", "the objection is not complete").In("异议信息不完整").At(bad...)
	}
	return nil
}

// publicRow is a passed row of a session whose publicity is running.
func (r *Registry) publicRow(tx kv.Tx, session string, row int) (Session, Candidate, error) {
	s, err := need(tx, sessions, kv.Key(session), "publicity", "公示", session)
	if err != nil {
		return s, Candidate{}, err
	}
	if s.Publicity == nil || s.State != SessionPublicity || s.Publicity.Until < standards.DateOf(tx.Now()) {
		return s, Candidate{}, fail.New(fail.Conflict, "publicity_not_running", "the publicity of session %s is not running", session).
			In("批次 %s 不在公示期内；请向评价机构或主管部门举报反映", session)
	}
	c, ok, err := candidates.Get(tx, candidates.Key(Candidate{Session: s.ID, Generation: s.Results.Generation, Row: row}))
	if err == nil && (!ok || !c.Passed) {
		err = notFound("publicised row", "公示人员", fmt.Sprint(row))
	}
	return s, c, err
}

// appealsOf counts the open appeals of a row and all of the session.
func appealsOf(rd kv.Reader, s Session, row int) (open, all int, err error) {
	rng := kv.Prefix(kv.Key(s.ID))
	rng.Limit = appealsPerSession
	found, _, err := appeals.Scan(rd, rng)
	for _, a := range found {
		if a.Generation == s.Results.Generation && a.Row == row && a.State == AppealOpen {
			open++
		}
	}
	return open, len(found), err
}

// holdsOf counts the rows of the results that count which appeals hold and have
// excluded: results that were sent back and are shown again keep them.
func holdsOf(rd kv.Reader, s Session) (held, excluded int, err error) {
	rng := kv.Prefix(kv.Key(s.ID))
	rng.Limit = appealsPerSession
	found, _, err := appeals.Scan(rd, rng)
	open, upheld := map[int]bool{}, map[int]bool{}
	for _, a := range found {
		if a.Generation == s.Results.Generation {
			open[a.Row] = open[a.Row] || a.State == AppealOpen
			upheld[a.Row] = upheld[a.Row] || a.State == AppealUpheld
		}
	}
	for row := range open {
		switch {
		case upheld[row]:
			excluded++
		case open[row]:
			held++
		}
	}
	return held, excluded, err
}

// mustHaveNoAppeals refuses to replace results while an appeal against them is
// open: nobody's objection is put aside without an answer.
func mustHaveNoAppeals(rd kv.Reader, s Session) error {
	if s.Results == nil {
		return nil
	}
	held, _, err := holdsOf(rd, s)
	if err == nil && held > 0 {
		err = fail.New(fail.Conflict, "appeals_open", "%d rows of session %s wait for the decision on an appeal; decide before other results are uploaded", held, s.ID).
			In("批次 %s 有 %d 人的异议尚未办结，请先处理异议再重新上报成绩", s.ID, held)
	}
	return err
}

// Hold is why a passed row gets no certificate for now.
type Hold string

// The holds of a row.
const (
	HoldNone     Hold = ""
	HoldAppeal   Hold = "appeal"   // an appeal is open
	HoldExcluded Hold = "excluded" // an appeal was upheld
	HoldReleased Hold = "released" // the appeal was rejected after the others were issued
)

// withHold returns the session with one row's hold counted anew. Without a
// publicity nothing counts: the next one begins with what holdsOf finds.
func (s Session) withHold(before, after Hold) Session {
	if s.Publicity == nil {
		return s
	}
	p := *s.Publicity
	for hold, n := range map[Hold]*int{HoldAppeal: &p.Held, HoldExcluded: &p.Excluded, HoldReleased: &p.Released} {
		if hold == before {
			*n--
		}
		if hold == after {
			*n++
		}
	}
	s.Publicity = &p
	return s
}

// DecideAppeal upholds or rejects an appeal, or records that it was withdrawn.
// The institution decides on its own session, the authority on any of its
// region. The row goes on when no other appeal holds it; when its session has
// issued, by a further batch. Conflict: it was decided, or certificates are being
// issued at this moment.
func (r *Registry) DecideAppeal(ctx context.Context, by Actor, session, id string, to AppealState, reason string) (Appeal, error) {
	reason = strings.TrimSpace(reason)
	if bad := append(impersonal("reason", reason), length("reason", reason, 1, 500, "处理意见", "reason")...); len(bad) > 0 {
		return Appeal{}, fail.New(fail.Invalid, "appeal", "the decision is not complete").In("处理意见有误").At(bad...)
	}
	var out Appeal
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = Appeal{}
		s, err := sessionFor(tx, by, DecideAppeals, session)
		if err != nil {
			return err
		}
		a, err := need(tx, appeals, kv.Key(s.ID, id), "appeal", "异议", id)
		if err != nil {
			return err
		}
		if s.State == SessionIssuing {
			return fail.New(fail.Conflict, "batch_running", "certificates of session %s are being issued; decide when that has ended", s.ID).
				In("批次 %s 正在发证，请稍后再处理异议", s.ID)
		}
		if a, err = a.Decide(to, SignOff{By: by.Account, At: tx.Now()}, reason); err != nil {
			return err
		}
		if err := appeals.Put(tx, a); err != nil {
			return err
		}
		if s, err = r.afterAppeal(tx, s, a); err != nil {
			return err
		}
		out = a
		return r.putSession(tx, by, s, AppealDecided, map[string]any{"appeal": a.ID, "row": a.Row, "state": a.State, "reason": a.Reason})
	})
	if err != nil {
		return Appeal{}, fmt.Errorf("decide appeal %s: %w", id, err)
	}
	return out, nil
}

// Decide is the rule of DecideAppeal.
func (a Appeal) Decide(to AppealState, by SignOff, reason string) (Appeal, error) {
	if to != AppealUpheld && to != AppealRejected && to != AppealWithdrawn {
		return a, fail.New(fail.Invalid, "appeal_state", "an appeal is upheld, rejected or withdrawn").In("处理结果应为成立、不成立或撤回").
			At(fail.Field{Name: "state", Code: "unknown", ZH: "应为 upheld、rejected 或 withdrawn", EN: "upheld, rejected or withdrawn"})
	}
	if a.State != AppealOpen {
		return a, fail.New(fail.Conflict, "appeal_closed", "appeal %s is %s already", a.ID, a.State).In("异议 %s 已办结", a.ID)
	}
	a.State, a.Decided, a.Reason = to, &by, reason
	return a, nil
}

// afterAppeal sets the hold of the row a decided appeal concerned.
func (r *Registry) afterAppeal(tx kv.Tx, s Session, a Appeal) (Session, error) {
	if s.Results == nil || a.Generation != s.Results.Generation {
		return s, nil // of results that were replaced
	}
	c, ok, err := candidates.Get(tx, candidates.Key(Candidate{Session: s.ID, Generation: a.Generation, Row: a.Row}))
	if err != nil || !ok || c.Hold == HoldExcluded {
		return s, err
	}
	open, _, err := appealsOf(tx, s, a.Row)
	if err != nil {
		return s, err
	}
	before := c.Hold
	switch {
	case a.State == AppealUpheld:
		c.Hold = HoldExcluded
	case open > 0:
		return s, nil
	case s.State == SessionIssued:
		c.Hold = HoldReleased
	default:
		c.Hold = HoldNone
	}
	return s.withHold(before, c.Hold), candidates.Put(tx, c)
}

// Appeals is one page of the appeals in a session, with what was said.
func (r *Registry) Appeals(ctx context.Context, by Actor, session string, page Page) (out []AppealView, next string, err error) {
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		out, next = nil, ""
		s, err := sessionFor(rd, by, DecideAppeals, session)
		if err != nil {
			return err
		}
		found, cursor, err := scanPage(rd, appeals, kv.Prefix(kv.Key(s.ID)), page)
		if err != nil {
			return err
		}
		for _, a := range found {
			v := AppealView{Appeal: a}
			if _, err := r.vault.open(rd, sealedAppeal(a), &v.Objection); err != nil {
				return err
			}
			out = append(out, v)
		}
		next = cursor
		return nil
	})
	return out, next, err
}
