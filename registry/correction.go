package registry

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"image/jpeg"
	"strings"
	"time"

	"bajigong/evaluators/corrections"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/internal/picture"
	"bajigong/standards"
)

// NewCorrection is what a correction 更正 changes, and on what it rests. Empty
// members stay as they are. Name, document, photo and employer are all that can
// be corrected.
type NewCorrection struct {
	Name         string // as it should be
	DocumentKind string // resident_id when empty
	Document     string // as it should be
	Employer     string // 工作单位, at most 100 characters
	Photo        []byte // JPEG, at most PhotoMaxBytes
	Proofs       []corrections.Proof
	Basis        string // 文号 or application it rests on
	Reason       string // public; no personal data
	// Other are the members of the request that try to change anything else.
	Other []string
}

// Limits of a photo.
const (
	PhotoMaxBytes = 64 << 10
	photoMaxSide  = 2000 // pixels
	employerMax   = 100  // characters
)

// CorrectionRequest is a correction from its proposal on, for ever. It has no
// personal data: what it would change is sealed beside it until it has ended.
type CorrectionRequest struct {
	ID           string              `json:"id"`
	Number       string              `json:"number"`
	Institution  string              `json:"institution"`
	Region       string              `json:"region"`
	Fields       []corrections.Field `json:"fields"` // what changes
	Proofs       []corrections.Proof `json:"proofs"`
	Basis        string              `json:"basis"`
	Reason       string              `json:"reason"`
	Rules        string              `json:"rules"` // id of the rule file it goes by
	SecondPerson bool                `json:"second_person"`
	State        corrections.State   `json:"state"`
	By           string              `json:"by"` // account id of the proposer
	Proposed     time.Time           `json:"proposed"`
	Decision     *CorrectionDecision `json:"decision,omitempty"`
	Version      int                 `json:"version,omitempty"` // that it has become
	Ended        time.Time           `json:"ended,omitzero"`
	LogIndex     uint64              `json:"log_index"` // of its newest entry
}

// CorrectionDecision is who approved, rejected or withdrew a correction; Reason
// says why it was rejected or, with LapsedZH, why it could not be signed.
type CorrectionDecision struct {
	By       string    `json:"by"`
	At       time.Time `json:"at"`
	Reason   string    `json:"reason,omitempty"`
	LapsedZH string    `json:"lapsed_zh,omitempty"`
}

// correctedData is what a correction changes. It is stored sealed only.
type correctedData struct {
	Name     string              `json:"name,omitempty"`
	Document *standards.Document `json:"document,omitempty"`
	Employer string              `json:"employer,omitempty"`
	Photo    []byte              `json:"photo,omitempty"` // SHA-256 of the JPEG, which is sealed beside it
}

// given are the fields that a request changes.
func (in NewCorrection) given() (out []corrections.Field) {
	for _, f := range []struct {
		field corrections.Field
		given bool
	}{{corrections.Name, in.Name != ""}, {corrections.Document, in.Document != "" || in.DocumentKind != ""},
		{corrections.Photo, len(in.Photo) > 0}, {corrections.Employer, in.Employer != ""}} {
		if f.given {
			out = append(out, f.field)
		}
	}
	return out
}

// apply is the paper of version n with what changes.
func (d correctedData) apply(p Paper, n int) Paper {
	if d.Name != "" {
		p.Name = d.Name
	}
	if d.Document != nil {
		p.Document = *d.Document
	}
	if d.Employer != "" {
		p.Employer = d.Employer
	}
	if d.Photo != nil {
		p.Photo = &PhotoRef{Version: n, SHA256: d.Photo}
	}
	return p
}

// unchanged are the fields in which d says what the paper says already.
func (d correctedData) unchanged(p Paper) (bad []fail.Field) {
	same := func(name corrections.Field, is bool) {
		if is {
			bad = append(bad, fail.Field{Name: string(name), Code: "unchanged", ZH: "与证书现有内容相同，无需更正", EN: "the certificate says so already"})
		}
	}
	same(corrections.Name, d.Name != "" && d.Name == p.Name)
	same(corrections.Document, d.Document != nil && *d.Document == p.Document)
	same(corrections.Employer, d.Employer != "" && d.Employer == p.Employer)
	same(corrections.Photo, d.Photo != nil && p.Photo != nil && bytes.Equal(d.Photo, p.Photo.SHA256))
	return bad
}

// parse reads what a request changes. Errors: Invalid not_correctable, correction.
func (in NewCorrection) parse(rules corrections.Rules, today standards.Date) (d correctedData, err error) {
	if len(in.Other) > 0 {
		return d, corrections.NotCorrectable(in.Other)
	}
	bad := basisAndReason(in.Basis, in.Reason)
	wrong := func(name string, err error) {
		if err != nil {
			e := fail.Of(err)
			bad = append(bad, fail.Field{Name: name, Code: e.Code, ZH: e.ZH, EN: e.Text})
		}
	}
	if in.Name != "" {
		d.Name, err = standards.CleanName(in.Name)
		wrong("name", err)
	}
	if in.Document != "" || in.DocumentKind != "" {
		var document standards.Document
		document, err = in.document(today)
		wrong("document", err)
		d.Document = &document
	}
	if in.Employer != "" {
		d.Employer = strings.TrimSpace(in.Employer)
		if n := len([]rune(d.Employer)); n == 0 || n > employerMax || holdsIdentity(d.Employer) {
			bad = append(bad, fail.Field{Name: "employer", Code: "length", ZH: fmt.Sprintf("工作单位应为 1 至 %d 个字，不含身份证号码", employerMax), EN: fmt.Sprintf("the employer has 1 to %d characters and no identity number", employerMax)})
		}
	}
	if len(in.Photo) > 0 {
		wrong("photo", checkPhoto(in.Photo))
		sum := sha256.Sum256(in.Photo)
		d.Photo = sum[:]
	}
	given := in.given()
	if len(given) == 0 {
		bad = append(bad, fail.Field{Name: "name", Code: "required", ZH: "更正须填写更正后的姓名、证件号码、工作单位或照片", EN: "a correction gives the name, document, employer or photo as it should be"})
	}
	bad = append(bad, rules.Check(given, in.Proofs)...)
	for i, p := range in.Proofs {
		bad = append(bad, impersonal(fmt.Sprintf("proofs[%d].reference", i), p.Reference)...)
	}
	if len(bad) > 0 {
		return d, fail.New(fail.Invalid, "correction", "the request is not complete").In("更正信息有误").At(bad...)
	}
	return d, nil
}

func (in NewCorrection) document(today standards.Date) (standards.Document, error) {
	kind := standards.ResidentID
	if in.DocumentKind != "" {
		var err error
		if kind, err = standards.ParseDocumentKind(in.DocumentKind); err != nil {
			return standards.Document{}, err
		}
	}
	return standards.ParseDocument(kind, in.Document, today)
}

// checkPhoto refuses what is not a whole JPEG of a reasonable size: it is printed,
// and decoded for everybody who compares a paper with it.
func checkPhoto(photo []byte) error {
	if len(photo) > PhotoMaxBytes {
		return fail.New(fail.Invalid, "photo_size", "the photo has %d bytes, at most %d are taken", len(photo), PhotoMaxBytes).
			In("照片 %d 字节，不得超过 %d 字节（64 KB）", len(photo), PhotoMaxBytes)
	}
	c, err := jpeg.DecodeConfig(bytes.NewReader(photo))
	if err != nil {
		return fail.New(fail.Invalid, "photo_form", "the photo is not a JPEG").In("照片应为 JPEG 格式")
	}
	if c.Width < 1 || c.Height < 1 || c.Width > photoMaxSide || c.Height > photoMaxSide {
		return fail.New(fail.Invalid, "photo_size", "the photo has %d × %d pixels, at most %d on a side are taken", c.Width, c.Height, photoMaxSide).
			In("照片为 %d × %d 像素，边长不得超过 %d", c.Width, c.Height, photoMaxSide)
	}
	if picture.Costly(photo, c.Width*c.Height) {
		return fail.New(fail.Invalid, "photo_form", "the photo goes over its pixels too often; save it anew").In("照片编码异常（扫描次数过多），请重新另存为 JPEG")
	}
	if _, err := jpeg.Decode(bytes.NewReader(photo)); err != nil {
		return fail.New(fail.Invalid, "photo_form", "the photo is broken").In("照片文件已损坏")
	}
	return nil
}

// Decide is the rule of the second person: to approve or reject, or, for the
// proposer, to withdraw. Errors: Conflict correction_state; Forbidden
// second_person, not_allowed; Invalid.
func (c CorrectionRequest) Decide(do corrections.Act, by Actor, reason string, at time.Time) (CorrectionRequest, error) {
	to, err := corrections.Next(c.State, do)
	if err != nil {
		return c, err
	}
	if do == corrections.Withdraw && by.Account != c.By {
		return c, fail.New(fail.Forbidden, "not_allowed", "only the account that proposed it may withdraw it").In("只有提出人可以撤回")
	}
	if do != corrections.Withdraw {
		if err := corrections.SecondPersonDecides(c.SecondPerson, c.By, by.Account); err != nil {
			return c, err
		}
	}
	if do == corrections.Reject {
		var bad []fail.Field
		if reason, bad = plainText("reason", "原因", reason, 500); bad != nil {
			return c, fail.New(fail.Invalid, "correction", "the reason cannot be taken").In("原因填写有误").At(bad...)
		}
	}
	c.State, c.Decision = to, &CorrectionDecision{By: by.Account, At: at, Reason: reason}
	if to.Ended() {
		c.Ended = at
	}
	return c, nil
}

// correctionFor loads a correction that by may handle.
func correctionFor(rd kv.Reader, by Actor, do Action, id string) (CorrectionRequest, error) {
	if len(by.Roles) == 0 {
		return CorrectionRequest{}, may(by, do, Object{})
	}
	c, err := need(rd, correctionRequests, kv.Key(id), "correction", "更正申请", id)
	if err != nil {
		return c, err
	}
	return c, may(by, do, Object{Institution: c.Institution, Region: c.Region})
}
