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

// ProposeMassChange proposes to suspend, void or cancel many certificates, or to
// lift a mass suspension. Nothing changes before another account has approved it;
// what it would do is counted in its Preview. Only an authority may, for
// institutions that its region governs. Invalid: the proposal is not complete;
// NotFound: there is no such institution, session, filing or mass change;
// Conflict mass_nothing, mass_too_large, not_a_suspension.
func (r *Registry) ProposeMassChange(ctx context.Context, by Actor, in NewMassChange) (MassChange, error) {
	in, err := in.check()
	if err != nil {
		return MassChange{}, err
	}
	id := r.rand.id("m")
	m, again, err := r.draftMass(ctx, by, in)
	if err == nil && !again {
		if m.Preview, err = r.previewMass(ctx, m); err == nil && m.Preview.Affected == 0 {
			err = nothingToChange()
		}
	}
	if err != nil || again {
		return m, err
	}
	m.ID = id
	var out MassChange
	err = r.db.Update(ctx, func(tx kv.Tx) error {
		out = MassChange{}
		if earlier, again, err := repeated(tx, by, tx.Now()); err != nil || again {
			if again {
				out, err = massByID(tx, earlier)
			}
			return err
		}
		rules, ok := r.cfg.Rules.Corrections.On(m.Region, string(standards.DateOf(tx.Now())))
		if !ok {
			return noCorrectionRules(m.Region)
		}
		one := m
		one.State, one.By, one.Proposed, one.UndoHours = MassProposed, by.Account, tx.Now(), rules.Mass.UndoHours
		if out, err = r.putMass(tx, by, one, MassProposedEvent, map[string]any{"region": one.Region, "kind": one.Kind, "scope": one.Scope, "lifts": one.Lifts,
			"document": one.Document, "reason": one.Reason, "rules": rules.ID, "undo_hours": one.UndoHours, "preview": one.Preview.logged()}); err != nil {
			return err
		}
		return remember(tx, by, out.ID)
	})
	if err != nil {
		return MassChange{}, fmt.Errorf("propose mass change: %w", err)
	}
	return out, nil
}

// logged is a preview as the audit log has it: without the payers, since the
// institution may read the event.
func (p MassPreview) logged() map[string]any {
	return map[string]any{"as_of": p.AsOf, "certificates": p.Certificates, "by_status": p.ByStatus, "affected": p.Affected, "hash": p.Hash, "money_sha256": jsonDigest(map[string]any{"claims": p.Claims, "payers": p.Payers, "elsewhere": p.Elsewhere})}
}

func noCorrectionRules(region string) error {
	return fail.New(fail.Conflict, "no_rules", "no rule file about corrections and mass changes is in force in region %s", region).
		In("区划 %s 没有现行的证书更正与批量处理规则，请先配置规则文件", region)
}

// draftMass is the mass change that a request means, with everything it names
// looked up and allowed. again says that m is the answer to an earlier request.
func (r *Registry) draftMass(ctx context.Context, by Actor, in NewMassChange) (m MassChange, again bool, err error) {
	err = r.view(ctx, func(rd kv.Reader, now time.Time) error {
		m, again = MassChange{Kind: in.Kind, Scope: in.Scope, Lifts: in.Lifts, Region: by.Region, Document: in.Document, Reason: in.Reason}, false
		if len(by.Roles) == 0 {
			return may(by, ChangeInMass, Object{})
		}
		earlier, ok, err := repeated(rd, by, now)
		if err != nil {
			return err
		}
		if ok {
			again = true
			m, err = massFor(rd, by, ChangeInMass, earlier)
			return err
		}
		if in.Lifts != "" {
			if m.Scope, err = liftedScope(rd, by, in.Lifts); err != nil {
				return err
			}
		}
		return m.Scope.lookUp(rd, by, &m)
	})
	return m, again, err
}

// liftedScope is the scope of the mass suspension that is to be lifted.
func liftedScope(rd kv.Reader, by Actor, id string) (MassScope, error) {
	s, err := massFor(rd, by, ChangeInMass, id)
	if err != nil {
		return MassScope{}, err
	}
	if s.Kind != ChangeSuspend || s.State != MassDone {
		return MassScope{}, fail.New(fail.Conflict, "not_a_suspension", "mass change %s is no mass suspension that was carried out: it is %s and %s", s.ID, s.Kind, s.State).
			In("批量处理 %s 不是已执行的批量暂停，不能解除", s.ID)
	}
	return s.Scope, nil
}

// lookUp completes the scope of m with the institution of its session and refuses
// what is not there or not the actor's to change.
func (s MassScope) lookUp(rd kv.Reader, by Actor, m *MassChange) error {
	if s.Session != "" {
		session, err := need(rd, sessions, kv.Key(s.Session), "session", "认定批次", s.Session)
		if err != nil {
			return err
		}
		if s.Institution != "" && s.Institution != session.Institution {
			return notFound("session", "认定批次", s.Session)
		}
		m.Scope.Institution = session.Institution
	}
	inst, err := institutionByID(rd, m.Scope.Institution)
	if err != nil {
		return err
	}
	if s.Filing != "" {
		f, err := filingByID(rd, s.Filing)
		if err != nil {
			return err
		}
		if f.Institution != inst.ID {
			return notFound("filing", "备案", s.Filing)
		}
	}
	return may(by, ChangeInMass, Object{Institution: inst.ID, Region: inst.Region})
}

// massByID loads a mass change for the register's own work.
func massByID(rd kv.Reader, id string) (MassChange, error) {
	return need(rd, massChanges, kv.Key(id), "mass change", "批量处理", id)
}

// massFor loads a mass change that by may handle: who governs the whole region of
// its proposer, so that nobody approves what they could not have proposed.
func massFor(rd kv.Reader, by Actor, do Action, id string) (MassChange, error) {
	if len(by.Roles) == 0 {
		return MassChange{}, may(by, do, Object{})
	}
	m, err := massByID(rd, id)
	if err != nil {
		return m, err
	}
	return m, may(by, do, Object{Institution: m.Scope.Institution, Region: m.Region})
}

// putMass logs and stores the newest step of a mass change.
func (r *Registry) putMass(tx kv.Tx, by Actor, m MassChange, kind EventKind, detail any) (MassChange, error) {
	ev := Event{Kind: kind, Object: m.ID, Detail: detail}
	if m.ApprovedBy != "" {
		// Before it is approved the institution is not concerned: whoever reads in the
		// log that a suspension is proposed has time to issue before it.
		ev.Institution = m.Scope.Institution
	}
	var err error
	if m.LogIndex, err = r.appendEvent(tx, by, ev); err != nil {
		return m, err
	}
	return m, massChanges.Put(tx, m)
}

// MassChangeByID shows a mass change to the authority and auditors of its region.
func (r *Registry) MassChangeByID(ctx context.Context, by Actor, id string) (out MassChange, err error) {
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		out, err = massFor(rd, by, ReadMassChange, id)
		return err
	})
	return out, err
}

// PreviewMassChange counts what a proposal would do now; its Hash is what the
// approver confirms. Conflict mass_state: it is no longer a proposal.
func (r *Registry) PreviewMassChange(ctx context.Context, by Actor, id string) (MassPreview, error) {
	m, err := r.MassChangeByID(ctx, by, id)
	if err == nil {
		_, err = m.next(massApprove)
	}
	if err != nil {
		return MassPreview{}, err
	}
	return r.previewMass(ctx, m)
}

// MassChanges is one page of the mass changes of an institution, the oldest
// first; without an institution, of those that wait for a second person and that
// by may read, of which a page may have fewer than its limit.
func (r *Registry) MassChanges(ctx context.Context, by Actor, institution string, page Page) (out []MassChange, next string, err error) {
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		out, next = nil, ""
		if len(by.Roles) == 0 {
			return may(by, ReadMassChange, Object{})
		}
		index, rng := indexMassWaiting, kv.Range{}
		if institution != "" {
			index, rng = indexMassByInstitution, kv.Prefix(kv.Key(institution))
		}
		found, cursor, err := scanIndexPage(rd, massChanges, index, rng, page)
		if err != nil {
			return err
		}
		for _, m := range found {
			if may(by, ReadMassChange, Object{Institution: m.Scope.Institution, Region: m.Region}) == nil {
				out = append(out, m)
			}
		}
		next = cursor
		return nil
	})
	return out, next, err
}

// ApproveMassChange approves a proposal by the hash of its present preview, which
// fixes the set: what becomes public from that preview's second on is not in it.
// RunMassChange then does the work. The approver may repeat it; it changes nothing
// more. Forbidden second_person: the proposer; Conflict mass_preview_changed,
// mass_state, mass_nothing, mass_too_large.
func (r *Registry) ApproveMassChange(ctx context.Context, by Actor, id, hash string) (MassChange, error) {
	m, again, err := r.approvable(ctx, by, id)
	if err != nil || again {
		return m, err
	}
	now, err := r.previewMass(ctx, m)
	if err != nil {
		return MassChange{}, fmt.Errorf("approve mass change: %w", err)
	}
	var out MassChange
	err = r.db.Update(ctx, func(tx kv.Tx) error {
		out = MassChange{}
		m, err := massFor(tx, by, ChangeInMass, id)
		if err != nil {
			return err
		}
		if m, err = m.Approve(by, hash, now, tx.Now()); err != nil {
			return err
		}
		out, err = r.putMass(tx, by, m, MassApprovedEvent, map[string]any{"effective": m.Effective, "preview": now.logged(), "proposed": m.Preview.Hash})
		return err
	})
	if err != nil {
		return MassChange{}, fmt.Errorf("approve mass change: %w", err)
	}
	return out, nil
}

// approvable refuses an approval before anything is counted. again says that by
// has approved it before.
func (r *Registry) approvable(ctx context.Context, by Actor, id string) (m MassChange, again bool, err error) {
	err = r.view(ctx, func(rd kv.Reader, now time.Time) error {
		if m, err = massFor(rd, by, ChangeInMass, id); err != nil {
			return err
		}
		if again = m.ApprovedBy == by.Account && m.Undo == nil; again {
			return nil
		}
		_, err = m.Approve(by, "", MassPreview{Affected: 1}, now)
		return err
	})
	return m, again, err
}

// CloseMassChange ends a proposal: the proposer withdraws it, another account
// rejects it with a reason. Conflict mass_state: it is no longer a proposal.
func (r *Registry) CloseMassChange(ctx context.Context, by Actor, id, reason string) (MassChange, error) {
	return r.decideMass(ctx, by, id, MassClosedEvent, func(m MassChange, at time.Time) (MassChange, any, error) {
		m, err := m.Close(by, reason, at)
		return m, map[string]any{"state": m.State, "reason": reason}, err
	})
}

// UndoMassChange begins to undo a mass change: RunMassChange then gives every
// certificate whose newest change it is exactly the status it had. Forbidden:
// neither its proposer nor its approver asks; Conflict undo_over, mass_state.
func (r *Registry) UndoMassChange(ctx context.Context, by Actor, id, reason string) (MassChange, error) {
	return r.decideMass(ctx, by, id, MassUndoEvent, func(m MassChange, at time.Time) (MassChange, any, error) {
		if m.Undo != nil && m.Undo.By == by.Account && m.Undo.Reason == strings.TrimSpace(reason) {
			return m, nil, nil // asked again
		}
		m, err := m.GoBack(by, reason, at)
		return m, map[string]any{"reason": reason, "done": m.Done}, err
	})
}

// decideMass is the thin shell of a decision: load, let rule decide, log, store.
// A nil detail says that nothing is new.
func (r *Registry) decideMass(ctx context.Context, by Actor, id string, kind EventKind, rule func(MassChange, time.Time) (MassChange, any, error)) (MassChange, error) {
	var out MassChange
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = MassChange{}
		m, err := massFor(tx, by, ChangeInMass, id)
		if err != nil {
			return err
		}
		m, detail, err := rule(m, tx.Now())
		if err != nil || detail == nil {
			out = m
			return err
		}
		out, err = r.putMass(tx, by, m, kind, detail)
		return err
	})
	if err != nil {
		return MassChange{}, fmt.Errorf("%s: %w", kind, err)
	}
	return out, nil
}
