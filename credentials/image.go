package credentials

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"iter"
	"strconv"
	"strings"

	"github.com/skip2/go-qrcode"

	"bajigong/internal/fail"
)

// The budget of a QR code at error correction level M. V13 has 69 modules a
// side: 0.43 mm each in a 30 mm code, which phones read well; V15 has 77.
const (
	GoodVersion = 13 // what 95 % of certificates need at most
	MaxVersion  = 15 // what any certificate may need
)

// An Image is a QR code at error correction level M with its quiet zone of 4
// modules. It holds no pixels; each method draws anew, so cache what is served
// often.
type Image struct {
	version int
	modules [][]bool // [y][x], true is dark, quiet zone included
}

// NewImage returns the QR code of text. It fails (fail.TooLarge, qr_too_dense)
// when text needs a version above [MaxVersion].
func NewImage(text string) (*Image, error) {
	q, err := encodeImage(text)
	if err != nil {
		return nil, err
	}
	return &Image{version: q.VersionNumber, modules: q.Bitmap()}, nil
}

// NewPrintImage is NewImage for printing in bulk: the same text in a code of the
// same version or a smaller one, in a third of the time, since the plan of each
// version is kept and masks are tried on flat bytes.
func NewPrintImage(text string) (*Image, error) {
	segments := segmentsOf(text)
	version := symbolVersion(segments, MaxVersion)
	if text == "" || version == 0 {
		return nil, tooDense(text)
	}
	q, err := newSymbol(segments, version)
	if err != nil {
		return nil, tooDense(text).Because(err)
	}
	m := &Image{version: version, modules: make([][]bool, q.side+2*quietZone)}
	for y := range m.modules {
		m.modules[y] = make([]bool, len(m.modules))
	}
	for i, dark := range q.dark {
		m.modules[quietZone+i/q.side][quietZone+i%q.side] = dark == 1
	}
	return m, nil
}

// quietZone is the light edge around a symbol, modules (ISO/IEC 18004).
const quietZone = 4

// CheckImage says whether [NewImage] would draw text, at a fraction of its cost.
// Its error is the same.
func CheckImage(text string) error {
	_, err := encodeImage(text)
	return err
}

// encodeImage chooses the version; Bitmap, which tries all masks, is most of the
// work and waits until it is called.
func encodeImage(text string) (*qrcode.QRCode, error) {
	q, err := qrcode.New(text, qrcode.Medium)
	if err != nil {
		return nil, tooDense(text).Because(err)
	}
	if q.VersionNumber > MaxVersion {
		return nil, tooDense(text)
	}
	return q, nil
}

func tooDense(text string) *fail.Error {
	return fail.New(fail.TooLarge, "qr_too_dense", "the text of %d characters is too long for a QR code that phones read from paper (version %d at most)", len(text), MaxVersion).
		In("内容过长，二维码过密，手机难以识读")
}

// Version returns the QR version, 1 to [MaxVersion]; the symbol has 17+4×Version
// modules a side.
func (m *Image) Version() int { return m.version }

// Modules returns the number of modules a side with the quiet zone.
func (m *Image) Modules() int { return len(m.modules) }

// Run is a row of dark modules side by side. X and Y count modules from the upper
// left corner of the quiet zone.
type Run struct{ X, Y, Width int }

// Runs yields the dark modules of the code as runs, row by row, for those who
// draw it as vectors.
func (m *Image) Runs() iter.Seq[Run] {
	return func(yield func(Run) bool) {
		for y, row := range m.modules {
			for x := 0; x < len(row); x++ {
				from := x
				for x < len(row) && row[x] {
					x++
				}
				if x > from && !yield(Run{X: from, Y: y, Width: x - from}) {
					return
				}
			}
		}
	}
}

// PNG returns a black-and-white PNG with scale pixels per module, so that
// modules are exactly square. scale below 1 counts as 1, above 64 as 64. For
// print at 300 dpi use 5 (0.42 mm) or more.
func (m *Image) PNG(scale int) ([]byte, error) {
	scale = min(max(scale, 1), 64)
	n := len(m.modules) * scale
	img := image.NewPaletted(image.Rect(0, 0, n, n), color.Palette{color.White, color.Black})
	for y, row := range m.modules {
		line := img.Pix[y*scale*img.Stride : (y*scale+1)*img.Stride]
		for x, dark := range row {
			if dark {
				for i := x * scale; i < (x+1)*scale; i++ {
					line[i] = 1
				}
			}
		}
		for i := 1; i < scale; i++ {
			copy(img.Pix[(y*scale+i)*img.Stride:], line)
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// SVG returns the code as one path in units of modules; it scales to any size
// by its width and height.
func (m *Image) SVG() []byte {
	var b bytes.Buffer
	n := strconv.Itoa(len(m.modules))
	b.WriteString(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ` + n + ` ` + n + `" shape-rendering="crispEdges"><rect width="` + n + `" height="` + n + `" fill="#fff"/><path fill="#000" d="`)
	for y, row := range m.modules {
		for x := 0; x < len(row); x++ {
			if !row[x] {
				continue
			}
			from := x
			for x < len(row) && row[x] {
				x++
			}
			w := strconv.Itoa(x - from)
			b.WriteString("M" + strconv.Itoa(from) + " " + strconv.Itoa(y) + "h" + w + "v1h-" + w + "z")
		}
	}
	b.WriteString(`"/></svg>`)
	return b.Bytes()
}

// Terminal returns the code as text of half blocks for a terminal with light
// letters on a dark ground: what is drawn is the light modules.
func (m *Image) Terminal() string {
	var b strings.Builder
	for y := 0; y < len(m.modules); y += 2 {
		for x := range m.modules[y] {
			upper := !m.modules[y][x]
			lower := y+1 < len(m.modules) && !m.modules[y+1][x]
			switch {
			case upper && lower:
				b.WriteString("█")
			case upper:
				b.WriteString("▀")
			case lower:
				b.WriteString("▄")
			default:
				b.WriteString(" ")
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// Budget reports whether the code of any certificate printed under origin fits
// [MaxVersion]: with the longest name, rare characters, a trade, an older
// edition and the longest key id. It fails (fail.Invalid, bad_origin) when
// origin is not canonical, (fail.TooLarge, origin_too_long) when it does not fit.
func Budget(origin string) error {
	origin, err := ParseOrigin(origin)
	if err != nil {
		return err
	}
	if err := CheckImage(QRText(origin, handleOf(^uint64(0)), worstToken())); err != nil {
		return fail.New(fail.TooLarge, "origin_too_long", "the origin %s is too long: the QR code of a long name would need more than version %d; choose a shorter host name", origin, MaxVersion).
			In("站点地址 %s 过长：长姓名证书的二维码将难以识读，请改用较短的域名", origin).Because(err)
	}
	return nil
}

// worstToken has the length of the longest token; its content means nothing.
func worstToken() Token {
	const payload = len(`{"n":"","m":"","d":"","o":"","t":"","l":3,"a":20250630,"s":}`) +
		22 + MaxNameBytes + len("军军40") + len("6-31-01-03@2015") + 4 + len("99999999")
	const head = len(`{"alg":"ES256","kid":""}`) + maxRegistryCode + serialChars
	chars := func(n int) string { return strings.Repeat("A", (n*8+5)/6) }
	return Token(chars(head) + "." + chars(payload) + "." + chars(64))
}
