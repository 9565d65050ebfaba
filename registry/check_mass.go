package registry

import (
	"bajigong/internal/kv"
)

// ledgerMass counts, for each mass change, the certificates of a page that say they
// were changed by it, and given back.
func ledgerMass(s *agreement, page []Certificate) {
	for _, cert := range page {
		for _, change := range cert.Changes {
			switch {
			case change.Mass == "":
			case change.Kind == ChangeUndo:
				s.add(sideLedger, change.Mass, 0, 1)
			default:
				s.add(sideLedger, change.Mass, 1, 0)
			}
		}
	}
}

// massKinds: a certificate was changed by a mass change only as that one says.
func (c *check) massKinds(cert Certificate) error {
	for _, change := range cert.Changes {
		if change.Mass == "" {
			continue
		}
		m, ok, err := massChanges.Get(c.rd, kv.Key(change.Mass))
		switch {
		case err != nil:
			return err
		case !ok:
			c.problem("certificate %s says that it was changed by mass change %s, which is not there", cert.Number, change.Mass)
		case change.Kind != ChangeUndo && change.Kind != m.Kind:
			c.problem("mass change %s is to %s, and certificate %s says that it did %s", m.ID, m.Kind, cert.Number, change.Kind)
		case change.By != m.decidedBy(change.Kind):
			c.problem("certificate %s says that mass change %s of it was decided by another account than decided it", cert.Number, m.ID)
		}
	}
	return nil
}

// massChanges holds every mass change against what its certificates say.
func (c *check) massChanges(s *agreement) error {
	kept := func(m MassChange) {
		restored := 0
		if m.Undo != nil {
			restored = m.Undo.Restored
		}
		s.add(sideKept, m.ID, int64(m.Changed), int64(restored))
	}
	err := eachRecord(c.base, massChanges, func(m MassChange) error {
		kept(m)
		if m.ApprovedBy != "" && m.ApprovedBy == m.By {
			c.problem("mass change %s was approved by the account that proposed it", m.ID)
		}
		if m.State == MassUndone && (m.Undo == nil || m.Undo.Total != m.Changed || m.Undo.Restored+m.Undo.Kept != m.Changed) {
			c.problem("mass change %s is undone, and gave back or kept other than the %d certificates that it changed", m.ID, m.Changed)
		}
		if m.State == MassDone && m.Lifts == "" && m.Done != m.Total {
			c.problem("mass change %s is done with %d of %d certificates", m.ID, m.Done, m.Total)
		}
		return nil
	})
	if err != nil {
		return err
	}
	again := func() error {
		if err := scanAll(c, certificates, func(page []Certificate) { ledgerMass(s, page) }); err != nil {
			return err
		}
		return scanAll(c, massChanges, func(page []MassChange) {
			for _, m := range page {
				kept(m)
			}
		})
	}
	return c.settle(s, again, func(id string, want, have []int64) {
		c.problem("mass change %s says it changed %d certificates and gave back %d; %d and %d say so", id, have[0], have[1], want[0], want[1])
	})
}

// decidedBy is the account by whose decision certificates were changed, or given back.
func (m MassChange) decidedBy(kind ChangeKind) string {
	if kind == ChangeUndo {
		if m.Undo == nil {
			return ""
		}
		return m.Undo.By
	}
	return m.ApprovedBy
}
