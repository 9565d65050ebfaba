package registry

// massSeen counts, for each mass change, the certificates that say they were
// changed by it, and given back.
type massSeen map[string]massSum

type massSum struct {
	changed, restored int
	kinds             map[ChangeKind]bool
}

func (m massSeen) count(cert Certificate) {
	for _, change := range cert.Changes {
		if change.Mass == "" {
			continue
		}
		sum := m[change.Mass]
		if sum.kinds == nil {
			sum.kinds = map[ChangeKind]bool{}
		}
		if change.Kind == ChangeUndo {
			sum.restored++
		} else {
			sum.changed++
			sum.kinds[change.Kind] = true
		}
		m[change.Mass] = sum
	}
}

// massChanges holds every mass change against what its certificates say.
func (c *check) massChanges(seen massSeen) error {
	err := eachRecord(c.rd, massChanges, func(m MassChange) error {
		sum := seen[m.ID]
		delete(seen, m.ID)
		restored := 0
		if m.Undo != nil {
			restored = m.Undo.Restored
		}
		if sum.changed != m.Changed || sum.restored != restored {
			c.problem("mass change %s says it changed %d certificates and gave back %d; %d and %d say so", m.ID, m.Changed, restored, sum.changed, sum.restored)
		}
		for kind := range sum.kinds {
			if kind != m.Kind {
				c.problem("mass change %s is to %s, and a certificate says that it did %s", m.ID, m.Kind, kind)
			}
		}
		if m.ApprovedBy != "" && m.ApprovedBy == m.By {
			c.problem("mass change %s was approved by the account that proposed it", m.ID)
		}
		if m.State == MassDone && m.Lifts == "" && m.Done != m.Total {
			c.problem("mass change %s is done with %d of %d certificates", m.ID, m.Done, m.Total)
		}
		return nil
	})
	for id := range seen {
		c.problem("certificates say that they were changed by mass change %s, which is not there", id)
	}
	return err
}
