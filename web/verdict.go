package web

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/gofiber/fiber/v2"

	"bajigong/credentials"
	"bajigong/registry"
)

// verdictJSON names the form of a verdict for the document.
type verdictJSON = credentials.Verdict

// verdictPage is the page behind a QR code.
type verdictPage struct {
	page
	Verdict verdictView
}

// verdictView is a verdict with the words around it.
type verdictView struct {
	page
	credentials.Verdict
	// Found says that the verdict rests on facts of a look-up, with the name
	// masked, and not on a code.
	Found bool
	// Match is the answer to a try at the holder's document or photo.
	Match *matchView
}

// Shape is the band's colour and picture by name.
func (v verdictView) Shape() credentials.Band { return v.Band() }

// Say is the first line, Do the second, Checked the line under it.
func (v verdictView) Say() string { return v.Sentence(v.Lang) }

// Do is what to do next.
func (v verdictView) Do() string { return v.Next(v.Lang) }

// Checked is how and when it was checked.
func (v verdictView) Checked() string { return v.Basis(v.Lang) }

// Also are the sentences of the reasons after the first.
func (v verdictView) Also() (out []string) {
	for _, r := range v.Reasons[min(1, len(v.Reasons)):] {
		out = append(out, credentials.Sentence(r, v.Lang, credentials.Args{}))
	}
	return out
}

// Level is the level as the paper writes it.
func (v verdictView) Level() string {
	if v.Lang == credentials.EN {
		return v.Certificate.LevelEN
	}
	return strings.ReplaceAll(v.Certificate.LevelZH, "/", " / ")
}

// NumberParts are the parts of the number; a gap between them is drawn and not
// copied.
func (v verdictView) NumberParts() []string { return strings.Fields(v.Certificate.NumberGrouped) }

// InstitutionLine is where the institution stood and stands; empty when nothing
// is recorded.
func (v verdictView) InstitutionLine() string {
	if i := v.Institution; i == nil || i.StatusAtIssue == credentials.InstitutionUnknown && i.StatusNow == credentials.InstitutionUnknown {
		return ""
	}
	return v.Standing(v.Lang)
}

// NationalLine is where the report to the national query stands; empty when it is
// not known. Beside a valid verdict it says that it takes nothing from it.
func (v verdictView) NationalLine() string {
	if v.National == nil {
		return ""
	}
	line := v.National.Text(v.Lang)
	if v.Valid && v.National.State != credentials.NationalQueryable {
		line += v.T("（不影响本证书）", " (this certificate is not affected)")
	}
	return line
}

// Elsewhere reports a certificate that was issued elsewhere and is only
// registered here.
func (v verdictView) Elsewhere() bool { return v.Certificate.Origin != "" }

// Foreign reports a code that this register did not sign, so that the page says
// how a forged page is told from a real one.
func (v verdictView) Foreign() bool {
	first := v.First()
	return first == credentials.ReasonWrongRegistry || first == credentials.ReasonUnknownKey
}

// Shapes are the bands of which a scripted page has the shape at hand.
func (p page) Shapes() []string {
	return []string{string(credentials.Good), string(credentials.Bad), string(credentials.Caution), string(credentials.Unproven)}
}

// Facts is what the script compares with the token in the address.
func (v verdictView) Facts() (string, error) {
	out, err := json.Marshal(struct {
		Reasons     []credentials.Reason `json:"reasons"`
		Certificate *credentials.Face    `json:"certificate,omitempty"`
		KeyID       string               `json:"key,omitempty"`
	}{v.Reasons, v.Certificate, v.KeyID})
	return string(out), err
}

// verdictByHandle answers what is behind a QR code, to people as a page.
func (s *Server) verdictByHandle(c *call) error {
	c.fiber.Vary(fiber.HeaderAccept)
	accept := c.fiber.Get(fiber.HeaderAccept)
	if prefersCredential(accept) {
		return s.credential(c)
	}
	if weight(accept, "text", "html") == 0 && weight(accept, "application", "json") == 0 {
		return refusal{fiber.StatusNotAcceptable, notAcceptableFor(accept)}
	}
	handle, err := c.param("handle")
	if err != nil {
		handle = "" // malformed is as unknown as any other
	}
	v, err := s.reg.VerdictByHandle(c.ctx, handle)
	if err != nil {
		return err
	}
	if v.First() == credentials.ReasonUnknownCertificate {
		c.status = fiber.StatusNotFound
	}
	if !prefersHTML(c.fiber, true) {
		return c.json(v)
	}
	p := verdictPage{page: s.pages.page(c.fiber, v.Sentence(s.pages.lang(c.fiber)))}
	p.NoIndex = true
	s.scripted(c, &p.page, "verdict.js")
	p.Verdict = verdictView{page: p.page, Verdict: v}
	return s.pages.send(c, "verdict", p)
}

// verifyRequest is what was read from a code.
type verifyRequest struct {
	Token string `json:"token"`
}

// short reads {"token":"…"} without spaces and escapes, as every program writes
// it.
func (in *verifyRequest) short(data []byte) bool {
	text, begins := bytes.CutPrefix(data, []byte(`{"token":"`))
	text, ends := bytes.CutSuffix(text, []byte(`"}`))
	if !begins || !ends || len(text) > credentials.MaxScanned {
		return false
	}
	for _, b := range text {
		if b <= ' ' || b > '~' || b == '"' || b == '\\' {
			return false
		}
	}
	in.Token = string(text)
	return true
}

func (s *Server) verify(c *call, in verifyRequest) (verdictJSON, error) {
	return s.reg.VerdictByToken(c.ctx, in.Token)
}

func (s *Server) lookup(c *call, in registry.LookupQuery) (verdictJSON, error) {
	if in.Document != "" { // its tries are counted
		if err := s.fromHere(c, false); err != nil {
			return verdictJSON{}, err
		}
	}
	return s.reg.LookupFrom(c.ctx, in, s.asker(c))
}
