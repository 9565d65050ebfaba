package credentials

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"bajigong/credentials/jws"
	"bajigong/internal/fail"
	"bajigong/internal/needed"
)

func sampleVC() Credential {
	return Credential{Origin: testOrigin, Handle: handleOf(0x7a3b91c2d4e5f607), Claims: sample(),
		OccupationName: "电工", TradeName: "变配电运行值班员", Institution: "某某培训中心"}
}

func (k keys) vc(t testing.TB, c Credential) string {
	t.Helper()
	compact, err := SignVC(k.signers[jws.VC], c)
	noFail(t, err)
	return compact
}

// vcVariants are credentials with everything that may be there or not.
func vcVariants() []Credential {
	var out []Credential
	for _, edit := range []func(*Credential){
		func(*Credential) {},
		func(c *Credential) { c.Claims.Trade, c.TradeName = "", "--" },
		func(c *Credential) { c.Claims.Trade = "" }, // a trade by name alone
		func(c *Credential) { c.Claims.Occupation = "6-31-01-03@2015" },
		func(c *Credential) { c.Claims.Name = "𠮷\U0002EBF0\U000323B0" },
		func(c *Credential) { c.Claims.Status = 0 },
		func(c *Credential) { c.Claims.Status = maxStatus },
		func(c *Credential) { c.Institution = `江岸"培训"<中心> & Söhne\` },
		func(c *Credential) { c.Origin = "http://127.0.0.1:8443" },
		func(c *Credential) { c.Claims.Level = '5' },
		func(c *Credential) { c.Claims.Level = '4' },
		func(c *Credential) { c.Claims.Level = '2' },
		func(c *Credential) { c.Claims.Level = '1' },
		func(c *Credential) { c.Claims.DocumentMasked = "军******号" },
	} {
		c := sampleVC()
		edit(&c)
		out = append(out, c)
	}
	return out
}

func TestCredentialIsAsDocumented(t *testing.T) {
	payload, err := sampleVC().encode()
	noFail(t, err)
	var pretty bytes.Buffer
	noFail(t, json.Indent(&pretty, payload, "", "  "))
	golden(t, "vc.golden.json", append(pretty.Bytes(), '\n'))
	head, _, _ := strings.Cut(newKeys(t, "js").vc(t, sampleVC()), ".")
	if got, err := base64.RawURLEncoding.DecodeString(head); err != nil || string(got) != `{"alg":"ES256","kid":"js02","typ":"vc+jwt"}` {
		t.Errorf("header %s, %v", got, err)
	}
}

func TestCredentialRoundTrip(t *testing.T) {
	k := newKeys(t, "js")
	for _, c := range vcVariants() {
		got, key, err := OpenVC(k.vc(t, c), k.set, testNow, jws.Limits{})
		if err != nil || got != c || key.ID != "js02" {
			t.Errorf("%+v came back as %+v, %v", c, got, err)
		}
	}
}

// The longest credential fits its limit, and wrapped as a document the limit of
// what is verified.
func TestLongestCredentialFits(t *testing.T) {
	c := sampleVC()
	for label := "abcdefgh."; ; { // the longest origin that init allows
		longer := "https://" + strings.Repeat(label, strings.Count(c.Origin, label)+1) + "cn:65535"
		if Budget(longer) != nil {
			break
		}
		c.Origin = longer
	}
	c.Claims.Name = strings.Repeat("买", MaxNameBytes/3)
	c.Claims.Occupation, c.Claims.Status, c.Claims.Level = "6-31-01-03@2015", maxStatus, '1'
	c.OccupationName = strings.Repeat("职", 60)
	c.TradeName = strings.Repeat("工", 60)
	c.Institution = strings.Repeat("院", 100) // the limits of the register's forms
	compact := newKeys(t, "js").vc(t, c)
	doc, err := Enveloped(compact)
	noFail(t, err)
	if len(compact) > MaxVC || len(doc) > MaxScanned {
		t.Errorf("%d and %d characters", len(compact), len(doc))
	}
	t.Logf("longest %d characters under %s, sample %d", len(compact), c.Origin, len(newKeys(t, "js").vc(t, sampleVC())))
}

func TestCredentialRefusesWhatItMustNotSay(t *testing.T) {
	k := newKeys(t, "js")
	for name, edit := range map[string]func(*Credential){
		"full document":      func(c *Credential) { c.Claims.DocumentMasked = "32058319900101003X" },
		"number with person": func(c *Credential) { c.Claims.Number = "T32058319900101003X" },
		"origin":             func(c *Credential) { c.Origin += "/" },
		"handle":             func(c *Credential) { c.Handle = "x" },
		"no occupation":      func(c *Credential) { c.OccupationName = "" },
		"control":            func(c *Credential) { c.Institution = "a\nb" },
		"not UTF-8":          func(c *Credential) { c.Institution = "a\xff" },
		"long":               func(c *Credential) { c.Institution = strings.Repeat("a", maxVCText+1) },
		"no trade":           func(c *Credential) { c.TradeName = "" },
		"trade of no name":   func(c *Credential) { c.TradeName = "--" },
		"edition twice":      func(c *Credential) { c.Claims.Occupation += "@2022" },
		"level":              func(c *Credential) { c.Claims.Level = 0 },
	} {
		c := sampleVC()
		edit(&c)
		if _, err := SignVC(k.signers[jws.VC], c); fail.KindOf(err) != fail.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, p := range []jws.Purpose{jws.QR, jws.Status, jws.Decision, jws.Directory} {
		if _, err := SignVC(k.signers[p], sampleVC()); fail.CodeOf(err) != "wrong_purpose" {
			t.Errorf("signed with a %s key: %v", p, err)
		}
	}
}

// What VC Data Model 2.0, VC-JOSE-COSE and Bitstring Status List v1.0 ask a
// verifier to refuse, each under a right signature, each with its own reason.
func TestCredentialVerification(t *testing.T) {
	k := newKeys(t, "js")
	type doc = map[string]any
	entry := func(m doc, i int) doc { return m["credentialStatus"].([]any)[i].(doc) }
	paper := func(m doc) doc { return m["credentialSubject"].(doc)["certificate"].(doc) }
	other := "https://evil.example"
	for name, c := range map[string]struct {
		edit func(doc)
		want string // code of the error, and of its field
	}{
		// VC Data Model 2.0 §4.3: the first context is the base context, exactly.
		"context v1":       {func(m doc) { m["@context"].([]any)[0] = "https://www.w3.org/2018/credentials/v1" }, "bad_credential context_first"},
		"context order":    {func(m doc) { slices.Reverse(m["@context"].([]any)) }, "bad_credential context_first"},
		"context text":     {func(m doc) { m["@context"] = vcContext }, "bad_credential context"},
		"no context":       {func(m doc) { delete(m, "@context") }, "bad_credential context"},
		"empty context":    {func(m doc) { m["@context"] = []any{} }, "bad_credential context"},
		"base alone":       {func(m doc) { m["@context"] = []any{vcContext} }, "bad_credential context_other"},
		"foreign context":  {func(m doc) { m["@context"] = append(m["@context"].([]any), other+"/c") }, "bad_credential context_other"},
		"another register": {func(m doc) { m["@context"].([]any)[1] = CertificateContextURL(other) }, "bad_credential context_other"},
		// §4.3, JSON-LD 1.1 §4.1.11: protected terms may not be redefined.
		"term redefined": {func(m doc) {
			m["@context"] = append(m["@context"].([]any), doc{"validFrom": "urn:x"})
		}, "bad_credential context_inline"},
		"inline instead": {func(m doc) { m["@context"].([]any)[1] = doc{"number": "urn:x"} }, "bad_credential context_inline"},
		"later form":     {func(m doc) { m["@context"].([]any)[1] = testOrigin + "/contexts/certificate-2.jsonld" }, "credential_form"},
		"form 02":        {func(m doc) { m["@context"].([]any)[1] = testOrigin + "/contexts/certificate-02.jsonld" }, "bad_credential context_other"},
		// VC-JOSE-COSE §3.1.3: vc and vp must not be present.
		"vc claim": {func(m doc) { m["vc"] = doc{} }, "bad_credential wrapped"},
		"vp claim": {func(m doc) { m["vp"] = nil }, "bad_credential wrapped"},
		// §4.5 type.
		"no type":    {func(m doc) { delete(m, "type") }, "bad_credential type"},
		"type text":  {func(m doc) { m["type"] = "VerifiableCredential" }, "bad_credential type"},
		"other type": {func(m doc) { m["type"] = []any{"VerifiableCredential", "Other"} }, "bad_credential type"},
		"third type": {func(m doc) { m["type"] = append(m["type"].([]any), "Other") }, "bad_credential type"},
		// VC-JOSE-COSE §3.1.3: iss equals issuer.
		"issuer differs": {func(m doc) { m["issuer"] = other }, "bad_credential issuer_differs"},
		"iss differs":    {func(m doc) { m["iss"] = other }, "bad_credential issuer_differs"},
		"no iss":         {func(m doc) { delete(m, "iss") }, "bad_credential issuer_differs"},
		"issuer object":  {func(m doc) { m["issuer"] = doc{"id": testOrigin} }, "bad_credential issuer"},
		"issuer no URL":  {func(m doc) { m["issuer"], m["iss"] = "js", "js" }, "bad_credential issuer"},
		"no issuer":      {func(m doc) { delete(m, "issuer") }, "bad_credential issuer"},
		// §4.9 validity, dateTimeStamp: the zone is mandatory.
		"no zone":       {func(m doc) { m["validFrom"] = "2025-06-30T00:00:00" }, "bad_credential no_zone"},
		"no validFrom":  {func(m doc) { delete(m, "validFrom") }, "bad_credential no_zone"},
		"number":        {func(m doc) { m["validFrom"] = 1 }, "bad_credential no_zone"},
		"until no zone": {func(m doc) { m["validUntil"] = "2027-01-01T00:00:00" }, "bad_credential no_zone"},
		"until number":  {func(m doc) { m["validUntil"] = 1 }, "bad_credential no_zone"},
		"until before":  {func(m doc) { m["validUntil"] = "2025-06-29T15:59:59Z" }, "bad_credential order"},
		"future": {func(m doc) {
			m["validFrom"] = testNow.Add(clockDifference + time.Second).Format(time.RFC3339)
		}, "credential_not_yet_valid"},
		"other moment": {func(m doc) { m["validFrom"] = "2025-06-29T16:00:00Z" }, "jws_noncanonical"},
		"other day":    {func(m doc) { m["validFrom"] = "2025-06-29T00:00:00+08:00" }, "jws_noncanonical"},
		"an end":       {func(m doc) { m["validUntil"] = "2027-01-01T00:00:00Z" }, "jws_noncanonical"},
		// Bitstring Status List v1.0 §2.1.
		"entry id is list":  {func(m doc) { entry(m, 0)["id"] = entry(m, 0)["statusListCredential"] }, "bad_credential status_id_is_list"},
		"entry id":          {func(m doc) { entry(m, 1)["id"] = other }, "bad_credential status_id"},
		"index number":      {func(m doc) { entry(m, 0)["statusListIndex"] = 130971 }, "bad_credential status_index"},
		"index hex":         {func(m doc) { entry(m, 0)["statusListIndex"] = "0x1ff" }, "bad_credential status_index"},
		"index zeros":       {func(m doc) { entry(m, 0)["statusListIndex"] = "00130971" }, "bad_credential status_index"},
		"index sign":        {func(m doc) { entry(m, 0)["statusListIndex"] = "+130971" }, "bad_credential status_index"},
		"index negative":    {func(m doc) { entry(m, 0)["statusListIndex"] = "-1" }, "bad_credential status_index"},
		"index empty":       {func(m doc) { entry(m, 0)["statusListIndex"] = "" }, "bad_credential status_index"},
		"index beyond":      {func(m doc) { entry(m, 0)["statusListIndex"] = "131072" }, "bad_credential status_range"},
		"index huge":        {func(m doc) { entry(m, 0)["statusListIndex"] = "99999999999999999999" }, "bad_credential status_index"},
		"purpose":           {func(m doc) { entry(m, 0)["statusPurpose"] = "message" }, "bad_credential status_purpose"},
		"purpose swapped":   {func(m doc) { entry(m, 1)["statusPurpose"] = "revocation" }, "bad_credential status_purpose"},
		"entry type":        {func(m doc) { entry(m, 0)["type"] = "StatusList2021Entry" }, "bad_credential status_type"},
		"foreign list":      {func(m doc) { entry(m, 0)["statusListCredential"] = other + "/status/revocation-0" }, "bad_credential status_list"},
		"list of another":   {func(m doc) { entry(m, 0)["statusListCredential"] = testOrigin + "/status/suspension-0" }, "bad_credential status_list"},
		"list number":       {func(m doc) { entry(m, 0)["statusListCredential"] = testOrigin + "/status/revocation-00" }, "bad_credential status_list"},
		"no status":         {func(m doc) { delete(m, "credentialStatus") }, "bad_credential status_entries"},
		"status object":     {func(m doc) { m["credentialStatus"] = entry(m, 0) }, "bad_credential status_entries"},
		"status missing":    {func(m doc) { m["credentialStatus"] = m["credentialStatus"].([]any)[1:] }, "bad_credential status_entries"},
		"status null":       {func(m doc) { m["credentialStatus"].([]any)[2] = nil }, "bad_credential status_type"},
		"status text":       {func(m doc) { m["credentialStatus"].([]any)[2] = "x" }, "bad_credential status_entries"},
		"places differ":     {func(m doc) { e := entry(m, 2); e["statusListIndex"], e["id"] = "1", testOrigin+"/status/refresh-0#1" }, "bad_credential status_place"},
		"status with extra": {func(m doc) { entry(m, 0)["statusSize"] = 2 }, "jws_noncanonical"},
		"schema":            {func(m doc) { m["credentialSchema"].(doc)["id"] = other }, "bad_credential schema"},
		"no schema":         {func(m doc) { delete(m, "credentialSchema") }, "bad_credential schema"},
		"schema type":       {func(m doc) { m["credentialSchema"].(doc)["type"] = "JsonSchemaCredential" }, "bad_credential schema"},
		// The form of ours.
		"id":              {func(m doc) { m["id"] = testOrigin + "/c/x" }, "bad_credential content"},
		"foreign id":      {func(m doc) { m["id"] = other + "/c/7k3m9qh2c4x5t" }, "bad_credential content"},
		"subjects":        {func(m doc) { m["credentialSubject"] = []any{m["credentialSubject"]} }, "bad_credential form"},
		"no subject":      {func(m doc) { delete(m, "credentialSubject") }, "bad_credential content"},
		"subject id":      {func(m doc) { m["credentialSubject"].(doc)["id"] = "did:example:1" }, "jws_noncanonical"},
		"full document":   {func(m doc) { m["credentialSubject"].(doc)["documentMasked"] = "32058319900101003X" }, "bad_credential content"},
		"extra in paper":  {func(m doc) { paper(m)["score"] = 60 }, "jws_noncanonical"},
		"trade null":      {func(m doc) { paper(m)["trade"] = nil }, "jws_noncanonical"},
		"trade --":        {func(m doc) { paper(m)["trade"] = doc{"type": "Trade", "name": "--"} }, "jws_noncanonical"},
		"edition":         {func(m doc) { paper(m)["occupation"].(doc)["edition"] = "" }, "bad_credential content"},
		"level unknown":   {func(m doc) { paper(m)["level"].(doc)["code"] = "master" }, "bad_credential content"},
		"level word":      {func(m doc) { paper(m)["level"].(doc)["nameZh"] = "特级技师" }, "jws_noncanonical"},
		"prefix":          {func(m doc) { paper(m)["institution"].(doc)["numberPrefix"] = "S000032058399" }, "jws_noncanonical"},
		"iat":             {func(m doc) { m["iat"] = 1 }, "jws_noncanonical"},
		"unknown":         {func(m doc) { m["x"] = 1 }, "jws_noncanonical"},
		"embedded proof":  {func(m doc) { m["proof"] = doc{} }, "jws_noncanonical"},
		"only reordering": {func(doc) {}, "jws_noncanonical"}, // json.Marshal sorts the members
	} {
		payload, err := sampleVC().encode()
		noFail(t, err)
		var m doc
		noFail(t, json.Unmarshal(payload, &m))
		c.edit(m)
		changed, err := json.Marshal(m)
		noFail(t, err)
		compact, err := k.signers[jws.VC].Sign(changed, TypVC)
		noFail(t, err)
		_, _, err = OpenVC(compact, k.set, testNow, jws.Limits{})
		if got := codeAndField(err); got != c.want {
			t.Errorf("%s: %q (%v), want %q", name, got, err, c.want)
		}
	}
}

// codeAndField is the code of an error and of its first field.
func codeAndField(err error) string {
	out := fail.CodeOf(err)
	if e := (*fail.Error)(nil); errors.As(err, &e) && len(e.Fields) > 0 {
		out += " " + e.Fields[0].Code
	}
	return out
}

// Spellings of the right content that are not the one text of it.
func TestCredentialSpellings(t *testing.T) {
	k := newKeys(t, "js")
	good, err := sampleVC().encode()
	noFail(t, err)
	text := string(good)
	for name, payload := range map[string]string{
		"space":      strings.Replace(text, ",", ", ", 1),
		"escape":     strings.Replace(text, "欧", `\u6b27`, 1),
		"slash":      strings.Replace(text, "/", `\/`, 1),
		"repeated":   strings.Replace(text, `"iss"`, `"issuer":"https://evil.example","iss"`, 1),
		"last wins":  strings.Replace(text, `"iss"`, `"issuer":"`+testOrigin+`","iss"`, 1),
		"deep":       strings.Replace(text, `"number"`, `"number":"X","number"`, 1),
		"case":       strings.Replace(text, `"issued"`, `"Issued"`, 1),
		"both cases": strings.Replace(text, `"name":"欧`, `"NAME":"x","name":"欧`, 1),
		"null trade": strings.Replace(text, `"trade":{"type":"Trade","catalogueId":"01","name":"变配电运行值班员"},`, `"trade":null,`, 1),
		"trailing":   text + " ",
		"two":        text + text,
		"list":       "[" + text + "]",
		"null":       "null",
		"text":       `"x"`,
		"nested":     k.vc(t, sampleVC()),
	} {
		if payload == text {
			t.Fatalf("%s changes nothing", name)
		}
		compact, err := k.signers[jws.VC].Sign([]byte(payload), TypVC)
		noFail(t, err)
		if _, _, err := OpenVC(compact, k.set, testNow, jws.Limits{}); !isJWS(err) && fail.CodeOf(err) != "bad_credential" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCredentialOfADistrustedKey(t *testing.T) {
	k := newKeys(t, "js")
	compact := k.vc(t, sampleVC())
	key, _ := k.set.Key("js02")
	key.State, key.DistrustedFrom = jws.Distrusted, testNow
	set, err := jws.NewKeySet(key)
	noFail(t, err)
	if c, _, err := OpenVC(compact, set, testNow, jws.Limits{}); !errors.Is(err, jws.ErrDistrusted) || c != sampleVC() {
		t.Errorf("without evidence: %+v, %v", c, err)
	}
	if c, _, err := OpenVC(compact, set, testNow, jws.Limits{Existed: testNow.Add(-time.Hour)}); err != nil || c != sampleVC() {
		t.Errorf("with evidence: %+v, %v", c, err)
	}
	if _, _, err := OpenVC(compact, k.set, testNow, jws.Limits{MaxChars: 100}); !errors.Is(err, jws.ErrTooLarge) {
		t.Errorf("limit: %v", err)
	}
	v, err := VerifyOffline(compact, Trust{Keys: set}, testNow)
	if err != nil || v.First() != ReasonKeyDistrusted || !strings.Contains(v.Next(ZH), "重新下载") {
		t.Errorf("%+v, %v", v, err)
	}
}

// Every single bit of a whole compact text, flipped: refused, with the reason
// that fits the place.
func TestEveryFlippedBitHasItsReason(t *testing.T) {
	t.Parallel()
	k := newKeys(t, "js")
	for name, c := range map[string]struct {
		compact string
		open    func(string) error
	}{
		"QR token": {string(k.token(t, sample())), func(s string) error { _, _, err := OpenToken(Token(s), k.set, time.Time{}); return err }},
		"vc+jwt":   {k.vc(t, sampleVC()), func(s string) error { _, _, err := OpenVC(s, k.set, testNow, jws.Limits{}); return err }},
	} {
		noFail(t, c.open(c.compact))
		for i := range len(c.compact) {
			for bit := range 8 {
				if !needed.Tried(8*i+bit, 3, 9) {
					continue
				}
				b := []byte(c.compact)
				b[i] ^= 1 << bit
				err := c.open(string(b))
				if want := flipReasons(c.compact, string(b), i, k.set); !slices.ContainsFunc(want, func(w error) bool { return errors.Is(err, w) }) {
					t.Fatalf("%s, bit %d of character %d (%q to %q): %v, want %v", name, bit, i, c.compact[i], b[i], err, want)
				}
				// To people: altered, or of a key that is not one for this. What no longer
				// has the shape of a signed text is none of ours.
				v, err := VerifyOffline(string(b), Trust{Keys: k.set}, testNow)
				if err == nil && (v.Valid || !slices.Contains([]Reason{ReasonBadSignature, ReasonUnknownKey, ReasonWrongRegistry}, v.First())) ||
					err != nil && fail.CodeOf(err) != "not_our_qr" {
					t.Fatalf("%s, bit %d of character %d: %+v, %v", name, bit, i, v, err)
				}
			}
		}
		t.Logf("%s: every %d. of %d flips refused", name, needed.Every(3, 9), 8*len(c.compact))
	}
}

// flipReasons says what must be wrong with a text whose character i was changed,
// without asking the code under test.
func flipReasons(old, changed string, i int, set jws.KeySet) []error {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	if !strings.ContainsRune(alphabet, rune(changed[i])) || changed[i] >= 0x80 || old[i] == '.' {
		return []error{jws.ErrMalformed, jws.ErrNoncanonical} // the second for line breaks, which a decoder skips
	}
	first, last := strings.IndexByte(old, '.'), strings.LastIndexByte(old, '.')
	part, from := old[:first], 0
	switch {
	case i > last:
		part, from = old[last+1:], last+1
	case i > first:
		part, from = old[first+1:last], first+1
	}
	if i == from+len(part)-1 && len(part)%4 != 0 {
		unused := 2 // three characters hold 18 bits for 16
		if len(part)%4 == 2 {
			unused = 4 // two hold 12 for 8
		}
		if strings.IndexByte(alphabet, changed[i])&(1<<unused-1) != 0 {
			return []error{jws.ErrNoncanonical}
		}
	}
	if i > first {
		return []error{jws.ErrBadSignature}
	}
	b, _ := base64.RawURLEncoding.DecodeString(changed[:first])
	var strict map[string]string
	if json.Unmarshal(b, &strict) != nil {
		return []error{jws.ErrMalformed}
	}
	if strict["alg"] == "" {
		return []error{jws.ErrMalformed, jws.ErrNoncanonical} // a member of another name
	}
	if strict["alg"] != "ES256" {
		return []error{jws.ErrWrongAlg}
	}
	was, _ := base64.RawURLEncoding.DecodeString(old[:first])
	var before map[string]string
	_ = json.Unmarshal(was, &before)
	switch {
	case strict["kid"] == "" || before["typ"] != "" && strict["typ"] == "":
		return []error{jws.ErrMalformed, jws.ErrNoncanonical, jws.ErrWrongType}
	case strict["typ"] != before["typ"]:
		return []error{jws.ErrWrongType, jws.ErrMalformed}
	case strict["kid"] != before["kid"]:
		if _, known := set.Key(strict["kid"]); known {
			return []error{jws.ErrWrongPurpose}
		}
		return []error{jws.ErrUnknownKey, jws.ErrMalformed}
	}
	return []error{jws.ErrNoncanonical}
}

func TestVerifyOfflineOfACredential(t *testing.T) {
	k, foreign := newKeys(t, "js"), newKeys(t, "zj")
	directory := sampleDirectory()
	c := sampleVC()
	compact := k.vc(t, c)
	doc, err := Enveloped(compact)
	noFail(t, err)
	lists := func(purposes ...StatusPurpose) []*StatusList {
		var out []*StatusList
		for _, p := range StatusPurposes() {
			l := NewStatusList(testOrigin, p, 0)
			l.ValidFrom, l.ValidUntil = testNow.Add(-time.Hour), testNow.Add(23*time.Hour)
			noFail(t, l.Set(c.Claims.Status, slices.Contains(purposes, p)))
			out = append(out, l)
		}
		return out
	}
	onlyQR, err := jws.NewKeySet(k.set.Keys(jws.QR)...)
	noFail(t, err)
	asStatus, err := k.signers[jws.Status].Sign(mustPayload(t, c), TypVC)
	noFail(t, err)
	elsewhere := c
	elsewhere.Origin = "https://other.example.org"
	for name, x := range map[string]struct {
		text  string
		trust Trust
		want  Reason
		face  bool
	}{
		"compact":               {compact, Trust{Keys: k.set, StatusLists: lists()}, ReasonValid, true},
		"white space around":    {"\n " + compact + "\r\n", Trust{Keys: k.set, StatusLists: lists()}, ReasonValid, true},
		"enveloped":             {string(doc), Trust{Keys: k.set, Directory: &directory, StatusLists: lists()}, ReasonValid, true},
		"data URL":              {envelope + compact, Trust{Keys: k.set, StatusLists: lists()}, ReasonValid, true},
		"no list":               {compact, Trust{Keys: k.set}, ReasonStatusUnchecked, true},
		"revoked":               {compact, Trust{Keys: k.set, StatusLists: lists(Revocation)}, ReasonRevoked, true},
		"superseded":            {compact, Trust{Keys: k.set, StatusLists: lists(Revocation, Refresh)}, ReasonSuperseded, true},
		"suspended":             {compact, Trust{Keys: k.set, StatusLists: lists(Suspension)}, ReasonSuspended, true},
		"key not at hand":       {compact, Trust{Keys: onlyQR}, ReasonUnknownKey, false},
		"another register":      {foreign.vc(t, c), Trust{Keys: k.set}, ReasonWrongRegistry, false},
		"another origin":        {k.vc(t, elsewhere), Trust{Keys: k.set, Directory: &directory, StatusLists: lists()}, ReasonWrongRegistry, true},
		"status key":            {asStatus, Trust{Keys: k.set}, ReasonUnknownKey, false},
		"altered":               {compact[:200] + flipLast(compact[200:201]) + compact[201:], Trust{Keys: k.set}, ReasonBadSignature, false},
		"QR key with right kid": {forgeVC(t, k), Trust{Keys: k.set}, ReasonUnknownKey, false},
	} {
		v, err := VerifyOffline(x.text, x.trust, testNow)
		if err != nil || v.First() != x.want || v.Form != TypVC || x.face != (v.Certificate != nil) {
			t.Errorf("%s: %+v, %v", name, v, err)
			continue
		}
		if strings.Contains(v.Sentence(ZH), "二维码") {
			t.Errorf("%s: %s", name, v.Sentence(ZH))
		}
		if x.face && (v.Certificate.Occupation != "电工" || v.Certificate.Trade != "变配电运行值班员" || v.Institution.Name != "某某培训中心" || v.Handle != c.Handle || v.KeyID != "js02") {
			t.Errorf("%s: %+v %+v", name, v.Certificate, v.Institution)
		}
	}
	v, err := VerifyOffline(compact, Trust{Keys: k.set}, testNow)
	noFail(t, err)
	if got := v.Standing(ZH); got != "" {
		t.Errorf("nothing is known of the institution, but the line says %s", got)
	}
	early := testNow.AddDate(-2, 0, 0)
	if _, err := VerifyOffline(compact, Trust{Keys: k.set}, early); fail.CodeOf(err) != "credential_not_yet_valid" {
		t.Errorf("clock behind: %v", err)
	}
}

func mustPayload(t testing.TB, c Credential) []byte {
	t.Helper()
	b, err := c.encode()
	noFail(t, err)
	return b
}

// forgeVC is a credential signed by a QR key as itself: right signature, wrong
// purpose.
func forgeVC(t testing.TB, k keys) string {
	t.Helper()
	compact, err := k.signers[jws.QR].Sign(mustPayload(t, sampleVC()), TypVC)
	noFail(t, err)
	return compact
}

// flipLast gives another character of the alphabet.
func flipLast(s string) string {
	if s == "A" {
		return "B"
	}
	return "A"
}

func TestParseAnyOfCredentials(t *testing.T) {
	k := newKeys(t, "js")
	compact := k.vc(t, sampleVC())
	payload := string(mustPayload(t, sampleVC()))
	doc := func(context, typ, id string) string {
		return fmt.Sprintf(`{"@context":%s,"type":%s,"id":%q}`, context, typ, id)
	}
	const ctx, typ = `"` + vcContext + `"`, `"EnvelopedVerifiableCredential"`
	for name, x := range map[string]struct{ text, code string }{
		"compact":           {compact, ""},
		"data URL":          {envelope + compact, ""},
		"document":          {doc(ctx, typ, envelope+compact), ""},
		"lists":             {doc(`[`+ctx+`]`, `[`+typ+`]`, envelope+compact), ""},
		"other order":       {`{ "id":"` + envelope + compact + `", "type":` + typ + `, "@context":` + ctx + ` }`, ""},
		"plain credential":  {payload, "no_signature"},
		"embedded proof":    {strings.Replace(payload, `"iss"`, `"proof":{},"iss"`, 1), "embedded_proof"},
		"wrong context":     {doc(`"https://www.w3.org/2018/credentials/v1"`, typ, envelope+compact), "bad_envelope"},
		"no context":        {`{"type":` + typ + `,"id":"` + envelope + compact + `"}`, "bad_envelope"},
		"more members":      {`{"@context":` + ctx + `,"type":` + typ + `,"id":"` + envelope + compact + `","x":1}`, "bad_envelope"},
		"repeated member":   {`{"@context":` + ctx + `,"type":` + typ + `,"id":"x","id":"` + envelope + compact + `"}`, "not_our_qr"},
		"presentation":      {doc(ctx, `"EnvelopedVerifiablePresentation"`, "data:application/vp+jwt,"+compact), "not_our_qr"},
		"other media type":  {"data:application/vc+sd-jwt," + compact, "bad_envelope"},
		"base64 data":       {"data:application/vc+jwt;base64," + compact, "bad_envelope"},
		"no data":           {envelope, "bad_envelope"},
		"web address as id": {doc(ctx, typ, "https://evil.example/vc"), "bad_envelope"},
		"JSON JWS":          {`{"payload":"e30","protected":"e30","signature":"AA"}`, "not_our_qr"},
		"broken JSON":       {`{"@context":`, "not_our_qr"},
		"two documents":     {doc(ctx, typ, envelope+compact) + "{}", "not_our_qr"},
		"huge":              {"{" + strings.Repeat(" ", MaxScanned), "text_too_large"},
	} {
		got, err := ParseAny(x.text)
		if fail.CodeOf(err) != x.code || err == nil && got != (Scanned{Credential: compact}) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if got, err := ParseAny(string(k.token(t, sample()))); err != nil || got.Token == "" || got.Credential != "" {
		t.Errorf("token: %+v, %v", got, err)
	}
}

func TestDistinctMembers(t *testing.T) {
	for text, ok := range map[string]bool{
		`{"a":1,"b":{"a":2,"c":["a","a",{"a":1}]},"c":[]}`: true,
		`[]`: true, `"a"`: true, `{}`: true, `{"a":{},"b":[{},{}],"c":null}`: true,
		`{"a":1,"a":2}`: false, `{"a":1,"A":2}`: false, `{"x":[{"a":1,"a":1}]}`: false, `{"x":{"a":{}},"x":1}`: false,
		`{"a":"b","b":"a","a":1}`: false,
	} {
		if err := distinctMembers([]byte(text)); ok != (err == nil) || !ok && !errors.Is(err, jws.ErrNoncanonical) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// The schema is a JSON Schema of draft 2020-12, takes what is issued and refuses
// what must not be.
func TestSchemaTakesWhatIsIssued(t *testing.T) {
	for _, c := range vcVariants() {
		schema := compiledSchema(t, c.Origin)
		if err := schema.Validate(parsed(t, mustPayload(t, c))); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
	type doc = map[string]any
	schema := compiledSchema(t, testOrigin)
	for name, edit := range map[string]func(doc){
		"full document":  func(m doc) { m["credentialSubject"].(doc)["documentMasked"] = "32058319900101003X" },
		"document":       func(m doc) { m["credentialSubject"].(doc)["document"] = "32058319900101003X" },
		"issuer":         func(m doc) { m["issuer"] = "https://evil.example" },
		"context":        func(m doc) { m["@context"] = append(m["@context"].([]any), doc{}) },
		"index number":   func(m doc) { m["credentialStatus"].([]any)[0].(doc)["statusListIndex"] = json.Number("1") },
		"purpose":        func(m doc) { m["credentialStatus"].([]any)[0].(doc)["statusPurpose"] = "suspension" },
		"no zone":        func(m doc) { m["validFrom"] = "2025-06-30T00:00:00" },
		"vc":             func(m doc) { m["vc"] = doc{} },
		"no certificate": func(m doc) { delete(m["credentialSubject"].(doc), "certificate") },
		"level":          func(m doc) { m["credentialSubject"].(doc)["certificate"].(doc)["level"].(doc)["code"] = "x" },
	} {
		m := parsed(t, mustPayload(t, sampleVC())).(doc)
		edit(m)
		if schema.Validate(m) == nil {
			t.Errorf("%s: the schema takes it", name)
		}
	}
}

func parsed(t testing.TB, b []byte) any {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	noFail(t, err)
	return v
}

func compiledSchema(t testing.TB, origin string) *jsonschema.Schema {
	t.Helper()
	text, err := Schema(origin, "certificate-1.json")
	noFail(t, err)
	doc := parsed(t, text)
	if id := doc.(map[string]any)["$id"]; id != CertificateSchemaURL(origin) {
		t.Fatalf("$id %v", id)
	}
	if bytes.Contains(text, []byte(schemaOrigin)) {
		t.Fatal("the placeholder is left")
	}
	compiler := jsonschema.NewCompiler()
	noFail(t, compiler.AddResource(CertificateSchemaURL(origin), doc))
	schema, err := compiler.Compile(CertificateSchemaURL(origin))
	noFail(t, err)
	return schema
}

// baseTerms are the terms of https://www.w3.org/ns/credentials/v2 that our
// credentials use: for every node ("") and by its type. That they are there is
// seen by the test with a JSON-LD processor (package web).
var baseTerms = map[string][]string{
	"":                         {"@context", "id", "type", "name", "iss", "VerifiableCredential", "JsonSchema", "BitstringStatusListEntry"},
	"VerifiableCredential":     {"issuer", "validFrom", "credentialSubject", "credentialStatus", "credentialSchema"},
	"BitstringStatusListEntry": {"statusPurpose", "statusListIndex", "statusListCredential"},
}

// baseProtected are the terms that https://www.w3.org/ns/credentials/v2 defines
// everywhere and protects: iss and its like among them.
var baseProtected = strings.Fields(`id type description digestMultibase digestSRI mediaType name VerifiableCredential
	EnvelopedVerifiableCredential VerifiablePresentation EnvelopedVerifiablePresentation JsonSchemaCredential JsonSchema
	BitstringStatusListCredential BitstringStatusList BitstringStatusListEntry DataIntegrityProof
	... _sd _sd_alg aud cnf exp iat iss jku kid nbf sub x5u`)

// Every member and type that is emitted is a term of the base context or of ours,
// and no term of ours is left over.
func TestEveryMemberIsDefined(t *testing.T) {
	text, err := Context("certificate-1.jsonld")
	noFail(t, err)
	context := parsed(t, text).(map[string]any)["@context"].(map[string]any)
	used := map[string]bool{}
	// defined reports whether a term is known in a node of these types.
	defined := func(term string, types []string) bool {
		for _, scope := range append([]string{""}, types...) {
			if slices.Contains(baseTerms[scope], term) {
				return true
			}
			own := context
			if scope != "" {
				definition, _ := context[scope].(map[string]any)
				own, _ = definition["@context"].(map[string]any)
			}
			if _, ok := own[term]; ok && !strings.HasPrefix(term, "@") {
				used[scope+"/"+term] = true
				return true
			}
		}
		return false
	}
	var walk func(at string, v any)
	walk = func(at string, v any) {
		switch v := v.(type) {
		case []any:
			for _, one := range v {
				walk(at, one)
			}
		case map[string]any:
			var types []string
			switch named := v["type"].(type) {
			case string:
				types = []string{named}
			case []any:
				for _, one := range named {
					types = append(types, one.(string))
				}
			}
			if len(types) == 0 {
				t.Errorf("%s has no type", at)
			}
			for _, one := range types {
				if !defined(one, nil) {
					t.Errorf("%s: the type %s is not defined", at, one)
				}
			}
			for member, value := range v {
				if !defined(member, types) {
					t.Errorf("%s: the member %s is not defined", at, member)
				}
				walk(at+"/"+member, value)
			}
		}
	}
	for _, c := range vcVariants() {
		walk("", parsed(t, mustPayload(t, c)))
	}
	// JSON-LD 1.1 §4.1.11: nobody gives our terms another meaning.
	if context["@protected"] != true {
		t.Error("our terms are not protected")
	}
	for term, definition := range context {
		if !strings.HasPrefix(term, "@") && !used["/"+term] {
			t.Errorf("the term %s is defined and never used", term)
		}
		scoped, _ := definition.(map[string]any)
		own, _ := scoped["@context"].(map[string]any)
		for inner := range own {
			if !strings.HasPrefix(inner, "@") && !used[term+"/"+inner] {
				t.Errorf("the term %s of %s is defined and never used", inner, term)
			}
		}
		for inner := range own {
			if slices.Contains(baseProtected, inner) {
				t.Errorf("the term %s of %s redefines one of the base context", inner, term)
			}
		}
		if slices.Contains(baseProtected, term) {
			t.Errorf("the term %s redefines one of the base context", term)
		}
	}
}

// What is published never changes: whoever changes a file here has to publish
// another form under another number instead.
func TestPublishedFilesStayAsTheyAre(t *testing.T) {
	schema, err := Schema(schemaOrigin, "certificate-1.json")
	noFail(t, err)
	context, err := Context("certificate-1.jsonld")
	noFail(t, err)
	golden(t, "published.golden", fmt.Appendf(nil, "certificate-1.json %x\ncertificate-1.jsonld %x\n", sha256.Sum256(schema), sha256.Sum256(context)))
	for _, name := range []string{"", "certificate-2.json", "certificate-1.jsonld", "../vc.go"} {
		if _, err := Schema(testOrigin, name); fail.KindOf(err) != fail.NotFound {
			t.Errorf("schema %q: %v", name, err)
		}
	}
	if _, err := Context("certificate-1.json"); fail.KindOf(err) != fail.NotFound {
		t.Errorf("context: %v", err)
	}
}

func FuzzDecodeVC(f *testing.F) {
	for _, c := range vcVariants() {
		f.Add(mustPayload(f, c))
	}
	f.Add([]byte(`{"@context":[{}],"issuer":"https://a.example","iss":"https://a.example"}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		c, err := decodeVC(payload, testNow)
		if err != nil {
			if fail.KindOf(err) != fail.Invalid {
				t.Fatalf("%v", err)
			}
			return
		}
		again, err := c.encode()
		if err != nil || !bytes.Equal(again, payload) {
			t.Fatalf("%q came back as %q, %v", payload, again, err)
		}
	})
}

func FuzzParseAnyCredential(f *testing.F) {
	k := newKeys(f, "js")
	compact := k.vc(f, sampleVC())
	doc, err := Enveloped(compact)
	noFail(f, err)
	f.Add(string(doc))
	f.Add(envelope + compact)
	f.Add(compact)
	f.Add(`{"type":["VerifiableCredential"]}`)
	f.Fuzz(func(t *testing.T, s string) {
		scanned, err := ParseAny(s)
		if err != nil || scanned.Credential == "" {
			return
		}
		if !tokenShape(scanned.Credential) {
			t.Fatalf("%q", scanned.Credential)
		}
		if c, _, err := OpenVC(scanned.Credential, k.set, testNow, jws.Limits{}); err == nil && (c != sampleVC() || scanned.Credential != compact) {
			t.Fatalf("accepted %q", s)
		}
	})
}
