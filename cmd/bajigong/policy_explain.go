package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"bajigong/registry/policy"
)

// explained is a policy in words, as explain prints it in JSON.
type explained struct {
	Policy    string               `json:"policy"`
	Version   int                  `json:"version"`
	Digest    string               `json:"digest"`
	Name      string               `json:"name"`
	Region    string               `json:"region"`
	Fund      policy.Fund          `json:"fund"`
	Subject   string               `json:"subject"`
	Document  policy.Document      `json:"document"`
	Sample    bool                 `json:"sample"`
	Framework bool                 `json:"framework"`
	Note      string               `json:"note"`
	Rules     []policy.Explanation `json:"rules"` // and what the text does not say
	Bounds    []explainedBound     `json:"bounds"`
}

// explainedBound is a bound of a policy above.
type explainedBound struct {
	Policy    string `json:"policy"`
	Version   int    `json:"version"`
	Clause    string `json:"clause"`
	Field     string `json:"field"`
	Sentence  string `json:"sentence"`
	Demands   string `json:"demands"`
	Has       string `json:"has"`
	Kept      bool   `json:"kept"`
	Exception string `json:"exception,omitempty"` // the document that allows it not to be kept
}

func explain(all policy.Set, p policy.Policy, l policy.Language) explained {
	out := explained{
		Policy: p.ID, Version: p.Version, Digest: p.Digest, Name: p.Name.In(l), Region: p.Region, Fund: p.Fund, Subject: p.SubjectOf().Name().In(l),
		Document: p.Document, Sample: p.Sample, Framework: p.Framework, Note: p.Note.In(l), Rules: p.Explain(l), Bounds: []explainedBound{},
	}
	for _, b := range all.Bounds(p) {
		x := explainedBound{Policy: b.Policy, Version: b.Version, Clause: b.Bound.Clause, Field: b.Bound.Field, Sentence: b.Bound.Text.In(l),
			Demands: b.Demands.In(l), Has: b.Has.In(l), Kept: b.Kept}
		if b.Exception != nil {
			x.Exception = b.Exception.Document
		}
		out.Bounds = append(out.Bounds, x)
	}
	return out
}

func policyExplain(w world) *cobra.Command {
	var data dataFlags
	var version int
	var lang string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "explain ID|FILE",
		Short: "逐条解释一项政策 (a policy rule by rule)",
		Long: `explain 按核验的先后逐条解释一项政策：条款、规定、参数、原文；条文未载明之处及采用的理解；
以及它须遵守的上级约束。原文注明“转引”的出自对文件的报道，不是文件本身。

It says every rule in the order in which it is looked at, with clause, parameters and
quote, then what the text does not say and how it is read, then the bounds that
policies above set to it.`,
		Example: `  bajigong policy explain kunshan-2020-67
  bajigong policy explain kunshan-2020-67 --version 1 --lang en
  bajigong policy explain kunshan-2026.yaml --json`,
		Args: exactly(1),
		RunE: func(_ *cobra.Command, args []string) error {
			l := policy.Language(lang)
			if l != policy.Chinese && l != policy.English {
				return usageError{errors.New("--lang 应为 zh 或 en (zh or en)")}
			}
			arg := args[0]
			if version != 0 {
				if isFile(arg) || strings.Contains(arg, "@") {
					return usageError{errors.New("--version 只与政策编号合用 (--version goes with an id)")}
				}
				arg = fmt.Sprintf("%s@%d", arg, version)
			}
			_, all, err := loadPolicies(data.rules())
			if err != nil {
				return err
			}
			p, err := namedPolicy(w, all, arg)
			if err != nil {
				return err
			}
			if x := explain(all, p, l); asJSON {
				return printJSON(w.stdout, x)
			} else if l == policy.English {
				printExplained(w, x, englishWords)
			} else {
				printExplained(w, x, chineseWords)
			}
			return nil
		},
	}
	data.addDir(cmd.Flags(), w)
	cmd.Flags().IntVar(&version, "version", 0, "版本，默认最新 (version; the newest when 0)")
	cmd.Flags().StringVar(&lang, "lang", "zh", "zh 或 en (language)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "输出 JSON (print JSON)")
	return cmd
}

// explainWords are the words around an explanation in one language.
type explainWords struct {
	document, region, fund, subject, note, digest, sample, framework string
	quote, secondary, silent, takenAs, asked, bounds, demands, has   string
	kept, excepted, broken, free                                     string
}

var (
	chineseWords = explainWords{
		document: "文件", region: "区划", fund: "资金", subject: "申领事项", note: "说明", digest: "文本摘要", sample: "示例政策，不是任何地方的规定", framework: "框架性政策：约束下级，不直接决定申领",
		quote: "原文", secondary: "转引", silent: "条文未载明", takenAs: "采用的理解", asked: "不作推定：不适用该规定，或要求提供事实", bounds: "须遵守的上级约束", demands: "约束", has: "本政策",
		kept: "符合", excepted: "例外，依据", broken: "不符合", free: "没有",
	}
	englishWords = explainWords{
		document: "document", region: "region", fund: "fund", subject: "subject", note: "note", digest: "digest", sample: "a sample, not law anywhere", framework: "a framework: it binds policies below and decides no claim",
		quote: "quote", secondary: "as reported", silent: "the text is silent", takenAs: "read as", asked: "nothing is assumed: no such rule, or a fact is asked for", bounds: "bounds set by policies above", demands: "bound", has: "this policy",
		kept: "kept", excepted: "excepted by", broken: "not kept", free: "none",
	}
)

func printExplained(w world, x explained, in explainWords) {
	say(w.stdout, "%s  %s v%d\n", x.Name, x.Policy, x.Version)
	d := x.Document
	facts(w.stdout, [2]string{in.document, strings.Join([]string{d.Number, d.Title, d.Issuer, string(d.Dated)}, "  ")}, [2]string{in.region, x.Region},
		[2]string{in.fund, string(x.Fund)}, [2]string{in.subject, x.Subject}, [2]string{in.note, x.Note}, [2]string{in.digest, x.Digest})
	if x.Sample {
		say(w.stdout, "  ‼ %s\n", in.sample)
	}
	if x.Framework {
		say(w.stdout, "  %s\n", in.framework)
	}
	for _, r := range x.Rules {
		if r.Silent {
			continue
		}
		say(w.stdout, "\n%s [%s]  %s\n  %s\n", r.Section, r.Rule, r.Clause, r.Sentence)
		for _, p := range r.Parameters {
			say(w.stdout, "    %s\n", p)
		}
		if r.Quote != "" {
			label := in.quote
			if r.Secondary {
				label += "（" + in.secondary + "）"
			}
			say(w.stdout, "    %s “%s”\n", label, r.Quote)
		}
	}
	printSilence(w, x, in)
	printBounds(w, x, in)
}

func printSilence(w world, x explained, in explainWords) {
	heading := false
	for _, r := range x.Rules {
		if !r.Silent {
			continue
		}
		if !heading {
			say(w.stdout, "\n%s\n", in.silent)
			heading = true
		}
		say(w.stdout, "  %s  %s\n", r.Section, r.Sentence)
		if r.TakenAs != "" {
			say(w.stdout, "    %s: %s\n", in.takenAs, r.TakenAs)
		} else {
			say(w.stdout, "    %s\n", in.asked)
		}
	}
}

func printBounds(w world, x explained, in explainWords) {
	say(w.stdout, "\n%s\n", in.bounds)
	if len(x.Bounds) == 0 {
		say(w.stdout, "  %s\n", in.free)
	}
	for _, b := range x.Bounds {
		mark, state := "✓", in.kept
		switch {
		case !b.Kept && b.Exception != "":
			mark, state = "‖", in.excepted+" "+b.Exception
		case !b.Kept:
			mark, state = "✕", in.broken
		}
		say(w.stdout, "  %s %s  %s v%d %s\n    %s\n    %s: %s · %s: %s · %s\n", mark, b.Field, b.Policy, b.Version, b.Clause, b.Sentence, in.demands, b.Demands, in.has, b.Has, state)
	}
}

func policyDiff(w world) *cobra.Command {
	var data dataFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "diff A B",
		Short: "比较两项政策或两个版本 (what differs between two policies)",
		Long: `diff 逐节比较两项政策，各为编号、编号@版本或文件。只比较规定及其参数；仅条款号、说明文字
或原文不同的不算差别。“-”为前者，“+”为后者；一方条文未载明的，写明其说明。

Sentences, clauses and quotes alone are no difference. The exit code is 0 whether
they differ or not.`,
		Example: `  bajigong policy diff kunshan-2020-67@1 kunshan-2020-67@2
  bajigong policy diff kunshan-2026 drafts/kunshan-2026-v2.yaml`,
		Args: exactly(2),
		RunE: func(_ *cobra.Command, args []string) error {
			_, all, err := loadPolicies(data.rules())
			if err != nil {
				return err
			}
			a, err := namedPolicy(w, all, args[0])
			if err != nil {
				return err
			}
			b, err := namedPolicy(w, all, args[1])
			if err != nil {
				return err
			}
			found := policy.Diff(a, b)
			if asJSON {
				return printJSON(w.stdout, append([]policy.Difference{}, found...))
			}
			printDifferences(w, a, b, found)
			return nil
		},
	}
	data.addDir(cmd.Flags(), w)
	cmd.Flags().BoolVar(&asJSON, "json", false, "输出 JSON (print JSON)")
	return cmd
}

func printDifferences(w world, a, b policy.Policy, found []policy.Difference) {
	say(w.stdout, "- %s  %s\n+ %s  %s\n", a.String(), a.Name.ZH, b.String(), b.Name.ZH)
	if len(found) == 0 {
		if a.Digest == b.Digest {
			fmt.Fprintln(w.stdout, "文本逐字节相同 (the same text)")
		} else {
			fmt.Fprintln(w.stdout, "规定和参数没有差别，只有文字不同 (the same rules and parameters in other words)")
		}
		return
	}
	for _, d := range found {
		say(w.stdout, "\n%s %s\n", d.Section, d.Rule)
		printSide(w, "-", d.Before)
		printSide(w, "+", d.After)
	}
}

func printSide(w world, mark string, s *policy.Side) {
	switch {
	case s == nil, s.ZH == "" && len(s.Parameters) == 0:
		fmt.Fprintf(w.stdout, "  %s 无此规定 (no such rule)\n", mark)
		return
	case s.Silent:
		say(w.stdout, "  %s 未载明 (not said)：%s\n", mark, s.ZH)
		return
	}
	say(w.stdout, "  %s %s\n", mark, strings.TrimSpace(s.ZH+"  "+s.Clause))
	for _, p := range s.Parameters {
		say(w.stdout, "  %s   %s\n", mark, p.ZH)
	}
}
