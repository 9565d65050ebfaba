package registry

import (
	"cmp"
	"slices"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
)

// wholePerson is a person as a replay needs it: the claims and holdings of every
// id that was ever one person with it, and which of them were so when.
type wholePerson struct {
	merged personMerges
	claims []Claim // in the order of the log
	held   []holding
}

// wholeOf reads the person that the claims own are of. Of one that was never
// merged, own are all its claims.
func (r *Registry) wholeOf(rd kv.Reader, own []Claim) (w wholePerson, err error) {
	p := own[0].Person
	m, merged, err := personsMerged.Get(rd, kv.Key(p[:]))
	if err != nil {
		return w, err
	}
	if m.Person = p; !merged {
		w.claims = own
		w.merged = m
		w.held, err = r.holdingsUnder(rd, []PersonID{p})
		return w, err
	}
	w.merged = m
	if w.claims, err = claimsUnderAll(rd, m.ever()); err != nil {
		return w, err
	}
	w.held, err = r.holdingsUnder(rd, m.ever())
	return w, err
}

// at are the claims and holdings that counted as this person's before entry index
// of the log: those of ids that were one with it then. Claims are as they are now.
func (w wholePerson) at(index uint64) (claims []Claim, held []holding) {
	if len(w.merged.Groups) == 0 {
		return w.claims, w.held
	}
	ids := w.merged.at(index)
	for _, c := range w.claims {
		if slices.Contains(ids, c.Person) {
			claims = append(claims, c)
		}
	}
	for _, h := range w.held {
		if slices.Contains(ids, h.Person) {
			held = append(held, h)
		}
	}
	return claims, held
}

// merges: every merge has come to its state by its steps, has its documents, and
// what persons_merged says at every entry of the log is what the merges that stood
// then lead to; collisions have come to their states by their steps.
func (c *check) merges() error {
	c.of(tableMerges, tablePersonsMerged, tableCollisions)
	err := each(c, merges, pageMax, func(c *check, m Merge) error {
		c.mergeSteps(m)
		if m.From != 0 {
			known, _, err := personsMerged.GetMany(c.rd, [][]byte{kv.Key(m.Survivor[:]), kv.Key(m.Loser[:])})
			if err != nil {
				return err
			}
			for _, one := range known {
				if len(one.Groups) == 0 {
					c.problem("merge %s is not known to one of its persons", m.ID)
				}
			}
		}
		return c.block("merge "+m.ID, sealedMerge(m.ID))
	})
	if err != nil {
		return err
	}
	err = each(c, personsMerged, sealedPage, func(c *check, m personMerges) error {
		all, err := mergesAround(c.rd, m)
		if err == nil {
			c.groups(m, all)
		}
		return err
	})
	if err != nil {
		return err
	}
	return each(c, collisions, sealedPage, (*check).collision)
}

// mergesAround are the merges that ever stood and are joined with a person through
// persons, in the order of the log: no others decide with whom it is one. It has no
// end but that of the merges themselves; a person has eight ids at most at a time.
func mergesAround(rd kv.Reader, m personMerges) (all []Merge, err error) {
	seen := map[PersonID]bool{}
	found := map[string]bool{}
	for look := m.ever(); len(look) > 0; {
		p := look[0]
		if look = look[1:]; seen[p] {
			continue
		}
		seen[p] = true
		own, _, err := merges.ScanIndex(rd, indexMergesByPerson, prefixOf(kv.Key(p[:]), kv.MaxScan))
		if err != nil {
			return nil, err
		}
		for _, one := range own {
			if one.From == 0 || found[one.ID] {
				continue
			}
			found[one.ID] = true
			all = append(all, one)
			look = append(look, one.Survivor, one.Loser)
		}
	}
	slices.SortFunc(all, func(a, b Merge) int { return cmp.Compare(a.From, b.From) })
	return all, nil
}

func prefixOf(key []byte, limit int) kv.Range {
	rng := kv.Prefix(key)
	rng.Limit = limit
	return rng
}

func (c *check) mergeSteps(m Merge) {
	state := MergeState("")
	stood, ended := uint64(0), uint64(0)
	for i, s := range m.Steps {
		to := MergeProposed
		if i > 0 {
			var err error
			if to, err = NextMerge(state, s.Do); err != nil {
				c.problem("merge %s: step %d cannot follow %s", m.ID, i+1, state)
			}
		}
		if s.To != to || i > 0 && s.LogIndex <= m.Steps[i-1].LogIndex {
			c.problem("merge %s: step %d leads to %s, out of the order of the log or of its table", m.ID, i+1, s.To)
		}
		if s.Do == ApproveMerge && s.To == MergeMerged {
			stood = s.LogIndex
		}
		if s.To == MergeUndone {
			ended = s.LogIndex
		}
		if s.Do == ApproveMerge && i > 0 && s.By == m.Steps[i-1].By {
			c.problem("merge %s was proposed and approved by one account", m.ID)
		}
		state = s.To
	}
	if m.State != state || m.From != stood || m.Until != ended {
		c.problem("merge %s is %s since %d until %d, its steps lead to %s, %d, %d", m.ID, m.State, m.From, m.Until, state, stood, ended)
	}
}

// groups holds what is recorded of one id against all merges.
func (c *check) groups(m personMerges, all []Merge) {
	steps := mergeMoments(all)
	for i, g := range m.Groups {
		if !slices.Contains(steps, g.From) || i > 0 && g.From <= m.Groups[i-1].From {
			c.problem("person %s has a group since entry %d, when no merge was made or undone", m.Person, g.From)
		}
	}
	for _, at := range steps {
		want := groupWith(groupsOf(standingAt(all, at)), m.Person)
		if got := m.at(at + 1); !slices.Equal(got, want) {
			c.problem("person %s has %d ids after entry %d, the merges that stood make %d", m.Person, len(got), at, len(want))
		}
	}
}

// mergeMoments are the entries of the log at which merges began and ended, in order.
func mergeMoments(all []Merge) (steps []uint64) {
	for _, one := range all {
		if steps = append(steps, one.From); one.Until != 0 {
			steps = append(steps, one.Until)
		}
	}
	slices.Sort(steps)
	return steps
}

// standingAt are the merges that stood behind an entry of the log.
func standingAt(all []Merge, at uint64) (standing []Merge) {
	for _, one := range all {
		if one.From <= at && (one.Until == 0 || one.Until > at) {
			standing = append(standing, one)
		}
	}
	return standing
}

func (c *check) collision(o Collision) error {
	state := CollisionOpen
	for i, s := range o.Steps {
		to, err := NextCollision(state, s.Do)
		if err != nil || s.To != to || i > 0 && s.LogIndex <= o.Steps[i-1].LogIndex {
			c.problem("collision %s: step %d cannot follow %s", o.ID, i+1, state)
		}
		state = s.To
		if approves := s.To == CollisionAccepted || s.To == CollisionToRecover || s.To == CollisionDismissed; approves && i > 0 && s.By == o.Steps[i-1].By {
			c.problem("collision %s was proposed and decided by one account", o.ID)
		}
	}
	if state != o.State {
		c.problem("collision %s is %s, its steps lead to %s", o.ID, o.State, state)
	}
	if !o.Source.Known() || len(o.Claims) == 0 {
		c.problem("collision %s has no source or names no claim", o.ID)
	}
	for _, id := range o.Claims {
		claim, ok, err := claims.Lookup(c.rd, indexClaimsByID, kv.Key(id))
		if err != nil {
			return err
		}
		if !ok || !slices.Contains(o.Payers, claim.Payer) {
			c.problem("collision %s names claim %s, which is not there or of no payer concerned", o.ID, id)
			return nil
		}
		if len(o.Regions) > 0 && !slices.Contains(o.Regions, c.r.regionHere(claim.Region)) {
			c.problem("collision %s is not seen in region %s, whose payer claim %s is of", o.ID, claim.Region, id)
		}
	}
	if o.State == CollisionDismissed || o.State == CollisionLapsed || len(o.Claims) == 0 {
		return nil
	}
	_, apart, err := partedBy(c.rd, o)
	if err == nil && apart {
		c.problem("collision %s is %s and its claims are not of one person", o.ID, o.State)
	}
	return err
}

// cannotReplay reports a person of whom there is more than an Update would read.
func cannotReplay(err error) bool { return fail.KindOf(err) == fail.Conflict }
