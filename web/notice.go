package web

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed" // the notice
	"encoding/base64"
	"fmt"
	"html/template"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"bajigong/internal/fail"
	"bajigong/registry"
	"bajigong/registry/policy"
)

//go:embed templates/print/notice.html
var noticeHTML string

//go:embed templates/print/notice.css
var noticeCSS string

var (
	noticeTemplate = template.Must(template.New("notice").Funcs(template.FuncMap{"oneline": oneLine}).Parse(noticeHTML))
	// noticePolicy lets the notice have its one style sheet, known by its hash.
	noticePolicy = func() string {
		sum := sha256.Sum256([]byte(noticeCSS))
		return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	}()
)

func (s *Server) claimNotice(c *call, in registry.NoticeRequest) error {
	if err := s.countClaims(c, countQuestions, 1); err != nil {
		return err
	}
	o, err := s.reg.Overview(c.ctx, c.by, in.OverviewRequest)
	if err != nil {
		return err
	}
	if !o.Match {
		return fail.New(fail.NotFound, "no_match", "%s", o.Note.EN).In("%s", o.Note.ZH)
	}
	n, err := o.Notice(in.Certificates, in.Funds)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := noticeTemplate.Execute(&out, noticeOf(n)); err != nil {
		return fmt.Errorf("notice: %w", err)
	}
	c.fiber.Set(fiber.HeaderContentSecurityPolicy, noticePolicy)
	c.fiber.Set(fiber.HeaderContentType, "text/html; charset=utf-8")
	c.fiber.Set(fiber.HeaderCacheControl, "no-store")
	return c.fiber.Send(out.Bytes())
}

// noticePage is a notice in the words in which it is handed out. It speaks to the
// person: what an office does with an answer is left out.
type noticePage struct {
	Style        template.CSS
	O            registry.ClaimOverview
	Payer        string // by its name, without the region in front
	Certificates []noticeCertificate
	Subjects     []noticeItem
	Others       []noticeOther
	Several      bool // certificates: the lines of the rest say of which
	NotChosen    int
	Absent       []string
}

type noticeCertificate struct {
	registry.OverviewCertificate
	Items []noticeItem
	Rest  bool // other funds of it stand in the lines of the rest
}

// noticeItem is one subsidy in detail.
type noticeItem struct {
	Class, Mark, Verdict string // allow, hold or deny, as word and shape
	Name                 string
	Sample               bool
	Amount               string
	Calculation          []string
	Failing              []noticeLine
	Bring, Office        []noticeLine // what the person is asked for, and what the office finds out
	Until                string
	Next                 []string
	Document             string
}

// noticeLine is one thing with the clause that asks for it, without the document
// that the item names already.
type noticeLine struct{ Text, Clause string }

// noticeOther is one line of the rest.
type noticeOther struct {
	Certificate, Name, Document, Class, Verdict string
	Sample                                      bool
	Why                                         []string
}

func noticeOf(n registry.ClaimNotice) noticePage {
	out := noticePage{Style: template.CSS(noticeCSS), O: n.Overview, Payer: strings.TrimPrefix(n.Overview.Payer, n.Overview.Region+"/"), NotChosen: n.NotChosen, Several: len(n.Certificates) > 1}
	for _, c := range n.Certificates {
		one := noticeCertificate{OverviewCertificate: c}
		for _, x := range c.Funds {
			one.Items = append(one.Items, itemOf(x))
		}
		slices.SortStableFunc(one.Items, func(a, b noticeItem) int { return cmp.Compare(noticeOrder[a.Class], noticeOrder[b.Class]) })
		if len(one.Items) == 0 && len(n.Subjects)+len(n.Absent) > 0 {
			continue // other subsidies were asked about
		}
		one.Rest = slices.ContainsFunc(n.Others, func(o registry.NoticeOther) bool { return o.Item != nil && o.Certificate.Number == c.Number })
		out.Certificates = append(out.Certificates, one)
	}
	for _, x := range n.Subjects {
		out.Subjects = append(out.Subjects, subjectItem(x))
	}
	for _, x := range n.Others {
		out.Others = append(out.Others, otherOf(x))
	}
	for _, f := range n.Absent {
		out.Absent = append(out.Absent, f.Name().ZH)
	}
	return out
}

// noticeOrder puts first what can be claimed.
var noticeOrder = map[string]int{string(policy.Allow): 0, string(policy.Hold): 1, string(policy.Deny): 2}

// verdicts are the three answers as word and shape.
var verdicts = map[policy.Outcome][2]string{policy.Allow: {"✓", "可以申领"}, policy.Hold: {"‖", "待补充后再定"}, policy.Deny: {"✕", "不能申领"}}

func itemOf(x registry.OverviewItem) noticeItem {
	d := x.Decision
	out := noticeItem{Class: string(x.Outcome), Mark: verdicts[x.Outcome][0], Verdict: verdicts[x.Outcome][1], Name: x.Name.ZH, Sample: d.Sample, Document: d.Document,
		Until: untilOf(x)}
	if len(d.Failing) == 0 && (x.Outcome == policy.Allow || len(d.Calculation) > 0) {
		out.Amount = money(d.Amount)
		for _, step := range d.Calculation {
			out.Calculation = append(out.Calculation, step.ZH)
		}
	}
	for _, f := range d.Failing {
		out.Failing = append(out.Failing, noticeLine{inBrackets(f.ZH, f.Detail.ZH), shortClause(f.Clause, d.Document)})
		out.Next = append(out.Next, strings.TrimPrefix(f.Step().Next.ZH, "下一步："))
	}
	out.ask(d.Missing, d.Document)
	switch {
	case x.Outcome == policy.Allow && x.LastDay != "":
		out.Next = []string{"请在期限内向经办机构提出申领。"}
	case x.Outcome == policy.Allow:
		out.Next = []string{"请向经办机构提出申领。"}
	case len(d.Failing) == 0 && len(out.Bring) > 0:
		out.Next = append(out.Next, "请备齐上列内容，向经办机构提出申领。")
	case len(d.Failing) == 0:
		out.Next = append(out.Next, "请向经办机构提出申领；待核定的内容由经办机构办理。")
	}
	return out
}

// ask sorts what is missing by who finds it out.
func (x *noticeItem) ask(missing []policy.Missing, document string) {
	for _, m := range missing {
		line := noticeLine{askedFor(m), shortClause(m.Clause, document)}
		if registry.OfOffice(m) {
			x.Office = append(x.Office, line)
		} else {
			x.Bring = append(x.Bring, line)
		}
	}
}

func subjectItem(x registry.OverviewSubject) noticeItem {
	out := noticeItem{Class: string(policy.Hold), Mark: verdicts[policy.Hold][0], Verdict: verdicts[policy.Hold][1], Name: x.Name.ZH, Sample: x.Sample, Document: x.Document,
		Next: []string{"请备齐上列内容，向经办机构提出申领。"}}
	out.ask(x.Asks, x.Document)
	if len(x.Asks) == 0 {
		out.Next = []string{"请向经办机构填报申领事项的起止日期等信息。"}
	}
	return out
}

func otherOf(x registry.NoticeOther) noticeOther {
	var out noticeOther
	var missing []policy.Missing
	if x.Subject != nil {
		out = noticeOther{Name: x.Subject.Name.ZH, Document: x.Subject.Document, Sample: x.Subject.Sample, Class: string(policy.Hold)}
		missing = x.Subject.Asks
	} else {
		d := x.Item.Decision
		out = noticeOther{Certificate: x.Certificate.OccupationName + " " + x.Certificate.Level.Name(), Name: x.Item.Name.ZH, Document: d.Document, Sample: d.Sample, Class: string(x.Item.Outcome)}
		for _, f := range d.Failing {
			out.Why = append(out.Why, strings.TrimSuffix(inBrackets(f.ZH, f.Detail.ZH), "。"))
		}
		if missing = d.Missing; len(d.Failing) > 0 {
			missing = nil // whatever they are, it cannot be claimed
		}
	}
	out.Verdict = map[string]string{string(policy.Deny): "不能申领", string(policy.Hold): "还需补充", string(policy.Allow): "可以申领"}[out.Class]
	out.Why = append(out.Why, inShort(missing)...)
	return out
}

// inShort is what is missing in one line: what the person is asked for, and how
// much the office has to find out.
func inShort(missing []policy.Missing) (out []string) {
	office := 0
	for _, m := range missing {
		if registry.OfOffice(m) {
			office++
			continue
		}
		text := askedFor(m)
		if n := len(out); n > 0 && out[n-1] == "申领事项的起始日期" && text == "申领事项的截止日期" {
			out[n-1] = "申领事项的起止日期"
			continue
		}
		out = append(out, text)
	}
	switch {
	case office > 0 && len(out) == 0:
		return []string{fmt.Sprintf("有 %d 项内容待经办机构核定", office)}
	case office > 0:
		out[len(out)-1] += fmt.Sprintf("（另有 %d 项由经办机构核定）", office)
	}
	return out
}

// oneLine is a list as one sentence.
func oneLine(parts []string) string { return strings.Join(parts, "；") }

func inBrackets(text, detail string) string {
	if detail == "" {
		return text
	}
	return strings.TrimSuffix(text, "。") + "（" + strings.TrimSuffix(detail, "。") + "）。"
}

// shortClause is a clause without the document, when it is of that one.
func shortClause(clause, document string) string {
	short := strings.TrimSpace(strings.TrimPrefix(clause, document))
	if short == "" {
		return clause
	}
	return short
}

// askedOf are facts whose names tell an office how to enter them.
var askedOf = map[policy.FactKind]string{
	policy.FundedBy:       "培训、评价的费用由谁承担（本人、单位或机构）",
	policy.PersonGroup:    "属于哪些人员类别",
	policy.PersonSex:      "性别",
	policy.ApprovedAmount: "当地核定的补贴标准",
	policy.ApprovedCost:   "同职业（工种）同等级的核定成本",
}

// askedFor is what is missing, as a person is asked for it: how an office enters it,
// with source, time and reference, is left out.
func askedFor(m policy.Missing) string {
	kind, date := policy.FactKind(m.Fact).Split()
	if text, ok := askedOf[kind]; ok && m.Reason == policy.FactMissing && date == policy.AtReceipt {
		return text
	}
	text := strings.TrimSuffix(strings.TrimSuffix(m.ZH, "。"), "（值、来源、时间、凭据编号）")
	return strings.TrimPrefix(strings.TrimPrefix(text, "请补充："), "请补充")
}

// money is an amount as it is written in sentences: 2,600 元.
func money(f policy.Fen) string {
	text := f.String()
	whole, part, _ := strings.Cut(text, ".")
	for i := len(whole) - 3; i > 0 && whole[i-1] != '-'; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if part != "" {
		whole += "." + part
	}
	return whole + " 元"
}

// untilOf is the time in which to claim.
func untilOf(x registry.OverviewItem) string {
	out := "政策文本中没有写明期限，请咨询经办机构"
	if x.LastDay != "" {
		left := "已逾期"
		switch {
		case x.DaysLeft != nil && *x.DaysLeft == 0:
			left = "今天是最后一天"
		case x.DaysLeft != nil && *x.DaysLeft > 0:
			left = fmt.Sprintf("还剩 %d 天", *x.DaysLeft)
		}
		out = x.LastDay.Chinese() + "前（含当日），" + left
	}
	if x.InForce != "" {
		out += "；政策执行至" + x.InForce.Chinese()
	}
	return out
}
