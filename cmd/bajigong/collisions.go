package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"bajigong/registry"
)

const collisionsPath = "/api/v1/collisions"

func collisionsCommand(w world) *cobra.Command {
	var server serverFlags
	cmd := &cobra.Command{
		Use:   "collisions",
		Short: "重复发放线索：核查、提出处理意见、复核 (claims that should not stand beside each other)",
		Long: `collisions 处理重复发放线索：同一人的几笔申领，按规定不应并存。来源为历史发放记录导入（import）、
人员合并（merge）、锁定结束后报来的发放（late）、更正（correction）。不自动追回，由主管部门两人核查：

  1. list、show  查看线索：哪几笔、不符哪条规定
  2. propose     一人提出处理意见：核准并存、应追回（哪一笔）、不构成重复
  3. approve、reject  另一账号复核；提出人自己 reject 即为撤回

应追回的，经办机构在线索和应追回清单中看到，用 claim recover、refund 登记。经办机构可查看涉及
本机构的线索，其他机构的申领只见日期。

Found when payments of the past, merges, late payments or corrections put claims beside
each other. Nothing is recovered by itself: one account proposes, another one decides.`,
		Example: `  bajigong collisions list --state open
  bajigong collisions propose o-… --outcome to_recover --claim c-… --reason 同一职业同一等级
  bajigong collisions approve o-…`,
	}
	server.add(cmd.PersistentFlags(), w)
	return group(cmd, collisionList(w, &server), collisionShow(w, &server), collisionPropose(w, &server),
		secondPerson(w, &server, "collisions", "COLLISION", "o-…", "还须核对凭证", `同意处理意见，即为结论。提出人不能复核自己的意见。

The proposal holds from then on. Who proposed it cannot approve it.`, true, collisionPath, printCollision),
		secondPerson(w, &server, "collisions", "COLLISION", "o-…", "还须核对凭证", `不同意处理意见，须写明理由，线索回到待核查；由提出人执行的即为撤回。

The collision is open again. Done by its proposer the proposal is withdrawn.`, false, collisionPath, printCollision))
}

func collisionPath(id, step string) string { return collisionsPath + "/" + url.PathEscape(id) + step }

func collisionList(w world, server *serverFlags) *cobra.Command {
	var region, state string
	var asJSON bool
	var states []string
	for _, s := range registry.CollisionStates() {
		states = append(states, string(s)+" "+s.Name().ZH)
	}
	cmd := &cobra.Command{
		Use: "list", Short: "列出线索 (list collisions)",
		Long: `list 列出本地区的重复发放线索；经办机构列出涉及本机构的。状态：
` + strings.Join(states, "、") + `。

Of the region for its authority and auditors; for a payer those of its claims.`,
		Example: `  bajigong collisions list --state open`, Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			query := url.Values{}
			setAll(query, map[string]string{"region": region, "state": state})
			c, err := server.client(w, true)
			if err != nil {
				return err
			}
			return listed(cmd, w, c, collisionsPath, query, asJSON, []string{"线索 collision", "状态 state", "来源 source", "发现 opened", "申领 claims", "不符的规定 rule"}, func(v registry.CollisionView) []string {
				rule := ""
				if len(v.Rules) > 0 {
					rule = v.Rules[0].ZH
				}
				return []string{v.ID, v.StateName.ZH + " " + string(v.State), string(v.Source), stamp(v.Opened), strconv.Itoa(len(v.Claims)), rule}
			})
		},
	}
	cmd.Flags().StringVar(&region, "region", "", "行政区划代码，缺省本地区 (region; the own one when absent)")
	cmd.Flags().StringVar(&state, "state", "", "状态 (state)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "输出 JSON (print JSON)")
	return cmd
}

func collisionShow(w world, server *serverFlags) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "show COLLISION", Short: "查看一条线索 (show a collision)",
		Long: `show 查看一条线索：涉及的申领、不符的规定及其条款、处理意见和办理经过。

Its claims, the rules that are broken, what was proposed and decided.`,
		Example: `  bajigong collisions show o-…`, Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, err := shown(cmd, w, server, ask{method: http.MethodGet, path: collisionPath(args[0], "")}, nil, asJSON, printCollision)
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "输出 JSON (print JSON)")
	return cmd
}

func collisionPropose(w world, server *serverFlags) *cobra.Command {
	var in registry.CollisionProposal
	var outcome string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "propose COLLISION", Short: "提出处理意见 (propose what becomes of it)",
		Long: `propose 提出处理意见，由另一账号复核：

  accepted    核准并存：几笔均属合规，写明理由
  to_recover  应追回：用 --claim 写明哪一笔
  dismissed   不构成重复

accepted: both stand; to_recover: the money of --claim has to come back; dismissed:
there was no collision.`,
		Example: `  bajigong collisions propose o-… --outcome to_recover --claim c-… --reason 同一职业同一等级`, Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			in.Outcome = registry.CollisionState(outcome)
			_, err := shown(cmd, w, server, ask{method: http.MethodPost, path: collisionPath(args[0], "/proposal")}, in, asJSON, printCollision)
			return err
		},
	}
	cmd.Flags().StringVar(&outcome, "outcome", "", "accepted、to_recover 或 dismissed (outcome)")
	cmd.Flags().StringVar(&in.Claim, "claim", "", "应追回的申领 (the claim whose money has to come back)")
	cmd.Flags().StringVar(&in.Reason, "reason", "", "理由，1 至 500 字，不得含个人信息 (reason)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "输出 JSON (print JSON)")
	required(cmd, "outcome", "reason")
	return cmd
}

func printCollision(w world, v registry.CollisionView) {
	recover := ""
	if v.Recover {
		recover = "本机构的申领应追回 a claim of this payer has to be recovered"
	}
	facts(w.stdout,
		[2]string{"线索 collision", v.ID},
		[2]string{"状态 state", fmt.Sprintf("%s (%s)", v.StateName.ZH, v.StateName.EN)},
		[2]string{"来源 source", strings.TrimSpace(string(v.Source) + " " + v.Merge)},
		[2]string{"地区 region", v.Region},
		[2]string{"发现 opened", stamp(v.Opened)},
		[2]string{"处理 recover", recover},
	)
	rows := [][]string{{"日期 day", "申领 claim", "经办 payer", "状态 state", "金额 amount", ""}}
	for _, c := range v.Claims {
		row := []string{string(c.On), "其他机构 another payer", "", "", "", ""}
		if c.Claim != nil {
			row = []string{string(c.On), c.Claim.ID, c.Claim.Payer, c.Claim.StateName.ZH, c.Claim.Amount.String(), ""}
		}
		if c.Newer {
			row[5] = "按规定不应发放的一笔 the one the rules refuse"
		}
		rows = append(rows, row)
	}
	fmt.Fprintln(w.stdout)
	table(w.stdout, rows)
	for _, f := range v.Rules {
		say(w.stdout, "\n  ✕ %s\n    %s\n", f.ZH, f.EN)
		clause(w, f.Clause, string(f.Reason))
		if f.Detail.ZH != "" {
			say(w.stdout, "    %s\n    %s\n", f.Detail.ZH, f.Detail.EN)
		}
	}
	if p := v.Proposal; p != nil {
		say(w.stdout, "\n处理意见 proposal  %s %s %s\n  %s\n", p.Outcome.Name().ZH, string(p.Outcome), p.Claim, p.Reason)
	}
	if len(v.Steps) > 0 {
		rows = [][]string{{"办理经过 steps", "", "账号 account", "理由 reason"}}
		for _, s := range v.Steps {
			rows = append(rows, []string{stamp(s.At), s.To.Name().ZH + " " + string(s.To), s.By, s.Reason})
		}
		fmt.Fprintln(w.stdout)
		table(w.stdout, rows)
	}
}
