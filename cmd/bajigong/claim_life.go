package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"bajigong/internal/fail"
	"bajigong/registry"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// lifeStep is a command that records one step of a claim.
func lifeStep(w world, server *serverFlags, use, path, short, long, example string, in func() (any, error), needed func(*cobra.Command)) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: use + " CLAIM", Short: short, Long: long, Example: example, Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			body, err := in()
			if err != nil {
				return err
			}
			c, err := server.client(w, true)
			if err != nil {
				return err
			}
			var out registry.ClaimView
			if _, err := c.call(cmd.Context(), ask{method: http.MethodPost, path: claimPath(args[0], path)}, body, &out); err != nil {
				return err
			}
			if asJSON {
				return printJSON(w.stdout, out)
			}
			printClaim(w, out)
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "输出 JSON (print JSON)")
	needed(cmd)
	return cmd
}

// optionalDay reads a date that may be absent.
func optionalDay(text string) (standards.Date, error) {
	if text == "" {
		return "", nil
	}
	return standards.ParseDate(text)
}

func claimExtend(w world, server *serverFlags) *cobra.Command {
	var until, reason string
	return lifeStep(w, server, "extend", "extend", "延长锁定 (put the end of the lock off)", `extend 延长锁定至某日（含当日），须写明原因；最多延长多久由本地区规则文件规定。

The lock stands through that day; the rules of the region bound it.`, `  bajigong claim extend c-… --until 2026-08-31 --reason 财政排期`,
		func() (any, error) {
			d, err := optionalDay(until)
			return registry.ClaimExtension{Until: d, Reason: reason}, err
		}, func(cmd *cobra.Command) {
			cmd.Flags().StringVar(&until, "until", "", "锁定至（含当日） (last day of the lock)")
			cmd.Flags().StringVar(&reason, "reason", "", "原因 (reason)")
			required(cmd, "until", "reason")
		})
}

func claimPublicise(w world, server *serverFlags) *cobra.Command {
	var from, until, notice string
	return lifeStep(w, server, "publicise", "publicity", "公示 (record that it is shown to the public)", `publicise 登记公示：--from 为公示首日；--until 不填则取本地区规则要求的最后一日，
不得短于规则要求的工作日数。有异议的用 object 停止公示，或用 release 解除锁定。

Working days by the State Council's calendar; never shorter than the rules ask.`, `  bajigong claim publicise c-… --from 2026-03-23`,
		func() (any, error) {
			first, err := optionalDay(from)
			if err != nil {
				return nil, err
			}
			last, err := optionalDay(until)
			return registry.NewClaimPublicity{From: first, Until: last, Reference: notice}, err
		}, func(cmd *cobra.Command) {
			cmd.Flags().StringVar(&from, "from", "", "公示首日 (first day)")
			cmd.Flags().StringVar(&until, "until", "", "公示最后一日 (last day)")
			cmd.Flags().StringVar(&notice, "notice", "", "公示编号或网址 (number of the notice)")
			required(cmd, "from")
		})
}

func claimPayable(w world, server *serverFlags) *cobra.Command {
	var document string
	return lifeStep(w, server, "payable", "payable", "转待拨付 (record that it is to be paid)", `payable 公示期满无异议后转待拨付。此后锁定不再到期，逾期未拨付的列入逾期清单。

It does not expire from then on; when it is not paid it is listed as overdue.`, `  bajigong claim payable c-… --document 昆人社审〔2026〕12号`,
		func() (any, error) { return map[string]string{"document": document}, nil },
		func(cmd *cobra.Command) {
			cmd.Flags().StringVar(&document, "document", "", "审批文号 (number of the approval)")
		})
}

func claimReturn(w world, server *serverFlags) *cobra.Command {
	var in registry.PaymentReturn
	var on string
	return lifeStep(w, server, "return", "return", "退票 (the bank returned a payment)", `return 登记银行退票，确认发放之后也可登记：该笔回到待拨付，资格保留。原因不得含姓名、账号。

Also after it was confirmed: it is to be paid again and keeps the right.`, `  bajigong claim return c-… --payment PAY-77 --on 2026-04-02 --reason 账户状态异常`,
		func() (_ any, err error) {
			in.On, err = optionalDay(on)
			return in, err
		}, func(cmd *cobra.Command) {
			cmd.Flags().StringVar(&in.Payment, "payment", "", "支付流水号 (reference of the payment)")
			cmd.Flags().StringVar(&on, "on", "", "退票日期 (day of the return)")
			cmd.Flags().StringVar(&in.Reason, "reason", "", "退票原因 (reason)")
			required(cmd, "payment", "on", "reason")
		})
}

func claimWithdraw(w world, server *serverFlags) *cobra.Command {
	var reason string
	return lifeStep(w, server, "withdraw", "withdraw", "本人撤回 (the person took it back)", `withdraw 登记申领人本人撤回，资格立即释放。

The right is free at once.`, `  bajigong claim withdraw c-… --reason 本人书面申请撤回`,
		func() (any, error) { return map[string]string{"reason": reason}, nil },
		func(cmd *cobra.Command) {
			cmd.Flags().StringVar(&reason, "reason", "", "原因 (reason)")
			required(cmd, "reason")
		})
}

// saidRestores reads --restores, which may be absent where the policy says it.
func saidRestores(text string) (*bool, error) {
	switch text {
	case "":
		return nil, nil
	case policy.Yes, policy.No:
		again := text == policy.Yes
		return &again, nil
	}
	return nil, usageError{errors.New("--restores 应为 yes 或 no (restores is yes or no)")}
}

func claimRecover(w world, server *serverFlags) *cobra.Command {
	var in registry.NewRecovery
	var restores string
	return lifeStep(w, server, "recover", "recovery", "追回立项 (say that the money has to come back)", `recover 对已发放的款项立项追回，未追回前一直列入应追回清单。政策未规定的，
须用 --restores 写明追回后本人能否再次申领，此后不再更改。

What is owed stays listed. Where the policy is silent, --restores has to be said.`, `  bajigong claim recover c-… --reason 证书撤销 --restores no`,
		func() (_ any, err error) {
			in.Restores, err = saidRestores(restores)
			return in, err
		}, func(cmd *cobra.Command) {
			cmd.Flags().StringVar(&in.Reason, "reason", "", "原因 (reason)")
			cmd.Flags().StringVar(&restores, "restores", "", "yes 或 no：本人能否再次申领 (may the person claim again)")
			required(cmd, "reason")
		})
}

// claimRefundParts is the command refund for all of the money or a part of it.
func claimRefundParts(w world, server *serverFlags) *cobra.Command {
	var in registry.Refund
	var amount, restores, on string
	return lifeStep(w, server, "refund", "refund", "追回 (record that money came back)", `refund 登记追回的款项，可分次：每次写明金额、凭证号（--reference）和日期。全部追回前仍按已发放计。
首次登记即立项，须写明原因；政策未规定的，须用 --restores 写明追回后本人能否再次申领。

In parts, each with its reference. The first one opens the recovery.`, `  bajigong claim refund c-… --amount 2600.00 --reason 重复发放 --restores no
  bajigong claim refund c-… --amount 500 --reference ZH-1 --on 2026-05-06`,
		func() (_ any, err error) {
			if in.Restores, err = saidRestores(restores); err != nil {
				return nil, err
			}
			if in.Amount, err = yuan(amount); err != nil {
				return nil, err
			}
			in.On, err = optionalDay(on)
			return in, err
		}, func(cmd *cobra.Command) {
			flags := cmd.Flags()
			flags.StringVar(&amount, "amount", "", "金额，元 (amount in yuan)")
			flags.StringVar(&in.Reference, "reference", "", "追回凭证号，分次追回时必填 (reference of this part)")
			flags.StringVar(&on, "on", "", "追回日期，缺省今天 (day it came back)")
			flags.StringVar(&in.Reason, "reason", "", "原因，首次登记必填 (reason)")
			flags.StringVar(&restores, "restores", "", "yes 或 no：本人能否再次申领 (may the person claim again)")
			required(cmd, "amount")
		})
}

func claimPayout(w world, server *serverFlags) *cobra.Command {
	var in registry.NewPayout
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "payout FILE",
		Short: "发放批次 (record a batch of payments and bank returns)",
		Long: `payout 上传一个发放批次（XLSX 或 CSV，最多 5000 行），表头：
申领编号,申领流水号,金额,发放日期,支付流水号,结果,退票原因

申领编号与申领流水号填一项即可；结果为“成功”或“退票”，不填为成功；金额以元为单位。
有一行无法识别则整批不登记（退出码 3）；能识别而不能登记的行逐行列出，不影响其他行（退出码 1）。
同一批次号、同一内容重复上传不会重复登记，中断后重新上传即可继续。"-" 表示标准输入。

The same batch sent again records nothing twice and goes on where it was interrupted.`,
		Example: `  bajigong claim payout 发放0401.xlsx --reference KS-2026-04-01`,
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := readInput(w, args[0], registry.PayoutFileMaxBytes)
			if err != nil {
				return err
			}
			var rows []int
			if in.Lines, rows, err = registry.ReadPayout(bytes.NewReader(b)); err != nil {
				return badRows(w, err, nil)
			}
			c, err := server.client(w, true)
			if err != nil {
				return err
			}
			var p registry.Payout
			if _, err := c.call(cmd.Context(), ask{method: http.MethodPost, path: "/api/v1/payouts", wait: 3 * time.Minute}, in, &p); err != nil {
				return badRows(w, err, rows)
			}
			return c.printPayout(cmd, w, p, rows, asJSON)
		},
	}
	cmd.Flags().StringVar(&in.Reference, "reference", "", "批次号，本机构唯一 (the payer's own reference of the batch)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "输出 JSON (print JSON)")
	required(cmd, "reference")
	return cmd
}

// badRows prints what is wrong row by row; rows are those of the file, when the
// error counts lines.
func badRows(w world, err error, rows []int) error {
	e := fail.Of(err)
	if e.Kind != fail.Invalid || len(e.Fields) == 0 {
		return err
	}
	for _, f := range e.Fields {
		if f.Row > 0 && f.Row <= len(rows) {
			f.Row = rows[f.Row-1]
		}
		fmt.Fprintln(w.stdout, fieldLine(f))
	}
	return fail.New(e.Kind, e.Code, "%s", e.Text).In("%s", e.ZH)
}

var lineOutcomes = map[registry.LineOutcome]string{
	registry.OutcomePaid: "确认发放 paid", registry.OutcomePartPaid: "先行拨付 paid in part", registry.OutcomeDuplicate: "重复发放 paid twice",
	registry.OutcomeReturned: "退票，回到待拨付 returned", registry.OutcomeFailed: "退票 failed", registry.OutcomeAlready: "此前已登记 recorded before",
	registry.OutcomeRefused: "未登记 refused",
}

// printPayout prints what became of a batch, and every line that is not in order.
func (c *client) printPayout(cmd *cobra.Command, w world, p registry.Payout, rows []int, asJSON bool) error {
	var all []registry.PayoutEntry
	err := pages(cmd.Context(), c, "/api/v1/payouts/"+url.PathEscape(p.ID)+"/lines", nil, func(page []registry.PayoutEntry) error {
		all = append(all, page...)
		return nil
	})
	if err != nil {
		return err
	}
	if asJSON {
		err = printJSON(w.stdout, map[string]any{"payout": p, "lines": all})
	} else {
		say(w.stdout, "%s %s：%d 行，登记发放 %s 元 (%d lines)\n", p.Reference, p.ID, p.Lines, p.Paid, p.Lines)
		for _, o := range []registry.LineOutcome{registry.OutcomePaid, registry.OutcomePartPaid, registry.OutcomeReturned, registry.OutcomeFailed,
			registry.OutcomeAlready, registry.OutcomeDuplicate, registry.OutcomeRefused} {
			if n := p.Outcomes[o]; n > 0 {
				say(w.stdout, "  %s  %d\n", lineOutcomes[o], n)
			}
		}
		for i, l := range all {
			if l.Answer == nil || l.Answer.Outcome != registry.OutcomeRefused && l.Answer.Outcome != registry.OutcomeDuplicate || i >= len(rows) {
				continue
			}
			say(w.stdout, "  第 %d 行 row  %s  %s  %s\n", rows[i], lineOutcomes[l.Answer.Outcome], l.Answer.ZH, l.Answer.EN)
		}
	}
	if err == nil && p.Outcomes[registry.OutcomeRefused]+p.Outcomes[registry.OutcomeDuplicate] > 0 {
		return errNo
	}
	return err
}

func claimDue(w world, server *serverFlags) *cobra.Command {
	var days int
	var overdue, owed, asJSON bool
	cmd := &cobra.Command{
		Use:   "due",
		Short: "列出即将到期、逾期未拨付、应追回的申领 (what is still to be done)",
		Long: `due 列出锁定即将到期的申领；--overdue 列出待拨付逾期的，--owed 列出应追回而未全部追回的。

Locks that run out soon; with --overdue payments that are late, with --owed money to recover.`,
		Example: `  bajigong claim due --days 14
  bajigong claim due --owed`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if overdue && owed {
				return usageError{errors.New("--overdue 与 --owed 只能用一个 (use one of --overdue and --owed)")}
			}
			path, query := "/expiring", url.Values{}
			switch {
			case overdue:
				path = "/overdue"
			case owed:
				path = "/owed"
			case days > 0:
				query.Set("days", strconv.Itoa(days))
			}
			c, err := server.client(w, true)
			if err != nil {
				return err
			}
			all, rows := []registry.ClaimView{}, [][]string{{"申领 claim", "流水号 reference", "状态 state", "金额 amount", "应追回 owed", "自 since", "到期 expires"}}
			err = pages(cmd.Context(), c, claimsPath+path, query, func(page []registry.ClaimView) error {
				for _, v := range page {
					expires := ""
					if v.State.Expires() {
						expires = stamp(v.Expires)
					}
					all, rows = append(all, v), append(rows, []string{v.ID, v.Reference, v.StateName.ZH, v.Amount.String(), v.Owed.String(), stamp(v.Since), expires})
				}
				return nil
			})
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(w.stdout, all)
			}
			table(w.stdout, rows)
			return nil
		},
	}
	cmd.Flags().IntVar(&days, "days", 0, "多少天内到期，缺省按本地区规则 (within how many days)")
	cmd.Flags().BoolVar(&overdue, "overdue", false, "逾期未拨付 (late payments)")
	cmd.Flags().BoolVar(&owed, "owed", false, "应追回 (money to recover)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "输出 JSON (print JSON)")
	return cmd
}
