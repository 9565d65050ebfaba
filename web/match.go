package web

import (
	"io"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

	"bajigong/credentials"
	"bajigong/internal/fail"
	"bajigong/internal/likeness"
	"bajigong/registry"
)

func matchRoutes() []route {
	return []route{
		{Method: "POST", Path: "/c/{handle}/match", Tag: "pages", Access: public, Limit: limitLookup, Body: likeness.MaxBytes + 64<<10, Time: 30 * time.Second,
			Query: []parameter{language}, Takes: []string{fiber.MIMEApplicationForm, fiber.MIMEMultipartForm}, Answers: pageHTML,
			Summary:     "Compare the last four of the holder's document, or the photo on the paper; answered as a page",
			Description: "last4, or a picture of the photo, as a form. Only same or different is answered, a few times a day.", endpoint: raw((*Server).matchPage)},
		{Method: "GET", Path: "/c/{handle}/match", Tag: "pages", Access: public, Query: []parameter{language}, Answers: []answer{{303, "", "to the page of the code"}},
			Summary:     "Back to the page of the code",
			Description: "The answer to a form stands at this address: whoever loads it again, or opens it elsewhere, gets the page with the forms.", endpoint: raw((*Server).matchAgain)},
		{Method: "POST", Path: "/api/v1/certificates/match", Tag: "verdict", Access: public, Limit: limitLookup,
			Summary:     "Compare the last four characters of the holder's document 核对证件号后四位",
			Description: "Only same or different is answered, a few times a day for each holder and address; spent says that no tries are left and nothing was compared. 404 certificate_unknown as GET /c/{handle}. Photos are compared on the page alone.",
			endpoint:    api((*Server).matchDocument)},
		{Method: "GET", Path: "/receipts", Tag: "pages", Access: public, Query: []parameter{language}, Answers: pageHTML,
			Summary: "Form to check a receipt 查验回执", endpoint: raw((*Server).receiptPage)},
		{Method: "POST", Path: "/receipts", Tag: "pages", Access: public, Limit: limitLookup, Query: []parameter{language}, Takes: []string{fiber.MIMEApplicationForm}, Answers: pageHTML,
			Summary: "Check a receipt, answered as a page", endpoint: raw((*Server).receiptAnswerPage)},
		{Method: "POST", Path: "/api/v1/receipts/check", Tag: "verdict", Access: public, Limit: limitLookup,
			Summary:     "Was this receipt 查验回执 given for this answer?",
			Description: "Number or code, the minute, the first reason and the receipt, all as the page showed them. true or false, and nothing else: which of them is wrong is not told.",
			endpoint:    api((*Server).checkReceipt)},
	}
}

// matchRequest asks whether the holder's document ends so.
type matchRequest struct {
	Handle string `json:"handle"`
	Last4  string `json:"last4"`
}

// matchAnswer is the answer with words for people.
type matchAnswer struct {
	registry.HolderMatch
	Text words `json:"text"`
	Next words `json:"next"`
}

// words is a text in both languages.
type words struct {
	ZH string `json:"zh"`
	EN string `json:"en"`
}

func (w words) in(lang credentials.Lang) string {
	if lang == credentials.EN {
		return w.EN
	}
	return w.ZH
}

// matchWords says what an answer means and what to do next.
var matchWords = map[credentials.MatchKind]map[registry.MatchAnswer]struct{ say, next words }{
	credentials.MatchDocument: {
		registry.MatchSame: {words{"证件号后四位一致", "The last four characters are the same"},
			words{"仍请核对姓名，并看证件原件是否为本人。", "Compare the name too, and see that the document is the holder’s own."}},
		registry.MatchDifferent: {words{"证件号后四位不一致", "The last four characters are different"},
			words{"请先确认没有填错。仍不一致的，此证书可能不属于持证人，请勿采信，可拨打 12333 咨询或举报。", "Make sure that you typed them right. If they still differ, the certificate may not be this person’s: do not rely on it; call 12333 or report it."}},
		registry.MatchSpent: {words{"今日核对次数已用完", "No tries are left for today"},
			words{"本次没有核对。请当面查看身份证原件，核对姓名和证件号码首末位；也可明日再试。", "Nothing was compared. Look at the holder’s own document and compare the name and its first and last character; or try again tomorrow."}},
		registry.MatchNone: {words{"本证书不提供此项核对", "This cannot be compared for this certificate"},
			words{"请当面查看证件原件，核对姓名和证件号码。", "Look at the holder’s own document and compare name and number."}},
	},
	credentials.MatchPhoto: {
		registry.MatchSame: {words{"照片一致：与登记照片是同一张", "The photo is the same picture as the registered one"},
			words{"只比对照片是否同一张，不做人脸识别。请再看照片与持证人是否为同一人。", "It is the same picture; faces are not recognised. See for yourself that it shows the holder."}},
		registry.MatchDifferent: {words{"照片不一致：与登记照片不是同一张", "The photo is not the registered picture"},
			words{"请正对照片、占满画面重拍一次。仍不一致的，纸面照片可能被更换，请勿采信，可拨打 12333 咨询或举报。", "Take it again, from straight above and filling the frame. If it still differs, the photo on the paper may have been exchanged: do not rely on it; call 12333 or report it."}},
		registry.MatchUnclear: {words{"照片无法判断", "The photo cannot be judged"},
			words{"请在光线均匀处正对照片、占满画面重拍；或改用核对证件号后四位。", "Take it again in even light, from straight above, filling the frame; or compare the last four characters of the document."}},
		registry.MatchSpent: {words{"今日核对次数已用完", "No tries are left for today"},
			words{"本次没有核对。请当面查看身份证原件，核对姓名和证件号码；也可明日再试。", "Nothing was compared. Look at the holder’s own document, or try again tomorrow."}},
		registry.MatchNone: {words{"本证书没有登记照片", "No photo is registered for this certificate"},
			words{"请核对证件号后四位，或当面查看证件原件。", "Compare the last four characters of the document, or look at the document itself."}},
	},
}

func answered(m registry.HolderMatch) matchAnswer {
	w := matchWords[m.Kind][m.Answer]
	return matchAnswer{m, w.say, w.next}
}

func (s *Server) matchDocument(c *call, in matchRequest) (matchAnswer, error) {
	if err := s.fromHere(c, false); err != nil {
		return matchAnswer{}, err
	}
	m, err := s.reg.MatchDocument(c.ctx, in.Handle, in.Last4, s.asker(c))
	return answered(m), err
}

// asker is the network that a try is counted for; the registry keeps a keyed hash
// of it for the day.
func (s *Server) asker(c *call) string { return network(s.client(c.fiber)).String() }

// matchView is an answer as the page shows it.
type matchView struct {
	matchAnswer
	lang credentials.Lang
	// Problem is what is wrong with the form; Field its input.
	Field, Problem string
	kind           credentials.MatchKind
}

// Shape is the colour and picture of the answer.
func (m matchView) Shape() credentials.Band {
	switch m.Answer {
	case registry.MatchSame:
		return credentials.Good
	case registry.MatchDifferent:
		return credentials.Bad
	}
	return credentials.Unproven
}

// Say is the answer.
func (m matchView) Say() string {
	if m.Problem != "" {
		return m.Problem
	}
	return m.Text.in(m.lang)
}

// Do is what to do next.
func (m matchView) Do() string {
	if m.Problem != "" {
		return words{"本次没有核对，未计次数。", "Nothing was compared, and no try was counted."}.in(m.lang)
	}
	return m.Next.in(m.lang)
}

// Rest is what is left, and when it was compared.
func (m matchView) Rest() string {
	if m.Problem != "" || m.Answer == registry.MatchNone {
		return ""
	}
	at := page{}.Civil(m.CheckedAt)
	left := strconv.Itoa(m.Left)
	return words{"核对时间 " + at + " · 今日还可核对 " + left + " 次", "Compared " + at + " · " + left + " left today"}.in(m.lang)
}

// Offers reports whether something of the holder can be compared.
func (v verdictView) Offers(kind string) bool {
	return slices.Contains(v.Matches, credentials.MatchKind(kind))
}

// Trying reports whether something was just tried, so that its form stays open.
func (v verdictView) Trying(kind string) bool { return v.Match != nil && string(v.Match.kind) == kind }

// MatchProblem is what is wrong with an input of the form.
func (v verdictView) MatchProblem(field string) string {
	if v.Match == nil || v.Match.Field != field {
		return ""
	}
	return v.Match.Problem
}

// formCodes are what can be wrong with the forms of matchPage.
var formCodes = []string{"last4", "picture_missing", "picture_form", "picture_size"}

// matchPage answers the forms under a verdict: with the verdict, and the answer
// above it. What is not known answers as the page of the code itself.
func (s *Server) matchPage(c *call) error {
	if err := s.fromHere(c, false); err != nil {
		return err
	}
	handle, err := c.param("handle")
	if err != nil {
		handle = ""
	}
	m, err := s.tryMatch(c, handle)
	m.lang = s.pages.lang(c.fiber)
	switch {
	case err == nil:
	case fail.KindOf(err) == fail.NotFound:
		c.status = fiber.StatusNotFound
	case m.kind != "" && slices.Contains(formCodes, fail.CodeOf(err)):
		e := fail.Of(err)
		c.status = fiber.StatusBadRequest
		m.Problem = words{e.ZH, e.Text}.in(m.lang)
		if len(e.Fields) > 0 {
			m.Problem = words{e.Fields[0].ZH, e.Fields[0].EN}.in(m.lang)
		}
	default:
		return err
	}
	v, verr := s.reg.VerdictByHandle(c.ctx, handle)
	if verr != nil {
		return verr
	}
	p := verdictPage{page: s.pages.page(c.fiber, v.Sentence(m.lang))}
	p.Path, p.NoIndex = "/c/"+handle, true
	p.Verdict = verdictView{page: p.page, Verdict: v}
	if fail.KindOf(err) != fail.NotFound {
		p.Verdict.Match = &m
	}
	return s.pages.send(c, "verdict", p)
}

// matchAgain leads back to the forms: an answer is not kept.
func (s *Server) matchAgain(c *call) error {
	handle, err := c.param("handle")
	if err != nil {
		return err
	}
	c.fiber.Set(fiber.HeaderCacheControl, "no-store")
	return c.fiber.Redirect(s.pages.page(c.fiber, "").Href("/c/"+url.PathEscape(handle)), fiber.StatusSeeOther)
}

// tryMatch reads the form and asks. A kind in what it returns says that the form
// could be read so far.
func (s *Server) tryMatch(c *call, handle string) (out matchView, err error) {
	if c.mediaType() != fiber.MIMEMultipartForm {
		form, err := c.shortForm()
		if err != nil {
			return out, err
		}
		out.kind, out.Field = credentials.MatchDocument, "last4"
		m, err := s.reg.MatchDocument(c.ctx, handle, form.Get("last4"), s.asker(c))
		out.matchAnswer = answered(m)
		return out, err
	}
	if err := s.limit(c.fiber, limitImage); err != nil {
		return out, err
	}
	b, err := c.arrived() // before a place is taken: it may take its time
	if err != nil {
		return out, err
	}
	release, err := slot(c, s.images)
	if err != nil {
		return out, err
	}
	defer release()
	parts, err := c.multipart(b)
	if err != nil {
		return out, err
	}
	out.kind, out.Field = credentials.MatchPhoto, "picture"
	for range formParts {
		part, err := parts.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			return out, formError(err)
		}
		if part.FormName() != "picture" || part.FileName() == "" {
			continue
		}
		picture, err := likeness.Read(part)
		if err != nil {
			return out, formError(err)
		}
		m, err := s.reg.MatchPhoto(c.ctx, handle, picture, s.asker(c))
		out.matchAnswer = answered(m)
		return out, err
	}
	return out, fail.New(fail.Invalid, "picture_missing", "choose a picture").In("请选择或拍摄图片")
}

// receiptPage has the form for a receipt, and its answer.
type receiptPage struct {
	page
	Claim  registry.ReceiptClaim
	Answer *registry.ReceiptAnswer
}

// receiptAnswers are the first lines that a page can have shown with a receipt.
var receiptAnswers = []credentials.Reason{credentials.ReasonValid, credentials.ReasonSuperseded, credentials.ReasonSuspended, credentials.ReasonNotYetPublished,
	credentials.ReasonVoided, credentials.ReasonCancelled, credentials.ReasonIssuerNotEntitled, credentials.ReasonReceivedTooLate, credentials.ReasonKeyDistrusted}

// Choices are those lines.
func (p receiptPage) Choices() []credentials.Reason { return receiptAnswers }

// Line is one of them in words.
func (p receiptPage) Line(r credentials.Reason) string {
	return credentials.Sentence(r, p.Lang, credentials.Args{})
}

func (s *Server) receiptFor(c *call) receiptPage {
	p := receiptPage{page: s.pages.page(c.fiber, ""), Claim: registry.ReceiptClaim{Answer: credentials.ReasonValid}}
	p.Title = p.T("核验查验回执", "Check a receipt")
	return p
}

func (s *Server) receiptPage(c *call) error {
	c.fiber.Set(fiber.HeaderCacheControl, "public, max-age=300")
	return s.pages.send(c, "receipt", s.receiptFor(c))
}

func (s *Server) receiptAnswerPage(c *call) error {
	form, err := c.form()
	if err != nil {
		return err
	}
	p := s.receiptFor(c)
	p.NoIndex = true
	p.Claim = registry.ReceiptClaim{Receipt: form.Get("receipt"), Number: form.Get("number"), At: form.Get("at"), Answer: credentials.Reason(form.Get("answer"))}
	a, err := s.reg.CheckReceipt(c.ctx, p.Claim)
	switch {
	case fail.KindOf(err) == fail.Invalid:
		c.status = fiber.StatusBadRequest
		p.problems(err, "receipt", map[string]string{"receipt": "receipt", "number": "number", "at": "at", "answer": "answer"})
	case err != nil:
		return err
	default:
		p.Answer = &a
	}
	return s.pages.send(c, "receipt", p)
}

func (s *Server) checkReceipt(c *call, in registry.ReceiptClaim) (registry.ReceiptAnswer, error) {
	return s.reg.CheckReceipt(c.ctx, in)
}

var errForeignForm = fail.New(fail.Forbidden, "form_of_another_site", "this form can only be sent from its own page on this site").
	In("此表单只能在本网站的页面上提交；请重新打开本页填写")

// fromHere refuses a request that a page of another site sent, as the browser
// says it (Fetch Metadata). Where the browser says nothing, Origin decides; pages
// here send no Referer, and their forms therefore the Origin null. strict refuses
// browsers that say neither.
func (s *Server) fromHere(c *call, strict bool) error {
	switch c.fiber.Get("Sec-Fetch-Site") {
	case "same-origin", "none":
		return nil
	case "":
	default:
		return errForeignForm
	}
	switch origin := c.fiber.Get(fiber.HeaderOrigin); {
	case origin == "" && strict:
		return errForeignForm
	case origin == "", origin == "null", origin == s.origin:
		return nil
	}
	return errForeignForm
}

// shortForm is form for a route whose long bodies are files only.
func (c *call) shortForm() (url.Values, error) {
	short := *c
	short.route.Body = 0
	return short.form()
}
