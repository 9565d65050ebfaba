package registry

import (
	"regexp"
	"slices"
	"strings"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// kindWithoutLevel says which kinds of certificates have no level of the 新八级
// sequence. Their papers name an operation or a course and not always an
// occupation of the classification.
var kindWithoutLevel = map[policy.Kind]bool{
	policy.KindSpecialAbility: true, policy.KindSpecialOperation: true,
	policy.KindSpecialEquipment: true, policy.KindTrainingCompletion: true,
}

// kindOfUnknownForm says of which kinds no source tells the form of their
// numbers: they are taken as they stand, and one number may be given twice, by
// two places. Such a number is kept together with its kind and place.
var kindOfUnknownForm = map[policy.Kind]bool{
	policy.KindSpecialAbility: true, policy.KindSpecialEquipment: true, policy.KindTrainingCompletion: true,
}

// policyKind is the kind of certificate as the rules know it: as stated, else as
// the number tells; empty when neither says.
func (c Certificate) policyKind() policy.Kind {
	if c.PaperKind != "" {
		return c.PaperKind
	}
	return claimKinds[c.Kind]
}

// edition is the edition of 职业分类大典 that the occupation code belongs to.
func (c Certificate) edition() string {
	if c.Edition != "" {
		return c.Edition
	}
	return occupationEdition
}

// acquiredAt is where the certificate was acquired; empty when it is not known.
// Region says who registered a certificate from elsewhere, which is another thing.
func (c Certificate) acquiredAt() string {
	if c.Filing != "" {
		return c.Region
	}
	return c.Place
}

// policyState is what the rules know of a certificate with a status on a day:
// one that has run out has expired.
func (c Certificate) policyState(status CertificateStatus, on standards.Date) policy.CertificateState {
	if status == CertificateValid && c.ValidTo != "" && on > c.ValidTo {
		return policy.CertificateExpired
	}
	return claimStates[status]
}

// Editions of 职业分类大典 that codes may be of, and the form of a code: additions
// to the edition of 1999 were published with an X before it.
var editionCode = map[string]*regexp.Regexp{
	"1999": regexp.MustCompile(`^X?[1-8]-\d{2}-\d{2}-\d{2}$`),
	"2015": regexp.MustCompile(`^[1-8]-\d{2}-\d{2}-\d{2}$`),
	"2022": regexp.MustCompile(`^[1-8]-\d{2}-\d{2}-\d{2}$`),
}

// needs adds a mistake of the field called name.
type needs func(ok bool, name, code, zh, en string)

// numberOfKind reads a number on a paper of a kind; empty is not known.
func numberOfKind(kind policy.Kind, text string) (standards.Number, error) {
	n, err := standards.ParseNumber(text)
	if kindOfUnknownForm[kind] && (err != nil || !n.Personal()) {
		n, err = standards.ParseOtherNumber(text)
	}
	return n, err
}

// checkKind reads what a request says of the kind and number of a certificate.
func (a *arrival) checkKind(e Elsewhere) error {
	n, err := numberOfKind(e.Kind, e.Number)
	if err != nil {
		return err
	}
	a.number, a.kind = n, e.Kind
	if told := claimKinds[n.Kind]; a.kind == "" {
		a.kind = told
	} else if told != "" && told != a.kind {
		return fail.New(fail.Invalid, "number_kind", "the number has the form of another kind of certificate (%s)", told.Name().EN).
			In("该编号为%s的编号格式，与所填证书种类不符", told.Name().ZH)
	}
	return nil
}

// checkSubject checks kind, occupation, level, place, term and source.
func (a *arrival) checkSubject(e Elsewhere, today standards.Date, need needs) {
	need(e.Kind == "" || e.Kind.Known(), "kind", "unknown", "证书种类不在列表中", "the kind of certificate is not one of the list")
	need(e.Level.Valid() || e.Level == 0 && (kindWithoutLevel[a.kind] || !a.kind.Known() && a.kind != ""), "level", "required", "请填写等级", "the level is missing")
	if level, ok := a.number.Level(); ok && e.Level.Valid() {
		need(level == e.Level, "level", "number_level", "等级与证书编号不符", "the level is not the one in the number")
	}
	code := editionCode[occupationEdition]
	if e.Edition != "" {
		code = editionCode[e.Edition]
		need(code != nil, "edition", "unknown", "职业编码所属大典版本应为 1999、2015 或 2022", "the edition of the occupation code is 1999, 2015 or 2022")
	}
	e.Occupation = strings.TrimSpace(e.Occupation)
	switch {
	case e.Occupation == "" && kindWithoutLevel[a.kind]:
		need(strings.TrimSpace(e.OccupationName) != "", "occupation_name", "required", "没有职业编码的，请填写证书所载的操作项目或培训项目", "without a code the name of the operation or course on the paper is needed")
	case e.Edition != "" && e.Edition != occupationEdition:
		need(code == nil || code.MatchString(e.Occupation), "occupation", "occupation_code", "职业编码应如 6-07-06-05", "the occupation code is written like 6-07-06-05")
		need(strings.TrimSpace(e.OccupationName) != "", "occupation_name", "required", "旧版职业编码请同时填写证书所载职业名称", "with a code of an older edition the name on the paper is needed")
	}
	need(e.Place == "" || regionShape.MatchString(e.Place), "place", "region", "取得地应为六位行政区划代码", "the place of acquisition is a region code of six digits")
	need(e.ValidTo == "" || e.ValidTo.Valid() && e.ValidTo >= e.Issued, "valid_to", "date", "有效期止应为不早于发证日期的日期", "the end of validity is a date not before issue")
	need(len([]rune(e.Source)) <= 200 && !holdsIdentity(e.Source), "source", "length", "来源说明不超过 200 字，不得含有身份证号码", "the source has at most 200 characters and no identity number")
}

// qualify says under which key a certificate is kept: a number whose form is not
// known means nothing outside the place that gave it.
func (r *Registry) qualify(c *Certificate, a arrival) {
	if c.PaperText = ""; !a.qualified() {
		return
	}
	place := c.Place
	if place == "" {
		place = c.Region
	}
	kind := string(a.kind)
	if kind == "" {
		kind = string(standards.OtherNumber)
	}
	c.PaperText = r.paperText(a.number)
	c.Number = kind + ":" + place + ":" + c.PaperText
}

// qualified says that the number of a is kept with its kind and place.
func (a arrival) qualified() bool {
	return a.number.Kind == standards.OtherNumber && a.in.Kind != "" || kindOfUnknownForm[a.kind]
}

// paperText is a number as it is looked for where its place is not known: the
// number itself, or a keyed hash where it has an identity number in it.
func (r *Registry) paperText(n standards.Number) string {
	if n.Personal() || holdsIdentity(n.Text) {
		return base32id(r.vault.numberHash(n.Text))
	}
	return n.Text
}

// sameTextMost is how many certificates of different places are looked through
// for one number.
const sameTextMost = 20

// certificatesOfNumber are the certificates that a number on a paper may mean:
// the one it names alone, or those that several places gave the same number.
func (r *Registry) certificatesOfNumber(rd kv.Reader, n standards.Number) ([]Certificate, error) {
	c, ok, err := certificates.Get(rd, kv.Key(r.storedNumber(n)))
	if err != nil || ok {
		return []Certificate{c}, err
	}
	rng := kv.Prefix(kv.Key(r.paperText(n)))
	rng.Limit = sameTextMost
	found, _, err := certificates.ScanIndex(rd, indexCertificatesByText, rng)
	return found, err
}

// certificatesMeant are the certificates that a number may mean on a paper of a
// kind; empty is not known. One of a kind whose numbers have no known form is never
// that which another kind has under the same number.
func (r *Registry) certificatesMeant(rd kv.Reader, n standards.Number, kind policy.Kind) ([]Certificate, error) {
	if !kindOfUnknownForm[kind] {
		found, err := r.certificatesOfNumber(rd, n)
		return slices.DeleteFunc(found, func(c Certificate) bool { return kind != "" && c.policyKind() != kind && c.policyKind() != "" }), err
	}
	rng := kv.Prefix(kv.Key(r.paperText(n)))
	rng.Limit = sameTextMost
	found, _, err := certificates.ScanIndex(rd, indexCertificatesByText, rng)
	return slices.DeleteFunc(found, func(c Certificate) bool { return c.policyKind() != kind }), err
}

// occupationOf is the occupation of a certificate from elsewhere. A code of an
// older edition is taken as it is, since the catalogue has this edition only; a
// kind without levels may have none.
func (r *Registry) occupationOf(rd kv.Reader, e Elsewhere) (standards.Occupation, error) {
	code, name := strings.TrimSpace(e.Occupation), strings.TrimSpace(e.OccupationName)
	switch {
	case e.Edition != "" && e.Edition != occupationEdition:
		return standards.Occupation{Code: code, Edition: e.Edition, Name: name}, nil
	case code == "":
		return standards.Occupation{Edition: occupationEdition, Name: name}, nil
	}
	o, err := r.occupation(rd, code)
	o.Edition = occupationEdition
	return o, err
}
