package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bajigong/evaluators/blanks"
	"bajigong/internal/fail"
	"bajigong/registry"
)

func issuePhotos(w world, server *serverFlags) *cobra.Command {
	var accept string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "photos SESSION FILE.zip",
		Short: "上传照片压缩包 (upload the photos of the candidates)",
		Long: `photos 上传考生照片。ZIP，每人一张 JPEG 或 PNG，一寸、白底、近 6 个月内，文件名为证件号码、
准考证号、证书编号（成绩表自带时）或行号，例如 2.jpg。照片按一寸大小重新编码，不保留拍摄
信息；发证之前重新上传即替换，发证之后照片只能更正。

有一个文件不合格则全部不存，逐个列出原因（退出码 3）；--accept good 只存合格的照片。
最后列出仍缺照片的行。

Files are named by document number, 准考证号, certificate number or row. An archive
with any bad file stores nothing and names each of them; --accept good stores the
good ones. Who has no photo yet is listed by row.`,
		Example: `  bajigong issue photos s-… 照片.zip
  bajigong issue photos s-… 照片.zip --accept good`,
		Args: exactly(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if accept != "" && accept != "good" {
				return usageError{fmt.Errorf("--accept 只能是 good (accept is good or left out)")}
			}
			c, err := server.client(w, true)
			if err != nil {
				return err
			}
			b, err := readInput(w, args[1], registry.PhotosMaxBytes)
			if err != nil {
				return err
			}
			say(w.stderr, "正在上传 %d KB，逐张核对照片 (uploading and looking at each photo) …\n", len(b)>>10)
			a := ask{method: http.MethodPost, path: sessionPath(args[0], "photos"), kind: "application/zip", body: b, wait: 10 * time.Minute}
			if accept != "" {
				a.query = url.Values{"accept": {accept}}
			}
			var report registry.PhotoReport
			_, err = c.call(cmd.Context(), a, nil, &report)
			if asJSON && err == nil {
				return printJSON(w.stdout, report)
			}
			return printPhotos(w, report, err)
		},
	}
	cmd.Flags().StringVar(&accept, "accept", "", "good：只存合格的照片 (store the good photos alone)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "输出 JSON (print JSON)")
	return cmd
}

// photoLine is one thing about a file: its name has its place in the archive.
func photoLine(f fail.Field) string { return fmt.Sprintf("%s：%s (%s)", f.Name, f.ZH, f.EN) }

func printPhotos(w world, report registry.PhotoReport, err error) error {
	if err != nil {
		e := fail.Of(err)
		if e.Code != "photos" {
			return err
		}
		for _, f := range e.Fields {
			fmt.Fprintln(w.stdout, photoLine(f))
		}
		return fail.New(e.Kind, e.Code, "%s", e.Text).In("%s", e.ZH)
	}
	for _, f := range append(report.Errors, report.Warnings...) {
		fmt.Fprintln(w.stdout, photoLine(f))
	}
	for _, f := range report.Missing {
		fmt.Fprintln(w.stdout, fieldLine(f))
	}
	fmt.Fprintf(w.stderr, "共 %d 个文件：已存 %d（其中替换 %d），未存 %d；仍缺照片 %d 人 (%d files: %d stored, %d refused; %d people have no photo)\n",
		report.Files, report.Stored, report.Replaced, report.Refused, report.Without, report.Files, report.Stored, report.Refused, report.Without)
	return nil
}

// listKinds are the lists by what people call them.
var listKinds = map[string]registry.ListKind{"准考证": registry.TicketList, "签到表": registry.SignInList, "合格人员名册": registry.PassedList, "名册": registry.PassedList,
	"发放签领表": registry.HandoutList, "签领表": registry.HandoutList}

func issueLists(w world, server *serverFlags) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "lists SESSION KIND -o FILE",
		Short: "生成准考证、签到表、名册、签领表 (make the lists of a session)",
		Long: `lists 生成一个批次的表册，按 -o 的扩展名写成 PDF（供打印、签名）、Excel（.xlsx）或 CSV。KIND 为：

  tickets     准考证
  sign-in     签到表
  passed      合格人员名册（证件号码完整，每次生成都记入日志）
  handovers   发放签领表

其余表册的证件号码均已脱敏。文件含个人信息，只有本人可读（0600）。准考证的 PDF 带照片，每页
四张，每 200 人一个文件：准考证.pdf、准考证-2.pdf。

The roll of those who passed has whole document numbers, and making it is logged;
all others have them masked. The file is readable by its owner only. Admission tickets
as PDF have the photos, four a page and 200 a file: x.pdf, x-2.pdf.`,
		Example: `  bajigong issue lists s-… 准考证 -o 准考证.pdf
  bajigong issue lists s-… 签到表 -o 签到表.xlsx
  bajigong issue lists s-… passed -o 名册.xlsx`,
		Args: exactly(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			kind, ok := listKinds[args[1]]
			if !ok {
				kind = registry.ListKind(args[1])
			}
			if zh, _ := kind.Words(); zh == "" {
				return fail.New(fail.Invalid, "list_kind", "there is no list %s; it is tickets, sign-in, passed or handovers", printable(args[1])).
					In("没有表册“%s”；应为 准考证、签到表、合格人员名册 或 发放签领表", printable(args[1]))
			}
			format := strings.ToLower(strings.TrimPrefix(filepath.Ext(file), "."))
			if format != "pdf" && format != "xlsx" && format != "csv" {
				return usageError{fmt.Errorf("-o 应为 .pdf、.xlsx 或 .csv 文件 (the file ends in .pdf, .xlsx or .csv)")}
			}
			c, err := server.client(w, true)
			if err != nil {
				return err
			}
			if format == "pdf" {
				return fetchParts(cmd, w, c, sessionPath(args[0], "lists", url.PathEscape(string(kind))), url.Values{"format": {format}}, file)
			}
			got, err := c.call(cmd.Context(), ask{method: http.MethodGet, path: sessionPath(args[0], "lists", url.PathEscape(string(kind))), query: url.Values{"format": {format}}, accept: "*/*", wait: 2 * time.Minute}, nil, nil)
			if err != nil {
				return err
			}
			if err := writeFile(file, got.body, 0o600); err != nil {
				return err
			}
			fmt.Fprintf(w.stderr, "已写入 %s (written)\n", file)
			return nil
		},
	}
	cmd.Flags().StringVarP(&file, "output", "o", "", "文件，.pdf、.xlsx 或 .csv (file)")
	required(cmd, "output")
	return cmd
}

func issuePrint(w world, server *serverFlags) *cobra.Command {
	var in registry.NewPrintJob
	var f printFlags
	cmd := &cobra.Command{
		Use:   "print SESSION [NUMBER …]",
		Short: "登记打印并分配印制流水码 (assign blanks and record prints)",
		Long: `print 为一个批次的证书分配已领用的空白证书（按印制流水码顺序）并登记打印，进度写到标准错误。
已打印的证书自动略过，中断后重新执行即接着办理。空白证书不足时先领用（bajigong blanks take），
再执行一次。写明证书编号的为补打，须用 --reason 说明原因。--plain 登记打印在无流水码的纸上。
加 -o 即按分配的次序写成 PDF，每 200 份一个文件，票面印有各自的印制流水码；请按次序放纸。

逐份输出证书编号和印制流水码，最后给出任务编号：用 bajigong print job 按流水码顺序打印 PDF。

It gives the certificates of a session their blanks in order and records the prints.
What was printed is passed over, so it may be run again at any time. Named
certificates are printed again, with --reason. With -o the PDF follows, in the order
of the blanks, each certificate with its code.`,
		Example: `  bajigong issue print s-…
  bajigong issue print s-… --blank blank-sample -o 套打.pdf
  bajigong issue print s-… S000032058300253000001 --reason 打印模糊`,
		Args: atLeastOne,
		RunE: func(cmd *cobra.Command, args []string) error {
			in.Numbers = args[1:]
			var q url.Values
			if f.output != "" {
				var err error
				if q, err = f.query(); err != nil {
					return err
				}
			}
			c, err := server.client(w, true)
			if err != nil {
				return err
			}
			j, err := runPrintJob(cmd.Context(), w, c, args[0], in)
			if err != nil {
				return err
			}
			if err := printAssigned(cmd.Context(), w, c, j); err != nil {
				return err
			}
			if j.State == blanks.JobWaiting {
				return fail.New(fail.Conflict, "blank_short", "%d of %d are printed and there is no blank left; take more (bajigong blanks take) and run it again (job %s)", j.Done, j.Total, j.ID).
					In("已登记 %d 份，共 %d 份，空白证书不足；请先用 bajigong blanks take 领用，再执行一次（任务 %s）", j.Done, j.Total, j.ID)
			}
			if f.output != "" && j.Done > 0 {
				if err := fetchParts(cmd, w, c, "/api/v1/print-jobs/"+url.PathEscape(j.ID)+"/certificates.pdf", q, f.output); err != nil {
					return err
				}
			}
			fmt.Fprintf(w.stdout, "已登记打印 %d 份，略过 %d 份 (%d prints recorded, %d passed over; job %s)\n", j.Done, j.Skipped, j.Done, j.Skipped, j.ID)
			return nil
		},
	}
	f.add(cmd.Flags())
	cmd.Flags().StringVar(&in.Reason, "reason", "", "补打原因 (why certificates are printed again)")
	cmd.Flags().BoolVar(&in.Plain, "plain", false, "打印在无印制流水码的纸上 (paper without codes)")
	return cmd
}

func atLeastOne(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usageError{fmt.Errorf("请写明批次 (name the session)\nusage: %s", cmd.UseLine())}
	}
	return nil
}

// printAssigned prints what a job has given its blanks, and what comes next.
func printAssigned(ctx context.Context, w world, c *client, j registry.PrintJob) error {
	path := "/api/v1/print-jobs/" + url.PathEscape(j.ID) + "/items"
	q := url.Values{"limit": {"500"}}
	for j.Done > 0 {
		var page struct {
			Items []registry.PrintItem `json:"items"`
			Next  string               `json:"next"`
		}
		if _, err := c.call(ctx, ask{method: http.MethodGet, path: path, query: q}, nil, &page); err != nil {
			return err
		}
		for _, one := range page.Items {
			code := "--"
			if one.Code != nil {
				code = one.Code.String()
			}
			say(w.stdout, "%s %s\n", one.Number, code)
		}
		if page.Next == "" {
			say(w.stderr, "下一步：bajigong print job %s -o 证书.pdf（套打加 --blank 版式） (next: the PDF, in the order of the codes)\n", j.ID)
			break
		}
		q.Set("cursor", page.Next)
	}
	return nil
}

// runPrintJob begins a job and asks for its next pages until it is done or waits
// for blanks.
func runPrintJob(ctx context.Context, w world, c *client, session string, in registry.NewPrintJob) (j registry.PrintJob, err error) {
	p := newProgress(w, "打印登记 printing")
	defer p.end()
	next := ask{method: http.MethodPost, path: sessionPath(session, "print-jobs"), wait: 2 * time.Minute}
	var body any = in
	for {
		if _, err := c.call(ctx, next, body, &j); err != nil {
			return j, err
		}
		p.show(j.Seen, j.Total)
		if j.State != blanks.JobRunning {
			return j, nil
		}
		if err := pause(ctx, lookAgain); err != nil {
			return j, err
		}
		next.path, body = "/api/v1/print-jobs/"+url.PathEscape(j.ID)+"/continuation", nil
	}
}
