package credentials

import (
	"bytes"
	"strings"
	"testing"

	"rsc.io/qr/coding"
)

// Every version with every kind of content is read again, and is the smallest
// that holds the text at level M (ISO/IEC 18004, table 7).
func TestEveryVersionIsRead(t *testing.T) {
	seen := map[int]bool{}
	for n := 4; n < 900; n += 19 {
		for _, text := range []string{strings.Repeat("7", n), "https://zs.example.gov.cn/c/7k3m9qh2c4x5t#" + strings.Repeat("309", n/3), strings.Repeat("证书", n/6+1), strings.Repeat("Ab9-", n/4)} {
			m, err := NewPrintImage(text)
			one, other := NewImage(text)
			if (other == nil) != (CheckImage(text) == nil) || other == nil && err != nil {
				t.Fatalf("%d characters: NewImage %v, NewPrintImage %v, CheckImage %v", len(text), other, err, CheckImage(text))
			}
			if err != nil {
				continue
			}
			if other == nil && m.Version() > one.Version() {
				t.Errorf("%d characters: version %d in print, %d as a picture", len(text), m.Version(), one.Version())
			}
			seen[m.Version()] = true
			if m.Version() > 1 && symbolVersion(segmentsOf(text), m.Version()-1) != 0 {
				t.Errorf("version %d is not the smallest", m.Version())
			}
			data, err := m.PNG(4)
			noFail(t, err)
			if got, err := DecodeImage(bytes.NewReader(data)); err != nil || got != text {
				t.Errorf("version %d: read %.40q, %v", m.Version(), got, err)
			}
			dark := 0
			for r := range m.Runs() {
				dark += r.Width
				if r.X < quietZone || r.X+r.Width > m.Modules()-quietZone || r.Y < quietZone || r.Y >= m.Modules()-quietZone {
					t.Fatalf("run %+v in the quiet zone", r)
				}
			}
			if share := float64(dark) / float64((m.Modules()-8)*(m.Modules()-8)); share < 0.4 || share > 0.6 {
				t.Errorf("version %d is %.2f dark", m.Version(), share)
			}
		}
	}
	for v := 1; v <= MaxVersion; v++ {
		if !seen[v] {
			t.Errorf("version %d was never made", v)
		}
	}
}

// The mask is the one of least penalty among all eight.
func TestMaskOfLeastPenalty(t *testing.T) {
	text := "https://zs.example.gov.cn/c/7k3m9qh2c4x5t#" + strings.Repeat("3095", 150)
	segments := segmentsOf(text)
	version := symbolVersion(segments, MaxVersion)
	got, err := newSymbol(segments, version)
	noFail(t, err)
	least, found := -1, false
	for mask := range coding.Mask(8) {
		plan, err := coding.NewPlan(coding.Version(version), coding.M, mask)
		noFail(t, err)
		code, err := plan.Encode(segments...)
		noFail(t, err)
		dark := make([]byte, code.Size*code.Size)
		for i := range dark {
			if code.Black(i%code.Size, i/code.Size) {
				dark[i] = 1
			}
		}
		if p := penalty(dark, code.Size); least < 0 || p < least {
			least = p
		}
		if bytes.Equal(dark, got.dark) {
			found = true
		}
	}
	if p := penalty(got.dark, got.side); p != least || !found {
		t.Errorf("penalty %d, the least is %d", p, least)
	}
}

func BenchmarkNewImage(b *testing.B) {
	text := "https://zs.example.gov.cn/c/7k3m9qh2c4x5t#" + strings.Repeat("3095", 179)
	for name, draw := range map[string]func(string) (*Image, error){"picture": NewImage, "print": NewPrintImage} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := draw(text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
