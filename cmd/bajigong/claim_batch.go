package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bajigong/internal/fail"
	"bajigong/registry"
	"bajigong/registry/policy"
)

const (
	batchPath  = claimsPath + "/check-batch"
	mediaLines = "application/x-ndjson"
	mediaCSV   = "text/csv"
	mediaXLSX  = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
)

// batchFlags say how a file is to be decided.
type batchFlags struct {
	policy, fund, received string
	source, at, reference  string
	run, out               string
	asJSON                 bool
}

func (f *batchFlags) query() url.Values {
	q := url.Values{}
	for name, value := range map[string]string{"policy": f.policy, "fund": f.fund, "received": f.received, "source": f.source, "at": f.at, "reference": f.reference, "run": f.run} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return q
}

// outMedia is the form of a result file by its name; empty for lines.
func outMedia(name string) (string, error) {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".xlsx":
		return mediaXLSX, nil
	case ".csv":
		return mediaCSV, nil
	case "", ".jsonl", ".ndjson":
		return "", nil
	}
	return "", usageError{errors.New("结果文件应为 .xlsx、.csv 或 .jsonl (the result file is .xlsx, .csv or .jsonl)")}
}

func claimCheckBatch(w world, server *serverFlags) *cobra.Command {
	var f batchFlags
	cmd := &cobra.Command{
		Use:   "check-batch FILE",
		Short: "批量预检一个文件，不锁定 (check a file of claims; nothing is reserved)",
		Long: `check-batch 在发放前逐行预检一个文件（最多 10,000 行；CSV、XLSX，或每行一个 JSON 对象）：
是否可以申领、金额、不符的条款、待补充的事实。同一文件内重复的流水号、证书，以及同一人按
政策规定不能再申领的行，都会指明先行的行号。文件格式有误则一行也不预检；个别行有误只影响
该行。不锁定、不留姓名和证件号码。

表头：流水号,证书编号,证书种类,证件类型,证件号码,姓名,受理日期,申请日期,来源,核查时间,
凭据编号，以及事实列
（参保、参保月数、在职……或其代码 insured、insured_months、employed……）。

中断后加 --run 用同一文件继续：已答复的行不再重新判定。结果保留 30 天。整个文件的结论有一个
电子签名（--json 中的 decision）。

Interrupted, the same file goes on with --run; what was answered is not decided
anew. There is one signed decision over the file.

退出码 0：每行都可申领；1：有不予申领、待补充或有误的行 (exit code 1: some rows may not be
paid, or something is missing or wrong).`,
		Example: `  bajigong claim check-batch 申领.xlsx --policy kunshan-2020-67 --fact-source 昆山社保 --fact-at 2026-03-20 --fact-reference SB-9 -o 结果.xlsx
  bajigong claim check-batch 申领.csv --fund skill_uplift --run cb-…`,
		Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			media, err := outMedia(f.out)
			if err != nil {
				return err
			}
			body, err := readInput(w, args[0], registry.ClaimBatchMaxBytes)
			if err != nil {
				return err
			}
			c, err := server.client(w, true)
			if err != nil {
				return err
			}
			return f.check(cmd.Context(), w, c, body, media)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.policy, "policy", "", "政策编号 (id of the policy)")
	flags.StringVar(&f.fund, "fund", "", "资金类别；不填政策时取本地区现行政策 (kind of fund)")
	flags.StringVar(&f.received, "received", "", "未填受理日期的行按此日期，默认今天 (day of receipt of rows that have none)")
	flags.StringVar(&f.source, "fact-source", "", "未填来源的行，事实由谁提供 (who states the facts)")
	flags.StringVar(&f.at, "fact-at", "", "核查日期或时间 (when they were looked up)")
	flags.StringVar(&f.reference, "fact-reference", "", "凭据编号 (where they can be looked up again)")
	flags.StringVar(&f.run, "run", "", "继续此次预检 (go on with this run)")
	flags.StringVarP(&f.out, "output", "o", "", "结果文件 .xlsx、.csv 或 .jsonl；不填则逐行打印未通过的行 (result file)")
	flags.BoolVar(&f.asJSON, "json", false, "打印本次预检的 JSON，含签名 (print the run as JSON, with its signature)")
	return cmd
}

func (f *batchFlags) check(ctx context.Context, w world, c *client, body []byte, media string) error {
	p := newProgress(w, "预检 checking")
	var lines bytes.Buffer
	run, err := c.checkBatch(ctx, f.query(), body, func(done, total int, line []byte) {
		lines.Write(line)
		p.show(done, total)
	})
	p.end()
	if err != nil {
		if run.ID != "" && run.Ended == nil {
			fmt.Fprintf(w.stderr, "已答复的行已保存；继续：--run %s (what was answered is kept; go on with --run %s)\n", run.ID, run.ID)
		}
		if e := fail.Of(err); e.Kind == fail.Invalid && len(e.Fields) > 0 {
			for _, field := range e.Fields {
				fmt.Fprintln(w.stdout, fieldLine(field))
			}
			return fail.New(e.Kind, e.Code, "%s", e.Text).In("%s", e.ZH)
		}
		return err
	}
	if sum := sha256.Sum256(lines.Bytes()); hex.EncodeToString(sum[:]) != run.Results {
		return fail.New(fail.Unavailable, "batch_results", "the rows are not those whose hash was signed; ask again with --run %s", run.ID).
			In("收到的各行与签名的摘要不符，请用 --run %s 重新获取", run.ID)
	}
	if err := f.write(ctx, w, c, run, lines.Bytes(), media); err != nil {
		return err
	}
	if f.asJSON {
		err = printJSON(w.stdout, run)
	} else {
		printBatch(w, run)
	}
	if err == nil && run.Allow < run.Rows {
		return errNo
	}
	return err
}

// write puts the results where they are wanted: into a file, or on stdout.
func (f *batchFlags) write(ctx context.Context, w world, c *client, run registry.ClaimBatch, lines []byte, media string) error {
	switch {
	case f.out == "" && f.asJSON:
		return nil
	case f.out == "":
		return printBatchRows(w, lines)
	case media != "":
		got, err := c.send(ctx, ask{method: http.MethodGet, path: batchPath + "/" + url.PathEscape(run.ID) + "/results", accept: media + ", application/problem+json;q=0.1", wait: 5 * time.Minute})
		if err == nil {
			err = c.refusal(got)
		}
		if err != nil {
			return err
		}
		lines = got.body
	}
	if err := os.WriteFile(f.out+".new", lines, 0o600); err != nil {
		return fail.New(fail.Invalid, "output", "the result cannot be written: %v", err).In("无法写入结果文件：%v", err)
	}
	return os.Rename(f.out+".new", f.out)
}

// checkBatch sends a file and reads the answer as it comes. row hears of every row.
func (c *client) checkBatch(ctx context.Context, query url.Values, body []byte, row func(done, total int, line []byte)) (run registry.ClaimBatch, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	u := *c.base
	u.Path, u.RawQuery = batchPath, query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		return run, err
	}
	kind := tableType(body)
	if bytes.HasPrefix(bytes.TrimLeft(bytes.TrimPrefix(body, []byte("\xEF\xBB\xBF")), " \t\r\n"), []byte("{")) {
		kind = mediaLines
	}
	for name, value := range map[string]string{"Content-Type": kind, "Accept": mediaLines + ", application/problem+json;q=0.1", "User-Agent": "bajigong", "Authorization": "Bearer " + c.key} {
		req.Header.Set(name, value)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return run, c.away(ctx, err)
	}
	defer res.Body.Close()
	if media, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type")); res.StatusCode != http.StatusOK || media != mediaLines {
		text, err := io.ReadAll(io.LimitReader(res.Body, 8<<20))
		if err != nil {
			return run, c.away(ctx, err)
		}
		got := answer{status: res.StatusCode, kind: media, header: res.Header, body: text}
		if err := c.refusal(got); err != nil {
			return run, err
		}
		return run, c.strange(got, nil)
	}
	return c.readBatch(ctx, res.Body, row)
}

// batchFrame is a line that is no row.
type batchFrame struct {
	Row   int                  `json:"row"`
	Run   *registry.ClaimBatch `json:"run"`
	End   *registry.ClaimBatch `json:"end"`
	Error *struct {
		Status int `json:"status"`
		problem
	} `json:"error"`
}

func (c *client) readBatch(ctx context.Context, body io.Reader, row func(done, total int, line []byte)) (run registry.ClaimBatch, err error) {
	in := bufio.NewScanner(body)
	in.Buffer(nil, 4<<20)
	done := 0
	for in.Scan() {
		var frame batchFrame
		if err := json.Unmarshal(in.Bytes(), &frame); err != nil {
			return run, c.strange(answer{status: http.StatusOK, kind: mediaLines}, err)
		}
		switch {
		case frame.Run != nil:
			run = *frame.Run
		case frame.End != nil:
			return *frame.End, nil
		case frame.Error != nil:
			kind, known := kinds[frame.Error.Status]
			if !known {
				kind = fail.Unavailable
			}
			return run, fail.New(kind, printable(frame.Error.Code), "%s", printable(frame.Error.Detail)).In("%s", printable(frame.Error.DetailZH))
		case frame.Row > 0:
			done++
			row(done, run.Rows, append(bytes.Clone(in.Bytes()), '\n'))
		}
	}
	if err := in.Err(); err != nil {
		return run, c.away(ctx, err)
	}
	return run, c.away(ctx, io.ErrUnexpectedEOF)
}

var batchMarks = map[registry.ClaimBatchOutcome]string{
	registry.ClaimBatchOutcome(policy.Deny): "✕", registry.ClaimBatchOutcome(policy.Hold): "‖", registry.BatchInvalid: "!",
}

// printBatchRows prints the rows that there is something to say about.
func printBatchRows(w world, lines []byte) error {
	for line := range bytes.Lines(lines) {
		var l registry.ClaimBatchLine
		if err := json.Unmarshal(line, &l); err != nil {
			return err
		}
		mark, ok := batchMarks[l.Outcome]
		if !ok {
			if len(l.Unconfirmed) == 0 {
				continue
			}
			mark = "✓"
		}
		say(w.stdout, "%s 第 %d 行 row  %s  %s %s\n", mark, l.Row, l.Reference, l.Outcome.Name().ZH, l.Outcome.Name().EN)
		for _, f := range l.Failing {
			say(w.stdout, "    %s %s\n    %s [%s]\n", f.ZH, f.Detail.ZH, f.Clause, string(f.Reason))
		}
		if l.Note != nil {
			say(w.stdout, "    %s\n    %s\n", l.Note.ZH, l.Note.EN)
		}
		for _, m := range l.Missing {
			say(w.stdout, "    %s\n    %s\n", m.ZH, m.EN)
		}
		printUnconfirmed(w, l.Unconfirmed)
		for _, p := range l.Problems {
			p.Row = l.Row
			say(w.stdout, "    %s\n", fieldLine(p))
		}
		if len(l.EarlierRows) > 0 {
			rows := make([]string, len(l.EarlierRows))
			for i, n := range l.EarlierRows {
				rows[i] = strconv.Itoa(n)
			}
			say(w.stdout, "    先行行 earlier rows: %s\n", strings.Join(rows, ", "))
		}
	}
	return nil
}

func printBatch(w world, b registry.ClaimBatch) {
	laws := make([]string, len(b.Policies))
	for i, p := range b.Policies {
		laws[i] = fmt.Sprintf("%s v%d", p.ID, p.Version)
	}
	facts(w.stderr, [2]string{"预检 run", b.ID}, [2]string{"行数 rows", strconv.Itoa(b.Rows)},
		[2]string{"可以申领 may be reserved", fmt.Sprintf("%d（%s 元 CNY）", b.Allow, b.Amount)}, [2]string{"不予申领 refused", strconv.Itoa(b.Deny)},
		[2]string{"待补充 on hold", strconv.Itoa(b.Hold)}, [2]string{"有误 wrong", strconv.Itoa(b.Invalid)},
		[2]string{"与先行行冲突 repeated", strconv.Itoa(b.Repeated)}, [2]string{"政策 policies", strings.Join(laws, ", ")},
		[2]string{"文件 sha256", b.File}, [2]string{"结果 sha256", b.Results}, [2]string{"结果保留至 kept until", stamp(b.Expires)})
}
