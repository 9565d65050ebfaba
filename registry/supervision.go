package registry

import (
	"context"
	"fmt"
	"time"

	"bajigong/evaluators/examiners"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/standards"
)

// NewReport is a 督导报告 to be filed.
type NewReport struct {
	// Supervisor is the id of the card; the one of the arrangement when empty.
	Supervisor string             `json:"supervisor,omitempty"`
	Items      []examiners.Answer `json:"items"`
	Overall    string             `json:"overall"`
	Text       string             `json:"text,omitempty"`
}

// reportsMost bounds the reports on one session.
const reportsMost = 50

// FileSupervisionReport files a 督导报告 on a session, from the exam day on: by the
// institution as 内督, by the authority as 外督. A report is never changed; another
// can be filed. Its findings are in Findings. Invalid: an item is missing or wrong;
// Conflict: the exam has not been held, or nobody is named as supervisor.
func (r *Registry) FileSupervisionReport(ctx context.Context, by Actor, session string, in NewReport) (examiners.Report, error) {
	bad := impersonal("text", in.Text)
	for i, a := range in.Items {
		bad = append(bad, impersonal(fmt.Sprintf("items[%d].text", i), a.Text)...)
	}
	if len(bad) > 0 {
		return examiners.Report{}, fail.New(fail.Invalid, "report_invalid", "the report is not right").In("督导报告有误").At(bad...)
	}
	id := r.rand.id("p")
	var out examiners.Report
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = examiners.Report{}
		s, err := need(tx, sessions, kv.Key(session), "session", "认定批次", session)
		if err != nil {
			return err
		}
		side, err := sideOf(by, s)
		if err != nil {
			return err
		}
		if id, again, err := repeated(tx, by, tx.Now()); err != nil || again {
			if again {
				out, err = need(tx, supervisionReports, kv.Key(s.ID, id), "report", "督导报告", id)
			}
			return err
		}
		earlier, err := reportsOf(tx, s.ID)
		if err != nil {
			return err
		}
		if len(earlier) >= reportsMost {
			return fail.New(fail.Conflict, "too_many_reports", "there are %d reports on session %s", reportsMost, s.ID).In("批次 %s 的督导报告已达 %d 份", s.ID, reportsMost)
		}
		report := examiners.Report{ID: id, Session: s.ID, Institution: s.Institution, Side: side, Supervisor: in.Supervisor, Items: in.Items, Overall: in.Overall, Text: in.Text, By: by.Account}
		if report, err = r.judgeReport(tx, s, report); err != nil {
			return err
		}
		if err := supervisionReports.Put(tx, report); err != nil {
			return err
		}
		if _, err := r.appendEvent(tx, by, Event{Kind: SupervisionFiled, Object: report.ID, Institution: s.Institution,
			Detail: map[string]any{"session": s.ID, "side": report.Side, "supervisor": report.Supervisor, "overall": report.Overall, "findings": report.Findings, "rules": report.Rules, "items": answersLogged(report.Items)}}); err != nil {
			return err
		}
		if err := r.afterSupervision(tx, by, s, report); err != nil {
			return err
		}
		out = report
		return remember(tx, by, report.ID)
	})
	if err != nil {
		return examiners.Report{}, fmt.Errorf("report on session %s: %w", session, err)
	}
	return out, nil
}

// sideOf is the side an actor may report for.
func sideOf(by Actor, s Session) (examiners.Side, error) {
	about := Object{Institution: s.Institution, Region: s.Region}
	if may(by, SuperviseOutside, about) == nil {
		return examiners.SideExternal, nil
	}
	return examiners.SideInternal, may(by, SuperviseInside, about)
}

// judgeReport finds the supervisor's card and lets the rules decide.
func (r *Registry) judgeReport(tx kv.Tx, s Session, report examiners.Report) (examiners.Report, error) {
	a, arranged, err := arrangements.Get(tx, kv.Key(s.ID))
	if err != nil {
		return report, err
	}
	named := a.Internal
	if report.Side == examiners.SideExternal {
		named = a.External
	}
	switch {
	case report.Supervisor == "" && named == "":
		return report, fail.New(fail.Conflict, "no_supervisor", "the arrangement of session %s names no such supervisor; say whose report it is", s.ID).
			In("批次 %s 的编排中没有这一方的督导员，请写明督导员", s.ID).
			At(fail.Field{Name: "supervisor", Code: "missing", ZH: "请填写督导员证卡标识", EN: "the id of the supervisor's card"})
	case report.Supervisor == "":
		report.Supervisor = named
	case arranged && named != "" && named != report.Supervisor:
		return report, fail.New(fail.Invalid, "report_invalid", "the report is not right").In("督导报告有误").
			At(fail.Field{Name: "supervisor", Code: "not_named", ZH: "与编排中的督导员不符", EN: "the arrangement names another supervisor"})
	}
	card, err := examinerByID(tx, report.Supervisor)
	if err != nil {
		return report, err
	}
	rules, err := r.peopleRules(s.Region, standards.DateOf(s.Planned))
	if err != nil {
		return report, err
	}
	return rules.File(report, card, s.ExamDate, tx.Now())
}

func reportsOf(rd kv.Reader, session string) ([]examiners.Report, error) {
	rng := kv.Prefix(kv.Key(session))
	rng.Limit = reportsMost
	out, _, err := supervisionReports.Scan(rd, rng)
	return out, err
}

// SupervisionReports are the reports on a session.
func (r *Registry) SupervisionReports(ctx context.Context, by Actor, session string) (out []examiners.Report, err error) {
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		s, err := sessionFor(rd, by, ReadSession, session)
		if err != nil {
			return err
		}
		out, err = reportsOf(rd, s.ID)
		return err
	})
	return out, err
}

// mustBeSupervised refuses a session on which a side has not reported that the
// rules ask for: Conflict session_not_supervised.
func (r *Registry) mustBeSupervised(rd kv.Reader, s Session) error {
	rules, err := r.peopleRules(s.Region, standards.DateOf(s.Planned))
	if err != nil {
		return err
	}
	reports, err := reportsOf(rd, s.ID)
	if err != nil {
		return err
	}
	var bad []fail.Field
	for _, side := range rules.Missing(reports) {
		w := examiners.Role(side).Text()
		bad = append(bad, fail.Field{Name: string(side), Code: "missing", ZH: "缺少" + w.ZH + "的督导报告", EN: "the report of " + w.EN + " is missing"})
	}
	if len(bad) == 0 {
		return nil
	}
	return fail.New(fail.Conflict, "session_not_supervised", "session %s has no report of every supervisor that the rules ask for (rule file %s)", s.ID, rules.ID).
		In("批次 %s 尚缺督导报告（规则文件 %s）", s.ID, rules.ID).At(bad...)
}
