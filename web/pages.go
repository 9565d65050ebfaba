package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/url"
	"slices"

	"github.com/gofiber/fiber/v2"

	"bajigong/credentials"
	"bajigong/internal/fail"
	"bajigong/registry"
)

//go:embed templates/*.html static worker
var embedded embed.FS

var notAcceptable = fail.New(fail.Invalid, "not_acceptable", "this address answers text/html, application/json and application/vc+jwt").
	In("该地址只提供 text/html、application/json 和 application/vc+jwt")

// pageNames are the templates, one for each kind of page. Each fills the "main"
// of layout.html.
var pageNames = []string{"home", "verdict", "verify", "directory", "publicity", "session", "error", "institution", "statistics", "decisions", "inspections", "offline", "receipt", "sign-in", "lists"}

// pages renders templates. They are parsed once, when the server starts.
type pages struct {
	site      site
	templates map[string]*template.Template
	statics   *statics
	shell     *shell
}

// site is what every page says.
type site struct {
	NameZH, NameEN     string
	Origin             string
	Style, Icon        string // paths
	Footer             Footer
	NoticeZH, NoticeEN string
}

// page is what every page has; each page's struct embeds it.
type page struct {
	Lang    credentials.Lang
	Title   string
	Site    *site
	Path    string // of this page, for the switch of languages
	query   url.Values
	filters []string // names in the query that the other language and the next page keep
	NoIndex bool
	Script  *script // nil on pages without
	// Problems are what is wrong with a form, listed on top.
	Problems []problemLine
}

// problemLine is one thing wrong with a form. Field is the id of the input.
type problemLine struct{ Field, Text string }

func newPages(rc registry.Config, cfg Config) (*pages, error) {
	f := cfg.Footer
	if f.Phone == "" {
		f.Phone = "12333"
	}
	if f.NationalQuery == "" {
		f.NationalQuery = "http://zscx.osta.org.cn"
	}
	files, err := newStatics(embedded)
	if err != nil {
		return nil, err
	}
	p := &pages{templates: map[string]*template.Template{}, statics: files, site: site{
		NameZH: rc.OperatorZH, NameEN: rc.OperatorEN, Origin: rc.Origin, Footer: f, NoticeZH: cfg.DemoNotice, NoticeEN: cfg.DemoNoticeEN,
		Style: files.address["site.css"], Icon: files.address["icon.svg"]}}
	if p.site.NameEN == "" {
		p.site.NameEN = p.site.NameZH
	}
	if p.site.NoticeEN == "" {
		p.site.NoticeEN = p.site.NoticeZH
	}
	layout, err := template.ParseFS(embedded, "templates/layout.html", "templates/parts.html", "templates/match.html")
	if err != nil {
		return nil, err
	}
	for _, name := range pageNames {
		one, err := layout.Clone()
		if err != nil {
			return nil, err
		}
		if p.templates[name], err = one.ParseFS(embedded, "templates/"+name+".html"); err != nil {
			return nil, err
		}
	}
	p.shell, err = p.newShell()
	return p, err
}

// lang is the language that the address asks for; Chinese unless it says en.
func (p *pages) lang(c *fiber.Ctx) credentials.Lang {
	if c.Query("lang") == "en" {
		return credentials.EN
	}
	return credentials.ZH
}

func (p *pages) page(c *fiber.Ctx, title string) page {
	out := page{Lang: p.lang(c), Title: title, Site: &p.site, Path: c.Path()}
	out.query, _ = url.ParseQuery(string(c.Context().QueryArgs().QueryString()))
	return out
}

// T chooses between the two languages.
func (p page) T(zh, en string) string {
	if p.Lang == credentials.EN {
		return en
	}
	return zh
}

// English reports whether the page is in English.
func (p page) English() bool { return p.Lang == credentials.EN }

// Code is the language as HTML names it.
func (p page) Code() string { return p.T("zh-CN", "en") }

// Name is who runs the register.
func (p page) Name() string { return p.T(p.Site.NameZH, p.Site.NameEN) }

// Notice is what stands on top of every page of a demonstration.
func (p page) Notice() string { return p.T(p.Site.NoticeZH, p.Site.NoticeEN) }

// Sponsor is 主办单位.
func (p page) Sponsor() string {
	if p.Lang == credentials.EN && p.Site.Footer.SponsorEN != "" {
		return p.Site.Footer.SponsorEN
	}
	return p.Site.Footer.Sponsor
}

// Href is an address of this site that keeps the language.
func (p page) Href(path string) string {
	if p.Lang == credentials.EN {
		return path + "?lang=en"
	}
	return path
}

// Other is this page in the other language, with the rest of its query.
func (p page) Other() string {
	q := p.kept()
	if v := p.query.Get("cursor"); v != "" {
		q.Set("cursor", v)
	}
	if p.Lang == credentials.EN {
		p.Lang = credentials.ZH
	} else {
		p.Lang = credentials.EN
	}
	return p.address(q)
}

// Following is the address of the following page of a list.
func (p page) Following(cursor string) string {
	q := p.kept()
	q.Set("cursor", cursor)
	return p.address(q)
}

// Start is the first page of this list, with its filters.
func (p page) Start() string { return p.address(p.kept()) }

// With is the first page of this list with one filter set to another value.
func (p page) With(name, value string) string {
	q := p.kept()
	q.Set(name, value)
	return p.address(q)
}

// kept are the filters of this page.
func (p page) kept() url.Values {
	q := url.Values{}
	for _, name := range p.filters {
		if v := p.query.Get(name); v != "" {
			q.Set(name, v)
		}
	}
	return q
}

// address is this page with a query, in its language.
func (p page) address(q url.Values) string {
	if p.Lang == credentials.EN {
		q.Set("lang", "en")
	}
	if len(q) == 0 {
		return p.Path
	}
	return p.Path + "?" + q.Encode()
}

// AtStart reports whether this is the first page of a list.
func (p page) AtStart() bool { return p.query.Get("cursor") == "" }

// ProblemOf is what is wrong with one input of a form.
func (p page) ProblemOf(field string) string {
	for _, one := range p.Problems {
		if one.Field == field {
			return one.Text
		}
	}
	return ""
}

// problems turns an error into the lines on top of a form. at says to which
// input the fields and codes of the error belong; other is the input for
// whatever it does not name.
func (p *page) problems(err error, other string, at map[string]string) {
	e := fail.Of(err)
	add := func(name, zh, en string) {
		field, ok := at[name]
		if !ok {
			field = other
		}
		p.Problems = append(p.Problems, problemLine{Field: field, Text: p.T(zh, en)})
	}
	for _, f := range e.Fields {
		add(f.Name, f.ZH, f.EN)
	}
	if len(e.Fields) == 0 {
		add("", e.ZH, e.Text)
	}
}

// render executes a template into memory, so that an error halfway shows no
// half page.
func (p *pages) render(name string, data any) ([]byte, error) {
	var out bytes.Buffer
	if err := p.templates[name].ExecuteTemplate(&out, "layout", data); err != nil {
		return nil, fmt.Errorf("page %s: %w", name, err)
	}
	return out.Bytes(), nil
}

func (p *pages) send(c *call, name string, data any) error {
	body, err := p.render(name, data)
	if err != nil {
		return err
	}
	c.fiber.Set(fiber.HeaderContentType, "text/html; charset=utf-8")
	return c.fiber.Status(c.status).Send(body)
}

// errorPage says what went wrong and what is safe to do.
type errorPage struct {
	page
	Problem Problem
	Heading string
	Detail  string
	// SignIn is where one signs in, anew or with another key, when a page for
	// accounts was refused; empty otherwise.
	SignIn string
}

// sendError answers a problem as a page; the status is set already.
func (p *pages) sendError(c *fiber.Ctx, problem Problem) error {
	e := errorPage{page: p.page(c, ""), Problem: problem}
	e.Heading, e.Detail = problem.sentence(e.Lang)
	e.Title, e.NoIndex = e.Heading, true
	if status := c.Response().StatusCode(); (status == fiber.StatusUnauthorized || status == fiber.StatusForbidden) && slices.Contains(signedPages, c.Path()) {
		in := e.page
		in.Path = "/sign-in"
		e.SignIn = in.address(url.Values{"to": {c.Path()}})
	}
	body, err := p.render("error", e)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, "text/html; charset=utf-8")
	return c.Send(body)
}
