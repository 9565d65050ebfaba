package picture

import (
	"bytes"
	"image"
	"image/jpeg"
	"testing"
	"time"

	"bajigong/internal/picture/bombs"
)

// A JPEG of a few hundred bytes can ask for thousands of passes over millions of
// pixels (progressive mode, ITU-T T.81 G.1.2): a second of upload is hours of work.
func TestBomb(t *testing.T) {
	for _, scans := range []int{8, 20, 5000} {
		data := bombs.Progressive(1024, 1024, scans)
		begun := time.Now()
		if scans < 100 {
			if _, err := jpeg.Decode(bytes.NewReader(data)); err != nil {
				t.Fatalf("%d scans: %v", scans, err)
			}
		}
		t.Logf("%d scans, %d bytes: %v", scans, len(data), time.Since(begun))
		if got, want := Costly(data, 1024*1024), scans > 1000; got != want {
			t.Errorf("%d scans: costly %t", scans, got)
		}
	}
	var plain bytes.Buffer
	if err := jpeg.Encode(&plain, image.NewRGBA(image.Rect(0, 0, 400, 300)), nil); err != nil {
		t.Fatal(err)
	}
	if Costly(plain.Bytes(), 26_000_000) {
		t.Error("an ordinary photo is refused")
	}
}
