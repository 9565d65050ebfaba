package web

import (
	"strconv"
	"time"

	"bajigong/registry"
	"bajigong/registry/policy"
)

// claimLifeRoutes are the steps of a claim after its reservation, and the lists of
// what is still to be done.
func claimLifeRoutes() []route {
	payer := parameter{Name: "payer", Description: "the caller's own when absent; an auditor names one"}
	again := "Sent again it changes nothing."
	step := func(path, summary, description string, e endpoint) route {
		return route{Method: "POST", Path: "/api/v1/claims/{id}/" + path, Summary: summary, Description: description, endpoint: e}
	}
	return keyedRoutes("claims", []route{
		{Method: "GET", Path: "/api/v1/claims/expiring", Query: append([]parameter{{Name: "days", Description: "within how many days, 1 to 366; what the rules of the region say when absent", Integer: true}, payer}, paging...),
			Summary: "Claims whose lock runs out soon 即将到期, the first to do so first", endpoint: api((*Server).expiringClaims)},
		{Method: "GET", Path: "/api/v1/claims/overdue", Query: append([]parameter{payer}, paging...),
			Summary: "Claims that are to be paid 待拨付 for longer than the rules of the region let them be", endpoint: api((*Server).overdueClaims)},
		{Method: "GET", Path: "/api/v1/claims/owed", Query: append([]parameter{payer}, paging...),
			Summary: "Claims whose money has to come back 应追回 and is not all back", endpoint: api((*Server).owedClaims)},
		step("extend", "Put the end of the lock off 延长锁定, with a reason and within the bounds of the rules", again, api((*Server).extendClaim)),
		step("publicity", "Record that the claim is shown to the public 公示", "From is the first day; until is that which the rules ask when absent, and never earlier. "+again, api((*Server).publiciseClaim)),
		step("objection", "Record that an objection 异议 stops the publicity", "The claim is reserved again. "+again, api((*Server).objectToClaim)),
		step("payable", "Record that the claim is to be paid 转待拨付", "After its publicity, where the rules ask for one. It does not expire from then on. "+again, api((*Server).makeClaimPayable)),
		step("return", "Record that the bank returned a payment 退票", "Also after it was confirmed: the claim is to be paid again and keeps the right. "+again, api((*Server).returnPayment)),
		step("withdraw", "Record that the person took the claim back 本人撤回", again, api((*Server).withdrawClaim)),
		step("recovery", "Open the recovery 追回立项 of what was paid", "restores_right has to be said where the policy is silent. "+again, api((*Server).openRecovery)),
		{Method: "POST", Path: "/api/v1/claims/{id}/corrections", Idempotent: withKey, Summary: "Ask for a recorded step to be corrected 更正",
			Description: "Another account of the payer decides. Nothing is overwritten: an approved correction is one more step.", endpoint: api((*Server).proposeClaimCorrection)},
		step("corrections/{n}/approve", "Approve a correction, as the second person", "", api(decideClaimCorrection(registry.ApproveClaimCorrection))),
		step("corrections/{n}/reject", "Reject a correction, as the second person", "", api(rejectClaimCorrection)),
		step("corrections/{n}/withdraw", "Withdraw a correction that one has asked for", "", api(decideClaimCorrection(registry.WithdrawClaimCorrection))),
		{Method: "POST", Path: "/api/v1/payouts", Body: 4 << 20, Time: 2 * time.Minute, Summary: "Record a payout batch 发放批次 of up to 5,000 lines",
			Description: "Each line is paid or failed (退票). A line that cannot be read refuses the whole batch (400); one that is refused stops no other. The same reference with the same lines is answered as it stands, and goes on where it was interrupted.",
			endpoint:    api((*Server).recordPayout)},
		{Method: "GET", Path: "/api/v1/payouts", Query: paging, Summary: "The caller's own payout batches, the newest first", endpoint: api((*Server).payouts)},
		{Method: "GET", Path: "/api/v1/payouts/{id}", Summary: "A payout batch and how far it is", endpoint: api((*Server).payout)},
		{Method: "GET", Path: "/api/v1/payouts/{id}/lines", Query: paging, Summary: "Its lines, each with its answer", endpoint: api((*Server).payoutLines)},
		{Method: "GET", Path: "/api/v1/payouts/{id}/claims", Query: paging, Summary: "The claims that it changed, by line, as they are now", endpoint: api((*Server).payoutClaims)},
	})
}

// onClaim makes the handler of a step of a claim.
func onClaim[In any](c *call, in In, step func(id string, in In) (registry.ClaimView, error)) (registry.ClaimView, error) {
	id, err := c.param("id")
	if err != nil {
		return registry.ClaimView{}, err
	}
	return step(id, in)
}

func (s *Server) extendClaim(c *call, in registry.ClaimExtension) (registry.ClaimView, error) {
	return onClaim(c, in, func(id string, in registry.ClaimExtension) (registry.ClaimView, error) {
		return s.reg.ExtendClaim(c.ctx, c.by, id, in)
	})
}

func (s *Server) publiciseClaim(c *call, in registry.NewClaimPublicity) (registry.ClaimView, error) {
	return onClaim(c, in, func(id string, in registry.NewClaimPublicity) (registry.ClaimView, error) {
		return s.reg.PubliciseClaim(c.ctx, c.by, id, in)
	})
}

func (s *Server) objectToClaim(c *call, in releaseRequest) (registry.ClaimView, error) {
	return onClaim(c, in.Reason, func(id, reason string) (registry.ClaimView, error) {
		return s.reg.ObjectToClaim(c.ctx, c.by, id, reason)
	})
}

// payableRequest may name the payer's approval.
type payableRequest struct {
	Document string `json:"document,omitempty"`
}

func (s *Server) makeClaimPayable(c *call, in payableRequest) (registry.ClaimView, error) {
	return onClaim(c, in.Document, func(id, document string) (registry.ClaimView, error) {
		return s.reg.MakeClaimPayable(c.ctx, c.by, id, document)
	})
}

func (s *Server) returnPayment(c *call, in registry.PaymentReturn) (registry.ClaimView, error) {
	return onClaim(c, in, func(id string, in registry.PaymentReturn) (registry.ClaimView, error) {
		return s.reg.ReturnPayment(c.ctx, c.by, id, in)
	})
}

func (s *Server) withdrawClaim(c *call, in releaseRequest) (registry.ClaimView, error) {
	return onClaim(c, in.Reason, func(id, reason string) (registry.ClaimView, error) {
		return s.reg.WithdrawClaim(c.ctx, c.by, id, reason)
	})
}

func (s *Server) openRecovery(c *call, in registry.NewRecovery) (registry.ClaimView, error) {
	return onClaim(c, in, func(id string, in registry.NewRecovery) (registry.ClaimView, error) {
		return s.reg.OpenRecovery(c.ctx, c.by, id, in)
	})
}

func (s *Server) proposeClaimCorrection(c *call, in registry.NewClaimCorrection) (registry.ClaimView, error) {
	return onClaim(c, in, func(id string, in registry.NewClaimCorrection) (registry.ClaimView, error) {
		return s.reg.ProposeClaimCorrection(c.ctx, c.by, id, in)
	})
}

func decideClaimCorrection(do registry.ClaimCorrectionAct) func(*Server, *call, none) (registry.ClaimView, error) {
	return func(s *Server, c *call, _ none) (registry.ClaimView, error) { return s.onClaimCorrection(c, do, "") }
}

func rejectClaimCorrection(s *Server, c *call, in releaseRequest) (registry.ClaimView, error) {
	return s.onClaimCorrection(c, registry.RejectClaimCorrection, in.Reason)
}

func (s *Server) onClaimCorrection(c *call, do registry.ClaimCorrectionAct, reason string) (registry.ClaimView, error) {
	text, err := c.param("n")
	if err != nil {
		return registry.ClaimView{}, err
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		n = 0 // there is none
	}
	return onClaim(c, reason, func(id, reason string) (registry.ClaimView, error) {
		return s.reg.DecideClaimCorrection(c.ctx, c.by, id, n, do, reason)
	})
}

// claimFilters are what a list of claims can be narrowed by.
var claimFilters = []parameter{
	{Name: "state", Description: "state as of the answer; a page may then be shorter than its limit, or empty, and not the last", Enum: claimStates()},
	{Name: "from", Description: "first day of the reservation"}, {Name: "to", Description: "last day of the reservation"},
	{Name: "payer", Description: "the caller's own when absent; an auditor names one"},
	{Name: "institution", Description: "id of who issued the certificates: the claims of all payers, for auditors and the authority of their region"},
}

func claimStates() (out []string) {
	for _, s := range policy.States() {
		if s != policy.None {
			out = append(out, string(s))
		}
	}
	return append(out, string(registry.StateRefused))
}

// claimFilter reads them; any is false when the list is not narrowed.
func (c *call) claimFilter() (f registry.ClaimFilter, any bool, err error) {
	if f.Payer, err = c.query("payer"); err != nil {
		return f, false, err
	}
	if f.Institution, err = c.query("institution"); err != nil {
		return f, false, err
	}
	state, err := c.query("state")
	if err != nil {
		return f, false, err
	}
	f.State = policy.State(state)
	if f.From, err = c.date("from"); err != nil {
		return f, false, err
	}
	f.To, err = c.date("to")
	return f, f != (registry.ClaimFilter{}), err
}

func (s *Server) claims(c *call, _ none) (list[registry.ClaimView], error) {
	f, narrowed, err := c.claimFilter()
	if err != nil {
		return list[registry.ClaimView]{}, err
	}
	return claimList(c, func(page registry.Page) ([]registry.ClaimView, string, error) {
		if narrowed {
			return s.reg.ClaimsWhere(c.ctx, c.by, f, page)
		}
		return s.reg.Claims(c.ctx, c.by, page)
	})
}

// claimList answers one page of a list.
func claimList[T any](c *call, read func(registry.Page) ([]T, string, error)) (list[T], error) {
	page, err := c.page(pageMost)
	if err != nil {
		return list[T]{}, err
	}
	out, next, err := read(page)
	return listOf(out, next), err
}

func (s *Server) expiringClaims(c *call, _ none) (list[registry.ClaimView], error) {
	text, err := c.query("days")
	if err != nil {
		return list[registry.ClaimView]{}, err
	}
	days := 0
	if text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 366 {
			return list[registry.ClaimView]{}, badQuery("days", "天数应为 1 至 366", "days is 1 to 366")
		}
		days = n
	}
	payer, err := c.query("payer")
	if err != nil {
		return list[registry.ClaimView]{}, err
	}
	return claimList(c, func(page registry.Page) ([]registry.ClaimView, string, error) {
		return s.reg.ExpiringClaims(c.ctx, c.by, payer, days, page)
	})
}

func (s *Server) overdueClaims(c *call, _ none) (list[registry.ClaimView], error) {
	payer, err := c.query("payer")
	if err != nil {
		return list[registry.ClaimView]{}, err
	}
	return claimList(c, func(page registry.Page) ([]registry.ClaimView, string, error) {
		return s.reg.OverdueClaims(c.ctx, c.by, payer, page)
	})
}

func (s *Server) owedClaims(c *call, _ none) (list[registry.ClaimView], error) {
	payer, err := c.query("payer")
	if err != nil {
		return list[registry.ClaimView]{}, err
	}
	return claimList(c, func(page registry.Page) ([]registry.ClaimView, string, error) {
		return s.reg.OwedClaims(c.ctx, c.by, payer, page)
	})
}

func (s *Server) recordPayout(c *call, in registry.NewPayout) (registry.Payout, error) {
	return s.reg.RecordPayout(c.ctx, c.by, in)
}

func (s *Server) payouts(c *call, _ none) (list[registry.Payout], error) {
	return claimList(c, func(page registry.Page) ([]registry.Payout, string, error) { return s.reg.Payouts(c.ctx, c.by, page) })
}

func (s *Server) payout(c *call, _ none) (registry.Payout, error) {
	id, err := c.param("id")
	if err != nil {
		return registry.Payout{}, err
	}
	return s.reg.PayoutByID(c.ctx, c.by, id)
}

func (s *Server) payoutLines(c *call, _ none) (list[registry.PayoutEntry], error) {
	id, err := c.param("id")
	if err != nil {
		return list[registry.PayoutEntry]{}, err
	}
	return claimList(c, func(page registry.Page) ([]registry.PayoutEntry, string, error) {
		return s.reg.PayoutLines(c.ctx, c.by, id, page)
	})
}

func (s *Server) payoutClaims(c *call, _ none) (list[registry.ClaimView], error) {
	id, err := c.param("id")
	if err != nil {
		return list[registry.ClaimView]{}, err
	}
	return claimList(c, func(page registry.Page) ([]registry.ClaimView, string, error) {
		return s.reg.PayoutClaims(c.ctx, c.by, id, page)
	})
}
