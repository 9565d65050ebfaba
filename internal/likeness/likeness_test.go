package likeness

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"bajigong/internal/needed"
)

// portrait draws an invented person as identity photos show people: the head in
// the middle, shoulders below, a plain ground. What differs is what differs
// between such photos: the shape of head and hair, brows, eyes, glasses, mouth,
// collar, light, and the grain of hair and skin.
func portrait(seed uint64, w, h int) *image.Gray {
	rnd := rand.New(rand.NewPCG(seed, 77))
	in := func(a, b float64) float64 { return a + (b-a)*rnd.Float64() }
	ground, skin, hair, cloth := in(0.55, 0.98), in(0.6, 0.82), in(0.06, 0.3), in(0.08, 0.6)
	cx, cy, rx, ry := in(0.47, 0.53), in(0.40, 0.45), in(0.19, 0.25), in(0.21, 0.27)
	hairTop, hairSide, fringe := in(1.12, 1.3), in(1.02, 1.25), in(-0.75, -0.35)
	parting, partSize := in(-0.6, 0.6), in(0, 0.2)
	long := rnd.Float64() < 0.45
	eyeY, eyeX, eyeW, eyeH := in(-0.12, 0.06), in(0.36, 0.48), in(0.13, 0.2), in(0.035, 0.075)
	browY, browH, browTilt := in(0.14, 0.24), in(0.02, 0.055), in(-0.1, 0.1)
	noseL, noseW := in(0.22, 0.36), in(0.08, 0.16)
	mouthY, mouthW, mouthH := in(0.48, 0.62), in(0.22, 0.38), in(0.02, 0.06)
	glasses := rnd.Float64() < 0.35
	jaw := in(0.6, 1.1)
	shoulderY, shoulderW := in(0.78, 0.86), in(0.42, 0.55)
	vee, collar := in(0.06, 0.2), in(0.3, 0.95)
	side := in(-0.12, 0.12)
	freckles := make([][3]float64, 14)
	for i := range freckles {
		freckles[i] = [3]float64{in(-0.8, 0.8), in(-0.5, 0.9), in(-0.12, 0.06)}
	}
	grain := make([]float64, 64*64)
	for i := range grain {
		grain[i] = rnd.NormFloat64()
	}
	m := image.NewGray(image.Rect(0, 0, w, h))
	for py := range h {
		for px := range w {
			x, y := (float64(px)+0.5)/float64(w), (float64(py)+0.5)/float64(h)*1.25 // in widths
			v := ground + 0.03*(y-0.6)
			u, t := (x-cx)/rx, (y-cy*1.25)/(ry*1.25)
			g := grain[int(x*63)%64+64*(int(y*50)%64)]
			inHair := u*u/(hairSide*hairSide)+t*t/(hairTop*hairTop) < 1 && t < 0.3 || long && math.Abs(u) < hairSide+0.1 && t > -0.2 && t < 1.5
			if inHair {
				v = hair + 0.04*g
			}
			if sy := y - shoulderY*1.25; sy > 0 || math.Hypot((x-0.5)/shoulderW, (y-1.3)/(1.3-shoulderY*1.25+0.12)) < 1 {
				if y > shoulderY*1.25-0.1 && math.Abs(x-0.5) < shoulderW {
					v = cloth + 0.02*g
					if d := math.Abs(x-0.5) - vee*(1-(y-1.02)/0.25); d < 0 && y < 1.25 {
						v = collar
					}
				}
			}
			if math.Abs(x-cx) < rx*0.45 && t > 0.6 && t < 1.5 {
				v = skin - 0.08
			}
			chin := 1.0
			if t > 0.3 {
				chin = 1 - (t-0.3)*(1-jaw)*0.4
			}
			if u*u/(chin*chin)+t*t < 1 && t > fringe+0.25*math.Abs(u-parting)*partSize*4 {
				v = skin + side*u - 0.06*t*t + 0.012*g
				for _, f := range freckles {
					if math.Hypot(u-f[0], t-f[1]) < 0.09 {
						v += f[2]
					}
				}
				for _, s := range []float64{-1, 1} {
					ex := u - s*eyeX
					if e := math.Hypot(ex/eyeW, (t-eyeY)/eyeH); e < 1 {
						v = 0.9
						if math.Hypot(ex/0.06, (t-eyeY)/0.07) < 1 {
							v = 0.08
						}
					}
					if math.Abs(ex) < eyeW*1.25 && math.Abs(t-(eyeY-browY)-s*browTilt*ex) < browH {
						v = hair + 0.05
					}
					if d := math.Hypot(ex/(eyeW*1.6), (t-eyeY)/0.17); glasses && d > 0.86 && d < 1.04 {
						v = 0.1
					}
				}
				if n := t - eyeY; n > 0.05 && n < noseL+0.05 && math.Abs(u-0.05) < noseW*(n/noseL)*0.6 {
					v -= 0.07
				}
				if n := t - eyeY - noseL; math.Abs(n) < 0.03 && math.Abs(u) < noseW {
					v -= 0.25
				}
				if math.Abs(u) < mouthW && math.Abs(t-mouthY-0.06*u*u) < mouthH {
					v = skin - 0.28
				}
			}
			m.SetGray(px, py, color.Gray{Y: uint8(min(max(v, 0), 1) * 255)})
		}
	}
	return m
}

// taking is how a picture of a print is taken.
type taking struct {
	size, angle, bright, cut, frame float64
	blur, noise                     float64
	quality                         int
}

// take makes a picture of a print: the paper around it (frame, a part of the
// photo's height), cut at the edges, turned, larger or smaller, blurred, lighter
// or darker, with noise, and stored as a JPEG.
func take(t testing.TB, m *image.Gray, how taking, seed uint64) image.Image {
	t.Helper()
	rnd := rand.New(rand.NewPCG(seed, 5))
	w, h := m.Rect.Dx(), m.Rect.Dy()
	src := greyOf(m)
	k := float64(w) / float64(src.w)
	ow := int(float64(w) * how.size * (1 + 2*how.frame - how.cut))
	oh := int(float64(h) * how.size * (1 + 2*how.frame - how.cut))
	out := grey{w: ow, h: oh, pix: make([]float32, ow*oh)}
	sin, cos := math.Sincos(how.angle * math.Pi / 180)
	shift := how.cut * float64(w) * (rnd.Float64() - 0.5) / 2 // what is cut is not cut evenly
	for y := range oh {
		for x := range ow {
			dx, dy := (float64(x)+0.5-float64(ow)/2)/how.size, (float64(y)+0.5-float64(oh)/2)/how.size
			sx, sy := dx*cos-dy*sin+float64(w)/2+shift, dx*sin+dy*cos+float64(h)/2+shift
			v, ok := src.sample(sx/k-0.5, sy/k-0.5)
			if !ok {
				v = 0.93 // paper
				if int(sy/17)%3 == 0 && int(sx/5)%4 != 0 {
					v = 0.35 // print on it
				}
			}
			out.pix[y*ow+x] = float32(v)
		}
	}
	if r := int(how.blur * how.size); r > 0 {
		out = out.boxed(r).transposed().boxed(r).transposed()
		out = out.boxed(r).transposed().boxed(r).transposed()
	}
	img := image.NewGray(image.Rect(0, 0, ow, oh))
	for i, v := range out.pix {
		tilt := 1 + 0.06*(float64(i%ow)/float64(ow)-0.5) // light from one side
		img.Pix[i] = uint8(min(max(float64(v)*how.bright*tilt+how.noise*rnd.NormFloat64(), 0), 1) * 255)
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: how.quality}); err != nil {
		t.Fatal(err)
	}
	got, err := jpeg.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// takings are the ways of the brief, alone and together, and with paper around.
var takings = map[string]taking{
	"as it is":           {size: 1, bright: 1, quality: 90},
	"half the size":      {size: 0.5, bright: 1, quality: 85},
	"three times":        {size: 3, bright: 1, quality: 85},
	"blurred":            {size: 1, bright: 1, blur: 3, quality: 85},
	"JPEG 40":            {size: 1, bright: 1, quality: 40},
	"20 % lighter":       {size: 1, bright: 1.2, quality: 85},
	"20 % darker":        {size: 1, bright: 0.8, quality: 85},
	"3° to the left":     {size: 1, bright: 1, angle: -3, quality: 85},
	"3° to the right":    {size: 1, bright: 1, angle: 3, quality: 85},
	"cut by 5 %":         {size: 1, bright: 1, cut: 0.05, quality: 85},
	"all at once":        {size: 1.4, bright: 1.15, angle: 2.5, cut: 0.05, blur: 2, noise: 0.02, quality: 40},
	"paper around":       {size: 1.5, bright: 0.9, angle: -2, frame: 0.15, blur: 1, noise: 0.02, quality: 60},
	"much paper around":  {size: 2, bright: 1, angle: 1, frame: 0.35, blur: 1, noise: 0.02, quality: 60},
	"small and far away": {size: 0.6, bright: 0.85, angle: 2, frame: 0.2, blur: 1, noise: 0.03, quality: 40},
}

// TestRates measures both sides of the thresholds on invented people. What it
// prints with -v stands in docs/verification.md.
func TestRates(t *testing.T) {
	people := 2
	if needed.RaceDetector {
		people = 1
	}
	if os.Getenv("BAJIGONG_LIKENESS") != "" {
		people = 100
	}
	names := make([]string, 0, len(takings))
	for name := range takings {
		names = append(names, name)
	}
	slices.Sort(names)
	stored := make([]*image.Gray, people)
	for i := range stored {
		stored[i] = portrait(uint64(i), 295, 413)
	}
	counts := map[Answer]int{}
	lowest := 1.0
	for _, name := range names {
		here, low := map[Answer]int{}, 1.0
		for i, m := range stored {
			got, score := Compare(m, take(t, m, takings[name], uint64(i)))
			here[got]++
			counts[got]++
			low = min(low, score)
		}
		lowest = min(lowest, low)
		t.Logf("%-20s same %3d unclear %3d different %3d, lowest %.2f", name, here[Match], here[Unknown], here[NoMatch], low)
		if here[NoMatch] > 0 || here[Match]*100 < 95*people {
			t.Errorf("%s: %v", name, here)
		}
	}
	t.Logf("same photo: %v, lowest %.2f", counts, lowest)
	other, highest := map[Answer]int{}, 0.0
	var scores []float64
	for i, m := range stored {
		for j := 1; j <= 4; j++ {
			p := portrait(uint64(i+j*1000), 295, 413)
			got, score := Compare(m, take(t, p, takings[names[(i+j)%len(names)]], uint64(i)))
			other[got]++
			scores = append(scores, score)
			highest = max(highest, score)
		}
	}
	slices.Sort(scores)
	t.Logf("another person: %v, median %.2f, 99 %% %.2f, highest %.2f", other, scores[len(scores)/2], scores[len(scores)*99/100], highest)
	if other[Match] > 0 {
		t.Errorf("another person's photo is the same: %v", other)
	}
	if other[NoMatch]*100 < 90*len(scores) {
		t.Errorf("other people: %v", other)
	}
}

// A telephone may store the picture lying on its side.
func TestTurnedByAQuarter(t *testing.T) {
	m := portrait(3, 295, 413)
	g := greyOf(take(t, m, takings["paper around"], 1))
	for q := range 4 {
		if q == 2 {
			g = g.turned() // upside down is not tried
			continue
		}
		img := image.NewGray(image.Rect(0, 0, g.w, g.h))
		for i, v := range g.pix {
			img.Pix[i] = uint8(v * 255)
		}
		if got, score := Compare(m, img); got != Match {
			t.Errorf("after %d quarters: %s %.2f", q, got, score)
		}
		g = g.turned()
	}
}

// Whatever has nothing to see in it is unclear, not another person.
func TestNothingToSee(t *testing.T) {
	m := portrait(1, 295, 413)
	blank := image.NewGray(image.Rect(0, 0, 300, 400))
	for i := range blank.Pix {
		blank.Pix[i] = 200
	}
	for name, pair := range map[string][2]image.Image{
		"blank picture": {m, blank}, "blank photo": {blank, m},
		"tiny": {m, image.NewGray(image.Rect(0, 0, 8, 8))}, "strip": {m, image.NewGray(image.Rect(0, 0, 2000, 20))}, "empty": {m, image.NewGray(image.Rectangle{})},
	} {
		if got, score := Compare(pair[0], pair[1]); got != Unknown {
			t.Errorf("%s: %s %.2f", name, got, score)
		}
	}
}

func FuzzCompare(f *testing.F) {
	f.Add(uint16(20), uint16(30), uint16(16), uint16(16), []byte{1, 2, 3})
	f.Add(uint16(1), uint16(900), uint16(200), uint16(3), []byte{})
	f.Fuzz(func(t *testing.T, w, h, ow, oh uint16, pix []byte) {
		fill := func(w, h uint16) image.Image {
			m := image.NewGray(image.Rect(0, 0, int(w%512), int(h%512)))
			for i := range m.Pix {
				if len(pix) > 0 {
					m.Pix[i] = pix[i%len(pix)]
				}
			}
			return m
		}
		got, score := Compare(fill(w, h), fill(ow, oh))
		if math.IsNaN(score) || score > 1.0001 || !slices.Contains([]Answer{Match, NoMatch, Unknown}, got) {
			t.Errorf("%s %f", got, score)
		}
	})
}

func BenchmarkCompare(b *testing.B) {
	m := portrait(3, 295, 413)
	for _, other := range []uint64{3, 9} {
		p := take(b, portrait(other, 295, 413), taking{size: 3, bright: 1, frame: 0.2, quality: 80}, 1)
		b.Run(fmt.Sprint(map[bool]string{true: "same", false: "different"}[other == 3]), func(b *testing.B) {
			for b.Loop() {
				Compare(m, p)
			}
		})
	}
}
