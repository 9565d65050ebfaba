package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"

	"github.com/gofiber/fiber/v2"

	"bajigong/credentials"
)

// scriptPolicy is contentPolicy for the pages where a code is checked: their
// modules come from this site, and talk to nobody else. No inline script, no
// eval, no other host.
const scriptPolicy = "default-src 'none'; script-src 'self'; connect-src 'self'; worker-src 'self'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// workerPolicy is for the service worker, which fetches and nothing else.
const workerPolicy = "default-src 'none'; connect-src 'self'"

// cameraAllowed is the permissions policy of the pages with a camera.
const cameraAllowed = "camera=(self), microphone=(), geolocation=()"

// scripted gives a page its entry module and the policy under which it runs.
func (s *Server) scripted(c *call, p *page, module string) {
	p.Script = s.pages.statics.script(module)
	c.fiber.Set(fiber.HeaderContentSecurityPolicy, scriptPolicy)
}

// shellPath is where the shell is fetched from, to be kept. Nobody goes there.
const shellPath = "/offline"

// shell is what the service worker keeps: the shell in both languages, and the
// worker itself with the list of files that it keeps.
type shell struct {
	pages  map[credentials.Lang]staticFile
	worker staticFile
}

// newShell renders the shell, the page that is shown when this site cannot be
// reached: nothing in it comes from a request. It names the worker's store after
// all that it will keep, so that a page, a word or a style that changes is a new
// store and the old one is removed.
func (p *pages) newShell() (*shell, error) {
	out := &shell{pages: map[credentials.Lang]staticFile{}}
	sum := sha256.New()
	for _, lang := range []credentials.Lang{credentials.ZH, credentials.EN} {
		one := page{Lang: lang, Site: &p.site, Path: shellPath, NoIndex: true, Script: p.statics.script("offline.js")}
		one.Title = one.T("离线查验", "Check offline")
		body, err := p.render("offline", one)
		if err != nil {
			return nil, err
		}
		sum.Write(body)
		out.pages[lang] = staticFile{contentType: "text/html; charset=utf-8", data: body, zipped: zipped(body)}
	}
	s := p.statics.script("offline.js")
	keep, err := json.Marshal(append([]string{shellPath, shellPath + "?lang=en", p.site.Style, p.site.Icon, s.Path}, s.Needs...))
	if err != nil {
		return nil, err
	}
	source, err := embedded.ReadFile("worker/sw.js")
	if err != nil {
		return nil, err
	}
	sum.Write(source)
	worker := bytes.Replace(withoutComments(source), []byte("KEEP"), keep, 1)
	worker = bytes.Replace(worker, []byte("VERSION"), fmt.Appendf(nil, "%x", sum.Sum(nil)[:8]), 1)
	out.worker = staticFile{contentType: staticTypes[".js"], data: worker, zipped: zipped(worker)}
	return out, nil
}

// offlinePage answers the shell.
func (s *Server) offlinePage(c *call) error {
	c.fiber.Set(fiber.HeaderContentSecurityPolicy, scriptPolicy)
	c.fiber.Set(fiber.HeaderPermissionsPolicy, cameraAllowed)
	return c.packed(s.pages.shell.pages[s.pages.lang(c.fiber)], "no-cache")
}

// serviceWorker answers /sw.js. It stands at the root, because a worker serves
// nothing above its own address, and under a name that stays, because browsers
// look there for a newer one.
func (s *Server) serviceWorker(c *call) error {
	c.fiber.Set(fiber.HeaderContentSecurityPolicy, workerPolicy)
	return c.packed(s.pages.shell.worker, "no-cache")
}
