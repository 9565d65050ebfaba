package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"bajigong/registry/policy"
	"bajigong/standards"
)

func policyList(w world) *cobra.Command {
	var data dataFlags
	var region, fund, on string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "现有政策，及由哪一项决定 (the policies in use, and which one decides)",
		Long: `list 列出自带和自有的政策及其在 --on 当天的状况。给出 --region 时，逐项资金、逐类事项说明
该地由哪一项政策决定，本地和上级的其余政策为何不适用：本地的优先，没有的依次向上级找。
--on 同时当作受理日、申请日和发证日；政策以其中哪一个为准见 explain。

With --region it says, for each fund and subject, which policy decides there and why
the others of that region and of those above do not.`,
		Example: `  bajigong policy list
  bajigong policy list --region 320583 --fund skill_uplift --on 2026-03-02`,
		Args: exactly(0),
		RunE: func(*cobra.Command, []string) error {
			day := standards.DateOf(w.now())
			if on != "" {
				var err error
				if day, err = standards.ParseDate(on); err != nil {
					return err
				}
			}
			embedded, all, err := loadPolicies(data.rules())
			if err != nil {
				return err
			}
			if region == "" {
				return listPolicies(w, embedded, all, policy.Fund(fund), day)
			}
			return listChoices(w, all, region, policy.Fund(fund), day)
		},
	}
	data.addDir(cmd.Flags(), w)
	cmd.Flags().StringVar(&region, "region", "", "行政区划代码，例如 320583 (region)")
	cmd.Flags().StringVar(&fund, "fund", "", "资金类别，例如 skill_uplift (kind of fund)")
	cmd.Flags().StringVar(&on, "on", "", "哪一天，默认今天 (day; today when empty)")
	return cmd
}

func listPolicies(w world, embedded, all policy.Set, fund policy.Fund, on standards.Date) error {
	if fund != "" {
		// The nation has a policy of any fund that exists or says that it has none.
		if _, err := all.Choices(policy.Query{Region: policy.Nation, Fund: fund, Received: on}); err != nil {
			return err
		}
	}
	rows := [][]string{{"政策 policy", "区划 region", "资金 fund", "自 from", "至 until", "状况 " + string(on), "来源 origin", "名称 name"}}
	names := map[string]string{}
	for _, r := range all.Regions() {
		names[r.Code] = r.Name
	}
	for _, p := range all.Policies() {
		if fund != "" && p.Fund != fund {
			continue
		}
		origin := "自带 embedded"
		if _, err := embedded.Policy(p.ID, p.Version); err != nil {
			origin = "自有 own"
		}
		rows = append(rows, []string{atVersion(p), p.Region + " " + names[p.Region], string(p.Fund), string(p.Effective.From), untilWord(p.Effective), standing(all, p, on), origin, p.Name.ZH})
	}
	if len(rows) > 1 {
		table(w.stdout, rows)
	}
	fmt.Fprintf(w.stderr, "%d 项 (%d policies)\n", len(rows)-1, len(rows)-1)
	return nil
}

func atVersion(p policy.Policy) string { return fmt.Sprintf("%s@%d", p.ID, p.Version) }

func untilWord(e policy.Effective) string {
	switch e.End {
	case policy.EndKnown:
		return string(e.Until)
	case policy.EndOpen:
		return "长期 open"
	}
	return "未载明 unknown"
}

// standing says in a word what a policy is on a day.
func standing(all policy.Set, p policy.Policy, on standards.Date) string {
	newest, err := all.Policy(p.ID, 0)
	e := p.Effective
	switch {
	case err == nil && newest.Version != p.Version:
		return "已有新版 replaced"
	case p.Framework:
		return "框架 framework"
	case on < e.From:
		return "未到 not yet"
	case e.End == policy.EndKnown && on > e.Until:
		return "已止 ended"
	case p.Sample:
		return "示例 sample"
	case e.End == policy.EndUnknown && on > e.StatedThrough:
		return "待确认 to confirm"
	}
	return "执行中 in force"
}

// listChoices says for every fund and subject that the region or one above has a
// policy of which one decides.
func listChoices(w world, all policy.Set, region string, fund policy.Fund, on standards.Date) error {
	chain, err := all.Chain(region)
	if err != nil {
		return err
	}
	for i, r := range chain {
		if i > 0 {
			fmt.Fprint(w.stdout, " → ")
		}
		say(w.stdout, "%s %s", r.Code, r.Name)
	}
	fmt.Fprintf(w.stdout, "  %s\n", on)
	queries := queriesOf(all, chain, fund, policy.Query{Region: region, Received: on, Issued: on, Applied: on})
	if len(queries) == 0 {
		queries = []policy.Query{{Region: region, Fund: fund, Received: on}}
	}
	for _, q := range queries {
		choices, err := all.Choices(q)
		if err != nil {
			return err
		}
		printChoices(w, q, choices)
	}
	return nil
}

func queriesOf(all policy.Set, chain []policy.Region, fund policy.Fund, base policy.Query) (out []policy.Query) {
	for _, r := range chain {
		for _, p := range all.Policies() {
			q := base
			q.Fund, q.Subject = p.Fund, p.SubjectOf()
			if p.Region == r.Code && !p.Framework && (fund == "" || p.Fund == fund) && !slices.Contains(out, q) {
				out = append(out, q)
			}
		}
	}
	return out
}

func printChoices(w world, q policy.Query, choices []policy.Choice) {
	say(w.stdout, "\n%s %s · %s\n", q.Fund.Name().ZH, string(q.Fund), q.Subject.Name().ZH)
	decided := false
	for _, c := range choices {
		if c.Decides {
			decided = true
			say(w.stdout, "  ✓ %s  %s  %s\n", atVersion(c.Policy), c.Policy.Name.ZH, c.Policy.Document.Number)
			if e := c.Policy.Effective; e.End == policy.EndUnknown && q.Received > e.StatedThrough {
				say(w.stdout, "    终止日期未载明，%s以后须提供“政策仍然有效” (its end is not known: after that day the fact policy_in_force must be supplied)\n", e.StatedThrough.Chinese())
			}
			if c.Policy.Sample {
				fmt.Fprintln(w.stdout, "    示例政策，不得用于实际发放 (a sample, not law)")
			}
		}
	}
	if !decided {
		fmt.Fprintln(w.stdout, "  ✕ 没有适用的政策 (no policy decides)")
	}
	for _, c := range choices {
		if !c.Decides {
			say(w.stdout, "  · %s  %s — %s\n", atVersion(c.Policy), c.Why.ZH, c.Why.EN)
		}
	}
}
