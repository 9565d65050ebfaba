package paper

import (
	"bytes"
	"encoding/xml"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"bajigong/credentials"
	"bajigong/internal/fail"
	"bajigong/internal/needed"
)

func options(t testing.TB) Options {
	return Options{Face: face(t), Site: "https://zs.example.gov.cn/verify"}
}

func printed(t testing.TB, o Options, all ...Certificate) []byte {
	t.Helper()
	var b bytes.Buffer
	must(t, Write(&b, chinese(t), all, o))
	return b.Bytes()
}

// The fields and their order: 人社鉴发〔2021〕1号. Characters beyond the BMP are
// copied out as themselves.
func TestFieldsStandAndCopyInOrder(t *testing.T) {
	for _, bilingual := range []bool{false, true} {
		o := options(t)
		o.Bilingual = bilingual
		c := sample(t, 1)
		c.Trade = ""
		path := save(t, map[bool]string{false: "zh.pdf", true: "both.pdf"}[bilingual], printed(t, o, c))
		text := run(t, "pdftotext", "-raw", path, "-")
		last := 0
		for _, want := range []string{"职业技能等级证书", "本证书表明", "评价机构名称", c.Institution, "发证日期", "2025年6月30日", "姓名", "欧阳𬭎𠮷", "证件类型", "居民身份证", "证件号码", c.DocumentNumber,
			"职业名称", "电工", "工种/职业方向", "--", "职业技能等级", "三级/高级工", "证书编号", c.Number, "7k3m9-qh2c-4x5t", "证书信息查询网址", "http://jndj.osta.org.cn",
			"机构信息查询网址", "http://pjjg.osta.org.cn", "https://zs.example.gov.cn/verify", "印制流水码：A00000001"} {
			at := strings.Index(text[last:], want)
			if at < 0 {
				t.Errorf("bilingual %t: no %q in its place in\n%s", bilingual, want, text)
				continue
			}
			last += at + len(want)
		}
		if english := strings.Contains(text, "Skill level"); english != bilingual {
			t.Errorf("bilingual %t: English %t", bilingual, english)
		}
		for _, line := range strings.Split(run(t, "pdffonts", path), "\n")[2:] {
			if f := strings.Fields(line); len(f) > 0 && !(slices.Equal(f[len(f)-5:len(f)-2], []string{"yes", "yes", "yes"}) && strings.Contains(line, "CID TrueType") && strings.Contains(line, "Identity-H")) {
				t.Errorf("font %q is not embedded as a subset with Unicode", line)
			}
		}
		info := run(t, "pdfinfo", path)
		for _, want := range []string{"Pages:           1\n", "595.28 x 841.89 pts (A4)", "Title:           职业技能等级证书"} {
			if !strings.Contains(info, want) {
				t.Errorf("pdfinfo has no %q:\n%s", want, info)
			}
		}
		if strings.Contains(info, "CreationDate") || strings.Contains(info, "欧阳") {
			t.Errorf("pdfinfo says too much:\n%s", info)
		}
	}
}

// Ghostscript reads the file without repairing anything.
func TestAnotherReaderFindsNoFault(t *testing.T) {
	gs := needed.Tool(t, "gs", "ghostscript")
	o := options(t)
	o.Seal = seal(t)
	path := save(t, "gs.pdf", printed(t, o, sample(t, 1), sample(t, 2)))
	out, err := exec.Command(gs, "-q", "-dNOPAUSE", "-dBATCH", "-dSAFER", "-dPDFSTOPONERROR", "-dPDFSTOPONWARNING", "-sDEVICE=nullpage", path).CombinedOutput()
	if err != nil || len(bytes.TrimSpace(out)) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
}

// The page at 300 dpi, as an office printer makes it, for three decoders.
func TestCodeIsReadFromThePageAt300Dots(t *testing.T) {
	long := "https://zs.example.gov.cn/c/7k3m9qh2c4x5t#" + strings.Repeat("7", 850)
	if code, err := credentials.NewImage(long); err != nil || code.Version() != credentials.MaxVersion {
		t.Fatalf("version %d, %v", code.Version(), err)
	}
	sheets := map[string]Options{"whole": options(t), "blank": {Face: face(t), Blank: blank(t)}}
	for name, o := range sheets {
		for _, text := range []string{qrText(7), long} {
			c := sample(t, 7)
			c.QR = text
			path := save(t, name+".pdf", printed(t, o, c))
			stem := strings.TrimSuffix(path, ".pdf")
			run(t, "pdftoppm", "-r", "300", "-png", "-singlefile", path, stem)
			if got := strings.TrimSpace(run(t, "zbarimg", "-q", "--raw", "-Sdisable", "-Sqrcode.enable", stem+".png")); got != text {
				t.Errorf("%s: zbar reads %q", name, got)
			}
			if got := run(t, "ZXingReader", "-format", "QRCode", stem+".png"); !strings.Contains(got, text) {
				t.Errorf("%s: ZXing reads %q", name, got)
			}
			f, err := os.Open(stem + ".png")
			must(t, err)
			got, err := credentials.DecodeImage(f)
			must(t, f.Close())
			if err != nil || got != text {
				t.Errorf("%s: we read %q, %v", name, got, err)
			}
		}
	}
}

// The code is 30 mm or more without its quiet zone of 4 modules, and no module is
// below 5 dots at 300 dpi.
func TestSizeOfTheCode(t *testing.T) {
	for _, text := range []string{"https://example.org/", qrText(1), "https://zs.example.gov.cn/c/7k3m9qh2c4x5t#" + strings.Repeat("7", 850)} {
		code, err := credentials.NewImage(text)
		must(t, err)
		module := qrModule(code, qrLeast)
		if side := module * float64(code.Modules()-8); side < 30 || module < 0.4233 {
			t.Errorf("version %d: %.1f mm, %.3f a module", code.Version(), side, module)
		}
		// It stays clear of the text beside and below it.
		x := sideMiddle - module*float64(code.Modules())/2
		if code.Version() >= 10 && (x < rowValue+rowWidth || codeTop+module*float64(code.Modules()) > footTop-8) {
			t.Errorf("version %d reaches into the text", code.Version())
		}
	}
}

func TestEqualInputGivesEqualBytes(t *testing.T) {
	a, b := printed(t, options(t), sample(t, 1), sample(t, 2)), printed(t, options(t), sample(t, 1), sample(t, 2))
	if !bytes.Equal(a, b) {
		t.Error("two prints differ")
	}
	if bytes.Contains(a, []byte("欧阳")) || bytes.Contains(a, []byte("11010519491231002X")) {
		t.Error("personal data stand in the file in plain")
	}
}

// longest are values as long as the register takes them: the longest name of an
// occupation in the classification of 2022 has 19 characters, a personal name up
// to 40 (standards.MaxName), an institution's up to 100.
func longest(t testing.TB) Certificate {
	c := sample(t, 3)
	c.Name = strings.Repeat("阿卜杜热合曼·买买提艾力·", 4)[:len("阿卜杜热合曼·买买提艾力·")*3+len("阿卜")]
	c.Institution = strings.Repeat("江南某市高新技术产业开发区装备制造职业技能等级评价中心", 4)[:100*3]
	c.DocumentKind = "外国人永久居留身份证"
	c.Occupation = "地球物理地球化学与遥感勘查工程技术人员"
	c.Trade = "高速铁路牵引供电接触网运行检修与应急抢修作业方向（城际）"
	c.Level = "一级/高级技师"
	c.EN = English{Name: "Abdurahman Mamateli Abdurahman Mamateli", DocumentKind: "Foreign permanent resident identity card", Level: "Senior technician"}
	return c
}

// Every value stays within its box, and boxes do not touch each other.
func TestLongValuesNeverOverlap(t *testing.T) {
	for _, bilingual := range []bool{false, true} {
		o := options(t)
		o.Bilingual = bilingual
		p := NewPrinter(&bytes.Buffer{}, chinese(t), o)
		r, err := p.prepare(longest(t), true)
		must(t, err)
		for _, field := range order {
			_, _, w, h := faceBox(field)
			value := r.placed[field]
			used := float64(len(value.lines)) * value.lead
			if english, ok := r.placed[field+en]; ok {
				used += float64(len(english.lines)) * english.lead
			}
			if used > h+0.05 || value.size < 6 {
				t.Errorf("%s: %.1f mm of %.1f at %.1f points", field, used, h, value.size)
			}
			for _, line := range value.lines {
				if got := p.doc.fonts.width(line, value.size); got > w+0.05 {
					t.Errorf("%s: a line of %.1f mm in %.1f", field, got, w)
				}
			}
			if strings.Join(value.lines, "") != strings.ReplaceAll(r.values[field], " ", "") && !strings.Contains(r.values[field], " ") {
				t.Errorf("%s lost something: %q", field, value.lines)
			}
		}
		save(t, map[bool]string{false: "long.pdf", true: "long-both.pdf"}[bilingual], printed(t, o, longest(t)))
	}
	for i, a := range order {
		ax, ay, aw, ah := faceBox(a)
		for _, b := range order[i+1:] {
			bx, by, bw, bh := faceBox(b)
			if ax < bx+bw && bx < ax+aw && ay < by+bh && by < ay+ah {
				t.Errorf("%s and %s overlap", a, b)
			}
		}
	}
}

func TestWhatCannotBePrintedIsRefusedBeforeAnythingIsWritten(t *testing.T) {
	for name, one := range map[string]struct {
		change func(*Certificate)
		code   string
		field  string
	}{
		"a character no font has": {func(c *Certificate) { c.Name = "王\U000323AF" }, "glyph_missing", FieldName},
		"letters that join":       {func(c *Certificate) { c.Name = "ئالىم" }, "glyph_missing", FieldName},
		"an endless institution":  {func(c *Certificate) { c.Institution = strings.Repeat("某", 400) }, "does_not_fit", FieldInstitution},
		"no name":                 {func(c *Certificate) { c.Name = "" }, "bad_certificate", FieldName},
		"no date":                 {func(c *Certificate) { c.Issued = "2025-02-30" }, "bad_certificate", FieldIssued},
		"a photo that is none":    {func(c *Certificate) { c.Photo = []byte("GIF89a") }, "photo_form", FieldPhoto},
		"a photo too large":       {func(c *Certificate) { c.Photo = make([]byte, MaxPhotoBytes+1) }, "photo_size", FieldPhoto},
		"too long a code":         {func(c *Certificate) { c.QR = strings.Repeat("a", 500) }, "qr_too_dense", ""},
	} {
		good, bad := sample(t, 1), sample(t, 36)
		one.change(&bad)
		var b bytes.Buffer
		p := NewPrinter(&b, chinese(t), options(t))
		before := b.Len()
		err := p.Add(bad)
		e := fail.Of(err)
		if e.Code != one.code || b.Len() != before {
			t.Errorf("%s: %v, %d bytes written", name, err, b.Len()-before)
		}
		if one.field != "" && (len(e.Fields) == 0 || e.Fields[0].Name != one.field || e.Fields[0].Row != 37) {
			t.Errorf("%s: fields %+v", name, e.Fields)
		}
		if strings.Contains(e.Error()+e.ZH, bad.DocumentNumber) || bad.Name != "" && strings.Contains(e.Error()+e.ZH, bad.Name) {
			t.Errorf("%s: personal data in %v", name, err)
		}
		must(t, p.Add(good)) // the document goes on
		must(t, p.Close())
		if err := Write(&bytes.Buffer{}, chinese(t), []Certificate{good, bad}, options(t)); fail.CodeOf(err) != one.code {
			t.Errorf("%s: Write: %v", name, err)
		}
	}
	err := NewPrinter(&bytes.Buffer{}, chinese(t), options(t)).Add(Certificate{Row: 5, Institution: "某", Issued: "2025-06-30", Name: "王\U000323AF", DocumentKind: "居民身份证", DocumentNumber: "1",
		Occupation: "电工", Level: "三级/高级工", Number: "S1", QR: "https://example.org/"})
	if e := fail.Of(err); !strings.Contains(e.ZH, "U+323AF") || !strings.Contains(e.ZH, "S1") || !strings.Contains(e.ZH, "浏览器") {
		t.Errorf("the way out is missing: %s", e.ZH)
	}
	if err := NewPrinter(&bytes.Buffer{}, chinese(t), options(t)).Close(); fail.CodeOf(err) != "no_pages" {
		t.Errorf("nothing: %v", err)
	}
}

// seal is a red ring on a transparent ground.
func seal(t testing.TB) *Seal {
	t.Helper()
	img := image.NewNRGBA(image.Rect(0, 0, 300, 300))
	for y := range 300 {
		for x := range 300 {
			if d := math.Hypot(float64(x-150), float64(y-150)); d < 148 && d > 138 || d < 40 {
				img.SetNRGBA(x, y, color.NRGBA{200, 20, 20, 210})
			}
		}
	}
	var b bytes.Buffer
	must(t, png.Encode(&b, img))
	s, err := OpenSeal(b.Bytes())
	must(t, err)
	return s
}

func TestSealIsTransparentAndOnceInAFile(t *testing.T) {
	o := options(t)
	o.Seal = seal(t)
	data := printed(t, o, sample(t, 1), sample(t, 2))
	path := save(t, "seal.pdf", data)
	list := run(t, "pdfimages", "-list", path)
	if strings.Count(list, "smask") != 2 || bytes.Count(data, []byte("/SMask")) != 1 { // shown on two pages
		t.Errorf("images:\n%s", list)
	}
	if text := run(t, "pdftotext", path, "-"); strings.Contains(text, "印章") {
		t.Error("the placeholder stands under the seal")
	}
	var b bytes.Buffer
	must(t, png.Encode(&b, image.NewGray(image.Rect(0, 0, 10, 10))))
	if _, err := OpenSeal(b.Bytes()); fail.CodeOf(err) != "seal_form" {
		t.Errorf("an opaque seal: %v", err)
	}
	b.Reset()
	must(t, png.Encode(&b, image.NewNRGBA(image.Rect(0, 0, MaxSealSide+1, 10))))
	if _, err := OpenSeal(b.Bytes()); fail.CodeOf(err) != "seal_size" {
		t.Errorf("a huge seal: %v", err)
	}
}

// What a phone writes into a photo (EXIF: place, time, device) is left out; the
// picture itself is not touched.
func TestRemarksOfAPhotoAreLeftOut(t *testing.T) {
	plain := photo(t)
	remark := []byte("\xFF\xE1\x00\x14Exif\x00\x00GPS-31.3-120.9")
	remark[3] = byte(len(remark) - 2)
	tagged := slices.Concat(plain[:2], remark, []byte("\xFF\xFE\x00\x07hello"), plain[2:])
	p, err := readPhoto(tagged)
	must(t, err)
	if bytes.Contains(p.jpeg, []byte("GPS")) || bytes.Contains(p.jpeg, []byte("hello")) || !bytes.Equal(p.jpeg, plain) {
		t.Errorf("%d bytes of %d", len(p.jpeg), len(plain))
	}
	c := sample(t, 1)
	c.Photo = tagged
	path := save(t, "photo.pdf", printed(t, options(t), c))
	if list := run(t, "pdfimages", "-list", path); !strings.Contains(list, "jpeg") {
		t.Errorf("the photo is not a JPEG any more:\n%s", list)
	}
	var b bytes.Buffer
	must(t, png.Encode(&b, image.NewNRGBA(image.Rect(0, 0, 25, 35))))
	c.Photo = b.Bytes()
	printed(t, options(t), c)
}

func FuzzReadPhoto(f *testing.F) {
	f.Add(photo(f))
	f.Add([]byte("\xFF\xD8\xFF\xE1\x00\x02\xFF\xDA"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if p, err := readPhoto(data); err == nil && (p.width < 1 || p.height < 1 || p.jpeg == nil && p.pixels == nil) {
			t.Errorf("%+v", p)
		}
	})
}

// words are the words of a page with their places, as pdftotext finds them.
func words(t testing.TB, path string) map[string][2]float64 {
	t.Helper()
	var doc struct {
		Words []struct {
			X    float64 `xml:"xMin,attr"`
			Y    float64 `xml:"yMin,attr"`
			Text string  `xml:",chardata"`
		} `xml:"body>doc>page>word"`
	}
	must(t, xml.Unmarshal([]byte(run(t, "pdftotext", "-bbox", path, "-")), &doc))
	out := map[string][2]float64{}
	for _, w := range doc.Words {
		out[w.Text] = [2]float64{w.X / pt, w.Y / pt}
	}
	return out
}

func blank(t testing.TB) *Blank {
	t.Helper()
	set, err := EmbeddedBlanks()
	must(t, err)
	b, ok := set.On("320583", "2026-03-01")
	if !ok || b.Sample == "" {
		t.Fatal("no blank, or one that does not say that it is a sample")
	}
	return &b
}

// 套打: only what differs is printed, each at its place, and all moves together.
func TestOverprintIsAtItsPlace(t *testing.T) {
	b := blank(t)
	var before map[string][2]float64
	for _, shift := range []Shift{{}, {X: 2, Y: -3}} {
		path := save(t, "blank.pdf", printed(t, Options{Blank: b, Shift: shift}, sample(t, 1)))
		text := run(t, "pdftotext", path, "-")
		for _, not := range []string{"职业技能等级证书", "姓名", "证书编号", "印章", "查询"} {
			if strings.Contains(text, not) {
				t.Errorf("the blank has %q twice", not)
			}
		}
		got := words(t, path)
		for _, box := range b.Boxes {
			value := map[string]string{FieldName: "欧阳𬭎𠮷", FieldNumber: sample(t, 1).Number, FieldLevel: "三级/高级工"}[box.Field]
			if value == "" {
				continue
			}
			at, ok := got[value]
			if !ok || math.Abs(at[0]-box.X-shift.X) > 0.7 || at[1] < box.Y+shift.Y || at[1] > box.Y+shift.Y+box.Height {
				t.Errorf("%s is at %v, its box at %.1f, %.1f, shift %v", box.Field, at, box.X, box.Y, shift)
			}
		}
		for word, at := range before {
			if now := got[word]; math.Abs(now[0]-at[0]-2) > 0.02 || math.Abs(now[1]-at[1]+3) > 0.02 {
				t.Errorf("%q moved from %v to %v", word, at, now)
			}
		}
		before = got
	}
}

func TestBlankProblems(t *testing.T) {
	if p := blank(t).Problems(); len(p) != 0 {
		t.Fatalf("the sample: %v", p)
	}
	for name, change := range map[string]func(*Blank){
		"a small code":    func(b *Blank) { b.Boxes[10].Width = 25 },
		"off the sheet":   func(b *Blank) { b.Boxes[0].X = 200 },
		"not a number":    func(b *Blank) { b.Boxes[0].X = math.NaN() },
		"twice":           func(b *Blank) { b.Boxes[0].Field = FieldName },
		"unknown":         func(b *Blank) { b.Boxes[0].Field = "height" },
		"no number":       func(b *Blank) { b.Boxes = slices.Delete(b.Boxes, 8, 9) },
		"tiny type":       func(b *Blank) { b.Boxes[0].Size = 3 },
		"strange align":   func(b *Blank) { b.Boxes[0].Align = "middle" },
		"a sheet of 1 km": func(b *Blank) { b.Width = 1e6 },
	} {
		b := *blank(t)
		b.Boxes = slices.Clone(b.Boxes)
		if change(&b); len(b.Problems()) == 0 {
			t.Errorf("%s: no problem", name)
		}
	}
	f := face(t)
	f.Body.ZH += "{height}"
	if len(f.Problems()) != 1 {
		t.Errorf("an unknown placeholder: %v", f.Problems())
	}
}

func TestCalibration(t *testing.T) {
	var b bytes.Buffer
	must(t, Calibration(&b, chinese(t), *blank(t), Shift{X: 0.5}))
	path := save(t, "calibration.pdf", b.Bytes())
	if text := run(t, "pdftotext", "-raw", path, "-"); !strings.Contains(text, "姓名 68.0, 161.0 mm") || !strings.Contains(text, "--offset 0.5,0.0") {
		t.Errorf("%s", text)
	}
}
