package web

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed" // the print view
	"encoding/base64"
	"fmt"
	"html/template"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

	"bajigong/credentials"
	"bajigong/credentials/paper"
	"bajigong/internal/fail"
	"bajigong/internal/rulefile"
	"bajigong/registry"
)

// Paper is what certificates are printed with. The print view of the browser
// needs none of it.
type Paper struct {
	// Fonts opens the chain of fonts when it is first needed, and says what is
	// not as the notice wants it. nil: PDF is answered with no_font.
	Fonts func() (paper.Fonts, []rulefile.Text, error)
	// Seals are the images of seals by institution id; the place of a seal that
	// is not here is outlined.
	Seals map[string]SealImage
}

// SealImage is a seal ready to be printed, with the PNG it came from for the
// print view.
type SealImage struct {
	Seal *paper.Seal
	PNG  []byte
}

// printTime is how long a part of a session may take: 200 pages and their photos.
const printTime = time.Minute

const mediaPDF = "application/pdf"

var printParameters = []parameter{
	{Name: "purpose", Description: "why it is printed; it is logged", Enum: []string{"issue", "reissue", "spoiled", "archive"}},
	{Name: "lang", Description: "both for a bilingual certificate", Enum: []string{"zh", "both"}}}

// blankParameters are those of a PDF, which can be laid out for a numbered blank.
func blankParameters() []parameter {
	return append(slices.Clone(printParameters),
		parameter{Name: "blank", Description: "id of the layout of a numbered blank, for printing on it 套打; the whole face when absent"},
		parameter{Name: "x", Description: "with blank: mm that everything moves to the right, -20 to 20"},
		parameter{Name: "y", Description: "with blank: mm that everything moves down, -20 to 20"})
}

func printRoutes() []route {
	pdf := []answer{{200, mediaPDF, "one page a certificate. Paper-Warning names what is not as the notice wants it: font, sample-text, sample-layout"}}
	blank := blankParameters()
	return keyedRoutes("certificates", []route{
		{Method: "GET", Path: "/api/v1/certificates/{number}/certificate.pdf", Query: blank, Summary: "A certificate as PDF, to be printed 制证",
			Description: "With the full number of the document, as the paper shows it. Each print is logged.", Answers: pdf, endpoint: raw((*Server).certificatePDF)},
		{Method: "GET", Path: "/api/v1/certificates/{number}/print", Query: printParameters, Summary: "A certificate as a page for the browser to print; needs no font file",
			Description: "With the full number of the document, as the paper shows it. Each print is logged.",
			Answers:     []answer{{200, "text/html", "the page, whole in itself"}}, endpoint: raw((*Server).certificatePrint)},
		{Method: "GET", Path: "/api/v1/sessions/{id}/certificates.pdf", Time: printTime, Query: append([]parameter{{Name: "part", Description: fmt.Sprintf("from 1 on, %d certificates each; 1 when absent", registry.PrintMost), Integer: true}}, blank...),
			Summary:     "The certificates of a session as PDF, part by part",
			Description: "Those that are not valid any more are left out; Paper-Skipped counts them. Link has the next part.", Answers: pdf, endpoint: raw((*Server).sessionPDF)},
		{Method: "GET", Path: "/api/v1/print-jobs/{id}/certificates.pdf", Time: printTime, Query: append([]parameter{{Name: "part", Description: fmt.Sprintf("from 1 on, %d prints each; 1 when absent", registry.PrintMost), Integer: true}}, blank...),
			Summary:     "What a print job gave blanks to, as PDF in the order of their codes, part by part",
			Description: "For printing on numbered blanks 套打: sheet by sheet as they lie in the tray. Spoiled prints, those with a newer print, and what is not valid any more are left out; Paper-Skipped counts them. Link has the next part.", Answers: pdf, endpoint: raw((*Server).jobPDF)},
	})
}

// printOptions are those of the query.
type printOptions struct {
	purpose   registry.PrintPurpose
	bilingual bool
	blank     *paper.Blank
	shift     paper.Shift
}

func (s *Server) printOptions(c *call) (o printOptions, err error) {
	var text [5]string
	for i, name := range []string{"purpose", "lang", "blank", "x", "y"} {
		if text[i], err = c.query(name); err != nil {
			return o, err
		}
	}
	if o.purpose = registry.PrintPurpose(text[0]); o.purpose == "" {
		o.purpose = registry.PrintIssue
	}
	if o.bilingual = text[1] == "both"; text[1] != "" && text[1] != "zh" && !o.bilingual {
		return o, badParameter("lang", "lang 应为 zh 或 both", "lang is zh or both")
	}
	for i, at := range []*float64{&o.shift.X, &o.shift.Y} {
		if text[3+i] == "" {
			continue
		}
		v, err := strconv.ParseFloat(text[3+i], 64)
		if err != nil || !(v >= -20 && v <= 20) { // NaN is neither
			return o, badParameter("xy"[i:i+1], "偏移应为 -20 至 20 毫米", "an offset is -20 to 20 mm")
		}
		*at = v
	}
	if text[2] != "" {
		for _, b := range s.reg.Config().Rules.Blanks.All() {
			if b.ID == text[2] {
				o.blank = &b
			}
		}
		if o.blank == nil {
			return o, badParameter("blank", "没有该套打版式，现有："+s.layouts("、"), "there is no layout of this id; there are "+s.layouts(", "))
		}
	}
	return o, nil
}

// layouts are the ids of the layouts of blanks.
func (s *Server) layouts(between string) string {
	var ids []string
	for _, b := range s.reg.Config().Rules.Blanks.All() {
		ids = append(ids, b.ID)
	}
	return strings.Join(slices.Compact(ids), between)
}

func badParameter(name, zh, en string) error {
	return fail.New(fail.Invalid, "query", "the parameter %s cannot be used: %s", name, en).In("参数 %s 有误：%s", name, zh).
		At(fail.Field{Name: name, Code: "form", ZH: zh, EN: en})
}

func (s *Server) certificatePDF(c *call) error {
	number, err := c.number()
	if err != nil {
		return err
	}
	o, err := s.printOptions(c)
	if err != nil {
		return err
	}
	fonts, warned, err := s.fonts()
	if err != nil {
		return err
	}
	one, err := s.reg.PaperOf(c.ctx, c.by, number, o.purpose)
	if err != nil {
		return err
	}
	return s.sendPDF(c, fonts, warned, []registry.PaperCopy{one}, o, "certificate.pdf")
}

func (s *Server) sessionPDF(c *call) error {
	return s.partPDF(c, (*registry.Registry).PapersOfSession)
}

func (s *Server) jobPDF(c *call) error { return s.partPDF(c, (*registry.Registry).PapersOfJob) }

// partPDF answers one part of what is printed together.
func (s *Server) partPDF(c *call, load func(*registry.Registry, context.Context, registry.Actor, string, int, registry.PrintPurpose) ([]registry.PaperCopy, int, bool, error)) error {
	id, err := c.param("id")
	if err != nil {
		return err
	}
	o, err := s.printOptions(c)
	if err != nil {
		return err
	}
	part, err := c.part()
	if err != nil {
		return err
	}
	fonts, warned, err := s.fonts()
	if err != nil {
		return err
	}
	papers, skipped, more, err := load(s.reg, c.ctx, c.by, id, part, o.purpose)
	if err != nil {
		return err
	}
	if len(papers) == 0 {
		return fail.New(fail.Conflict, "nothing_valid", "no certificate of this part is valid any more").In("本分册的证书均已撤销、注销或暂停，没有可打印的证书")
	}
	c.fiber.Set("Paper-Skipped", strconv.Itoa(skipped))
	c.linkPart(part, more)
	return s.sendPDF(c, fonts, warned, papers, o, "certificates-"+strconv.Itoa(part)+".pdf")
}

// fonts are opened before anything is printed: what cannot be drawn must not
// stand in the log as printed.
func (s *Server) fonts() (paper.Fonts, bool, error) {
	if s.cfg.Paper.Fonts == nil {
		_, err := paper.NewFonts()
		return paper.Fonts{}, false, err
	}
	fonts, warnings, err := s.cfg.Paper.Fonts()
	return fonts, len(warnings) > 0, err
}

// sendPDF prints copies of one institution.
func (s *Server) sendPDF(c *call, fonts paper.Fonts, warned bool, papers []registry.PaperCopy, o printOptions, name string) error {
	face, err := s.face(papers[0])
	if err != nil {
		return err
	}
	options := paper.Options{Face: face, Bilingual: o.bilingual, Seal: s.cfg.Paper.Seals[papers[0].InstitutionID].Seal, Site: s.site(), Blank: o.blank, Shift: o.shift}
	var all []paper.Certificate
	for i, p := range papers {
		one := p.Certificate()
		one.Row = i + 1
		all = append(all, one)
	}
	var out bytes.Buffer
	if err := paper.Write(&out, fonts, all, options); err != nil {
		return err
	}
	warnings := ""
	say := func(yes bool, code string) {
		if yes && warnings != "" {
			warnings += ", "
		}
		if yes {
			warnings += code
		}
	}
	say(warned, "font")
	say(o.blank == nil && face.Sample != "", "sample-text")
	say(o.blank != nil && o.blank.Sample != "", "sample-layout")
	if warnings != "" {
		c.fiber.Set("Paper-Warning", warnings)
	}
	c.fiber.Set(fiber.HeaderContentType, mediaPDF)
	c.fiber.Set(fiber.HeaderContentDisposition, `inline; filename="`+name+`"`)
	c.fiber.Set(fiber.HeaderCacheControl, "no-store")
	return c.fiber.Send(out.Bytes())
}

func (s *Server) face(p registry.PaperCopy) (paper.Face, error) {
	face, ok := s.reg.Config().Rules.Faces.On(p.Region, string(p.Issued))
	if !ok {
		return face, fail.New(fail.Conflict, "no_face", "no rule file has the face of a certificate for this region and date").In("没有适用于该地区和日期的证书票面规则（rules/faces）")
	}
	return face, nil
}

// site is where a code is typed by people without a camera.
func (s *Server) site() string { return s.reg.Config().Origin + "/verify" }

//go:embed templates/print/certificate.html
var printHTML string

//go:embed templates/print/certificate.css
var printCSS string

var (
	printTemplate = template.Must(template.New("print").Parse(printHTML))
	// printPolicy lets the page have its one style sheet, known by its hash, and
	// pictures that it carries itself; nothing is loaded.
	printPolicy = func() string {
		sum := sha256.Sum256([]byte(printCSS))
		return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; img-src data:; base-uri 'none'; frame-ancestors 'none'"
	}()
)

// printSheet is one certificate on the print view.
type printSheet struct {
	Body          rulefile.Text
	Signed, Facts []printFact
	Photo, Seal   template.URL
	QR            template.HTML
	Code          string // class of a code that needs more room
	Handle        string
}

type printFact struct {
	Label          rulefile.Text
	Value, English string
	Size           string // class
}

func (s *Server) certificatePrint(c *call) error {
	number, err := c.number()
	if err != nil {
		return err
	}
	o, err := s.printOptions(c)
	if err != nil {
		return err
	}
	if o.blank != nil {
		return badParameter("blank", "套打请使用 PDF", "blanks are printed by PDF")
	}
	one, err := s.reg.PaperOf(c.ctx, c.by, number, o.purpose)
	if err != nil {
		return err
	}
	face, err := s.face(one)
	if err != nil {
		return err
	}
	sheet, err := s.printSheet(one, face, o.bilingual)
	if err != nil {
		return err
	}
	var notices []string
	if face.Sample != "" {
		notices = append(notices, "正文为样例，请以备案机关规定的文字替换（rules/faces）。 The text is a sample.")
	}
	var out bytes.Buffer
	if err := printTemplate.Execute(&out, map[string]any{"Style": template.CSS(printCSS), "Face": face, "Bilingual": o.bilingual, "Site": s.site(), "Sheets": []printSheet{sheet}, "Notices": notices}); err != nil {
		return fmt.Errorf("print view: %w", err)
	}
	c.fiber.Set(fiber.HeaderContentSecurityPolicy, printPolicy)
	c.fiber.Set(fiber.HeaderContentType, "text/html; charset=utf-8")
	c.fiber.Set(fiber.HeaderCacheControl, "no-store")
	return c.fiber.Send(out.Bytes())
}

func (s *Server) printSheet(one registry.PaperCopy, face paper.Face, bilingual bool) (printSheet, error) {
	cert := one.Certificate()
	code, err := credentials.NewImage(one.QR)
	if err != nil {
		return printSheet{}, err
	}
	out := printSheet{Body: face.BodyOf(cert), QR: template.HTML(code.SVG()), Handle: one.Handle.Grouped()}
	if code.Version() > credentials.GoodVersion {
		out.Code = "dense"
	}
	if one.Photo != nil {
		out.Photo = dataURL("image/jpeg", one.Photo)
	}
	if seal := s.cfg.Paper.Seals[one.InstitutionID]; seal.PNG != nil {
		out.Seal = dataURL("image/png", seal.PNG)
	}
	for i, f := range cert.Fields() {
		fact := printFact{Label: f.Label, Value: f.Value}
		if bilingual {
			fact.English = f.English
		}
		switch n := utf8.RuneCountInString(f.Value); {
		case n > 38:
			fact.Size = "longer"
		case n > 22 || n > 17 && f.Value[0] >= utf8.RuneSelf:
			fact.Size = "long"
		}
		if i < 2 {
			out.Signed = append(out.Signed, fact)
		} else {
			out.Facts = append(out.Facts, fact)
		}
	}
	return out, nil
}

func dataURL(media string, data []byte) template.URL {
	return template.URL("data:" + media + ";base64," + base64.StdEncoding.EncodeToString(data))
}
