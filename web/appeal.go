package web

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"bajigong/internal/fail"
	"bajigong/registry"
)

// sessionPage shows who passed in a session, as long as its publicity runs, with
// the form to object 异议 to one of them, or the receipt of an objection.
type sessionPage struct {
	page
	Session registry.PublicSession
	Next    string
	// Objection is what was typed, or the row that was chosen on the list.
	Objection registry.Objection
	Receipt   *registry.Appeal
}

// sessionRows is how many people a page of a session shows.
const sessionRows = 200

// objectionBody is enough for the longest objection as a form sends it: nine
// bytes for a Chinese character.
const objectionBody = 32 << 10

// sessionFor is the page of the session that the path names.
func (s *Server) sessionFor(c *call) (p sessionPage, err error) {
	id, err := c.param("id")
	if err != nil {
		return p, err
	}
	cursor, err := c.query("cursor")
	if err != nil {
		return p, err
	}
	p = sessionPage{page: s.pages.page(c.fiber, "")}
	p.Path = strings.TrimSuffix(p.Path, "/appeal") // the list and the form are one page
	p.filters = []string{"row"}
	p.Session, p.Next, err = s.reg.PublicityByID(c.ctx, id, registry.Page{Cursor: cursor, Limit: sessionRows})
	p.Title, p.NoIndex = p.Session.Name, true
	return p, err
}

func (s *Server) publicSessionPage(c *call) error {
	p, err := s.sessionFor(c)
	if err != nil {
		return err
	}
	row, err := c.query("row")
	if err != nil {
		return err
	}
	p.Objection.Row, _ = strconv.Atoi(row) // what is on no list chooses nobody
	return s.pages.send(c, "session", p)
}

// appealPage files the objection of the form on a session's page. It answers with
// the receipt, or with the form as it was filled in and what is wrong with it.
func (s *Server) appealPage(c *call) error {
	if err := sentFromHere(c); err != nil {
		return err
	}
	form, err := c.form()
	if err != nil {
		return err
	}
	p, err := s.sessionFor(c)
	if fail.KindOf(err) == fail.NotFound {
		return fail.New(fail.NotFound, "publicity_over", "no publicity of this session is running, so the objection was not filed; report it to the institution or the authority").
			In("该批次不在公示期内，异议未提交；请向评价机构或主管部门举报反映")
	} else if err != nil {
		return err
	}
	p.Objection = objectionOf(form)
	filed, err := s.reg.FileAppeal(c.ctx, p.Session.Session, p.Objection)
	if err == nil {
		p.Receipt, p.Title = &filed, p.T("异议已收到", "Your objection has arrived")
		return s.pages.send(c, "session", p)
	}
	if err := p.refused(err); err != nil {
		return err
	}
	c.status = fiber.StatusBadRequest
	if fail.KindOf(err) == fail.Conflict {
		c.status = fiber.StatusConflict
	}
	return s.pages.send(c, "session", p)
}

// objectionOf reads the form. A form sends every line break as two characters;
// whoever typed a thousand has typed one.
func objectionOf(form url.Values) registry.Objection {
	row, _ := strconv.Atoi(form.Get("row"))
	return registry.Objection{Row: max(row, 0), Text: strings.ReplaceAll(form.Get("text"), "\r\n", "\n"), Name: form.Get("name"), Phone: form.Get("phone")}
}

// refused puts what is wrong with an objection beside the inputs; it returns
// errors that are not about them.
func (p *sessionPage) refused(err error) error {
	kind := fail.KindOf(err)
	if kind == fail.NotFound || kind == fail.Invalid && p.Objection.Row == 0 {
		p.Problems = append(p.Problems, problemLine{"row", p.T("请选择要反映的人员", "Choose whom it is about")})
	}
	switch kind {
	case fail.NotFound:
	case fail.Invalid:
		p.problems(err, "text", map[string]string{"text": "text", "name": "name", "phone": "phone"})
	case fail.Conflict:
		p.problems(err, "row", nil)
	default:
		return err
	}
	return nil
}

// sentFromHere refuses a form that a page of another site sent. No cookie could
// be abused, but an objection stops a certificate: other sites could have their
// visitors file some, each from an address of its own, past the limit of requests.
// Browsers that do not say where a form comes from are believed.
func sentFromHere(c *call) error {
	if from := c.fiber.Get("Sec-Fetch-Site"); from != "cross-site" && from != "same-site" {
		return nil
	}
	return fail.New(fail.Forbidden, "form_of_another_site", "this form can only be sent from its own page; open the session and fill it in there").
		In("异议只能在本网站的公示页面提交；请打开该批次公示页面后填写")
}

// ObjectTo is the form with a row chosen.
func (p sessionPage) ObjectTo(row int) string {
	q := p.sameRows()
	q.Set("row", strconv.Itoa(row))
	return p.address(q) + "#appeal"
}

// Action is where the form is sent; the list beside it stays on its page.
func (p sessionPage) Action() string {
	p.page.Path += "/appeal"
	return p.address(p.sameRows())
}

// List is the page of the list without a row chosen.
func (p sessionPage) List() string { return p.address(p.sameRows()) }

func (p sessionPage) sameRows() url.Values {
	q := url.Values{}
	if cursor := p.query.Get("cursor"); cursor != "" {
		q.Set("cursor", cursor)
	}
	return q
}

// Person is the row that an objection is about, nil when it is not on this page.
func (p sessionPage) Person() *registry.PublicRow {
	i := slices.IndexFunc(p.Session.Rows, func(r registry.PublicRow) bool { return r.Row == p.Objection.Row })
	if i < 0 {
		return nil
	}
	return &p.Session.Rows[i]
}
