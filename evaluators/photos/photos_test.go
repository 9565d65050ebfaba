package photos_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"golang.org/x/text/encoding/simplifiedchinese"

	"bajigong/evaluators/photos"
	"bajigong/internal/fail"
	"bajigong/internal/rulefile"
)

func rules(t testing.TB) photos.Rules {
	t.Helper()
	set, err := photos.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	r, ok := set.On("320583", "2026-03-02")
	if !ok {
		t.Fatal("no rules")
	}
	return r
}

// What the notice says is cited, everything else is a sample.
func TestEmbeddedIsASample(t *testing.T) {
	r := rules(t)
	if r.Sample == "" || r.Months.Value != 6 || !strings.Contains(r.Months.Source, "人社鉴发〔2021〕1号") || r.Width.Sample == "" || r.White.Sample == "" {
		t.Fatalf("%+v", r)
	}
}

func TestProblems(t *testing.T) {
	src, err := os.ReadFile("data/photos-sample.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for old, c := range map[string][2]string{"{value: 295,": {"{value: 9,", "width is"}, "{value: 4000,": {"{value: 9000,", "most_side is"}, "source: 人社鉴发〔2021〕1号（近6个月内）": {"sample: ''", "months has either"}} {
		if !strings.Contains(string(src), old) {
			t.Fatal(old)
		}
		_, err := rulefile.Parse[photos.Rules]("x.yaml", []byte(strings.Replace(string(src), old, c[0], 1)))
		if fail.CodeOf(err) != "rulefile_invalid" || !strings.Contains(err.Error(), c[1]) {
			t.Errorf("%s: %v", old, err)
		}
	}
}

// portrait is a picture of w × h: a red half above, blue below, on white corners.
func portrait(w, h int) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			c := color.RGBA{255, 255, 255, 255}
			if x > w/4 && x < 3*w/4 {
				c = color.RGBA{200, 0, 0, 255}
				if y > h/2 {
					c = color.RGBA{0, 0, 200, 255}
				}
			}
			img.SetRGBA(x, y, c)
		}
	}
	return img
}

func jpg(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// exif puts an EXIF part with an orientation and a place into a JPEG.
func exif(src []byte, order binary.AppendByteOrder, orientation uint16) []byte {
	tiff := []byte("II*\x00")
	if order == binary.AppendByteOrder(binary.BigEndian) {
		tiff = []byte("MM\x00*")
	}
	tiff = order.AppendUint32(tiff, 8)
	tiff = order.AppendUint16(tiff, 2)
	for _, e := range [][2]uint16{{0x010F, 1}, {0x0112, orientation}} {
		tiff = order.AppendUint16(tiff, e[0])
		tiff = order.AppendUint16(tiff, 3)
		tiff = order.AppendUint32(tiff, 1)
		tiff = order.AppendUint16(tiff, e[1])
		tiff = order.AppendUint16(tiff, 0)
	}
	body := append(append([]byte("Exif\x00\x00"), tiff...), "GPS 31.39N 120.98E"...)
	head := binary.BigEndian.AppendUint16([]byte{0xFF, 0xD8, 0xFF, 0xE1}, uint16(len(body)+2))
	return append(append(head, body...), src[2:]...)
}

func TestNormalise(t *testing.T) {
	r := rules(t)
	p := portrait(590, 826)
	var asPNG bytes.Buffer
	if err := png.Encode(&asPNG, p); err != nil {
		t.Fatal(err)
	}
	grey := image.NewGray(image.Rect(0, 0, 295, 413))
	noise := image.NewRGBA(image.Rect(0, 0, 295, 413))
	random := rand.New(rand.NewPCG(1, 2))
	for i := range noise.Pix {
		noise.Pix[i] = byte(random.Uint32())
	}
	for name, c := range map[string]struct {
		src     []byte
		code    string
		w, h    int
		warning string
	}{
		"twice one inch":     {jpg(t, p), "", 295, 413, ""},
		"png":                {asPNG.Bytes(), "", 295, 413, ""},
		"one inch":           {jpg(t, portrait(295, 413)), "", 295, 413, ""},
		"small is kept":      {jpg(t, portrait(210, 294)), "", 210, 294, ""},
		"too small":          {jpg(t, portrait(200, 280)), "photo_small", 0, 0, ""},
		"too large":          {jpg(t, portrait(4001, 5602)), "photo_large", 0, 0, ""},
		"square":             {jpg(t, portrait(413, 413)), "photo_proportion", 0, 0, ""},
		"lying":              {jpg(t, portrait(826, 590)), "photo_proportion", 0, 0, ""},
		"black":              {jpg(t, grey), "", 295, 413, "photo_not_white"},
		"noise":              {jpg(t, noise), "photo_form", 0, 0, ""},
		"no picture":         {[]byte("GIF89a"), "photo_form", 0, 0, ""},
		"nothing":            {nil, "photo_form", 0, 0, ""},
		"cut off":            {jpg(t, p)[:900], "photo_form", 0, 0, ""},
		"lying on its side":  {exif(jpg(t, portrait(826, 590)), binary.LittleEndian, 6), "", 295, 413, ""},
		"standing, says not": {exif(jpg(t, p), binary.BigEndian, 6), "photo_proportion", 0, 0, ""},
	} {
		got, err := r.Normalise(c.src)
		if fail.CodeOf(err) != c.code {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err != nil {
			continue
		}
		config, err := jpeg.DecodeConfig(bytes.NewReader(got.JPEG))
		if err != nil || config.Width != c.w || config.Height != c.h || got.Width != c.w || got.Height != c.h || len(got.JPEG) > photos.KeptMost {
			t.Errorf("%s: %d × %d, %d bytes, %v", name, config.Width, config.Height, len(got.JPEG), err)
		}
		if warned := len(got.Warnings) > 0; warned != (c.warning != "") || warned && got.Warnings[0].Code != c.warning {
			t.Errorf("%s: warnings %v", name, got.Warnings)
		}
	}
}

// Every orientation of EXIF ends upright, and nothing of EXIF is kept.
func TestOrientation(t *testing.T) {
	r := rules(t)
	// How an upright picture looks to a camera held in each way.
	held := map[uint16]func(x, y, w, h int) (int, int){
		1: func(x, y, w, h int) (int, int) { return x, y }, 2: func(x, y, w, h int) (int, int) { return w - 1 - x, y },
		3: func(x, y, w, h int) (int, int) { return w - 1 - x, h - 1 - y }, 4: func(x, y, w, h int) (int, int) { return x, h - 1 - y },
		5: func(x, y, w, h int) (int, int) { return y, x }, 6: func(x, y, w, h int) (int, int) { return y, w - 1 - x },
		7: func(x, y, w, h int) (int, int) { return h - 1 - y, w - 1 - x }, 8: func(x, y, w, h int) (int, int) { return h - 1 - y, x },
	}
	up := portrait(295, 413)
	up.SetRGBA(0, 0, color.RGBA{255, 255, 255, 255})
	for y := range 40 { // a mark on the upper left
		for x := 80; x < 140; x++ {
			up.SetRGBA(x, y, color.RGBA{0, 0, 0, 255})
		}
	}
	for orientation, at := range held {
		w, h := 295, 413
		if orientation >= 5 {
			w, h = h, w
		}
		seen := image.NewRGBA(image.Rect(0, 0, w, h))
		for y := range 413 {
			for x := range 295 {
				sx, sy := at(x, y, 295, 413)
				seen.SetRGBA(sx, sy, up.RGBAAt(x, y))
			}
		}
		got, err := r.Normalise(exif(jpg(t, seen), binary.BigEndian, orientation))
		if err != nil {
			t.Errorf("%d: %v", orientation, err)
			continue
		}
		if bytes.Contains(got.JPEG, []byte("Exif")) || bytes.Contains(got.JPEG, []byte("GPS")) {
			t.Errorf("%d: metadata is kept", orientation)
		}
		img, err := jpeg.Decode(bytes.NewReader(got.JPEG))
		if err != nil {
			t.Fatal(err)
		}
		for _, probe := range []struct {
			x, y int
			dark bool
			red  bool
		}{{110, 20, true, false}, {185, 20, false, true}, {147, 100, false, true}} {
			red, _, blue, _ := img.At(probe.x, probe.y).RGBA()
			if dark := red < 0x4000 && blue < 0x4000; dark != probe.dark || (red > 0x8000) != probe.red {
				t.Errorf("orientation %d: pixel %d,%d is %v", orientation, probe.x, probe.y, img.At(probe.x, probe.y))
			}
		}
		if red, _, blue, _ := img.At(147, 350).RGBA(); red > 0x4000 || blue < 0x8000 {
			t.Errorf("orientation %d: the lower half is not below", orientation)
		}
	}
}

func FuzzNormalise(f *testing.F) {
	f.Add(exif(jpg(f, portrait(295, 413)), binary.LittleEndian, 3))
	f.Add(exif(jpg(f, portrait(30, 41)), binary.BigEndian, 8))
	f.Add([]byte("\xff\xd8\xff\xe1\x00\x10Exif\x00\x00II*\x00\xff\xff\xff\xff"))
	r := rules(f)
	f.Fuzz(func(t *testing.T, src []byte) {
		if len(src) > 1<<20 {
			return
		}
		p, err := r.Normalise(src)
		if err != nil {
			if fail.KindOf(err) != fail.Invalid {
				t.Fatal(err)
			}
			return
		}
		if len(p.JPEG) > photos.KeptMost || bytes.Contains(p.JPEG, []byte("Exif\x00\x00")) {
			t.Fatalf("%d bytes", len(p.JPEG))
		}
	})
}

type packed struct {
	name    string
	raw     bool // name is not UTF-8 and not flagged
	content []byte
	mode    os.FileMode
}

func archive(t testing.TB, files ...packed) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range files {
		head := &zip.FileHeader{Name: f.name, NonUTF8: f.raw, Method: zip.Deflate}
		if f.mode != 0 {
			head.SetMode(f.mode)
		}
		out, err := w.CreateHeader(head)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := out.Write(f.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

var limits = photos.Limits{Files: 20, Bytes: 1 << 20, Total: 4 << 20}

func TestOpen(t *testing.T) {
	gbk, err := simplifiedchinese.GB18030.NewEncoder().String("照片/张三丰.jpg")
	if err != nil {
		t.Fatal(err)
	}
	files, err := photos.Open(archive(t, packed{name: "照片/"}, packed{name: "照片/１２ 3.JPG", content: []byte("x")}, packed{name: gbk, raw: true}, packed{name: "__MACOSX/._a.jpg"},
		packed{name: "Thumbs.db"}, packed{name: "../../etc/passwd.jpg"}, packed{name: `C:\x\32058319900101123x.jpeg`}, packed{name: "/a.jpg"}, packed{name: "in.zip"},
		packed{name: "link.jpg", mode: os.ModeSymlink | 0o777, content: []byte("/etc/passwd")}, packed{name: "a/12345678901234.png"}, packed{name: "Smith_王小明.jpg"}), limits)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range files {
		code := ""
		if f.Problem != nil {
			code = f.Problem.Code
		}
		got = append(got, fmt.Sprintf("%d %s %s %s", f.N, f.Key, f.Shown, code))
	}
	want := []string{"1 123 ** 3.JPG ", "2 张三丰 张**.jpg ", "3 PASSWD p****d.jpg file_path", "4 32058319900101123X 3****************x.jpeg file_path", "5 A *.jpg file_path",
		"6 IN **.zip file_nested", "7 LINK l**k.jpg file_path", "8 12345678901234 1************4.png ", "9 SMITH_王小明 S***h_王**.jpg "}
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || strings.ReplaceAll(got[i], "１*", "**") != want[i] {
			t.Errorf("file %d: got %q, want %q", i+1, at(got, i), at(want, i))
		}
	}
}

func at(s []string, i int) string {
	if i < len(s) {
		return s[i]
	}
	return ""
}

func TestBombs(t *testing.T) {
	zeros := make([]byte, 3<<20)
	files, err := photos.Open(archive(t, packed{name: "1.jpg", content: zeros}, packed{name: "2.jpg", content: zeros[:1<<20]}, packed{name: "3.jpg", content: []byte("PK\x03\x04")}), limits)
	if err != nil {
		t.Fatal(err)
	}
	total := limits.Total
	for i, code := range []string{"file_large", "", "file_nested"} {
		if _, err := files[i].Read(&total); fail.CodeOf(err) != code {
			t.Errorf("file %d: %v", i+1, err)
		}
	}
	total = 1 << 20
	for i, code := range []string{"archive_large", "archive_large"} {
		if _, err := files[i].Read(&total); fail.CodeOf(err) != code || fail.KindOf(err) != fail.TooLarge {
			t.Errorf("file %d: %v", i+1, err)
		}
	}
	many := make([]packed, 21)
	for i := range many {
		many[i].name = fmt.Sprintf("%d.jpg", i)
	}
	if _, err := photos.Open(archive(t, many...), limits); fail.CodeOf(err) != "archive_files" {
		t.Errorf("21 files: %v", err)
	}
	if _, err := photos.Open(bytes.Repeat([]byte("PK\x01\x02"), 100), limits); fail.CodeOf(err) != "archive_files" {
		t.Errorf("a directory of many: %v", err)
	}
	for _, src := range [][]byte{nil, []byte("Rar!\x1a\x07"), archive(t), archive(t, packed{name: "a/"})} {
		if _, err := photos.Open(src, limits); fail.CodeOf(err) != "archive_form" {
			t.Errorf("%q: %v", src, err)
		}
	}
	// A directory that lies about the sizes is believed in nothing.
	lying := archive(t, packed{name: "1.jpg", content: zeros})
	end := bytes.LastIndex(lying, []byte("PK\x01\x02"))
	binary.LittleEndian.PutUint32(lying[end+24:], 10)
	files, err = photos.Open(lying, limits)
	if err != nil {
		t.Fatal(err)
	}
	total = limits.Total
	if data, err := files[0].Read(&total); err == nil || len(data) > 1<<20 {
		t.Errorf("a lying directory gives %d bytes, %v", len(data), err)
	}
}

// A file behind a password says so.
func TestPassword(t *testing.T) {
	data := archive(t, packed{name: "1.jpg", content: []byte("x")})
	binary.LittleEndian.PutUint16(data[bytes.LastIndex(data, []byte("PK\x01\x02"))+8:], 1)
	files, err := photos.Open(data, limits)
	if err != nil || files[0].Problem == nil || files[0].Problem.Code != "file_password" {
		t.Fatalf("%+v, %v", files, err)
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(archive(f, packed{name: "照片/1.jpg", content: []byte("x")}, packed{name: "\xd5\xc5.jpg", raw: true}))
	f.Add([]byte("PK\x05\x06"))
	f.Fuzz(func(t *testing.T, data []byte) {
		files, err := photos.Open(data, limits)
		if err != nil {
			return
		}
		total := limits.Total
		for _, file := range files {
			if _, err := file.Read(&total); fail.KindOf(err) == fail.TooLarge {
				return
			}
			if total < 0 {
				t.Fatal("more was unpacked than allowed")
			}
		}
	})
}

func BenchmarkNormalise(b *testing.B) {
	r := rules(b)
	src := jpg(b, portrait(590, 826))
	for b.Loop() {
		p, err := r.Normalise(src)
		if err != nil {
			b.Fatal(err)
		}
		_, _ = io.Discard.Write(p.JPEG)
	}
}
