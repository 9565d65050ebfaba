package registry

import (
	"context"
	"fmt"
	"time"

	"bajigong/internal/kv"
	"bajigong/registry/uploads"
)

// RunMassChange does what is left of an approved or undone mass change, page by
// page, until it is done or undone; a mass change that has nothing to do is the
// answer as it is. Called again, here or in another process, it goes on where the
// last page ended. progress, when not nil, sees it after each page.
func (r *Registry) RunMassChange(ctx context.Context, by Actor, id string, progress func(MassChange)) (MassChange, error) {
	var m MassChange
	err := r.view(ctx, func(rd kv.Reader, _ time.Time) (err error) {
		m, err = massFor(rd, by, ChangeInMass, id)
		return err
	})
	if err == nil {
		m, err = r.runMass(ctx, by, m, progress)
	}
	if err != nil {
		return m, fmt.Errorf("run mass change %s: %w", id, err)
	}
	return m, nil
}

// ResumeMassChanges goes on with the mass changes that a crash has interrupted.
// It is called when a process starts, like ResumeBatches; one that cannot go on
// is logged and left for the next call.
func (r *Registry) ResumeMassChanges(ctx context.Context) error {
	var open []MassChange
	err := r.db.View(ctx, func(rd kv.Reader) (err error) {
		open, _, err = massChanges.ScanIndex(rd, indexMassWorking, kv.Range{Limit: bulkPage})
		return err
	})
	if err != nil {
		return err
	}
	for _, m := range open {
		by := Actor{Account: m.ApprovedBy, Via: "resume"}
		if m.Undo != nil {
			by.Account = m.Undo.By
		}
		if _, err := r.runMass(ctx, by, m, nil); err != nil {
			r.log.Warn("mass change not resumed", "mass", m.ID, "error", err)
		}
	}
	return ctx.Err()
}

func (r *Registry) runMass(ctx context.Context, by Actor, m MassChange, progress func(MassChange)) (MassChange, error) {
	for m.State.Working() {
		if err := ctx.Err(); err != nil {
			return m, err
		}
		next, err := r.massStep(ctx, by, m.ID)
		if err != nil {
			return m, err
		}
		m = next
		if _, err := r.SpreadReliance(ctx); err != nil {
			r.log.Warn("payers not told yet of what changed under their claims; tried again by the server", "mass", m.ID, "error", err)
		}
		if progress != nil {
			progress(m)
		}
	}
	return m, nil
}

// massStep does the next page in one Update, from where the stored mass change
// stands: another process may have gone on, or ended it, meanwhile. Durable
// afterwards: a page of certificates with their status bits, its entry of the log
// and the cursor, all together.
func (r *Registry) massStep(ctx context.Context, by Actor, id string) (MassChange, error) {
	var out MassChange
	err := r.db.Bulk(ctx, func(tx kv.Tx) error {
		out = MassChange{}
		m, err := massByID(tx, id)
		switch {
		case err != nil || !m.State.Working():
			out = m
		case m.State == MassUndoing:
			out, err = r.restoreMassPage(tx, by, m)
		default:
			out, err = r.massPage(tx, by, m)
		}
		return err
	})
	return out, err
}

func (r *Registry) massPage(tx kv.Tx, by Actor, m MassChange) (MassChange, error) {
	set, err := m.setOf(tx, m.Confirmed.AsOf)
	if err != nil {
		return m, err
	}
	members, _, next, err := r.readMassSet(tx, set, m.Cursor)
	if err != nil {
		return m, err
	}
	var changed []Certificate
	for _, c := range members {
		if c, ok := c.InMass(m, tx.Now()); ok {
			changed = append(changed, c)
		}
	}
	if err := r.putMassPage(tx, by, m, CertificatesChanged, changed); err != nil {
		return m, err
	}
	if m, err = m.page(len(members), len(changed), next, tx.Now()); err != nil {
		return m, err
	}
	if m.State == MassDone {
		return r.putMass(tx, by, m, MassEndedEvent, map[string]any{"state": m.State, "changed": m.Changed, "undo_until": m.UndoUntil})
	}
	return m, massChanges.Put(tx, m)
}

// restoreMassPage goes over the same set again, until it has met every certificate
// that was changed.
func (r *Registry) restoreMassPage(tx kv.Tx, by Actor, m MassChange) (MassChange, error) {
	set, err := m.setOf(tx, m.Confirmed.AsOf)
	if err != nil {
		return m, err
	}
	set.lifts = "" // their newest change is this one now
	members, _, next, err := r.readMassSet(tx, set, m.Undo.Cursor)
	if err != nil {
		return m, err
	}
	var restored []Certificate
	kept := 0
	for _, c := range members {
		back, ok := c.Undo(m, tx.Now())
		if ok {
			restored = append(restored, back)
		} else if c.hasMass(m.ID) {
			kept++
		}
	}
	if err := r.putMassPage(tx, by, m, CertificatesRestored, restored); err != nil {
		return m, err
	}
	if m.Undo.Done+len(restored)+kept == m.Changed {
		next = nil
	}
	if m, err = m.restorePage(len(restored), kept, next, tx.Now()); err != nil {
		return m, err
	}
	if m.State == MassUndone {
		return r.putMass(tx, by, m, MassEndedEvent, map[string]any{"state": m.State, "restored": m.Undo.Restored, "kept": m.Undo.Kept})
	}
	return m, massChanges.Put(tx, m)
}

func (c Certificate) hasMass(id string) bool {
	for _, change := range c.Changes {
		if change.Mass == id && change.Kind != ChangeUndo {
			return true
		}
	}
	return false
}

// putMassPage stores the certificates of one page, whose newest change is new,
// with their status bits and one entry of the log for all of them. It names them
// by number: at most bulkPage of them fit an entry.
func (r *Registry) putMassPage(tx kv.Tx, by Actor, m MassChange, kind EventKind, page []Certificate) error {
	if len(page) == 0 {
		return nil
	}
	numbers := make([]string, len(page))
	for i, c := range page {
		numbers[i] = c.Number
	}
	first := page[0].Changes[len(page[0].Changes)-1]
	index, err := r.appendEvent(tx, by, Event{Kind: kind, Object: m.ID, Institution: m.Scope.Institution, Detail: map[string]any{
		"change": first.Kind, "effective": first.Effective, "document": first.Document, "reason": first.Reason, "certificates": numbers}})
	if err != nil {
		return err
	}
	for _, c := range page {
		c.Changes[len(c.Changes)-1].LogIndex = index
		changeToCount(tx, c)
	}
	if err := r.setStatuses(tx, page); err != nil {
		return err
	}
	if err := r.nationalAfterChange(tx, page, uploads.Change(first.Kind)); err != nil {
		return err
	}
	if err := r.relianceAfter(tx, page, relianceOfChange[first.Kind], index); err != nil {
		return err
	}
	return certificates.PutMany(tx, page)
}
