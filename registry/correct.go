package registry

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"strings"
	"time"

	"bajigong/evaluators/corrections"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/standards"
)

// correctionsMax is how many corrections of one certificate are read and shown.
const correctionsMax = 100

// ProposeCorrection asks for a correction 更正 of a valid certificate issued here:
// the number stays, a new version is made once another account has approved it,
// or at once where the rules want no second person. Invalid not_correctable: the
// request tries to change occupation, level, date or institution; Invalid
// correction: a field or proof is wrong; Conflict correction_open: another one
// waits; document_of_another: the document belongs to another person of the
// register, which needs a review.
func (r *Registry) ProposeCorrection(ctx context.Context, by Actor, number string, in NewCorrection) (CorrectionRequest, error) {
	key, err := r.numberKey(number)
	if err != nil {
		return CorrectionRequest{}, err
	}
	id := r.rand.id("x")
	var out CorrectionRequest
	err = r.db.Update(ctx, func(tx kv.Tx) error {
		out = CorrectionRequest{}
		c, _, err := r.publicCertificate(tx, key)
		if err != nil {
			return err
		}
		if err := may(by, ReissueCertificate, Object{Institution: c.Institution, Region: c.Region}); err != nil {
			return err
		}
		if earlier, again, err := repeated(tx, by, tx.Now()); err != nil || again {
			if again {
				out, err = need(tx, correctionRequests, kv.Key(earlier), "correction", "更正申请", earlier)
			}
			return err
		}
		one, d, err := r.draftCorrection(tx, by, c, in)
		if err != nil {
			return err
		}
		one.ID = id
		if err := r.sealCorrection(tx, id, d, in.Photo); err != nil {
			return err
		}
		out, err = r.putCorrection(tx, by, one, CorrectionProposed, map[string]any{"correction": id, "state": one.State, "fields": one.Fields,
			"proofs": one.Proofs, "basis": one.Basis, "reason": one.Reason, "rules": one.Rules, "region": one.Region, "second_person": one.SecondPerson})
		if err != nil {
			return err
		}
		return remember(tx, by, id)
	})
	if err != nil {
		return CorrectionRequest{}, fmt.Errorf("propose correction: %w", err)
	}
	return r.signCorrection(ctx, by, out)
}

// draftCorrection is the correction that a request means, and what it changes; it
// is approved already where the rules want no second person.
func (r *Registry) draftCorrection(tx kv.Tx, by Actor, c Certificate, in NewCorrection) (CorrectionRequest, correctedData, error) {
	today := standards.DateOf(tx.Now())
	rules, ok := r.cfg.Rules.Corrections.On(c.Region, string(today))
	if !ok {
		return CorrectionRequest{}, correctedData{}, noCorrectionRules(c.Region)
	}
	d, err := in.parse(rules, today)
	if err == nil {
		err = r.correctable(tx, c, d)
	}
	if err != nil {
		return CorrectionRequest{}, d, err
	}
	one := CorrectionRequest{Number: c.Number, Institution: c.Institution, Region: c.Region, Fields: in.given(), Proofs: in.Proofs,
		Basis: strings.TrimSpace(in.Basis), Reason: strings.TrimSpace(in.Reason), Rules: rules.ID, SecondPerson: rules.SecondPerson,
		State: corrections.Proposed, By: by.Account, Proposed: tx.Now()}
	if !one.SecondPerson {
		one, err = one.Decide(corrections.Approve, by, "", tx.Now())
	}
	return one, d, err
}

// correctable refuses what the certificate or its other records do not allow.
func (r *Registry) correctable(tx kv.Tx, c Certificate, d correctedData) error {
	if err := c.reissuable(); err != nil {
		return err
	}
	p, err := r.paper(tx, c.Number, c.Versions)
	if err != nil {
		return err
	}
	if bad := d.unchanged(p); len(bad) > 0 {
		return fail.New(fail.Invalid, "correction", "some of it is as the certificate says already").In("部分内容与证书现有内容相同").At(bad...)
	}
	others, err := correctionsOf(tx, c.Number)
	if err != nil {
		return err
	}
	if len(others) >= correctionsMax {
		return fail.New(fail.Conflict, "too_many_corrections", "the certificate has %d corrections; it needs a review", len(others)).
			In("该证书更正申请已达 %d 次，须由主管部门复核", len(others))
	}
	for _, other := range others {
		if !other.State.Ended() {
			return fail.New(fail.Conflict, "correction_open", "correction %s of this certificate waits; decide or withdraw it first", other.ID).
				In("该证书已有未办结的更正申请 %s，请先审核或撤回", other.ID)
		}
	}
	return r.samePerson(tx, c, d.apply(p, 0).Document)
}

// correctionsOf are the corrections of a certificate, the oldest first.
func correctionsOf(rd kv.Reader, number string) ([]CorrectionRequest, error) {
	rng := kv.Prefix(kv.Key(number))
	rng.Limit = correctionsMax
	out, _, err := correctionRequests.ScanIndex(rd, indexCorrectionsByNumber, rng)
	return out, err
}

func (r *Registry) sealCorrection(tx kv.Tx, id string, d correctedData, photo []byte) error {
	if err := r.vault.seal(tx, sealedCorrection(id), d); err != nil || len(photo) == 0 {
		return err
	}
	block, err := r.vault.sealBytes(sealedCorrectionPhoto(id), photo)
	if err == nil {
		tx.Put(tableSealed, sealedCorrectionPhoto(id).storeKey(), block)
	}
	return err
}

// putCorrection logs and stores the newest step of a correction. What it would
// change is erased with its end.
func (r *Registry) putCorrection(tx kv.Tx, by Actor, c CorrectionRequest, kind EventKind, detail map[string]any) (CorrectionRequest, error) {
	detail["record_sha256"] = recordDigest(c)
	var err error
	if c.LogIndex, err = r.appendEvent(tx, by, Event{Kind: kind, Object: c.Number, Institution: c.Institution, Detail: detail}); err != nil {
		return c, err
	}
	if c.State.Ended() {
		eraseCorrected(tx, c.ID)
	}
	return c, correctionRequests.Put(tx, c)
}

func eraseCorrected(tx kv.Tx, id string) {
	tx.Delete(tableSealed, sealedCorrection(id).storeKey())
	tx.Delete(tableSealed, sealedCorrectionPhoto(id).storeKey())
}

// ApproveCorrection is the second person's consent; then the new version is
// signed. When the document is corrected, document is its number once more, as
// the approver reads it from the proof: it is never shown. A crash after the
// consent loses nothing: ResumeCorrections, or the approver again, goes on.
// Forbidden second_person: the proposer; Invalid document: the numbers differ;
// Conflict correction_state, certificate_status, document_of_another.
func (r *Registry) ApproveCorrection(ctx context.Context, by Actor, id, document string) (CorrectionRequest, error) {
	by.Idempotency = Idempotency{}
	var out CorrectionRequest
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = CorrectionRequest{}
		c, err := correctionFor(tx, by, ApproveCorrection, id)
		if err != nil {
			return err
		}
		if c.Decision != nil && c.Decision.By == by.Account && (c.State == corrections.Approved || c.State == corrections.Done) {
			out = c // asked again
			return nil
		}
		if c, err = c.Decide(corrections.Approve, by, "", tx.Now()); err != nil {
			return err
		}
		d, err := r.correctedOf(tx, c)
		if err != nil {
			return err
		}
		if d.Document != nil && !equalSecret(strings.ToUpper(strings.TrimSpace(document)), d.Document.Number) {
			return fail.New(fail.Invalid, "document", "the document number that the approver gives is not the one proposed").In("审核人录入的证件号码与申请不一致").
				At(fail.Field{Name: "document", Code: "differs", ZH: "请对照证明材料录入更正后的证件号码", EN: "enter the corrected number as the proof shows it"})
		}
		cert, _, err := r.publicCertificate(tx, c.Number)
		if err != nil {
			return err
		}
		if err := cert.reissuable(); err != nil {
			return err
		}
		out, err = r.putCorrection(tx, by, c, CorrectionDecided, map[string]any{"correction": c.ID, "state": c.State})
		return err
	})
	if err != nil {
		return CorrectionRequest{}, fmt.Errorf("approve correction: %w", err)
	}
	return r.signCorrection(ctx, by, out)
}

func (r *Registry) correctedOf(rd kv.Reader, c CorrectionRequest) (d correctedData, err error) {
	ok, err := r.vault.open(rd, sealedCorrection(c.ID), &d)
	if err == nil && !ok {
		err = fmt.Errorf("correction %s has no sealed block", c.ID)
	}
	return d, err
}

// RejectCorrection ends a proposal with a reason; WithdrawCorrection is for its
// proposer. Conflict correction_state; Forbidden second_person, not_allowed.
func (r *Registry) RejectCorrection(ctx context.Context, by Actor, id, reason string) (CorrectionRequest, error) {
	return r.closeCorrection(ctx, by, ApproveCorrection, corrections.Reject, id, reason)
}

// WithdrawCorrection takes a proposal back.
func (r *Registry) WithdrawCorrection(ctx context.Context, by Actor, id string) (CorrectionRequest, error) {
	return r.closeCorrection(ctx, by, ReissueCertificate, corrections.Withdraw, id, "")
}

func (r *Registry) closeCorrection(ctx context.Context, by Actor, action Action, do corrections.Act, id, reason string) (CorrectionRequest, error) {
	var out CorrectionRequest
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = CorrectionRequest{}
		c, err := correctionFor(tx, by, action, id)
		if err != nil {
			return err
		}
		if c, err = c.Decide(do, by, reason, tx.Now()); err != nil {
			return err
		}
		out, err = r.putCorrection(tx, by, c, CorrectionDecided, map[string]any{"correction": c.ID, "state": c.State, "reason": c.Decision.Reason})
		return err
	})
	if err != nil {
		return CorrectionRequest{}, fmt.Errorf("%s correction: %w", do, err)
	}
	return out, nil
}

// signAttempts is how often the signing of a correction begins anew when another
// version has come in between.
const signAttempts = 3

// signCorrection makes the version of an approved correction; others are answered
// as they are. What the certificate no longer allows lets it lapse.
func (r *Registry) signCorrection(ctx context.Context, by Actor, c CorrectionRequest) (CorrectionRequest, error) {
	if c.State != corrections.Approved {
		return c, nil
	}
	by.Idempotency = Idempotency{}
	for attempt := 1; ; attempt++ {
		c, in, err := r.toSign(ctx, c.ID)
		if err != nil || c.State != corrections.Approved { // another process was quicker
			return c, err
		}
		switch err = r.makeVersion(ctx, by, c.Number, in); {
		case err == nil:
			c, _, err = r.toSign(ctx, c.ID)
			return c, err
		case fail.CodeOf(err) == "reissued_meanwhile" && attempt < signAttempts:
			continue
		case fail.KindOf(err) == fail.Conflict && fail.CodeOf(err) != "reissued_meanwhile":
			return r.lapse(ctx, by, c, fail.Of(err))
		}
		return c, fmt.Errorf("sign correction %s: %w", c.ID, err)
	}
}

// toSign is a correction as it is now and, when it is approved, the version it
// asks for.
func (r *Registry) toSign(ctx context.Context, id string) (c CorrectionRequest, in newVersion, err error) {
	err = r.db.View(ctx, func(rd kv.Reader) error {
		if c, err = need(rd, correctionRequests, kv.Key(id), "correction", "更正申请", id); err != nil || c.State != corrections.Approved {
			return err
		}
		in = newVersion{kind: Correction, basis: c.Basis, reason: c.Reason, correction: c.ID, approvedBy: c.Decision.By}
		in.correctedData, err = r.correctedOf(rd, c)
		return err
	})
	return c, in, err
}

// lapse ends a correction that cannot be signed any more, and says why.
func (r *Registry) lapse(ctx context.Context, by Actor, seen CorrectionRequest, why *fail.Error) (CorrectionRequest, error) {
	var out CorrectionRequest
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = CorrectionRequest{}
		c, err := need(tx, correctionRequests, kv.Key(seen.ID), "correction", "更正申请", seen.ID)
		if err != nil {
			return err
		}
		if c.State != corrections.Approved {
			out = c
			return nil
		}
		if c.State, err = corrections.Next(c.State, corrections.Lapse); err != nil {
			return err
		}
		decision := *c.Decision
		decision.Reason, decision.LapsedZH = why.Text, why.ZH
		c.Decision, c.Ended = &decision, tx.Now()
		out, err = r.putCorrection(tx, by, c, CorrectionDecided, map[string]any{"correction": c.ID, "state": c.State, "why": why.Code})
		return err
	})
	return out, err
}

// correctionSigned ends the correction behind a new version, in the Update that
// makes the version: the photo moves to it, and what was sealed beside the
// request is erased. It is logged with the version.
func (r *Registry) correctionSigned(tx kv.Tx, in newVersion, cert Certificate, index uint64) error {
	if in.correction == "" {
		return nil
	}
	c, err := need(tx, correctionRequests, kv.Key(in.correction), "correction", "更正申请", in.correction)
	if err != nil {
		return err
	}
	if c.State, err = corrections.Next(c.State, corrections.Sign); err != nil {
		return err
	}
	if in.Photo != nil {
		if err := r.movePhoto(tx, c.ID, cert, in.Photo); err != nil {
			return err
		}
	}
	c.Version, c.Ended, c.LogIndex = cert.Versions, tx.Now(), index
	eraseCorrected(tx, c.ID)
	return correctionRequests.Put(tx, c)
}

func (r *Registry) movePhoto(tx kv.Tx, correction string, cert Certificate, sum []byte) error {
	photo, err := r.photoAt(tx, sealedCorrectionPhoto(correction), sum)
	if err != nil {
		return err
	}
	place := sealedPhoto(cert.Number, cert.Versions)
	block, err := r.vault.sealBytes(place, photo)
	if err == nil {
		tx.Put(tableSealed, place.storeKey(), block)
	}
	return err
}

// photoAt opens a sealed photo and holds it against its hash.
func (r *Registry) photoAt(rd kv.Reader, place sealedPlace, sum []byte) ([]byte, error) {
	block, err := rd.Get(tableSealed, place.storeKey())
	if err != nil {
		return nil, err
	}
	return r.openPhoto(place, block, sum)
}

// openPhoto opens the sealed block of a photo and holds it against its hash.
func (r *Registry) openPhoto(place sealedPlace, block, sum []byte) ([]byte, error) {
	photo, err := r.vault.openBytes(place, block)
	if err != nil {
		return nil, err
	}
	if got := sha256.Sum256(photo); subtle.ConstantTimeCompare(got[:], sum) != 1 {
		return nil, fmt.Errorf("the photo at %s %x is not the one recorded", place.table, place.key)
	}
	return photo, nil
}

// ResumeCorrections signs the approved corrections that a crash has left. It is
// called when a process starts, like ResumeBatches; one that cannot be signed is
// logged and left for the next call.
func (r *Registry) ResumeCorrections(ctx context.Context) error {
	var open []CorrectionRequest
	err := r.db.View(ctx, func(rd kv.Reader) (err error) {
		open, _, err = correctionRequests.ScanIndex(rd, indexCorrectionsToSign, kv.Range{Limit: bulkPage})
		return err
	})
	if err != nil {
		return err
	}
	for _, c := range open {
		if _, err := r.signCorrection(ctx, Actor{Account: c.Decision.By, Via: "resume"}, c); err != nil {
			r.log.Warn("correction not resumed", "correction", c.ID, "error", err)
		}
	}
	return ctx.Err()
}

// CorrectionView is a correction as those see it who may decide on it: while it
// is open, with what it would change, documents masked.
type CorrectionView struct {
	CorrectionRequest
	To   *CorrectedFacts `json:"to,omitempty"`
	From *CorrectedFacts `json:"from,omitempty"` // what the certificate says now, of the same fields
}

// CorrectedFacts are the correctable facts of a certificate.
type CorrectedFacts struct {
	Name     string `json:"name,omitempty"`
	Document string `json:"document,omitempty"` // masked
	Employer string `json:"employer,omitempty"`
	Photo    bool   `json:"photo,omitempty"` // there is one
}

// CorrectionByID shows a correction to its institution and the authority.
func (r *Registry) CorrectionByID(ctx context.Context, by Actor, id string) (out CorrectionView, err error) {
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		c, err := correctionFor(rd, by, ReadCertificate, id)
		if err != nil {
			return err
		}
		out, err = r.correctionView(rd, c)
		return err
	})
	return out, err
}

func (r *Registry) correctionView(rd kv.Reader, c CorrectionRequest) (CorrectionView, error) {
	out := CorrectionView{CorrectionRequest: c}
	if c.State.Ended() {
		return out, nil
	}
	d, err := r.correctedOf(rd, c)
	if err != nil {
		return out, err
	}
	cert, err := need(rd, certificates, kv.Key(c.Number), "certificate", "证书", c.Number)
	if err != nil {
		return out, err
	}
	p, err := r.paper(rd, cert.Number, cert.Versions)
	if err != nil {
		return out, err
	}
	out.To, out.From = d.facts(d.apply(Paper{}, 0)), d.facts(p)
	return out, nil
}

// facts are the fields of p that d changes.
func (d correctedData) facts(p Paper) *CorrectedFacts {
	out := &CorrectedFacts{}
	if d.Name != "" {
		out.Name = p.Name
	}
	if d.Document != nil {
		out.Document = p.Document.Masked()
	}
	if d.Employer != "" {
		out.Employer = p.Employer
	}
	out.Photo = d.Photo != nil && p.Photo != nil
	return out
}

// Corrections is one page of the corrections of an institution that wait for a
// second person, the oldest first.
func (r *Registry) Corrections(ctx context.Context, by Actor, institution string, page Page) (out []CorrectionView, next string, err error) {
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		out, next = nil, ""
		inst, err := institutionByID(rd, institution)
		if err != nil {
			return err
		}
		if err := may(by, ReadCertificate, Object{Institution: inst.ID, Region: inst.Region}); err != nil {
			return err
		}
		found, cursor, err := scanIndexPage(rd, correctionRequests, indexCorrectionsWaiting, kv.Prefix(kv.Key(inst.ID)), page)
		if err != nil {
			return err
		}
		for _, c := range found {
			v, err := r.correctionView(rd, c)
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

// CorrectionPhoto is the photo that an open correction would bring, a JPEG, for
// those who may decide on it. NotFound: it brings none, or has ended.
func (r *Registry) CorrectionPhoto(ctx context.Context, by Actor, id string) (photo []byte, err error) {
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		c, err := correctionFor(rd, by, ApproveCorrection, id)
		if err != nil {
			return err
		}
		if c.State.Ended() {
			return notFound("photo", "照片", id)
		}
		d, err := r.correctedOf(rd, c)
		if err != nil {
			return err
		}
		if d.Photo == nil {
			return notFound("photo", "照片", id)
		}
		photo, err = r.photoAt(rd, sealedCorrectionPhoto(id), d.Photo)
		return err
	})
	return photo, err
}

// CertificatePhoto is the photo on the newest version of a certificate, a JPEG,
// for its institution and the authority. NotFound: the register has none.
func (r *Registry) CertificatePhoto(ctx context.Context, by Actor, number string) (photo []byte, err error) {
	key, err := r.numberKey(number)
	if err != nil {
		return nil, err
	}
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		c, _, err := r.publicCertificate(rd, key)
		if err != nil {
			return err
		}
		if err := may(by, ReissueCertificate, Object{Institution: c.Institution, Region: c.Region}); err != nil {
			return err // like the paper itself: not for auditors
		}
		p, err := r.paper(rd, c.Number, c.Versions)
		if err != nil {
			return err
		}
		if p.Photo == nil {
			return notFound("photo", "照片", c.Number)
		}
		photo, err = r.photoAt(rd, photoPlace(c, *p.Photo), p.Photo.SHA256)
		return err
	})
	return photo, err
}
