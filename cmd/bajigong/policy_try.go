package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"bajigong/internal/fail"
	"bajigong/registry/policy"
)

func policyTry(w world) *cobra.Command {
	var data dataFlags
	var named string
	var verbose bool
	cmd := &cobra.Command{
		Use:   "try CASES.yaml",
		Short: "用案例试算政策 (decide cases and compare with their right answers)",
		Long: `try 按政策逐例试算，与案例写明的答案比较。案例文件写明政策编号（policy）、各例共用的
基础（base）和各例（cases）；每例有编号、所证条款、说明、所证规定和应得的答案（expect）。
不写 --policy 时用该编号的最新版本。-v 列出不符的规定、待补充的事实和计算过程。
试算不读登记系统的数据，也不留任何记录。有一例不符时退出码为 1。

  policy: kunshan-2026
  base:
    now: 2026-03-05
    certificate: {number: A1, kind: skill_level, occupation: 6-31-01-03, edition: "2022", level: junior,
                  issued: 2026-02-20, mode: exam, origin: here, state: valid, entitled: entitled}
    facts: {insured: "yes"}
  cases:
    - id: junior
      clause: 昆政办发〔2026〕1号 二
      zh: 初级工1000元
      rules: [amounts]
      expect: {outcome: allow, yuan: 1000}

Each case has its clause, what it shows and its right answer; only what expect names
is compared. Nothing of the register is read. Rules that no case names are told.`,
		Example: `  bajigong policy try kunshan-2026-cases.yaml --policy kunshan-2026.yaml
  bajigong policy try kunshan-cases.yaml --policy kunshan-2020-67@1 -v`,
		Args: exactly(1),
		RunE: func(_ *cobra.Command, args []string) error {
			b, err := readInput(w, args[0], maxPolicyFile)
			if err != nil {
				return err
			}
			cases, err := policy.ParseCases(args[0], b)
			if err != nil {
				return err
			}
			_, all, err := loadPolicies(data.rules())
			if err != nil {
				return err
			}
			if named == "" {
				named = cases.Policy
			}
			p, err := namedPolicy(w, all, named)
			if err != nil {
				return err
			}
			if p.ID != cases.Policy {
				return fail.New(fail.Invalid, "other_policy", "%s has cases of %s, not of %s", cases.File, cases.Policy, p.ID).
					In("%s 是政策 %s 的案例，不是 %s 的", cases.File, cases.Policy, p.ID)
			}
			return tryCases(w, p, cases, verbose)
		},
	}
	data.addDir(cmd.Flags(), w)
	cmd.Flags().StringVar(&named, "policy", "", "政策文件，或编号、编号@版本 (policy: a file, ID or ID@VERSION)")
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "列出不符的规定和计算过程 (the failing rules and the calculation)")
	return cmd
}

func tryCases(w world, p policy.Policy, cases policy.Cases, verbose bool) error {
	say(w.stdout, "%s  %s  %s\n", p.String(), p.Name.ZH, p.Document.Number)
	wrong := 0
	for _, c := range cases.Cases {
		differs := c.Check(p)
		for _, r := range c.Rules {
			if !slices.ContainsFunc(p.Rules(), func(o policy.Rule) bool { return o.ID == r }) {
				differs = append(differs, fmt.Sprintf("政策没有规定 %s (the policy has no such rule)", r))
			}
		}
		mark := "✓"
		if len(differs) > 0 {
			mark = "✕"
			wrong++
		}
		say(w.stdout, "%s %s  %s  %s\n", mark, c.ID, c.ZH, c.Clause)
		for _, d := range differs {
			say(w.stdout, "    ≠ %s\n", d)
		}
		if verbose || len(differs) > 0 {
			printTried(w, p.Evaluate(c.Input()))
		}
	}
	if missing := untried(p, cases); len(missing) > 0 {
		say(w.stdout, "没有案例的规定 (rules without a case): %s\n", strings.Join(missing, ", "))
	}
	fmt.Fprintf(w.stderr, "%d 例，%d 例不符 (%d cases, %d differ)\n", len(cases.Cases), wrong, len(cases.Cases), wrong)
	if wrong > 0 {
		return errNo
	}
	return nil
}

// printTried says what a policy answers to a case.
func printTried(w world, d policy.Decision) {
	say(w.stdout, "    = %s\n", string(d.Outcome))
	for _, f := range d.Failing {
		say(w.stdout, "    ✕ %s [%s] %s  %s\n", f.Rule, string(f.Reason), f.Clause, strings.TrimSpace(f.ZH+" "+f.Detail.ZH))
	}
	for _, f := range d.Excepted {
		say(w.stdout, "    ‖ %s 例外 excepted  %s\n", f.Rule, f.ZH)
	}
	for _, m := range d.Missing {
		say(w.stdout, "    ? %s [%s] %s  %s\n", m.Fact, string(m.Reason), m.Clause, m.ZH)
	}
	for _, step := range d.Calculation {
		say(w.stdout, "    ¥ %s — %s\n", step.ZH, step.EN)
	}
}

// untried are the rules that no case names.
func untried(p policy.Policy, cases policy.Cases) (out []string) {
	for _, r := range p.Rules() {
		if !slices.ContainsFunc(cases.Cases, func(c policy.Case) bool { return slices.Contains(c.Rules, r.ID) }) {
			out = append(out, r.ID)
		}
	}
	return out
}
