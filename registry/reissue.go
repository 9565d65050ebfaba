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

// Reissue asks for a 补发: a new version of a certificate whose paper was lost or
// damaged. The number stays and nothing changes; what has to change is asked for
// with ProposeCorrection.
type Reissue struct {
	Name         string `json:"name,omitempty"`          // not here
	DocumentKind string `json:"document_kind,omitempty"` // not here
	Document     string `json:"document,omitempty"`      // not here
	Basis        string `json:"basis"`                   // 文号 or application it rests on
	Reason       string `json:"reason"`                  // public; no personal data
}

// ReissueKind tells a 更正 from a 补发.
type ReissueKind string

// The kinds of new versions.
const (
	Correction ReissueKind = "correction" // 更正: name, document, photo or employer change
	Duplicate  ReissueKind = "reissue"    // 补发: the paper was lost or damaged, nothing changes
)

func (in Reissue) validate() error {
	bad := basisAndReason(in.Basis, in.Reason)
	if in.Name != "" || in.Document != "" || in.DocumentKind != "" {
		bad = append(bad, fail.Field{Name: "name", Code: "not_here", ZH: "补发不改变内容；要改姓名或证件号码请办理更正", EN: "a reissue changes nothing; ask for a correction"})
	}
	if len(bad) > 0 {
		return fail.New(fail.Invalid, "reissue", "the request is not complete").In("补发信息不完整").At(bad...)
	}
	return nil
}

func basisAndReason(basis, reason string) []fail.Field {
	bad := append(impersonal("reason", reason), impersonal("basis", basis)...)
	if n := len([]rune(strings.TrimSpace(reason))); n == 0 || n > 500 {
		bad = append(bad, fail.Field{Name: "reason", Code: "length", ZH: "请写明原因，1 至 500 字", EN: "a reason of 1 to 500 characters is needed"})
	}
	if n := len([]rune(strings.TrimSpace(basis))); n == 0 || n > 100 {
		bad = append(bad, fail.Field{Name: "basis", Code: "length", ZH: "请填写依据（文号或申请编号），不超过 100 字", EN: "what it rests on, at most 100 characters"})
	}
	return bad
}

// newVersion is a version to be made. correction is the approved one behind it,
// empty for a 补发; it was allowed when it was approved.
type newVersion struct {
	kind          ReissueKind
	basis, reason string
	correction    string // id
	approvedBy    string
	correctedData
}

func (in newVersion) detail(v Version, kid string) map[string]any {
	out := map[string]any{"version": v.N, "status": v.Status, "kid": kid, "kind": in.kind, "basis": in.basis, "reason": in.reason}
	if in.correction != "" {
		out["correction"], out["approved_by"] = in.correction, in.approvedBy
	}
	return out
}

// ReissueCertificate makes version n+1 of a certificate 补发 and sets the status
// bits of version n, so that the old paper says superseded, offline too. Called
// again after a crash it goes on with the version that was begun. Conflict: the
// certificate is not valid or was issued elsewhere.
func (r *Registry) ReissueCertificate(ctx context.Context, by Actor, number string, in Reissue) (Issued, error) {
	key, err := r.numberKey(number)
	if err == nil {
		err = in.validate()
	}
	if err != nil {
		return Issued{}, err
	}
	if err := r.makeVersion(ctx, by, key, newVersion{kind: Duplicate, basis: in.Basis, reason: in.Reason}); err != nil {
		return Issued{}, fmt.Errorf("reissue certificate: %w", err)
	}
	return r.CertificateByNumber(ctx, by, key)
}

// makeVersion makes version n+1 in three steps: begin, sign outside the writer,
// end. A document that belongs to another person of the register is a Conflict
// document_of_another, which needs a review.
func (r *Registry) makeVersion(ctx context.Context, by Actor, number string, in newVersion) error {
	c, v, paper, err := r.beginVersion(ctx, by, number, in)
	if err != nil || v.Signed { // answered from an earlier request
		return err
	}
	signer, err := r.cfg.Keys.Signer(jws.QR)
	if err != nil {
		return err
	}
	s := signed{cert: c, version: v}
	if err := r.signOne(signer, &s, paper); err != nil {
		return err
	}
	return r.endVersion(ctx, by, s, paper.Document, in)
}

// beginVersion gives version n+1 its handle and status index. Durable
// afterwards: a version that nobody can see; the next call takes it up.
func (r *Registry) beginVersion(ctx context.Context, by Actor, number string, in newVersion) (c Certificate, v Version, paper Paper, err error) {
	handle, err := credentials.NewHandle(r.rand)
	if err != nil {
		return c, v, paper, err
	}
	err = r.db.Update(ctx, func(tx kv.Tx) error {
		c, v, paper = Certificate{}, Version{}, Paper{}
		var err error
		if c, err = r.reissuable(tx, by, number, in); err != nil {
			return err
		}
		if _, again, err := repeated(tx, by, tx.Now()); err != nil || again {
			v.Signed = again
			return err
		}
		if paper, err = r.paper(tx, c.Number, c.Versions); err != nil {
			return err
		}
		paper = in.apply(paper, c.Versions+1)
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
		if err := allotStatus(tx, place, place+1); err != nil {
			return err
		}
		list, index := credentials.StatusPermutation(r.cfg.Keys.Permutation(), place)
		v = Version{Number: c.Number, N: c.Versions + 1, Handle: handle, Created: tx.Now(),
			Status: uint64(list)*credentials.StatusListBits + uint64(index)}
		return versions.Put(tx, v)
	})
	return c, v, paper, err
}

func (r *Registry) reissuable(rd kv.Reader, by Actor, number string, in newVersion) (Certificate, error) {
	c, _, err := r.publicCertificate(rd, number)
	if err != nil {
		return c, err
	}
	if in.correction == "" {
		if err := may(by, ReissueCertificate, Object{Institution: c.Institution, Region: c.Region}); err != nil {
			return c, err
		}
	}
	return c, c.reissuable()
}

// reissuable refuses a new version of a certificate from elsewhere, or of one
// that is not valid.
func (c Certificate) reissuable() error {
	if c.Origin != OriginHere {
		return fail.New(fail.Conflict, "issued_elsewhere", "the certificate was issued elsewhere and is reissued there").In("该证书由其他系统签发，请在原系统补发或更正")
	}
	if c.Status != CertificateValid {
		return fail.New(fail.Conflict, "certificate_status", "a certificate that is %s cannot be reissued", c.Status).In("证书当前状态不允许补发或更正")
	}
	return nil
}

// samePerson refuses a corrected document that another person of the register has.
func (r *Registry) samePerson(rd kv.Reader, c Certificate, d standards.Document) error {
	person, known, err := r.personByDocument(rd, d)
	if err != nil {
		return err
	}
	same, err := onePerson(rd, person, c.Person)
	if err != nil {
		return err
	}
	if known && !same {
		return fail.New(fail.Conflict, "document_of_another", "this document belongs to another person of the register; the two records need a review").
			In("该证件号码已属于系统中的另一人，须先由主管部门复核")
	}
	return nil
}

// endVersion makes the new version the one that counts. Durable afterwards: the
// new version, the old one's status bits, the log entry, all together.
func (r *Registry) endVersion(ctx context.Context, by Actor, s signed, d standards.Document, in newVersion) error {
	return r.db.Update(ctx, func(tx kv.Tx) error {
		c, err := r.reissuable(tx, by, s.cert.Number, in)
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
		index, err := r.appendEvent(tx, by, Event{Kind: CertificateReissued, Object: c.Number, Institution: c.Institution, Detail: in.detail(v, s.version.KID)})
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
		if err := r.correctionSigned(tx, in, c, index); err != nil {
			return err
		}
		if err := remember(tx, by, c.Number); err != nil {
			return err
		}
		if err := r.nationalAfterChange(tx, []Certificate{c}, in.reported()); err != nil {
			return err
		}
		if err := r.relianceAfter(tx, []Certificate{c}, in.relied(), index); err != nil {
			return err
		}
		return r.setStatus(tx, c)
	})
}
