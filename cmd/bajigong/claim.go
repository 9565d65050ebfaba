package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"bajigong/internal/fail"
	"bajigong/registry"
	"bajigong/registry/policy"
	"bajigong/standards"
)

func claimCommand(w world) *cobra.Command {
	var server serverFlags
	cmd := &cobra.Command{
		Use:   "claim",
		Short: "补贴申领：核验、锁定、确认、解除、追回 (claims: nobody is paid twice)",
		Long: `claim 用补贴经办机构的接口密钥办理申领。一笔申领的办理过程：

  核验 check → 锁定 reserve → 公示 publicise → 待拨付 payable → 发放 confirm（成批的用 payout）
  发放之后：退票 return、追回 recover 和 refund、更正 correction

核验不留记录；锁定后其他机构不能发放同一事项，默认 90 天后自动解除。本地区规则不要求公示的，
锁定后可直接发放。窗口用 overview、notice；审计和主管部门用各自的密钥查看清单和统计。

退出码：0 可以发放（已锁定、已记录）；1 不予发放，或须补充材料；3 申领信息有误。
缺少外部事实（参保、在职等）时答复“待补充”，不会按不符处理。“原则上”的规定经批准可以例外，
用 --exception 填报批准文号，批准与决定依据一并留存。

Exit codes: 0 may be paid; 1 refused, or something must be supplied first; 3 the
request has mistakes. Other payers' claims show as a date and a reason only.`,
		Example: `  bajigong claim check --file request.json
  bajigong claim reserve --reference KS-2026-0001 --fund skill_uplift --certificate S000032058300253000001 \
      --name 张三 --document … --fact employed=yes --fact-source 昆山社保 --fact-reference SB-9 --fact-at 2026-03-20
  bajigong claim check --subject work_months --from 2026-01-01 --to 2026-03-31 --units 3 --name 张三 --document …
  bajigong claim publicise c-… --from 2026-03-23
  bajigong claim payable c-…
  bajigong claim confirm c-… --payment PAY-77 --paid-on 2026-04-03 --amount 2000
  bajigong claim recover c-… --reason 证书撤销 --restores no`,
	}
	server.add(cmd.PersistentFlags(), w)
	return stages(cmd,
		stage{"check", "核验 Check:", []*cobra.Command{claimCheck(w, &server), claimCheckBatch(w, &server)}},
		stage{"reserve", "锁定 Reserve:", []*cobra.Command{claimReserve(w, &server), claimExtend(w, &server), claimRelease(w, &server), claimWithdraw(w, &server)}},
		stage{"publicity", "公示 Publicity:", []*cobra.Command{claimPublicise(w, &server), claimObject(w, &server)}},
		stage{"payout", "拨付和发放 Payout:", []*cobra.Command{claimPayable(w, &server), claimPayout(w, &server), claimPayouts(w, &server), claimConfirm(w, &server)}},
		stage{"afterwards", "发放之后 Afterwards:", []*cobra.Command{claimReturn(w, &server), claimRecover(w, &server), claimRefundParts(w, &server),
			claimCorrection(w, &server), claimDecision(w, &server)}},
		stage{"overview", "窗口、清单和统计 Overview:", []*cobra.Command{claimOverview(w, &server), claimNotice(w, &server), claimShow(w, &server), claimList(w, &server),
			claimDue(w, &server), claimRecoveries(w, &server), claimTotals(w, &server), claimPatterns(w, &server)}})
}

// stage is a part of the course of work, with its commands.
type stage struct {
	id, title string
	commands  []*cobra.Command
}

// stages is group for commands that follow each other: help shows them by stage.
func stages(cmd *cobra.Command, parts ...stage) *cobra.Command {
	var all []*cobra.Command
	for _, p := range parts {
		cmd.AddGroup(&cobra.Group{ID: p.id, Title: p.title})
		for _, c := range p.commands {
			c.GroupID = p.id
		}
		all = append(all, p.commands...)
	}
	return group(cmd, all...)
}

const claimsPath = "/api/v1/claims"

func claimPath(id string, step string) string {
	path := claimsPath + "/" + url.PathEscape(id)
	if step != "" {
		path += "/" + step
	}
	return path
}

func claimCheck(w world, server *serverFlags) *cobra.Command {
	var f requestFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "核验能否发放，不留记录 (may it be paid? nothing is recorded)",
		Long: `check 逐条核验政策规定，列出所有不符的规定及其条款、所有待补充的事实，以及金额的
计算过程。不锁定：在此之后仍可能被其他机构先锁定。

It lists every failing rule with its clause, everything missing, and the amount with
its calculation. It reserves nothing.
` + requestExample,
		Example: `  bajigong claim check --file request.json
  bajigong claim check --json < request.json --file - | jq .outcome`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return askClaim(cmd, w, server, &f, claimsPath+"/check", asJSON)
		},
	}
	f.add(cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, "输出 JSON (print JSON)")
	return cmd
}

func claimReserve(w world, server *serverFlags) *cobra.Command {
	var f requestFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "reserve",
		Short: "锁定 (reserve the right to pay)",
		Long: `reserve 锁定一笔申领：在锁定期内其他机构不能发放同一事项。同一流水号、同一内容重复
执行得到同一答复；内容不同则拒绝。不予锁定的也记录在案；待补充的不记录，流水号可再用。

The same reference with the same content gets the same answer again, with another
content it is refused. A refusal is recorded; a claim that is on hold is not.
` + requestExample,
		Example: `  bajigong claim reserve --file request.json`,
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return askClaim(cmd, w, server, &f, claimsPath, asJSON)
		},
	}
	f.add(cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, "输出 JSON (print JSON)")
	return cmd
}

func askClaim(cmd *cobra.Command, w world, server *serverFlags, f *requestFlags, path string, asJSON bool) error {
	in, err := f.request(w)
	if err != nil {
		return err
	}
	c, err := server.client(w, true)
	if err != nil {
		return err
	}
	var out registry.ClaimAnswer
	if _, err := c.call(cmd.Context(), ask{method: http.MethodPost, path: path}, in, &out); err != nil {
		return err
	}
	if asJSON {
		err = printJSON(w.stdout, out)
	} else {
		printClaimAnswer(w, out, f.gaps)
	}
	if err == nil && out.Outcome != policy.Allow {
		return errNo
	}
	return err
}

// payees are to whom a claim is paid.
var payees = map[string]string{"person": "本人 (the person)", "enterprise": "企业 (the enterprise)", "institution": "培训或评价机构 (the institution)"}

// outcomes are the answers in one line.
var outcomes = map[policy.Outcome]string{
	policy.Allow: "✓ 可以发放\n  may be paid",
	policy.Deny:  "✕ 不予发放\n  refused",
	policy.Hold:  "‖ 待补充后再定\n  on hold: something must be supplied or settled first",
}

func printClaimAnswer(w world, a registry.ClaimAnswer, gaps bool) {
	fmt.Fprintln(w.stdout, outcomes[a.Outcome])
	if a.Note != nil {
		say(w.stdout, "  %s\n  %s\n", a.Note.ZH, a.Note.EN)
	}
	if a.Decision != nil {
		printDecision(w, *a.Decision, gaps)
	}
	for _, n := range a.Next {
		say(w.stdout, "  → %s\n    %s\n", n.Next.ZH, n.Next.EN)
	}
	printUnconfirmed(w, a.Unconfirmed)
	if a.Claim != nil {
		fmt.Fprintln(w.stdout)
		printClaim(w, *a.Claim)
	}
}

// printUnconfirmed prints the texts of which nobody can tell whether they hold.
func printUnconfirmed(w world, texts []registry.UnconfirmedPolicy) {
	for _, u := range texts {
		say(w.stdout, "\n  ! %s\n    %s\n", u.Note.ZH, u.Note.EN)
	}
}

// printDecision prints a decision; gaps says whether what the policy leaves open is
// listed or counted.
func printDecision(w world, d policy.Decision, gaps bool) {
	for _, f := range d.Failing {
		say(w.stdout, "\n  ✕ %s\n    %s\n", f.ZH, f.EN)
		clause(w, f.Clause, string(f.Reason))
		if f.Detail.ZH != "" {
			say(w.stdout, "    %s\n    %s\n", f.Detail.ZH, f.Detail.EN)
		}
		for _, b := range f.Blocks {
			whose := "其他机构 another payer"
			if b.Own {
				whose = strings.TrimSpace("本机构 own " + b.Claim + " " + b.State.Name().ZH)
			}
			say(w.stdout, "    %s  %s\n", string(b.On), whose)
		}
		if f.InPrinciple {
			exceptionHint(w, f)
		}
	}
	for _, m := range d.Missing {
		say(w.stdout, "\n  ? %s\n    %s\n", m.ZH, m.EN)
		clause(w, m.Clause, string(m.Reason))
		if name, ok := strings.CutPrefix(m.Fact, "certificate."); ok {
			say(w.stdout, "    证书信息 certificate: %s\n", name)
		} else {
			say(w.stdout, "    请提供 supply: --fact %s=…\n", m.Fact)
		}
	}
	if len(d.Failing) == 0 && (d.Outcome == policy.Allow || len(d.Calculation) > 0) {
		if d.Outcome == policy.Allow {
			say(w.stdout, "\n  金额 amount  %s 元 (CNY)\n", d.Amount)
		} else {
			fmt.Fprintln(w.stdout, "\n  金额待定，已可计算的部分 amount not settled; as far as it can be computed")
		}
		for _, step := range d.Calculation {
			say(w.stdout, "    %s\n    %s\n", step.ZH, step.EN)
		}
		if name, ok := payees[d.PayTo]; ok {
			say(w.stdout, "    发放对象 pay to  %s\n", name)
		}
		if d.AdvanceMost > 0 {
			say(w.stdout, "    最多可先行拨付 paid ahead at most  %s 元 (CNY)\n", d.AdvanceMost)
		}
	}
	for _, f := range d.Excepted {
		say(w.stdout, "\n  ◦ 经批准的例外 excepted: %s\n    %s\n", f.ZH, f.EN)
		clause(w, f.Clause, string(f.Reason))
		for _, x := range d.Approvals {
			if x.Rule == f.Rule {
				say(w.stdout, "    批准 approved by  %s %s（%s）\n", x.Approver, x.Document, x.On.Chinese())
			}
		}
	}
	fmt.Fprintln(w.stdout)
	name := fmt.Sprintf("%s v%d", d.Policy, d.Version)
	if d.Sample {
		name += "（示例政策，不得用于实际发放 a sample, not law）"
	}
	facts(w.stdout, [2]string{"政策 policy", name}, [2]string{"依据 document", d.Document}, [2]string{"适用日期 decided as of", string(d.On)})
	if n := len(d.Unknown); n > 0 && !gaps {
		say(w.stdout, "  条文未载明 %d 处（--gaps 列出） the text is silent on %d points; --gaps lists them\n", n, n)
		return
	}
	for _, g := range d.Unknown {
		say(w.stdout, "  条文未载明 the text is silent: %s — %s\n", g.ZH, g.EN)
	}
}

func clause(w world, text, code string) {
	if text != "" {
		text += "  "
	}
	say(w.stdout, "    %s[%s]\n", text, code)
}

func printClaim(w world, c registry.ClaimView) {
	pairs := [][2]string{
		{"申领 claim", c.ID},
		{"状态 state", fmt.Sprintf("%s (%s)", c.StateName.ZH, c.StateName.EN)},
		{"流水号 reference", c.Reference},
		{"证书编号 certificate", c.Certificate},
		{"政策 policy", fmt.Sprintf("%s v%d", c.Policy, c.Version)},
		{"金额 amount", c.Amount.String() + " 元 (CNY)"},
		{"锁定 reserved", stamp(c.Reserved)},
		{"到期 expires", stamp(c.Expires)},
	}
	if c.Outcome != policy.Allow {
		var reasons []string
		for _, r := range c.Reasons {
			reasons = append(reasons, string(r))
		}
		pairs = append(pairs, [2]string{"原因 reasons", strings.Join(reasons, ", ")})
	}
	if r := c.Release; r != nil {
		pairs = append(pairs, [2]string{"解除 released", stamp(r.At) + "  " + r.Reason})
	}
	if p := c.Payment; p != nil {
		late := ""
		if p.Late {
			late = "（锁定结束后报来 reported late）"
		}
		if p.Unpublicised {
			late += "（公示未满即发放 paid before its publicity was over）"
		}
		pairs = append(pairs, [2]string{"发放 paid", fmt.Sprintf("%s  %s 元  %s%s", p.PaidOn, p.Amount, p.Reference, late)})
	}
	if r := c.Refund; r != nil {
		again := "不恢复申领资格 may not claim again"
		if r.Restores {
			again = "恢复申领资格 may claim again"
		}
		pairs = append(pairs, [2]string{"追回 refunded", fmt.Sprintf("%s  %s 元  %s（%s）", stamp(r.At), r.Amount, r.Reason, again)})
	}
	if r := c.Recovery; r != nil && r.Closed.IsZero() {
		pairs = append(pairs, [2]string{"须追回 to recover", r.Amount.String() + " 元 (CNY)"})
	}
	for _, x := range c.Corrections {
		if x.State == registry.ClaimCorrectionProposed {
			pairs = append(pairs, [2]string{"待复核的更正 correction waits", fmt.Sprintf("%d  第 %d 步 step %d: %s", x.N, x.Step, x.Step, corrected(x))})
		}
	}
	facts(w.stdout, append(pairs, [2]string{"日志 log entry", fmt.Sprint(c.LogIndex)})...)
}

// claimStep sends a step and prints the claim after it.
func claimStep(cmd *cobra.Command, w world, server *serverFlags, a ask, in any, asJSON bool) error {
	claim, err := shown(cmd, w, server, a, in, asJSON, printClaim)
	if err == nil && claim.State == policy.Duplicate {
		fmt.Fprintln(w.stderr, "✕ 重复发放：该笔已记录，款项须追回 (paid although the right was gone: it is recorded, and the money must come back)")
		return errNo
	}
	return err
}

func claimConfirm(w world, server *serverFlags) *cobra.Command {
	var pay registry.Payment
	var paidOn, amount string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "confirm CLAIM",
		Short: "确认发放 (record the payment)",
		Long: `confirm 记录已经发放。同一支付流水号重复执行不会重复记录。锁定结束后才报来的发放也
一律记录；若资格已被他人使用，记为重复发放并生成追回事项（退出码 1）。

A payment is always recorded. If the right is gone by then, it is a payment to
recover (exit code 1).`,
		Example: `  bajigong claim confirm c-… --payment PAY-77 --paid-on 2026-03-31 --amount 2600.00`,
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if pay.PaidOn, err = standards.ParseDate(paidOn); err != nil {
				return err
			}
			if pay.Amount, err = yuan(amount); err != nil {
				return err
			}
			return claimStep(cmd, w, server, ask{method: http.MethodPost, path: claimPath(args[0], "confirm")}, pay, asJSON)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&pay.Reference, "payment", "", "支付流水号 (reference of the payment)")
	flags.StringVar(&paidOn, "paid-on", "", "发放日期 (day of the payment)")
	flags.StringVar(&amount, "amount", "", "金额，元 (amount in yuan, as decided)")
	flags.BoolVar(&asJSON, "json", false, "输出 JSON (print JSON)")
	required(cmd, "payment", "paid-on", "amount")
	return cmd
}

func yuan(text string) (policy.Fen, error) {
	fen, ok := policy.ParseFen(text)
	if !ok {
		return 0, fail.New(fail.Invalid, "amount", "an amount is in yuan, like 2000 or 2600.50").In("金额以元为单位，形如 2000 或 2600.50")
	}
	return fen, nil
}

func claimRelease(w world, server *serverFlags) *cobra.Command {
	var in struct {
		Reason string `json:"reason"`
	}
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "release CLAIM",
		Short: "解除锁定 (give a reservation up)",
		Long: `release 解除锁定，其他机构即可申领。原因不得含个人信息。
The right is free at once. The reason holds nothing personal.`,
		Example: `  bajigong claim release c-… --reason 本人撤回`,
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return claimStep(cmd, w, server, ask{method: http.MethodPost, path: claimPath(args[0], "release")}, in, asJSON)
		},
	}
	cmd.Flags().StringVar(&in.Reason, "reason", "", "原因，1 至 200 字 (reason)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "输出 JSON (print JSON)")
	required(cmd, "reason")
	return cmd
}

func claimShow(w world, server *serverFlags) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show CLAIM",
		Short: "查看一笔申领 (show a claim)",
		Long: `show 查看本机构的一笔申领；其他机构的申领视为不存在。
Another payer's claim is not there for you.`,
		Example: `  bajigong claim show c-…`,
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := server.client(w, true)
			if err != nil {
				return err
			}
			var out registry.ClaimView
			if _, err := c.call(cmd.Context(), ask{method: http.MethodGet, path: claimPath(args[0], "")}, nil, &out); err != nil {
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
	return cmd
}
