package web

import (
	"errors"
	"io"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

	"bajigong/credentials"
	"bajigong/internal/fail"
	"bajigong/registry"
	"bajigong/standards"
)

// homePage has the look-up form, its answer, and the way to all the rest.
type homePage struct {
	page
	Query   registry.LookupQuery
	Verdict *verdictView
}

func (s *Server) homeFor(c *call) homePage {
	p := homePage{page: s.pages.page(c.fiber, "")}
	p.Title = p.T("查验技能证书", "Check a skill certificate")
	return p
}

func (s *Server) homePage(c *call) error {
	c.fiber.Set(fiber.HeaderCacheControl, "public, max-age=300")
	return s.pages.send(c, "home", s.homeFor(c))
}

// lookupPage answers the look-up form on the page of the form. Nothing personal
// gets into an address.
func (s *Server) lookupPage(c *call) error {
	form, err := c.form()
	if err != nil {
		return err
	}
	if form.Get("document") != "" { // its tries are counted
		if err := s.fromHere(c, false); err != nil {
			return err
		}
	}
	p := s.homeFor(c)
	p.NoIndex = true
	p.Query = registry.LookupQuery{Number: form.Get("number"), Name: form.Get("name"), Document: form.Get("document")}
	at := map[string]string{"number": "number", "name": "name", "document": "document"}
	if _, err := standards.ParseNumber(p.Query.Number); err != nil {
		p.problems(err, "number", at)
	}
	if strings.TrimSpace(p.Query.Name) == "" && strings.TrimSpace(p.Query.Document) == "" {
		p.Problems = append(p.Problems, problemLine{"name", p.T("姓名或证件号码至少填一项", "Fill in the name or the document number")})
	}
	if len(p.Problems) == 0 {
		v, err := s.reg.LookupFrom(c.ctx, p.Query, s.asker(c))
		switch {
		case fail.KindOf(err) == fail.Invalid:
			p.problems(err, "number", at)
		case err != nil:
			return err
		default:
			p.Verdict = &verdictView{page: p.page, Verdict: v, Found: v.Certificate != nil}
		}
	}
	if len(p.Problems) > 0 {
		c.status = fiber.StatusBadRequest
	}
	return s.pages.send(c, "home", p)
}

// form reads a form sent as application/x-www-form-urlencoded.
func (c *call) form() (url.Values, error) {
	if c.mediaType() != fiber.MIMEApplicationForm {
		return nil, refusal{fiber.StatusUnsupportedMediaType, fail.New(fail.Invalid, "content_type", "send a form").In("请以表单方式提交")}
	}
	b, err := openBody(c.fiber, c.route.bodyLimit())
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(b)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(data))
	if err != nil {
		return nil, formMalformed().Because(err)
	}
	for name, values := range form {
		for _, v := range values {
			if !plain(v) {
				return nil, formMalformed().At(fail.Field{Name: cutText(strings.ToValidUTF8(name, "?"), 40), Code: "characters", ZH: "含有无法识别的字符", EN: "has characters that cannot be read"})
			}
		}
	}
	return form, nil
}

func formMalformed() *fail.Error {
	return fail.New(fail.Invalid, "form_malformed", "the form cannot be read").In("表单无法识别")
}

// plain reports whether a text can be what somebody typed.
func plain(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t' })
}

// verifyPage has the form for a code, and its answer.
type verifyPage struct {
	page
	Pasted  string
	Verdict *verdictView
}

func (s *Server) verifyFor(c *call) verifyPage {
	p := verifyPage{page: s.pages.page(c.fiber, "")}
	p.Title = p.T("查验二维码", "Check a QR code")
	s.scripted(c, &p.page, "scan.js")
	c.fiber.Set(fiber.HeaderPermissionsPolicy, cameraAllowed)
	return p
}

func (s *Server) verifyPage(c *call) error {
	// Not from a cache of the browser: it has controls that need this server, and
	// without it the service worker has another page.
	c.fiber.Set(fiber.HeaderCacheControl, "no-cache")
	return s.pages.send(c, "verify", s.verifyFor(c))
}

// verifyCodePage answers a pasted code, a typed address, or a picture.
func (s *Server) verifyCodePage(c *call) error {
	p := s.verifyFor(c)
	p.NoIndex = true
	text, err := s.codeFrom(c)
	input := "code"
	if e := (*fail.Error)(nil); errors.As(err, &e) && e.Kind == fail.Invalid && !errors.As(err, new(refusal)) {
		p.problems(err, "image", map[string]string{"code": "code"})
	} else if err != nil {
		return err
	} else {
		p.Pasted = text
		if h, err := credentials.ParseTypedHandle(text); err == nil {
			return c.fiber.Redirect(p.Href("/c/"+string(h)), fiber.StatusSeeOther)
		}
		v, err := s.reg.VerdictByToken(c.ctx, text)
		switch kind := fail.KindOf(err); {
		case kind == fail.Invalid || kind == fail.TooLarge:
			p.problems(err, input, nil)
		case err != nil:
			return err
		default:
			s.scripted(c, &p.page, "result.js")
			p.Verdict = &verdictView{page: p.page, Verdict: v}
		}
	}
	if len(p.Problems) > 0 {
		c.status = fiber.StatusBadRequest
	}
	return s.pages.send(c, "verify", p)
}

// codeFrom is the text of the form: typed, or read from its picture.
func (s *Server) codeFrom(c *call) (string, error) {
	missing := fail.New(fail.Invalid, "code_missing", "paste the content of the code, or choose a picture of it").In("请粘贴二维码内容，或选择二维码图片").
		At(fail.Field{Name: "code", Code: "required", ZH: "请粘贴二维码内容，或选择二维码图片", EN: "Paste the content of the code, or choose a picture of it"})
	if c.mediaType() != fiber.MIMEMultipartForm {
		form, err := c.form()
		if err == nil && strings.TrimSpace(form.Get("code")) == "" {
			err = missing
		}
		return strings.TrimSpace(form.Get("code")), err
	}
	b, err := c.arrived() // before a place is taken: it may take its time
	if err != nil {
		return "", err
	}
	release, err := slot(c, s.images)
	if err != nil {
		return "", err
	}
	defer release()
	parts, err := c.multipart(b)
	if err != nil {
		return "", err
	}
	for range formParts {
		part, err := parts.NextPart()
		if err == io.EOF {
			return "", missing
		}
		if err != nil {
			return "", formError(err)
		}
		switch part.FormName() {
		case "code":
			text, err := io.ReadAll(io.LimitReader(part, 4*credentials.MaxScanned))
			if err != nil {
				return "", formError(err)
			}
			if typed := strings.TrimSpace(string(text)); typed != "" {
				if !plain(typed) {
					return "", formMalformed()
				}
				return typed, nil
			}
		case "image":
			if part.FileName() == "" {
				continue // no file was chosen
			}
			if err := s.limit(c.fiber, limitImage); err != nil {
				return "", err
			}
			text, err := credentials.DecodeImage(part)
			return text, formError(err)
		}
	}
	return "", missing
}

// formError keeps errors of ours and turns those of the form reader into one.
func formError(err error) error {
	if e := (*fail.Error)(nil); err == nil || errors.As(err, &e) {
		return err
	}
	return formMalformed().Because(err)
}

// publicityPage lists the sessions in publicity.
type publicityPage struct {
	page
	Rows  []registry.PublicSession
	Next  string
	Today standards.Date
}

func (s *Server) publicityPage(c *call) error {
	cursor, err := c.query("cursor")
	if err != nil {
		return err
	}
	p := publicityPage{page: s.pages.page(c.fiber, ""), Today: standards.DateOf(s.reg.Config().Now())}
	p.Title = p.T("成绩公示", "Results in publicity")
	if p.Rows, p.Next, err = s.reg.Publicities(c.ctx, registry.Page{Cursor: cursor, Limit: 50}); err != nil {
		return err
	}
	c.fiber.Set(fiber.HeaderCacheControl, "public, max-age=60")
	return s.pages.send(c, "publicity", p)
}

// LevelOf is a level in the language of the page.
func (p page) LevelOf(l standards.Level) string {
	if p.Lang == credentials.EN {
		return l.English()
	}
	return l.Certificate()
}

// Long is a civil date as a sentence has it.
func (p page) Long(d standards.Date) string {
	if p.Lang == credentials.EN {
		return d.Time().In(standards.Zone).Format("2 January 2006")
	}
	return d.Chinese()
}

// Civil is a time as a civil date and minutes in Shanghai.
func (p page) Civil(t time.Time) string { return t.In(standards.Zone).Format("2006-01-02 15:04") }
