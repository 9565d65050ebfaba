package registry

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"bajigong/internal/kv"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// ClaimPatternKind says what is conspicuous about the claims of a person.
type ClaimPatternKind string

// The patterns. None proves anything.
const (
	PatternTrades   ClaimPatternKind = "near_trades"       // paid for several trades of one occupation, or for near occupations
	PatternPayers   ClaimPatternKind = "refused_elsewhere" // refused by one payer and allowed by another
	PatternMany     ClaimPatternKind = "many_claims"       // many claims in a short time
	PatternEmployer ClaimPatternKind = "same_employer"     // pre-job training and work as training at one employer
)

var patternHints = map[ClaimPatternKind]policy.Text{
	PatternTrades:   {ZH: "同一职业的多个工种（或相近职业）在规定时间内均已发放，供抽查参考", EN: "paid for several trades of one occupation, or for near occupations; a hint for a closer look"},
	PatternPayers:   {ZH: "一家经办机构不予锁定后，另一家在规定时间内予以锁定，供抽查参考", EN: "refused by one payer and allowed by another soon after; a hint for a closer look"},
	PatternMany:     {ZH: "同一人在规定时间内多次申领，供抽查参考", EN: "many claims of one person in a short time; a hint for a closer look"},
	PatternEmployer: {ZH: "同一人在同一用人单位既有岗前培训又有以工代训申领，供抽查参考", EN: "claims for pre-job training and for work as training at one employer; a hint for a closer look"},
}

// ClaimPattern is a hint for an auditor, and no finding of guilt: each of its
// claims was decided by its own rules. It names ids only.
type ClaimPattern struct {
	Kind     ClaimPatternKind `json:"kind"`
	Person   PersonID         `json:"person"`
	Claims   []string         `json:"claims"` // ids, in the order of the log
	Payers   []string         `json:"payers"`
	Employer string           `json:"employer,omitempty"`
	Hint     policy.Text      `json:"hint"`
}

// PatternThresholds are from where on something is conspicuous. No document says
// them: they are what the auditor asks for.
type PatternThresholds struct {
	TradeMonths int `json:"trade_months"` // PatternTrades: months between the reservations
	PayerDays   int `json:"payer_days"`   // PatternPayers
	Claims      int `json:"claims"`       // PatternMany: this many …
	ClaimDays   int `json:"claim_days"`   // … in so many days
}

// SamplePatternThresholds is what is taken where the auditor says nothing: a sample.
var SamplePatternThresholds = PatternThresholds{TradeMonths: 12, PayerDays: 30, Claims: 3, ClaimDays: 90}

func (t PatternThresholds) check() error {
	switch {
	case t.TradeMonths < 1 || t.TradeMonths > 120:
		return badFilter("trade_months", "应为 1 至 120", "1 to 120")
	case t.PayerDays < 1 || t.PayerDays > 366:
		return badFilter("payer_days", "应为 1 至 366", "1 to 366")
	case t.Claims < 2 || t.Claims > 100:
		return badFilter("claims", "应为 2 至 100", "2 to 100")
	case t.ClaimDays < 1 || t.ClaimDays > 3660:
		return badFilter("claim_days", "应为 1 至 3660", "1 to 3660")
	}
	return nil
}

// PatternQuery asks for patterns among the claims reserved or refused on days of a
// region.
type PatternQuery struct {
	Region string         // of the payers, and those within it; the caller's own when empty
	From   standards.Date // first and last day, in Asia/Shanghai; empty: any
	To     standards.Date
	PatternThresholds
}

// ClaimPatterns is one page of conspicuous claims, person by person. One call reads
// at most about five hundred claims: a page may be empty and not the last.
func (r *Registry) ClaimPatterns(ctx context.Context, by Actor, q PatternQuery, cursor string) (out []ClaimPattern, next string, err error) {
	q.Region = cmp.Or(q.Region, by.Region)
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		out, next = nil, ""
		if err := may(by, OverseeClaims, Object{Region: q.Region}); err != nil {
			return err
		}
		if err := q.PatternThresholds.check(); err != nil {
			return err
		}
		people, to, err := peopleWithClaims(rd, cursor)
		if err != nil {
			return err
		}
		for _, cs := range people {
			cs = slices.DeleteFunc(cs, func(c Claim) bool {
				day := standards.DateOf(c.Reserved)
				return !governs(q.Region, c.Region) || q.From != "" && day < q.From || q.To != "" && day > q.To
			})
			out = append(out, patternsOf(cs, q.PatternThresholds)...)
		}
		next = encodeCursor(to)
		return nil
	})
	return out, next, err
}

// peopleWithClaims reads a page of claims and answers them person by person, each
// whole. Who has several ids after merges is answered once.
func peopleWithClaims(rd kv.Reader, cursor string) (out [][]Claim, next []byte, err error) {
	rng, err := Page{Cursor: cursor}.within(kv.Range{})
	if err != nil {
		return nil, nil, err
	}
	rng.Limit = claimsMax + 1 // more than one person has
	page, next, err := claims.Scan(rd, rng)
	if err != nil || len(page) == 0 {
		return nil, nil, err
	}
	if last := page[len(page)-1].Person; next != nil && page[0].Person != last {
		// The last person may go on: the next page begins with them.
		page = slices.DeleteFunc(page, func(c Claim) bool { return c.Person == last })
		next = kv.Key(last[:])
	}
	var ids []PersonID
	for _, c := range page {
		if n := len(out); n == 0 || ids[n-1] != c.Person {
			ids, out = append(ids, c.Person), append(out, nil)
		}
		out[len(out)-1] = append(out[len(out)-1], c)
	}
	same, err := identitiesOf(rd, ids)
	if err != nil {
		return nil, nil, err
	}
	for i, all := range same {
		if len(all) > 1 {
			out[i], err = mergedClaims(rd, ids[i], all)
		}
		if err != nil {
			return nil, nil, err
		}
	}
	return out, next, nil
}

// mergedClaims are the claims of a merged person, for the first of its ids that has
// any, and none for the others.
func mergedClaims(rd kv.Reader, id PersonID, all []PersonID) ([]Claim, error) {
	cs, err := claimsUnderAll(rd, all)
	if err != nil {
		return nil, err
	}
	for _, c := range cs {
		if bytes.Compare(c.Person[:], id[:]) < 0 {
			return nil, nil
		}
	}
	return cs, nil
}

// nearOccupations reports whether two codes are of one small class 小类 of the
// classification 职业分类大典: the first three of their four parts are the same.
func nearOccupations(a, b string) bool {
	i, j := strings.LastIndexByte(a, '-'), strings.LastIndexByte(b, '-')
	return i > 0 && j > 0 && a[:i] == b[:j]
}

// patternsOf finds what is conspicuous among the claims of one person, in the order
// of the log. It is pure.
func patternsOf(cs []Claim, t PatternThresholds) (out []ClaimPattern) {
	cs = slices.Clone(cs)
	slices.SortStableFunc(cs, func(a, b Claim) int { return a.Reserved.Compare(b.Reserved) })
	add := func(kind ClaimPatternKind, employer string, of ...Claim) {
		p := ClaimPattern{Kind: kind, Person: of[0].Person, Employer: employer, Hint: patternHints[kind]}
		for _, c := range of {
			p.Claims, p.Payers = append(p.Claims, c.ID), append(p.Payers, c.Payer)
		}
		slices.Sort(p.Payers)
		p.Payers = slices.Compact(p.Payers)
		out = append(out, p)
	}
	for _, group := range nearTrades(cs, t.TradeMonths) {
		add(PatternTrades, "", group...)
	}
	var open []Claim // that stand, whoever decided
	for i, c := range cs {
		if c.State != StateRefused {
			open = append(open, c)
			continue
		}
		for _, later := range cs[i+1:] {
			if later.State != StateRefused && later.Payer != c.Payer && sameMatter(c, later) && soonAfter(c, later, t.PayerDays) {
				add(PatternPayers, "", c, later)
			}
		}
	}
	for i := 0; i+t.Claims <= len(open); i++ {
		end := i + 1
		for end < len(open) && soonAfter(open[i], open[end], t.ClaimDays) {
			end++
		}
		if end-i >= t.Claims {
			add(PatternMany, "", open[i:end]...)
			i = end - 1
		}
	}
	for i, c := range open {
		for _, d := range open[i+1:] {
			kinds := []policy.SubjectKind{c.Subject.Kind, d.Subject.Kind}
			if c.Subject.Employer != "" && c.Subject.Employer == d.Subject.Employer && slices.Contains(kinds, policy.ForPreJob) && slices.Contains(kinds, policy.ForWorkMonths) {
				add(PatternEmployer, c.Subject.Employer, c, d)
			}
		}
	}
	return out
}

func soonAfter(a, b Claim, days int) bool {
	return standards.DateOf(b.Reserved).DaysSince(standards.DateOf(a.Reserved)) <= days
}

// sameMatter reports whether two claims are about the same certificate, or the same
// occupation and level.
func sameMatter(a, b Claim) bool {
	return a.Certificate != "" && a.Certificate == b.Certificate || a.Occupation != "" && a.Occupation == b.Occupation && a.Level == b.Level
}

// nearTrades groups the paid claims of one occupation or near occupations that are
// of more than one trade or occupation, each group within so many months of its first.
func nearTrades(cs []Claim, months int) (out [][]Claim) {
	taken := make([]bool, len(cs))
	paid := func(c Claim) bool { amount, _ := c.Money(); return c.Occupation != "" && amount > 0 }
	for i, c := range cs {
		if taken[i] || !paid(c) {
			continue
		}
		group, until, differs := []Claim{c}, standards.DateOf(c.Reserved).AddMonths(months), false
		members := []int{i}
		for j := i + 1; j < len(cs); j++ {
			d := cs[j]
			if taken[j] || !paid(d) || standards.DateOf(d.Reserved) > until || d.Occupation != c.Occupation && !(c.Edition == d.Edition && nearOccupations(c.Occupation, d.Occupation)) {
				continue
			}
			group, members = append(group, d), append(members, j)
			differs = differs || d.Occupation != c.Occupation || d.Trade != c.Trade
		}
		if !differs {
			continue
		}
		for _, j := range members {
			taken[j] = true
		}
		out = append(out, group)
	}
	return out
}
