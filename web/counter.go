package web

import (
	"fmt"
	"reflect"
	"strconv"

	"bajigong/registry"
)

// counterRoutes are what a payer asks at its counter 窗口 and what auditors count.
func counterRoutes() []route {
	region := parameter{Name: "region", Description: "GB/T 2260, and those within it; the caller's own when absent"}
	sample := registry.SamplePatternThresholds
	threshold := func(name, what string, n int) parameter {
		return parameter{Name: name, Description: fmt.Sprintf("%s; %d when absent, a sample", what, n), Integer: true}
	}
	return keyedRoutes("claims", []route{
		{Method: "POST", Path: "/api/v1/claims/overview", Summary: "All that a person could claim from the caller, by document and name",
			Description: "Every public certificate with every fund that has a policy in the payer's region: days left, amount, what fails or is missing and what to do. Nothing is reserved. The purpose is logged; of other payers' claims it says day and reason.",
			endpoint:    api((*Server).claimOverview)},
		{Method: "POST", Path: "/api/v1/claims/notice", Summary: "What of it the person asked about, as a notice to print and hand out 一次性告知单",
			Description: "certificates and funds choose. Without funds those are told in detail that can be claimed, or that one thing alone stands in the way of; each of the others in one line. " +
				"Chinese, A4, with nothing loaded from elsewhere; the holder is masked. 404 no_match: name and document do not belong together.",
			Answers: []answer{{200, "text/html", "the notice"}}, endpoint: taking[registry.NoticeRequest]((*Server).claimNotice)},
		{Method: "GET", Path: "/api/v1/claims/totals", Summary: "Counts and sums of claims per policy and year",
			Description: "By region, policy and year. Of all payers of a region for its auditors and authority; of its own for a payer. A page may be short, or empty, and not the last.",
			Query: append([]parameter{{Name: "year", Description: "the natural year in which they count", Integer: true}, {Name: "policy", Description: "id of a policy"},
				{Name: "payer", Description: "one payer; else the sum of each region"}, region}, paging...), endpoint: api((*Server).claimTotals)},
		{Method: "GET", Path: "/api/v1/claims/patterns", Summary: "Conspicuous claims of persons, for a closer look",
			Description: "Hints and no findings: each claim was decided by its own rules. One call looks at about five hundred claims: a page may be empty and not the last.",
			Query: []parameter{{Name: "from", Description: "first day of the reservation or refusal"}, {Name: "to", Description: "last day of it"}, region,
				threshold("trade_months", "near_trades: within so many months", sample.TradeMonths), threshold("payer_days", "refused_elsewhere: within so many days", sample.PayerDays),
				threshold("claims", "many_claims: so many", sample.Claims), threshold("claim_days", "many_claims: within so many days", sample.ClaimDays), paging[0]},
			endpoint: api((*Server).claimPatterns)},
	})
}

func (s *Server) claimOverview(c *call, in registry.OverviewRequest) (registry.ClaimOverview, error) {
	if err := s.countClaims(c, countQuestions, 1); err != nil {
		return registry.ClaimOverview{}, err
	}
	return s.reg.Overview(c.ctx, c.by, in)
}

// wholeOr is a whole number of the query, or what is taken when it is absent.
func (c *call) wholeOr(name string, absent int) (int, error) {
	text, err := c.query(name)
	if err != nil || text == "" {
		return absent, err
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, badQuery(name, "应为整数", "a whole number")
	}
	return n, nil
}

func (s *Server) claimTotals(c *call, _ none) (list[registry.ClaimTotal], error) {
	var f registry.ClaimTotalFilter
	for name, to := range map[string]*string{"policy": &f.Policy, "payer": &f.Payer, "region": &f.Region} {
		var err error
		if *to, err = c.query(name); err != nil {
			return list[registry.ClaimTotal]{}, err
		}
	}
	var err error
	if f.Year, err = c.wholeOr("year", 0); err != nil {
		return list[registry.ClaimTotal]{}, err
	}
	return claimList(c, func(page registry.Page) ([]registry.ClaimTotal, string, error) {
		return s.reg.ClaimTotals(c.ctx, c.by, f, page)
	})
}

func (s *Server) claimPatterns(c *call, _ none) (out list[registry.ClaimPattern], err error) {
	q := registry.PatternQuery{PatternThresholds: registry.SamplePatternThresholds}
	for name, to := range map[string]*int{"trade_months": &q.TradeMonths, "payer_days": &q.PayerDays, "claims": &q.Claims, "claim_days": &q.ClaimDays} {
		if *to, err = c.wholeOr(name, *to); err != nil {
			return out, err
		}
	}
	if q.Region, err = c.query("region"); err != nil {
		return out, err
	}
	if q.From, err = c.date("from"); err != nil {
		return out, err
	}
	if q.To, err = c.date("to"); err != nil {
		return out, err
	}
	page, err := c.page(pageMost)
	if err != nil {
		return out, err
	}
	found, next, err := s.reg.ClaimPatterns(c.ctx, c.by, q, page.Cursor)
	return listOf(found, next), err
}

// taking makes the endpoint of a method that takes JSON and writes for itself.
func taking[In any](fn func(s *Server, c *call, in In) error) endpoint {
	return endpoint{in: reflect.TypeFor[In](), serve: func(s *Server, c *call) error {
		var in In
		if err := c.decode(&in); err != nil {
			return err
		}
		return fn(s, c, in)
	}}
}
