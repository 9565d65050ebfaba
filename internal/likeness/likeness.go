// Package likeness says whether two pictures are of the same print: a photo as it
// is stored, and a picture that somebody took of a paper with that photo on it. It
// knows nothing of faces. It looks for the stored photo in the picture (smaller or
// larger, a little turned, with the paper around it), and compares the fine
// lights and darks of the place that fits best.
//
// Another photo of the same person is another picture and differs.
//
//	answer, score := likeness.Compare(stored, taken)
//
// The score is a correlation, 1 for the same pixels. Between [Differs] and [Same]
// nothing can be said.
package likeness

import (
	"bytes"
	"image"
	"image/color"
	_ "image/jpeg" // what telephones take
	_ "image/png"  // screenshots
	"io"
	"math"

	"bajigong/internal/fail"
	"bajigong/internal/picture"
)

// The limits of [Read].
const (
	MaxBytes  = 8 << 20
	MaxPixels = 26_000_000
)

// Read reads a PNG or JPEG of at most MaxBytes and MaxPixels; the size is known
// before any pixel is decoded. Nothing of it is kept. It fails with fail.TooLarge,
// picture_size, and fail.Invalid, picture_form.
func Read(r io.Reader) (image.Image, error) {
	tooLarge := fail.New(fail.TooLarge, "picture_size", "a picture may have at most %d million pixels and %d MB", MaxPixels/1_000_000, MaxBytes>>20).
		In("图片过大：最多 %d 百万像素、%d MB", MaxPixels/1_000_000, MaxBytes>>20)
	form := func(err error) error {
		return fail.New(fail.Invalid, "picture_form", "this is not a PNG or JPEG picture that can be read").In("不是可识读的 PNG 或 JPEG 图片").Because(err)
	}
	data, err := io.ReadAll(io.LimitReader(r, MaxBytes+1))
	if err != nil {
		return nil, err
	}
	if len(data) > MaxBytes {
		return nil, tooLarge
	}
	c, _, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, form(err)
	}
	if c.Width <= 0 || c.Height <= 0 || c.Width > MaxPixels/c.Height || picture.Costly(data, c.Width*c.Height) {
		return nil, tooLarge
	}
	m, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, form(err)
	}
	return m, nil
}

// An Answer is what was found.
type Answer string

// The answers.
const (
	Match    Answer = "same"
	NoMatch  Answer = "different"
	Unknown  Answer = "unclear" // too near to either, or too little to see
	coarseH         = 24        // rows of the grid on which the place is sought
	fineH           = 64        // rows of the grid on which the place is judged
	detail          = 0.014     // contrast below which a picture is taken to be empty, of 1
	coverage        = 0.82      // part of the stored photo that must lie within the picture
)

// The scores that decide. TestRates measures both sides of them.
const (
	Same    = 0.93
	Differs = 0.85
)

// Compare looks for the stored photo in a picture. A picture that lies is also
// tried as one that stands, because a telephone may write which side is up beside
// the picture only.
func Compare(stored, taken image.Image) (Answer, float64) {
	a, b := greyOf(stored), greyOf(taken)
	if !a.sound() || !b.sound() {
		return Unknown, 0
	}
	best := -1.0
	views := []grey{b}
	if b.w > b.h { // a photo of a person stands; a telephone may have stored it lying
		views = append(views, b.turned(), b.turned().turned().turned())
	}
	for _, view := range views {
		score, ok := find(a, view)
		if ok {
			best = max(best, score)
		}
		if best >= Same {
			break
		}
	}
	switch {
	case best < -0.5: // nothing to compare anywhere
		return Unknown, 0
	case best >= Same:
		return Match, best
	case best <= Differs:
		return NoMatch, best
	}
	return Unknown, best
}

// find returns the score of the best place of a in b; ok is false when either has
// too little in it to tell.
func find(a, b grey) (score float64, ok bool) {
	ratio := float64(a.w) / float64(a.h)
	t := newTemplate(a, coarseH, ratio)
	if t.contrast < detail {
		return 0, false
	}
	var tops [4]place
	for _, size := range sizes {
		seek(t, b, size, &tops)
	}
	fine := newTemplate(a, fineH, ratio)
	for i, top := range tops {
		if top.score <= 0 || i > 0 && top.near(tops[0]) {
			continue
		}
		if s, seen := climb(fine, b, top); seen {
			score, ok = max(score, s), true
		}
	}
	if !ok { // no place looked like it at all
		return 0, b.resized(coarseH, coarseH).contrast() >= detail
	}
	return score, true
}

// sizes are the heights that the photo may have in the picture, as parts of the
// greatest that fits.
var sizes = func() (out []float64) {
	for s := 1.14; s > 0.42; s *= 0.92 {
		out = append(out, s)
	}
	return out
}()

// turns are the angles that are tried, in radians.
var turns = []float64{0, -0.05, 0.05}

// place is where the stored photo may lie: its centre and height as parts of the
// picture's height, and its angle.
type place struct{ x, y, size, angle, score float64 }

func (p place) near(q place) bool {
	return math.Abs(p.x-q.x)+math.Abs(p.y-q.y) < 0.04 && math.Abs(p.size-q.size) < 0.03 && math.Abs(p.angle-q.angle) < 0.03
}

// seek scores every place of one size on a coarse grid and keeps the best few.
func seek(t template, b grey, size float64, tops *[4]place) {
	size *= min(1, float64(b.w)/float64(b.h)/t.ratio) // no wider than the picture
	rows := int(math.Round(float64(t.h) / size))      // of the picture, at the scale of the grid
	cols := int(math.Round(float64(rows) * float64(b.w) / float64(b.h)))
	if rows < 4 || cols < 4 || cols > 6*rows {
		return
	}
	layer := b.resized(cols, rows).detailed(t.h)
	best := place{score: -1}
	for _, angle := range turns {
		for y := float64(t.h)/2 - 3; y <= float64(rows)-float64(t.h)/2+3; y++ {
			for x := float64(t.w)/2 - 3; x <= float64(cols)-float64(t.w)/2+3; x++ {
				if s, ok := t.score(layer, x, y, 1, angle); ok && s > best.score {
					best = place{x / float64(rows), y / float64(rows), float64(t.h) / float64(rows), angle, s}
				}
			}
		}
	}
	for i := range tops {
		if best.score > tops[i].score {
			best, tops[i] = tops[i], best
		}
	}
}

// climb moves a place until no small move makes it better, on the fine grid.
func climb(t template, b grey, from place) (float64, bool) {
	rows := int(math.Round(float64(t.h) / from.size))
	cols := int(math.Round(float64(rows) * float64(b.w) / float64(b.h)))
	if rows > 4*t.h || cols > 8*t.h {
		return 0, false
	}
	layer := b.resized(cols, rows).detailed(t.h)
	if layer.contrast() < detail/4 {
		return 0, false
	}
	at := [5]float64{from.x * float64(rows), from.y * float64(rows), 1, from.angle, 1}
	score := func(p [5]float64) (float64, bool) { return t.scoreStretched(layer, p[0], p[1], p[2], p[3], p[4]) }
	best, ok := score(at)
	if !ok {
		best = -1
	}
	step := [5]float64{2, 2, 0.04, 0.03, 0.03}
	for range 5 {
		for moved := true; moved; {
			moved = false
			for i := range at {
				for _, d := range []float64{-step[i], step[i]} {
					next := at
					next[i] += d
					if next[2] < 0.8 || next[2] > 1.25 || math.Abs(next[3]) > 0.16 || next[4] < 0.9 || next[4] > 1.1 {
						continue
					}
					if s, seen := score(next); seen && s > best+1e-6 {
						at, best, moved = next, s, true
					}
				}
			}
		}
		for i := range step {
			step[i] /= 2
		}
	}
	return best, best > -1
}

// template is the stored photo on a grid, reduced to its detail.
type template struct {
	w, h     int
	ratio    float64
	contrast float64
	points   []point
}

// point is one place of the grid, from the centre, and how light it is there
// against its surroundings.
type point struct{ x, y, v float64 }

// margin is the part of each side that is not compared: prints are cut and
// framed.
const margin = 0.06

func newTemplate(a grey, h int, ratio float64) template {
	w := max(int(math.Round(float64(h)*ratio)), 4)
	small := a.resized(w, h)
	d := small.detailed(h)
	t := template{w: w, h: h, ratio: ratio, contrast: small.contrast()}
	mx, my := int(math.Ceil(float64(w)*margin)), int(math.Ceil(float64(h)*margin))
	for y := my; y < h-my; y++ {
		for x := mx; x < w-mx; x++ {
			t.points = append(t.points, point{float64(x) + 0.5 - float64(w)/2, float64(y) + 0.5 - float64(h)/2, d.at(x, y)})
		}
	}
	return t
}

func (t template) score(b grey, cx, cy, scale, angle float64) (float64, bool) {
	return t.scoreStretched(b, cx, cy, scale, angle, 1)
}

// scoreStretched is the correlation of the template with the picture where the
// template's centre lies at cx, cy; what lies outside is not compared.
func (t template) scoreStretched(b grey, cx, cy, scale, angle, stretch float64) (float64, bool) {
	sin, cos := math.Sincos(angle)
	var n, sa, sb, saa, sbb, sab float64
	for _, p := range t.points {
		px, py := p.x*scale*stretch, p.y*scale
		v, ok := b.sample(cx+px*cos-py*sin-0.5, cy+px*sin+py*cos-0.5)
		if !ok {
			continue
		}
		n++
		sa += p.v
		sb += v
		saa += p.v * p.v
		sbb += v * v
		sab += p.v * v
	}
	if n < coverage*float64(len(t.points)) {
		return 0, false
	}
	va, vb := saa-sa*sa/n, sbb-sb*sb/n
	if va <= 1e-9 || vb <= 1e-9 {
		return 0, false
	}
	return (sab - sa*sb/n) / math.Sqrt(va*vb), true
}

// grey is a picture of lights from 0 to 1.
type grey struct {
	w, h int
	pix  []float32
}

func (g grey) sound() bool { return g.w >= 16 && g.h >= 16 && g.w <= 8*g.h && g.h <= 8*g.w }

func (g grey) at(x, y int) float64 { return float64(g.pix[y*g.w+x]) }

// sample is the light between four pixels.
func (g grey) sample(x, y float64) (float64, bool) {
	if x < 0 || y < 0 {
		return 0, false
	}
	ix, iy := int(x), int(y)
	if ix+1 >= g.w || iy+1 >= g.h {
		return 0, false
	}
	fx, fy := float32(x-float64(ix)), float32(y-float64(iy))
	row := g.pix[iy*g.w+ix:]
	above := row[0] + (row[1]-row[0])*fx
	row = row[g.w:]
	below := row[0] + (row[1]-row[0])*fx
	return float64(above + (below-above)*fy), true
}

// workSide is how large a picture is worked on; more would only be noise.
const workSide = 480

// greyOf reads an image, made smaller by whole steps on the way so that no large
// copy is made.
func greyOf(m image.Image) grey {
	r := m.Bounds()
	step := max(1, max(r.Dx(), r.Dy())/workSide)
	g := grey{w: r.Dx() / step, h: r.Dy() / step}
	if g.w == 0 || g.h == 0 || r.Dx() > 64*r.Dy() || r.Dy() > 64*r.Dx() {
		return grey{}
	}
	g.pix = make([]float32, g.w*g.h)
	light := lightOf(m)
	for y := range g.h {
		for x := range g.w {
			var sum float32
			for dy := range step {
				for dx := range step {
					sum += light(r.Min.X+x*step+dx, r.Min.Y+y*step+dy)
				}
			}
			g.pix[y*g.w+x] = sum / float32(step*step)
		}
	}
	return g
}

func lightOf(m image.Image) func(x, y int) float32 {
	switch m := m.(type) {
	case *image.YCbCr:
		return func(x, y int) float32 { return float32(m.Y[m.YOffset(x, y)]) / 255 }
	case *image.Gray:
		return func(x, y int) float32 { return float32(m.GrayAt(x, y).Y) / 255 }
	}
	return func(x, y int) float32 {
		return float32(color.GrayModel.Convert(m.At(x, y)).(color.Gray).Y) / 255
	}
}

// turned is the picture turned by a quarter.
func (g grey) turned() grey {
	out := grey{w: g.h, h: g.w, pix: make([]float32, len(g.pix))}
	for y := range out.h {
		for x := range out.w {
			out.pix[y*out.w+x] = g.pix[(g.h-1-x)*g.w+y]
		}
	}
	return out
}

// resized is the picture at another size: the mean over what each pixel covers,
// or between pixels when it grows.
func (g grey) resized(w, h int) grey {
	return g.columns(w).transposed().columns(h).transposed()
}

func (g grey) transposed() grey {
	out := grey{w: g.h, h: g.w, pix: make([]float32, len(g.pix))}
	for y := range g.h {
		for x := range g.w {
			out.pix[x*g.h+y] = g.pix[y*g.w+x]
		}
	}
	return out
}

func (g grey) columns(w int) grey {
	if w == g.w {
		return g
	}
	out := grey{w: w, h: g.h, pix: make([]float32, w*g.h)}
	each := float64(g.w) / float64(w)
	for x := range w {
		from, to := float64(x)*each, float64(x+1)*each
		if each < 1 {
			mid := (from + to) / 2
			from, to = mid-0.5, mid+0.5
		}
		for i := int(math.Floor(from)); float64(i) < to; i++ {
			part := float32((math.Min(to, float64(i+1)) - math.Max(from, float64(i))) / (to - from))
			at := min(max(i, 0), g.w-1)
			for y := range g.h {
				out.pix[y*w+x] += part * g.pix[y*g.w+at]
			}
		}
	}
	return out
}

// detailed takes away what changes slowly, over about an eighth of the height of
// the photo: where the head is and how light the ground is, all such photos share.
func (g grey) detailed(height int) grey {
	r := max(height/16, 2)
	slow := g.boxed(r).transposed().boxed(r).transposed()
	out := grey{w: g.w, h: g.h, pix: make([]float32, len(g.pix))}
	for i := range out.pix {
		out.pix[i] = g.pix[i] - slow.pix[i]
	}
	return out
}

// boxed is the mean of 2r+1 pixels of a row, the edge going on beyond itself.
func (g grey) boxed(r int) grey {
	out := grey{w: g.w, h: g.h, pix: make([]float32, len(g.pix))}
	for y := range g.h {
		row := g.pix[y*g.w : (y+1)*g.w]
		at := func(i int) float32 { return row[min(max(i, 0), g.w-1)] }
		var sum float32
		for i := -r; i <= r; i++ {
			sum += at(i)
		}
		for x := range g.w {
			out.pix[y*g.w+x] = sum / float32(2*r+1)
			sum += at(x+r+1) - at(x-r)
		}
	}
	return out
}

// contrast is the standard deviation of the lights.
func (g grey) contrast() float64 {
	var sum, square float64
	for _, v := range g.pix {
		sum += float64(v)
		square += float64(v) * float64(v)
	}
	n := float64(len(g.pix))
	return math.Sqrt(max(square/n-sum*sum/n/n, 0))
}
