package registry

import (
	"context"
	"strings"

	"bajigong/evaluators/course"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
)

// ConfirmResults is the second person's check of uploaded scores 复核: an account
// other than the one that uploaded them stands for them. Confirming again changes
// nothing. Conflict: there are no results waiting, or it is the same account.
func (r *Registry) ConfirmResults(ctx context.Context, by Actor, session string) (Session, error) {
	return r.onSession(ctx, by, RunSessions, session, "confirm results", func(tx kv.Tx, s Session) (Session, error) {
		if s.Results != nil && s.Results.Confirmed != nil && s.State == SessionResults {
			return s, nil
		}
		s, err := s.Confirm(SignOff{By: by.Account, At: tx.Now()})
		if err != nil {
			return s, err
		}
		return s, r.putSession(tx, by, s, ResultsConfirmed, s.Results.Confirmed)
	})
}

// Confirm is the rule of ConfirmResults.
func (s Session) Confirm(by SignOff) (Session, error) {
	if s.State != SessionResults || s.Results == nil {
		return s, fail.New(fail.Conflict, "no_results_to_confirm", "session %s has no results that wait for confirmation", s.ID).In("批次 %s 没有待复核的成绩", s.ID)
	}
	if s.Results.By == by.By {
		return s, fail.New(fail.Conflict, "same_person", "who uploaded the results cannot confirm them; another account of the institution has to").
			In("成绩上传与复核应由不同人员办理，请用本机构另一账号复核")
	}
	results := *s.Results
	results.Confirmed = &by
	s.Results = &results
	return s, nil
}

// ApproveResults is the authority's approval of publicised results 成绩审核, where
// the region wants it before certificates are numbered. Approving again changes
// nothing. Conflict: publicity has not begun, or certificates were issued.
func (r *Registry) ApproveResults(ctx context.Context, by Actor, session, document string) (Session, error) {
	document = strings.TrimSpace(document)
	if bad := append(impersonal("document", document), length("document", document, 1, 100, "审核文号", "number of the approval")...); len(bad) > 0 {
		return Session{}, fail.New(fail.Invalid, "approval", "the approval is not complete").In("审核信息有误").At(bad...)
	}
	return r.onSession(ctx, by, ApproveSessions, session, "approve results", func(tx kv.Tx, s Session) (Session, error) {
		if s.Results != nil && s.Results.Approved != nil && s.State == SessionPublicity {
			return s, nil
		}
		if s.State != SessionPublicity || s.Results == nil {
			return s, notInPublicity(s)
		}
		results := *s.Results
		results.Approved = &SignOff{By: by.Account, At: tx.Now(), Document: document}
		s.Results = &results
		return s, r.putSession(tx, by, s, ResultsApproved, results.Approved)
	})
}

// ReturnResults sends publicised results back to the institution 退回: their
// publicity ends, and they are uploaded, confirmed and shown anew. Conflict: they
// are not in publicity.
func (r *Registry) ReturnResults(ctx context.Context, by Actor, session, reason string) (Session, error) {
	reason = strings.TrimSpace(reason)
	if bad := append(impersonal("reason", reason), length("reason", reason, 1, 500, "退回原因", "reason")...); len(bad) > 0 {
		return Session{}, fail.New(fail.Invalid, "return", "say why the results are sent back").In("请写明退回原因").At(bad...)
	}
	return r.onSession(ctx, by, ApproveSessions, session, "return results", func(tx kv.Tx, s Session) (Session, error) {
		if s.State != SessionPublicity || s.Results == nil {
			return s, notInPublicity(s)
		}
		results := *s.Results
		results.Confirmed, results.Approved, results.Returned = nil, nil, reason
		s.State, s.Results, s.Publicity = SessionResults, &results, nil
		return s, r.putSession(tx, by, s, ResultsReturned, map[string]any{"reason": reason, "generation": results.Generation})
	})
}

func notInPublicity(s Session) error {
	return fail.New(fail.Conflict, "not_in_publicity", "session %s is %s, not in publicity", s.ID, s.State).In("批次 %s 不在公示阶段", s.ID)
}

// mustBeSignedOff asks what the rules of the region ask before a step.
func (s Session) mustBeConfirmed(rules course.Rules) error {
	if !rules.SecondPerson || s.Results.Confirmed != nil {
		return nil
	}
	return fail.New(fail.Conflict, "not_confirmed", "the results of session %s wait for a second person's confirmation", s.ID).
		In("批次 %s 的成绩尚未复核；请由另一人员复核后公示", s.ID)
}

func (s Session) mustBeApproved(rules course.Rules) error {
	if !rules.Approval || s.Results == nil || s.Results.Approved != nil {
		return nil
	}
	return fail.New(fail.Conflict, "not_approved", "the results of session %s wait for the authority's approval", s.ID).
		In("批次 %s 的认定结果尚未经主管部门审核，审核后方可赋码发证", s.ID)
}

// mustBeWatched refuses results of an exam that the rules want on the supervision
// platform and that has no reference there.
func (s Session) mustBeWatched(rules course.Rules) error {
	if s.Platform != "" || !rules.Platform(s.ExamDate) {
		return nil
	}
	return fail.New(fail.Conflict, "no_platform_reference", "exams from %s on need a reference on the supervision platform; session %s has none", rules.PlatformFrom, s.ID).
		In("%s起的认定应纳入远程智能监管（云眸），批次 %s 尚无监管平台编号，请先补填", rules.PlatformFrom.Chinese(), s.ID)
}
