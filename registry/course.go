package registry

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"bajigong/evaluators"
	"bajigong/evaluators/course"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// courseOn is the course of a session in a region by the rules in force on a day.
func (r *Registry) courseOn(region string, on standards.Date) (course.Rules, error) {
	rules, ok := r.cfg.Rules.Course.On(region, string(on))
	if !ok {
		return rules, fail.New(fail.Conflict, "no_course_rules", "region %s has no rules for the course of a session on %s", region, on).
			In("%s 在 %s 没有认定流程规则，请先由主管部门配置", region, on)
	}
	return rules, nil
}

// courseOf is the course of a session: by the rules that were in force when its
// plan was filed.
func (r *Registry) courseOf(s Session) (course.Rules, error) {
	id := cmp.Or(s.Course, course.First)
	rules, ok := r.cfg.Rules.Course.ByID(id)
	if !ok {
		return rules, fail.New(fail.Conflict, "no_course_rules", "session %s goes by the rules %s, which are no longer among the rule files", s.ID, id).
			In("批次 %s 适用的认定流程规则 %s 已不在规则文件中，请恢复该文件", s.ID, id)
	}
	return rules, nil
}

// modeOf is what the rules ask for the session's mode. An exam needs no rule.
func modeOf(rules course.Rules, mode policy.Mode) (course.Mode, bool) {
	m, ok := rules.Mode(string(mode))
	if !ok && mode == policy.ModeExam {
		return course.Mode{Mode: string(mode), Scores: true, Eligibility: rules.Roster}, true
	}
	return m, ok
}

// textProblems checks the free texts of a plan.
func (in *NewSession) textProblems() (bad []fail.Field) {
	in.Platform = strings.TrimSpace(in.Platform)
	bad = append(impersonal("platform", in.Platform), length("platform", in.Platform, 0, 64, "监管平台编号", "reference on the supervision platform")...)
	if in.ModeBasis == nil {
		return bad
	}
	b := *in.ModeBasis
	b.Document, b.Approver = strings.TrimSpace(b.Document), strings.TrimSpace(b.Approver)
	in.ModeBasis = &b
	bad = append(append(bad, impersonal("mode_basis.document", b.Document)...), impersonal("mode_basis.approver", b.Approver)...)
	bad = append(bad, length("mode_basis.document", b.Document, 1, 100, "依据文号", "document it rests on")...)
	return append(bad, length("mode_basis.approver", b.Approver, 1, 100, "批准单位", "approving body")...)
}

// length answers a field when a text has fewer than low or more than high
// characters.
func length(field, text string, low, high int, zh, en string) []fail.Field {
	if n := len([]rune(text)); n >= low && n <= high {
		return nil
	}
	return []fail.Field{{Name: field, Code: "length", ZH: fmt.Sprintf("%s应为 %d 至 %d 个字", zh, low, high), EN: fmt.Sprintf("%s has %d to %d characters", en, low, high)}}
}

// mayUseMode returns the rules for a session's course, and refuses a plan whose way to acquire certificates the region does
// not have, or not for this class or level, or without its basis.
func (r *Registry) mayUseMode(f evaluators.Filing, region string, in NewSession, today standards.Date) (course.Rules, error) {
	mode := cmp.Or(in.Mode, policy.ModeExam)
	rules, err := r.courseOn(region, today)
	if err != nil {
		return rules, err
	}
	m, ok := modeOf(rules, mode)
	var bad []fail.Field
	say := func(ok bool, field, code, zh, en string) {
		if !ok {
			bad = append(bad, fail.Field{Name: field, Code: code, ZH: zh, EN: en})
		}
	}
	switch {
	case !ok:
		say(false, "mode", "unknown", fmt.Sprintf("本地区没有“%s”这一取得方式", mode.Name().ZH), fmt.Sprintf("this region has no mode %s", mode))
	default:
		say(m.Leads(in.Level), "level", "mode_level", fmt.Sprintf("%s不适用于%s", mode.Name().ZH, in.Level.Name()), fmt.Sprintf("%s does not lead to %s", mode.Name().EN, in.Level.English()))
		say(m.Open(string(f.Class)), "mode", "mode_class", fmt.Sprintf("此类评价机构不得采用%s", mode.Name().ZH), fmt.Sprintf("institutions of class %s may not use %s", f.Class, mode.Name().EN))
		say(m.Scores || in.ModeBasis != nil, "mode_basis", "required", mode.Name().ZH+"须填写依据文号和批准单位", mode.Name().EN+" rests on a document and an approving body")
		say(!m.Scores || in.ModeBasis == nil, "mode_basis", "not_here", "考核取得的批次不填此项", "an exam has no such basis")
	}
	if len(bad) > 0 {
		return rules, fail.New(fail.Invalid, "mode", "the way to acquire the certificate is not possible here").In("取得方式不适用").At(bad...)
	}
	return rules, nil
}

// SetPlatform records the session's reference on the supervision platform 云眸,
// until certificates are issued. Conflict: issuing has begun.
func (r *Registry) SetPlatform(ctx context.Context, by Actor, session, reference string) (Session, error) {
	in := NewSession{Platform: reference}
	if bad := append(in.textProblems(), length("platform", in.Platform, 1, 64, "监管平台编号", "reference on the supervision platform")...); len(bad) > 0 {
		return Session{}, fail.New(fail.Invalid, "platform", "the reference is not right").In("监管平台编号有误").At(bad[0])
	}
	return r.onSession(ctx, by, RunSessions, session, "set platform reference", func(tx kv.Tx, s Session) (Session, error) {
		if s.State == SessionIssuing || s.State == SessionIssued {
			return s, fail.New(fail.Conflict, "session_closed", "session %s has issued", s.ID).In("批次 %s 已进入发证，不能再改", s.ID)
		}
		s.Platform = in.Platform
		return s, r.putSession(tx, by, s, PlatformSet, map[string]any{"platform": s.Platform})
	})
}

// onSession runs fn on a session in one Update and answers what it returns.
func (r *Registry) onSession(ctx context.Context, by Actor, do Action, id, what string, fn func(tx kv.Tx, s Session) (Session, error)) (Session, error) {
	var out Session
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = Session{}
		s, err := sessionFor(tx, by, do, id)
		if err != nil {
			return err
		}
		out, err = fn(tx, s)
		return err
	})
	if err != nil {
		return Session{}, fmt.Errorf("%s of session %s: %w", what, id, err)
	}
	return out, nil
}

// putSession stores a session and what happened to it.
func (r *Registry) putSession(tx kv.Tx, by Actor, s Session, kind EventKind, detail any) error {
	if err := sessions.Put(tx, s); err != nil {
		return err
	}
	_, err := r.appendEvent(tx, by, Event{Kind: kind, Object: s.ID, Institution: s.Institution, Detail: detail})
	return err
}

// Timeline says of each step of a session when it was due, done, and how late.
func (r *Registry) Timeline(ctx context.Context, by Actor, session string) (out []course.Mark, err error) {
	err = r.view(ctx, func(rd kv.Reader, now time.Time) error {
		s, err := sessionFor(rd, by, ReadSession, session)
		if err != nil {
			return err
		}
		rules, err := r.courseOf(s)
		if err != nil {
			return err
		}
		done := s.dates()
		a, arranged, err := arrangements.Get(rd, kv.Key(s.ID))
		if err != nil {
			return err
		}
		if arranged {
			done[course.StepArrangement] = standards.DateOf(a.Recorded)
		}
		out = course.Timeline(rules, r.cfg.Calendar, s.ExamDate, done, standards.DateOf(now))
		return nil
	})
	return out, err
}

// dates are the days on which the steps were done, but for the arrangement, which
// has a record of its own.
func (s Session) dates() course.Dates {
	out := course.Dates{course.StepPlan: standards.DateOf(s.Planned)}
	if s.Roster != nil {
		out[course.StepRoster] = standards.DateOf(s.Roster.At)
	}
	if s.Results != nil {
		out[course.StepResults] = standards.DateOf(s.Results.At)
	}
	if s.Publicity != nil {
		out[course.StepPublicity] = s.Publicity.From
	}
	if s.Issued != nil {
		out[course.StepIssue] = standards.DateOf(*s.Issued)
	}
	return out
}
