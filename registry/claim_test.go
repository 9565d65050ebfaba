package registry

import (
	"testing"
	"time"

	"bajigong/internal/fail"
	"bajigong/registry/policy"
)

var (
	claimDay   = time.Date(2026, 3, 20, 1, 0, 0, 0, time.UTC)
	payerActor = Actor{Account: "a-1", Organisation: "ks", Roles: []Role{RolePayer}, Region: "320583"}
)

// lock is what the sample file gives a reservation.
const lock = 90 * 24 * time.Hour

func reservedClaim() Claim {
	return Claim{ID: "c-1", Payer: "ks", State: policy.Reserved, Outcome: policy.Allow, Amount: 260000, Reserved: claimDay, Expires: claimDay.Add(lock), LogIndex: 7}
}

func gaveUp(c *Claim) {
	c.State, c.Release = policy.Released, &ReleaseRecord{Reason: "x", At: claimDay, LogIndex: 8}
}

func TestConfirmRule(t *testing.T) {
	late, taken := claimDay.Add(lock), []policy.Failure{{Reason: policy.OnceTaken}}
	pay := Payment{Reference: "PAY 1", PaidOn: "2026-03-21", Amount: 260000}
	for name, c := range map[string]struct {
		claim func(*Claim)
		pay   func(*Payment)
		taken []policy.Failure
		now   time.Time
		state policy.State
		code  string
	}{
		"in time":               {now: late.Add(-time.Second), state: policy.Confirmed},
		"late and free":         {now: late, state: policy.Confirmed},
		"late and taken":        {now: late, taken: taken, state: policy.Duplicate},
		"released and free":     {claim: gaveUp, now: claimDay.Add(48 * time.Hour), state: policy.Confirmed},
		"released and taken":    {claim: gaveUp, taken: taken, now: claimDay.Add(48 * time.Hour), state: policy.Duplicate},
		"refused":               {claim: func(c *Claim) { c.State = StateRefused }, now: late, code: "claim_move"},
		"other amount":          {pay: func(p *Payment) { p.Amount++ }, now: late, code: "payment"},
		"without reference":     {pay: func(p *Payment) { p.Reference = "" }, now: late, code: "payment"},
		"paid tomorrow":         {now: claimDay, code: "payment"},
		"paid before it was":    {pay: func(p *Payment) { p.PaidOn = "2026-03-19" }, now: late, code: "payment"},
		"paid on no day":        {pay: func(p *Payment) { p.PaidOn = "" }, now: late, code: "payment"},
		"identity as reference": {pay: func(p *Payment) { p.Reference = "11010519491231002X" }, now: late, code: "payment"},
		"confirmed under other": {claim: func(c *Claim) {
			c.State, c.Payment = policy.Confirmed, &PaymentRecord{Payment: Payment{Reference: "x"}}
		}, now: late, code: "claim_move"},
		"other content, same no": {claim: func(c *Claim) {
			c.State, c.Payment = policy.Confirmed, &PaymentRecord{Payment: Payment{Reference: "PAY 1"}}
		}, now: late, code: "payment_reference_reused"},
	} {
		in, p := reservedClaim(), pay
		if c.claim != nil {
			c.claim(&in)
		}
		if c.pay != nil {
			c.pay(&p)
		}
		got, done, err := in.Confirm(p, c.taken, payerActor, c.now)
		if fail.CodeOf(err) != c.code || done {
			t.Errorf("%s: %v, done %t", name, err, done)
			continue
		}
		if c.code != "" {
			continue
		}
		if got.State != c.state || (got.Recovery != nil) != (c.state == policy.Duplicate) || got.Payment.By != "a-1" || !got.Payment.At.Equal(c.now) {
			t.Errorf("%s: %+v", name, got)
		}
		if again, done, err := got.Confirm(p, nil, payerActor, c.now.Add(time.Hour)); err != nil || !done || again.State != got.State {
			t.Errorf("%s, reported again: %s, %t, %v", name, again.State, done, err)
		}
	}
}

func TestReleaseRule(t *testing.T) {
	c, done, err := reservedClaim().GiveUp(" 申请人撤回 ", payerActor, claimDay.Add(time.Hour))
	if err != nil || done || c.State != policy.Released || c.Release.Reason != "申请人撤回" {
		t.Fatalf("%+v, %t, %v", c, done, err)
	}
	if _, done, err := c.GiveUp("申请人撤回", payerActor, claimDay.Add(2*time.Hour)); err != nil || !done {
		t.Errorf("released again: %t, %v", done, err)
	}
	if _, _, err := c.GiveUp("另一原因", payerActor, claimDay.Add(2*time.Hour)); fail.CodeOf(err) != "claim_move" {
		t.Errorf("released with another reason: %v", err)
	}
	if _, _, err := reservedClaim().GiveUp("x", payerActor, claimDay.Add(lock)); fail.CodeOf(err) != "claim_move" {
		t.Errorf("released when expired: %v", err)
	}
	for _, reason := range []string{"", "a\nb", "11010519491231002X 撤回"} {
		if _, _, err := reservedClaim().GiveUp(reason, payerActor, claimDay); fail.KindOf(err) != fail.Invalid {
			t.Errorf("reason %q: %v", reason, err)
		}
	}
}

func TestRefundRule(t *testing.T) {
	now := claimDay.Add(48 * time.Hour)
	paid, _, err := reservedClaim().Confirm(Payment{Reference: "p", PaidOn: "2026-03-20", Amount: 260000}, nil, payerActor, claimDay)
	if err != nil {
		t.Fatal(err)
	}
	yes, no := true, false
	whole := Refund{Amount: 260000, Reason: "重复申领", Restores: &no}
	got, done, err := paid.PayBack(whole, nil, payerActor, now)
	if err != nil || done || got.State != policy.Refunded || got.Refund.Restores {
		t.Fatalf("%+v, %t, %v", got, done, err)
	}
	if _, done, err := got.PayBack(whole, nil, payerActor, now.Add(time.Hour)); err != nil || !done {
		t.Errorf("refunded again: %t, %v", done, err)
	}
	if _, _, err := got.PayBack(Refund{Amount: 260000, Reason: "重复申领", Restores: &yes}, nil, payerActor, now); fail.CodeOf(err) != "claim_move" {
		t.Errorf("refunded again with another answer: %v", err)
	}
	for name, c := range map[string]struct {
		in    Refund
		law   *policy.RefundRule
		field string
	}{
		"a part unnamed":   {Refund{Amount: 259999, Reason: "x", Restores: &no}, nil, "reference"},
		"too much":         {Refund{Amount: 260001, Reason: "x", Restores: &no}, nil, "amount_fen"},
		"no reason":        {Refund{Amount: 260000, Restores: &no}, nil, "reason"},
		"right left open":  {Refund{Amount: 260000, Reason: "x"}, nil, "restores_right"},
		"against the text": {Refund{Amount: 260000, Reason: "x", Restores: &no}, &policy.RefundRule{RestoresRight: true}, "restores_right"},
	} {
		_, _, err := paid.PayBack(c.in, c.law, payerActor, now)
		if fs := fail.Of(err).Fields; fail.KindOf(err) != fail.Invalid || len(fs) != 1 || fs[0].Name != c.field {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := reservedClaim().PayBack(whole, nil, payerActor, now); fail.CodeOf(err) != "claim_move" {
		t.Errorf("refunded before it was paid: %v", err)
	}
	twice := paid
	twice.State, twice.Recovery = policy.Duplicate, &RecoveryItem{Amount: 260000, Opened: claimDay}
	if got, _, err = twice.PayBack(whole, nil, payerActor, now); err != nil || !got.Recovery.Closed.Equal(now) {
		t.Errorf("recovered: %+v, %v", got.Recovery, err)
	}
	if !twice.Recovery.Closed.IsZero() {
		t.Error("the rule changed the claim it was given")
	}
}

func TestRefundsAnswerForASilentPolicy(t *testing.T) {
	refunded := func(id string, restores bool) Claim {
		c := reservedClaim()
		c.ID, c.State, c.Refund = id, policy.Refunded, &RefundRecord{Restores: restores, At: claimDay}
		return c
	}
	refused := reservedClaim()
	refused.ID, refused.State = "c-refused", StateRefused
	all := []Claim{refunded("c-free", true), refunded("c-burnt", false), refused, reservedClaim()}
	given := policy.Facts{policy.RightRestored: {Value: policy.Yes, Source: "the payer", At: claimDay, Reference: "x"}}

	past, facts := pastClaims(policy.Policy{}, all, "c-1", given)
	if len(past) != 1 || past[0].ID != "c-burnt" || facts[policy.RightRestored].Value != policy.No {
		t.Errorf("silent policy: %+v, %+v", past, facts)
	}
	if given[policy.RightRestored].Value != policy.Yes {
		t.Error("the facts given were changed")
	}
	past, facts = pastClaims(policy.Policy{Refund: &policy.RefundRule{}}, all, "", given)
	if len(past) != 3 || facts[policy.RightRestored].Value != policy.Yes {
		t.Errorf("policy with a rule: %+v, %+v", past, facts)
	}
}

func TestClaimBeforeAnEntry(t *testing.T) {
	c := reservedClaim()
	c.Release = &ReleaseRecord{LogIndex: 9}
	c.Payment, c.Recovery = &PaymentRecord{Payment: Payment{Amount: c.Amount}, Late: true, LogIndex: 11}, &RecoveryItem{}
	c.Refund, c.State = &RefundRecord{Amount: c.Amount, LogIndex: 13}, policy.Refunded
	for index, want := range map[uint64]policy.State{8: policy.Reserved, 9: policy.Reserved, 10: policy.Released, 11: policy.Released,
		12: policy.Duplicate, 13: policy.Duplicate, 14: policy.Refunded} {
		if got, ok := c.before(index); !ok || got.State != want {
			t.Errorf("before %d: %s, want %s", index, got.State, want)
		}
	}
	if _, ok := c.before(7); ok {
		t.Error("there before its own entry")
	}
}
