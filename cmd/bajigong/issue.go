package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bajigong/internal/fail"
	"bajigong/registry"
	"bajigong/standards"
)

func issueCommand(w world) *cobra.Command {
	var server serverFlags
	cmd := &cobra.Command{
		Use:   "issue",
		Short: "认定批次：计划、成绩、公示、发证 (sessions, from plan to certificates)",
		Long: `issue 用评价机构的接口密钥办理一个认定批次，按次序六步：

  1. plan          考试之前备案认定计划
  2. roster        考试之前录入报名名单，逐人审核申报条件
  3. results       考试之后上报成绩表（XLSX 或 CSV）；有误的行逐行说明，不会只存一半
  4. confirm       由另一人复核成绩
  5. publicity     公示，至少 5 个工作日
  6. certificates  公示期满发证；整批发布，中断后重新执行即可，不会重复发证

本地区规则不要求的环节可以略过；timeline 列出各环节期限。随后 list 列出证书，
qr 生成二维码。每一步都可以放心重复执行。

With an institution's key it takes a session from plan to certificates, in these
steps; those that the rules of the region do not ask for can be left out. Every
step may be repeated safely.`,
		Example: `  export BAJIGONG_SERVER=https://zs.example.gov.cn BAJIGONG_KEY=$(cat institution.key)
  bajigong issue plan --filing f-… --occupation 6-31-01-03 --level 三级 --exam 2026-03-20 --name 2026年第1批电工
  bajigong issue roster s-… 报名.csv
  bajigong issue results s-… 成绩.csv
  BAJIGONG_KEY=$(cat second.key) bajigong issue confirm s-…
  bajigong issue publicity s-…
  bajigong issue certificates s-…
  bajigong issue list s-… --csv 证书.csv`,
	}
	server.add(cmd.PersistentFlags(), w)
	return group(cmd, issuePlan(w, &server), issueRoster(w, &server), issueResults(w, &server), issueConfirm(w, &server), issueTimeline(w, &server), issuePublicity(w, &server),
		issueCertificates(w, &server), issueList(w, &server), issueQR(w, &server),
		issuePhotos(w, &server), issueLists(w, &server), issuePrint(w, &server))
}

const sessionsPath = "/api/v1/sessions"

// sessionPath is the path of something of a session.
func sessionPath(id string, rest ...string) string {
	return sessionsPath + "/" + url.PathEscape(id) + strings.Join(append([]string{""}, rest...), "/")
}

func issuePlan(w world, server *serverFlags) *cobra.Command {
	var in registry.NewSession
	var level, exam string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "1. 备案认定计划 (file the plan of a session)",
		Long: `plan 在考试之前备案一个认定批次：一个备案号，一个职业（工种），一个等级。
等级可写 三级、高级工、三级/高级工、3。相同内容重复执行得到同一个批次。

It prints the session's id, which every later step needs. Repeating the same plan
answers the same session.`,
		Example: `  bajigong issue plan --filing f-… --occupation 6-31-01-03 --level 三级 --exam 2026-03-20 --name 2026年第1批电工`,
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if in.Level, err = standards.ParseLevel(level); err != nil {
				return err
			}
			if in.ExamDate, err = standards.ParseDate(exam); err != nil {
				return err
			}
			if in.Occupation, err = standards.ParseOccupationCode(in.Occupation); err != nil {
				return err
			}
			c, err := server.client(w, true)
			if err != nil {
				return err
			}
			once, err := onceKey(in)
			if err != nil {
				return err
			}
			var s registry.Session
			if _, err := c.call(cmd.Context(), ask{method: http.MethodPost, path: sessionsPath, once: once}, in, &s); err != nil {
				return err
			}
			if asJSON {
				return printJSON(w.stdout, s)
			}
			say(w.stdout, "%s\n", s.ID)
			say(w.stderr, "已备案 %s：%s %s，考试日期 %s。考试后 next: bajigong issue results %s FILE.csv\n", s.Name, s.Occupation, s.Level.Certificate(), string(s.ExamDate), s.ID)
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&in.Filing, "filing", "", "备案编号 (id of the filing)")
	flags.StringVar(&in.Occupation, "occupation", "", "职业编码，例如 6-31-01-03 (occupation)")
	flags.StringVar(&in.Trade, "trade", "", "工种名称或目录编号；没有则不填 (trade, by name or id)")
	flags.StringVar(&level, "level", "", "等级，例如 三级 (level)")
	flags.StringVar(&exam, "exam", "", "考试日期，晚于今天，例如 2026-03-20 (exam date, after today)")
	flags.StringVar(&in.Name, "name", "", "批次名称 (name of the session)")
	flags.BoolVar(&asJSON, "json", false, "输出 JSON (print JSON)")
	required(cmd, "filing", "occupation", "level", "exam", "name")
	return cmd
}

// onceKey is an Idempotency-Key that follows from the content: the same command
// again is the same request.
func onceKey(content any) (string, error) {
	b, err := json.Marshal(content)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return "cli-" + hex.EncodeToString(sum[:]), nil
}

func issueResults(w world, server *serverFlags) *cobra.Command {
	var accept string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "results SESSION FILE.csv",
		Short: "3. 上报成绩表 (upload the results)",
		Long: `results 上报成绩表。XLSX 或 CSV（UTF-8、GB18030），表头：
姓名,证件类型,证件号码,理论成绩,技能成绩[,综合评审成绩][,证书编号]

有一行不合格则全部不存，逐行列出原因（退出码 3）；改好后重新上报整张表。
--accept good-rows 只存合格的行，列出其余的行（退出码 0）。
发证之前重新上报会替换原来的成绩，公示须重新开始。"-" 表示标准输入。

A file with any bad row stores nothing and names every bad row (exit code 3);
--accept good-rows stores the good ones and names the others (exit code 0).`,
		Example: `  bajigong issue results s-… 成绩.csv
  bajigong issue results s-… 成绩.csv --accept good-rows`,
		Args: exactly(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if accept != "" && accept != "good-rows" {
				return usageError{fmt.Errorf("--accept 只能是 good-rows (accept is good-rows or left out)")}
			}
			c, err := server.client(w, true)
			if err != nil {
				return err
			}
			b, err := readInput(w, args[1], registry.ResultsMaxBytes)
			if err != nil {
				return err
			}
			report, err := c.upload(cmd.Context(), args[0], b, accept)
			if asJSON && err == nil {
				return printJSON(w.stdout, report)
			}
			return printUpload(w, report, err)
		},
	}
	cmd.Flags().StringVar(&accept, "accept", "", "good-rows：只存合格的行 (store the good rows alone)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "输出 JSON (print JSON)")
	return cmd
}

func (c *client) upload(ctx context.Context, session string, file []byte, accept string) (out registry.UploadReport, err error) {
	a := ask{method: http.MethodPost, path: sessionPath(session, "results"), kind: tableType(file), body: file, wait: 10 * time.Minute}
	if accept != "" {
		a.query = url.Values{"accept": {accept}}
	}
	_, err = c.call(ctx, a, nil, &out)
	return out, err
}

// tableType is the media type of a file with a table.
func tableType(b []byte) string {
	if bytes.HasPrefix(b, []byte("PK\x03\x04")) {
		return "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
	}
	return "text/csv"
}

// printUpload prints every refused row, and what was stored.
func printUpload(w world, report registry.UploadReport, err error) error {
	if err != nil {
		e := fail.Of(err)
		if e.Kind != fail.Invalid || len(e.Fields) == 0 {
			return err
		}
		for _, f := range e.Fields {
			fmt.Fprintln(w.stdout, fieldLine(f))
		}
		return fail.New(e.Kind, e.Code, "%s", e.Text).In("%s", e.ZH)
	}
	for _, f := range report.Errors {
		fmt.Fprintln(w.stdout, fieldLine(f))
	}
	fmt.Fprintf(w.stderr, "共 %d 行：已存 %d，其中合格 %d；未存 %d (%d rows: %d stored, %d passed, %d refused)\n下一步 next: bajigong issue publicity %s\n",
		report.Rows, report.Stored, report.Passed, report.Refused, report.Rows, report.Stored, report.Passed, report.Refused, report.Session.ID)
	return nil
}

func issuePublicity(w world, server *serverFlags) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "publicity SESSION",
		Short: "5. 开始公示 (show the passed candidates to the public)",
		Long: `publicity 公示合格人员，自次日起至少 5 个工作日（按国务院办公厅放假安排计算）。
重复执行不会重新计时。

Working days are those of the State Council's calendar. Started again, it changes
nothing.`,
		Example: `  bajigong issue publicity s-…`,
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := server.client(w, true)
			if err != nil {
				return err
			}
			var s registry.Session
			if _, err := c.call(cmd.Context(), ask{method: http.MethodPost, path: sessionPath(args[0], "publicity")}, nil, &s); err != nil {
				return err
			}
			if asJSON {
				return printJSON(w.stdout, s)
			}
			if s.Publicity == nil {
				return fail.New(fail.Unavailable, "strange_answer", "the server did not say when publicity ends").In("服务未答复公示期限")
			}
			fmt.Fprintf(w.stdout, "公示 %s 至 %s（%s）；自 %s 起可以发证\npublicity %s to %s; certificates from %s\n",
				s.Publicity.From, s.Publicity.Until, s.Publicity.Basis, s.Publicity.Until.AddDays(1), s.Publicity.From, s.Publicity.Until, s.Publicity.Until.AddDays(1))
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "输出 JSON (print JSON)")
	return cmd
}

func issueCertificates(w world, server *serverFlags) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "certificates SESSION",
		Short: "6. 发证 (issue the certificates)",
		Long: `certificates 为公示期满的批次发证：分配编号、签名、整批发布。进度写到标准错误。
中断、断网都不要紧：服务端继续办理，重新执行本命令即接着等待，不会重复发证；
整批要么全部公开，要么都不公开。

It waits until the whole batch is public. Interrupt it as you like: the server goes
on, and running it again waits for the same batch. No number is issued twice.`,
		Example: `  bajigong issue certificates s-…`,
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := server.client(w, true)
			if err != nil {
				return err
			}
			b, err := issueBatch(cmd.Context(), w, c, args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(w.stdout, b)
			}
			fmt.Fprintf(w.stdout, "已发布 %d 份证书，发证日期 %s (%d certificates are public)\n下一步 next: bajigong issue list %s --csv 证书.csv\n", b.Total, b.Issued, b.Total, args[0])
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "输出 JSON (print JSON)")
	return cmd
}

// How issueBatch waits: between two looks at the batch, and how many requests in
// a row may find the server away.
const (
	lookAgain = time.Second
	awayTimes = 30
)

// issueBatch asks for the issue of a session until the batch has ended. The
// server answers after a while even if it has not, and works whether or not
// anybody asks; asking again joins the same batch.
func issueBatch(ctx context.Context, w world, c *client, session string) (registry.Batch, error) {
	p := newProgress(w, "发证 issuing")
	defer p.end()
	for away := 0; ; {
		b, err := c.askIssue(ctx, session, p)
		switch {
		case err == nil && b.State == registry.BatchPublished:
			p.show(b.Total, b.Total)
			return b, nil
		case err == nil && b.State == registry.BatchAborted:
			return b, fail.New(fail.Conflict, "batch_aborted", "the batch was aborted: %s", b.Aborted).In("发证批次已中止：%s", b.AbortedZH)
		case err == nil:
			away = 0
		case fail.KindOf(err) != fail.Unavailable || away >= awayTimes:
			return b, err
		default:
			if away++; away == 1 {
				fmt.Fprintln(w.stderr, "服务暂时没有应答，继续等待 (the server is away, waiting) …")
			}
		}
		if err := pause(ctx, lookAgain); err != nil {
			return b, err
		}
	}
}

// askIssue asks once, and shows how far the batch has come until there is an
// answer.
func (c *client) askIssue(ctx context.Context, session string, p *progress) (out registry.Batch, err error) {
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		_, err = c.call(ctx, ask{method: http.MethodPost, path: sessionPath(session, "certificates"), wait: 2 * time.Minute}, nil, &out)
	}()
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for {
		select {
		case <-answered:
			return out, err
		case <-tick.C:
			var b registry.Batch
			if _, err := c.call(ctx, ask{method: http.MethodGet, path: sessionPath(session, "batch")}, nil, &b); err == nil && b.Total > 0 {
				p.show((b.Allocated+b.Signed)/2, b.Total) // numbers first, then signatures
			}
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
