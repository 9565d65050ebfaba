package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"bajigong/registry"
	"bajigong/registry/policy"
	"bajigong/standards"
)

const overviewExample = `
request.json:
  {"name": "…", "document": "…", "purpose": "本人到窗口咨询", "received": "2026-03-20",
   "facts": {"insured": {"value": "yes", "source": "昆山社保", "at": "2026-03-20T02:00:00Z", "reference": "SB-9"}}}

查询事由（purpose）会写入审计日志，不得含姓名、证件号码。
The purpose is logged and must not name the person.`

func claimOverview(w world, server *serverFlags) *cobra.Command {
	var file string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "overview",
		Short: "窗口查询：某人在本地可申领哪些补贴 (all that a person could claim here)",
		Long: `overview 凭姓名和证件号码列出本人全部已公开证书，在本地每一项补贴中能否申领、金额、
剩余天数、不符的规定及下一步。不锁定；查询事由记入日志。个人信息只从文件读取。

It lists every public certificate of a person with every fund of the payer's region.
Nothing is reserved. Personal data is read from a file only.
` + overviewExample,
		Example: `  bajigong claim overview --file request.json`,
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			in, err := readRequest[registry.OverviewRequest](w, file, "查询信息")
			if err != nil {
				return err
			}
			c, err := server.client(w, true)
			if err != nil {
				return err
			}
			var out registry.ClaimOverview
			if _, err := c.call(cmd.Context(), ask{method: http.MethodPost, path: claimsPath + "/overview"}, in, &out); err != nil {
				return err
			}
			if asJSON {
				err = printJSON(w.stdout, out)
			} else {
				printOverview(w, out)
			}
			if err == nil && !out.Match {
				return errNo
			}
			return err
		},
	}
	cmd.Flags().StringVar(&file, "file", "", "查询信息 JSON 文件，“-”为标准输入 (request as JSON)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "输出 JSON (print JSON)")
	return cmd
}

func claimNotice(w world, server *serverFlags) *cobra.Command {
	var file, to string
	var funds, certificates []string
	cmd := &cobra.Command{
		Use:   "notice",
		Short: "打印一次性告知单 (a notice to print and hand out)",
		Long: `notice 把窗口查询的结果写成可打印的 A4 一次性告知单（HTML，不引用外部内容），姓名、证件号码
已遮盖。不指定时，详列可以申领的、只差一步的补贴，其余每项一行写明原因；用 --fund、
--certificate 只告知所问的补贴、证书。编号中含证件号码的证书，写在文件的 certificates 中。

Without a choice it tells in detail what can be claimed, or what one thing alone stands
in the way of, and the rest in a line each. With --fund and --certificate it tells what
was asked about.
` + overviewExample,
		Example: `  bajigong claim notice --file request.json -o 告知单.html
  bajigong claim notice --file request.json --fund skill_uplift --certificate S000032058300253000001 -o 告知单.html`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if to == "" {
				return usageError{fmt.Errorf("请用 -o 指定告知单文件 (say where to write it: -o)")}
			}
			in, err := readRequest[registry.NoticeRequest](w, file, "查询信息")
			if err != nil {
				return err
			}
			for _, text := range certificates {
				if n, err := standards.ParseNumber(text); err == nil && n.Personal() {
					return usageError{fmt.Errorf("该证书编号中含证件号码，请写在文件的 certificates 中，不要写在命令行上 (this number has an identity number in it: put it into the file)")}
				}
			}
			in.Certificates = append(in.Certificates, certificates...)
			for _, f := range funds {
				in.Funds = append(in.Funds, policy.Fund(f))
			}
			return saveNotice(cmd, w, server, in, to)
		},
	}
	cmd.Flags().StringVar(&file, "file", "", "查询信息 JSON 文件，“-”为标准输入 (request as JSON)")
	cmd.Flags().StringArrayVar(&funds, "fund", nil, "所问的资金类别，可多次，例如 skill_uplift (a fund that was asked about)")
	cmd.Flags().StringArrayVar(&certificates, "certificate", nil, "所问的证书编号，可多次 (a certificate that was asked about)")
	cmd.Flags().StringVarP(&to, "output", "o", "", "告知单文件 (where to write the notice)")
	return cmd
}

func saveNotice(cmd *cobra.Command, w world, server *serverFlags, in registry.NoticeRequest, to string) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	c, err := server.client(w, true)
	if err != nil {
		return err
	}
	got, err := c.send(cmd.Context(), ask{method: http.MethodPost, path: claimsPath + "/notice", accept: "text/html, application/problem+json;q=0.1", kind: "application/json", body: body})
	if err == nil {
		err = c.refusal(got)
	}
	if err != nil {
		return err
	}
	if got.kind != "text/html" {
		return c.strange(got, nil)
	}
	if err := writeFile(to, got.body, 0o600); err != nil {
		return err
	}
	say(w.stdout, "已写入 written: %s\n", to)
	return nil
}

func printOverview(w world, o registry.ClaimOverview) {
	if !o.Match {
		say(w.stdout, "✕ %s\n  %s\n", o.Note.ZH, o.Note.EN)
		return
	}
	facts(w.stdout, [2]string{"姓名 name", o.Name}, [2]string{"证件号码 document", o.Document}, [2]string{"受理日期 received", string(o.Received)})
	for _, c := range o.Certificates {
		say(w.stdout, "\n%s  %s%s %s  %s\n", c.Number, c.OccupationName, strings.TrimSuffix(" "+c.TradeName, " "), c.Level.Name(), string(c.Issued))
		for _, f := range c.Funds {
			say(w.stdout, "\n%s (%s)\n%s\n", f.FundName.ZH, f.FundName.EN, outcomes[f.Outcome])
			if f.LastDay != "" && f.DaysLeft != nil {
				say(w.stdout, "  最后一天 last day  %s（%d 天 days）\n", string(f.LastDay), *f.DaysLeft)
			}
			printDecision(w, f.Decision, false)
			for _, n := range f.Next {
				say(w.stdout, "  → %s\n    %s\n", n.Next.ZH, n.Next.EN)
			}
			printUnconfirmed(w, f.Unconfirmed)
		}
	}
	if o.OtherName > 0 {
		say(w.stdout, "\n另有 %d 份证书姓名不一致 (certificates under another name)\n", o.OtherName)
	}
	if o.Left > 0 {
		say(w.stdout, "\n另有 %d 份较早的证书未列入 (older certificates that are not listed)\n", o.Left)
	}
	for _, x := range o.Without {
		sample := ""
		if x.Sample {
			sample = "（示例政策 a sample）"
		}
		say(w.stdout, "\n%s：%s%s\n  %s\n", x.FundName.ZH, x.SubjectName.ZH, sample, x.Document)
		for _, m := range x.Asks {
			printAsk(w, m)
		}
		printUnconfirmed(w, x.Unconfirmed)
	}
}

func printAsk(w world, m policy.Missing) {
	say(w.stdout, "  ? %s\n    %s\n", m.ZH, m.EN)
	clause(w, m.Clause, string(m.Reason))
}
