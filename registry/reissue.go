package registry

import (
	"context"
	"fmt"
	"strings"

	"bajigong/credentials"
	"bajigong/credentials/jws"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/standards"
)

// Reissue is a new version of a certificate: a 更正 when name or document change,
// a 补发 when they do not. The number stays; occupation, level, date and
// institution can never be changed (practice, recalled).
type Reissue struct {
	Kind         ReissueKind `json:"-"`
	Name         string      `json:"name,omitempty"`          // corrected; as before when empty
	DocumentKind string      `json:"document_kind,omitempty"` // resident_id when empty
	Document     string      `json:"document,omitempty"`      // corrected; as before when empty
	Basis        string      `json:"basis"`                   // 文号 or application it rests on
	Reason       string      `json:"reason"`                  // public; no personal data
}

// ReissueKind tells a 更正 from a 补发.
type ReissueKind string

// The kinds of new versions.
const (
	Correction ReissueKind = "correction" // 更正: name or document change
	Duplicate  ReissueKind = "reissue"    // 补发: the paper was lost or damaged, nothing changes
)

func (in Reissue) validate() error {
	var bad []fail.Field
	bad = append(bad, impersonal("reason", in.Reason)...)
	bad = append(bad, impersonal("basis", in.Basis)...)
	changes := in.Name != "" || in.Document != "" || in.DocumentKind != ""
	if in.Kind == Correction && in.Name == "" && in.Document == "" {
		bad = append(bad, fail.Field{Name: "name", Code: "required", ZH: "更正须填写更正后的姓名或证件号码", EN: "a correction gives the name or the document as it should be"})
	}
	if in.Kind == Duplicate && changes {
		bad = append(bad, fail.Field{Name: "name", Code: "not_here", ZH: "补发不改变内容；要改姓名或证件号码请办理更正", EN: "a reissue changes nothing; ask for a correction"})
	}
	if in.Kind != Correction && in.Kind != Duplicate {
		bad = append(bad, fail.Field{Name: "kind", Code: "unknown", ZH: "应为更正或补发", EN: "a correction or a reissue"})
	}
	if n := len([]rune(strings.TrimSpace(in.Reason))); n == 0 || n > 500 {
		bad = append(bad, fail.Field{Name: "reason", Code: "length", ZH: "请写明原因，1 至 500 字", EN: "a reason of 1 to 500 characters is needed"})
	}
	if n := len([]rune(strings.TrimSpace(in.Basis))); n == 0 || n > 100 {
		bad = append(bad, fail.Field{Name: "basis", Code: "length", ZH: "请填写依据（文号或申请编号），不超过 100 字", EN: "what it rests on, at most 100 characters"})
	}
	if len(bad) > 0 {
		return fail.New(fail.Invalid, "reissue", "the request is not complete").In("补发（更正）信息不完整").At(bad...)
	}
	return nil
}

// corrected is the paper with what the request changes.
func (in Reissue) corrected(p Paper, today standards.Date) (Paper, error) {
	var err error
	if in.Name != "" {
		if p.Name, err = standards.CleanName(in.Name); err != nil {
			return p, err
		}
	}
	if in.Document != "" {
		kind := standards.ResidentID
		if in.DocumentKind != "" {
			if kind, err = standards.ParseDocumentKind(in.DocumentKind); err != nil {
				return p, err
			}
		}
		if p.Document, err = standards.ParseDocument(kind, in.Document, today); err != nil {
			return p, err
		}
	}
	return p, nil
}

// ReissueCertificate makes version n+1 of a certificate and sets the status bits
// of version n, so that the old paper says superseded, offline too. Called again
// after a crash it goes on with the version that was begun. Conflict: the
// certificate is not valid, was issued elsewhere, or the corrected document
// belongs to another person of the register, which needs a review.
func (r *Registry) ReissueCertificate(ctx context.Context, by Actor, number string, in Reissue) (Issued, error) {
	key, err := r.numberKey(number)
	if err == nil {
		err = in.validate()
	}
	if err != nil {
		return Issued{}, err
	}
	c, v, paper, err := r.beginVersion(ctx, by, key, in)
	if err != nil {
		return Issued{}, fmt.Errorf("reissue certificate: %w", err)
	}
	if v.Signed { // answered from an earlier request
		return r.CertificateByNumber(ctx, by, c.Number)
	}
	signer, err := r.cfg.Keys.Signer(jws.QR)
	if err != nil {
		return Issued{}, err
	}
	s := signed{cert: c, version: v}
	if err := r.signOne(signer, &s, paper); err != nil {
		return Issued{}, err
	}
	if err := r.endVersion(ctx, by, s, paper.Document, in); err != nil {
		return Issued{}, fmt.Errorf("reissue certificate: %w", err)
	}
	return r.CertificateByNumber(ctx, by, c.Number)
}

// beginVersion gives version n+1 its handle and status index. Durable
// afterwards: a version that nobody can see; the next call takes it up.
func (r *Registry) beginVersion(ctx context.Context, by Actor, number string, in Reissue) (c Certificate, v Version, paper Paper, err error) {
	handle, err := credentials.NewHandle(r.rand)
	if err != nil {
		return c, v, paper, err
	}
	err = r.db.Update(ctx, func(tx kv.Tx) error {
		c, v, paper = Certificate{}, Version{}, Paper{}
		var err error
		if c, err = r.reissuable(tx, by, number); err != nil {
			return err
		}
		if _, again, err := repeated(tx, by, tx.Now()); err != nil || again {
			v.Signed = again
			return err
		}
		if paper, err = r.paper(tx, c.Number, c.Versions); err != nil {
			return err
		}
		if paper, err = in.corrected(paper, standards.DateOf(tx.Now())); err != nil {
			return err
		}
		if err := r.samePerson(tx, c, paper.Document); err != nil {
			return err
		}
		begun, ok, err := versions.Get(tx, versionKey(c.Number, c.Versions+1))
		if err != nil {
			return err
		}
		if ok {
			v = begun
			return nil
		}
		place, err := counter(tx, counterStatus(), 0)
		if err != nil {
			return err
		}
		setCounter(tx, counterStatus(), place+1)
		list, index := credentials.StatusPermutation(r.cfg.Keys.Permutation(), place)
		v = Version{Number: c.Number, N: c.Versions + 1, Handle: handle, Created: tx.Now(),
			Status: uint64(list)*credentials.StatusListBits + uint64(index)}
		return versions.Put(tx, v)
	})
	return c, v, paper, err
}

func (r *Registry) reissuable(rd kv.Reader, by Actor, number string) (Certificate, error) {
	c, _, err := r.publicCertificate(rd, number)
	if err != nil {
		return c, err
	}
	if err := may(by, ReissueCertificate, Object{Institution: c.Institution, Region: c.Region}); err != nil {
		return c, err
	}
	if c.Origin != OriginHere {
		return c, fail.New(fail.Conflict, "issued_elsewhere", "the certificate was issued elsewhere and is reissued there").In("该证书由其他系统签发，请在原系统补发或更正")
	}
	if c.Status != CertificateValid {
		return c, fail.New(fail.Conflict, "certificate_status", "a certificate that is %s cannot be reissued", c.Status).In("证书当前状态不允许补发或更正")
	}
	return c, nil
}

// samePerson refuses a corrected document that another person of the register has.
func (r *Registry) samePerson(rd kv.Reader, c Certificate, d standards.Document) error {
	person, known, err := r.personByDocument(rd, d)
	if err != nil {
		return err
	}
	if known && person != c.Person {
		return fail.New(fail.Conflict, "document_of_another", "this document belongs to another person of the register; the two records need a review").
			In("该证件号码已属于系统中的另一人，须先由主管部门复核")
	}
	return nil
}

// endVersion makes the new version the one that counts. Durable afterwards: the
// new version, the old one's status bits, the log entry, all together.
func (r *Registry) endVersion(ctx context.Context, by Actor, s signed, d standards.Document, in Reissue) error {
	return r.db.Update(ctx, func(tx kv.Tx) error {
		c, err := r.reissuable(tx, by, s.cert.Number)
		if err != nil {
			return err
		}
		v, err := need(tx, versions, versionKey(c.Number, s.version.N), "version", "证书版本", c.Number)
		if err != nil {
			return err
		}
		if c.Versions != s.cert.Versions || v.Signed {
			return fail.New(fail.Conflict, "reissued_meanwhile", "the certificate was reissued by somebody else meanwhile").In("该证书刚被补发或更正，请刷新后再试")
		}
		if err := r.samePerson(tx, c, d); err != nil {
			return err
		}
		if _, err := r.peopleFor(tx, []standards.Document{d}, []PersonID{c.Person}); err != nil {
			return err
		}
		index, err := r.appendEvent(tx, by, Event{Kind: CertificateReissued, Object: c.Number, Institution: c.Institution, Detail: map[string]any{
			"version": v.N, "status": v.Status, "kid": s.version.KID, "kind": in.Kind, "basis": in.Basis, "reason": in.Reason}})
		if err != nil {
			return err
		}
		v.Signed, v.KID, v.LogIndex = true, s.version.KID, index
		c.Versions, c.LogIndex = v.N, index
		if err := versions.Put(tx, v); err != nil {
			return err
		}
		if err := certificates.Put(tx, c); err != nil {
			return err
		}
		tx.Put(tableSealed, sealedVersion(c.Number, v.N).storeKey(), s.block)
		if err := remember(tx, by, c.Number); err != nil {
			return err
		}
		return r.setStatus(tx, c)
	})
}
