package credentials

import (
	"bytes"
	"strings"
	"testing"

	"bajigong/internal/fail"
)

func TestQRTextRoundTrip(t *testing.T) {
	k := newKeys(t, "js")
	token := k.token(t, sample())
	h, err := NewHandle(bytes.NewReader([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}))
	noFail(t, err)
	if h != "fzzzzzzzzzzzz" {
		t.Fatalf("handle %s", h)
	}
	for _, origin := range []string{testOrigin, "http://192.168.1.7:8080", "http://[fd00::1]:8080", "https://a-b.example.org:8443"} {
		text := QRText(origin, h, token)
		o, gotH, gotT, err := ParseQRText(text)
		if err != nil || o != origin || gotH != h || gotT != token {
			t.Errorf("%s: %s %s %v", origin, o, gotH, err)
		}
		for name, s := range map[string]string{"whole": text, "spaces": " \r\n" + text + "\n", "token": string(token), "digits": token.Digits() + "\n"} {
			got, err := ParseAny(s)
			if err != nil || got.Token != token {
				t.Errorf("%s: %+v, %v", name, got, err)
			}
		}
		if got, err := ParseAny(origin + "/c/" + string(h)); err != nil || got != (Scanned{Origin: origin, Handle: h}) {
			t.Errorf("address alone: %+v, %v", got, err)
		}
	}
}

func TestForeignTextsAreNamed(t *testing.T) {
	for text, code := range map[string]string{
		"":                                       "not_our_qr",
		"hello":                                  "not_our_qr",
		"张三":                                     "not_our_qr",
		"weixin://wxpay/bizpayurl?pr=x":          "not_our_qr",
		"https://example.org/":                   "not_our_qr",
		"https://EXAMPLE.org/c/0000000000000#":   "bad_origin",
		"https://example.org/x/c/0000000000000#": "bad_origin",
		"https://user@example.org/c/0000000000000#":  "bad_origin",
		"https://example.org:443/c/0000000000000#":   "bad_origin",
		"https://example.org/c/000#12":               "bad_handle",
		"https://example.org/c/0000000000000#":       "bad_digits",
		"https://example.org/c/0000000000000#123":    "bad_digits",
		"https://example.org/c/0000000000000#0a":     "bad_digits",
		"https://example.org/c/0000000000000#99":     "bad_digits",
		"https://example.org/c/0000000000000#202020": "bad_digits",
		"1234567890":                       "bad_digits",
		strings.Repeat("1", MaxScanned+1):  "text_too_large",
		"ftp://example.org/c/000000000000": "bad_origin",
	} {
		_, err := ParseAny(text)
		if fail.CodeOf(err) != code {
			t.Errorf("%.60q: %v, want %s", text, err, code)
		}
		if e := fail.Of(err); e != nil && (e.ZH == "" || e.Kind == fail.Internal) {
			t.Errorf("%.60q: no text for people: %v", text, err)
		}
	}
}

func TestOrigins(t *testing.T) {
	for _, s := range []string{
		"", "https://", "https://Example.org", "https://example.org/", "https://example.org:", "https://example.org:0", "https://example.org:443",
		"http://example.org:80", "https://example.org:08443", "https://example.org:99999", "https://-a.org", "https://a..org", "https://a.org.",
		"https://a_b.org", "https://例子.org", "https://a.org?x", "https://a.org#x", "https://[::1", "https://[0::1]", "//a.org", "javascript://a",
	} {
		if _, err := ParseOrigin(s); err == nil {
			t.Errorf("%q: accepted", s)
		}
	}
}

func TestHandles(t *testing.T) {
	for _, n := range []uint64{0, 1, 31, 32, 0x0123456789abcdef, ^uint64(0)} {
		h := handleOf(n)
		if got, err := ParseHandle(string(h)); err != nil || got != h {
			t.Errorf("%s: %v", h, err)
		}
		if got, err := ParseTypedHandle(" " + strings.ToUpper(h.Grouped()) + " "); err != nil || got != h {
			t.Errorf("typed %s: %s, %v", h.Grouped(), got, err)
		}
	}
	if got, err := ParseTypedHandle("OIL00-0000-0000"); err != nil || got != "0110000000000" {
		t.Errorf("look-alikes: %s, %v", got, err)
	}
	for _, s := range []string{"", "000000000000", "00000000000000", "g000000000000", "000000000000i", "000000000000A", "000000000000-", "0000000000\xff00", "００００"} {
		if _, err := ParseHandle(s); err == nil {
			t.Errorf("%q: accepted", s)
		}
	}
	if _, err := NewHandle(bytes.NewReader([]byte{1, 2, 3})); err == nil {
		t.Error("a handle from too little randomness")
	}
}

func FuzzParseAny(f *testing.F) {
	k := newKeys(f, "js")
	token := k.token(f, sample())
	f.Add(QRText(testOrigin, "0000000000000", token))
	f.Add(string(token))
	f.Add(token.Digits())
	f.Add("https://example.org/c/0000000000000")
	f.Fuzz(func(t *testing.T, s string) {
		got, err := ParseAny(s)
		if err != nil {
			return
		}
		if got.Origin != "" && got.Token != "" {
			if QRText(got.Origin, got.Handle, got.Token) != strings.TrimSpace(s) {
				t.Fatalf("%q is not the one text of %+v", s, got)
			}
			if _, _, _, err := ParseQRText(strings.TrimSpace(s)); err != nil {
				t.Fatalf("%q: %v", s, err)
			}
		}
		if got.Token != "" {
			if back, err := ParseDigits(got.Token.Digits()); err != nil || back != got.Token {
				t.Fatalf("digits of %q: %v", got.Token, err)
			}
		}
		v, err := VerifyOffline(s, Trust{Keys: k.set}, testNow)
		if err == nil && v.Valid && got.Token != token {
			t.Fatalf("valid: %q", s)
		}
	})
}

func FuzzParseDigits(f *testing.F) {
	f.Add("2020012001")
	f.Add("5201520152")
	f.Fuzz(func(t *testing.T, s string) {
		if token, err := ParseDigits(s); err == nil && token.Digits() != s {
			t.Fatalf("%q came back as %q", s, token.Digits())
		}
	})
}

func FuzzParseHandle(f *testing.F) {
	f.Add("7k3m9qh2c4x5t")
	f.Add("7K3M9-QH2C-4X5T")
	f.Fuzz(func(t *testing.T, s string) {
		if h, err := ParseHandle(s); err == nil && string(h) != s {
			t.Fatalf("%q came back as %q", s, h)
		}
		if h, err := ParseTypedHandle(s); err == nil {
			if again, err := ParseHandle(string(h)); err != nil || again != h {
				t.Fatalf("typed %q gives %q: %v", s, h, err)
			}
		}
	})
}
