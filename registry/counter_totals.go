package registry

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"bajigong/internal/kv"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// ClaimTotal counts the claims of one payer under one policy in one year, or with
// an empty Payer those of all payers of the region. It is kept in the same Update
// as the claims it counts.
//
// What counts is what is written: a lock that ran out stays reserved until
// something is recorded on the claim. The policy is empty for payments of the past.
type ClaimTotal struct {
	Region string `json:"region"` // of the payer, GB/T 2260
	Policy string `json:"policy,omitempty"`
	Year   int    `json:"year"` // the natural year in which the claims count; of refusals the year of the answer
	Payer  string `json:"payer,omitempty"`

	Reserved  int `json:"reserved"`  // ever reserved here, whatever became of it
	Imported  int `json:"imported"`  // payments of the past
	Refused   int `json:"refused"`   // 不予锁定
	Confirmed int `json:"confirmed"` // 确认发放, now
	Refunded  int `json:"refunded"`  // 追回, all of it
	Duplicate int `json:"duplicate"` // 重复发放, now

	// Paid is all that was paid, Returned what of it the bank returned 退票, Back
	// what was recovered 追回: what people have is the first less the others.
	Paid     policy.Fen `json:"paid_fen"`
	Returned policy.Fen `json:"returned_fen"`
	Back     policy.Fen `json:"refunded_fen"`
}

// plus adds another count of the same place, or with -1 takes it away.
func (t ClaimTotal) plus(sign int, o ClaimTotal) ClaimTotal {
	for to, n := range map[*int]int{&t.Reserved: o.Reserved, &t.Imported: o.Imported, &t.Refused: o.Refused, &t.Confirmed: o.Confirmed,
		&t.Refunded: o.Refunded, &t.Duplicate: o.Duplicate} {
		*to += sign * n
	}
	for to, n := range map[*policy.Fen]policy.Fen{&t.Paid: o.Paid, &t.Returned: o.Returned, &t.Back: o.Back} {
		*to += policy.Fen(sign) * n
	}
	return t
}

// none reports whether nothing is counted.
func (t ClaimTotal) none() bool {
	return t == ClaimTotal{Region: t.Region, Policy: t.Policy, Year: t.Year, Payer: t.Payer}
}

// total is what one claim adds to its payer's total.
func (c Claim) total() ClaimTotal {
	t := ClaimTotal{Region: c.Region, Policy: c.Policy, Year: c.Year, Payer: c.Payer}
	if t.Year == 0 {
		t.Year = standards.DateOf(c.Reserved).Year()
	}
	switch {
	case c.State == StateRefused:
		t.Refused = 1
		return t
	case c.Imported != nil:
		t.Imported = 1
	default:
		t.Reserved = 1
	}
	switch c.State {
	case policy.Confirmed:
		t.Confirmed = 1
	case policy.Refunded:
		t.Refunded = 1
	case policy.Duplicate:
		t.Duplicate = 1
	}
	for _, s := range effectiveSteps(c.steps()) {
		if s.Kind == StepPaid {
			t.Paid += s.Amount
		}
	}
	kept, back := c.Money()
	t.Returned, t.Back = t.Paid-kept, back
	return t
}

// claimTally collects what changes in the totals, those of the region included.
type claimTally map[string]ClaimTotal

func (y claimTally) add(sign int, t ClaimTotal) {
	all := t
	all.Payer = ""
	for _, one := range []ClaimTotal{t, all} {
		key := string(claimTotals.Key(one))
		sum, ok := y[key]
		if !ok {
			sum = ClaimTotal{Region: one.Region, Policy: one.Policy, Year: one.Year, Payer: one.Payer}
		}
		y[key] = sum.plus(sign, one)
	}
}

// countClaims brings the totals up to claims that are about to be put: what is
// stored of them now was counted before. It stands before every Put of a claim.
func countClaims(tx kv.Tx, cs ...Claim) error {
	keys := make([][]byte, len(cs))
	for i, c := range cs {
		keys[i] = claims.Key(c)
	}
	before, there, err := claims.GetMany(tx, keys)
	if err != nil {
		return err
	}
	tally := claimTally{}
	for i, c := range cs {
		if there[i] {
			tally.add(-1, before[i].total())
		}
		tally.add(1, c.total())
	}
	return tally.put(tx)
}

// put adds what was collected to the totals that are stored.
func (y claimTally) put(tx kv.Tx) error {
	var order []string
	for key, t := range y {
		if !t.none() {
			order = append(order, key)
		}
	}
	slices.Sort(order)
	keys := make([][]byte, len(order))
	for i, key := range order {
		keys[i] = []byte(key)
	}
	stored, there, err := claimTotals.GetMany(tx, keys)
	if err != nil || len(keys) == 0 {
		return err
	}
	sums := make([]ClaimTotal, len(keys))
	for i, key := range order {
		if sums[i] = y[key]; there[i] {
			sums[i] = stored[i].plus(1, y[key])
		}
	}
	return claimTotals.PutMany(tx, sums)
}

// claimsCounted counts the claims of a store that did not count them, and names the
// institutions of their certificates.
func claimsCounted(tx kv.Tx, cursor []byte) (next []byte, done bool, err error) {
	page, next, err := claims.Scan(tx, kv.Range{From: cursor, Limit: migrationPage})
	if err != nil || len(page) == 0 {
		return nil, true, err
	}
	keys := make([][]byte, len(page))
	for i, c := range page {
		keys[i] = kv.Key(c.Certificate)
	}
	certs, there, err := certificates.GetMany(tx, keys)
	if err != nil {
		return nil, false, err
	}
	tally := claimTally{}
	for i, c := range page {
		if there[i] && c.Certificate != "" {
			page[i].Institution = certs[i].Institution
		}
		tally.add(1, c.total())
	}
	if err := tally.put(tx); err != nil {
		return nil, false, err
	}
	return next, next == nil, claims.PutMany(tx, page)
}

// claimTotals recounts all claims and holds the totals against them.
func (c *check) claimTotals() error {
	c.of(tableClaims)
	return c.compare(claimTotalFigures, (*check).addClaimTotals, func(id string, want, have []int64) {
		t := claimTotalAt(id)
		c.problem("the totals of region %s, policy %s, payer %s in %d are not those of its claims: %v instead of %v", t.Region, t.Policy, t.Payer, t.Year, have, want)
	})
}

func (c *check) addClaimTotals(s *agreement) error {
	err := eachPage(c, claims, pageMax, func(page []Claim) error {
		tally := claimTally{}
		for _, one := range page {
			tally.add(1, one.total())
		}
		for key, t := range tally {
			s.add(sideLedger, key, t.figures()...)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return scanAll(c, claimTotals, func(page []ClaimTotal) {
		for _, t := range page {
			s.add(sideKept, string(claimTotals.Key(t)), t.figures()...)
		}
	})
}

const claimTotalFigures = 9

// figures are what a total counts, in the order in which counting takes them.
func (t ClaimTotal) figures() []int64 {
	return []int64{int64(t.Reserved), int64(t.Imported), int64(t.Refused), int64(t.Confirmed), int64(t.Refunded), int64(t.Duplicate),
		int64(t.Paid), int64(t.Returned), int64(t.Back)}
}

// claimTotalAt is an empty total at its place in the table.
func claimTotalAt(key string) (t ClaimTotal) {
	parts, err := kv.ParseKey([]byte(key))
	if err != nil || len(parts) != 4 {
		return t
	}
	t.Region, _ = parts[0].(string)
	t.Policy, _ = parts[1].(string)
	year, _ := parts[2].(uint64)
	t.Payer, _ = parts[3].(string)
	t.Year = int(year)
	return t
}

// counting is the total with other figures.
func (t ClaimTotal) counting(n []int64) ClaimTotal {
	for i, to := range []*int{&t.Reserved, &t.Imported, &t.Refused, &t.Confirmed, &t.Refunded, &t.Duplicate} {
		*to = int(n[i])
	}
	for i, to := range []*policy.Fen{&t.Paid, &t.Returned, &t.Back} {
		*to = policy.Fen(n[6+i])
	}
	return t
}

// ClaimTotalFilter narrows totals. Without a Payer the sums of the regions are
// answered; a payer sees its own.
type ClaimTotalFilter struct {
	Region string // and those within it; the caller's own when empty
	Policy string
	Year   int // 0: every year
	Payer  string
}

// ClaimTotals is one page of the totals of claims per policy and year, by region,
// policy and year. A page may be short, or empty, and not the last.
func (r *Registry) ClaimTotals(ctx context.Context, by Actor, f ClaimTotalFilter, page Page) (out []ClaimTotal, next string, err error) {
	f.Region = cmp.Or(f.Region, by.Region)
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		out, next = nil, ""
		if f.Payer == "" && by.has(RolePayer) {
			f.Payer = by.Organisation
		}
		if may(by, OverseeClaims, Object{Region: f.Region}) != nil {
			if err := may(by, ReadClaim, Object{Payer: f.Payer, Region: f.Region}); err != nil {
				return err
			}
		}
		rng, err := page.within(withinRegion(f.Region))
		if err != nil {
			return err
		}
		ts, cursor, err := claimTotals.Scan(rd, rng)
		if err != nil {
			return err
		}
		for _, t := range ts {
			if t.Payer == f.Payer && (f.Policy == "" || t.Policy == f.Policy) && (f.Year == 0 || t.Year == f.Year) && governs(f.Region, t.Region) {
				out = append(out, t)
			}
		}
		next = encodeCursor(cursor)
		return nil
	})
	return out, next, err
}

// withinRegion is the range of keys that begin with a region or one below it; who
// reads still asks governs.
func withinRegion(region string) kv.Range {
	short := region
	for strings.HasSuffix(short, "00") {
		short = strings.TrimSuffix(short, "00")
	}
	if short == "" {
		return kv.Range{}
	}
	last := []byte(short)
	last[len(last)-1]++ // a digit becomes the next one, 9 a colon, which follows it
	return kv.Range{From: kv.Key(short), To: kv.Key(string(last))}
}

// claimsOfInstitution is ClaimsWhere for the certificates of one institution.
func (r *Registry) claimsOfInstitution(ctx context.Context, by Actor, f ClaimFilter, page Page) (out []ClaimView, next string, err error) {
	if len(f.Institution) > 64 {
		return nil, "", badFilter("institution", "没有该机构", "there is no such institution")
	}
	rng := kv.Prefix(kv.Key(f.Institution))
	if f.From != "" {
		rng.From = kv.Key(f.Institution, uint64(f.From.Time().Unix()))
	}
	if f.To != "" {
		rng.To = kv.Key(f.Institution, uint64(f.To.AddDays(1).Time().Unix()))
	}
	err = r.view(ctx, func(rd kv.Reader, now time.Time) error {
		out, next = nil, ""
		if err := may(by, OverseeClaims, Object{Region: by.Region}); err != nil {
			return err
		}
		cs, cursor, err := scanIndexPage(rd, claims, indexClaimsByInstitution, rng, page)
		if err != nil {
			return err
		}
		for _, c := range cs {
			if may(by, OverseeClaims, Object{Region: c.Region}) != nil || f.Payer != "" && c.Payer != f.Payer {
				continue
			}
			if v := c.View(now); f.State == "" || v.State == f.State {
				out = append(out, v)
			}
		}
		next = cursor
		return nil
	})
	return out, next, err
}
