package standards

import (
	"testing"

	"bajigong/internal/fail"
)

func TestParseLastFour(t *testing.T) {
	for in, want := range map[string]string{"002X": "002X", "002x": "002X", "００２ｘ": "002X", " 00 2X ": "002X", "1234": "1234", "AB12": "AB12", "(12)": "(12)",
		"": "", "02X": "", "10002X": "", "00\x002": "", "?123": "", "12 3": ""} {
		got, err := ParseLastFour(in)
		if got != want || (want == "") != (fail.CodeOf(err) == "last4") {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
}

func TestLastFour(t *testing.T) {
	for in, want := range map[string]string{"11010519491231002X": "002X", "E12345678": "5678", "12": "12", "": ""} {
		if got := (Document{Number: in}).LastFour(); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}

// Whatever is accepted is what comparing needs: four characters, and its own form.
func FuzzParseLastFour(f *testing.F) {
	for _, s := range []string{"002X", "００２ｘ", "ﬀab", "ŉ12", "ß12x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := ParseLastFour(s)
		if err != nil {
			return
		}
		if again, err := ParseLastFour(got); err != nil || again != got || len([]rune(got)) != 4 {
			t.Errorf("%q is read as %q, that as %q, %v", s, got, again, err)
		}
	})
}
