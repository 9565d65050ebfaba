package main

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"bajigong/internal/invented"
	"bajigong/registry"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// life runs a command of a claim's life on the machine and returns what it printed.
func (s *served) life(t *testing.T, ends error, args ...string) string {
	t.Helper()
	w := s.world()
	cmd := claimCommand(w)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(args)
	if err := cmd.ExecuteContext(context.Background()); err != ends {
		t.Fatalf("claim %v: %v, want %v\n%s\n%s", args, err, ends, &s.out, &s.errs)
	}
	return s.out.String()
}

func TestLifeOfAClaimByCommands(t *testing.T) {
	s := newServed(t)
	by := s.MustAdmit(1)
	issued := s.MustCertificates(by, 0, 2)
	s.payerKey("ks-jy", "320583")
	var ids []string
	var amount policy.Fen
	for i, one := range issued {
		out := s.run(exitOK, "claim", "reserve", "--json", "--file", claimRequest(t, one.Number, invented.PersonAt(i), fmt.Sprint("KS-", i), claimFacts(s.Clock.Now())))
		var a registry.ClaimAnswer
		if err := json.Unmarshal([]byte(out), &a); err != nil || a.Claim == nil {
			t.Fatalf("%v\n%s", err, out)
		}
		ids, amount = append(ids, a.Claim.ID), a.Claim.Amount
	}
	today := standards.DateOf(s.Clock.Now())
	says(t, s.life(t, nil, "extend", ids[0], "--until", string(today.AddDays(100)), "--reason", "财政排期"), "已锁定")
	says(t, s.life(t, nil, "publicise", ids[0], "--from", string(today)), "公示中")
	s.Clock.Set(today.AddDays(20).Time())
	today = today.AddDays(20)
	says(t, s.life(t, nil, "payable", ids[0], "--document", "昆〔2026〕1号"), "待拨付")
	says(t, s.life(t, nil, "due", "--days", "90"), ids[1])

	table := file(t, "发放.csv", fmt.Sprintf("申领编号,申领流水号,金额,发放日期,支付流水号,结果,退票原因\n%s,,%s,%s,B-0,成功,\n\n,KS-1,1,%s,B-1,成功,\n", ids[0], amount, today, today))
	says(t, s.life(t, errNo, "payout", table, "--reference", "B-1"), "2 行", "确认发放 paid", "第 4 行 row", "不一致")
	list := s.life(t, nil, "payouts")
	says(t, list, "B-1", "已登记 done", "2/2", amount.String())
	var batch []registry.Payout
	if err := json.Unmarshal([]byte(s.life(t, nil, "payouts", "--json")), &batch); err != nil || len(batch) != 1 {
		t.Fatalf("%+v, %v", batch, err)
	}
	says(t, s.life(t, nil, "payouts", batch[0].ID), ids[0], "确认发放 paid", "未登记 refused", "不一致", "B-0")
	says(t, s.life(t, nil, "return", ids[0], "--payment", "B-0", "--on", string(today), "--reason", "账户状态异常"), "待拨付")
	says(t, s.life(t, nil, "withdraw", ids[1], "--reason", "本人申请"), "本人已撤回")
	table = file(t, "发放2.csv", fmt.Sprintf("申领编号,金额,发放日期,支付流水号\n%s,%s,%s,B-2\n", ids[0], amount, today))
	s.life(t, nil, "payout", table, "--reference", "B-2")
	says(t, s.life(t, nil, "recover", ids[0], "--reason", "证书撤销", "--restores", "no"), "追回中", "须追回")
	says(t, s.life(t, nil, "due", "--owed"), ids[0], amount.String())
	s.life(t, nil, "refund", ids[0], "--amount", "500", "--reference", "R-1")
	says(t, s.life(t, nil, "refund", ids[0], "--amount", (amount-50000).String(), "--reference", "R-2"), "已追回")
}
