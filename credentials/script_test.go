package credentials

import (
	"bytes"
	"compress/gzip"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"bajigong/credentials/jws"
	"bajigong/internal/fail"
	"bajigong/internal/needed"
)

// scriptTrust is the material of one trust, as the module's makeTrust takes it.
type scriptTrust struct {
	JWKS      []json.RawMessage `json:"jwks"`
	Directory *string           `json:"directory"`
	Lists     []string          `json:"lists"`
	Origins   []string          `json:"origins"`
	Now       time.Time         `json:"now"`
}

type scriptCase struct {
	Trust int    `json:"trust"`
	Text  string `json:"text"`
	name  string
}

type scriptFlips struct {
	Trust int    `json:"trust"`
	Part  string `json:"part"`
	Text  string `json:"text"`
	Every int    `json:"every"` // bit
}

// scriptCorpus is what both sides are asked.
type scriptCorpus struct {
	Trusts []scriptTrust `json:"trusts"`
	Cases  []scriptCase  `json:"cases"`
	Flips  []scriptFlips `json:"flips"`
	Places []string      `json:"places"`
	Runes  bool          `json:"runes"`

	t      *testing.T
	byName map[string]int
}

// open makes trust of the material with this package.
func (s scriptTrust) open() (Trust, error) {
	var all []jws.Key
	for _, raw := range s.JWKS {
		set, err := jws.ParseJWKS(raw, jws.Purposes()...)
		if err != nil {
			return Trust{}, err
		}
		for _, k := range set.Keys() {
			if !slices.ContainsFunc(all, func(have jws.Key) bool {
				return have.ID == k.ID && have.Public.Equal(k.Public) && have.Purpose == k.Purpose
			}) {
				all = append(all, k)
			}
		}
	}
	keys, err := jws.NewKeySet(all...)
	if err != nil {
		return Trust{}, err
	}
	out := Trust{Keys: keys, Origins: s.Origins}
	if s.Directory != nil {
		d, err := OpenDirectory(*s.Directory, keys)
		if err != nil {
			return out, err
		}
		out.Directory = &d
	}
	for _, text := range s.Lists {
		l, err := OpenStatusList(text, keys, s.Now)
		if err != nil {
			return out, err
		}
		out.StatusLists = append(out.StatusLists, l)
	}
	return out, nil
}

func (c *scriptCorpus) trust(name string, s scriptTrust) {
	if s.Now.IsZero() {
		s.Now = testNow
	}
	if c.byName == nil {
		c.byName = map[string]int{}
	}
	s.Lists, s.Origins = append([]string{}, s.Lists...), append([]string{}, s.Origins...)
	c.byName[name] = len(c.Trusts)
	c.Trusts = append(c.Trusts, s)
}

func (c *scriptCorpus) ask(trust, name, text string) {
	c.t.Helper()
	i, ok := c.byName[trust]
	if !ok {
		c.t.Fatalf("no trust %q", trust)
	}
	c.Cases = append(c.Cases, scriptCase{i, text, trust + ": " + name})
}

// signedList is the text of a list with the given bits set.
func (k keys) signedList(t *testing.T, p StatusPurpose, number int, from time.Time, on ...int) string {
	t.Helper()
	l := NewStatusList(testOrigin, p, number)
	l.ValidFrom, l.ValidUntil = from, from.Add(24*time.Hour)
	for _, i := range on {
		noFail(t, l.Set(i, true))
	}
	text, err := l.Sign(k.signers[jws.Status])
	noFail(t, err)
	return text
}

// listWith signs a status list credential whose fields edit has changed.
func (k keys) listWith(t *testing.T, edit func(vc map[string]any, subject map[string]any)) string {
	t.Helper()
	vc := map[string]any{}
	text := k.signedList(t, Revocation, 0, testNow.Add(-time.Hour))
	_, rest, _ := strings.Cut(text, ".")
	payload, _, _ := strings.Cut(rest, ".")
	b, err := base64.RawURLEncoding.DecodeString(payload)
	noFail(t, err)
	noFail(t, json.Unmarshal(b, &vc))
	edit(vc, vc["credentialSubject"].(map[string]any))
	b, err = marshalPlain(vc)
	noFail(t, err)
	text, err = k.signers[jws.Status].Sign(b, TypVC)
	noFail(t, err)
	return text
}

func packed(t *testing.T, bits []byte, after ...byte) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write(bits)
	noFail(t, err)
	noFail(t, z.Close())
	return "u" + base64.RawURLEncoding.EncodeToString(append(b.Bytes(), after...))
}

// fill makes the corpus.
func (c *scriptCorpus) fill(k, foreign, strangers keys) {
	t := c.t
	d := sampleDirectory()
	signed, err := SignDirectory(k.signers[jws.Directory], d)
	noFail(t, err)
	fresh, old := testNow.Add(-3*time.Hour), testNow.Add(-25*time.Hour)
	lists := func(at time.Time, revoked, suspended, refreshed bool) (out []string) {
		for _, one := range []struct {
			p  StatusPurpose
			on bool
		}{{Revocation, revoked}, {Suspension, suspended}, {Refresh, refreshed}} {
			var set []int
			if one.on {
				set = []int{sample().Status}
			}
			out = append(out, k.signedList(t, one.p, 0, at, set...))
		}
		return out
	}
	all := []json.RawMessage{k.set.JWKS()}
	sets := []json.RawMessage{k.set.JWKS(jws.QR), k.set.JWKS(jws.Directory), k.set.JWKS(jws.Status)}
	withoutQR := []json.RawMessage{k.set.JWKS(jws.Directory, jws.Status)}
	c.trust("full", scriptTrust{JWKS: sets, Directory: &signed, Lists: lists(fresh, false, false, false)})
	c.trust("keys alone", scriptTrust{JWKS: all})
	c.trust("no lists", scriptTrust{JWKS: sets, Directory: &signed})
	c.trust("no directory", scriptTrust{JWKS: sets, Lists: lists(fresh, false, false, false)})
	c.trust("no qr keys", scriptTrust{JWKS: withoutQR, Directory: &signed})
	c.trust("one list", scriptTrust{JWKS: all, Lists: lists(fresh, true, false, false)[:1]})
	c.trust("only suspension", scriptTrust{JWKS: all, Lists: lists(fresh, false, true, false)[1:2]})
	c.trust("superseded, one list missing", scriptTrust{JWKS: all, Lists: []string{lists(fresh, true, false, true)[0], lists(fresh, true, false, true)[2]}})
	for i, on := range [][3]bool{{true, false, false}, {true, false, true}, {false, true, false}, {true, true, false}, {true, true, true}, {false, false, true}} {
		c.trust(fmt.Sprint("bits ", i), scriptTrust{JWKS: all, Directory: &signed, Lists: lists(fresh, on[0], on[1], on[2])})
		c.trust(fmt.Sprint("stale bits ", i), scriptTrust{JWKS: all, Directory: &signed, Lists: lists(old, on[0], on[1], on[2])})
	}
	c.trust("stale", scriptTrust{JWKS: all, Lists: lists(old, false, false, false)})
	c.trust("newest counts", scriptTrust{JWKS: all, Lists: append(lists(fresh, true, true, true), lists(testNow.Add(-time.Minute), false, false, false)...)})
	c.trust("newest counts in any order", scriptTrust{JWKS: all, Lists: append(lists(testNow.Add(-time.Minute), false, false, false), lists(fresh, true, true, true)...)})
	c.trust("older of two", scriptTrust{JWKS: all, Lists: []string{lists(fresh, false, false, false)[0], lists(fresh.Add(-time.Hour), false, false, false)[1]}})
	c.trust("two origins", scriptTrust{JWKS: all, Directory: &signed, Lists: lists(fresh, false, false, false), Origins: []string{"https://old.example.org", testOrigin}})
	c.trust("another origin", scriptTrust{JWKS: all, Directory: &signed, Lists: lists(fresh, true, true, false), Origins: []string{"https://other.example.org"}})
	second := append(lists(fresh, false, false, false), k.signedList(t, Revocation, 7, fresh, 5), k.signedList(t, Suspension, 7, fresh, 6), k.signedList(t, Refresh, 7, fresh, 8),
		k.signedList(t, Revocation, 762, fresh, maxStatus%StatusListBits), k.signedList(t, Suspension, 762, fresh))
	c.trust("second lists", scriptTrust{JWKS: all, Directory: &signed, Lists: second})
	for i, now := range []time.Time{testNow.Add(700 * time.Millisecond), testNow.Add(21 * time.Hour), testNow.Add(21*time.Hour + time.Millisecond), testNow.Add(50 * time.Hour),
		testNow.Add(-3*time.Hour - 5*time.Minute), time.Date(2026, 1, 31, 16, 0, 0, 0, time.UTC).Add(30 * 24 * time.Hour)} {
		c.trust(fmt.Sprint("time ", i), scriptTrust{JWKS: all, Directory: &signed, Lists: lists(fresh, false, false, false), Now: now})
	}
	c.trust("from the future", scriptTrust{JWKS: all, Lists: lists(testNow.Add(5*time.Minute+time.Second), false, false, false)})
	distrusted := func(p ...jws.Purpose) []json.RawMessage {
		var out []jws.Key
		for _, key := range k.set.Keys() {
			if slices.Contains(p, key.Purpose) {
				key.State, key.DistrustedFrom = jws.Distrusted, testNow
			}
			out = append(out, key)
		}
		set, err := jws.NewKeySet(out...)
		noFail(t, err)
		return []json.RawMessage{set.JWKS()}
	}
	c.trust("distrusted", scriptTrust{JWKS: distrusted(jws.QR), Directory: &signed, Lists: lists(fresh, true, false, false)})
	c.trust("distrusted, keys alone", scriptTrust{JWKS: distrusted(jws.QR)})
	c.trust("distrusted directory", scriptTrust{JWKS: distrusted(jws.Directory), Directory: &signed})
	c.trust("distrusted lists", scriptTrust{JWKS: distrusted(jws.Status), Lists: lists(fresh, false, false, false)})
	otherRegistry := d
	otherRegistry.Registry = "zj"
	theirs, err := SignDirectory(foreign.signers[jws.Directory], otherRegistry)
	noFail(t, err)
	c.trust("directory of another registry", scriptTrust{JWKS: []json.RawMessage{k.set.JWKS(), foreign.set.JWKS(jws.Directory)}, Directory: &theirs})
	c.trust("two registries", scriptTrust{JWKS: []json.RawMessage{k.set.JWKS(), foreign.set.JWKS()}, Directory: &signed, Lists: lists(fresh, false, false, false)})
	small := d
	small.Institutions, small.Occupations = nil, nil
	empty, err := SignDirectory(k.signers[jws.Directory], small)
	noFail(t, err)
	c.trust("empty directory", scriptTrust{JWKS: all, Directory: &empty})

	names := slices.Sorted(func(yield func(string) bool) {
		for name := range c.byName {
			if !yield(name) {
				return
			}
		}
	})
	good := k.token(t, sample())
	text := QRText(testOrigin, handleOf(7), good)
	for _, trust := range names {
		for name, s := range map[string]string{
			"whole text": text, "token": string(good), "digits": good.Digits(), "in space": "\u3000\n " + text + "\u0085\t", "forged site": QRText("https://evil.example", handleOf(7), good),
			"another registry": QRText("https://zj.example.org", handleOf(7), foreign.token(t, sample())), "stranger": string(strangers.token(t, sample())),
			"second list": string(k.token(t, placed(7*StatusListBits+5))), "second list suspended": string(k.token(t, placed(7*StatusListBits+6))),
			"second list refresh": string(k.token(t, placed(7*StatusListBits+8))), "last": string(k.token(t, placed(maxStatus))), "no such list": string(k.token(t, placed(3*StatusListBits))),
		} {
			c.ask(trust, name, s)
		}
	}
	c.claims(k)
	c.texts(text, string(good))
	c.attacks(k, foreign)
	c.material(k, foreign, all, signed, lists(fresh, false, false, false))
	for i := range len(good) {
		for bit := range 8 {
			if !needed.Tried(8*i+bit, 3, 9) {
				continue
			}
			b := []byte(good)
			b[i] ^= 1 << bit
			c.ask("full", fmt.Sprintf("bit %d of character %d", bit, i), string(b))
		}
	}
	c.trust("directory keys", scriptTrust{JWKS: sets[1:2]})
	c.trust("status keys", scriptTrust{JWKS: sets[2:]})
	every := needed.Every(3, 9) // odd: each bit of a byte comes in turn
	c.Flips = []scriptFlips{{c.byName["directory keys"], "directory", signed, every}, {c.byName["status keys"], "list", k.signedList(t, Revocation, 0, fresh, 1, 77, 130971), every}}
	c.Places = []string{text, string(good), string(k.token(t, placed(maxStatus))), "hello", testOrigin + "/c/" + string(handleOf(7)), "a.b.c"}
}

func placed(status int) Claims {
	c := sample()
	c.Status = status
	return c
}

// claims are tokens of all kinds of content, whether SignToken would make them
// or not.
func (c *scriptCorpus) claims(k keys) {
	t := c.t
	edits := map[string]func(*Claims){
		"rare 𬭎": func(x *Claims) { x.Name = "王𬭎" }, "rare 𠮷": func(x *Claims) { x.Name = "𠮷田" },
		"32 characters": func(x *Claims) { x.Name = strings.Repeat("阿", 32) }, "24 rare": func(x *Claims) { x.Name = strings.Repeat("𪚥", 24) },
		"minority": func(x *Claims) { x.Name = "阿卜杜热西提·阿卜杜外力·买买提艾力" }, "latin": func(x *Claims) { x.Name = "O'Neill, Anne-Marie Œ." },
		"combining": func(x *Claims) { x.Name = "é ü 𠀀" }, "tibetan": func(x *Claims) { x.Name = "བཀྲ་ཤིས་" }, "uyghur": func(x *Claims) { x.Name = "ئابدۇللا" },
		"old edition": func(x *Claims) { x.Occupation = "6-31-01-03@2015" }, "unknown occupation": func(x *Claims) { x.Occupation = "1-01-01-01" },
		"no trade": func(x *Claims) { x.Trade = "" }, "unknown trade": func(x *Claims) { x.Trade = "zz9A" }, "unknown institution": func(x *Claims) { x.Number = "S000032058399253000001" },
		"passport": func(x *Claims) { x.DocumentMasked = "E*******9" }, "short document": func(x *Claims) { x.DocumentMasked = "E*9" }, "long document": func(x *Claims) { x.DocumentMasked = "军" + strings.Repeat("*", 38) + "号" },
		"before the directory": func(x *Claims) { x.Issued = "2019-12-31" }, "renamed": func(x *Claims) { x.Issued = "2025-09-01" }, "recorded late": func(x *Claims) { x.Issued = "2025-10-08" },
		"on hold": func(x *Claims) { x.Issued = "2025-10-09" }, "in Shanghai": func(x *Claims) { x.Issued = "2026-02-01" }, "leap": func(x *Claims) { x.Issued = "2024-02-29" }, "first day": func(x *Claims) { x.Issued = "1900-01-01" },
		"letters": func(x *Claims) { x.Number = "A9Z9Z9Z9Z9Z9Z9Z9Z9Z9Z9" }, "place 0": func(x *Claims) { x.Status = 0 },
	}
	for _, level := range []byte("12345") {
		edits["level "+string(level)] = func(x *Claims) { x.Level = level }
	}
	for name, edit := range edits {
		claims := sample()
		edit(&claims)
		for _, trust := range []string{"full", "keys alone", "bits 1", "two registries"} {
			c.ask(trust, name, QRText(testOrigin, handleOf(9), k.token(t, claims)))
		}
	}
	plain, err := sample().encode()
	noFail(t, err)
	for name, swap := range map[string][2]string{
		"white space": {`,"m"`, `, "m"`}, "order": {`"l":3,"a":20250630`, `"a":20250630,"l":3`}, "unknown member": {`"s":`, `"x":1,"s":`}, "repeated member": {`"l":3`, `"l":2,"l":3`},
		"case": {`"n":`, `"N":`}, "escape": {"欧", `\u6b27`}, "float": {`"l":3`, `"l":3.0`}, "exponent": {`"l":3`, `"l":3e0`}, "minus": {`"l":3`, `"l":-3`}, "string level": {`"l":3`, `"l":"3"`},
		"level 6": {`"l":3`, `"l":6`}, "level 0": {`"l":3`, `"l":0`}, "null name": {`"欧阳娜娜"`, `null`}, "list name": {`"欧阳娜娜"`, `["欧阳娜娜"]`}, "object number": {`"S000032058300253000001"`, `{}`},
		"list number": {`"S000032058300253000001"`, `["S000032058300253000001"]`}, "empty name": {"欧阳娜娜", ""}, "name begins with space": {"欧阳娜娜", " 欧阳"}, "name ends with space": {"欧阳娜娜", "欧阳 "},
		"ideographic space": {"欧阳娜娜", "欧　阳"}, "html": {"欧阳娜娜", "<b>"}, "ampersand": {"欧阳娜娜", "A&B"}, "direction control": {"欧阳娜娜", "欧\u202e阳"}, "zero width": {"欧阳娜娜", "欧\u200b阳"},
		"private use": {"欧阳娜娜", "欧\ue000"}, "replacement": {"欧阳娜娜", "欧\ufffd"}, "surrogate": {"欧阳娜娜", `\ud842`}, "byte order": {`{"n"`, "\ufeff" + `{"n"`}, "bad utf-8": {"欧", "\xe6\xac"},
		"97 bytes": {"欧阳娜娜", strings.Repeat("阿", 32) + "a"}, "symbol": {"欧阳娜娜", "欧★"}, "number short": {"S0000", "S000"}, "number lower": {"S0000", "s0000"}, "day 30 of february": {"20250630", "20250230"},
		"month 13": {"20250630", "20251301"}, "year 1899": {"20250630", "18991231"}, "year 99999": {"20250630", "202506300"}, "status too great": {"130971", "100000000"}, "status negative": {"130971", "-1"},
		"document three": {"3X18", "3X1"}, "document 41": {"3X18", "3X41"}, "document 02": {"3X18", "3X02"}, "document plus": {"3X18", "3X+5"}, "document sign": {"3X18", "3-18"},
		"occupation": {"6-31-01-03", "6-31-01-3"}, "edition": {"6-31-01-03", "6-31-01-03@15"}, "trade 5": {`"t":"01"`, `"t":"01234"`}, "trade empty": {`"t":"01"`, `"t":""`}, "trade null": {`"t":"01"`, `"t":null`},
		"trade sign": {`"t":"01"`, `"t":"0-"`}, "trade number": {`"t":"01"`, `"t":1`}, "trade zero": {`"t":"01"`, `"t":0`}, "after": {`130971}`, `130971}x`}, "second value": {`130971}`, `130971}{}`}, "line break": {`130971}`, "130971}\n"},
		"array": {string(plain), `[]`}, "null": {string(plain), `null`}, "string": {string(plain), `"x"`}, "nothing of it": {string(plain), `{}`}, "not json": {string(plain), `x`}, "huge": {string(plain), `{"n":"` + strings.Repeat("S", 1100) + `"}`},
	} {
		payload := strings.Replace(string(plain), swap[0], swap[1], 1)
		if payload == string(plain) {
			t.Fatalf("%s changes nothing", name)
		}
		text, err := k.signers[jws.QR].Sign([]byte(payload), "")
		noFail(t, err)
		c.ask("full", "claims "+name, text)
		c.ask("distrusted", "claims "+name, text)
	}
}

// texts are what may stand in a QR code.
func (c *scriptCorpus) texts(text, good string) {
	address, digits, _ := strings.Cut(text, "#")
	replaced := func(from, to string) string { return strings.Replace(text, from, to, 1) }
	for _, s := range []string{
		"", " ", "hello", "张三的证书", "https://example.com/x#1234", address, address + "#", address + "#1", address + "#12", address + "#" + digits + "0", address + "#" + digits + "#", address + "?x#" + digits,
		replaced("https", "http"), replaced("https", "HTTPS"), replaced("https", "ftp"), replaced("skills", "Skills"), replaced("example.org", "example.org:8443"), replaced("example.org", "example.org:443"),
		replaced("example.org", "example.org:"), replaced("example.org", "example.org:0"), replaced("example.org", "example.org:070"), replaced("example.org", "example.org:65536"), replaced("example.org", "example.org."),
		replaced("skills.", "skills.."), replaced("skills.", "-skills."), replaced("skills", strings.Repeat("s", 64)), replaced("skills", "user@skills"), replaced("skills", "技能"), replaced("skills", "skills_x"),
		replaced(testOrigin, "https://[2001:db8::1]"), replaced(testOrigin, "https://[2001:DB8::1]"), replaced(testOrigin, "https://[2001:db8:0::1]"), replaced(testOrigin, "https://[::1]:8443"), replaced(testOrigin, "https://127.0.0.1:8080"), replaced(testOrigin, "https://"),
		replaced("/c/", "/x/c/"), replaced("/c/", "/d/"), replaced("/c/0", "/c/i"), replaced("/c/0", "/c/G"), replaced("/c/0", "/c/z"), replaced("/c/0", "/c/"), digits[:len(digits)-1], digits + "00", "99" + digits[2:],
		strings.Repeat("1", MaxScanned), strings.Repeat("1", MaxScanned+1), strings.Repeat("阿", MaxScanned/3+1), strings.Repeat(" ", MaxScanned-10) + "x", good + ".", "." + good, good + "." + good, "a.b.c", "..", good + "=", strings.ReplaceAll(good, ".", "\u3002"),
		"\ufeff" + text, text + "\ufeff", strings.Repeat("a", 4000) + "." + strings.Repeat("a", 100) + "." + strings.Repeat("a", 86), "１２３４",
	} {
		c.ask("full", "text "+fmt.Sprintf("%.60q", s), s)
	}
}

// attacks are the known ways to abuse JOSE: RFC 8725, and those on its
// libraries.
func (c *scriptCorpus) attacks(k, foreign keys) {
	t := c.t
	claims, err := sample().encode()
	noFail(t, err)
	b64 := base64.RawURLEncoding.EncodeToString
	good := string(k.token(t, sample()))
	parts := strings.Split(good, ".")
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	noFail(t, err)
	qr, _ := k.set.Key("js01")
	point, err := qr.Public.Bytes()
	noFail(t, err)
	jwk := fmt.Sprintf(`{"kty":"EC","crv":"P-256","x":"%s","y":"%s"}`, b64(point[1:33]), b64(point[33:]))
	with := func(header string) string { return b64([]byte(header)) + "." + parts[1] + "." + parts[2] }
	hs := b64([]byte(`{"alg":"HS256","kid":"js01"}`)) + "." + parts[1]
	mac := hmac.New(sha256.New, point)
	mac.Write([]byte(hs))
	r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
	der, err := asn1.Marshal([]*big.Int{r, s})
	noFail(t, err)
	n := qr.Public.Params().N
	high := append(slices.Clone(signature[:32]), new(big.Int).Sub(n, s).FillBytes(make([]byte, 32))...)
	sig := func(b []byte) string { return parts[0] + "." + parts[1] + "." + b64(b) }
	list := map[string]string{
		"none": b64([]byte(`{"alg":"none","kid":"js01"}`)) + "." + parts[1] + ".", "none with signature": with(`{"alg":"none","kid":"js01"}`), "None": with(`{"alg":"None","kid":"js01"}`),
		"HS256 with the public key": hs + "." + b64(mac.Sum(nil)), "HS256": with(`{"alg":"HS256","kid":"js01"}`), "ES384": with(`{"alg":"ES384","kid":"js01"}`), "RS256": with(`{"alg":"RS256","kid":"js01"}`), "es256": with(`{"alg":"es256","kid":"js01"}`),
		"jwk": with(`{"alg":"ES256","jwk":` + jwk + `,"kid":"js01"}`), "jku": with(`{"alg":"ES256","jku":"https://evil.example/jwks","kid":"js01"}`), "x5u": with(`{"alg":"ES256","kid":"js01","x5u":"https://evil.example"}`),
		"x5c": with(`{"alg":"ES256","kid":"js01","x5c":[]}`), "crit": with(`{"alg":"ES256","crit":["exp"],"kid":"js01"}`), "b64": with(`{"alg":"ES256","b64":false,"crit":["b64"],"kid":"js01"}`), "zip": with(`{"alg":"ES256","kid":"js01","zip":"DEF"}`),
		"huge header": with(`{"alg":"ES256","kid":"` + strings.Repeat("j", 300) + `"}`), "huge kid": with(`{"alg":"ES256","kid":"` + strings.Repeat("j", 33) + `"}`), "long known kid": with(`{"alg":"ES256","kid":"` + strings.Repeat("j", 32) + `"}`),
		"double alg": with(`{"alg":"none","alg":"ES256","kid":"js01"}`), "double kid": with(`{"alg":"ES256","kid":"zj01","kid":"js01"}`), "Alg": with(`{"Alg":"ES256","kid":"js01"}`), "KID": with(`{"alg":"ES256","KID":"js01"}`),
		"order": with(`{"kid":"js01","alg":"ES256"}`), "space": with(`{"alg": "ES256","kid":"js01"}`), "escape": with(`{"alg":"ES256","kid":"js\u00301"}`), "no kid": with(`{"alg":"ES256"}`), "empty kid": with(`{"alg":"ES256","kid":""}`),
		"kid path": with(`{"alg":"ES256","kid":"../../js01"}`), "kid sql": with(`{"alg":"ES256","kid":"js01' OR 1"}`), "kid number": with(`{"alg":"ES256","kid":1}`), "kid list": with(`{"alg":"ES256","kid":["js01"]}`), "kid proto": with(`{"alg":"ES256","kid":"__proto__"}`),
		"kid constructor": with(`{"alg":"ES256","kid":"constructor"}`), "short kid": with(`{"alg":"ES256","kid":"j"}`), "two-letter kid": with(`{"alg":"ES256","kid":"js"}`), "kid of ours unknown": with(`{"alg":"ES256","kid":"js99"}`),
		"typ": with(`{"alg":"ES256","kid":"js01","typ":"vc+jwt"}`), "empty typ": with(`{"alg":"ES256","kid":"js01","typ":""}`), "typ JWT": with(`{"alg":"ES256","kid":"js01","typ":"JWT"}`), "header array": with(`["ES256","js01"]`), "header null": with(`null`),
		"header of another kid": with(`{"alg":"ES256","kid":"zj01"}`), "header after": with(`{"alg":"ES256","kid":"js01"}{}`), "header nul": with("{\"alg\":\"ES256\",\"kid\":\"js01\"}\x00"), "header not utf-8": with("{\"alg\":\"ES256\",\"kid\":\"js\xff\"}"),
		"DER": sig(der), "DER cut": sig(der[:64]), "63 bytes": sig(signature[:63]), "65 bytes": sig(append(slices.Clone(signature), 0)), "32 bytes": sig(signature[:32]), "no signature": parts[0] + "." + parts[1] + ".", "zero": sig(make([]byte, 64)),
		"r zero": sig(append(make([]byte, 32), signature[32:]...)), "s zero": sig(append(slices.Clone(signature[:32]), make([]byte, 32)...)), "r is n": sig(append(n.FillBytes(make([]byte, 32)), signature[32:]...)), "all ones": sig(bytes.Repeat([]byte{255}, 64)), "swapped": sig(append(slices.Clone(signature[32:]), signature[:32]...)),
		"high s":             sig(high), // the other signature of ECDSA: it counts, and that is why a token is no identity
		"payload of another": parts[0] + "." + b64(bytes.Replace(claims, []byte(`"l":3`), []byte(`"l":1`), 1)) + "." + parts[2], "empty payload": parts[0] + ".." + parts[2], "padded": good + "==", "spare bits": good[:len(good)-1] + nextChar(good[len(good)-1]),
		"of another": string(foreign.token(t, sample())),
	}
	for _, p := range jws.Purposes() {
		signed, err := k.signers[p].Sign(claims, "")
		noFail(t, err)
		list["key for "+string(p)] = signed
		typed, err := k.signers[p].Sign(claims, TypVC)
		noFail(t, err)
		list["typed key for "+string(p)] = typed
	}
	for name, text := range list {
		for _, trust := range []string{"full", "keys alone", "two registries", "no qr keys", "distrusted"} {
			c.ask(trust, "attack "+name, text)
		}
	}
}

// nextChar is another base64url character that differs in the spare bits alone.
func nextChar(c byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(alphabet[strings.IndexByte(alphabet, c)^1])
}

// material is trust that makeTrust must refuse, or take, as this package does.
func (c *scriptCorpus) material(k, foreign keys, all []json.RawMessage, directory string, lists []string) {
	t := c.t
	set := string(all[0])
	swapped := func(from, to string) []json.RawMessage {
		out := strings.Replace(set, from, to, 1)
		if out == set {
			t.Fatalf("%s is not in the set", from)
		}
		return []json.RawMessage{json.RawMessage(out)}
	}
	twin := newKeys(t, "js")
	for name, sets := range map[string][]json.RawMessage{
		"no keys": {json.RawMessage(`{"keys":[]}`)}, "no member": {json.RawMessage(`{}`)}, "null": {json.RawMessage(`null`)}, "array": {json.RawMessage(`[]`)}, "key null": {json.RawMessage(`{"keys":[null]}`)},
		"kty": swapped(`"EC"`, `"OKP"`), "crv": swapped(`"P-256"`, `"P-384"`), "use": swapped(`"sig"`, `"enc"`), "alg": swapped(`"ES256"`, `"ES384"`), "private": swapped(`"kty"`, `"d":"AAAA","kty"`), "symmetric": swapped(`"kty"`, `"k":"AAAA","kty"`),
		"x5c": swapped(`"kty"`, `"x5c":[],"kty"`), "purpose": swapped(`"purpose":"qr"`, `"purpose":"all"`), "no purpose": swapped(`,"purpose":"qr"`, ``), "kid": swapped(`"kid":"js01"`, `"kid":"js 01"`), "no kid": swapped(`"kid":"js01",`, ``), "kid twice": swapped(`"kid":"js02"`, `"kid":"js01"`),
		"distrusted when": swapped(`"purpose":"qr"`, `"purpose":"qr","distrusted_from":"yesterday"`), "off the curve": swapped(`"x":"`, `"x":"AAAA`), "padded": swapped(`","y"`, `=","y"`), "another point": {all[0], twin.set.JWKS(jws.QR)},
		"the same twice": {all[0], all[0]}, "unknown member": swapped(`"kty"`, `"note":"x","kty"`), "x of another": swapped(between(set, `"x":"`, `"`), between(string(twin.set.JWKS()), `"x":"`, `"`)),
	} {
		c.trust("keys "+name, scriptTrust{JWKS: sets})
		c.ask("keys "+name, "token", string(k.token(t, sample())))
	}
	b, err := marshalPlain(sampleDirectory())
	noFail(t, err)
	for name, swap := range map[string][2]string{
		"same": {"", ""}, "origin": {`"origin":"https`, `"origin":"ftp`}, "registry": {`"registry":"js"`, `"registry":"zj"`}, "no time": {`"issued_at":`, `"issued":`}, "time": {`"issued_at":"2026-03-02T`, `"issued_at":"2026-13-02T`},
		"prefix": {"S000032058300", "S00003205830"}, "no names": {`"names":[`, `"names":[],"x":[`}, "empty name": {"某某培训中心", ""}, "name order": {`"from":"2020-01-01","name"`, `"from":"2030-01-01","name"`}, "status order": {`"from":"2020-01-01","recorded"`, `"from":"2030-01-01","recorded"`},
		"status day": {`"from":"2020-01-01","recorded"`, `"from":"2020","recorded"`}, "status empty": {`"status":"filed"`, `"status":""`}, "recorded": {`"recorded":"2020`, `"recorded":"x020`}, "occupation": {`"6-31-01-03":`, `"6-31":`}, "occupation name": {`"name":"电工"`, `"name":""`},
		"trade": {`"01":`, `"":`}, "institutions": {`"institutions":[`, `"institutions":{},"x":[`}, "unknown member": {`"registry"`, `"more":{"a":[1]},"registry"`}, "unknown status": {`"status":"exited"`, `"status":"gone"`}, "offset": {`"recorded":"2026-01-31T16:30:00Z"`, `"recorded":"2026-02-01T00:30:00+08:00"`},
		"fraction": {`"issued_at":"2026-03-02T04:00:00Z"`, `"issued_at":"2026-03-02T04:00:00.25Z"`}, "string": {`"name":"职业技能证书登记系统"`, `"name":1`}, "null lists": {`"statuses":[`, `"statuses":null,"x":[`}, "names null": {`"names":[`, `"names":null,"x":[`}, "institution null": {`"institutions":[`, `"institutions":[null,`},
	} {
		payload := strings.Replace(string(b), swap[0], swap[1], 1)
		text, err := k.signers[jws.Directory].Sign([]byte(payload), TypDirectory)
		noFail(t, err)
		c.trust("directory "+name, scriptTrust{JWKS: all, Directory: &text})
		c.ask("directory "+name, "token", string(k.token(t, sample())))
	}
	asVC, err := k.signers[jws.VC].Sign(b, TypDirectory)
	noFail(t, err)
	untyped, err := k.signers[jws.Directory].Sign(b, "")
	noFail(t, err)
	theirs, err := foreign.signers[jws.Directory].Sign(b, TypDirectory)
	noFail(t, err)
	array, err := k.signers[jws.Directory].Sign([]byte(`[]`), TypDirectory)
	noFail(t, err)
	for i, text := range []string{asVC, untyped, theirs, array, "", "a.b.c", lists[0], strings.Repeat("a", MaxDirectory+1)} {
		c.trust(fmt.Sprint("directory text ", i), scriptTrust{JWKS: all, Directory: &text})
		c.ask(fmt.Sprint("directory text ", i), "token", string(k.token(t, sample())))
	}
	bits := make([]byte, StatusListBits/8)
	type object = map[string]any
	for name, edit := range map[string]func(vc, s object){
		"same": func(object, object) {}, "context": func(vc, _ object) { vc["@context"] = []string{"https://www.w3.org/2018/credentials/v1"} }, "context string": func(vc, _ object) { vc["@context"] = vcContext }, "no context": func(vc, _ object) { delete(vc, "@context") },
		"more context": func(vc, _ object) { vc["@context"] = []string{vcContext, "https://example.org"} }, "type": func(vc, _ object) { vc["type"] = []string{"VerifiableCredential"} }, "iss": func(vc, _ object) { vc["iss"] = "https://evil.example" }, "no iss": func(vc, _ object) { delete(vc, "iss") },
		"issuer": func(vc, _ object) { vc["issuer"], vc["iss"] = "evil", "evil" }, "id": func(vc, _ object) { vc["id"] = testOrigin + "/status/suspension-0" }, "other number": func(vc, _ object) { vc["id"] = testOrigin + "/status/revocation-1" }, "number": func(vc, _ object) { vc["id"] = testOrigin + "/status/revocation-00" },
		"great number": func(vc, _ object) { vc["id"] = testOrigin + "/status/revocation-763" }, "elsewhere": func(vc, _ object) { vc["id"] = "https://evil.example/status/revocation-0" }, "subject type": func(_, s object) { s["type"] = "X" }, "purpose": func(_, s object) { s["statusPurpose"] = "message" },
		"no subject": func(vc, _ object) { delete(vc, "credentialSubject") }, "subject list": func(vc, _ object) { vc["credentialSubject"] = []string{} }, "ttl": func(_, s object) { s["ttl"] = -1 }, "great ttl": func(_, s object) { s["ttl"] = 1e15 }, "ttl text": func(_, s object) { s["ttl"] = "1" }, "no ttl": func(_, s object) { delete(s, "ttl") },
		"from": func(vc, _ object) { vc["validFrom"] = "2026-03-02" }, "no from": func(vc, _ object) { delete(vc, "validFrom") }, "until": func(vc, _ object) { vc["validUntil"] = "tomorrow" }, "until before": func(vc, _ object) { vc["validUntil"] = "2020-01-01T00:00:00Z" }, "no until": func(vc, _ object) { delete(vc, "validUntil") },
		"offset": func(vc, _ object) { vc["validFrom"] = "2026-03-02T09:00:00+08:00" }, "fraction": func(vc, _ object) { vc["validFrom"] = "2026-03-02T01:00:00.5Z" }, "no zone": func(vc, _ object) { vc["validFrom"] = "2026-03-02T01:00:00" }, "day 30": func(vc, _ object) { vc["validFrom"] = "2026-02-30T01:00:00Z" },
		"not multibase": func(_, s object) { s["encodedList"] = packed(t, bits)[1:] }, "not gzip": func(_, s object) { s["encodedList"] = "uAAAA" }, "nothing": func(_, s object) { s["encodedList"] = "" }, "u": func(_, s object) { s["encodedList"] = "u" }, "no base64": func(_, s object) { s["encodedList"] = "u!" },
		"short": func(_, s object) { s["encodedList"] = packed(t, bits[1:]) }, "long": func(_, s object) { s["encodedList"] = packed(t, append(bits, 255)) }, "greatest": func(_, s object) { s["encodedList"] = packed(t, make([]byte, maxStatusBytes)) },
		"bomb": func(_, s object) { s["encodedList"] = packed(t, make([]byte, 64<<20)) }, "just too long": func(_, s object) { s["encodedList"] = packed(t, make([]byte, maxStatusBytes+1)) }, "junk": func(_, s object) { s["encodedList"] = packed(t, bits, 1, 2, 3) },
		"cut": func(_, s object) { e := packed(t, bits); s["encodedList"] = e[:len(e)-4] }, "all set": func(_, s object) { s["encodedList"] = packed(t, bytes.Repeat([]byte{255}, len(bits))) },
	} {
		text := k.listWith(t, edit)
		c.trust("list "+name, scriptTrust{JWKS: all, Lists: []string{text, lists[1]}})
		c.ask("list "+name, "token", string(k.token(t, sample())))
	}
	payload := []byte(`{}`)
	other, err := k.signers[jws.Status].Sign(payload, TypVC)
	noFail(t, err)
	asQR, err := k.signers[jws.QR].Sign(payload, TypVC)
	noFail(t, err)
	for i, text := range []string{other, asQR, directory, "", "x", strings.Repeat("a", MaxStatusList+1)} {
		c.trust(fmt.Sprint("list text ", i), scriptTrust{JWKS: all, Lists: []string{text}})
		c.ask(fmt.Sprint("list text ", i), "token", string(k.token(t, sample())))
	}
}

func between(s, from, to string) string {
	_, rest, _ := strings.Cut(s, from)
	out, _, _ := strings.Cut(rest, to)
	return out
}

// openedScript is trust that this package has made of material, or why it has not.
type openedScript struct {
	trust Trust
	err   error
	now   time.Time
}

// said is what this package answers, in the form in which the module does.
func (c scriptCase) said(trusts []openedScript) map[string]any {
	in := trusts[c.Trust]
	if in.err != nil {
		return map[string]any{"error": fail.CodeOf(in.err)}
	}
	v, err := VerifyOffline(c.Text, in.trust, in.now)
	if err != nil {
		return map[string]any{"error": fail.CodeOf(err)}
	}
	b, err := json.Marshal(v)
	if err != nil {
		return map[string]any{"error": err.Error()}
	}
	var out map[string]any
	if err := json.Unmarshal(b, &out); err != nil {
		return map[string]any{"error": err.Error()}
	}
	out["basis"] = map[string]any{"zh": v.Basis(ZH), "en": v.Basis(EN)}
	var standing any
	if v.Standing(ZH) != "" {
		standing = map[string]any{"zh": v.Standing(ZH), "en": v.Standing(EN)}
	}
	return map[string]any{"verdict": out, "standing": standing}
}

// sameError reports whether two codes of refused material mean the same. The
// module does not tell apart all that this package does.
func sameError(a, b string) bool {
	class := func(s string) string {
		switch s {
		case "jws_malformed", "jws_noncanonical", "jws_wrong_alg":
			return "form"
		case "status_list_length":
			return "bad_status_list"
		}
		return s
	}
	return class(a) == class(b)
}

// scriptAnswers is what the module says of a corpus.
type scriptAnswers struct {
	Trusts  []string         `json:"trusts"`
	Answers []map[string]any `json:"answers"`
	Flips   [][]string       `json:"flips"`
	Places  []map[string]any `json:"places"`
	Runes   struct {
		Name, Mask [][2]rune
	} `json:"runes"`
}

// runScript asks the module, in node.
func runScript(t *testing.T, c *scriptCorpus) (out scriptAnswers) {
	t.Helper()
	node := needed.Tool(t, "node", "nodejs")
	dir := t.TempDir()
	script, err := os.ReadFile(scriptFile)
	noFail(t, err)
	module := filepath.Join(dir, "bajigong-verify.mjs")
	noFail(t, os.WriteFile(module, script, 0o600))
	b, err := json.Marshal(c)
	noFail(t, err)
	corpus := filepath.Join(dir, "corpus.json")
	noFail(t, os.WriteFile(corpus, b, 0o600))
	cmd := exec.CommandContext(t.Context(), node, filepath.Join("testdata", "cross.mjs"), module, corpus)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	answer, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, errs.Bytes())
	}
	noFail(t, json.Unmarshal(answer, &out))
	return out
}

// TestScriptAnswersAsThisPackageDoes asks bajigong-verify.js and VerifyOffline
// the same questions: each answer must be deeply equal.
func TestScriptAnswersAsThisPackageDoes(t *testing.T) {
	t.Parallel()
	k, foreign, strangers := newKeys(t, "js"), newKeys(t, "zj"), newKeys(t, "js")
	c := &scriptCorpus{t: t}
	c.fill(k, foreign, strangers)
	got := runScript(t, c)
	c.compare(got)
	for i, f := range c.Flips {
		if want := (8*len(f.Text) + f.Every - 1) / f.Every; len(got.Flips[i]) != want {
			t.Fatalf("%d flips, want %d", len(got.Flips[i]), want)
		}
		for n, code := range got.Flips[i] {
			bit := n * f.Every
			b := []byte(f.Text)
			b[bit/8] ^= 1 << (bit % 8)
			trust := c.Trusts[f.Trust]
			if changed := string(b); f.Part == "directory" {
				trust.Directory = &changed
			} else {
				trust.Lists = []string{changed}
			}
			_, err := trust.open()
			if err == nil || !sameError(fail.CodeOf(err), code) {
				t.Errorf("%s with bit %d flipped: Go %v, module %s", f.Part, bit, err, code)
			}
		}
	}
	t.Logf("%d and %d flips", len(got.Flips[0]), len(got.Flips[1]))
}

// compare holds the answers of the module against those of this package.
func (c *scriptCorpus) compare(got scriptAnswers) {
	t := c.t
	t.Helper()
	if len(got.Answers) != len(c.Cases) {
		t.Fatalf("%d answers to %d questions", len(got.Answers), len(c.Cases))
	}
	trusts := make([]openedScript, len(c.Trusts))
	for i, in := range c.Trusts {
		trusts[i].trust, trusts[i].err = in.open()
		trusts[i].now = in.Now
	}
	reasons := map[Reason]int{}
	valid := 0
	for i, one := range c.Cases {
		if scanned, err := ParseAny(one.Text); err == nil && scanned.Credential != "" {
			// The module checks codes; a text of the type of a credential is none to it.
			if v, _ := got.Answers[i]["verdict"].(map[string]any); v != nil && v["band"] != string(Bad) {
				t.Errorf("%s: the module answers %v", one.name, v)
			}
			continue
		}
		want := one.said(trusts)
		if errors, ok := want["error"].(string); ok && got.Answers[i]["error"] != nil && sameError(errors, fmt.Sprint(got.Answers[i]["error"])) {
			continue
		}
		if !reflect.DeepEqual(want, got.Answers[i]) {
			w, _ := json.Marshal(want)
			g, _ := json.Marshal(got.Answers[i])
			t.Errorf("%s\n   Go: %s\nmodule: %s", one.name, w, g)
		}
		if v, ok := want["verdict"].(map[string]any); ok {
			for _, r := range v["reasons"].([]any) {
				reasons[Reason(r.(string))]++
			}
			if v["valid"] == true {
				valid++
			}
		}
	}
	for _, r := range offlineReasons() {
		if reasons[r] == 0 {
			t.Errorf("no case gives %s", r)
		}
	}
	for i, want := range []map[string]any{{"list": 0., "index": 130971.}, {"list": 0., "index": 130971.}, {"list": 762., "index": float64(maxStatus % StatusListBits)}, {"error": "not_our_qr"}, {"error": "no_token"}, {"error": "jws_malformed"}} {
		if !reflect.DeepEqual(got.Places[i], want) {
			t.Errorf("place of %.40q: %v", c.Places[i], got.Places[i])
		}
	}
	t.Logf("%d questions under %d trusts, %d of them valid, reasons %v", len(c.Cases), len(c.Trusts), valid, reasons)
}

// TestScriptKnowsTheSameCharacters tries every character of the first two planes, and
// some of each other, in a name and in a masked document number. The two sides may know different versions of Unicode:
// characters that Go's does not have yet are left out.
func TestScriptKnowsTheSameCharacters(t *testing.T) {
	t.Parallel()
	got := runScript(t, &scriptCorpus{t: t, Runes: true})
	in := func(ranges [][2]rune, r rune) bool {
		i, found := slices.BinarySearchFunc(ranges, r, func(x [2]rune, r rune) int {
			switch {
			case x[1] < r:
				return -1
			case x[0] > r:
				return 1
			}
			return 0
		})
		return found && i < len(ranges)
	}
	tried := 0
	for r := range rune(unicode.MaxRune + 1) {
		if r >= 0xd800 && r < 0xe000 || r > 0x20010 && r%61 != 0 || unicode.Is(unicode.Cn, r) {
			continue
		}
		tried++
		if here := nameRune(r); here != in(got.Runes.Name, r) {
			t.Errorf("%U in a name: %v here, %v in the module", r, here, !here)
		}
		if here := maskRune(r); here != in(got.Runes.Mask, r) {
			t.Errorf("%U in a masked number: %v here, %v in the module", r, here, !here)
		}
	}
	if tried < 60_000 {
		t.Errorf("only %d characters tried", tried)
	}
}
