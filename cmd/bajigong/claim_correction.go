package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"bajigong/registry"
	"bajigong/registry/policy"
)

// claimObject is the step that an objection makes.
func claimObject(w world, server *serverFlags) *cobra.Command {
	var reason string
	return lifeStep(w, server, "object", "objection", "公示有异议 (an objection stops the publicity)", `object 登记公示期间收到的异议：公示停止，申领回到已锁定，锁定期限不变。
核实后可重新公示（publicise），或解除锁定（release）。原因不得写异议人的姓名、电话。

The publicity stops and the claim is reserved again; publicise it anew or release it.
The reason names nobody.`, `  bajigong claim object c-… --reason 反映不在本单位工作，待核实`,
		func() (any, error) { return map[string]string{"reason": reason}, nil },
		func(cmd *cobra.Command) {
			cmd.Flags().StringVar(&reason, "reason", "", "异议内容，1 至 200 字 (what is objected)")
			required(cmd, "reason")
		})
}

func claimCorrection(w world, server *serverFlags) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "correction",
		Short: "更正已登记的步骤：提出、复核、撤回、查看 (correct a recorded step, by two people)",
		Long: `correction 更正申领中登记错的发放、退票、追回，例如金额或支付流水号填错、登记到了别人的申领上。
一人提出，本机构另一账号复核；原记录不改动，更正另记一步，始终可查。

  1. list     查看各步骤的序号，以及待复核的更正
  2. propose  提出：改为何值，或用 --void 写明该步骤没有发生
  3. approve、reject  另一账号复核；withdraw  提出人撤回

后面的步骤以该步骤为前提的，先更正后面的步骤。

One account proposes, another one of the payer decides. Nothing is overwritten: an
approved correction is one more step.`,
		Example: `  bajigong claim correction list c-…
  bajigong claim correction propose c-… --step 3 --amount 2400 --reason 金额录入错误
  bajigong claim correction propose c-… --step 3 --void --reason 登记到了他人的申领
  bajigong claim correction approve c-… 1`,
	}
	return group(cmd, correctionPropose(w, server),
		correctionDecide(w, server, "approve", "复核同意 (approve, as the second person)", `approve 同意一项更正：更正作为新的一步登记，立即生效。提出人不能复核自己提出的更正。

The correcting step is recorded at once. Who asked for it cannot approve it.`, false),
		correctionDecide(w, server, "reject", "复核不同意 (reject, as the second person)", `reject 不同意一项更正，须写明理由；申领不变。

The claim stays as it is.`, true),
		correctionDecide(w, server, "withdraw", "提出人撤回 (withdraw what one has asked for)", `withdraw 由提出人撤回尚未复核的更正；申领不变。

Only who asked for it can withdraw it.`, false),
		correctionList(w, server))
}

func correctionPropose(w world, server *serverFlags) *cobra.Command {
	var in registry.NewClaimCorrection
	var amount, on string
	return lifeStep(w, server, "propose", "corrections", "提出更正 (ask for a correction)", `propose 提出更正申领的一步（--step，序号见 correction list）：--amount、--reference、--on 只填要改的，
或用 --void 写明该步骤没有发生。由本机构另一账号复核后生效。

Give what is to be changed alone, or --void when the step did not happen.`, `  bajigong claim correction propose c-… --step 3 --reference PAY-78 --reason 支付流水号录入错误`,
		func() (_ any, err error) {
			if amount != "" {
				fen, err := yuan(amount)
				if err != nil {
					return nil, err
				}
				in.Amount = &fen
			}
			in.On, err = optionalDay(on)
			return in, err
		}, func(cmd *cobra.Command) {
			flags := cmd.Flags()
			flags.IntVar(&in.Step, "step", 0, "要更正的步骤序号 (number of the step)")
			flags.BoolVar(&in.Void, "void", false, "该步骤没有发生 (the step did not happen)")
			flags.StringVar(&amount, "amount", "", "正确的金额，元 (the right amount in yuan)")
			flags.StringVar(&in.Reference, "reference", "", "正确的流水号或凭证号 (the right reference)")
			flags.StringVar(&on, "on", "", "正确的日期 (the right day)")
			flags.StringVar(&in.Reason, "reason", "", "更正原因，1 至 200 字，不得含个人信息 (reason)")
			required(cmd, "step", "reason")
		})
}

func correctionDecide(w world, server *serverFlags, do, short, long string, reasoned bool) *cobra.Command {
	var reason string
	var asJSON bool
	cmd := &cobra.Command{
		Use: do + " CLAIM N", Short: short, Long: long, Example: "  bajigong claim correction " + do + " c-… 1", Args: exactly(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := strconv.Atoi(args[1])
			if err != nil || n < 1 {
				return usageError{fmt.Errorf("更正序号 %q 应为正整数，见 correction list (the number of a correction is 1 or more)", args[1])}
			}
			var in any
			if reasoned {
				in = map[string]string{"reason": reason}
			}
			return claimStep(cmd, w, server, ask{method: http.MethodPost, path: claimPath(args[0], "corrections/"+args[1]+"/"+do)}, in, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "输出 JSON (print JSON)")
	if reasoned {
		cmd.Flags().StringVar(&reason, "reason", "", "理由 (reason)")
		cmd.Example += " --reason 凭证与申请不符"
		required(cmd, "reason")
	}
	return cmd
}

func correctionList(w world, server *serverFlags) *cobra.Command {
	var from, to string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list [CLAIM]",
		Short: "步骤序号和各项更正；或列出待复核的 (steps and corrections; or those that wait)",
		Long: `list CLAIM 列出一笔申领的各步骤及其序号、各项更正及其状态。
list --from DAY 列出锁定日期在这一天以后（至 --to）的申领中待复核的更正。

Of one claim its steps and corrections; with --from those that wait for a second
person, of claims reserved from that day on.`,
		Example: `  bajigong claim correction list c-…
  bajigong claim correction list --from 2026-03-01`,
		Args: func(cmd *cobra.Command, args []string) error {
			if (len(args) == 1) == cmd.Flags().Changed("from") || len(args) > 1 {
				return usageError{errors.New("请指定一笔申领，或用 --from 指定锁定日期 (name a claim, or days with --from)\nusage: " + cmd.UseLine())}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := server.client(w, true)
			if err != nil {
				return err
			}
			if len(args) == 1 {
				var out registry.ClaimView
				if _, err := c.call(cmd.Context(), ask{method: http.MethodGet, path: claimPath(args[0], "")}, nil, &out); err != nil {
					return err
				}
				if asJSON {
					return printJSON(w.stdout, map[string]any{"claim": out.ID, "steps": out.Steps, "corrections": append([]registry.ClaimCorrection{}, out.Corrections...)})
				}
				printSteps(w, out)
				return nil
			}
			query, err := dayQuery(map[string]string{"from": from, "to": to})
			if err != nil {
				return err
			}
			return c.printWaiting(cmd, w, query, asJSON)
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "锁定日期自 (first day of the reservation)")
	cmd.Flags().StringVar(&to, "to", "", "锁定日期至 (last day of the reservation)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "输出 JSON (print JSON)")
	return cmd
}

// dayQuery is a query of days, each as it may be written; empty ones are left out.
func dayQuery(days map[string]string) (url.Values, error) {
	out := url.Values{}
	for name, text := range days {
		d, err := optionalDay(text)
		if err != nil {
			return nil, err
		}
		if d != "" {
			out.Set(name, string(d))
		}
	}
	return out, nil
}

// waitingCorrection is a correction with the claim it is of.
type waitingCorrection struct {
	Claim     string `json:"claim"`
	Reference string `json:"reference"`
	registry.ClaimCorrection
}

func (c *client) printWaiting(cmd *cobra.Command, w world, query url.Values, asJSON bool) error {
	waiting, rows := []waitingCorrection{}, [][]string{{"申领 claim", "更正 n", "步骤 step", "改为 to", "原因 reason", "提出 asked"}}
	err := pages(cmd.Context(), c, claimsPath, query, func(page []registry.ClaimView) error {
		for _, v := range page {
			for _, x := range v.Corrections {
				if x.State == registry.ClaimCorrectionProposed {
					waiting = append(waiting, waitingCorrection{v.ID, v.Reference, x})
					rows = append(rows, []string{v.ID, strconv.Itoa(x.N), strconv.Itoa(x.Step), corrected(x), x.Reason, stamp(x.At)})
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(w.stdout, waiting)
	}
	if len(waiting) == 0 {
		fmt.Fprintln(w.stdout, "没有待复核的更正 (no correction waits)")
		return nil
	}
	table(w.stdout, rows)
	return nil
}

// corrected says what a step is to be.
func corrected(x registry.ClaimCorrection) string {
	if x.Void {
		return "没有发生 did not happen"
	}
	return fmt.Sprintf("%s 元  %s  %s", x.Amount, x.Reference, string(x.On))
}

var stepNames = map[registry.ClaimStepKind]string{
	registry.StepExtended: "延长锁定 extended", registry.StepPublicised: "公示 publicised", registry.StepObjected: "公示有异议 objected",
	registry.StepPayable: "转待拨付 payable", registry.StepPaid: "发放 paid", registry.StepReturned: "退票 returned", registry.StepReleased: "解除锁定 released",
	registry.StepWithdrawn: "本人撤回 withdrawn", registry.StepRecovery: "追回立项 recovery", registry.StepRefunded: "追回 refunded", registry.StepCorrected: "更正 corrected",
}

var correctionStates = map[registry.ClaimCorrectionState]string{
	registry.ClaimCorrectionProposed: "待复核 proposed", registry.ClaimCorrectionApproved: "已更正 approved",
	registry.ClaimCorrectionRejected: "不予更正 rejected", registry.ClaimCorrectionWithdrawn: "已撤回 withdrawn",
}

// printSteps prints the steps of a claim by number, and its corrections.
func printSteps(w world, c registry.ClaimView) {
	say(w.stdout, "%s  %s (%s)\n\n", c.ID, c.StateName.ZH, c.StateName.EN)
	rows := [][]string{{"步骤 step", "", "金额 amount", "流水号 reference", "日期 day", "登记 recorded", "更正第几步 corrects"}}
	for _, s := range c.Steps {
		amount, corrects := "", ""
		if s.Amount != 0 {
			amount = s.Amount.String()
		}
		if s.Kind == registry.StepCorrected {
			if corrects = strconv.Itoa(s.Corrects); s.Void {
				corrects += "（没有发生 did not happen）"
			}
		}
		rows = append(rows, []string{strconv.Itoa(s.N), stepNames[s.Kind], amount, s.Reference, string(s.On), stamp(s.At), corrects})
	}
	table(w.stdout, rows)
	if len(c.Corrections) == 0 {
		fmt.Fprintln(w.stdout, "\n没有更正 (no corrections)")
		return
	}
	rows = [][]string{{"更正 n", "步骤 step", "改为 to", "状态 state", "原因 reason", "理由 why not"}}
	for _, x := range c.Corrections {
		rows = append(rows, []string{strconv.Itoa(x.N), strconv.Itoa(x.Step), corrected(x), correctionStates[x.State], x.Reason, x.Why})
	}
	fmt.Fprintln(w.stdout)
	table(w.stdout, rows)
}

func claimList(w world, server *serverFlags) *cobra.Command {
	var state, from, to, payer, institution string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "列出申领 (list claims)",
		Long: `list 列出本机构的申领，可按状态和锁定日期筛选。审计、主管部门用 --payer 指定经办机构，
或用 --institution 列出某评价机构所发证书的全部申领（本地区各经办机构）。

The payer's own claims; auditors and the authority name a payer, or the institution
that issued the certificates.`,
		Example: `  bajigong claim list --state payable
  bajigong claim list --institution i-… --from 2026-01-01 --to 2026-03-31`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			query, err := dayQuery(map[string]string{"from": from, "to": to})
			if err != nil {
				return err
			}
			setAll(query, map[string]string{"state": state, "payer": payer, "institution": institution})
			c, err := server.client(w, true)
			if err != nil {
				return err
			}
			return listed(cmd, w, c, claimsPath, query, asJSON, []string{"申领 claim", "经办 payer", "流水号 reference", "状态 state", "证书编号 certificate", "政策 policy", "金额 amount", "锁定 reserved"},
				func(v registry.ClaimView) []string {
					return []string{v.ID, v.Payer, v.Reference, v.StateName.ZH + " " + string(v.State), v.Certificate, v.Policy, v.Amount.String(), stamp(v.Reserved)}
				})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&state, "state", "", "状态，例如 reserved、publicised、payable、confirmed (state as of now)")
	flags.StringVar(&from, "from", "", "锁定日期自 (first day of the reservation)")
	flags.StringVar(&to, "to", "", "锁定日期至 (last day of the reservation)")
	flags.StringVar(&payer, "payer", "", "经办机构，形如 320583/ks-jy；缺省本机构 (a payer; the own one when absent)")
	flags.StringVar(&institution, "institution", "", "发证的评价机构标识 (id of who issued the certificates)")
	flags.BoolVar(&asJSON, "json", false, "输出 JSON (print JSON)")
	return cmd
}

func claimDecision(w world, server *serverFlags) *cobra.Command {
	var to string
	cmd := &cobra.Command{
		Use:   "decision CLAIM",
		Short: "取签名的决定，与支付凭证一并归档 (the signed decision, for the payment's papers)",
		Long: `decision 取一笔申领的决定，由登记系统签名，与支付凭证一并归档。多年后用 policy verify 打开，
无需联网；其中有金额计算、条款，以及经批准例外的规定。

Signed by the register: policy verify opens it years later, without a network. It
has the calculation, clauses, and the rules that an approval excepted.`,
		Example: `  bajigong claim decision c-… -o c.jwt
  bajigong policy verify c.jwt --jwks decision.json`,
		Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if to == "" {
				return usageError{errors.New("请用 -o 指定文件 (say where to write it: -o)")}
			}
			c, err := server.client(w, true)
			if err != nil {
				return err
			}
			got, err := c.send(cmd.Context(), ask{method: http.MethodGet, path: claimPath(args[0], "decision"), accept: "*/*"})
			if err == nil {
				err = c.refusal(got)
			}
			if err != nil {
				return err
			}
			if err := writeFile(to, got.body, 0o600); err != nil {
				return err
			}
			say(w.stdout, "已写入 written: %s\n", to)
			return nil
		},
	}
	cmd.Flags().StringVarP(&to, "output", "o", "", "决定文件 (where to write it)")
	return cmd
}

// exceptionHint says how an approved exception to a rule is given.
func exceptionHint(w world, f policy.Failure) {
	say(w.stdout, "    条文为“原则上”：经批准的例外用 --exception rule=%s,document=文号,approver=批准单位,on=日期 填报 (in principle: so an approved exception is given)\n", f.Rule)
}
