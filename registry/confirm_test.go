package registry_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/registry"
	"bajigong/registry/policy"
	"bajigong/registry/registrytest"
	"bajigong/standards"
)

// eachEntry calls fn with every value, and key, of the tables claims touch.
func eachEntry(t *testing.T, e *registrytest.Env, fn func(table, value string)) error {
	t.Helper()
	seen := 0
	err := e.DB.View(ctx, func(rd kv.Reader) error {
		for _, table := range []kv.Table{"claims", "claims_by_id", "claims_by_reference", "claims_by_certificate", "sealed", "events", "counters", "persons_by_document"} {
			err := kv.Each(rd, table, kv.Range{}, func(entry kv.Entry) error {
				seen++
				fn(string(table), string(entry.Key)+string(entry.Value))
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if seen == 0 {
		t.Fatal("read nothing")
	}
	return err
}

func (e *claimEnv) payment(reference string, amount policy.Fen) registry.Payment {
	return registry.Payment{Reference: reference, PaidOn: standards.DateOf(e.Clock.Now()), Amount: amount}
}

func (e *claimEnv) mustConfirm(by registry.Actor, id, reference string, amount policy.Fen) registry.ClaimView {
	e.T.Helper()
	v, err := e.ConfirmClaim(ctx, by, id, e.payment(reference, amount))
	if err != nil {
		e.T.Fatalf("confirm: %v", err)
	}
	return v
}

func TestConfirmReleaseRefund(t *testing.T) {
	e := newClaimEnv(t)
	cert := e.issue(1, "6-31-01-03", standards.Senior)
	c := e.mustReserve(e.kunshan, e.request(1, cert.Number)).Claim
	for name, err := range map[string]error{
		"confirm": second(e.ConfirmClaim(ctx, e.other, c.ID, e.payment("P", c.Amount))),
		"release": second(e.ReleaseClaim(ctx, e.other, c.ID, "x")),
		"refund":  second(e.RefundClaim(ctx, e.other, c.ID, registry.Refund{})),
		"read":    second(e.ClaimByID(ctx, e.other, c.ID)),
		"nothing": second(e.ClaimByID(ctx, e.other, "c-0000000000000000")),
	} {
		if fail.KindOf(err) != fail.NotFound {
			t.Errorf("%s by another payer: %v", name, err)
		}
	}
	if _, err := e.ClaimByID(ctx, registry.Actor{}, c.ID); fail.KindOf(err) != fail.Unauthorized {
		t.Errorf("read by nobody: %v", err)
	}
	auditor := registry.Actor{Account: "a-audit", Roles: []registry.Role{registry.RoleAuditor}, Region: "320500"}
	if v, err := e.ClaimByID(ctx, auditor, c.ID); err != nil || v.ID != c.ID {
		t.Errorf("read by an auditor of the city: %v", err)
	}
	if _, err := e.ReleaseClaim(ctx, auditor, c.ID, "x"); fail.KindOf(err) != fail.NotFound {
		t.Errorf("released by an auditor: %v", err)
	}

	if _, err := e.ConfirmClaim(ctx, e.kunshan, c.ID, e.payment("P-1", c.Amount-1)); fail.KindOf(err) != fail.Invalid ||
		!strings.Contains(fail.Of(err).Text, "2599.99") || !strings.Contains(fail.Of(err).Text, "2600") {
		t.Errorf("paid too little: %v", err)
	}
	first := e.mustConfirm(e.kunshan, c.ID, "P-1", c.Amount)
	e.Clock.Add(time.Hour)
	pay := first.Payment.Payment
	again, err := e.ConfirmClaim(ctx, e.kunshan, c.ID, pay)
	if err != nil || asJSON(t, again) != asJSON(t, first) {
		t.Errorf("reported again: %+v, %v", again, err)
	}
	if first.State != policy.Confirmed || first.Payment.Late {
		t.Errorf("confirmed: %+v", first)
	}
	yes := true
	v, err := e.RefundClaim(ctx, e.kunshan, c.ID, registry.Refund{Amount: c.Amount, Reason: "误发", Restores: &yes})
	if err != nil || v.State != policy.Refunded {
		t.Fatalf("refund: %+v, %v", v, err)
	}
	e.mustAnswer("after a refund that restores", e.mustReserve(e.other, e.request(1, cert.Number)), policy.Allow)

	page, next, err := e.Claims(ctx, e.kunshan, registry.Page{})
	if err != nil || next != "" || len(page) != 1 || page[0].ID != c.ID || page[0].State != policy.Refunded {
		t.Errorf("claims of a payer: %+v, %q, %v", page, next, err)
	}
}

func second[V any](_ V, err error) error { return err }

func TestReservationExpires(t *testing.T) {
	e := newClaimEnv(t)
	cert := e.issue(1, "6-31-01-03", standards.Senior)
	c := e.mustReserve(e.kunshan, e.request(1, cert.Number)).Claim
	e.Clock.Set(c.Expires.Add(-time.Second))
	e.mustAnswer("in the last second", e.mustReserve(e.other, e.request(1, cert.Number)), policy.Deny, policy.OnceTaken, policy.CertificateUsed)
	e.Clock.Add(time.Second)
	if v, err := e.ClaimByID(ctx, e.kunshan, c.ID); err != nil || v.State != policy.Expired {
		t.Errorf("expired: %s, %v", v.State, err)
	}
	if _, err := e.ReleaseClaim(ctx, e.kunshan, c.ID, "x"); fail.CodeOf(err) != "claim_move" {
		t.Errorf("released when expired: %v", err)
	}
	e.mustAnswer("when it has expired", e.mustReserve(e.other, e.request(1, cert.Number)), policy.Allow)
}

func TestLatePaymentWhileTheRightIsFree(t *testing.T) {
	e := newClaimEnv(t)
	cert := e.issue(1, "6-31-01-03", standards.Senior)
	c := e.mustReserve(e.kunshan, e.request(1, cert.Number)).Claim
	e.Clock.Set(c.Expires.Add(24 * time.Hour))
	v := e.mustConfirm(e.kunshan, c.ID, "P-1", c.Amount)
	if v.State != policy.Confirmed || !v.Payment.Late || v.Recovery != nil {
		t.Errorf("late: %+v", v)
	}
	e.mustAnswer("after it", e.mustReserve(e.other, e.request(1, cert.Number)), policy.Deny, policy.OnceTaken, policy.CertificateUsed)
}

func TestLatePaymentWhenTheRightIsGone(t *testing.T) {
	e := newClaimEnv(t)
	cert := e.issue(1, "6-31-01-03", standards.Senior)
	c := e.mustReserve(e.kunshan, e.request(1, cert.Number)).Claim
	if _, err := e.ReleaseClaim(ctx, e.kunshan, c.ID, "申请人撤回"); err != nil {
		t.Fatal(err)
	}
	taken := e.mustReserve(e.other, e.request(1, cert.Number)).Claim
	v := e.mustConfirm(e.kunshan, c.ID, "P-1", c.Amount)
	if v.State != policy.Duplicate || v.Recovery == nil || v.Recovery.Amount != c.Amount || !v.Recovery.Closed.IsZero() {
		t.Fatalf("paid twice: %+v", v)
	}
	if v := e.mustConfirm(e.other, taken.ID, "P-9", taken.Amount); v.State != policy.Confirmed || v.Recovery != nil {
		t.Errorf("the one that had the right: %+v", v)
	}
	yes := true
	v, err := e.RefundClaim(ctx, e.kunshan, c.ID, registry.Refund{Amount: c.Amount, Reason: "重复发放追回", Restores: &yes})
	if err != nil || v.State != policy.Refunded || v.Recovery.Closed.IsZero() {
		t.Errorf("recovered: %+v, %v", v, err)
	}
}

func TestRefundDecidesWhereThePolicyIsSilent(t *testing.T) {
	for restores, want := range map[bool]policy.Outcome{true: policy.Allow, false: policy.Deny} {
		e := newClaimEnv(t)
		cert := e.issue(1, "4-10-01-05", standards.Senior)
		request := func() registry.ClaimRequest {
			q := e.request(1, cert.Number)
			q.Policy = "kunshan-2020-67"
			for _, k := range []policy.FactKind{policy.Insured, policy.Employed, policy.PolicyInForce, policy.ScarceListed, policy.RightRestored} {
				q.Facts[k] = policy.Fact{Value: policy.Yes, Source: "经办", At: e.Clock.Now(), Reference: "1"}
			}
			return q
		}
		c := e.mustReserve(e.kunshan, request()).Claim
		e.mustConfirm(e.kunshan, c.ID, "P-1", c.Amount)
		if _, err := e.RefundClaim(ctx, e.kunshan, c.ID, registry.Refund{Amount: c.Amount, Reason: "追回", Restores: &restores}); err != nil {
			t.Fatal(err)
		}
		if a := e.mustReserve(e.kunshan, request()); a.Outcome != want {
			t.Errorf("restores %t: %s %v", restores, a.Outcome, a.Reasons)
		}
	}
}

// tamper changes the stored record of a claim behind the registry's back.
func (e *claimEnv) tamper(id string, change func(map[string]any)) {
	e.T.Helper()
	err := e.DB.Update(ctx, func(tx kv.Tx) error {
		key, err := tx.Get("claims_by_id", kv.Key(id))
		if err != nil {
			return err
		}
		value, err := tx.Get("claims", key)
		if err != nil {
			return err
		}
		record := map[string]any{}
		if err := json.Unmarshal(value, &record); err != nil {
			return err
		}
		change(record)
		if value, err = json.Marshal(record); err != nil {
			return err
		}
		tx.Put("claims", key, value)
		return nil
	})
	if err != nil {
		e.T.Fatal(err)
	}
}

func TestCheckFindsClaimsThatShouldHaveBeenRefused(t *testing.T) {
	for name, c := range map[string]struct {
		tamper func(e *claimEnv, first, second *registry.ClaimView)
		says   string
	}{
		"nothing": {func(*claimEnv, *registry.ClaimView, *registry.ClaimView) {}, ""},
		"a refusal turned into a reservation": {func(e *claimEnv, _, second *registry.ClaimView) {
			e.tamper(second.ID, func(r map[string]any) { r["state"], r["outcome"] = "reserved", "allow" })
		}, "the rules say deny"},
		"a release that came later": {func(e *claimEnv, first, _ *registry.ClaimView) {
			e.tamper(first.ID, func(r map[string]any) {
				r["state"], r["release"] = "released", map[string]any{"reason": "x", "at": "2026-03-01T00:00:00Z", "log_index": 1}
			})
		}, "the rules say allow"},
		"a release without its record": {func(e *claimEnv, first, _ *registry.ClaimView) {
			e.tamper(first.ID, func(r map[string]any) { r["state"] = "released" })
		}, "its steps lead to"},
		"another amount": {func(e *claimEnv, first, _ *registry.ClaimView) {
			e.tamper(first.ID, func(r map[string]any) { r["amount_fen"] = 450000 })
		}, "is not what entry"},
		"another basis": {func(e *claimEnv, first, _ *registry.ClaimView) {
			e.tamper(first.ID, func(r map[string]any) { r["basis"] = "AAAA" })
		}, "sealed basis"},
		"another policy": {func(e *claimEnv, first, _ *registry.ClaimView) {
			e.tamper(first.ID, func(r map[string]any) { r["policy_digest"] = "0" })
		}, "neither in use nor kept"},
		"a payment twice, made one that had the right": {func(e *claimEnv, first, _ *registry.ClaimView) {
			if _, err := e.ReleaseClaim(ctx, e.kunshan, first.ID, "x"); err != nil {
				e.T.Fatal(err)
			}
			e.mustReserve(e.other, e.request(1, first.Certificate))
			if v := e.mustConfirm(e.kunshan, first.ID, "P", first.Amount); v.State != policy.Duplicate {
				e.T.Fatalf("state %s", v.State)
			}
			e.tamper(first.ID, func(r map[string]any) {
				r["state"] = "confirmed"
				delete(r, "recovery")
				step := r["steps"].([]any)[1].(map[string]any)
				step["state"] = "confirmed"
				delete(step, "too_late")
			})
		}, "was paid late"},
		"a certificate voided before, says the record": {func(e *claimEnv, first, _ *registry.ClaimView) {
			err := e.DB.Update(ctx, func(tx kv.Tx) error {
				value, err := tx.Get("certificates", kv.Key(first.Certificate))
				if err != nil {
					return err
				}
				record := map[string]any{}
				if err := json.Unmarshal(value, &record); err != nil {
					return err
				}
				record["changes"] = []any{map[string]any{"kind": "void", "log_index": 0}}
				value, err = json.Marshal(record)
				tx.Put("certificates", kv.Key(first.Certificate), value)
				return err
			})
			if err != nil {
				e.T.Fatal(err)
			}
		}, "the rules say deny"},
	} {
		t.Run(name, func(t *testing.T) {
			e := newClaimEnv(t, registrytest.Options{NoCheck: true})
			cert := e.issue(1, "6-31-01-03", standards.Senior)
			first := e.mustReserve(e.kunshan, e.request(1, cert.Number)).Claim
			second := e.mustReserve(e.other, e.request(1, cert.Number)).Claim
			c.tamper(e, first, second)
			report, err := e.Check(ctx, registry.Operator(), nil)
			if err != nil {
				t.Fatal(err)
			}
			found := strings.Join(report.Problems, "\n")
			if (c.says == "") != (found == "") || !strings.Contains(found, c.says) {
				t.Errorf("want %q, found:\n%s", c.says, found)
			}
			if report.Claims < 2 {
				t.Errorf("checked %d claims", report.Claims)
			}
		})
	}
}

func TestCheckAgreesWithARandomLife(t *testing.T) {
	e := newClaimEnv(t)
	certs := []registry.Issued{e.issue(1, "6-31-01-03", standards.Junior), e.issue(1, "6-31-01-03", standards.Senior), e.issue(1, "4-10-01-05", standards.Senior)}
	payers := []registry.Actor{e.kunshan, e.other}
	var made []*registry.ClaimView
	state := uint64(20260302) // a fixed walk: xorshift
	pick := func(n int) int {
		state ^= state << 13
		state ^= state >> 7
		state ^= state << 17
		return int(state % uint64(n))
	}
	yes := true
	counts := map[policy.State]int{}
	for step := range 120 {
		e.Clock.Add(time.Duration(pick(15)) * 24 * time.Hour)
		switch what := pick(5); {
		case what < 2 || len(made) == 0:
			a := e.mustReserve(payers[pick(2)], e.request(1, certs[pick(3)].Number))
			if a.Outcome == policy.Allow {
				made = append(made, a.Claim)
			}
		default:
			c := made[pick(len(made))]
			by := payers[0]
			if c.Payer != by.Organisation {
				by = payers[1]
			}
			var err error
			switch what {
			case 2:
				_, err = e.ConfirmClaim(ctx, by, c.ID, e.payment("P", c.Amount))
			case 3:
				_, err = e.ReleaseClaim(ctx, by, c.ID, "x")
			case 4:
				_, err = e.RefundClaim(ctx, by, c.ID, registry.Refund{Amount: c.Amount, Reason: "x", Restores: &yes})
			}
			if err != nil && fail.KindOf(err) != fail.Conflict {
				t.Fatalf("step %d: %v", step, err)
			}
		}
	}
	for _, c := range made {
		v, err := e.ClaimByID(ctx, payers[map[bool]int{true: 0, false: 1}[c.Payer == e.kunshan.Organisation]], c.ID)
		if err != nil {
			t.Fatal(err)
		}
		counts[v.State]++
	}
	if counts[policy.Refunded] == 0 || len(made) < 10 {
		t.Errorf("the walk saw too little: %v of %d", counts, len(made))
	}
	t.Logf("%v", counts)
}
