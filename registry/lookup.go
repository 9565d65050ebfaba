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

// Lookup is LookupFrom for whoever asks beside the store.
func (r *Registry) Lookup(ctx context.Context, q LookupQuery) (credentials.Verdict, error) {
	return r.LookupFrom(ctx, q, "")
}

// LookupFrom finds a certificate for somebody who has two of its facts. Whatever
// does not match gives the same verdict, unknown-certificate, as a number that
// is not there; the name is masked in what it finds.
//
// A document that does not fit is a try at the holder's document like one of
// MatchDocument, and counted in the same book, over all certificates of his: what
// the last four characters are protected from, a whole number must not give away.
// When no try is left, every document answers as one that does not fit. One that
// fits takes no try, and neither do right answers of MatchDocument take one here.
// The network address from is counted too, whatever is wrong, unless it is empty.
//
// Errors: Invalid; RateLimited lookups_spent, of an address, with a document only.
func (r *Registry) LookupFrom(ctx context.Context, q LookupQuery, from string) (out credentials.Verdict, err error) {
	n, err := q.validate()
	if err != nil {
		return out, err
	}
	if q.document() == "" {
		err = r.view(ctx, func(rd kv.Reader, now time.Time) error {
			out = unknownCertificate(now)
			h, found, err := r.lookup(rd, n, q, now)
			if err == nil && found.Certificate != nil && q.nameFits(h.paper) {
				out = q.masked(n, h.paper, found)
			}
			return err
		})
		return out, err
	}
	err = r.db.Update(ctx, func(tx kv.Tx) error {
		out = unknownCertificate(tx.Now())
		h, found, err := r.lookup(tx, n, q, tx.Now())
		if err != nil {
			return err
		}
		fits, err := r.tryDocument(tx, h, q, from)
		if err == nil && fits {
			out = q.masked(n, h.paper, found)
		}
		return err
	})
	return out, err
}

// lookup is the newest version of a certificate with its verdict; nothing of it
// when it is not public. Of several places that gave one number it is the
// certificate with the name that is asked for; without a name there is none.
func (r *Registry) lookup(rd kv.Reader, n standards.Number, q LookupQuery, now time.Time) (h holder, found credentials.Verdict, err error) {
	cs, err := r.certificatesOfNumber(rd, n)
	if err != nil || len(cs) == 0 || len(cs) > 1 && strings.TrimSpace(q.Name) == "" {
		return h, found, err
	}
	for _, c := range cs {
		if h, found, err = r.lookedUp(rd, c, now); err != nil || len(cs) == 1 || found.Certificate != nil && q.nameFits(h.paper) {
			return h, found, err
		}
	}
	return holder{}, credentials.Verdict{}, nil
}

func (r *Registry) lookedUp(rd kv.Reader, c Certificate, now time.Time) (h holder, found credentials.Verdict, err error) {
	v, err := need(rd, versions, versionKey(c.Number, c.Versions), "version", "证书版本", c.Number)
	if err != nil {
		return h, found, err
	}
	if found, _, err = r.verdictOn(rd, v, now); err != nil || found.Certificate == nil {
		return h, found, err
	}
	p, err := r.paper(rd, v.Number, v.N)
	return holder{certificate: c, version: v, paper: p}, found, err
}

// tryDocument says whether name and document are those of a holder, who has no
// version when there is none, and counts what does not fit.
func (r *Registry) tryDocument(tx kv.Tx, h holder, q LookupQuery, from string) (fits bool, err error) {
	t, _, err := r.triesLeft(tx, h, credentials.MatchDocument, from, tx.Now())
	if err != nil {
		return false, err
	}
	if from != "" && t.books[1].Book.LeftOfWrong(t.limits[1], t.day) == 0 {
		return false, fail.New(fail.RateLimited, "lookups_spent", "too many look-ups from this network were wrong today; look at the certificate's code, or go on tomorrow").
			In("本网络今日填错的次数过多，请扫描证书上的二维码查验，或明日再试")
	}
	there := h.version.N > 0
	right := there && equalSecret(q.document(), h.paper.Document.Number)
	named := there && q.nameFits(h.paper)
	spent := there && t.books[0].Book.LeftOfWrong(t.limits[0], t.day) == 0
	if named && right && !spent {
		return true, nil
	}
	wrong := func(i int) error {
		t.books[i].Book = t.books[i].Book.Answer(t.limits[i], t.day, false)
		return putAsked(tx, t.books[i], t.books[i].Book.Matters(t.limits[i]))
	}
	if from != "" {
		if err := wrong(1); err != nil {
			return false, err
		}
	}
	switch {
	case !there || right && !spent:
		return false, nil
	case spent:
		return false, r.tellSpent(tx, h, credentials.MatchDocument, t)
	}
	if err := wrong(0); err != nil {
		return false, err
	}
	_, err = r.appendEvent(tx, Actor{}, Event{Kind: HolderDiffers, Object: h.certificate.Number, Institution: h.certificate.Institution,
		Detail: map[string]any{"kind": credentials.MatchDocument, "version": h.version.N, "left": t.books[0].Book.LeftOfWrong(t.limits[0], t.day)}})
	return false, err
}

func (q LookupQuery) document() string { return strings.ToUpper(strings.TrimSpace(q.Document)) }

func (q LookupQuery) nameFits(p Paper) bool {
	name := strings.TrimSpace(q.Name)
	return name == "" || p.sameName(name)
}

// masked is what is found, for somebody who may not have the paper.
func (q LookupQuery) masked(n standards.Number, p Paper, found credentials.Verdict) credentials.Verdict {
	found.Certificate.Name, found.Handle, found.Matches = maskName(p.Name), "", nil
	if n.Personal() {
		found.Certificate.Number = n.Masked()
		found.Certificate.NumberGrouped = n.Masked()
	}
	return found
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
