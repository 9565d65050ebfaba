package paper

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"

	"bajigong/internal/fail"
)

// The limits of a photo and of a seal.
const (
	MaxPhotoBytes = 1 << 20
	MaxPhotoSide  = 2000
	MaxSealBytes  = 4 << 20
	MaxSealSide   = 2400
)

// picture is an image as a PDF holds it.
type picture struct {
	width, height int
	gray          bool
	jpeg          []byte // as it is
	pixels, alpha []byte
}

// readPhoto takes a JPEG, which goes into the document as it is but for its
// remarks, or a PNG. Errors: fail.Invalid photo_form, fail.TooLarge photo_size.
func readPhoto(data []byte) (picture, error) {
	if len(data) > MaxPhotoBytes {
		return picture{}, photoSize()
	}
	if bytes.HasPrefix(data, []byte("\x89PNG")) {
		return readPNG(data, MaxPhotoSide, photoSize(), photoForm)
	}
	c, err := jpeg.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return picture{}, photoForm(err)
	}
	if c.Width < 1 || c.Height < 1 || c.Width > MaxPhotoSide || c.Height > MaxPhotoSide {
		return picture{}, photoSize()
	}
	if c.ColorModel != color.YCbCrModel && c.ColorModel != color.GrayModel {
		return picture{}, photoForm(fmt.Errorf("colours other than RGB and gray"))
	}
	plain, ok := withoutRemarks(data)
	if !ok {
		return picture{}, photoForm(fmt.Errorf("segments"))
	}
	return picture{width: c.Width, height: c.Height, gray: c.ColorModel == color.GrayModel, jpeg: plain}, nil
}

func photoForm(cause error) error {
	return fail.New(fail.Invalid, "photo_form", "the photo is not a JPEG or PNG in colour or gray").In("照片应为彩色或灰度的 JPEG 或 PNG").Because(cause)
}

func photoSize() error {
	return fail.New(fail.TooLarge, "photo_size", "the photo is larger than %d MB or %d pixels on a side", MaxPhotoBytes>>20, MaxPhotoSide).
		In("照片超过 %d MB 或边长超过 %d 像素", MaxPhotoBytes>>20, MaxPhotoSide)
}

// withoutRemarks drops what a camera writes beside the picture: where and when
// it was taken, with which device. It is nobody's business on a certificate.
func withoutRemarks(data []byte) ([]byte, bool) {
	out := append([]byte(nil), data[:2]...)
	for at := 2; at+4 <= len(data); {
		if data[at] != 0xFF {
			return nil, false
		}
		marker := data[at+1]
		if marker == 0xFF { // padding
			at++
			continue
		}
		if marker == 0xDA { // the picture itself
			return append(out, data[at:]...), true
		}
		size := 2 + u16(data, at+2)
		if size < 4 || at+size > len(data) {
			return nil, false
		}
		if keep := marker < 0xE1 || marker == 0xEE; keep && marker != 0xFE { // APP0 and Adobe's APP14 say how to read colours
			out = append(out, data[at:at+size]...)
		}
		at += size
	}
	return nil, false
}

func readPNG(data []byte, most int, size error, form func(error) error) (picture, error) {
	c, err := png.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return picture{}, form(err)
	}
	if c.Width > most || c.Height > most {
		return picture{}, size
	}
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		return picture{}, form(err)
	}
	return pixelsOf(img), nil
}

// pixelsOf takes colours and transparency apart, as PDF wants them.
func pixelsOf(img image.Image) picture {
	b := img.Bounds()
	out := picture{width: b.Dx(), height: b.Dy(), pixels: make([]byte, 0, 3*b.Dx()*b.Dy()), alpha: make([]byte, 0, b.Dx()*b.Dy())}
	opaque := true
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			c := color.NRGBAModel.Convert(img.At(x, y)).(color.NRGBA)
			out.pixels = append(out.pixels, c.R, c.G, c.B)
			out.alpha = append(out.alpha, c.A)
			opaque = opaque && c.A == 255
		}
	}
	if opaque {
		out.alpha = nil
	}
	return out
}

// addImage writes an image and returns its object.
func (d *document) addImage(p picture) int {
	id := d.reserve()
	space := "/DeviceRGB"
	if p.gray {
		space = "/DeviceGray"
	}
	dict := fmt.Sprintf("/Type/XObject/Subtype/Image/Width %d/Height %d/BitsPerComponent 8/ColorSpace%s", p.width, p.height, space)
	if p.jpeg != nil {
		d.rawStream(id, dict+"/Filter/DCTDecode", p.jpeg)
		return id
	}
	if p.alpha != nil {
		mask := d.reserve()
		d.stream(mask, fmt.Sprintf("/Type/XObject/Subtype/Image/Width %d/Height %d/BitsPerComponent 8/ColorSpace/DeviceGray", p.width, p.height), p.alpha)
		dict += fmt.Sprintf("/SMask %d 0 R", mask)
	}
	d.stream(id, dict, p.pixels)
	return id
}

// A Seal is the image of a seal with its ground transparent.
type Seal struct {
	picture
}

// OpenSeal reads a PNG of a seal, at most [MaxSealBytes] and [MaxSealSide] pixels
// a side. One without transparency is refused: it would hide the name and date
// that a seal is set upon. Error: fail.Invalid, seal_form; fail.TooLarge, seal_size.
func OpenSeal(data []byte) (*Seal, error) {
	size := fail.New(fail.TooLarge, "seal_size", "the image of the seal is larger than %d MB or %d pixels on a side", MaxSealBytes>>20, MaxSealSide).
		In("印章图片超过 %d MB 或边长超过 %d 像素", MaxSealBytes>>20, MaxSealSide)
	form := func(cause error) error {
		return fail.New(fail.Invalid, "seal_form", "the image of the seal is a PNG with a transparent ground").In("印章图片应为透明背景的 PNG").Because(cause)
	}
	if len(data) > MaxSealBytes {
		return nil, size
	}
	p, err := readPNG(data, MaxSealSide, size, form)
	if err != nil {
		return nil, err
	}
	if p.alpha == nil {
		return nil, form(fmt.Errorf("opaque"))
	}
	return &Seal{p}, nil
}
