package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"bajigong/evaluators/blanks"
	"bajigong/registry"
)

func blanksCommand(w world) *cobra.Command {
	var server serverFlags
	cmd := &cobra.Command{
		Use:   "blanks",
		Short: "空白证书：申领、入库、领用、作废、销毁、盘点 (blank certificates)",
		Long: `blanks 管理有印制流水码的空白证书，次序为：

  1. apply     申领
  2. approve   由另一账号审批（本机构或人社部门，按本地区规则）
  3. send      登记发出的流水码
  4. receive   入库
  5. take      为某个批次领用，不超过合格人数的规定比例，超出须说明原因
     return    退回    spoil 作废    lose 登记遗失
  6. destroy   已作废的列入销毁批次，再由另一账号登记销毁
     count     盘点    stock 库存    code 查一份

流水码写作 JS-000001 或 JS-000001..JS-000100。

Numbered blanks from application to destruction. Ranges are written
JS-000001..JS-000100.`,
		Example: `  bajigong blanks apply 500 --purpose 第一季度发证
  bajigong blanks take s-… 110
  bajigong blanks spoil JS-000017 --reason 卡纸`,
	}
	server.add(cmd.PersistentFlags(), w)
	return group(cmd, blanksApply(w, &server),
		blanksStep(w, &server, "approve ID", "2. 审批申领 (approve an application)", "approve 批准一份申领；须由申领人以外的账号办理。由机构还是人社部门审批，见本地区规则。\n\nFor another account than the applicant's: of the institution or the authority, as the rules of the region say.", "approval"),
		blanksSend(w, &server),
		blanksStep(w, &server, "receive ID", "4. 入库 (put what has arrived into stock)", "receive 把已发出的空白证书登记入库。缺损的，随后用 lose 或 spoil 按流水码登记。\n\nWhat is missing or damaged is then reported by its code.", "receipt"),
		blanksTake(w, &server), blanksUse(w, &server, "return", "退回未用的空白证书 (return blanks)", "returns", true),
		blanksUse(w, &server, "spoil", "作废 (record spoiled blanks)", "spoilings", false), blanksUse(w, &server, "lose", "登记遗失 (record lost blanks)", "losses", false),
		blanksDestroy(w, &server), blanksCount(w, &server), blanksStock(w, &server), blanksCode(w, &server))
}

const blanksPath = "/api/v1/blanks"

// parseRanges reads codes and ranges such as JS-000001..JS-000100.
func parseRanges(args []string) (out []blanks.Range, err error) {
	for _, arg := range args {
		first, last, ok := strings.Cut(arg, "..")
		if !ok {
			last = first
		}
		var r blanks.Range
		if r.First, err = blanks.ParseCode(first); err != nil {
			return nil, err
		}
		if r.Last, err = blanks.ParseCode(last); err != nil {
			return nil, err
		}
		if err := r.Check(); err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// sendBlanks posts one step and prints what has come of it.
func sendBlanks[T any](cmd *cobra.Command, w world, server *serverFlags, path string, body any, once string, show func(T)) error {
	c, err := server.client(w, true)
	if err != nil {
		return err
	}
	var out T
	if _, err := c.call(cmd.Context(), ask{method: http.MethodPost, path: blanksPath + path, once: once}, body, &out); err != nil {
		return err
	}
	show(out)
	return nil
}

func showApplication(w world) func(blanks.Application) {
	return func(a blanks.Application) {
		zh, en := a.State.Words()
		say(w.stdout, "%s\n", a.ID)
		fmt.Fprintf(w.stderr, "申领 %d 份：%s (%d blanks: %s)\n", a.Quantity, zh, a.Quantity, en)
	}
}

func blanksApply(w world, server *serverFlags) *cobra.Command {
	var purpose string
	cmd := &cobra.Command{
		Use:     "apply QUANTITY",
		Short:   "1. 申领 (apply for blanks)",
		Long:    "apply 申领空白证书，输出申领编号。每执行一次即申领一次。\n\nIt prints the id of the application; every run makes one.",
		Example: "  bajigong blanks apply 500 --purpose 第一季度发证",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var n int
			if _, err := fmt.Sscan(args[0], &n); err != nil {
				return usageError{fmt.Errorf("数量应为整数 (the quantity is a number): %s", printable(args[0]))}
			}
			return sendBlanks(cmd, w, server, "/applications", map[string]any{"quantity": n, "purpose": purpose}, "", showApplication(w))
		},
	}
	cmd.Flags().StringVar(&purpose, "purpose", "", "用途 (what for)")
	required(cmd, "purpose")
	return cmd
}

func blanksStep(w world, server *serverFlags, use, short, long, path string) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Long: long, Example: "  bajigong blanks " + strings.Replace(use, "ID", "ba-…", 1), Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return sendBlanks(cmd, w, server, "/applications/"+url.PathEscape(args[0])+"/"+path, map[string]any{}, "", showApplication(w))
		}}
}

func blanksSend(w world, server *serverFlags) *cobra.Command {
	return &cobra.Command{
		Use:     "send ID RANGE …",
		Short:   "3. 登记发出的流水码 (record which blanks were sent)",
		Long:    "send 登记为一份申领发出的印制流水码，合计应与批准数量一致。\n\nThe ranges add up to what was granted.",
		Example: "  bajigong blanks send ba-… JS-000001..JS-000500",
		Args:    twoOrMore,
		RunE: func(cmd *cobra.Command, args []string) error {
			ranges, err := parseRanges(args[1:])
			if err != nil {
				return err
			}
			return sendBlanks(cmd, w, server, "/applications/"+url.PathEscape(args[0])+"/shipment", registry.BlankStep{Ranges: ranges}, "", showApplication(w))
		},
	}
}

func twoOrMore(cmd *cobra.Command, args []string) error {
	if len(args) < 2 {
		return usageError{fmt.Errorf("参数不足 (something is missing)\nusage: %s", cmd.UseLine())}
	}
	return nil
}

func showUse(w world) func(registry.BlankUseReport) {
	return func(r registry.BlankUseReport) {
		for _, one := range r.Ranges {
			say(w.stdout, "%s\n", one)
		}
		fmt.Fprintf(w.stderr, "共 %d 份；库存 %d 份 (%d blanks; %d in stock)\n", r.Quantity, r.Stock.Counts[blanks.InStock], r.Quantity, r.Stock.Counts[blanks.InStock])
		remind(w, r.Stock)
	}
}

// remind says what an institution has to see to.
func remind(w world, s registry.StockView) {
	if s.Low {
		fmt.Fprintf(w.stderr, "库存低于 %d 份，请申领 (stock is below %d)\n", s.LowBelow, s.LowBelow)
	}
	if s.Overdue {
		fmt.Fprintf(w.stderr, "应于%s前盘点 (a count was due by %s)\n", s.CountDue.Chinese(), s.CountDue)
	}
}

func blanksTake(w world, server *serverFlags) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:   "take SESSION QUANTITY|RANGE …",
		Short: "5. 为批次领用 (take blanks for a session)",
		Long: `take 为一个批次领用空白证书：写数量则按流水码顺序取自库存，也可写明流水码。累计超过合格
人数的规定比例时，用 --reason 说明原因。

By quantity they are taken from stock in order. More than the rules allow for those
who passed needs --reason. 执行中断后先用 stock 核对再重做：每执行一次即领用一次。
Every run takes blanks: after an interruption look at stock first.`,
		Example: "  bajigong blanks take s-… 110\n  bajigong blanks take s-… JS-000001..JS-000110",
		Args:    twoOrMore,
		RunE: func(cmd *cobra.Command, args []string) error {
			in := registry.BlankUseRequest{Session: args[0], Reason: reason}
			if _, err := fmt.Sscanf(args[1]+"\n", "%d\n", &in.Quantity); err != nil || len(args) > 2 {
				in.Quantity = 0
				if in.Ranges, err = parseRanges(args[1:]); err != nil {
					return err
				}
			}
			return sendBlanks(cmd, w, server, "/takings", in, "", showUse(w))
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "超量领用的原因 (why more than the rules allow)")
	return cmd
}

func blanksUse(w world, server *serverFlags, name, short, path string, ofSession bool) *cobra.Command {
	var reason string
	use, args := name+" RANGE …", atLeastOneCode
	if ofSession {
		use, args = name+" SESSION RANGE …", twoOrMore
	}
	cmd := &cobra.Command{Use: use, Short: short, Long: short + "。按印制流水码办理，一次办理全部或全不办理。\n\nBy code; all of them or none.",
		Example: "  bajigong blanks " + strings.NewReplacer("SESSION", "s-…", "RANGE …", "JS-000017").Replace(use), Args: args,
		RunE: func(cmd *cobra.Command, args []string) error {
			in := registry.BlankUseRequest{Reason: reason}
			if ofSession {
				in.Session, args = args[0], args[1:]
			}
			var err error
			if in.Ranges, err = parseRanges(args); err != nil {
				return err
			}
			return sendBlanks(cmd, w, server, "/"+path, in, "", showUse(w))
		}}
	if !ofSession {
		cmd.Flags().StringVar(&reason, "reason", "", "原因 (why)")
		required(cmd, "reason")
	}
	return cmd
}

func atLeastOneCode(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usageError{fmt.Errorf("请写明印制流水码 (name codes)\nusage: %s", cmd.UseLine())}
	}
	return nil
}

func blanksDestroy(w world, server *serverFlags) *cobra.Command {
	var document, method string
	cmd := &cobra.Command{
		Use:   "destroy [BATCH]",
		Short: "6. 建立销毁批次，或登记已销毁 (destroy spoiled blanks)",
		Long: `destroy 不带参数时把全部已作废的空白证书列入一个销毁批次，输出批次编号；带批次编号时由另一
账号登记已销毁，须写明 --document 和 --method。

Without an argument it puts all spoiled blanks into a batch; with one, another
account records that the batch was destroyed.`,
		Example: "  bajigong blanks destroy\n  bajigong blanks destroy bd-… --document 销毁记录〔2026〕1号 --method 碎纸",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, body := "/destructions", map[string]any{}
			if len(args) == 1 {
				path, body = path+"/"+url.PathEscape(args[0])+"/record", map[string]any{"document": document, "method": method}
			}
			return sendBlanks(cmd, w, server, path, body, "", func(d blanks.Destruction) {
				zh, en := d.State.Words()
				say(w.stdout, "%s\n", d.ID)
				fmt.Fprintf(w.stderr, "%d 份：%s (%d blanks: %s)\n", d.Quantity, zh, d.Quantity, en)
			})
		},
	}
	cmd.Flags().StringVar(&document, "document", "", "销毁记录 (record of the destruction)")
	cmd.Flags().StringVar(&method, "method", "", "销毁方式 (how)")
	return cmd
}

func blanksCount(w world, server *serverFlags) *cobra.Command {
	return &cobra.Command{
		Use:     "count RANGE …",
		Short:   "盘点库存 (count the stock)",
		Long:    "count 登记盘点时库存中实有的流水码，输出盘亏和盘盈。盘点不改变状态；盘亏的随后用 lose 登记。\n\nIt prints what is missing and what is surplus, and changes no blank.",
		Example: "  bajigong blanks count JS-000111..JS-000500",
		Args:    atLeastOneCode,
		RunE: func(cmd *cobra.Command, args []string) error {
			ranges, err := parseRanges(args)
			if err != nil {
				return err
			}
			return sendBlanks(cmd, w, server, "/stocktakings", map[string]any{"counted": ranges}, "", func(s registry.Stocktaking) {
				for _, r := range s.Missing {
					say(w.stdout, "盘亏 missing %s\n", r)
				}
				for _, r := range s.Surplus {
					say(w.stdout, "盘盈 surplus %s\n", r)
				}
				fmt.Fprintf(w.stderr, "实点 %d 份，账面 %d 份 (%d counted, %d in the ledger)\n", s.Quantity, s.Ledger, s.Quantity, s.Ledger)
			})
		},
	}
}

func blanksStock(w world, server *serverFlags) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "stock",
		Short:   "库存和各状态数量 (how many blanks are where)",
		Long:    "stock 列出本机构空白证书各状态的数量，提示低库存和到期的盘点。\n\nThe figures add up to all blanks ever sent.",
		Example: "  bajigong blanks stock",
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := server.client(w, true)
			if err != nil {
				return err
			}
			var s registry.StockView
			if _, err := c.call(cmd.Context(), ask{method: http.MethodGet, path: blanksPath}, nil, &s); err != nil {
				return err
			}
			if asJSON {
				return printJSON(w.stdout, s)
			}
			rows := [][]string{{"状态 state", "份数 blanks"}}
			for _, state := range blanks.States() {
				zh, en := state.Words()
				rows = append(rows, []string{zh + " " + en, fmt.Sprint(s.Counts[state])})
			}
			table(w.stdout, append(rows, []string{"合计 total", fmt.Sprint(s.Total)}))
			remind(w, s)
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "输出 JSON (print JSON)")
	return cmd
}

func blanksCode(w world, server *serverFlags) *cobra.Command {
	return &cobra.Command{
		Use:     "code CODE",
		Short:   "查一份空白证书 (look one blank up)",
		Long:    "code 按印制流水码查一份空白证书的状态和打印的证书编号。\n\nIts state, and the certificate printed on it.",
		Example: "  bajigong blanks code JS-000017",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := server.client(w, true)
			if err != nil {
				return err
			}
			var v registry.BlankView
			if _, err := c.call(cmd.Context(), ask{method: http.MethodGet, path: blanksPath + "/codes/" + url.PathEscape(args[0])}, nil, &v); err != nil {
				return err
			}
			zh, en := v.State.Words()
			say(w.stdout, "%s %s %s", v.Code, zh, en)
			if v.Print != nil {
				say(w.stdout, " %s", v.Print.Number)
			}
			say(w.stdout, "\n")
			return nil
		},
	}
}
