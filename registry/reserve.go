package registry

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/registry/locks"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// ReserveClaim reserves a claim 锁定 for the days that the rules of the payer's
// region give (package locks), or refuses it, in one Update that reads all the
// person's claims and certificates. Either is recorded under the payer's
// reference and answered again, with the state as of then, when the same request
// comes once more. What is held, and what matches no certificate, is answered
// and not recorded: the reference stays free for the completed request.
//
// Conflict reference_reused: the reference belongs to a request with another
// content; no_lock_rule: no rule file gives those days; too_many_claims. Invalid: the request has
// mistakes.
func (r *Registry) ReserveClaim(ctx context.Context, by Actor, req ClaimRequest) (ClaimAnswer, error) {
	q, err := req.parse(true)
	if err != nil {
		return ClaimAnswer{}, err
	}
	digest, err := q.digest()
	if err != nil {
		return ClaimAnswer{}, err
	}
	id, salt, fresh := r.rand.idAt("c", r.cfg.Now()), r.rand.salt(), r.rand.person()
	var out ClaimAnswer
	var kept []string
	err = r.db.Update(ctx, func(tx kv.Tx) error {
		out, kept = ClaimAnswer{}, nil
		if err := may(by, UseClaims, Object{Payer: by.Organisation, Region: by.Region}); err != nil {
			return err
		}
		earlier, ok, err := claims.Lookup(tx, indexClaimsByReference, kv.Key(by.Organisation, q.reference))
		if err != nil {
			return err
		}
		if ok {
			out, err = r.answerAgain(tx, earlier, digest)
			return err
		}
		d, err := r.decideClaim(tx, by, q, tx.Now())
		if err != nil {
			return err
		}
		out = d.answer()
		if !d.match || out.Outcome == policy.Hold || out.Outcome == policy.Deny && len(d.claims) >= refusalsMax {
			return nil
		}
		if err := roomFor(by, d.claims, tx.Now()); err != nil {
			return err
		}
		if d.person, err = r.holderOf(tx, q, d, fresh); err != nil {
			return err
		}
		d.basis.Salt, d.basis.Request = salt[:], digest
		c, err := r.recordClaim(tx, by, d, Claim{ID: id, Payer: by.Organisation, Region: by.Region, Reference: q.reference})
		if err != nil {
			return err
		}
		view := c.View(tx.Now())
		out.Claim = &view
		kept, err = r.recordLaws(tx, by, d)
		return err
	})
	if err != nil {
		return ClaimAnswer{}, fmt.Errorf("reserve claim: %w", err)
	}
	for _, digest := range kept {
		r.laws.Store(digest, nil)
	}
	return out, nil
}

// roomFor refuses one more record where a person's claims would become too many to
// be read for a decision, and, long before, where one payer has reserved and given
// up again and again: it cannot fill the room that claims of others need.
func roomFor(by Actor, all []Claim, now time.Time) error {
	if len(all) >= claimsMax {
		return tooManyClaims()
	}
	given := 0
	for _, c := range all {
		if c.Payer == by.Organisation && c.StateAt(now).GivenUp() {
			given++
		}
	}
	if given < givenUpMax {
		return nil
	}
	return fail.New(fail.Conflict, "too_many_claims", "you have reserved and given up %d claims of this person; ask the register's operator for a review", given).
		In("本机构对该人员的锁定已解除、撤回或到期 %d 次，请联系登记系统运营方复核", given)
}

// claimDecided is the detail of the event of a reservation or refusal.
type claimDecided struct {
	Policy   string          `json:"policy"`
	Version  int             `json:"policy_version"`
	Digest   string          `json:"policy_digest"`
	TreeSize uint64          `json:"tree_size"`
	Basis    string          `json:"basis"` // SHA-256 of the sealed basis, hexadecimal
	Outcome  policy.Outcome  `json:"outcome"`
	Reasons  []policy.Reason `json:"reasons"`
	Amount   policy.Fen      `json:"amount_fen"`
	Expires  time.Time       `json:"expires,omitzero"` // absent in the first release
}

// recordClaim stores a decision as the person's next claim, seals what it rests
// on and logs it.
func (r *Registry) recordClaim(tx kv.Tx, by Actor, d decided, c Claim) (Claim, error) {
	seq, err := nextClaim(tx, d.person)
	if err != nil {
		return c, err
	}
	basis, err := json.Marshal(d.basis)
	if err != nil {
		return c, err
	}
	sum := sha256.Sum256(basis)
	c = c.fill(d, seq, sum[:])
	c.Reserved, c.Since = tx.Now(), tx.Now()
	kind := ClaimRefused
	if c.State == policy.Reserved {
		rules, err := r.lockRules(c.Region, tx.Now())
		if err != nil {
			return c, err
		}
		kind, c.Expires = ClaimReserved, rules.Until(tx.Now())
	}
	c.LogIndex, err = r.appendEvent(tx, by, Event{Kind: kind, Object: c.ID, Payer: c.Payer, Detail: claimDecided{
		Policy: c.Policy, Version: c.PolicyVersion, Digest: c.PolicyDigest, TreeSize: d.size, Basis: hex.EncodeToString(c.Basis),
		Outcome: c.Outcome, Reasons: c.Reasons, Amount: c.Amount, Expires: c.Expires}})
	if err != nil {
		return c, err
	}
	if err := countClaims(tx, c); err != nil {
		return c, err
	}
	if err := claims.Put(tx, c); err != nil {
		return c, err
	}
	block, err := r.vault.sealBytes(sealedBasis(c), basis)
	if err != nil {
		return c, err
	}
	tx.Put(tableSealed, sealedBasis(c).storeKey(), block)
	return c, nil
}

// nextClaim is the number of a person's next claim. Claims are never removed.
func nextClaim(rd kv.Reader, p PersonID) (int, error) {
	rng := kv.Prefix(kv.Key(p[:]))
	rng.Limit, rng.Reverse = 1, true
	last, err := rd.Scan(tableClaims, rng)
	if err != nil || len(last) == 0 {
		return 1, err
	}
	parts, err := kv.ParseKey(last[0].Key)
	if err != nil {
		return 0, err
	}
	n, ok := parts[len(parts)-1].(uint64)
	if !ok {
		return 0, fmt.Errorf("the key %x of a claim ends with no number", last[0].Key)
	}
	return int(n) + 1, nil
}

// lockRules are the rules for the life of claims of a region on the day of now.
// Conflict no_lock_rule: there are none.
func (r *Registry) lockRules(region string, now time.Time) (locks.Rules, error) {
	rules, ok := r.cfg.Rules.Locks.On(region, string(standards.DateOf(now)))
	if !ok {
		return rules, fail.New(fail.Conflict, "no_lock_rule", "no rule file says how long a claim of region %s stands reserved", region).
			In("没有规定地区 %s 补贴申领锁定期限的规则文件", region)
	}
	return rules, nil
}

// fill takes over what was decided. A refusal ends where it begins.
func (c Claim) fill(d decided, seq int, basis []byte) Claim {
	cert, decision := claimed(d.certificate, d.certificate.Status, d.basis.Received), d.basis.Decision
	c.Person, c.Seq, c.Basis = d.person, seq, basis
	c.Policy, c.PolicyVersion, c.PolicyDigest, c.Fund = d.policy.ID, d.policy.Version, d.policy.Digest, d.policy.Fund
	c.Certificate, c.CertificateVersion, c.Institution = cert.Number, d.certificate.Versions, d.certificate.Institution
	c.Occupation, c.Edition, c.Trade, c.Level = cert.Occupation, cert.Edition, cert.Trade, cert.Level
	c.Outcome, c.Reasons, c.Amount = decision.Outcome, reasonsOf(decision), decision.Amount
	c.OnceKey, c.Year = decision.OnceKey, decision.Year
	c.Received, c.Issued, c.Scarce = d.basis.Received, cert.Issued, decision.Scarce
	c.PayTo, c.Advance = decision.PayTo, decision.AdvanceMost
	c.State = policy.Reserved
	if decision.Outcome != policy.Allow {
		c.State = StateRefused
	}
	return c.ofSubject(d)
}

// answerAgain answers a reference that was used before.
func (r *Registry) answerAgain(tx kv.Tx, c Claim, digest []byte) (ClaimAnswer, error) {
	if c.Imported != nil {
		return ClaimAnswer{}, fail.New(fail.Conflict, "reference_reused", "the reference %s belongs to a payment of the past; use a new reference", c.Reference).
			In("流水号 %s 已用于导入的历史发放记录，请更换流水号", c.Reference)
	}
	basis, _, err := r.claimBasis(tx, c)
	if err != nil {
		return ClaimAnswer{}, err
	}
	if !bytes.Equal(basis.Request, digest) {
		return ClaimAnswer{}, fail.New(fail.Conflict, "reference_reused", "the reference %s belongs to claim %s, which has another content; use a new reference", c.Reference, c.ID).
			In("流水号 %s 已用于申领 %s，内容不同，请更换流水号", c.Reference, c.ID)
	}
	view := c.View(tx.Now())
	return ClaimAnswer{Outcome: c.Outcome, Reasons: c.Reasons, Next: nextSteps(basis.Decision), Match: true, Decision: &basis.Decision, Claim: &view,
		Unconfirmed: basis.Unconfirmed, TreeSize: c.LogIndex}, nil
}

// claimBasis opens what a claim's decision rests on. sound tells whether it is
// what the claim was recorded with.
func (r *Registry) claimBasis(rd kv.Reader, c Claim) (out claimBasis, sound bool, err error) {
	var stored json.RawMessage
	ok, err := r.vault.open(rd, sealedBasis(c), &stored)
	if err == nil && !ok {
		ok, err = r.vault.open(rd, sealedFacts(c), &stored)
	}
	if err != nil {
		return out, false, err
	}
	if !ok {
		return out, false, fmt.Errorf("claim %s has no sealed basis", c.ID)
	}
	sum := sha256.Sum256(stored)
	return out, bytes.Equal(sum[:], c.Basis), kv.Unmarshal(stored, &out)
}
