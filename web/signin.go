package web

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"bajigong/internal/fail"
	"bajigong/registry"
)

func signInRoutes() []route {
	rows := []route{
		{Method: "GET", Path: "/sign-in", Access: public, Query: []parameter{{Name: "to", Description: "page to go on to"}},
			Summary: "Sign in to the pages for accounts", endpoint: raw((*Server).signInPage)},
		{Method: "POST", Path: "/sign-in", Access: public, Limit: limitSignIn, Takes: []string{fiber.MIMEApplicationForm},
			Summary: "Sign in with an API key", Answers: []answer{{303, "", "signed in: on to the page"}, {400, "text/html", "the form again"}}, endpoint: raw((*Server).signInPost)},
		{Method: "POST", Path: "/sign-out", Access: signed, Takes: []string{fiber.MIMEApplicationForm},
			Summary: "Sign out", Answers: []answer{{303, "", "signed out"}}, endpoint: raw((*Server).signOutPost)},
	}
	for i := range rows {
		rows[i].Tag, rows[i].Query = "pages", append([]parameter{language}, rows[i].Query...)
		if rows[i].Answers == nil {
			rows[i].Answers = pageHTML
		}
	}
	return rows
}

// signedPages are the pages that one can go on to after signing in; the first is
// where one goes without a wish.
var signedPages = []string{"/lists"}

// signInPage has the form to sign in.
type signInPage struct {
	page
	To string
	// Plain: this address is no https, and not this machine's own.
	Plain bool
}

// Action is where the form is sent.
func (p signInPage) Action() string {
	q := url.Values{}
	if p.To != "" {
		q.Set("to", p.To)
	}
	p.page.Path = "/sign-in"
	return p.address(q)
}

func (s *Server) signInFor(c *call) (signInPage, error) {
	p := signInPage{page: s.pages.page(c.fiber, "")}
	to, err := c.query("to")
	if err != nil {
		return p, err
	}
	if slices.Contains(signedPages, to) { // never an address from outside
		p.To = to
	}
	p.Title, p.NoIndex, p.Plain = p.T("登录", "Sign in"), true, !s.cookiesAreSafe()
	p.filters = []string{"to"}
	return p, nil
}

func (s *Server) signInPage(c *call) error {
	p, err := s.signInFor(c)
	if err != nil {
		return err
	}
	return s.pages.send(c, "sign-in", p)
}

// signInPost begins a sign-in with the key of the form. Tries are limited by
// address and, whatever the address, by the id in the key.
func (s *Server) signInPost(c *call) error {
	if err := s.fromHere(c, false); err != nil {
		return err
	}
	form, err := c.form()
	if err != nil {
		return err
	}
	p, err := s.signInFor(c)
	if err != nil {
		return err
	}
	if p.Plain {
		return errPlain
	}
	apiKey := strings.TrimSpace(form.Get("key"))
	if err := s.limitKey(apiKey); err != nil {
		return err
	}
	_, secret, err := s.reg.SignIn(c.ctx, apiKey)
	if fail.KindOf(err) == fail.Unauthorized {
		p.Problems = append(p.Problems, problemLine{"key", p.T("密钥不存在、已过期或已吊销，请核对后重新填写", "This key is unknown, expired or revoked; check it and try again")})
		c.status = fiber.StatusBadRequest
		return s.pages.send(c, "sign-in", p)
	}
	if err != nil {
		return err
	}
	s.setCookie(c, secret, registry.SignInLife)
	to := p.To
	if to == "" {
		to = signedPages[0]
	}
	return c.fiber.Redirect(p.Href(to), fiber.StatusSeeOther)
}

var errPlain = fail.New(fail.Forbidden, "https_needed", "one can sign in over https only: a key on an open line is everybody's").
	In("只能通过 https 登录：明文线路上的密钥会被他人截取")

// limitKey counts tries with one key id, from wherever they come. The limiter
// counts networks: the id stands as one made of its hash.
func (s *Server) limitKey(apiKey string) error {
	l, id := s.limits[limitSignIn], registry.KeyID(apiKey)
	if l == nil || id == "" {
		return nil
	}
	sum := sha256.Sum256([]byte("key\x00" + id))
	sum[0] = 0xfd // no address that a request comes from
	if _, wait, ok := l.take(netip.AddrFrom16([16]byte(sum[:16])), s.now()); !ok {
		return retryLater{wait, fail.New(fail.RateLimited, "rate_limited", "too many tries with this key; wait %d seconds", wait).In("该密钥尝试次数过多，请 %d 秒后再试", wait)}
	}
	return nil
}

func (s *Server) signOutPost(c *call) error {
	form, err := c.form()
	if err != nil {
		return err
	}
	if err := s.mustProve(c, form.Get("proof")); err != nil {
		return err
	}
	if err := s.reg.SignOut(c.ctx, c.signIn); err != nil {
		return err
	}
	s.setCookie(c, "", -time.Hour)
	return c.fiber.Redirect(s.pages.page(c.fiber, "").Href("/sign-in"), fiber.StatusSeeOther)
}

// cookiesAreSafe: over https, or on this machine alone.
func (s *Server) cookiesAreSafe() bool {
	u, err := url.Parse(s.origin)
	if err != nil {
		return false
	}
	if u.Scheme == "https" {
		return true
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() == "localhost" || err == nil && ip.IsLoopback()
}

// cookieName: the prefix __Host- makes browsers refuse the cookie from anybody
// but this host over https; without https, on a machine's own demonstration, they
// would refuse it always.
func (s *Server) cookieName() string {
	if strings.HasPrefix(s.origin, "https://") {
		return "__Host-bjg"
	}
	return "bjg"
}

func (s *Server) setCookie(c *call, value string, life time.Duration) {
	c.fiber.Cookie(&fiber.Cookie{Name: s.cookieName(), Value: value, Path: "/", MaxAge: int(life / time.Second), Expires: s.now().Add(life),
		Secure: strings.HasPrefix(s.origin, "https://"), HTTPOnly: true, SameSite: fiber.CookieSameSiteStrictMode})
}

// signedIn proves who is signed in. done says that the way to the form to sign in
// was answered instead: for whoever opens a page. What was sent without being
// signed in is refused, so that nobody takes it for done.
func (s *Server) signedIn(c *call) (done bool, err error) {
	c.fiber.Set(fiber.HeaderCacheControl, "no-store")
	secret := c.fiber.Cookies(s.cookieName())
	if s.cookiesAreSafe() && len(secret) <= 64 {
		_, by, err := s.reg.SignedIn(c.ctx, secret)
		if err == nil {
			c.by, c.signIn = by, secret
			return false, nil
		}
		if fail.KindOf(err) != fail.Unauthorized {
			return false, err
		}
	}
	if c.route.Method != fiber.MethodGet {
		return false, fail.New(fail.Unauthorized, "sign_in_ended", "the sign-in has ended, and nothing was done; sign in and send it again").
			In("登录已失效，本次未办理、未计次数；请重新登录后再提交")
	}
	p := s.pages.page(c.fiber, "")
	to := url.Values{"to": {c.route.Path}}
	p.Path = "/sign-in"
	return true, c.fiber.Redirect(p.address(to), fiber.StatusSeeOther)
}

// proof is in every form of a page for somebody signed in: made of the secret,
// which another site can make a browser send but not read. The cookie is
// SameSite=Strict besides, and the browser says where a form comes from.
func (c *call) proof() string {
	sum := sha256.Sum256([]byte("form\x00" + c.signIn))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// mustProve refuses a form that was not on one of these pages.
func (s *Server) mustProve(c *call, proof string) error {
	if err := s.fromHere(c, true); err != nil {
		return err
	}
	if subtle.ConstantTimeCompare([]byte(proof), []byte(c.proof())) != 1 {
		return errForeignForm
	}
	return nil
}
