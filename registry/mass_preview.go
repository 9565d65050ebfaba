package registry

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"slices"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/registry/policy"
)

// previewMass counts what a mass change would do now. It reads page by page, a
// View each, and holds up no writer: the set is fixed by the time of the first
// page, and what changes on certificates and claims meanwhile gives another hash.
// Conflict mass_too_large: more than one mass change may have.
func (r *Registry) previewMass(ctx context.Context, m MassChange) (MassPreview, error) {
	var p *massCount
	var cursor []byte
	for read := 0; ; {
		var next []byte
		err := r.view(ctx, func(rd kv.Reader, now time.Time) error {
			if p == nil {
				p = newMassCount(m, now)
			}
			set, err := m.setOf(rd, p.AsOf)
			if err != nil {
				return err
			}
			members, n, after, err := r.readMassSet(rd, set, cursor)
			if err != nil {
				return err
			}
			read, next = read+n, after
			return p.add(rd, m, members, now)
		})
		if err != nil {
			return MassPreview{}, err
		}
		if p.Affected > massAffectedMax || read > massReadMax {
			return MassPreview{}, fail.New(fail.Conflict, "mass_too_large", "one mass change takes at most %d certificates out of %d; do it by session or by period", massAffectedMax, massReadMax).
				In("一次最多处理 %d 份证书（检索不超过 %d 份）；请按认定批次或发证时段分次办理", massAffectedMax, massReadMax)
		}
		if cursor = next; next == nil {
			return p.preview(), nil
		}
	}
}

// massCount is a preview that is being counted.
type massCount struct {
	MassPreview
	sum    hash.Hash
	claims map[policy.State]*MassClaims
	payers map[string]*MassPayer
}

func newMassCount(m MassChange, now time.Time) *massCount {
	p := &massCount{sum: sha256.New(), claims: map[policy.State]*MassClaims{}, payers: map[string]*MassPayer{}}
	p.AsOf, p.ByStatus = now, map[CertificateStatus]int{}
	scope, _ := json.Marshal(m.Scope) // texts and dates only: it cannot fail
	fmt.Fprintf(p.sum, "mass change\n%s %s %s %s\n", m.Kind, m.Lifts, m.Region, scope)
	return p
}

func (p *massCount) add(rd kv.Reader, m MassChange, members []Certificate, now time.Time) error {
	var affected []string
	for _, c := range members {
		p.Certificates++
		p.ByStatus[c.Status]++
		if c.Origin != OriginHere {
			p.Elsewhere++
		}
		if _, ok := changeTable[m.Kind][c.Status]; ok {
			p.Affected++
			affected = append(affected, c.Number)
		}
		fmt.Fprintf(p.sum, "%s %s\n", c.Number, c.Status)
	}
	touched, err := claimsOn(rd, affected)
	if err != nil {
		return err
	}
	for _, c := range touched {
		if c.State != StateRefused {
			p.claim(c, c.StateAt(now))
		}
	}
	return nil
}

func (p *massCount) claim(c Claim, state policy.State) {
	if p.claims[state] == nil {
		p.claims[state] = &MassClaims{State: state}
	}
	p.claims[state].Claims++
	p.claims[state].Amount += c.Amount
	if p.payers[c.Payer] == nil {
		p.payers[c.Payer] = &MassPayer{Payer: c.Payer}
	}
	payer := p.payers[c.Payer]
	payer.Claims++
	switch state {
	case policy.Reserved, policy.Publicised, policy.Payable:
		payer.Reserved += c.Amount
	case policy.Confirmed, policy.Duplicate:
		payer.Paid += c.Amount
	case policy.PartPaid, policy.Recovering, policy.PartlyRefunded:
		payer.Paid += c.InHands()
	}
	fmt.Fprintf(p.sum, "%s %s %d\n", c.ID, state, c.Amount)
}

func (p *massCount) preview() MassPreview {
	out := p.MassPreview
	for _, c := range p.claims {
		out.Claims = append(out.Claims, *c)
	}
	slices.SortFunc(out.Claims, func(a, b MassClaims) int { return cmp.Compare(a.State, b.State) })
	for _, payer := range p.payers {
		out.Payers = append(out.Payers, *payer)
	}
	slices.SortFunc(out.Payers, func(a, b MassPayer) int {
		return cmp.Or(cmp.Compare(b.Paid, a.Paid), cmp.Compare(b.Reserved, a.Reserved), cmp.Compare(a.Payer, b.Payer))
	})
	if more := len(out.Payers) - massPayers; more > 0 {
		out.Payers, out.PayersMore = out.Payers[:massPayers], more
	}
	out.Hash = hex.EncodeToString(p.sum.Sum(nil))
	return out
}

// claimsOn reads the claims on certificates, by number and then id. It walks the
// index in the order of the numbers and jumps over what belongs to others, so
// that certificates without claims, most of a set, cost no read of their own.
func claimsOn(rd kv.Reader, numbers []string) (out []Claim, err error) {
	numbers = slices.Sorted(slices.Values(numbers))
	if len(numbers) == 0 {
		return nil, nil
	}
	rng := kv.Prefix(kv.Key(numbers[len(numbers)-1]))
	rng.From, rng.Limit = kv.Key(numbers[0]), claimsPage
	for {
		entries, err := rd.Scan(indexClaimsByCertificate, rng)
		if err != nil {
			return nil, err
		}
		own, passed, err := ownEntries(entries, numbers)
		if err != nil {
			return nil, err
		}
		found, _, err := claims.GetMany(rd, own)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
		if numbers = numbers[passed:]; len(entries) < rng.Limit || len(numbers) == 0 {
			return out, nil
		}
		rng.From = append(entries[len(entries)-1].Key, 0)
		if jump := kv.Key(numbers[0]); bytes.Compare(jump, rng.From) > 0 {
			rng.From = jump
		}
	}
}

// claimsPage is how many entries claimsOn reads at once: few, since those of
// other certificates are read in vain.
const claimsPage = 200

// ownEntries are the primary keys of the entries whose certificate is one of
// numbers, both in order, and how many numbers lie before the last entry.
func ownEntries(entries []kv.Entry, numbers []string) (own [][]byte, passed int, err error) {
	for _, e := range entries {
		parts, err := kv.ParseKey(e.Key)
		if err != nil || len(parts) != 2 {
			return nil, 0, fmt.Errorf("%s: key %x is not number, id: %v", indexClaimsByCertificate, e.Key, err)
		}
		number, ok := parts[0].(string)
		if !ok {
			return nil, 0, fmt.Errorf("%s: key %x has no number", indexClaimsByCertificate, e.Key)
		}
		for passed < len(numbers) && numbers[passed] < number {
			passed++
		}
		if passed < len(numbers) && numbers[passed] == number {
			own = append(own, e.Value)
		}
	}
	return own, passed, nil
}
