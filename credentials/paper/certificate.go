package paper

import (
	"io"
	"strings"
	"time"

	"bajigong/credentials"
	"bajigong/internal/fail"
	"bajigong/internal/rulefile"
)

// Certificate is one certificate as it is printed: every value as it shall stand
// on the paper. The register does not decide here what may be shown.
type Certificate struct {
	// Row is the place in the caller's list, for errors; 0 for none.
	Row int
	// The fields of 人社鉴发〔2021〕1号. Trade is "--" when empty: never empty on
	// paper. Level is such as 三级/高级工. Issued is a date such as 2025-06-30.
	Institution    string
	Issued         string
	Name           string
	DocumentKind   string
	DocumentNumber string
	Occupation     string
	Trade          string
	Level          string
	Number         string
	// Photo is a JPEG or PNG, 25 × 35 mm on paper; without one its place is
	// outlined for a print to be stuck in.
	Photo []byte
	// QR is the text of the QR code; Handle the address of the same certificate
	// for people without a camera.
	QR     string
	Handle credentials.Handle
	// Serial is 印制流水码, of this print; empty for none.
	Serial string
	// English values of a bilingual certificate; what is empty is not printed.
	EN English
}

// English are the values that a bilingual certificate has in English besides.
type English struct {
	Institution, Name, DocumentKind, Occupation, Trade, Level string
}

// Options are the same for all certificates of a document.
type Options struct {
	Face      Face
	Bilingual bool
	Seal      *Seal // nil: the place of the seal is outlined
	// Site is where the code is typed, such as https://zs.example.gov.cn/verify;
	// it is not printed when empty.
	Site string
	// Blank prints on numbered blanks 套打: only its boxes. nil prints the whole face.
	Blank *Blank
	// Shift moves all of it, for the printer's feed.
	Shift Shift
}

// typeSize is 小四: 人社鉴发〔2021〕1号.
const typeSize = 12.0

// smallest is the size down to which a long value shrinks. Below that it is
// refused: it could no longer be read.
const smallest = 7.0

// A Printer writes certificates to one document, page by page; what it keeps in
// memory does not grow with their photos. It is used by one goroutine.
type Printer struct {
	doc  *document
	o    Options
	seal int // object, 0 for none yet
}

// NewPrinter begins a document.
func NewPrinter(w io.Writer, fonts Fonts, o Options) *Printer {
	title := o.Face.Title.ZH
	if o.Blank != nil {
		title = o.Blank.Name.ZH
	}
	return &Printer{doc: newDocument(w, fonts, title, false), o: o}
}

// Write prints certificates as one document, in their order. All of them are
// checked before anything is written; the errors are those of [Printer.Check],
// with every certificate that has one.
func Write(w io.Writer, fonts Fonts, certificates []Certificate, o Options) error {
	p := NewPrinter(w, fonts, o)
	var bad []fail.Field
	var first error
	for _, c := range certificates {
		if err := p.Check(c); err != nil {
			if first == nil {
				first = err
			}
			if bad = append(bad, fail.Of(err).Fields...); len(bad) > maxFields {
				break
			}
		}
	}
	if first != nil {
		e := fail.Of(first)
		e = fail.New(e.Kind, e.Code, "%s", e.Text).In("%s", e.ZH)
		return e.At(bad...)
	}
	for _, c := range certificates {
		if err := p.Add(c); err != nil {
			return err
		}
	}
	return p.Close()
}

// maxFields bounds how much one error says.
const maxFields = 100

// Check says whether a certificate can be printed, without printing it. Errors:
// fail.Invalid glyph_missing (a character that no font has; Fields name field,
// row and character), does_not_fit (a value that does not fit its place at 7
// points), bad_certificate (a field is missing or the date is none), photo_form;
// fail.TooLarge photo_size, qr_too_dense.
func (p *Printer) Check(c Certificate) error {
	_, err := p.prepare(c, false)
	return err
}

// Add prints one certificate. When it cannot be printed nothing of it is written
// and the document goes on; the errors are those of [Printer.Check].
func (p *Printer) Add(c Certificate) error {
	r, err := p.prepare(c, true)
	if err != nil {
		return err
	}
	if p.o.Blank != nil {
		p.overprint(r)
	} else {
		p.face(r)
	}
	return p.doc.err
}

// Close ends the document. A document without a page is refused: Invalid, no_pages.
func (p *Printer) Close() error { return p.doc.close() }

// ready is a certificate that can be printed.
type ready struct {
	Certificate
	code   *credentials.Image
	photo  *picture
	values map[string]string
	body   rulefile.Text
	placed map[string]fitted // by field; English values as field+en
}

const en = "/en"

// prepare checks a certificate; draw is false when it is only asked whether it
// can be printed.
func (p *Printer) prepare(c Certificate, draw bool) (*ready, error) {
	var err error
	r := &ready{Certificate: c, placed: map[string]fitted{}, values: map[string]string{FieldSerial: c.Serial, FieldHandle: c.Handle.Grouped()}}
	for _, f := range c.Fields() {
		if f.Value == "" {
			return nil, incomplete(c.Row, f.Name)
		}
		if r.values[f.Name] = f.Value; p.o.Bilingual {
			r.values[f.Name+en] = f.English
		}
	}
	r.body = p.o.Face.BodyOf(c)
	if err := p.glyphs(r); err != nil {
		return nil, err
	}
	if !draw {
		err = credentials.CheckImage(c.QR)
	} else {
		r.code, err = credentials.NewPrintImage(c.QR)
	}
	if err != nil {
		return nil, err
	}
	if len(c.Photo) > 0 {
		photo, err := readPhoto(c.Photo)
		if err != nil {
			return nil, fail.Of(err).At(fail.Field{Name: FieldPhoto, Row: c.Row, Code: fail.CodeOf(err), ZH: fail.Of(err).ZH, EN: fail.Of(err).Text})
		}
		r.photo = &photo
	}
	return r, p.place(r)
}

// Field is one field of the face with its value as it is printed.
type Field struct {
	Name           string // such as FieldLevel
	Label          rulefile.Text
	Value, English string
}

// Fields are the fields with text in the order of 人社鉴发〔2021〕1号, institution
// and date first. The trade is "--" for none; the date is written out, and is
// empty when it is none.
func (c Certificate) Fields() []Field {
	if c.Trade == "" {
		c.Trade = "--"
	}
	issued, english := "", ""
	if date, err := time.Parse("2006-01-02", c.Issued); err == nil {
		issued, english = date.Format("2006年1月2日"), date.Format("2 January 2006")
	}
	values := map[string][2]string{FieldInstitution: {c.Institution, c.EN.Institution}, FieldIssued: {issued, english}, FieldName: {c.Name, c.EN.Name},
		FieldDocument: {c.DocumentKind, c.EN.DocumentKind}, FieldDocumentNo: {c.DocumentNumber}, FieldOccupation: {c.Occupation, c.EN.Occupation},
		FieldTrade: {c.Trade, c.EN.Trade}, FieldLevel: {c.Level, c.EN.Level}, FieldNumber: {c.Number}}
	out := make([]Field, len(order))
	for i, name := range order {
		out[i] = Field{name, labels[name], values[name][0], values[name][1]}
	}
	return out
}

// order is that of the fields with text on the face.
var order = []string{FieldInstitution, FieldIssued, FieldName, FieldDocument, FieldDocumentNo, FieldOccupation, FieldTrade, FieldLevel, FieldNumber}

func incomplete(row int, field string) error {
	l := labels[field]
	return fail.New(fail.Invalid, "bad_certificate", "the certificate has no proper %s", strings.ToLower(l.EN)).In("证书的%s缺失或有误", l.ZH).
		At(fail.Field{Name: field, Row: row, Code: "required", ZH: l.ZH + "缺失或有误", EN: "missing or wrong"})
}

// BodyOf is the text 正文 of a certificate.
func (f Face) BodyOf(c Certificate) rulefile.Text {
	body := f.Body
	if c.Trade == "" {
		c.Trade = "--"
	}
	or := func(a, b string) string {
		if a != "" {
			return a
		}
		return b
	}
	return rulefile.Text{
		ZH: strings.NewReplacer("{name}", c.Name, "{institution}", c.Institution, "{occupation}", c.Occupation, "{trade}", c.Trade, "{level}", c.Level).Replace(body.ZH),
		EN: strings.NewReplacer("{name}", or(c.EN.Name, c.Name), "{institution}", or(c.EN.Institution, c.Institution), "{occupation}", or(c.EN.Occupation, c.Occupation),
			"{trade}", or(c.EN.Trade, c.Trade), "{level}", or(c.EN.Level, c.Level)).Replace(body.EN)}
}

// glyphs checks that the fonts have every character.
func (p *Printer) glyphs(r *ready) error {
	var bad []fail.Field
	check := func(field, text string) {
		if missing := p.doc.fonts.Missing(text); len(missing) > 0 {
			bad = append(bad, missingGlyph(field, r.Row, missing))
		}
	}
	for _, field := range append(order[:len(order):len(order)], FieldSerial, FieldHandle) {
		check(field, r.values[field]+r.values[field+en])
	}
	if p.o.Blank == nil {
		check(FieldBody, r.body.ZH+p.o.Face.Title.ZH+p.words())
		if p.o.Bilingual {
			check(FieldBody, r.body.EN+p.o.Face.Title.EN)
		}
	}
	if len(bad) > 0 {
		return glyphsMissing("certificate "+r.Number, bad)
	}
	return nil
}

// place fits the values into their boxes.
func (p *Printer) place(r *ready) error {
	fit := func(field, key string, width, height, size, floor float64) error {
		text := r.values[key]
		if text == "" {
			return nil
		}
		f, ok := p.doc.fonts.fit(text, width, height, size, floor)
		if !ok {
			l := labels[field]
			return fail.New(fail.Invalid, "does_not_fit", "the %s is too long for its place on the paper, even at %.0f points", strings.ToLower(l.EN), floor).
				In("%s过长，缩至 %.0f 磅仍超出票面位置", l.ZH, floor).
				At(fail.Field{Name: field, Row: r.Row, Code: "does_not_fit", ZH: l.ZH + "过长，超出票面位置", EN: "too long for its place"})
		}
		r.placed[key] = f
		return nil
	}
	if p.o.Blank != nil {
		for _, b := range p.o.Blank.Boxes {
			if b.Field == FieldPhoto || b.Field == FieldQR {
				continue
			}
			if err := fit(b.Field, b.Field, b.Width, b.Height, sizeOf(b), min(smallest, sizeOf(b))); err != nil {
				return err
			}
		}
		return nil
	}
	for _, field := range order {
		_, _, w, h := faceBox(field)
		least := smallest
		if r.values[field+en] != "" {
			if err := fit(field, field+en, w, h*0.4, 8.5, 5.5); err != nil {
				return err
			}
			h *= 0.6
			least = 6
		}
		if err := fit(field, field, w, h, typeSize, least); err != nil {
			return err
		}
	}
	return nil
}

func sizeOf(b Box) float64 {
	if b.Size == 0 {
		return typeSize
	}
	return b.Size
}
