package main

import (
	"maps"
	"slices"

	"bajigong/internal/invented"
	"bajigong/registry"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// owed is the claim that the story pays at the end of its subsidies.
type owed struct {
	claim  string
	amount policy.Fen
	on     standards.Date
}

// cityClaim is the same certificate under the policy of a city, with its facts.
func (s *story) cityClaim(reference, law string, cert registry.Issued, values map[policy.FactKind]string) registry.ClaimRequest {
	p := invented.PersonAt(cert.Row - 2)
	out := registry.ClaimRequest{Reference: reference, Policy: law, Certificate: cert.Number, Name: p.Name, Document: p.Document}
	for kind, value := range values {
		if out.Facts == nil {
			out.Facts = policy.Facts{}
		}
		out.Facts[kind] = policy.Fact{Value: value, Source: "演示经办系统", At: s.clock.now(), Reference: "YS-" + cert.Number[len(cert.Number)-4:]}
	}
	return out
}

// payouts walks two claims of Kunshan from the question to the money, beside
// another city, and decides one of them anew.
func (s *story) payouts() error {
	taiyuan, err := s.accountBy(registry.Operator(), "太原补贴经办（演示）", registry.RolePayer, "payer-ty", "140100")
	if err != nil {
		return err
	}
	ks := map[policy.FactKind]string{policy.PolicyInForce: policy.Yes, policy.Insured: policy.Yes, policy.Employed: policy.Yes, policy.ScarceListed: policy.Yes}
	ty := map[policy.FactKind]string{policy.PolicyInForce: policy.Yes, policy.ScarceListed: policy.Yes, policy.ApprovedAmount: "2000"}
	held, err := s.reg.CheckClaim(s.ctx, s.kunshan, s.cityClaim("KS-2026-000002", "kunshan-2020-67", s.voided, nil))
	if err != nil {
		return err
	}
	if held.Outcome != policy.Hold || len(held.Decision.Missing) != len(ks) {
		return unexpected("a claim of Kunshan without facts is %s, %d missing", held.Outcome, len(held.Decision.Missing))
	}
	s.say("   昆山 %s：%s，待补充 %d 项，其一：%s", held.Decision.Document, held.Outcome, len(held.Decision.Missing), held.Next[0].Next.ZH)
	other, err := s.reg.CheckClaim(s.ctx, taiyuan, s.cityClaim("TY-1", "taiyuan-uplift", s.voided, ty))
	if err != nil {
		return err
	}
	if other.Outcome != policy.Allow {
		return unexpected("Taiyuan answers %s", other.Outcome)
	}
	var claims []registry.ClaimAnswer
	for i, cert := range []registry.Issued{s.voided, s.third} {
		got, err := s.reg.ReserveClaim(s.ctx, s.kunshan, s.cityClaim([]string{"KS-2026-000002", "KS-2026-000003"}[i], "kunshan-2020-67", cert, ks))
		if err != nil {
			return err
		}
		if got.Outcome != policy.Allow || got.Claim == nil {
			return unexpected("the claim of Kunshan is %s: %v", got.Outcome, got.Reasons)
		}
		claims = append(claims, got)
	}
	s.say("   补充后：昆山紧缺上浮30%% %s 元，锁定；同一证书按太原政策上浮20%% %s 元", claims[0].Decision.Amount, other.Decision.Amount)
	refused, err := s.reg.ReserveClaim(s.ctx, taiyuan, s.cityClaim("TY-1", "taiyuan-uplift", s.voided, ty))
	if err != nil {
		return err
	}
	if refused.Outcome != policy.Deny || len(refused.Next) == 0 {
		return unexpected("the second city's reservation is %s", refused.Outcome)
	}
	for i, f := range refused.Decision.Failing {
		s.say("   太原被拒：%s（%s）→ %s", f.ZH, f.Clause, refused.Next[i].Next.ZH)
	}
	if err := s.payOut(claims); err != nil {
		return err
	}
	return s.replay(claims[0].Claim.ID)
}

// payOut publicises the claims and reports their payments: the bank returns one,
// which is paid again.
func (s *story) payOut(claims []registry.ClaimAnswer) error {
	var until standards.Date
	for _, c := range claims {
		open, err := s.reg.PubliciseClaim(s.ctx, s.kunshan, c.Claim.ID, registry.NewClaimPublicity{From: s.today(), Reference: "演示公示〔2026〕1号"})
		if err != nil {
			return err
		}
		until = open.Publicity.Until
	}
	s.moveTo(until.AddDays(1), 9)
	lines := make([]registry.PayoutLine, len(claims))
	for i, c := range claims {
		if _, err := s.reg.MakeClaimPayable(s.ctx, s.kunshan, c.Claim.ID, "演示拨付〔2026〕1号"); err != nil {
			return err
		}
		lines[i] = registry.PayoutLine{Reference: c.Claim.Reference, Amount: c.Decision.Amount, PaidOn: s.today(), Payment: "FF-2026-04-" + c.Claim.Reference, Result: registry.LinePaid}
	}
	back := len(lines) - 1
	lines[back].Result, lines[back].Reason = registry.LineFailed, "账户状态异常"
	first, err := s.payout("FFPC-1", lines)
	if err != nil {
		return err
	}
	again := lines[back]
	again.Result, again.Reason, again.Payment = registry.LinePaid, "", again.Payment+"-2"
	second, err := s.payout("FFPC-2", []registry.PayoutLine{again})
	if err != nil {
		return err
	}
	if first.Outcomes[registry.OutcomePaid] != 1 || first.Outcomes[registry.OutcomeFailed] != 1 || second.Outcomes[registry.OutcomePaid] != 1 {
		return unexpected("the payouts end as %v and %v", first.Outcomes, second.Outcomes)
	}
	s.say("   公示至 %s；发放批次：1 笔成功、1 笔退票，退票的一笔再次发放，共 %s 元", until.Chinese(), first.Paid+second.Paid)
	s.moveTo(s.owed.on, 10)
	paid, err := s.reg.ConfirmClaim(s.ctx, s.kunshan, s.owed.claim, registry.Payment{Reference: "FF-2026-05-001", PaidOn: s.today(), Amount: s.owed.amount})
	if err != nil {
		return err
	}
	s.say("   上一步锁定的一笔：%s，%s 元", paid.StateName.ZH, paid.Amount)
	return nil
}

func (s *story) payout(reference string, lines []registry.PayoutLine) (registry.Payout, error) {
	p, err := s.reg.RecordPayout(s.ctx, s.kunshan, registry.NewPayout{Reference: reference, Lines: lines})
	if err == nil && p.State != registry.PayoutDone {
		err = unexpected("payout %s is %s", reference, p.State)
	}
	return p, err
}

// replay decides a recorded claim anew.
func (s *story) replay(claim string) error {
	r, err := s.reg.ReplayClaim(s.ctx, s.kunshan, claim)
	if err != nil {
		return err
	}
	if !r.Same {
		return unexpected("the replay of %s differs: %v", claim, r.Problems)
	}
	s.say("   重算 %s：按所存文本 %s v%d（摘要 %.12s…），与记录逐字节相同", claim, r.Policy, r.Version, r.Digest)
	return nil
}

// told reads what the payer learns after the certificate it paid for was voided.
func (s *story) told() error {
	feed, err := s.reg.Reliance(s.ctx, s.kunshan, 0, 100, 0)
	if err != nil {
		return err
	}
	advice := map[registry.RelianceAdvice]string{}
	for _, e := range feed.Items {
		if e.Certificate == s.voided.Number && e.What == registry.RelianceVoided {
			advice[e.Advice] = e.AdviceName.ZH
			s.say("   昆山变动通知第 %d 条：%s，申领 %s 已发放 %s 元：%s", e.Seq, e.WhatName.ZH, e.Reference, e.Paid, e.AdviceName.ZH)
		}
	}
	if _, ok := advice[registry.AdviceRecover]; !ok || len(advice) != 1 {
		return unexpected("the payer is told %v", slices.Collect(maps.Values(advice)))
	}
	return nil
}
