package credentials

import (
	"bytes"
	"image"
	_ "image/jpeg" // photographs
	_ "image/png"  // screenshots and our own codes
	"io"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"

	"bajigong/internal/fail"
	"bajigong/internal/picture"
)

// The limits of [DecodeImage].
const (
	MaxImageBytes  = 24 << 20
	MaxImagePixels = 40_000_000
)

// DecodeImage returns the text of the one QR code in a PNG or JPEG image. It
// fails with fail.TooLarge (image_too_large) above [MaxImageBytes] or, before
// any pixel is decoded, [MaxImagePixels]; with fail.Invalid, bad_image, for a
// file that is no such image, and no_qr_found when no code can be read in it.
func DecodeImage(r io.Reader) (text string, err error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxImageBytes+1))
	if err != nil {
		return "", err
	}
	if len(data) > MaxImageBytes {
		return "", imageTooLarge()
	}
	cfg, _, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return "", badImage().Because(err)
	}
	if cfg.Width <= 0 || cfg.Height <= 0 || cfg.Width > MaxImagePixels/cfg.Height || picture.Costly(data, cfg.Width*cfg.Height) {
		return "", imageTooLarge()
	}
	img, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		return "", badImage().Because(err)
	}
	gray := toGray(img)
	// A photograph has far more pixels than a code needs, and blur and noise
	// disappear when it is made smaller; a small code in a large picture needs
	// all of them. So try several sizes.
	for _, side := range []int{1000, 1600, 600, max(gray.w, gray.h)} {
		if side > max(gray.w, gray.h) {
			continue
		}
		if text, ok := gray.shrink(side).read(); ok {
			return text, nil
		}
	}
	if text, ok := gray.read(); ok {
		return text, nil
	}
	return "", fail.New(fail.Invalid, "no_qr_found", "no QR code can be read in this image; take the picture from straight above, in good light, with the whole code and its white edge").
		In("图中未识读到二维码；请正对二维码、光线充足、连同白边完整拍摄")
}

func badImage() *fail.Error {
	return fail.New(fail.Invalid, "bad_image", "this is not a PNG or JPEG image").In("不是 PNG 或 JPEG 图片")
}

func imageTooLarge() error {
	return fail.New(fail.TooLarge, "image_too_large", "an image may have at most %d million pixels and %d MB", MaxImagePixels/1_000_000, MaxImageBytes>>20).
		In("图片过大：最多 %d 百万像素、%d MB", MaxImagePixels/1_000_000, MaxImageBytes>>20)
}

// gray8 is a picture in 256 greys, rows without gaps.
type gray8 struct {
	w, h int
	pix  []byte
}

// toGray turns an image into greys over white, so that a transparent ground is
// light.
func toGray(img image.Image) gray8 {
	b := img.Bounds()
	g := gray8{w: b.Dx(), h: b.Dy(), pix: make([]byte, b.Dx()*b.Dy())}
	switch m := img.(type) {
	case *image.YCbCr:
		for y := range g.h {
			from := m.YOffset(b.Min.X, b.Min.Y+y)
			copy(g.pix[y*g.w:(y+1)*g.w], m.Y[from:from+g.w])
		}
	case *image.Gray:
		for y := range g.h {
			from := m.PixOffset(b.Min.X, b.Min.Y+y)
			copy(g.pix[y*g.w:(y+1)*g.w], m.Pix[from:from+g.w])
		}
	default:
		for y := range g.h {
			for x := range g.w {
				r, gr, bl, a := img.At(b.Min.X+x, b.Min.Y+y).RGBA()
				luma := (299*r+587*gr+114*bl)/1000 + (0xffff - a)
				g.pix[y*g.w+x] = byte(min(luma, 0xffff) >> 8)
			}
		}
	}
	return g
}

// shrink averages the picture down so that its longer side has about side
// pixels; it never enlarges.
func (g gray8) shrink(side int) gray8 {
	long := max(g.w, g.h)
	if side >= long {
		return g
	}
	out := gray8{w: max(g.w*side/long, 1), h: max(g.h*side/long, 1)}
	out.pix = make([]byte, out.w*out.h)
	for y := range out.h {
		y0, y1 := y*g.h/out.h, max((y+1)*g.h/out.h, y*g.h/out.h+1)
		for x := range out.w {
			x0, x1 := x*g.w/out.w, max((x+1)*g.w/out.w, x*g.w/out.w+1)
			sum := 0
			for yy := y0; yy < y1; yy++ {
				for _, p := range g.pix[yy*g.w+x0 : yy*g.w+x1] {
					sum += int(p)
				}
			}
			out.pix[y*out.w+x] = byte(sum / ((y1 - y0) * (x1 - x0)))
		}
	}
	return out
}

// read looks for a code. The decoder is not ours and sees strangers' pictures,
// so a panic in it is a picture without a code.
func (g gray8) read() (text string, ok bool) {
	defer func() {
		if recover() != nil {
			text, ok = "", false
		}
	}()
	source := gozxing.NewLuminanceSourceFromImage(&image.Gray{Pix: g.pix, Stride: g.w, Rect: image.Rect(0, 0, g.w, g.h)})
	// In about one of twenty of our dense codes the data holds something like a
	// finder pattern, and the search settles on the wrong three. An undamaged
	// upright code is read without that search. (The reader for several codes
	// tries every three, but a picture full of such patterns keeps it for ever.)
	hints := map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_TRY_HARDER: true}
	pure := map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_PURE_BARCODE: true}
	for _, binarizer := range []gozxing.Binarizer{gozxing.NewHybridBinarizer(source), gozxing.NewGlobalHistgramBinarizer(source)} {
		bitmap, err := gozxing.NewBinaryBitmap(binarizer)
		if err != nil {
			continue
		}
		if result, err := qrcode.NewQRCodeReader().Decode(bitmap, hints); err == nil {
			return result.GetText(), true
		}
		if result, err := qrcode.NewQRCodeReader().Decode(bitmap, pure); err == nil {
			return result.GetText(), true
		}
	}
	return "", false
}
