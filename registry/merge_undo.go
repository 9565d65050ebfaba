package registry

import (
	"fmt"
	"slices"

	"bajigong/internal/kv"
	"bajigong/registry/policy"
)

// partCollisions looks again at the collisions of a person whose merge m was undone;
// members are the ids that were one person before. One whose claims are not of one
// person any more lapses, whether this merge, another one, a ledger or a late payment
// has brought it. Where the rest of its claims still collides, under a merge that
// stands, that is opened anew, with ids that begin with base.
func (r *Registry) partCollisions(tx kv.Tx, by Actor, m Merge, members []PersonID, base string) error {
	var open []Collision
	for _, p := range members {
		all, err := collisionsOf(tx, p)
		if err != nil {
			return err
		}
		open = append(open, all...)
	}
	opened := 0
	for _, c := range open {
		if c.State == CollisionDismissed || c.State == CollisionLapsed {
			continue
		}
		rest, apart, err := partedBy(tx, c)
		if err != nil {
			return err
		}
		if !apart && c.Merge != m.ID {
			continue
		}
		lapsed, err := c.Lapse("合并已撤销（"+m.ID+"）", by, tx.Now())
		if err == nil {
			_, err = r.putCollision(tx, by, lapsed)
		}
		if err != nil {
			return err
		}
		if c.Merge == m.ID || len(rest) < 2 {
			continue
		}
		opened++
		if err := r.collideRest(tx, by, c, rest, fmt.Sprintf("%s-%d", base, opened)); err != nil {
			return err
		}
	}
	return nil
}

// collisionsOf are the collisions whose newer claim is under one id of a person.
func collisionsOf(rd kv.Reader, p PersonID) (out []Collision, err error) {
	rng := prefixOf(kv.Key(p[:]), claimsMax)
	for {
		page, next, err := collisions.ScanIndex(rd, indexCollisionsByPerson, rng)
		if err != nil {
			return nil, err
		}
		if out = append(out, page...); next == nil {
			return out, nil
		}
		rng.From = next
	}
}

// partedBy answers those of a collision's claims that are of one person with its
// newer one, which comes first, and whether there are others.
func partedBy(rd kv.Reader, c Collision) (rest []Claim, apart bool, err error) {
	var ids []PersonID
	for i, id := range c.Claims {
		claim, ok, err := claims.Lookup(rd, indexClaimsByID, kv.Key(id))
		if err != nil || !ok {
			return nil, false, cmpErr(err, "collision %s: there is no claim %s", c.ID, id)
		}
		if i == 0 {
			if ids, err = identities(rd, claim.Person); err != nil {
				return nil, false, err
			}
		}
		if slices.Contains(ids, claim.Person) {
			rest = append(rest, claim)
		} else {
			apart = true
		}
	}
	return rest, apart, nil
}

// collideRest opens the collision of what is left of one, if it still is one.
func (r *Registry) collideRest(tx kv.Tx, by Actor, was Collision, rest []Claim, id string) error {
	newer := rest[0]
	if newer.StateAt(tx.Now()).Counts() == policy.CountsNot {
		return nil
	}
	failing, against, err := r.standsAgainst(tx, newer, rest[1:], tx.Now())
	if err != nil || len(against) == 0 {
		return err
	}
	_, err = r.openCollision(tx, by, Collision{ID: id, Source: was.Source, Merge: was.Merge, Person: newer.Person, Rules: failing}, newer, against)
	return err
}
