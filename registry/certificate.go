package registry

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"bajigong/credentials"
	"bajigong/evaluators"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/registry/policy"
	"bajigong/registry/uploads"
	"bajigong/standards"
)

// Origin says where a certificate was issued.
type Origin string

// The origins.
const (
	OriginHere      Origin = "here"
	OriginElsewhere Origin = "elsewhere" // registered here, issued before or in another system
	OriginImported  Origin = "imported"  // taken over from the records before this register; entitlement is never asserted
)

// Certificate is the ledger's record of one number, for ever. It has no personal
// data: name and document are sealed with each version.
type Certificate struct {
	Number          string               `json:"number"`
	Kind            standards.NumberKind `json:"kind"`
	Origin          Origin               `json:"origin"`
	Mode            policy.Mode          `json:"mode"`
	Group           string               `json:"group,omitempty"` // 人员类别, see course.Group
	Person          PersonID             `json:"person"`
	Institution     string               `json:"institution,omitempty"` // id, when it is in this register
	InstitutionName string               `json:"institution_name"`      // as at issue, as the paper shows it
	IssuerName      string               `json:"issuer_name,omitempty"` // 发证机构 of an imported certificate, when another
	Import          string               `json:"import,omitempty"`      // id of the import that brought it
	Filing          string               `json:"filing,omitempty"`
	Region          string               `json:"region"`
	Session         string               `json:"session,omitempty"`
	Row             int                  `json:"row,omitempty"`
	Batch           string               `json:"batch,omitempty"`
	Occupation      string               `json:"occupation"`
	OccupationName  string               `json:"occupation_name"`
	Trade           string               `json:"trade,omitempty"`
	TradeName       string               `json:"trade_name"` // "--" for none
	Level           standards.Level      `json:"level"`
	Issued          standards.Date       `json:"issued"`  // 发证日期
	Created         time.Time            `json:"created"` // when the number was taken or the registration came in
	Versions        int                  `json:"versions"`
	Status          CertificateStatus    `json:"status"`
	Changes         []Change             `json:"changes,omitempty"`
	// Entitlement is asked at receipt for certificates from elsewhere whose
	// filing is known here; nil when it is not asserted.
	Entitlement *evaluators.Entitlement `json:"entitlement,omitempty"`
	LogIndex    uint64                  `json:"log_index"` // the entry of its current version
	// Queryable is the first day on which the national query has it, as stated by
	// who registered it from elsewhere; of what is issued here the reports say it.
	Queryable standards.Date `json:"queryable,omitempty"`

	// What who registered it from elsewhere says about it; see Elsewhere.
	PaperKind policy.Kind    `json:"paper_kind,omitempty"`
	Edition   string         `json:"edition,omitempty"`    // of the occupation code; empty: 2022
	Place     string         `json:"place,omitempty"`      // where it was acquired, GB/T 2260
	ValidTo   standards.Date `json:"valid_to,omitempty"`   // last day of a kind with a term
	Source    string         `json:"source,omitempty"`     // on what the registration rests
	PaperText string         `json:"paper_text,omitempty"` // the number alone where Number is qualified by its source, or its keyed hash
}

// CertificateStatus is what a certificate is worth, apart from its versions.
//
//	state     | void   | cancel    | suspend   | resume
//	----------+--------+-----------+-----------+-------
//	valid     | voided | cancelled | suspended | -
//	suspended | voided | cancelled | -         | valid
//	cancelled | voided | -         | -         | -
//	voided    | -      | -         | -         | -
//
// The actions are the kinds of change: void 撤销, cancel 注销, suspend 暂停, resume
// 恢复. What should never have been is void even after it ended.
//
// Undoing a mass change (see MassChange) is no transition of this table: it gives
// back exactly the status before it, whatever that was.
type CertificateStatus string

// The statuses.
const (
	CertificateValid     CertificateStatus = "valid"
	CertificateSuspended CertificateStatus = "suspended"
	CertificateCancelled CertificateStatus = "cancelled"
	CertificateVoided    CertificateStatus = "voided"
)

// ChangeKind is what is done to a certificate.
type ChangeKind string

// The kinds of change.
const (
	ChangeVoid    ChangeKind = "void"    // 撤销: void from the start
	ChangeCancel  ChangeKind = "cancel"  // 注销: ends on its date
	ChangeSuspend ChangeKind = "suspend" // 暂停: while under review
	ChangeResume  ChangeKind = "resume"  // 恢复
	ChangeUndo    ChangeKind = "undo"    // 撤回: a mass change is undone; no change of its own
)

// Change is one entry of a certificate's history. It is never removed.
type Change struct {
	Kind      ChangeKind     `json:"kind"`
	Effective standards.Date `json:"effective"`
	Recorded  time.Time      `json:"recorded"`
	By        string         `json:"by"`       // account id
	Document  string         `json:"document"` // 文号
	Reason    string         `json:"reason"`   // public; no personal data
	LogIndex  uint64         `json:"log_index"`
	Mass      string         `json:"mass,omitempty"` // id of the mass change it is part of; then LogIndex is shared
}

// NewChange is what a change needs. Effective is today when empty; only a
// cancellation may name another day, and none in the future.
type NewChange struct {
	Kind      ChangeKind     `json:"-"`
	Effective standards.Date `json:"effective"`
	Document  string         `json:"document"`
	Reason    string         `json:"reason"`
}

var changeTable = map[ChangeKind]map[CertificateStatus]CertificateStatus{
	ChangeVoid: {CertificateValid: CertificateVoided, CertificateSuspended: CertificateVoided,
		CertificateCancelled: CertificateVoided},
	ChangeCancel:  {CertificateValid: CertificateCancelled, CertificateSuspended: CertificateCancelled},
	ChangeSuspend: {CertificateValid: CertificateSuspended},
	ChangeResume:  {CertificateSuspended: CertificateValid},
}

var changeWords = map[ChangeKind]string{ChangeVoid: "撤销", ChangeCancel: "注销", ChangeSuspend: "暂停", ChangeResume: "恢复", ChangeUndo: "撤回"}

// Change is the rule: it answers the certificate with the change, Invalid when
// the change is not complete, Conflict when the status does not allow it.
func (c Certificate) Change(in NewChange, by Actor, now time.Time) (Certificate, error) {
	today := standards.DateOf(now)
	var bad []fail.Field
	in.Document, in.Reason = strings.TrimSpace(in.Document), strings.TrimSpace(in.Reason)
	if n := len([]rune(in.Reason)); n == 0 || n > 500 {
		bad = append(bad, fail.Field{Name: "reason", Code: "length", ZH: "请写明依据和原因，1 至 500 字", EN: "a reason of 1 to 500 characters is needed"})
	}
	if n := len([]rune(in.Document)); n > 100 || n == 0 && in.Kind != ChangeCancel {
		bad = append(bad, fail.Field{Name: "document", Code: "length", ZH: "请填写文号，不超过 100 字", EN: "the document number, at most 100 characters"})
	}
	bad = append(bad, impersonal("reason", in.Reason)...)
	bad = append(bad, impersonal("document", in.Document)...)
	if in.Effective == "" {
		in.Effective = today
	}
	if in.Effective > today || in.Effective < c.Issued || in.Kind != ChangeCancel && in.Effective != today {
		bad = append(bad, fail.Field{Name: "effective", Code: "date", ZH: "生效日期不得早于发证日期或晚于今天；只有注销可以写以前的日期",
			EN: "the date is not before issue and not after today; only a cancellation may lie in the past"})
	}
	if len(bad) > 0 {
		return c, fail.New(fail.Invalid, "change", "the change is not complete").In("变更信息有误").At(bad...)
	}
	to, ok := changeTable[in.Kind][c.Status]
	if !ok {
		return c, fail.New(fail.Conflict, "certificate_status", "a certificate that is %s cannot be changed by %s", c.Status, in.Kind).
			In("证书当前状态不允许%s", changeWords[in.Kind])
	}
	c.Status = to
	c.Changes = append(c.Changes[:len(c.Changes):len(c.Changes)], Change{Kind: in.Kind, Effective: in.Effective, Recorded: now,
		By: by.Account, Document: in.Document, Reason: in.Reason})
	return c, nil
}

// last returns the newest change of a kind.
func (c Certificate) last(kind ChangeKind) *Change {
	for i := len(c.Changes) - 1; i >= 0; i-- {
		if c.Changes[i].Kind == kind {
			return &c.Changes[i]
		}
	}
	return nil
}

// Version is one printed form of a certificate. Handle and status index are its
// own for ever.
type Version struct {
	Number string `json:"number"`
	N      int    `json:"n"` // 1, 2, …
	// Handle is empty for certificates from elsewhere: nothing of ours is printed.
	Handle   credentials.Handle `json:"handle,omitempty"` // none for certificates from elsewhere
	Status   uint64             `json:"status"`           // status index
	KID      string             `json:"kid,omitempty"`    // key that signed its token
	Created  time.Time          `json:"created"`
	Resigned *time.Time         `json:"resigned,omitempty"` // after its first key was distrusted
	Signed   bool               `json:"signed"`
	LogIndex uint64             `json:"log_index"`
}

func (r *Registry) paper(rd kv.Reader, number string, n int) (Paper, error) {
	var p Paper
	ok, err := r.vault.open(rd, sealedVersion(number, n), &p)
	if err == nil && !ok {
		err = fmt.Errorf("certificate %s version %d has no sealed block", number, n)
	}
	return p, err
}

// publicCertificate loads a certificate that exists for the public.
func (r *Registry) publicCertificate(rd kv.Reader, number string) (Certificate, time.Time, error) {
	c, _, received, err := r.publicOfBatch(rd, number)
	return c, received, err
}

// publicOfBatch is publicCertificate with the certificate's batch; none when it was
// not issued here.
func (r *Registry) publicOfBatch(rd kv.Reader, number string) (c Certificate, b Batch, received time.Time, err error) {
	c, ok, err := certificates.Get(rd, kv.Key(number))
	if err != nil {
		return c, b, received, err
	}
	if ok {
		if b, ok, received, err = publicIn(rd, c); err != nil || ok {
			return c, b, received, err
		}
	}
	return Certificate{}, Batch{}, time.Time{}, notFound("certificate", "证书", number)
}

// public reports whether a certificate can be seen outside its batch. Issued
// here, it can only when its whole batch was published.
func (r *Registry) public(rd kv.Reader, c Certificate) (ok bool, received time.Time, err error) {
	_, ok, received, err = publicIn(rd, c)
	return ok, received, err
}

// public reports whether what a batch issued can be seen, and since when.
func (b Batch) public() (bool, time.Time) {
	if b.State != BatchPublished || b.Published == nil {
		return false, time.Time{}
	}
	return true, *b.Published
}

func publicIn(rd kv.Reader, c Certificate) (b Batch, ok bool, received time.Time, err error) {
	if c.Origin != OriginHere {
		return b, true, c.Created, nil
	}
	if b, err = need(rd, batches, kv.Key(c.Batch), "batch", "发证批次", c.Batch); err != nil {
		return b, false, time.Time{}, err
	}
	ok, received = b.public()
	return b, ok, received, nil
}

// Issued is a certificate as its institution and the authority see it.
type Issued struct {
	Certificate
	Received time.Time          `json:"received"`
	Handle   credentials.Handle `json:"handle,omitempty"`
	Name     string             `json:"name"`
	Document string             `json:"document"` // masked
	// StatusIndex is the place of its version in the status lists.
	StatusIndex uint64 `json:"status_index"`
	QR          string `json:"qr,omitempty"`
	Employer    string `json:"employer,omitempty"` // 工作单位, where it is known
	Photo       bool   `json:"photo,omitempty"`    // the register has one
	// Corrections are those of this certificate, the oldest first. They are in
	// the view of one certificate alone, not in lists.
	Corrections []CorrectionRequest `json:"corrections,omitempty"`
	// National is where it stands in the national query; in the view of one
	// certificate alone, and of one from elsewhere only when its source said.
	National *uploads.Standing `json:"national,omitempty"`
}

func (r *Registry) issuedView(rd kv.Reader, c Certificate, received time.Time) (Issued, error) {
	v, err := need(rd, versions, versionKey(c.Number, c.Versions), "version", "证书版本", c.Number)
	if err != nil {
		return Issued{}, err
	}
	p, err := r.paper(rd, c.Number, c.Versions)
	if err != nil {
		return Issued{}, err
	}
	out := Issued{Certificate: c, Received: received, Handle: v.Handle, StatusIndex: v.Status, Name: p.Name, Document: p.Document.Masked(),
		Employer: p.Employer, Photo: p.Photo != nil}
	if v.Handle != "" {
		out.QR = credentials.QRText(r.cfg.Origin, v.Handle, credentials.Token(p.Token))
	}
	return out, nil
}

// CertificateByNumber shows a certificate to its institution or the authority.
func (r *Registry) CertificateByNumber(ctx context.Context, by Actor, number string) (out Issued, err error) {
	key, err := r.numberKey(number)
	if err != nil {
		return out, err
	}
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		c, b, received, err := r.publicOfBatch(rd, key)
		if err != nil {
			return err
		}
		if err := may(by, ReadCertificate, Object{Institution: c.Institution, Region: c.Region}); err != nil {
			return err
		}
		if out, err = r.issuedView(rd, c, received); err != nil {
			return err
		}
		standing, _, err := r.nationalOf(rd, c, b)
		if err != nil {
			return err
		}
		if c.Origin == OriginHere || c.Queryable != "" {
			out.National = &standing
		}
		out.Corrections, err = correctionsOf(rd, c.Number)
		return err
	})
	return out, err
}

// CertificatesOfSession is one page of what a session issued, in the order of
// its rows.
func (r *Registry) CertificatesOfSession(ctx context.Context, by Actor, session string, page Page) (out []Issued, next string, err error) {
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		out, next = nil, ""
		s, err := sessionFor(rd, by, ReadCertificate, session)
		if err != nil {
			return err
		}
		if s.State != SessionIssued {
			return fail.New(fail.Conflict, "not_issued", "session %s has not issued yet", s.ID).In("批次 %s 尚未发证", s.ID)
		}
		cs, cursor, err := issuedPage(rd, s, page)
		if err != nil {
			return err
		}
		for _, c := range cs {
			v, err := r.issuedView(rd, c, *s.Issued)
			if err != nil {
				return err
			}
			out = append(out, v)
		}
		next = cursor
		return nil
	})
	return out, next, err
}

// publicBatches are the batches of a session that are published: a further one may
// be on its way, and be aborted.
func (s Session) publicBatches() []string {
	ids := slices.Clone(s.Earlier)
	if s.State == SessionIssued {
		ids = append(ids, s.Batch)
	}
	return ids
}

// issuedPage is one page of the certificates of all published batches of a session.
func issuedPage(rd kv.Reader, s Session, page Page) (out []Certificate, next string, err error) {
	ids := s.publicBatches()
	slices.Sort(ids) // the order of their keys, which the cursor goes by
	for i, id := range ids {
		rng := kv.Prefix(kv.Key(id))
		rng.Limit = 1
		at, err := page.within(rng)
		if err != nil {
			return nil, "", err
		}
		if string(at.From) >= string(rng.To) {
			continue // the cursor stands behind this batch
		}
		out, next, err = scanIndexPage(rd, certificates, indexCertificatesByBatch, rng, page)
		if err != nil || next != "" || i == len(ids)-1 {
			return out, next, err
		}
		return out, encodeCursor(kv.Key(ids[i+1])), nil
	}
	return nil, "", nil
}

var changeActions = map[ChangeKind]Action{ChangeVoid: VoidCertificate, ChangeCancel: CancelCertificate,
	ChangeSuspend: SuspendCertificate, ChangeResume: SuspendCertificate}

// ChangeCertificate voids, cancels, suspends or resumes a certificate. The
// verdict changes at once; the status list with its next version.
func (r *Registry) ChangeCertificate(ctx context.Context, by Actor, number string, in NewChange) (Certificate, error) {
	key, err := r.numberKey(number)
	if err != nil {
		return Certificate{}, err
	}
	var out Certificate
	err = r.db.Update(ctx, func(tx kv.Tx) error {
		out = Certificate{}
		c, _, err := r.publicCertificate(tx, key)
		if err != nil {
			return err
		}
		if err := may(by, changeActions[in.Kind], Object{Institution: c.Institution, Region: c.Region}); err != nil {
			return err
		}
		if _, again, err := repeated(tx, by, tx.Now()); err != nil || again {
			out = c
			return err
		}
		if c, err = c.Change(in, by, tx.Now()); err != nil {
			return err
		}
		change := &c.Changes[len(c.Changes)-1]
		if change.LogIndex, err = r.appendEvent(tx, by, Event{Kind: CertificateChanged, Object: c.Number, Institution: c.Institution,
			Detail: map[string]any{"change": change.Kind, "effective": change.Effective, "document": change.Document, "reason": change.Reason, "status": c.Status}}); err != nil {
			return err
		}
		if err := certificates.Put(tx, c); err != nil {
			return err
		}
		if err := r.setStatus(tx, c); err != nil {
			return err
		}
		if err := r.nationalAfterChange(tx, []Certificate{c}, uploads.Change(in.Kind)); err != nil {
			return err
		}
		if err := r.relianceAfter(tx, []Certificate{c}, relianceOfChange[in.Kind], change.LogIndex); err != nil {
			return err
		}
		changeToCount(tx, c)
		out = c
		return remember(tx, by, c.Number)
	})
	if err != nil {
		return Certificate{}, fmt.Errorf("%s certificate: %w", in.Kind, err)
	}
	return out, nil
}
