package paper

// The face, mm: the upper half states what is certified and by whom, the lower
// half about whom, as the order of the fields in 人社鉴发〔2021〕1号 has it.
const (
	marginLeft  = 30.0
	marginRight = 180.0
	signLabel   = 86.0  // labels of institution and date
	signValue   = 118.0 // their values, under the seal
	signWidth   = 66.0
	sealY       = 130.0 // the middle of the seal
	rowsTop     = 158.0
	rowHeight   = 11.6
	rowValue    = 66.0
	rowWidth    = 72.0
	sideMiddle  = 163.5 // of photo and code
	photoWidth  = 25.0  // 1 inch: 人社鉴发〔2021〕1号
	photoHeight = 35.0
	codeTop     = 196.5
	footTop     = 253.0
	footLine    = 6.6
)

// rows are the fields of the lower half.
var rows = order[2:]

// faceBox is the box of a field's value.
func faceBox(field string) (x, y, width, height float64) {
	switch field {
	case FieldInstitution:
		return signValue, sealY - 18, signWidth, 20
	case FieldIssued:
		return signValue, sealY + 3, signWidth, 9.5
	}
	for i, f := range rows {
		if f == field {
			return rowValue, rowsTop + float64(i)*rowHeight + 0.6, rowWidth, rowHeight - 1.2
		}
	}
	return 0, 0, 0, 0
}

// words are all that the face says besides its fields, to be checked for glyphs.
func (p *Printer) words() string {
	all := "（评价机构印章）一寸照片粘贴处：" + p.o.Site
	for _, line := range p.addresses() {
		all += line.label.ZH + line.value
		if p.o.Bilingual {
			all += line.label.EN
		}
	}
	for _, l := range labels {
		all += l.ZH
		if p.o.Bilingual {
			all += l.EN
		}
	}
	return all
}

// face draws a whole certificate, its parts in the order of the notice, so that
// the text reads and copies in this order.
func (p *Printer) face(r *ready) {
	g := p.doc.page(a4Width, a4Height)
	g.shift(p.o.Shift)
	g.stroke(frame)
	g.rect(11, 11, a4Width-22, a4Height-22, 1.4)
	g.rect(12.6, 12.6, a4Width-25.2, a4Height-25.2, 0.5)
	p.head(g, r)
	p.signature(g, r)
	g.stroke(faint)
	for i, field := range rows {
		y := rowsTop + float64(i)*rowHeight
		p.label(g, field, marginLeft, y, rowHeight)
		p.value(g, r, field)
		g.line(rowValue-2, y+rowHeight, rowValue+rowWidth, y+rowHeight, 0.4)
	}
	p.photo(g, r, sideMiddle-photoWidth/2, rowsTop+1, photoWidth, photoHeight)
	p.code(g, r)
	p.foot(g, r)
	g.end()
}

func (p *Printer) head(g *page, r *ready) {
	f := p.doc.fonts
	g.fill(ink)
	g.aligned(0, 47, a4Width, 32, p.o.Face.Title.ZH, centre)
	top := 72.0
	if p.o.Bilingual {
		g.fill(quiet)
		g.aligned(0, 56.5, a4Width, 13, p.o.Face.Title.EN, centre)
		g.fill(ink)
	}
	const size, width = typeSize + 1, marginRight - marginLeft
	indent, lead := 2*size/pt, size*1.75/pt
	for i, line := range f.wrap(r.body.ZH, size, width, indent) {
		x := marginLeft
		if i == 0 {
			x += indent
		}
		g.text(x, top, size, line)
		top += lead
	}
	if p.o.Bilingual {
		g.fill(quiet)
		for _, line := range f.wrap(r.body.EN, 9.5, width, 0) {
			g.text(marginLeft, top, 9.5, line)
			top += 9.5 * 1.5 / pt
		}
		g.fill(ink)
	}
}

// signature draws institution and date with the seal upon them.
func (p *Printer) signature(g *page, r *ready) {
	for _, field := range order[:2] {
		_, y, _, h := faceBox(field)
		p.label(g, field, signLabel, y, h)
		p.value(g, r, field)
	}
	d := p.o.Face.SealDiameter
	x := signValue + 24.0
	if p.o.Seal == nil {
		g.stroke(faint)
		g.circle(x, sealY, d/2, 0.7, 1.2)
		g.fill(faint)
		g.aligned(x-d/2, sealY+d/2-4.6, d, 7.5, "（评价机构印章）", centre)
		g.fill(ink)
		return
	}
	if p.seal == 0 {
		p.seal = p.doc.addImage(p.o.Seal.picture)
	}
	w, h := d, d
	if s := p.o.Seal.picture; s.width > s.height { // an oval seal keeps its form
		h = d * float64(s.height) / float64(s.width)
	} else {
		w = d * float64(s.width) / float64(s.height)
	}
	g.image(p.seal, x-w/2, sealY-h/2, w, h)
}

// label draws the words of a field, the English below.
func (p *Printer) label(g *page, field string, x, y, height float64) {
	l := labels[field]
	g.fill(quiet)
	if p.o.Bilingual {
		g.text(x, y+height*0.5, typeSize-1, l.ZH)
		g.text(x, y+height*0.5+3.6, 7.5, l.EN)
	} else {
		g.text(x, y+height/2+0.36*typeSize/pt, typeSize, l.ZH)
	}
	g.fill(ink)
}

func (p *Printer) value(g *page, r *ready, field string) {
	x, y, w, h := faceBox(field)
	if english, ok := r.placed[field+en]; ok {
		g.block(r.placed[field], x, y, w, h*0.6, left)
		g.fill(quiet)
		g.block(english, x, y+h*0.6, w, h*0.4, left)
		g.fill(ink)
		return
	}
	g.block(r.placed[field], x, y, w, h, left)
}

// photo fills its place without a change of proportions; the edges are cut.
func (p *Printer) photo(g *page, r *ready, x, y, w, h float64) {
	g.stroke(faint)
	if r.photo == nil {
		g.rect(x, y, w, h, 0.4)
		g.fill(faint)
		g.aligned(x, y+h/2-0.5, w, 8, "一寸照片", centre)
		g.aligned(x, y+h/2+3.5, w, 8, "粘贴处", centre)
		g.fill(ink)
		return
	}
	id := p.doc.addImage(*r.photo)
	scale := max(w/float64(r.photo.width), h/float64(r.photo.height))
	iw, ih := scale*float64(r.photo.width), scale*float64(r.photo.height)
	g.op("q").at(x, y+h).num(w*pt, h*pt).op("re W n")
	g.image(id, x-(iw-w)/2, y-(ih-h)/2, iw, ih)
	g.op("Q")
	g.rect(x, y, w, h, 0.3)
}

func (p *Printer) code(g *page, r *ready) {
	module := qrModule(r.code, qrLeast)
	side := module * float64(r.code.Modules())
	g.qr(r.code, sideMiddle-side/2, codeTop, module)
	if r.Handle == "" {
		return
	}
	g.fill(quiet)
	g.aligned(sideMiddle-side/2, codeTop+side+1.8, side, 9, r.Handle.Grouped(), centre)
	g.fill(ink)
}

// address is one line at the foot.
type address struct {
	label struct{ ZH, EN string }
	value string
}

func (p *Printer) addresses() (out []address) {
	add := func(zh, english, value string) {
		if value == "" {
			return
		}
		a := address{value: value}
		a.label.ZH, a.label.EN = zh, english
		out = append(out, a)
	}
	f := p.o.Face
	add("证书信息查询网址", "Certificates", f.CertificateQuery)
	add("机构信息查询网址", "Institutions", f.InstitutionQuery)
	add("省级查询网址", "Province", f.Provincial)
	add("扫码或输入查验码查验", "Check the code", p.o.Site)
	return out
}

func (p *Printer) foot(g *page, r *ready) {
	const size = 10.5
	y := footTop
	for _, line := range p.addresses() {
		text := line.label.ZH
		if p.o.Bilingual {
			text += " " + line.label.EN
		}
		g.fill(quiet)
		g.text(marginLeft, y, size, text+"：")
		g.fill(ink)
		g.text(marginLeft+p.doc.fonts.width(text+"：", size), y, size, line.value)
		y += footLine
	}
	if r.Serial != "" {
		g.aligned(marginLeft, footTop+3*footLine, marginRight-marginLeft, size, labels[FieldSerial].ZH+"："+r.Serial, right)
	}
}

// shift moves all that follows.
func (p *page) shift(s Shift) {
	if s != (Shift{}) {
		p.num(1, 0, 0, 1, s.X*pt, -s.Y*pt).op("cm")
	}
}

// overprint draws only the boxes of a blank.
func (p *Printer) overprint(r *ready) {
	g := p.doc.page(p.o.Blank.Width, p.o.Blank.Height)
	g.shift(p.o.Shift)
	g.fill(black)
	for _, b := range p.o.Blank.Boxes {
		switch b.Field {
		case FieldPhoto:
			if r.photo != nil {
				p.photo(g, r, b.X, b.Y, b.Width, b.Height)
			}
		case FieldQR:
			module := min(b.Width, b.Height) / float64(r.code.Modules())
			side := module * float64(r.code.Modules())
			g.qr(r.code, b.X+(b.Width-side)/2, b.Y+(b.Height-side)/2, module)
		default:
			g.block(r.placed[b.Field], b.X, b.Y, b.Width, b.Height, alignOf(b.Align))
		}
	}
	g.end()
}

func alignOf(s string) align {
	switch s {
	case "centre":
		return centre
	case "right":
		return right
	}
	return left
}
