package main

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bajigong/registry"
	"bajigong/registry/policy"
)

func claimTotals(w world, server *serverFlags) *cobra.Command {
	var policyID, payer, region string
	var year int
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "totals",
		Short: "按政策、年度统计申领 (counts and sums per policy and year)",
		Long: `totals 按地区、政策、年度统计：锁定、不予锁定、导入、确认发放、追回、重复发放的笔数，以及
发放、退票、追回的金额。经办机构看本机构的；审计、主管部门看地区合计，或用 --payer 看一家。
年度为申领计入的自然年；笔数为人次，不是人数。

Of its own for a payer; of a region, or of one payer in it, for its auditors and
authority. Claims are counted, not persons.`,
		Example: `  bajigong claim totals --year 2026
  bajigong claim totals --region 320500 --policy kunshan-2020-67 --payer 320583/ks-jy`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			query := url.Values{}
			setAll(query, map[string]string{"policy": policyID, "payer": payer, "region": region})
			if year != 0 {
				query.Set("year", strconv.Itoa(year))
			}
			c, err := server.client(w, true)
			if err != nil {
				return err
			}
			return listed(cmd, w, c, claimsPath+"/totals", query, asJSON, []string{"地区 region", "政策 policy", "年度 year", "经办 payer", "锁定 reserved", "不予 refused", "导入 imported",
				"发放 confirmed", "追回 refunded", "重复 duplicate", "发放元 paid", "退票元 returned", "追回元 back"}, func(t registry.ClaimTotal) []string {
				return []string{t.Region, t.Policy, strconv.Itoa(t.Year), t.Payer, strconv.Itoa(t.Reserved), strconv.Itoa(t.Refused), strconv.Itoa(t.Imported),
					strconv.Itoa(t.Confirmed), strconv.Itoa(t.Refunded), strconv.Itoa(t.Duplicate), t.Paid.String(), t.Returned.String(), t.Back.String()}
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&policyID, "policy", "", "政策编号 (id of a policy)")
	flags.IntVar(&year, "year", 0, "年度，缺省全部 (natural year)")
	flags.StringVar(&payer, "payer", "", "经办机构，形如 320583/ks-jy (a payer)")
	flags.StringVar(&region, "region", "", "行政区划代码，含下级；缺省本地区 (region, with those within it)")
	flags.BoolVar(&asJSON, "json", false, "输出 JSON (print JSON)")
	return cmd
}

func claimPatterns(w world, server *serverFlags) *cobra.Command {
	var from, to, region string
	t := registry.SamplePatternThresholds
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "patterns",
		Short: "申领中值得抽查的情形 (conspicuous claims, for a closer look)",
		Long: `patterns 供审计、主管部门抽查参考：同一职业多个工种或相近职业均已发放、一家不予锁定后另一家
锁定、短期内多次申领、同一用人单位既有岗前培训又有以工代训。每笔申领都按规定逐条核验过，
列出不等于违规。没有文件规定标准，缺省值为示例，可用参数调整。

Hints and no findings: each claim was decided by its own rules. No document says the
thresholds; the defaults are samples.`,
		Example: `  bajigong claim patterns --from 2026-01-01 --to 2026-06-30
  bajigong claim patterns --claims 4 --claim-days 60 --json`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			query, err := dayQuery(map[string]string{"from": from, "to": to})
			if err != nil {
				return err
			}
			setAll(query, map[string]string{"region": region})
			for name, n := range map[string]int{"trade_months": t.TradeMonths, "payer_days": t.PayerDays, "claims": t.Claims, "claim_days": t.ClaimDays} {
				query.Set(name, strconv.Itoa(n))
			}
			c, err := server.client(w, true)
			if err != nil {
				return err
			}
			return listed(cmd, w, c, claimsPath+"/patterns", query, asJSON, []string{"情形 pattern", "申领 claims", "经办 payers", "用人单位 employer", "说明 hint"}, func(p registry.ClaimPattern) []string {
				return []string{string(p.Kind), strings.Join(p.Claims, " "), strings.Join(p.Payers, " "), p.Employer, p.Hint.ZH}
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&from, "from", "", "锁定或不予锁定日期自 (first day of the reservation or refusal)")
	flags.StringVar(&to, "to", "", "锁定或不予锁定日期至 (last day of it)")
	flags.StringVar(&region, "region", "", "行政区划代码，含下级；缺省本地区 (region, with those within it)")
	flags.IntVar(&t.TradeMonths, "trade-months", t.TradeMonths, "相近工种、职业：几个月内 (near_trades: within so many months)")
	flags.IntVar(&t.PayerDays, "payer-days", t.PayerDays, "他家不予锁定后：几天内 (refused_elsewhere: within so many days)")
	flags.IntVar(&t.Claims, "claims", t.Claims, "多次申领：几次 (many_claims: so many)")
	flags.IntVar(&t.ClaimDays, "claim-days", t.ClaimDays, "多次申领：几天内 (many_claims: within so many days)")
	flags.BoolVar(&asJSON, "json", false, "输出 JSON (print JSON)")
	return cmd
}

const recoveriesPath = "/api/v1/recoveries"

// recoveryPage is one page of recoveries; the first has the totals of all.
type recoveryPage struct {
	Items  []registry.Recovery      `json:"items"`
	Next   string                   `json:"next,omitempty"`
	Totals []registry.RecoveryTotal `json:"totals,omitempty"`
}

func claimRecoveries(w world, server *serverFlags) *cobra.Command {
	var institution, from, to, file string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "recoveries",
		Short: "追回清单：某机构被撤销证书涉及的申领 (claims on voided certificates of an institution)",
		Long: `recoveries 列出某评价机构在一段时间内被撤销的证书涉及的申领：经办机构、当时和现在的状态、已发放、
已追回、尚待追回，以及按经办机构和状态的合计。经办机构看本机构的；主管部门看本地区经办机构的，
对本地区的评价机构还看外地经办机构的（不含申领编号和流水号）。-o 另存为工作簿（XLSX）。

By the day of voiding. A payer sees its own; an authority those of its region, and
of an institution of its region those of payers elsewhere without claim and reference.`,
		Example: `  bajigong claim recoveries --institution i-… --from 2026-03-01 --to 2026-03-31
  bajigong claim recoveries --institution i-… -o 追回清单.xlsx`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			query, err := dayQuery(map[string]string{"from": from, "to": to})
			if err != nil {
				return err
			}
			query.Set("institution", institution)
			c, err := server.client(w, true)
			if err != nil {
				return err
			}
			if file != "" {
				return c.saveRecoveries(cmd, w, query, file)
			}
			all, err := c.recoveries(cmd, query)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(w.stdout, all)
			}
			printRecoveries(w, all)
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&institution, "institution", "", "评价机构标识 (id of the institution)")
	flags.StringVar(&from, "from", "", "撤销日期自 (first day of voiding)")
	flags.StringVar(&to, "to", "", "撤销日期至 (last day of voiding)")
	flags.StringVarP(&file, "output", "o", "", "工作簿文件 .xlsx (where to write the workbook)")
	flags.BoolVar(&asJSON, "json", false, "输出 JSON (print JSON)")
	required(cmd, "institution")
	return cmd
}

// recoveries reads all pages.
func (c *client) recoveries(cmd *cobra.Command, query url.Values) (all recoveryPage, err error) {
	all.Items = []registry.Recovery{}
	query.Set("limit", "500")
	for {
		var page recoveryPage
		if _, err := c.call(cmd.Context(), ask{method: http.MethodGet, path: recoveriesPath, query: query}, nil, &page); err != nil {
			return all, err
		}
		all.Items, all.Totals = append(all.Items, page.Items...), append(all.Totals, page.Totals...)
		if page.Next == "" {
			return all, nil
		}
		query.Set("cursor", page.Next)
	}
}

func (c *client) saveRecoveries(cmd *cobra.Command, w world, query url.Values, to string) error {
	got, err := c.send(cmd.Context(), ask{method: http.MethodGet, path: recoveriesPath + "/file", query: query, accept: mediaXLSX + ", application/problem+json;q=0.1", wait: 2 * time.Minute})
	if err == nil {
		err = c.refusal(got)
	}
	if err != nil {
		return err
	}
	if got.kind != mediaXLSX {
		return c.strange(got, nil)
	}
	if err := writeFile(to, got.body, 0o600); err != nil {
		return err
	}
	say(w.stdout, "已写入 written: %s\n", to)
	return nil
}

func printRecoveries(w world, all recoveryPage) {
	if len(all.Items) == 0 {
		say(w.stdout, "没有 (none)\n")
		return
	}
	rows := [][]string{{"撤销 voided", "证书编号 certificate", "文号 document", "经办 payer", "申领 claim", "当时 then", "现在 now", "发放 paid", "已追回 back", "待追回 outstanding"}}
	for _, r := range all.Items {
		now := r.StateName.ZH
		if r.Withdrawn {
			now += "（撤销已取消 voiding undone）"
		}
		rows = append(rows, []string{string(r.Day), r.Certificate, r.Document, r.Payer, r.Claim, registry.ClaimStateName(r.StateThen).ZH, now, r.Paid.String(), r.Refunded.String(), r.Outstanding.String()})
	}
	table(w.stdout, rows)
	var paid, back, open policy.Fen
	rows = [][]string{{"经办 payer", "状态 state", "笔数 claims", "发放 paid", "已追回 back", "待追回 outstanding"}}
	for _, t := range all.Totals {
		paid, back, open = paid+t.Paid, back+t.Refunded, open+t.Outstanding
		rows = append(rows, []string{t.Payer, t.StateName.ZH, strconv.Itoa(t.Claims), t.Paid.String(), t.Refunded.String(), t.Outstanding.String()})
	}
	say(w.stdout, "\n")
	table(w.stdout, append(rows, []string{"合计 all", "", strconv.Itoa(len(all.Items)), paid.String(), back.String(), open.String()}))
}
