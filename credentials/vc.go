package credentials

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"bajigong/credentials/jws"
	"bajigong/internal/fail"
)

// Credential is what the W3C Verifiable Credential of one version of a
// certificate says: the claims of its QR code, and in words what these only
// point to. Like them it holds no more than the paper shows.
type Credential struct {
	Origin         string // the register: issuer, see [ParseOrigin]
	Handle         Handle // of the version; the credential's id is origin/c/handle
	Claims         Claims
	OccupationName string
	TradeName      string // "--" for none
	Institution    string // name at issue
}

// TypeCertificate is the type of our credentials beside VerifiableCredential.
const TypeCertificate = "SkillCertificateCredential"

// MaxVC is the size limit of a credential in characters; an ordinary one has
// 2,400.
const MaxVC = 7168

// maxVCText is the greatest length of the name of an occupation, a trade or an
// institution in a credential, in bytes: 200 Chinese characters.
const maxVCText = 600

// defaultEdition is the edition of an occupation code that names none.
const defaultEdition = "2022"

// vcForm is the number of this form of credential. Its schema and context never
// change; another form gets another number.
const vcForm = "1"

// CertificateSchemaURL is the address of the JSON Schema of our credentials.
func CertificateSchemaURL(origin string) string {
	return origin + "/schemas/certificate-" + vcForm + ".json"
}

// CertificateContextURL is the address of the JSON-LD context of our terms.
func CertificateContextURL(origin string) string {
	return origin + "/contexts/certificate-" + vcForm + ".jsonld"
}

type certificateVC struct {
	Context   []string      `json:"@context"`
	ID        string        `json:"id"`
	Type      []string      `json:"type"`
	Issuer    string        `json:"issuer"`
	Iss       string        `json:"iss"`
	ValidFrom string        `json:"validFrom"`
	Subject   vcHolder      `json:"credentialSubject"`
	Status    []statusEntry `json:"credentialStatus"`
	Schema    vcSchema      `json:"credentialSchema"`
}

type vcHolder struct {
	Type        string        `json:"type"`
	Name        string        `json:"name"`
	Document    string        `json:"documentMasked"`
	Certificate vcCertificate `json:"certificate"`
}

type vcCertificate struct {
	Type        string        `json:"type"`
	Number      string        `json:"number"`
	Occupation  vcOccupation  `json:"occupation"`
	Trade       *vcTrade      `json:"trade,omitempty"`
	Level       vcLevel       `json:"level"`
	Institution vcInstitution `json:"institution"`
	Issued      string        `json:"issued"`
}

type vcOccupation struct {
	Type    string `json:"type"`
	Code    string `json:"code"`
	Edition string `json:"edition"`
	Name    string `json:"name"`
}

type vcTrade struct {
	Type string `json:"type"`
	ID   string `json:"catalogueId,omitempty"`
	Name string `json:"name"`
}

type vcLevel struct {
	Type string `json:"type"`
	Code string `json:"code"`
	ZH   string `json:"nameZh"`
	EN   string `json:"nameEn"`
}

type vcInstitution struct {
	Type   string `json:"type"`
	Prefix string `json:"numberPrefix"`
	Name   string `json:"name"`
}

type vcSchema struct {
	ID   string `json:"id"`
	Type string `json:"type"`
}

// statusEntry is a BitstringStatusListEntry (Bitstring Status List v1.0 §2.1).
type statusEntry struct {
	ID      string `json:"id"`
	Type    string `json:"type"`
	Purpose string `json:"statusPurpose"`
	Index   string `json:"statusListIndex"` // base 10, a string
	List    string `json:"statusListCredential"`
}

// SignVC returns c as a W3C Verifiable Credential (Data Model 2.0) secured as
// vc+jwt (VC-JOSE-COSE): a compact JWS whose payload is the credential itself,
// without white space, exactly these members in this order:
//
//	{"alg":"ES256","kid":"js03","typ":"vc+jwt"}
//	{"@context":["https://www.w3.org/ns/credentials/v2","https://skills.example.org/contexts/certificate-1.jsonld"],
//	 "id":"https://skills.example.org/c/7k3m9qh2c4x5t",
//	 "type":["VerifiableCredential","SkillCertificateCredential"],
//	 "issuer":"https://skills.example.org","iss":"https://skills.example.org",
//	 "validFrom":"2025-06-30T00:00:00+08:00",
//	 "credentialSubject":{"type":"CertificateHolder","name":"欧阳娜娜","documentMasked":"3****************X",
//	  "certificate":{"type":"SkillCertificate","number":"S000032058300253000001",
//	   "occupation":{"type":"Occupation","code":"6-31-01-03","edition":"2022","name":"电工"},
//	   "trade":{"type":"Trade","catalogueId":"01","name":"变配电运行值班员"},
//	   "level":{"type":"SkillLevel","code":"senior","nameZh":"三级/高级工","nameEn":"Senior skilled worker"},
//	   "institution":{"type":"EvaluationInstitution","numberPrefix":"S000032058300","name":"某某培训中心"},
//	   "issued":"2025-06-30"}},
//	 "credentialStatus":[
//	  {"id":"https://skills.example.org/status/revocation-0#130971","type":"BitstringStatusListEntry","statusPurpose":"revocation",
//	   "statusListIndex":"130971","statusListCredential":"https://skills.example.org/status/revocation-0"},
//	  {…"suspension"…},{…"refresh"…}],
//	 "credentialSchema":{"id":"https://skills.example.org/schemas/certificate-1.json","type":"JsonSchema"}}
//
// trade is left out when the paper shows "--". The subject has no id: nobody has
// proven a key, so whoever shows a credential is compared with it as with the
// paper. The payload is a pure function of the version: it has no time of
// signing, and no validUntil, since a certificate ends by its status alone. iss
// is present for the reason that [StatusList.Sign] gives.
//
// It fails (fail.Invalid) when s is no VC key (wrong_purpose) or c holds
// something that a credential cannot (bad_claims, bad_origin, bad_handle, with
// the field).
func SignVC(s jws.Signer, c Credential) (string, error) {
	if s.Purpose() != jws.VC {
		return "", fail.New(fail.Invalid, "wrong_purpose", "key %s is for %q and may not sign credentials", s.KID(), s.Purpose()).In("密钥 %s 不用于电子凭证签名", s.KID())
	}
	payload, err := c.encode()
	if err != nil {
		return "", err
	}
	return s.Sign(payload, TypVC)
}

// encode returns the payload of c. There is one text for one value.
func (c Credential) encode() ([]byte, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	code, edition, dated := strings.Cut(c.Claims.Occupation, "@")
	if !dated {
		edition = defaultEdition
	}
	level := levels[c.Claims.Level]
	vc := certificateVC{
		Context: []string{vcContext, CertificateContextURL(c.Origin)}, ID: c.Origin + "/c/" + string(c.Handle),
		Type: []string{"VerifiableCredential", TypeCertificate}, Issuer: c.Origin, Iss: c.Origin, ValidFrom: c.Claims.Issued + dayBegins,
		Subject: vcHolder{Type: "CertificateHolder", Name: c.Claims.Name, Document: c.Claims.DocumentMasked, Certificate: vcCertificate{
			Type: "SkillCertificate", Number: c.Claims.Number, Issued: c.Claims.Issued,
			Occupation:  vcOccupation{Type: "Occupation", Code: code, Edition: edition, Name: c.OccupationName},
			Level:       vcLevel{Type: "SkillLevel", Code: level.code, ZH: level.zh, EN: level.en},
			Institution: vcInstitution{Type: "EvaluationInstitution", Prefix: c.Claims.InstitutionPrefix(), Name: c.Institution},
		}},
		Schema: vcSchema{ID: CertificateSchemaURL(c.Origin), Type: "JsonSchema"},
	}
	if c.TradeName != noTrade {
		vc.Subject.Certificate.Trade = &vcTrade{Type: "Trade", ID: c.Claims.Trade, Name: c.TradeName}
	}
	for _, p := range StatusPurposes() {
		vc.Status = append(vc.Status, entryOf(c, p))
	}
	return marshalPlain(vc)
}

// dayBegins is the beginning of a civil day, behind its date (RFC 3339).
const dayBegins = "T00:00:00+08:00"

// noTrade is what the paper shows when there is no trade.
const noTrade = "--"

func entryOf(c Credential, p StatusPurpose) statusEntry {
	number, index := c.Claims.StatusPlace()
	list, at := StatusListURL(c.Origin, p, number), strconv.Itoa(index)
	return statusEntry{ID: list + "#" + at, Type: typeStatusEntry, Purpose: string(p), Index: at, List: list}
}

const typeStatusEntry = "BitstringStatusListEntry"

func (c Credential) check() error {
	if _, err := ParseOrigin(c.Origin); err != nil {
		return err
	}
	if _, err := ParseHandle(string(c.Handle)); err != nil {
		return err
	}
	if _, err := c.Claims.encode(); err != nil {
		return err
	}
	switch {
	case strings.HasSuffix(c.Claims.Occupation, "@"+defaultEdition): // would be read back without it
		return badClaim("occupation", "a code without the edition "+defaultEdition, "2022 版职业编码不写版本")
	case !validVCText(c.OccupationName):
		return badClaim("occupation_name", "a printable name", "职业名称应为可打印文字")
	case !validVCText(c.TradeName) || c.TradeName == noTrade && c.Claims.Trade != "":
		return badClaim("trade_name", "a printable name, or -- when there is no trade", "工种名称应为可打印文字，没有工种时为 --")
	case !validVCText(c.Institution):
		return badClaim("institution", "a printable name", "机构名称应为可打印文字")
	}
	return nil
}

func validVCText(s string) bool {
	return s != "" && len(s) <= maxVCText && utf8.ValidString(s) && strings.TrimSpace(s) == s && strings.IndexFunc(s, unicode.IsControl) < 0
}

// OpenVC returns the credential in a vc+jwt if it is intact, signed by a VC key
// of set, and in the one form that [SignVC] writes. now is the verifier's clock;
// of lim, MaxChars (0 is [MaxVC]) and Existed count.
//
// A general verifier ignores claims that it does not know (VC-JOSE-COSE §3.1.3).
// This one is for one issuer whose form is fixed: a member that the form does
// not have was never signed by this system, so the text must equal its own
// re-encoding, as that of a QR code must. A later form has another number in its
// context and is told apart (fail.Invalid, credential_form): the verifier is too
// old, the credential no forgery.
//
// The other errors are the jws.Err values, bad_credential with the member at
// fault, and credential_not_yet_valid (5 minutes of clock difference allowed),
// all fail.Invalid. With jws.ErrDistrusted, and only then, the credential is
// filled beside the error. Whether it is still good the status lists tell.
func OpenVC(compact string, set jws.KeySet, now time.Time, lim jws.Limits) (Credential, jws.Key, error) {
	if lim.MaxChars == 0 {
		lim.MaxChars = MaxVC
	}
	lim.Typ = TypVC
	opened, err := jws.Open(compact, set, jws.VC, lim)
	if err != nil && !errors.Is(err, jws.ErrDistrusted) {
		return Credential{}, jws.Key{}, err
	}
	c, bad := decodeVC(opened.Payload, now)
	if bad != nil {
		return Credential{}, jws.Key{}, bad
	}
	return c, opened.Key, err
}

// decodeVC first holds the payload against what the specifications ask of a
// verifier, so that each fault has its name, and then against its re-encoding.
func decodeVC(payload []byte, now time.Time) (Credential, error) {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(payload, &raw); err != nil || raw == nil {
		return Credential{}, badCredential("credential", "object", "the content is not a JSON object")
	}
	// VC-JOSE-COSE §3.1.3: the payload is the credential, not wrapped in a claim.
	for _, claim := range []string{"vc", "vp"} {
		if _, wrapped := raw[claim]; wrapped {
			return Credential{}, badCredential(claim, "wrapped", "the claim %q must not be there: the payload is the credential itself", claim)
		}
	}
	origin, err := vcIssuer(raw)
	if err != nil {
		return Credential{}, err
	}
	for _, rule := range []func() error{
		func() error { return vcContexts(raw["@context"], origin) },
		func() error { return vcTypes(raw["type"]) },
		func() error { return vcValidity(raw["validFrom"], raw["validUntil"], now) },
	} {
		if err := rule(); err != nil {
			return Credential{}, err
		}
	}
	place, err := vcStatus(raw["credentialStatus"], origin)
	if err != nil {
		return Credential{}, err
	}
	return vcContent(payload, place)
}

// vcContent reads what the checks before it have left and compares.
func vcContent(payload []byte, place int) (Credential, error) {
	var w certificateVC
	if err := json.Unmarshal(payload, &w); err != nil {
		return Credential{}, badCredential("credentialSubject", "form", "the content is not that of a skill certificate").Because(err)
	}
	if w.Schema.Type != "JsonSchema" || w.Schema.ID != CertificateSchemaURL(w.Issuer) {
		return Credential{}, badCredential("credentialSchema", "schema", "the schema is not the one of this form")
	}
	paper := w.Subject.Certificate
	c := Credential{
		Origin: w.Issuer, Handle: Handle(strings.TrimPrefix(w.ID, w.Issuer+"/c/")), OccupationName: paper.Occupation.Name,
		TradeName: noTrade, Institution: paper.Institution.Name,
		Claims: Claims{Number: paper.Number, Name: w.Subject.Name, DocumentMasked: w.Subject.Document,
			Occupation: paper.Occupation.Code, Issued: paper.Issued, Status: place},
	}
	if paper.Occupation.Edition != defaultEdition {
		c.Claims.Occupation += "@" + paper.Occupation.Edition
	}
	if paper.Trade != nil {
		c.Claims.Trade, c.TradeName = paper.Trade.ID, paper.Trade.Name
	}
	for digit, l := range levels {
		if l.code == paper.Level.Code {
			c.Claims.Level = digit
		}
	}
	again, err := c.encode()
	if err != nil {
		return Credential{}, badCredential("credentialSubject", "content", "the content is not that of a skill certificate").Because(err)
	}
	if !bytes.Equal(again, payload) {
		return Credential{}, jws.ErrNoncanonical
	}
	return c, nil
}

// vcIssuer: issuer is a URL, and iss equal to it (VC-JOSE-COSE §3.1.3).
func vcIssuer(raw map[string]json.RawMessage) (string, error) {
	var issuer, iss string
	if json.Unmarshal(raw["issuer"], &issuer) != nil {
		return "", badCredential("issuer", "issuer", "issuer is not an address")
	}
	if _, err := ParseOrigin(issuer); err != nil {
		return "", badCredential("issuer", "issuer", "issuer is not the address of a register")
	}
	if json.Unmarshal(raw["iss"], &iss) != nil || iss != issuer {
		return "", badCredential("iss", "issuer_differs", "iss and issuer must be the same address")
	}
	return issuer, nil
}

// vcContexts: VC Data Model 2.0 §4.3. An object among the contexts could give a
// protected term another meaning and is refused whatever it says.
func vcContexts(raw json.RawMessage, origin string) error {
	var contexts []json.RawMessage
	if json.Unmarshal(raw, &contexts) != nil || len(contexts) == 0 {
		return badCredential("@context", "context", "@context is not a list")
	}
	urls := make([]string, len(contexts))
	for i, one := range contexts {
		if json.Unmarshal(one, &urls[i]) != nil {
			return badCredential("@context", "context_inline", "a context is not an address: terms may not be defined in the credential")
		}
	}
	if urls[0] != vcContext {
		return badCredential("@context", "context_first", "the first context must be %s", vcContext)
	}
	if slices.Equal(urls[1:], []string{CertificateContextURL(origin)}) {
		return nil
	}
	if len(urls) == 2 && laterForm(urls[1], origin) {
		return fail.New(fail.Invalid, "credential_form", "this credential has a newer form than this program knows; update the program, or check it online").
			In("该电子凭证为新版格式，当前程序无法识读；请更新程序或联网查验")
	}
	return badCredential("@context", "context_other", "the second and last context must be %s", CertificateContextURL(origin))
}

func laterForm(context, origin string) bool {
	number, ok := strings.CutPrefix(context, origin+"/contexts/certificate-")
	if !ok {
		return false
	}
	number, ok = strings.CutSuffix(number, ".jsonld")
	n, err := strconv.Atoi(number)
	return ok && err == nil && n > 1 && strconv.Itoa(n) == number
}

func vcTypes(raw json.RawMessage) error {
	var types []string
	if json.Unmarshal(raw, &types) != nil || !slices.Equal(types, []string{"VerifiableCredential", TypeCertificate}) {
		return badCredential("type", "type", "the types must be VerifiableCredential and %s", TypeCertificate)
	}
	return nil
}

// vcValidity: VC Data Model 2.0 §4.9, dateTimeStamp with its zone.
func vcValidity(from, until json.RawMessage, now time.Time) error {
	var text string
	if json.Unmarshal(from, &text) != nil {
		return badCredential("validFrom", "no_zone", "validFrom is not a time with its zone")
	}
	begins, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return badCredential("validFrom", "no_zone", "validFrom is not a time with its zone")
	}
	if until != nil {
		if json.Unmarshal(until, &text) != nil {
			return badCredential("validUntil", "no_zone", "validUntil is not a time with its zone")
		}
		ends, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return badCredential("validUntil", "no_zone", "validUntil is not a time with its zone")
		}
		if ends.Before(begins) {
			return badCredential("validUntil", "order", "validUntil is before validFrom")
		}
	}
	if begins.After(now.Add(clockDifference)) {
		return fail.New(fail.Invalid, "credential_not_yet_valid", "the credential begins in the future; is the clock of this device right?").
			In("电子凭证的生效时间晚于本机时间，请检查本机时钟")
	}
	return nil
}

// vcStatus holds the entries against Bitstring Status List v1.0 §2.1 and returns
// the one place in the lists that they name.
func vcStatus(raw json.RawMessage, origin string) (place int, err error) {
	var entries []json.RawMessage
	purposes := StatusPurposes()
	if json.Unmarshal(raw, &entries) != nil || len(entries) != len(purposes) {
		return 0, badStatus("status_entries", "there must be %d status entries", len(purposes))
	}
	for i, one := range entries {
		at, err := statusPlace(one, purposes[i], origin)
		if err != nil {
			return 0, err
		}
		if i > 0 && at != place {
			return 0, badStatus("status_place", "the status entries name different places")
		}
		place = at
	}
	return place, nil
}

func statusPlace(raw json.RawMessage, want StatusPurpose, origin string) (int, error) {
	var e statusEntry
	if err := json.Unmarshal(raw, &e); err != nil {
		if kind := (*json.UnmarshalTypeError)(nil); errors.As(err, &kind) && kind.Field == "statusListIndex" {
			return 0, badStatus("status_index", "statusListIndex is not a base-10 number in a string")
		}
		return 0, badStatus("status_entries", "a status entry is not an object of texts").Because(err)
	}
	if e.Type != typeStatusEntry {
		return 0, badStatus("status_type", "a status entry is not a %s", typeStatusEntry)
	}
	if e.Purpose != string(want) {
		return 0, badStatus("status_purpose", "the purpose %q stands where %q is expected", e.Purpose, want)
	}
	index, err := strconv.Atoi(e.Index)
	if err != nil || strconv.Itoa(index) != e.Index || index < 0 {
		return 0, badStatus("status_index", "statusListIndex is not a base-10 number in a string")
	}
	if index >= StatusListBits {
		return 0, badStatus("status_range", "index %d is outside the status list", index) // RANGE_ERROR
	}
	purpose, number, err := ParseStatusListName(strings.TrimPrefix(e.List, origin+"/status/"))
	if err != nil || purpose != want {
		return 0, badStatus("status_list", "the address of a status list is not that of a list of the issuer for %q", want)
	}
	if e.ID == e.List {
		return 0, badStatus("status_id_is_list", "the id of a status entry must not be the address of the list")
	}
	if e.ID != e.List+"#"+e.Index {
		return 0, badStatus("status_id", "the id of a status entry must be the address of the list, '#' and the index")
	}
	return number*StatusListBits + index, nil
}

func badStatus(code, format string, args ...any) *fail.Error {
	return badCredential("credentialStatus", code, format, args...)
}

// badCredential names the member at fault and what is wrong with it. That only a
// holder of a VC key can make such a text does not make it one of ours.
func badCredential(member, code, format string, args ...any) *fail.Error {
	e := fail.New(fail.Invalid, "bad_credential", format, args...).In("电子凭证内容不合要求")
	return e.At(fail.Field{Name: member, Code: code, ZH: "电子凭证的 " + member + " 不合要求", EN: e.Text})
}
