package credentials

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"bajigong/credentials/jws"
)

func TestTokenIsAsDocumented(t *testing.T) {
	got, err := sample().encode()
	want := `{"n":"S000032058300253000001","m":"欧阳娜娜","d":"3X18","o":"6-31-01-03","t":"01","l":3,"a":20250630,"s":130971}`
	if err != nil || string(got) != want {
		t.Fatalf("got %s, %v", got, err)
	}
	plain := sample()
	plain.Trade = ""
	if got, _ := plain.encode(); strings.Contains(string(got), `"t"`) {
		t.Fatalf("no trade: %s", got)
	}
}

func TestTokenRoundTrip(t *testing.T) {
	k := newKeys(t, "js")
	for _, edit := range []func(*Claims){
		func(*Claims) {},
		func(c *Claims) { c.Trade = "" },
		func(c *Claims) { c.Name = "阿卜杜热合曼·买买提图尔荪" },
		func(c *Claims) { c.Name = "𠮷\U0002EBF0\U000323B0" }, // extensions I and J, newer than some Unicode tables
		func(c *Claims) { c.Name = "O'BRIEN-SMITH, J. (JR)" },
		func(c *Claims) { c.Name = strings.Repeat("买", MaxNameBytes/3) },
		func(c *Claims) { c.DocumentMasked = "军******号" },
		func(c *Claims) { c.DocumentMasked = "E*5" },
		func(c *Claims) { c.Occupation = "6-31-01-03@2015" },
		func(c *Claims) { c.Level, c.Status = '1', 0 },
		func(c *Claims) { c.Level, c.Status = '5', maxStatus },
		func(c *Claims) { c.Number = "ST00032058300253000001" },
	} {
		c := sample()
		edit(&c)
		token := k.token(t, c)
		got, key, err := OpenToken(token, k.set, time.Time{})
		if err != nil || got != c || key.ID != "js01" {
			t.Errorf("%+v came back as %+v, %v", c, got, err)
		}
		if back, err := ParseDigits(token.Digits()); err != nil || back != token {
			t.Errorf("digits: %v", err)
		}
	}
}

func TestTokenRefusesWhatItMustNotSay(t *testing.T) {
	k := newKeys(t, "js")
	for name, edit := range map[string]func(*Claims){
		"full document":        func(c *Claims) { c.DocumentMasked = "32058319900101003X" },
		"number with document": func(c *Claims) { c.Number = "T32058319900101003X" },
		"half-masked document": func(c *Claims) { c.DocumentMasked = "320583********003X" },
		"no mask":              func(c *Claims) { c.DocumentMasked = "" },
		"short mask":           func(c *Claims) { c.DocumentMasked = "3X" },
		"long mask":            func(c *Claims) { c.DocumentMasked = "3" + strings.Repeat("*", 50) + "X" },
		"quote":                func(c *Claims) { c.Name = `a"b` },
		"markup":               func(c *Claims) { c.Name = "<b>" },
		"control":              func(c *Claims) { c.Name = "a\x00b" },
		"direction":            func(c *Claims) { c.Name = "a\u202eb" },
		"private use":          func(c *Claims) { c.Name = "\ue000" },
		"line separator":       func(c *Claims) { c.Name = "a\u2028b" },
		"replacement":          func(c *Claims) { c.Name = "\ufffd" },
		"not UTF-8":            func(c *Claims) { c.Name = "\xff" },
		"space around":         func(c *Claims) { c.Name = " 张三" },
		"no name":              func(c *Claims) { c.Name = "" },
		"long name":            func(c *Claims) { c.Name = strings.Repeat("a", MaxNameBytes+1) },
		"short number":         func(c *Claims) { c.Number = c.Number[:21] },
		"lower-case number":    func(c *Claims) { c.Number = strings.ToLower(c.Number) },
		"occupation":           func(c *Claims) { c.Occupation = "6-31-01-3" },
		"edition":              func(c *Claims) { c.Occupation = "6-31-01-03@" },
		"trade name":           func(c *Claims) { c.Trade = "变配电" },
		"level 0":              func(c *Claims) { c.Level = 0 },
		"level 6":              func(c *Claims) { c.Level = '6' },
		"date":                 func(c *Claims) { c.Issued = "2025-02-29" },
		"date form":            func(c *Claims) { c.Issued = "2025-6-3" },
		"no date":              func(c *Claims) { c.Issued = "" },
		"status":               func(c *Claims) { c.Status = -1 },
		"far status":           func(c *Claims) { c.Status = maxStatus + 1 },
	} {
		c := sample()
		edit(&c)
		if _, err := SignToken(k.signers[jws.QR], c); err == nil {
			t.Errorf("%s: signed", name)
		}
	}
	if _, err := SignToken(k.signers[jws.VC], sample()); err == nil {
		t.Error("signed with a VC key")
	}
}

// Even a text with a right signature is refused when it is not the one text
// that SignToken writes.
func TestTokenDecodingIsStrict(t *testing.T) {
	k := newKeys(t, "js")
	good, err := sample().encode()
	noFail(t, err)
	for name, payload := range map[string]string{
		"space":          strings.Replace(string(good), ",", ", ", 1),
		"unknown member": strings.Replace(string(good), "{", `{"x":1,`, 1),
		"later member":   strings.Replace(string(good), "}", `,"z":1}`, 1),
		"repeated":       strings.Replace(string(good), `"l":3`, `"l":5,"l":3`, 1),
		"order":          strings.Replace(string(good), `"l":3,"a":20250630`, `"a":20250630,"l":3`, 1),
		"case":           strings.Replace(string(good), `"l":3`, `"L":3`, 1),
		"escape":         strings.Replace(string(good), "欧", `\u6b27`, 1),
		"float":          strings.Replace(string(good), `"l":3`, `"l":3e0`, 1),
		"empty trade":    strings.Replace(string(good), `"t":"01"`, `"t":""`, 1),
		"null trade":     strings.Replace(string(good), `"t":"01"`, `"t":null`, 1),
		"missing":        strings.Replace(string(good), `"l":3,`, ``, 1),
		"string level":   strings.Replace(string(good), `"l":3`, `"l":"3"`, 1),
		"date":           strings.Replace(string(good), "20250630", "20250631", 1),
		"mask length":    strings.Replace(string(good), "3X18", "3X018", 1),
		"mask sign":      strings.Replace(string(good), "3X18", "3X+8", 1),
		"long":           strings.Replace(string(good), "欧阳", strings.Repeat("a", 1100), 1),
		"trailing":       string(good) + " ",
		"two":            string(good) + string(good),
		"list":           "[" + string(good) + "]",
	} {
		if payload == string(good) {
			t.Fatalf("%s changes nothing", name)
		}
		compact, err := k.signers[jws.QR].Sign([]byte(payload), "")
		noFail(t, err)
		if _, _, err := OpenToken(Token(compact), k.set, time.Time{}); !isJWS(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEverySingleCharacterChangeOfATokenIsRefused(t *testing.T) {
	t.Parallel()
	k := newKeys(t, "js")
	token := k.token(t, sample())
	const replacements = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=~ \n"
	tries := 0
	for i := range len(token) {
		for _, c := range []byte(replacements) {
			if c == token[i] {
				continue
			}
			tries++
			changed := token[:i] + Token([]byte{c}) + token[i+1:]
			if _, _, err := OpenToken(changed, k.set, time.Time{}); !isJWS(err) {
				t.Fatalf("character %d as %q: %v", i, c, err)
			}
		}
	}
	t.Logf("%d changes of %d characters refused", tries, len(token))
}

// Through the whole path of a person with a QR code: a changed character gives
// an error or a verdict that is not valid, except in the handle, which the token
// does not know and the server compares.
func TestEverySingleCharacterChangeOfAQRTextIsRefused(t *testing.T) {
	k := newKeys(t, "js")
	h := handleOf(0x0123456789abcdef)
	text := QRText(testOrigin, h, k.token(t, sample()))
	trust := Trust{Keys: k.set, Origins: []string{testOrigin}}
	if v, err := VerifyOffline(text, trust, testNow); err != nil || !v.Valid {
		t.Fatalf("unchanged: %+v, %v", v, err)
	}
	handle := strings.Index(text, string(h))
	for i := range len(text) {
		for _, c := range []byte("0123456789ab/#.:A \n-") {
			if c == text[i] || i >= handle && i < handle+len(h) {
				continue
			}
			if v, err := VerifyOffline(text[:i]+string([]byte{c})+text[i+1:], trust, testNow); err == nil && v.Valid {
				t.Fatalf("character %d as %q: %+v", i, c, v)
			}
		}
		if v, err := VerifyOffline(text[:i]+text[i+1:], trust, testNow); err == nil && v.Valid {
			t.Fatalf("without character %d: %+v", i, v)
		}
	}
}

func TestTokenHeaderIsShort(t *testing.T) {
	head, _, _ := strings.Cut(string(newKeys(t, "js").token(t, sample())), ".")
	got, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil || string(got) != `{"alg":"ES256","kid":"js01"}` {
		t.Fatalf("%s, %v", got, err)
	}
}

func TestTokenOfADistrustedKey(t *testing.T) {
	k := newKeys(t, "js")
	token := k.token(t, sample())
	key, _ := k.set.Key("js01")
	key.State, key.DistrustedFrom = jws.Distrusted, testNow
	set, err := jws.NewKeySet(key)
	noFail(t, err)
	if c, _, err := OpenToken(token, set, time.Time{}); !errors.Is(err, jws.ErrDistrusted) || c != sample() {
		t.Errorf("without evidence: %+v, %v", c, err)
	}
	if c, _, err := OpenToken(token, set, testNow.Add(-time.Hour)); err != nil || c != sample() {
		t.Errorf("with evidence: %+v, %v", c, err)
	}
}

func TestClaimsParts(t *testing.T) {
	c := sample()
	list, index := c.StatusPlace()
	if c.InstitutionPrefix() != "S000032058300" || list != 0 || index != 130971 {
		t.Fatal(c.InstitutionPrefix(), list, index)
	}
	if got := GroupNumber(c.Number); got != "S 0000 32 058300 25 3 000001" {
		t.Fatal(got)
	}
	if got := GroupNumber("1910000000300123"); got != "1910000000300123" {
		t.Fatal(got)
	}
}

func FuzzDecodeClaims(f *testing.F) {
	good, err := sample().encode()
	noFail(f, err)
	f.Add(good)
	f.Add([]byte(`{"n":"S000032058300253000001","m":"a","d":"3X18","o":"6-31-01-03","l":3,"a":20250630,"s":1}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		c, err := decodeClaims(payload)
		if err != nil {
			return
		}
		again, err := c.encode()
		if err != nil || string(again) != string(payload) {
			t.Fatalf("%q came back as %q, %v", payload, again, err)
		}
	})
}
