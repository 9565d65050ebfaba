package registry

import (
	"context"
	"strings"
	"time"

	"bajigong/credentials"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/standards"
)

// LookupQuery is a certificate number and one more fact that must match: the
// name, or the whole document number.
type LookupQuery struct {
	Number   string `json:"number"`
	Name     string `json:"name,omitempty"`
	Document string `json:"document,omitempty"`
}

func (q LookupQuery) validate() (standards.Number, error) {
	n, err := standards.ParseNumber(q.Number)
	if err != nil {
		return n, err
	}
	if strings.TrimSpace(q.Name) == "" && strings.TrimSpace(q.Document) == "" {
		return n, fail.New(fail.Invalid, "two_facts", "a number and one more fact are needed: the name or the document number").
			In("请填写证书编号，并填写姓名或证件号码中的一项").
			At(fail.Field{Name: "name", Code: "required", ZH: "姓名或证件号码至少填一项", EN: "the name or the document number"})
	}
	if len(q.Name) > 200 || len(q.Document) > 64 {
		return n, fail.New(fail.Invalid, "too_long", "the name or the document number is too long").In("姓名或证件号码过长")
	}
	return n, nil
}

// Lookup finds a certificate for somebody who has two of its facts. Whatever
// does not match gives the same verdict, unknown-certificate, as a number that
// is not there; the name is masked in what it finds.
func (r *Registry) Lookup(ctx context.Context, q LookupQuery) (out credentials.Verdict, err error) {
	n, err := q.validate()
	if err != nil {
		return out, err
	}
	err = r.view(ctx, func(rd kv.Reader, now time.Time) error {
		out = unknownCertificate(now)
		c, ok, err := certificates.Get(rd, kv.Key(r.storedNumber(n)))
		if err != nil || !ok {
			return err
		}
		v, err := need(rd, versions, versionKey(c.Number, c.Versions), "version", "证书版本", c.Number)
		if err != nil {
			return err
		}
		found, _, err := r.verdictOn(rd, v, now)
		if err != nil || found.Certificate == nil {
			return err
		}
		p, err := r.paper(rd, v.Number, v.N)
		if err != nil {
			return err
		}
		if !q.matches(p) {
			return nil
		}
		out = found
		out.Certificate.Name, out.Handle, out.Matches = maskName(p.Name), "", nil
		if n.Personal() {
			out.Certificate.Number = n.Masked()
			out.Certificate.NumberGrouped = n.Masked()
		}
		return nil
	})
	return out, err
}

// matches holds every fact given against the paper.
func (q LookupQuery) matches(p Paper) bool {
	if name := strings.TrimSpace(q.Name); name != "" && !p.sameName(name) {
		return false
	}
	if document := strings.ToUpper(strings.TrimSpace(q.Document)); document != "" && !equalSecret(document, p.Document.Number) {
		return false
	}
	return true
}

// storedNumber is the key of a certificate. A number that has an identity number
// in it (特种作业操作证) is kept as a keyed hash; the number itself is sealed.
func (r *Registry) storedNumber(n standards.Number) string {
	if !n.Personal() {
		return n.Text
	}
	return string(n.Kind) + ":" + base32id(r.vault.numberHash(n.Text))
}

// numberKey is storedNumber for a number as somebody typed it, or as an event
// names it.
func (r *Registry) numberKey(text string) (string, error) {
	if strings.Contains(text, ":") {
		return text, nil
	}
	n, err := standards.ParseNumber(text)
	if err != nil {
		return "", err
	}
	return r.storedNumber(n), nil
}
