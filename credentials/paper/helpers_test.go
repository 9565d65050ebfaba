package paper

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"bajigong/credentials"
	"bajigong/internal/needed"
)

func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.Command(needed.Tool(t, name, "poppler-utils, zbar-tools, zxing-cpp-tools"), args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, stderr.String())
	}
	if strings.HasPrefix(name, "pdf") && strings.Contains(stderr.String(), "Error") {
		t.Fatalf("%s complains: %s", name, stderr.String())
	}
	return string(out)
}

var openFonts = sync.OnceValues(func() ([]Found, error) {
	return FindFonts(os.DirFS("/"), "usr/share/fonts", "usr/local/share/fonts"), nil
})

// chinese is a font of this machine that has the rare characters of the issue.
func chinese(t testing.TB) Fonts {
	t.Helper()
	found, _ := openFonts()
	var chain []*Font
	for _, f := range found {
		chain = append(chain, f.Font)
	}
	if len(chain) == 0 {
		needed.Missing(t, "a Chinese TrueType font (Debian: fonts-lxgw-wenkai)")
	}
	fonts, err := NewFonts(chain...)
	must(t, err)
	return fonts
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func face(t testing.TB) Face {
	t.Helper()
	set, err := EmbeddedFaces()
	must(t, err)
	f, ok := set.On("320583", "2026-03-01")
	if !ok {
		t.Fatal("no face")
	}
	return f
}

// photo is a JPEG like one of 1 inch at 300 dpi.
func photo(t testing.TB) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, 295, 413))
	rnd := rand.New(rand.NewSource(1))
	for y := range 413 {
		for x := range 295 {
			c := color.RGBA{244, 246, 248, 255}
			dx, dy := float64(x-147)/75, float64(y-150)/95
			if dx*dx+dy*dy < 1 {
				c = color.RGBA{224, 182, 150, 255}
			} else if bx, by := float64(x-147)/140, float64(y-420)/160; bx*bx+by*by < 1 {
				c = color.RGBA{40, 60, 90, 255}
			}
			n := uint8(rnd.Intn(5))
			img.SetRGBA(x, y, color.RGBA{c.R - n, c.G - n, c.B - n, 255})
		}
	}
	var b bytes.Buffer
	must(t, jpeg.Encode(&b, img, &jpeg.Options{Quality: 85}))
	return b.Bytes()
}

// qrText has the length of an ordinary code: 359 characters of token, V13.
func qrText(n int) string {
	rnd := rand.New(rand.NewSource(int64(n)))
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	var token strings.Builder
	for range 359 {
		token.WriteByte(alphabet[rnd.Intn(len(alphabet))])
	}
	return credentials.QRText("https://zs.example.gov.cn", "7k3m9qh2c4x5t", credentials.Token(token.String()))
}

func sample(t testing.TB, n int) Certificate {
	t.Helper()
	return Certificate{Row: n + 1, Institution: "昆山市某某职业技能评价中心", Issued: "2025-06-30", Name: "欧阳𬭎𠮷", DocumentKind: "居民身份证", DocumentNumber: "11010519491231002X",
		Occupation: "电工", Level: "三级/高级工", Number: fmt.Sprintf("S000032058300253%06d", n), QR: qrText(n), Handle: "7k3m9qh2c4x5t", Serial: fmt.Sprintf("A%08d", n), Photo: photo(t),
		EN: English{DocumentKind: "Resident identity card", Level: "Senior skilled worker (Grade III)"}}
}

func save(t testing.TB, name string, data []byte) string {
	t.Helper()
	dir := t.TempDir()
	if keep := os.Getenv("PAPER_KEEP"); keep != "" {
		dir = keep
	}
	path := filepath.Join(dir, name)
	must(t, os.WriteFile(path, data, 0o600))
	return path
}
