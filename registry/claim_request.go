package registry

import (
	"crypto/sha256"
	"encoding/json"
	"regexp"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"bajigong/internal/fail"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// ClaimRequest is what a payer asks about. Name, document and number must belong
// together. A claim without a certificate has a Subject in the place of the
// number: then name and document must be those of one person, whom the register
// need not know yet.
type ClaimRequest struct {
	// Reference is the payer's own and makes a reservation idempotent: the same
	// reference with the same content gives the same answer, with another
	// content it is refused. 1 to 64 of A–Z a–z 0–9 . _ : / -; needed to reserve.
	Reference string `json:"reference"`
	// Policy is the id of a policy of the payer's region or one above it. When
	// empty the nearest one in force for Fund decides.
	Policy      string      `json:"policy,omitempty"`
	Fund        policy.Fund `json:"fund,omitempty"`
	Certificate string      `json:"certificate,omitempty"` // number, as on the paper; needed without a subject
	// CertificateKind says what the paper is, where its number does not: that of 专项,
	// 特种设备 or 培训合格证 has no known form, or looks like one of another kind.
	CertificateKind policy.Kind    `json:"certificate_kind,omitempty"`
	DocumentKind    string         `json:"document_kind,omitempty"` // resident_id when empty
	Document        string         `json:"document"`
	Name            string         `json:"name"`
	Received        standards.Date `json:"received,omitempty"` // 受理日期; the day of the decision when empty
	Facts           policy.Facts   `json:"facts,omitempty"`

	// Subject says what the claim is for when that is not the certificate. Most
	// subjects are without one; where a text asks for both, both are given.
	Subject policy.Subject `json:"subject,omitzero"`
	Applied standards.Date `json:"applied,omitempty"` // 申请日期; Received when empty
	// Channel is how the claim came to the payer's system; by the system when empty.
	Channel policy.Channel `json:"channel,omitempty"`
	// Exceptions are approvals on record that a rule which holds in principle
	// 原则上, or the rule about channels, need not hold for this claim.
	Exceptions []policy.Exception `json:"exceptions,omitempty"`
}

// receivedBack is how long before the decision a claim may have been received.
const receivedBack = 366 // days

// factMax is the length of a fact's source and reference, in characters.
const factMax = 200

// claimQuery is a ClaimRequest that was read and checked.
type claimQuery struct {
	reference string
	policy    string
	fund      policy.Fund
	number    standards.Number
	kind      policy.Kind // of the certificate; empty when the request does not say
	document  standards.Document
	name      string
	received  standards.Date // empty: the day of the decision
	facts     policy.Facts

	subject    policy.Subject // zero: the certificate
	applied    standards.Date // empty: the day it was received
	channel    policy.Channel // empty: by the system
	exceptions []policy.Exception
}

var referenceShape = regexp.MustCompile(`^[A-Za-z0-9._:/-]{1,64}$`)

// requestFaults collects what is wrong with a request.
type requestFaults []fail.Field

func (f *requestFaults) wrong(field string, err error) {
	if err != nil {
		e := fail.Of(err)
		*f = append(*f, fail.Field{Name: field, Code: e.Code, ZH: e.ZH, EN: e.Text})
	}
}

func (f *requestFaults) must(ok bool, field, code, zh, en string) {
	if !ok {
		*f = append(*f, fail.Field{Name: field, Code: code, ZH: zh, EN: en})
	}
}

// parse reads the request and reports everything that is wrong with it, field by
// field. It has no clock: the dates are held against the store's time later.
func (q ClaimRequest) parse(reserve bool) (claimQuery, error) {
	out := claimQuery{reference: strings.TrimSpace(q.Reference), policy: strings.TrimSpace(q.Policy), fund: q.Fund, received: q.Received, applied: q.Applied}
	var bad requestFaults
	bad.must(!reserve || out.reference != "", "reference", "required", "请填写本机构的申领流水号", "the payer's own reference is needed")
	bad.must(out.reference == "" || referenceShape.MatchString(out.reference), "reference", "shape",
		"流水号为 1 至 64 个字母、数字或 . _ : / -", "a reference is 1 to 64 of letters, digits and . _ : / -")
	bad.must(!holdsIdentity(out.reference), "reference", "personal", "流水号不得含有身份证号码", "a reference must not contain an identity number")
	bad.must(out.policy != "" || out.fund != "" || q.Subject.Kind != "", "fund", "required", "请填写政策编号或资金类别", "name a policy or the kind of fund")
	bad.must(out.fund == "" || out.fund.Known(), "fund", "fund_unknown", "没有该资金类别", "there is no such kind of fund")
	bad.must(len(out.policy) <= 64, "policy", "length", "政策编号不超过 64 个字符", "a policy id has at most 64 characters")
	bad.must(q.Received == "" || q.Received.Valid(), "received", "date", "受理日期应写作 2026-03-01", "the date is written 2026-03-01")
	bad.must(q.Applied == "" || q.Applied.Valid(), "applied", "date", "申请日期应写作 2026-03-01", "the date is written 2026-03-01")
	q.parseWhatFor(&out, &bad)
	q.parsePerson(&out, &bad)
	q.parseFacts(&out, &bad)
	q.parseChannel(&out, &bad)
	var exceptions []fail.Field
	out.exceptions, exceptions = cleanExceptions(q.Exceptions)
	bad = append(bad, exceptions...)
	if len(bad) > 0 {
		return out, fail.New(fail.Invalid, "claim", "the claim has %d mistakes", len(bad)).In("申领信息有 %d 处需要更正", len(bad)).At(bad...)
	}
	return out, nil
}

// parseWhatFor reads the number of the certificate and the subject. Whether a
// subject has a certificate besides stands in its policy.
func (q ClaimRequest) parseWhatFor(out *claimQuery, bad *requestFaults) {
	hasSubject := q.Subject != (policy.Subject{})
	if !hasSubject || strings.TrimSpace(q.Certificate) != "" {
		var err error
		out.number, err = numberOfKind(q.CertificateKind, q.Certificate)
		bad.wrong("certificate", err)
	}
	out.kind = q.CertificateKind
	bad.must(out.kind == "" || out.kind.Known(), "certificate_kind", "unknown", "证书种类不在列表中", "the kind of certificate is not one of the list")
	bad.must(out.kind == "" || strings.TrimSpace(q.Certificate) != "", "certificate_kind", "either", "未填证书编号时不填写证书种类", "without a certificate there is no kind of it")
	told := claimKinds[out.number.Kind]
	bad.must(out.kind == "" || told == "" || told == out.kind, "certificate_kind", "number_kind", "该编号为"+told.Name().ZH+"的编号格式，与所填证书种类不符", "the number has the form of another kind of certificate ("+told.Name().EN+")")
	if hasSubject {
		var fields []fail.Field
		out.subject, fields = cleanSubject(q.Subject)
		*bad = append(*bad, fields...)
	}
}

// bare reports whether the claim is without a certificate.
func (q claimQuery) bare() bool { return q.number.Text == "" }

func (q ClaimRequest) parsePerson(out *claimQuery, bad *requestFaults) {
	var err error
	out.name, err = standards.CleanName(q.Name)
	bad.wrong("name", err)
	kind, err := standards.ResidentID, error(nil)
	if q.DocumentKind != "" {
		kind, err = standards.ParseDocumentKind(q.DocumentKind)
		bad.wrong("document_kind", err)
	}
	if err == nil {
		out.document, err = standards.ParseDocument(kind, q.Document, "")
		bad.wrong("document", err)
	}
}

func (q ClaimRequest) parseFacts(out *claimQuery, bad *requestFaults) {
	if err := q.Facts.Validate(); err != nil {
		*bad = append(*bad, fail.Of(err).Fields...)
	}
	for k, f := range q.Facts {
		bad.must(len([]rune(f.Source)) <= factMax && len([]rune(f.Reference)) <= factMax, "facts."+string(k), "length",
			"来源、凭据编号不超过 200 字", "source and reference have at most 200 characters")
		bad.must(!holdsIdentity(f.Source), "facts."+string(k), "personal",
			"来源不得含有身份证号码，决定书会引用此项", "the source must not contain an identity number: the decision quotes it")
	}
	out.facts = canonicalFacts(q.Facts)
}

func (q ClaimRequest) parseChannel(out *claimQuery, bad *requestFaults) {
	out.channel = q.Channel
	switch q.Channel {
	case "", policy.ByFile, policy.ByHand:
	case policy.BySystem:
		out.channel = "" // one form for one meaning
	default:
		bad.must(false, "channel", "unknown", "申领方式应为 system（系统申领）、file（人工报盘）或 manual（手工办理）", "the channel is system, file or manual")
	}
}

// canonicalFacts gives equal facts one form.
func canonicalFacts(in policy.Facts) policy.Facts {
	if len(in) == 0 {
		return nil
	}
	out := policy.Facts{}
	for k, f := range in {
		out[k] = policy.Fact{Value: f.Value, Source: strings.TrimSpace(f.Source), Reference: strings.TrimSpace(f.Reference),
			At: f.At.UTC().Truncate(time.Second)}
	}
	return out
}

// digest is the SHA-256 of the request in its one form, for comparing two
// requests of one reference. It is only kept sealed. A request that has none of
// the members that came later keeps the form it had before them.
func (q claimQuery) digest() ([]byte, error) {
	form := []any{"claim-1", q.policy, q.fund, q.number.Kind, q.number.Text, q.document.Kind, q.document.Number,
		standards.NormaliseName(q.name), q.received, q.facts}
	if q.subject != (policy.Subject{}) || q.applied != "" || q.channel != "" || len(q.exceptions) > 0 {
		form[0] = "claim-2"
		form = append(form, q.subject, q.applied, q.channel, sortedExceptions(q.exceptions))
	}
	if q.kind != "" {
		form[0] = "claim-3"
		form = append(form, q.kind)
	}
	b, err := json.Marshal(form)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(b)
	return sum[:], nil
}

// receivedOn is the day the claim was received, held against today.
func (q claimQuery) receivedOn(today standards.Date) (standards.Date, error) {
	if q.received == "" {
		return today, nil
	}
	if q.received > today || q.received < today.AddDays(-receivedBack) {
		return "", fail.New(fail.Invalid, "claim", "the claim was received on %s, which is not within a year up to today, %s", q.received, today).
			In("受理日期 %s 应不晚于今天 %s，且在一年以内", q.received, today).
			At(fail.Field{Name: "received", Code: "date", ZH: "受理日期应不晚于今天，且在一年以内", EN: "received is within a year up to today"})
	}
	return q.received, nil
}

// appliedOn is the day the person applied, held against the day of receipt: it is
// that day when the request does not say. It is empty when the request does not
// say, so that what is stored is what was stated.
func (q claimQuery) appliedOn(received standards.Date) (standards.Date, error) {
	if q.applied == "" {
		return "", nil
	}
	if q.applied > received || q.applied < received.AddDays(-receivedBack) {
		return "", fail.New(fail.Invalid, "claim", "the person applied on %s, which is not within a year up to the day of receipt, %s", q.applied, received).
			In("申请日期 %s 应不晚于受理日期 %s，且在此前一年以内", q.applied, received).
			At(fail.Field{Name: "applied", Code: "date", ZH: "申请日期应不晚于受理日期，且在此前一年以内", EN: "applied is within a year up to the day of receipt"})
	}
	return q.applied, nil
}

// plainText checks a text that people write and that is stored as it is.
func plainText(field, zhName, text string, most int) (string, []fail.Field) {
	text = strings.TrimSpace(text)
	n := len([]rune(text))
	switch {
	case n == 0:
		return text, []fail.Field{{Name: field, Code: "required", ZH: "请填写" + zhName, EN: field + " is missing"}}
	case n > most:
		return text, []fail.Field{{Name: field, Code: "length", ZH: zhName + "过长", EN: field + " is too long"}}
	case strings.ContainsFunc(text, unicode.IsControl):
		return text, []fail.Field{{Name: field, Code: "control", ZH: zhName + "不得含控制字符", EN: field + " must not have control characters"}}
	case holdsIdentity(text):
		return text, []fail.Field{{Name: field, Code: "personal", ZH: zhName + "不得含有身份证号码", EN: field + " must not contain an identity number"}}
	}
	return text, nil
}

// holdsIdentity reports whether a text has a resident identity number in it:
// eighteen characters with a region, a date of birth and a right check digit, also
// when they are in full width or grouped by spaces or hyphens.
func holdsIdentity(text string) bool {
	if !maybeDigits(text, 17) {
		return false
	}
	var run []byte // the last digits
	for _, r := range norm.NFKC.String(text) {
		if spacesDigits(r) {
			continue
		}
		digit := r >= '0' && r <= '9'
		if len(run) >= 17 && (digit || r == 'X' || r == 'x') {
			if identityEnds(run[len(run)-17:], r) {
				return true
			}
		}
		if run = append(run, byte(r)); !digit {
			run = run[:0]
		}
	}
	return false
}

// identityEnds reports whether 17 digits and r are a resident identity number. Ten
// of eleven runs of digits end at the check digit, which costs nothing.
func identityEnds(digits []byte, r rune) bool {
	text := string(digits)
	want, ok := standards.ResidentIDCheck(text)
	if last := byte(unicode.ToUpper(r)); !ok || last != want {
		return false
	}
	_, err := standards.ParseDocument(standards.ResidentID, text+string(r), "")
	return err == nil
}

// maybeDigits reports whether NFKC of a text may have n digits. It is quick, since
// almost no text does: a numeral or symbol becomes at most three digits.
func maybeDigits(text string, n int) bool {
	most := 0
	for _, r := range text {
		switch {
		case r >= '0' && r <= '9':
			most++
		case r >= 0x80 && (unicode.IsNumber(r) || unicode.Is(unicode.So, r)):
			most += 3
		}
	}
	return most >= n
}

// spacesDigits reports whether r only groups the digits of a number; text is in NFKC.
func spacesDigits(r rune) bool {
	return r == ' ' || r == '-' || unicode.Is(unicode.Cf, r)
}

// impersonal refuses an identity number in a text that is shown and logged.
func impersonal(field, text string) []fail.Field {
	if !holdsIdentity(text) {
		return nil
	}
	return []fail.Field{{Name: field, Code: "personal", ZH: "不得含有身份证号码，此项会公开并写入日志", EN: "must not contain an identity number: it is shown and logged"}}
}
