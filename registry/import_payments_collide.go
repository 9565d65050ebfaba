package registry

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// collidePast looks through all claims of the persons of made, payments that were
// just taken over, in the order in which they were received, and opens a collision
// for each that a rule would have refused beside the earlier ones, if a payment
// taken over is among them. Claims decided here that come after are looked at too:
// they were allowed because the past was not known.
func (r *Registry) collidePast(tx kv.Tx, by Actor, made []Claim, id func() string) error {
	fresh := map[string]bool{}
	for _, c := range made {
		fresh[c.ID] = true
	}
	var people []PersonID
	met := map[PersonID]bool{}
	for _, c := range made {
		if !met[c.Person] {
			people, met[c.Person] = append(people, c.Person), true
		}
	}
	for _, person := range people {
		all, err := personClaims(tx, person)
		if err != nil {
			return err
		}
		slices.SortFunc(all, func(a, b Claim) int {
			return cmp.Or(a.Reserved.Compare(b.Reserved), cmp.Compare(a.LogIndex, b.LogIndex), cmp.Compare(a.Seq, b.Seq))
		})
		first := slices.IndexFunc(all, func(c Claim) bool { return fresh[c.ID] }) // those before it stood beside each other already
		for i := max(first, 0); i < len(all); i++ {
			c := all[i]
			if c.StateAt(tx.Now()).Counts() != policy.CountsYes {
				continue
			}
			failing, against, err := r.standsAgainst(tx, c, all[:i], tx.Now())
			if err != nil {
				return err
			}
			if len(against) == 0 || !fresh[c.ID] && !slices.ContainsFunc(against, func(a Claim) bool { return fresh[a.ID] }) {
				continue
			}
			if err := r.collide(tx, by, FromImport, c, against, failing, id()); err != nil {
				return err
			}
		}
	}
	return nil
}

// samePaid is what holds where no policy of the time is known: what every text
// read so far forbids.
var samePaid = policy.Failure{Rule: "same_payment", Reason: policy.OnceTaken, Clause: "登记系统核对规则（无适用的政策文本）",
	Text:   policy.Text{ZH: "同一职业同一等级、同一证书已有发放记录。", EN: "The same occupation and level, or the same certificate, was paid for already."},
	Detail: policy.Text{ZH: "当时当地的政策未载入，请核对是否重复发放", EN: "no policy of that place and time is loaded; compare whether it was paid twice"}}

// standsAgainst are the rules that refuse c beside earlier claims of its person,
// and those claims: by the policy c was decided by, or for a payment of the past
// by that of its place, fund and day.
func (r *Registry) standsAgainst(rd kv.Reader, c Claim, earlier []Claim, now time.Time) ([]policy.Failure, []Claim, error) {
	p, known, err := r.policyOnce(rd, c)
	if err != nil {
		return nil, nil, err
	}
	var basis claimBasis // what it was decided on; of a payment of the past nothing is known
	if c.Imported == nil {
		if basis, _, err = r.claimBasis(rd, c); err != nil {
			return nil, nil, err
		}
	}
	past, facts := pastClaims(p, earlier, c.ID, basis.Facts)
	for i := range past {
		past[i].Payer = c.Payer // so that what blocks is named whosever it is
	}
	if !known {
		against := slices.DeleteFunc(slices.Clone(earlier), func(e Claim) bool {
			return e.StateAt(now).Counts() != policy.CountsYes || e.Subject.Kind != c.Subject.Kind || c.Subject.Kind != policy.ForCertificate ||
				!(e.Occupation == c.Occupation && e.Level == c.Level || e.Certificate != "" && e.Certificate == c.Certificate)
		})
		if len(against) == 0 {
			return nil, nil, nil
		}
		return []policy.Failure{samePaid}, against, nil
	}
	in := policy.Input{Now: now, Received: cmp.Or(c.Received, basis.Received), Payer: c.Payer, Claims: past, Facts: facts, Subject: c.Subject, Equivalence: r.samenessOn(standards.DateOf(now)),
		Certificate: policy.Certificate{Number: c.Certificate, Occupation: c.Occupation, Edition: c.Edition, Trade: c.Trade, Level: c.Level, Issued: c.Issued}}
	if c.Imported == nil {
		in, _ = r.complete(rd, in, basis) // with its facts, exceptions and subject; a table that is gone leaves that of the day
		in.Subject = c.Subject            // with the units that were decided
	}
	failing := p.Taken(in)
	var against []Claim
	for _, e := range earlier {
		if slices.ContainsFunc(failing, func(f policy.Failure) bool {
			return slices.ContainsFunc(f.Blocks, func(b policy.Block) bool { return b.Claim == e.ID })
		}) {
			against = append(against, e)
		}
	}
	for i := range failing { // who reads the rules may not be who was paid
		for n := range failing[i].Blocks {
			failing[i].Blocks[n].Own, failing[i].Blocks[n].Claim, failing[i].Blocks[n].State = false, "", ""
		}
		failing[i].Detail = policy.Text{ZH: "与同一人更早的申领重复，见所列申领", EN: "it stands beside earlier claims of the same person, which are listed"}
	}
	return failing, against, nil
}

// policyOnce is the policy under which a claim's right was or would have been
// used; known is false for a payment of the past for which none is loaded.
func (r *Registry) policyOnce(rd kv.Reader, c Claim) (p policy.Policy, known bool, err error) {
	if c.Imported == nil {
		p, err = r.policyOf(rd, c)
		return p, err == nil, err
	}
	p, err = r.cfg.Policies.Official().Select(policy.Query{Region: c.Region, Fund: c.Fund, Received: c.Received, Issued: c.Issued, Subject: c.Subject.Kind})
	switch fail.KindOf(err) {
	case fail.NotFound, fail.Invalid:
		return policy.Policy{}, false, nil
	}
	return p, err == nil, err
}

// collideNow opens a collision for a claim that stands again under entry index of
// the log beside claims that were made while it did not: a payment was reported
// late, when the right was gone 重复发放, or a correction took a refund away.
func (r *Registry) collideNow(tx kv.Tx, by Actor, source CollisionSource, c Claim, index uint64) error {
	all, err := personClaims(tx, c.Person)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(e Claim) bool { return e.ID == c.ID })
	failing, against, err := r.standsAgainst(tx, c, all, tx.Now())
	if err != nil || len(against) == 0 { // what stands against it may be a certificate that is held
		return err
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %s %d", source, c.ID, index))
	return r.collide(tx, by, source, c, against, failing, "o-"+base32id(sum[:10]))
}
