package paper

import (
	"bytes"
	"compress/zlib"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"strconv"
	"unicode/utf16"

	"bajigong/internal/fail"
)

// pt is a millimetre in points.
const pt = 72 / 25.4

// The size of the page, mm.
const (
	a4Width  = 210.0
	a4Height = 297.0
)

// document writes a PDF 1.7 (ISO 32000-1) page by page. Of a page that is
// written only its number stays in memory; fonts follow at the end.
type document struct {
	w       io.Writer
	at      int64
	sum     hash.Hash // of all bytes, for the ID: no clock, no randomness
	err     error
	offsets []int64 // of object i+1
	pages   []int
	fonts   Fonts
	subsets []*subset
	fontIDs []int
	tree    int // object of the page tree
	flate   *zlib.Writer
	packed  bytes.Buffer
	title   string
	english bool
}

func newDocument(w io.Writer, fonts Fonts, title string, english bool) *document {
	d := &document{w: w, sum: sha256.New(), fonts: fonts, title: title, english: english}
	// Measured: level 6 costs a third of the pages a second for a tenth of the bytes.
	// The level is a known one, so there is no error.
	d.flate, _ = zlib.NewWriterLevel(&d.packed, zlib.BestSpeed)
	d.print("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
	d.tree = d.reserve()
	for _, f := range fonts.chain {
		d.subsets = append(d.subsets, newSubset(f))
		d.fontIDs = append(d.fontIDs, d.reserve())
	}
	return d
}

func (d *document) write(b []byte) {
	if d.err != nil {
		return
	}
	n, err := d.w.Write(b)
	d.sum.Write(b[:n])
	d.at += int64(n)
	d.err = err
}

func (d *document) print(s string) { d.write([]byte(s)) }

func (d *document) printf(format string, args ...any) { d.write(fmt.Appendf(nil, format, args...)) }

// reserve takes an object number, to be written later.
func (d *document) reserve() int {
	d.offsets = append(d.offsets, 0)
	return len(d.offsets)
}

func (d *document) object(id int, body string) {
	d.offsets[id-1] = d.at
	d.printf("%d 0 obj\n%s\nendobj\n", id, body)
}

// stream writes a stream, compressed. dict has the entries besides length and
// filter.
func (d *document) stream(id int, dict string, data []byte) {
	d.packed.Reset()
	d.flate.Reset(&d.packed)
	// Writing to memory does not fail.
	_, _ = d.flate.Write(data)
	_ = d.flate.Close()
	d.rawStream(id, dict+"/Filter/FlateDecode", d.packed.Bytes())
}

func (d *document) rawStream(id int, dict string, data []byte) {
	d.offsets[id-1] = d.at
	d.printf("%d 0 obj\n<<%s/Length %d>>\nstream\n", id, dict, len(data))
	d.write(data)
	d.print("\nendstream\nendobj\n")
}

// close writes fonts, page tree and the table of places.
func (d *document) close() error {
	if len(d.pages) == 0 && d.err == nil {
		return fail.New(fail.Invalid, "no_pages", "there is nothing to print").In("没有可打印的内容")
	}
	for i, s := range d.subsets {
		d.font(d.fontIDs[i], s)
	}
	kids := []byte{}
	for _, id := range d.pages {
		kids = fmt.Appendf(kids, "%d 0 R ", id)
	}
	d.object(d.tree, fmt.Sprintf("<</Type/Pages/Count %d/Kids[%s]>>", len(d.pages), bytes.TrimSpace(kids)))
	language := "zh-CN"
	if d.english {
		language = "en"
	}
	info, root := d.reserve(), d.reserve()
	d.object(info, fmt.Sprintf("<</Title <%s>/Creator (bajigong)/Producer (bajigong)>>", textHex(d.title)))
	// A viewer that scales to the paper's margins spoils positions and the QR code.
	d.object(root, fmt.Sprintf("<</Type/Catalog/Pages %d 0 R/Lang(%s)/ViewerPreferences<</PrintScaling/None/DisplayDocTitle true>>>>", d.tree, language))
	start := d.at
	d.printf("xref\n0 %d\n0000000000 65535 f \n", len(d.offsets)+1)
	table := make([]byte, 0, 20*len(d.offsets))
	for _, at := range d.offsets {
		table = fmt.Appendf(table, "%010d 00000 n \n", at)
	}
	d.write(table)
	id := d.sum.Sum(nil)[:16]
	d.printf("trailer\n<</Size %d/Root %d 0 R/Info %d 0 R/ID[<%x><%x>]>>\nstartxref\n%d\n%%%%EOF\n", len(d.offsets)+1, root, info, id, id, start)
	return d.err
}

// font writes one font of the document; one that no page used is an empty
// object that nothing points to.
func (d *document) font(id int, s *subset) {
	if len(s.runes) == 0 {
		d.object(id, "null")
		return
	}
	f := s.font
	name := s.tag() + "+" + f.name
	file, unicode, cid, descriptor := d.reserve(), d.reserve(), d.reserve(), d.reserve()
	data := s.file()
	d.stream(file, fmt.Sprintf("/Length1 %d", len(data)), data)
	d.stream(unicode, "", s.toUnicode())
	per := func(v int) int { return v * 1000 / f.units }
	flags := 4 // symbolic: no standard encoding
	if f.thin {
		flags |= 1
	}
	d.object(descriptor, fmt.Sprintf("<</Type/FontDescriptor/FontName/%s/Flags %d/FontBBox[%d %d %d %d]/ItalicAngle 0/Ascent %d/Descent %d/CapHeight %d/StemV 80/FontFile2 %d 0 R>>",
		name, flags, per(f.bbox[0]), per(f.bbox[1]), per(f.bbox[2]), per(f.bbox[3]), per(f.ascent), per(f.descent), per(f.cap), file))
	var w bytes.Buffer
	s.widths(&w)
	d.object(cid, fmt.Sprintf("<</Type/Font/Subtype/CIDFontType2/BaseFont/%s/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>/FontDescriptor %d 0 R/DW 1000/W %s/CIDToGIDMap/Identity>>", name, descriptor, w.Bytes()))
	d.object(id, fmt.Sprintf("<</Type/Font/Subtype/Type0/BaseFont/%s/Encoding/Identity-H/DescendantFonts[%d 0 R]/ToUnicode %d 0 R>>", name, cid, unicode))
}

// textHex is a text string of the document's own entries: UTF-16 with its mark.
func textHex(s string) string { return string(utf16Hex([]byte("FEFF"), s)) }

func utf16Hex(out []byte, s string) []byte {
	for _, u := range utf16.Encode([]rune(s)) {
		out = appendHex(out, u)
	}
	return out
}

func appendHex(out []byte, u uint16) []byte {
	const digits = "0123456789ABCDEF"
	return append(out, digits[u>>12], digits[u>>8&15], digits[u>>4&15], digits[u&15])
}

// page is one page that is being drawn. All places are in mm from the upper left
// corner; sizes of type are in points.
type page struct {
	doc           *document
	width, height float64
	out           []byte
	images        []int // objects that the page shows
	used          []bool
}

func (d *document) page(width, height float64) *page {
	return &page{doc: d, width: width, height: height, used: make([]bool, len(d.subsets)), out: make([]byte, 0, 48<<10)}
}

// num writes a number with at most three decimals.
func (p *page) num(values ...float64) *page {
	for _, v := range values {
		n := int64(v*1000 + 0.5)
		if v < 0 {
			n = int64(v*1000 - 0.5)
		}
		if n < 0 {
			p.out = append(p.out, '-')
			n = -n
		}
		p.out = strconv.AppendInt(p.out, n/1000, 10)
		if rest := n % 1000; rest != 0 {
			p.out = append(p.out, '.', byte('0'+rest/100))
			if rest%100 != 0 {
				p.out = append(p.out, byte('0'+rest/10%10))
			}
			if rest%10 != 0 {
				p.out = append(p.out, byte('0'+rest%10))
			}
		}
		p.out = append(p.out, ' ')
	}
	return p
}

func (p *page) op(s string) *page {
	p.out = append(append(p.out, s...), '\n')
	return p
}

// at writes a place.
func (p *page) at(x, y float64) *page { return p.num(x*pt, (p.height-y)*pt) }

// colour is a colour of ink, 0 to 1.
type colour struct{ r, g, b float64 }

var (
	black = colour{}
	ink   = colour{0.106, 0.122, 0.141} // #1b1f24
	quiet = colour{0.349, 0.388, 0.431} // #59636e
	faint = colour{0.66, 0.69, 0.72}
	frame = colour{0.541, 0.169, 0.125}
)

func (p *page) fill(c colour) *page   { return p.num(c.r, c.g, c.b).op("rg") }
func (p *page) stroke(c colour) *page { return p.num(c.r, c.g, c.b).op("RG") }

// line draws a line of a width in points.
func (p *page) line(x1, y1, x2, y2, width float64) {
	p.num(width).op("w").at(x1, y1).op("m").at(x2, y2).op("l S")
}

// rect draws the outline of a rectangle.
func (p *page) rect(x, y, w, h, width float64) {
	p.num(width).op("w").at(x, y+h).num(w*pt, h*pt).op("re S")
}

// circle draws a circle, dashed when dash is above 0 (mm).
func (p *page) circle(x, y, radius, width, dash float64) {
	const k = 0.5523 // a quarter as a Bézier curve
	r, c := radius, radius*k
	if dash > 0 {
		p.op("q [").num(dash*pt, dash*pt).op("] 0 d")
	}
	p.num(width).op("w").at(x+r, y).op("m")
	p.at(x+r, y-c).at(x+c, y-r).at(x, y-r).op("c")
	p.at(x-c, y-r).at(x-r, y-c).at(x-r, y).op("c")
	p.at(x-r, y+c).at(x-c, y+r).at(x, y+r).op("c")
	p.at(x+c, y+r).at(x+r, y+c).at(x+r, y).op("c s")
	if dash > 0 {
		p.op("Q")
	}
}

// image shows an image object within a rectangle.
func (p *page) image(id int, x, y, w, h float64) {
	place := len(p.images)
	for i, have := range p.images {
		if have == id {
			place = i
		}
	}
	if place == len(p.images) {
		p.images = append(p.images, id)
	}
	p.op("q").num(w*pt, 0, 0, h*pt).at(x, y+h).op("cm /I" + strconv.Itoa(place) + " Do Q")
}

// text writes one line with its baseline at y.
func (p *page) text(x, y, size float64, s string) {
	if s == "" {
		return
	}
	p.op("BT").at(x, y).op("Td")
	current := -1
	for _, r := range s {
		place, _ := p.doc.fonts.pick(r)
		if place < 0 {
			// Every text is checked before it is drawn; a hole in a name must
			// never be printed whatever went wrong.
			if p.doc.err == nil {
				p.doc.err = glyphsMissing("the page", []fail.Field{missingGlyph("text", 0, []rune{r})})
			}
			continue
		}
		if place != current {
			if current >= 0 {
				p.op("> Tj")
			}
			current, p.used[place] = place, true
			p.out = append(p.out, "/F"...)
			p.out = strconv.AppendInt(p.out, int64(place), 10)
			p.out = append(p.out, ' ')
			p.num(size).op("Tf")
			p.out = append(p.out, '<')
		}
		p.out = appendHex(p.out, p.doc.subsets[place].cid(r))
	}
	if current >= 0 {
		p.op("> Tj")
	}
	p.op("ET")
}

// end writes the page to the document.
func (p *page) end() {
	d := p.doc
	content, id := d.reserve(), d.reserve()
	d.stream(content, "", p.out)
	var fonts, images []byte
	for i, used := range p.used {
		if used {
			fonts = fmt.Appendf(fonts, "/F%d %d 0 R", i, d.fontIDs[i])
		}
	}
	for i, image := range p.images {
		images = fmt.Appendf(images, "/I%d %d 0 R", i, image)
	}
	d.object(id, fmt.Sprintf("<</Type/Page/Parent %d 0 R/MediaBox[0 0 %.2f %.2f]/Resources<</Font<<%s>>/XObject<<%s>>>>/Contents %d 0 R>>",
		d.tree, p.width*pt, p.height*pt, fonts, images, content))
	d.pages = append(d.pages, id)
}
