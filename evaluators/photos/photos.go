// Package photos has the rules for the photos of candidates: what is taken from an
// archive of them, what a photo has to be, and the small JPEG that is kept.
//
// What comes in is somebody else's file: its name, its metadata and its bytes are
// not kept. A photo is decoded, turned as its camera held it, scaled and encoded
// anew, so that nothing of EXIF (place, camera, thumbnail) is left. Nothing here
// reads a clock, a file or a store.
package photos

import (
	"bytes"
	"embed"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	_ "image/png" // photos may be PNG

	"bajigong/internal/fail"
	"bajigong/internal/picture"
	"bajigong/internal/rulefile"
)

// Rules are the rules of one region from a date on. Lengths are in pixels.
type Rules struct {
	rulefile.Head `yaml:",inline"`

	// Months is how old a photo may be. A file does not prove its age: the
	// institution answers for it, and pages say so.
	Months Figure `yaml:"months" json:"months"`
	// Width and Height are those of the photo that is kept, upright.
	Width  Figure `yaml:"width" json:"width"`
	Height Figure `yaml:"height" json:"height"`
	// Least is how small a photo may be, in percent of them.
	Least Figure `yaml:"least_percent" json:"least_percent"`
	// Ratio is how far the proportion of a photo may be from theirs, in percent.
	Ratio Figure `yaml:"ratio_percent" json:"ratio_percent"`
	Most  Figure `yaml:"most_side" json:"most_side"`
	// White is how light the upper corners are, 0 to 255; what is darker is taken
	// with a warning.
	White Figure `yaml:"white" json:"white"`
}

// Figure is a number with where it comes from.
type Figure struct {
	Value  int    `yaml:"value" json:"value"`
	Source string `yaml:"source,omitempty" json:"source,omitempty"`
	Sample string `yaml:"sample,omitempty" json:"sample,omitempty"`
}

//go:embed data/*.yaml
var files embed.FS

// Embedded returns the rules that come with the product: samples.
func Embedded() (rulefile.Set[Rules], error) { return rulefile.ReadSet[Rules](files, "data/*.yaml") }

// Problems says what is wrong with a file beyond its form.
func (r Rules) Problems() (out []rulefile.Text) {
	say := func(ok bool, zh, en string) {
		if !ok {
			out = append(out, rulefile.Text{ZH: zh, EN: en})
		}
	}
	for _, f := range []struct {
		name      string
		figure    Figure
		low, high int
	}{{"months", r.Months, 1, 120}, {"width", r.Width, 50, 600}, {"height", r.Height, 50, 800}, {"least_percent", r.Least, 10, 100},
		{"ratio_percent", r.Ratio, 0, 50}, {"most_side", r.Most, 100, mostSide}, {"white", r.White, 0, 255}} {
		say(f.figure.Value >= f.low && f.figure.Value <= f.high, fmt.Sprintf("%s 应为 %d 至 %d", f.name, f.low, f.high), fmt.Sprintf("%s is %d to %d", f.name, f.low, f.high))
		say((f.figure.Source != "") != (f.figure.Sample != ""), f.name+" 的 source 与 sample 应且只应有一项", f.name+" has either a source or a sample, not both")
	}
	return out
}

const (
	mostSide   = 8000
	mostPixels = 16_000_000
	// KeptMost is how many bytes a kept photo has at most: with it a page of PDF
	// stays under 40 KB.
	KeptMost = 30 << 10
)

// Photo is a photo as it is kept.
type Photo struct {
	JPEG          []byte
	Width, Height int
	// Warnings are what somebody should look at; the photo is taken.
	Warnings []fail.Field
}

// Normalise turns a JPEG or PNG into the photo that is kept. Error: Invalid with
// the code of what is wrong: photo_form (not an image, or broken), photo_large,
// photo_small, photo_proportion.
func (r Rules) Normalise(src []byte) (Photo, error) {
	config, format, err := image.DecodeConfig(bytes.NewReader(src))
	if err != nil || format != "jpeg" && format != "png" || config.Width < 1 || config.Height < 1 {
		return Photo{}, notAPhoto()
	}
	turn := 1
	if format == "jpeg" {
		turn = orientation(src)
	}
	w, h := config.Width, config.Height
	if turn >= 5 {
		w, h = h, w
	}
	if err := r.fits(w, h); err != nil {
		return Photo{}, err
	}
	if picture.Costly(src, w*h) {
		return Photo{}, fail.New(fail.Invalid, "photo_large", "it goes over its %d × %d pixels too often; save it anew", w, h).In("照片编码异常（扫描次数过多），请重新另存为 JPEG 后上传")
	}
	decoded, _, err := image.Decode(bytes.NewReader(src))
	if err != nil {
		return Photo{}, notAPhoto()
	}
	upright := turned(onWhite(decoded), turn)
	out := Photo{}
	out.Width, out.Height = r.kept(w, h)
	small := scaled(upright, out.Width, out.Height)
	if light := corners(small); light < r.White.Value {
		out.Warnings = append(out.Warnings, fail.Field{Name: "background", Code: "photo_not_white", ZH: fmt.Sprintf("背景可能不是白色（亮度 %d，应不低于 %d），请核对", light, r.White.Value),
			EN: fmt.Sprintf("the background may not be white (%d, %d is expected); look at it", light, r.White.Value)})
	}
	out.JPEG, err = encoded(small)
	return out, err
}

func notAPhoto() error {
	return fail.New(fail.Invalid, "photo_form", "not a JPEG or PNG, or broken").In("不是 JPEG 或 PNG 图片，或文件已损坏")
}

// fits holds an upright photo against the rules.
func (r Rules) fits(w, h int) error {
	switch {
	case w > r.Most.Value || h > r.Most.Value || w*h > mostPixels:
		return fail.New(fail.Invalid, "photo_large", "%d × %d pixels; at most %d on a side and %d in all", w, h, r.Most.Value, mostPixels).
			In("照片为 %d × %d 像素，边长不得超过 %d 且总像素不得超过 %d 万，请裁剪为一寸照片", w, h, r.Most.Value, mostPixels/10_000)
	case w*100 < r.Width.Value*r.Least.Value || h*100 < r.Height.Value*r.Least.Value:
		return fail.New(fail.Invalid, "photo_small", "%d × %d pixels; one inch has %d × %d, at least %d percent of it", w, h, r.Width.Value, r.Height.Value, r.Least.Value).
			In("照片为 %d × %d 像素，过小；一寸照片应为 %d × %d 像素，至少为其 %d%%", w, h, r.Width.Value, r.Height.Value, r.Least.Value)
	}
	// w/h against Width/Height, without fractions
	a, b := w*r.Height.Value, h*r.Width.Value
	if 100*max(a, b) > (100+r.Ratio.Value)*min(a, b) {
		return fail.New(fail.Invalid, "photo_proportion", "%d × %d pixels have not the proportion of one inch, %d × %d", w, h, r.Width.Value, r.Height.Value).
			In("照片为 %d × %d 像素，长宽比例与一寸照片（%d × %d）不符，请裁剪", w, h, r.Width.Value, r.Height.Value)
	}
	return nil
}

// kept is the size of the photo that is kept: as large as fits, never enlarged.
func (r Rules) kept(w, h int) (int, int) {
	if w <= r.Width.Value && h <= r.Height.Value {
		return w, h
	}
	if w*r.Height.Value > h*r.Width.Value {
		return r.Width.Value, max(h*r.Width.Value/w, 1)
	}
	return max(w*r.Height.Value/h, 1), r.Height.Value
}

func onWhite(img image.Image) *image.RGBA {
	b := img.Bounds()
	out := image.NewRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	draw.Draw(out, out.Bounds(), image.White, image.Point{}, draw.Src)
	draw.Draw(out, out.Bounds(), img, b.Min, draw.Over)
	return out
}

// turned shows an image as its camera held it: orientation 1 to 8 of EXIF 2.3
// §4.6.4.
func turned(img *image.RGBA, orientation int) *image.RGBA {
	w, h := img.Bounds().Dx(), img.Bounds().Dy()
	if orientation == 1 {
		return img
	}
	ow, oh := w, h
	if orientation >= 5 {
		ow, oh = h, w
	}
	out := image.NewRGBA(image.Rect(0, 0, ow, oh))
	for y := range h {
		for x := range w {
			tx, ty := x, y
			switch orientation {
			case 2:
				tx = w - 1 - x
			case 3:
				tx, ty = w-1-x, h-1-y
			case 4:
				ty = h - 1 - y
			case 5:
				tx, ty = y, x
			case 6:
				tx, ty = h-1-y, x
			case 7:
				tx, ty = h-1-y, w-1-x
			case 8:
				tx, ty = y, w-1-x
			}
			copy(out.Pix[out.PixOffset(tx, ty):][:4], img.Pix[img.PixOffset(x, y):][:4])
		}
	}
	return out
}

// scaled takes the mean of the pixels that fall on each of a smaller image.
func scaled(img *image.RGBA, w, h int) *image.RGBA {
	sw, sh := img.Bounds().Dx(), img.Bounds().Dy()
	if sw == w && sh == h {
		return img
	}
	out := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		top, bottom := y*sh/h, max((y+1)*sh/h, y*sh/h+1)
		for x := range w {
			left, right := x*sw/w, max((x+1)*sw/w, x*sw/w+1)
			var sum [3]int
			for sy := top; sy < bottom; sy++ {
				row := img.Pix[img.PixOffset(left, sy) : img.PixOffset(right-1, sy)+4]
				for i := 0; i < len(row); i += 4 {
					sum[0], sum[1], sum[2] = sum[0]+int(row[i]), sum[1]+int(row[i+1]), sum[2]+int(row[i+2])
				}
			}
			n := (bottom - top) * (right - left)
			out.SetRGBA(x, y, color.RGBA{uint8(sum[0] / n), uint8(sum[1] / n), uint8(sum[2] / n), 255})
		}
	}
	return out
}

// corners is how light the darker of the two upper corners is on the average.
func corners(img *image.RGBA) int {
	w, h := img.Bounds().Dx(), img.Bounds().Dy()
	size := max(min(w, h)/12, 1)
	mean := func(from int) int {
		sum := 0
		for y := range size {
			for x := from; x < from+size; x++ {
				c := img.RGBAAt(x, y)
				sum += min(int(c.R), int(c.G), int(c.B)) // white is light in every colour
			}
		}
		return sum / (size * size)
	}
	return min(mean(0), mean(w-size))
}

// encoded is a JPEG of at most KeptMost bytes, as good as that allows.
func encoded(img image.Image) ([]byte, error) {
	for quality := 90; quality >= 30; quality -= 10 {
		var b bytes.Buffer
		if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: quality}); err != nil {
			return nil, err
		}
		if b.Len() <= KeptMost {
			return b.Bytes(), nil
		}
	}
	return nil, fail.New(fail.Invalid, "photo_form", "it has too much detail for a photo of %d KB", KeptMost>>10).In("照片细节过多，无法压缩到 %d KB，请核对是否为人像照片", KeptMost>>10)
}
