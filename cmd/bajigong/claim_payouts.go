package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"bajigong/registry"
)

const payoutsPath = "/api/v1/payouts"

var payoutStates = map[registry.PayoutState]string{registry.PayoutRunning: "登记中 running", registry.PayoutDone: "已登记 done"}

// claimPayouts lists the payer's payout batches, or shows the lines of one.
func claimPayouts(w world, server *serverFlags) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "payouts [PAYOUT]",
		Short: "已上传的发放批次及各行结果 (payout batches, and the lines of one)",
		Long: `payouts 列出本机构上传过的发放批次，新的在前；给出批次编号时列出该批次的每一行及其登记结果。

Newest first. With the id of one, its lines with what became of each.`,
		Example: `  bajigong claim payouts
  bajigong claim payouts pay-…`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := server.client(w, true)
			if err != nil {
				return err
			}
			if len(args) == 0 {
				return listed(cmd, w, c, payoutsPath, nil, asJSON, []string{"批次 payout", "批次号 reference", "收到 received", "状态 state", "行数 lines", "登记发放 paid", "未登记 refused", "重复发放 paid twice"},
					func(p registry.Payout) []string {
						return []string{p.ID, p.Reference, stamp(p.Received), payoutStates[p.State], fmt.Sprintf("%d/%d", p.Done, p.Lines), p.Paid.String(),
							strconv.Itoa(p.Outcomes[registry.OutcomeRefused]), strconv.Itoa(p.Outcomes[registry.OutcomeDuplicate])}
					})
			}
			at := payoutsPath + "/" + url.PathEscape(args[0])
			if _, err := c.call(cmd.Context(), ask{method: http.MethodGet, path: at}, nil, &registry.Payout{}); err != nil {
				return err
			}
			return listed(cmd, w, c, at+"/lines", nil, asJSON, []string{"行 line", "申领 claim", "金额 amount", "日期 day", "支付流水号 payment", "结果 outcome", "说明 why"},
				func(l registry.PayoutEntry) []string {
					a := registry.LineAnswer{Claim: l.Claim}
					if l.Answer != nil {
						a = *l.Answer
					}
					claim := a.Claim
					if claim == "" {
						claim = l.Reference
					}
					return []string{strconv.Itoa(l.N), claim, l.Amount.String(), string(l.PaidOn), l.Payment, lineOutcomes[a.Outcome], a.ZH}
				})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "输出 JSON (print JSON)")
	return cmd
}
