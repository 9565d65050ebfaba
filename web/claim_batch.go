package web

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"bajigong/credentials"
	"bajigong/internal/fail"
	"bajigong/internal/sheet"
	"bajigong/registry"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// mediaLines is one JSON value a line.
const mediaLines = "application/x-ndjson"

const batchPath = "/api/v1/claims/check-batch"

// batchTime is how long one call may take from the first byte to the last; a run
// that takes longer is continued by the next call.
const batchTime = 5 * time.Minute

func claimBatchRoutes() []route {
	files := []answer{{200, mediaLines, "a line {\"run\": …}, one line a row, and at the end {\"end\": …} with the signed decision, or {\"error\": …}"},
		{200, mediaCSV, "one row a row"}, {200, typeXLSX, "the same as a workbook"}}
	return keyedRoutes("claims", []route{
		{Method: "POST", Path: batchPath, Body: registry.ClaimBatchMaxBytes + 64<<10, Time: batchTime, Limit: limitBatch,
			Takes: []string{mediaLines, mediaCSV, typeXLSX, fiber.MIMEMultipartForm},
			Query: []parameter{{Name: "policy", Description: "id of the policy for every row"}, {Name: "fund", Description: "kind of fund; the nearest policy in force decides"},
				{Name: "received", Description: "day of receipt of rows that have none; today when absent"},
				{Name: "source", Description: "who states the facts of rows that do not say it"}, {Name: "at", Description: "when they were looked up"}, {Name: "reference", Description: "where they can be looked up again"},
				{Name: "run", Description: "go on with this run: the same file, asked in the same way"}, language},
			Summary:     "Check a file of up to 10,000 claims before payment 批量预检; nothing is reserved",
			Description: "Columns: reference 流水号, certificate 证书编号, certificate_kind 证书种类, document_kind 证件类型, document 证件号码, name 姓名, received 受理日期, applied 申请日期, facts by code or name (insured 参保 …), and their source 来源, at 核查时间, fact_reference 凭据编号. A file that is no such table changes nothing; a row with mistakes is answered invalid and the others are decided, each with the allowed rows of the same person before it counted. Answers stand sealed for 30 days. A payer has one run at a time: 409 batch_running.",
			Answers:     files, endpoint: raw((*Server).checkClaimBatch)},
		{Method: "GET", Path: batchPath, Query: paging, Summary: "The caller's own runs over files of claims, the newest first", endpoint: api((*Server).claimBatches)},
		{Method: "GET", Path: batchPath + "/{id}", Summary: "A run over a file of claims, with its counts and its signed decision", endpoint: api((*Server).claimBatch)},
		{Method: "GET", Path: batchPath + "/{id}/results", Time: batchTime, Query: []parameter{language}, Summary: "The answers of a run once more, for 30 days", Answers: files, endpoint: raw((*Server).claimBatchResults)},
	})
}

func (s *Server) claimBatches(c *call, _ none) (list[registry.ClaimBatch], error) {
	page, err := c.page(pageMost)
	if err != nil {
		return list[registry.ClaimBatch]{}, err
	}
	out, next, err := s.reg.ClaimBatches(c.ctx, c.by, page)
	return listOf(out, next), err
}

func (s *Server) claimBatch(c *call, _ none) (registry.ClaimBatch, error) {
	id, err := c.param("id")
	if err != nil {
		return registry.ClaimBatch{}, err
	}
	return s.reg.ClaimBatchByID(c.ctx, c.by, id)
}

// batchFormat is what Accept asks for; empty for lines.
func batchFormat(c *call) (string, error) {
	accept := c.fiber.Get(fiber.HeaderAccept)
	best, format := max(weight(accept, "application", "x-ndjson"), weight(accept, "application", "jsonl")), ""
	for _, media := range []string{mediaCSV, typeXLSX} {
		major, minor, _ := strings.Cut(media, "/")
		if q := weight(accept, major, minor); q > best {
			best, format = q, media
		}
	}
	if best == 0 {
		return "", refusal{fiber.StatusNotAcceptable, fail.New(fail.Invalid, "not_acceptable", "this address answers NDJSON, CSV and XLSX").In("该地址只提供 NDJSON、CSV 和 XLSX")}
	}
	return format, nil
}

// batchAsk reads how the rows are to be decided.
func (c *call) batchAsk() (ask registry.ClaimBatchAsk, run string, err error) {
	texts := map[string]string{}
	for _, name := range []string{"policy", "fund", "received", "source", "at", "reference", "run"} {
		if texts[name], err = c.query(name); err != nil {
			return ask, "", err
		}
		if len([]rune(texts[name])) > textDefault {
			return ask, "", badQuery(name, "不超过 200 字", "at most 200 characters")
		}
	}
	ask = registry.ClaimBatchAsk{Policy: texts["policy"], Fund: policy.Fund(texts["fund"]), Source: texts["source"], Reference: texts["reference"]}
	if text := texts["received"]; text != "" {
		if ask.Received, err = standards.ParseDate(text); err != nil {
			return ask, "", badQuery("received", "受理日期应写作 2026-03-01", "the date is written 2026-03-01")
		}
	}
	if text := texts["at"]; text != "" {
		if ask.At, err = registry.ParseMoment(text); err != nil {
			return ask, "", badQuery("at", "应写作 2026-03-01 或 2026-03-01T09:00:00+08:00", "is written 2026-03-01 or 2026-03-01T09:00:00+08:00")
		}
	}
	return ask, texts["run"], nil
}

// checkClaimBatch reads the file while it arrives and answers while it is decided.
func (s *Server) checkClaimBatch(c *call) error {
	c.fiber.Vary(fiber.HeaderAccept)
	format, err := batchFormat(c)
	if err != nil {
		return err
	}
	ask, run, err := c.batchAsk()
	if err != nil {
		return err
	}
	if err := s.reg.MayCheckClaims(c.by); err != nil {
		return err // before the file is read
	}
	release, err := slot(c, s.uploads)
	if err != nil {
		return err
	}
	answering := false
	defer func() {
		if !answering {
			release()
		}
	}()
	file, err := c.file()
	if err != nil {
		return err
	}
	job, err := s.reg.OpenClaimBatch(c.ctx, c.by, registry.ClaimBatchFile{File: file, Ask: ask, Run: run})
	if err != nil {
		return err
	}
	if b := job.ClaimBatch(); b.Rows > b.Done { // what is answered again is not asked again
		if err := s.countClaims(c, countRows, b.Rows-b.Done); err != nil {
			job.Close(c.ctx)
			return err
		}
	}
	c.fiber.Set(fiber.HeaderLocation, batchPath+"/"+job.ClaimBatch().ID)
	if format != "" {
		defer job.Close(c.ctx)
		var lines bytes.Buffer
		b, err := job.Run(c.ctx, func(page []byte) error {
			lines.Write(page)
			return nil
		})
		if err != nil {
			return err
		}
		return c.batchTable(b, lines.Bytes(), format, s.pages.lang(c.fiber))
	}
	answering = true
	s.streamBatch(c, func(ctx context.Context, out *batchWriter) error {
		defer release()
		defer job.Close(ctx)
		if err := out.value("run", job.ClaimBatch()); err != nil {
			return err
		}
		b, err := job.Run(ctx, out.lines)
		if err != nil {
			return err
		}
		return out.value("end", b)
	})
	return nil
}

// claimBatchResults gives the answers of a run once more.
func (s *Server) claimBatchResults(c *call) error {
	c.fiber.Vary(fiber.HeaderAccept)
	format, err := batchFormat(c)
	if err != nil {
		return err
	}
	id, err := c.param("id")
	if err != nil {
		return err
	}
	release, err := slot(c, s.uploads) // a run's answers are held whole
	if err != nil {
		return err
	}
	answering := false
	defer func() {
		if !answering {
			release()
		}
	}()
	var lines bytes.Buffer
	b, err := s.reg.ClaimBatchResults(c.ctx, c.by, id, func(page []byte) error {
		lines.Write(page)
		return nil
	})
	if err != nil {
		return err
	}
	if format != "" {
		return c.batchTable(b, lines.Bytes(), format, s.pages.lang(c.fiber))
	}
	answering = true
	s.streamBatch(c, func(_ context.Context, out *batchWriter) error {
		defer release()
		if err := out.value("run", b); err != nil {
			return err
		}
		if err := out.lines(lines.Bytes()); err != nil || b.Ended == nil {
			return err
		}
		return out.value("end", b)
	})
	return nil
}

// batchWriter writes lines to somebody who reads them as they come.
type batchWriter struct{ w *bufio.Writer }

func (b *batchWriter) lines(page []byte) error {
	if _, err := b.w.Write(page); err != nil {
		return err
	}
	return b.w.Flush()
}

func (b *batchWriter) value(name string, v any) error {
	line, err := json.Marshal(map[string]any{name: v})
	if err != nil {
		return err
	}
	return b.lines(append(line, '\n'))
}

// streamBatch answers with what write writes, after the handler has returned: the
// request's own context has ended by then. An error becomes the last line.
func (s *Server) streamBatch(c *call, write func(ctx context.Context, out *batchWriter) error) {
	c.fiber.Status(c.status)
	c.fiber.Set(fiber.HeaderContentType, mediaLines)
	c.fiber.Set(fiber.HeaderCacheControl, "no-store")
	reference, name := s.reference(c.fiber), routeOf(c.fiber)
	c.fiber.Context().SetBodyStreamWriter(func(w *bufio.Writer) {
		ctx, cancel := context.WithTimeout(s.base, batchTime)
		defer cancel()
		out := &batchWriter{w}
		err := unpanicked(func() error { return write(ctx, out) })
		if err == nil {
			return
		}
		p, _ := problemOf(err)
		p.Reference = reference
		if p.Status >= fiber.StatusInternalServerError {
			s.log.Error("answer broken off", "reference", reference, "route", name, "code", p.Code, "error", err.Error())
		}
		_ = out.value("error", p) // who asked may be gone
	})
}

// unpanicked turns a panic into an error: outside the handler nobody else does.
func unpanicked(fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicError(p)
		}
	}()
	return fn()
}

// batchTable answers the results as a table: rows by their number and the payer's
// own reference, and nobody's name.
func (c *call) batchTable(b registry.ClaimBatch, lines []byte, format string, lang credentials.Lang) error {
	header, title := []string{"行号", "流水号", "证书编号", "结论", "金额（元）", "原因", "待补充", "本行错误", "同文件先行行", "政策", "待确认", "处理建议"}, "批量预检结果"
	if lang == credentials.EN {
		header, title = []string{"Row", "Reference", "Certificate", "Outcome", "Amount (CNY)", "Reasons", "Missing", "Mistakes", "Earlier rows", "Policy", "To be confirmed", "What to do"}, "Checked claims"
	}
	var bad error
	t := sheet.Table{Name: title, Header: header, Rows: func(yield func([]string) bool) {
		for line := range bytes.Lines(lines) {
			var l registry.ClaimBatchLine
			if bad = json.Unmarshal(line, &l); bad != nil || !yield(batchCells(l, lang)) {
				return
			}
		}
	}}
	var out bytes.Buffer
	name, write := b.ID+".csv", sheet.WriteCSV
	if format == typeXLSX {
		name, write = b.ID+".xlsx", func(w io.Writer, t sheet.Table) error { return sheet.WriteXLSX(w, t) }
	}
	if err := write(&out, t); err != nil {
		return err
	}
	if bad != nil {
		return bad
	}
	if format == mediaCSV {
		format += "; charset=utf-8"
	}
	c.fiber.Set(fiber.HeaderContentType, format)
	c.fiber.Set(fiber.HeaderContentDisposition, fmt.Sprintf("attachment; filename=%q", name))
	c.fiber.Set(fiber.HeaderCacheControl, "no-store")
	return c.fiber.Status(c.status).Send(out.Bytes())
}

func batchCells(l registry.ClaimBatchLine, lang credentials.Lang) []string {
	in := func(t policy.Text) string { return words{t.ZH, t.EN}.in(lang) }
	var reasons, missing, wrong, earlier, unconfirmed []string
	for _, f := range l.Failing {
		reasons = append(reasons, strings.TrimSpace(in(f.Text)+" "+in(f.Detail))+"〔"+f.Clause+"〕")
	}
	if l.Note != nil {
		reasons = append(reasons, in(*l.Note))
	}
	for _, m := range l.Missing {
		missing = append(missing, in(m.Text))
	}
	for _, p := range l.Problems {
		wrong = append(wrong, p.Name+": "+words{p.ZH, p.EN}.in(lang))
	}
	for _, u := range l.Unconfirmed {
		unconfirmed = append(unconfirmed, in(u.Note))
	}
	for _, row := range l.EarlierRows {
		earlier = append(earlier, fmt.Sprint(row))
	}
	amount, law := "", l.Policy
	if l.Outcome == registry.ClaimBatchOutcome(policy.Allow) {
		amount = l.Amount.String()
	}
	if law != "" {
		law = fmt.Sprintf("%s v%d", l.Policy, l.Version)
	}
	return slices.Concat([]string{fmt.Sprint(l.Row), l.Reference, l.Certificate, in(l.Outcome.Name()), amount},
		[]string{strings.Join(reasons, "\n"), strings.Join(missing, "\n"), strings.Join(wrong, "\n"), strings.Join(earlier, ", "), law, strings.Join(unconfirmed, "\n"), in(l.Next)})
}
