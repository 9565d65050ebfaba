package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bajigong/internal/fail"
	"bajigong/registry"
	"bajigong/registry/uploads"
	"bajigong/standards"
)

func uploadCommand(w world) *cobra.Command {
	var server serverFlags
	cmd := &cobra.Command{
		Use:   "upload",
		Short: "全国联网查询上报：生成、报送、回执、可查询 (reports to the national query)",
		Long: `upload 办理证书上报全国联网查询（谁发证、谁负责），按次序四步：

  1. make       生成上报文件（11 列，每个文件至多 500 行）和汇总表
  2. sent       在全国系统报送之后，登记报送
  3. receipt    登记回执：全部接收，或退回的行；退回的行更正后用 make --waiting 重报
  4. queryable  全国查询可以查到之后，登记起始日期和凭据

文件含完整姓名和证件号码，只用于报送：写出的文件只有本人可读（0600），每次取文件都记入
日志，报送后请删除。list 列出上报、逾期未报的批次和待重报的证书。

The file has full names and document numbers: it is for the national exchange alone.
Every step may be repeated safely.`,
		Example: `  bajigong upload make s-… --dir 上报
  bajigong upload sent u-… --reference 受理号20260420001
  bajigong upload receipt u-… 回执.xlsx --reference 结果20260422
  bajigong upload make --waiting --dir 上报
  bajigong upload queryable u-… --reference 查询截图编号12 --on 2026-05-08
  bajigong upload list --unreported`,
	}
	server.add(cmd.PersistentFlags(), w)
	return group(cmd, uploadMake(w, &server), uploadFile(w, &server), uploadSent(w, &server), uploadWithdraw(w, &server), uploadReceipt(w, &server),
		uploadQueryable(w, &server), uploadList(w, &server))
}

const uploadsPath = "/api/v1/uploads"

func uploadPath(id string, rest ...string) string {
	return uploadsPath + "/" + url.PathEscape(id) + strings.Join(append([]string{""}, rest...), "/")
}

// uploadFlags are where files are written, and in which form.
type uploadFlags struct{ dir, format string }

func (f *uploadFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.dir, "dir", ".", "写到哪个目录 (where files are written)")
	cmd.Flags().StringVar(&f.format, "format", "xlsx", "xlsx 或 csv (form of the files)")
}

func (f *uploadFlags) check() error {
	if f.format != "xlsx" && f.format != "csv" {
		return usageError{errors.New("--format 只能是 xlsx 或 csv (format is xlsx or csv)")}
	}
	return nil
}

func uploadMake(w world, server *serverFlags) *cobra.Command {
	var files uploadFlags
	var waiting bool
	var institution, typ string
	cmd := &cobra.Command{
		Use:   "make [SESSION]",
		Short: "1. 生成上报文件 (make the files of a session)",
		Long: `make 为一个批次已发布而未上报的证书生成上报文件和汇总表，每 500 份一个文件，直到全部生成。
--waiting 改为生成待重报的证书：退回后更正的（--type new），或上报后有变更的（--type change、cancel，
以本地区规则的数据类型为准）。已撤销、注销、暂停的证书不作新增上报。

It makes files until nothing is left. A file that was made and lost is written again
with upload file.`,
		Example: `  bajigong upload make s-… --dir 上报
  bajigong upload make --waiting --type change`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := files.check(); err != nil {
				return err
			}
			if waiting == (len(args) == 1) {
				return usageError{errors.New("请写明批次，或用 --waiting（name a session, or use --waiting)")}
			}
			c, err := server.client(w, true)
			if err != nil {
				return err
			}
			in := registry.NewNationalUpload{Institution: institution, Type: typ}
			if !waiting {
				in.Session = args[0]
			}
			return c.makeUploads(cmd.Context(), w, in, files)
		},
	}
	files.add(cmd)
	cmd.Flags().BoolVar(&waiting, "waiting", false, "待重报的证书 (certificates that wait for a further report)")
	cmd.Flags().StringVar(&typ, "type", "", "数据类型，缺省 new (data type)")
	cmd.Flags().StringVar(&institution, "institution", "", "机构；机构密钥可不填 (institution; the key's own when absent)")
	return cmd
}

// makeUploads makes reports until nothing is left, and writes each.
func (c *client) makeUploads(ctx context.Context, w world, in registry.NewNationalUpload, files uploadFlags) error {
	made := 0
	for {
		var u registry.NationalUpload
		_, err := c.call(ctx, ask{method: http.MethodPost, path: uploadsPath, wait: 2 * time.Minute}, in, &u)
		if made > 0 && fail.CodeOf(err) == "nothing_to_report" {
			return nil
		}
		if err != nil {
			return err
		}
		made++
		if u.Rows == 0 {
			fmt.Fprintf(w.stderr, "%s：%d 份证书已失效，不上报 (%d certificates are not valid and not reported)\n", u.Number, u.LeftOut, u.LeftOut)
			continue
		}
		if err := c.writeUpload(ctx, w, u, files); err != nil {
			return err
		}
	}
}

// writeUpload fetches the file of a report and its summary and writes both.
func (c *client) writeUpload(ctx context.Context, w world, u registry.NationalUpload, files uploadFlags) error {
	for part, name := range map[string]string{"file": u.Number, "summary": u.Number + "-汇总"} {
		got, err := c.send(ctx, ask{method: http.MethodGet, path: uploadPath(u.ID, part), query: url.Values{"format": {files.format}}, accept: "*/*", wait: 2 * time.Minute})
		if err == nil {
			err = c.refusal(got)
		}
		if err != nil {
			return err
		}
		if err := writeFile(filepath.Join(files.dir, name+"."+files.format), got.body, 0o600); err != nil {
			return err
		}
	}
	say(w.stdout, "%s\n", u.ID)
	say(w.stderr, "已写入 %s：%s %d 份，未列入 %d 份。报送后 next: bajigong upload sent %s --reference …\n",
		filepath.Join(files.dir, u.Number+"."+files.format), u.TypeName.ZH, u.Rows, u.LeftOut, u.ID)
	return nil
}

func uploadFile(w world, server *serverFlags) *cobra.Command {
	var files uploadFlags
	cmd := &cobra.Command{
		Use:   "file UPLOAD",
		Short: "再次写出上报文件 (write the file of a report again)",
		Long: `file 再次写出一次上报的文件和汇总表，内容与生成时逐字节相同。每次都记入日志。

The content is that of the report when it was made, whatever changed since.`,
		Example: `  bajigong upload file u-… --dir 上报 --format csv`,
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := files.check(); err != nil {
				return err
			}
			c, err := server.client(w, true)
			if err != nil {
				return err
			}
			var u registry.NationalUpload
			if _, err := c.call(cmd.Context(), ask{method: http.MethodGet, path: uploadPath(args[0])}, nil, &u); err != nil {
				return err
			}
			return c.writeUpload(cmd.Context(), w, u, files)
		},
	}
	files.add(cmd)
	return cmd
}

// stepFlags are what every step of a report says.
type stepFlags struct{ on, reference string }

func (f *stepFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.reference, "reference", "", "凭据：受理号、回执号、截图编号等 (what proves it)")
	cmd.Flags().StringVar(&f.on, "on", "", "日期，缺省今天 (the day; today when absent)")
	required(cmd, "reference")
}

func (f *stepFlags) step() (out registry.NewNationalStep, err error) {
	out.Reference = f.reference
	if f.on != "" {
		out.On, err = standards.ParseDate(f.on)
	}
	return out, err
}

// uploadStep is a command that records one step of a report.
func uploadStep(w world, server *serverFlags, use, route, short, long, example string) *cobra.Command {
	var flags stepFlags
	cmd := &cobra.Command{
		Use: use + " UPLOAD", Short: short, Long: long, Example: example, Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			in, err := flags.step()
			if err != nil {
				return err
			}
			c, err := server.client(w, true)
			if err != nil {
				return err
			}
			var u registry.NationalUpload
			if _, err := c.call(cmd.Context(), ask{method: http.MethodPost, path: uploadPath(args[0], route)}, in, &u); err != nil {
				return err
			}
			sayUpload(w, u)
			return nil
		},
	}
	flags.add(cmd)
	return cmd
}

func sayUpload(w world, u registry.NationalUpload) {
	returned := 0
	if u.Receipt != nil {
		returned = u.Receipt.Returned
	}
	say(w.stdout, "%s %s：%s %s，%d 份，退回 %d 份 (%s)\n", u.Number, u.ID, u.TypeName.ZH, u.State.Chinese(), u.Rows, returned, u.State.English())
}

func uploadSent(w world, server *serverFlags) *cobra.Command {
	return uploadStep(w, server, "sent", "sent", "2. 登记报送 (record that the file was sent)", `sent 登记上报文件已在全国系统报送，写明受理号等凭据。

It says that the file was sent to the national system, and under which reference.`, `  bajigong upload sent u-… --reference 受理号20260420001 --on 2026-04-20`)
}

func uploadWithdraw(w world, server *serverFlags) *cobra.Command {
	return uploadStep(w, server, "withdraw", "withdrawal", "撤回未报送的文件 (take back a file that was not sent)", `withdraw 撤回一次尚未报送的上报，其中的证书可以重新生成。

Its certificates are free for another report.`, `  bajigong upload withdraw u-… --reference 生成后有证书注销`)
}

func uploadQueryable(w world, server *serverFlags) *cobra.Command {
	return uploadStep(w, server, "queryable", "queryable", "4. 登记可查询 (record from when they can be queried)", `queryable 登记全国联网查询自哪一天起可以查到（未退回的证书），写明凭据。由主管部门登记；
本地区规则允许的，可由机构登记。

By the authority, or by the institution where the rules of the region let it.`, `  bajigong upload queryable u-… --reference 查询截图编号12 --on 2026-05-08`)
}

func uploadReceipt(w world, server *serverFlags) *cobra.Command {
	var flags stepFlags
	var all bool
	cmd := &cobra.Command{
		Use:   "receipt UPLOAD [FILE]",
		Short: "3. 登记回执 (record the receipt)",
		Long: `receipt 登记全国系统的回执：--all 全部接收；否则给出退回的行（XLSX 或 CSV），表头：
序号,证书编号,处理结果,退回原因

序号（从 1 起）与证书编号写一项即可；处理结果为“接收”的行略过，没有此列则每行都是退回的。
有一行对不上则全部不存，逐行说明（退出码 3）。"-" 表示标准输入。

One row that is not in the report refuses the whole receipt (exit code 3).`,
		Example: `  bajigong upload receipt u-… --all --reference 结果20260422
  bajigong upload receipt u-… 回执.xlsx --reference 结果20260422`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if all == (len(args) == 2) {
				return usageError{errors.New("请给出回执文件，或用 --all 表示全部接收 (name the file, or use --all)")}
			}
			step, err := flags.step()
			if err != nil {
				return err
			}
			c, err := server.client(w, true)
			if err != nil {
				return err
			}
			a := ask{method: http.MethodPost, path: uploadPath(args[0], "receipt"), wait: 2 * time.Minute}
			var in any
			if all {
				in = map[string]any{"all": true, "reference": step.Reference, "on": step.On}
			} else {
				if a.body, err = readInput(w, args[1], uploads.ReceiptMaxBytes); err != nil {
					return err
				}
				a.kind, a.query = tableType(a.body), url.Values{"reference": {step.Reference}}
				if step.On != "" {
					a.query.Set("on", string(step.On))
				}
			}
			var u registry.NationalUpload
			_, err = c.call(cmd.Context(), a, in, &u)
			if e := fail.Of(err); err != nil && e.Kind == fail.Invalid && len(e.Fields) > 0 {
				for _, f := range e.Fields {
					fmt.Fprintln(w.stdout, fieldLine(f))
				}
				return fail.New(e.Kind, e.Code, "%s", e.Text).In("%s", e.ZH)
			}
			if err != nil {
				return err
			}
			sayUpload(w, u)
			return nil
		},
	}
	flags.add(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "全部接收 (all rows were accepted)")
	return cmd
}

func uploadList(w world, server *serverFlags) *cobra.Command {
	var institution string
	var unreported, waiting, asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "列出上报 (list reports)",
		Long: `list 列出机构的上报及其状态。--unreported 列出已发证而未全部报送的批次和逾期的工作日；
--waiting 列出待重报的证书。

--unreported lists batches that are to be sent, and by how many working days they are
late; --waiting lists certificates that wait for a further report.`,
		Example: `  bajigong upload list
  bajigong upload list --unreported`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if unreported && waiting {
				return usageError{errors.New("--unreported 与 --waiting 只能用一个 (use one of --unreported and --waiting)")}
			}
			c, err := server.client(w, true)
			if err != nil {
				return err
			}
			query := url.Values{}
			if institution != "" {
				query.Set("institution", institution)
			}
			switch {
			case unreported:
				return listAs(cmd.Context(), w, c, "/unreported", query, asJSON, []string{"批次 session", "机构 institution", "发证日期 issued", "期限 due", "逾期工作日 late", "份数 certificates"},
					func(b registry.UnreportedBatch) []string {
						return []string{b.Session, b.InstitutionName, string(b.Issued), string(b.Due), strconv.Itoa(b.DaysLate), strconv.Itoa(b.Certificates)}
					})
			case waiting:
				return listAs(cmd.Context(), w, c, "/waiting", query, asJSON, []string{"数据类型 type", "证书编号 number", "状态 state", "上报 report"},
					func(x registry.WaitingCertificate) []string {
						return []string{x.Type, x.Number, x.State.Chinese(), x.Upload}
					})
			}
			return listAs(cmd.Context(), w, c, "", query, asJSON, []string{"上报 report", "批次号 number", "类型 type", "份数 rows", "状态 state", "生成 made"},
				func(u registry.NationalUpload) []string {
					return []string{u.ID, u.Number, u.TypeName.ZH, strconv.Itoa(u.Rows), u.State.Chinese() + " " + u.State.English(), string(standards.DateOf(u.Made))}
				})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&institution, "institution", "", "机构；机构密钥可不填 (institution; the key's own when absent)")
	flags.BoolVar(&unreported, "unreported", false, "未全部报送的批次 (batches not all of which was sent)")
	flags.BoolVar(&waiting, "waiting", false, "待重报的证书 (certificates that wait for a further report)")
	flags.BoolVar(&asJSON, "json", false, "输出 JSON (print JSON)")
	return cmd
}

// listAs prints every page of a list, as JSON or as a table.
func listAs[T any](ctx context.Context, w world, c *client, path string, query url.Values, asJSON bool, header []string, row func(T) []string) error {
	all, rows := []T{}, [][]string{header}
	err := pages(ctx, c, uploadsPath+path, query, func(page []T) error {
		for _, v := range page {
			all, rows = append(all, v), append(rows, row(v))
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
}
