package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"bajigong/credentials"
	"bajigong/credentials/jws"
	"bajigong/evaluators"
	"bajigong/internal/kv"
	"bajigong/registry/uploads"
	"bajigong/standards"
)

// VerdictByHandle is what the page behind a QR code says. An unknown handle, and
// one whose batch is not public, is the verdict unknown-certificate.
func (r *Registry) VerdictByHandle(ctx context.Context, handle string) (out credentials.Verdict, err error) {
	h, bad := credentials.ParseHandle(handle)
	err = r.view(ctx, func(rd kv.Reader, now time.Time) error {
		out = unknownCertificate(now)
		if bad != nil {
			return nil
		}
		v, err := r.versionWith(rd, h)
		if err != nil || v.Number == "" {
			return err
		}
		out, _, err = r.verdictOn(rd, v, now)
		return err
	})
	return out, err
}

// VerdictByToken checks whatever was read from a QR code, the whole text, the
// digits or the token, and a W3C credential in any form of credentials.ParseAny.
// Invalid: the text is none of these.
func (r *Registry) VerdictByToken(ctx context.Context, text string) (credentials.Verdict, error) {
	scanned, err := credentials.ParseAny(text)
	if err != nil {
		return credentials.Verdict{}, err
	}
	if scanned.Credential != "" {
		return r.verdictByCredential(ctx, scanned.Credential)
	}
	if scanned.Origin != "" && scanned.Origin != r.cfg.Origin {
		return r.foreign(ctx)
	}
	if scanned.Token == "" {
		return r.VerdictByHandle(ctx, string(scanned.Handle))
	}
	claims, distrusted, err := r.openToken(scanned.Token)
	if err != nil {
		return r.refusedToken(text, r.cfg.Keys.Public())
	}
	var out credentials.Verdict
	err = r.view(ctx, func(rd kv.Reader, now time.Time) error {
		out, err = r.verdictOnToken(rd, scanned, claims, distrusted, now)
		return err
	})
	return out, err
}

// openedToken is what a token says, under the keys of one edition of the ring.
type openedToken struct {
	edition    uint64
	claims     credentials.Claims
	distrusted bool
}

// openToken is credentials.OpenToken, remembered: one code is looked at several
// times, and the signature is most of the work. Any change of the keys forgets it.
func (r *Registry) openToken(token credentials.Token) (_ credentials.Claims, distrusted bool, err error) {
	edition := r.cfg.Keys.Edition() // before the keys, which may be newer then, never older
	if known, ok := r.tokens.look(token); ok && known.edition == edition {
		return known.claims, known.distrusted, nil
	}
	claims, _, err := credentials.OpenToken(token, r.cfg.Keys.Public(), time.Time{})
	if distrusted = errors.Is(err, jws.ErrDistrusted); err != nil && !distrusted {
		return claims, false, err
	}
	r.tokens.keep(token, openedToken{edition, claims, distrusted})
	return claims, distrusted, nil
}

// refusedToken says why a token is not one of ours as it was signed: altered, of
// another registry, or of a key that nobody knows.
func (r *Registry) refusedToken(text string, keys jws.KeySet) (credentials.Verdict, error) {
	v, err := credentials.VerifyOffline(text, credentials.Trust{Keys: keys, Origins: []string{r.cfg.Origin}}, r.cfg.Now())
	v.Online, v.Certificate, v.Institution = true, nil, nil
	return v, err
}

func (r *Registry) foreign(ctx context.Context) (out credentials.Verdict, err error) {
	err = r.view(ctx, func(_ kv.Reader, now time.Time) error {
		out = credentials.Verdict{CheckedAt: now, Online: true}
		out.Decide(credentials.ReasonWrongRegistry)
		return nil
	})
	return out, err
}

// verdictOnToken compares an intact token with the ledger. The signature alone
// proves nothing that the ledger does not say too: a token with other content
// than the record, or under another certificate's address, is an altered one, or
// a forgery when a distrusted key signed it. Where the ledger says the same, it
// does not matter who else could have signed: a thief of the key gains no more by
// it than by a copy of the code.
func (r *Registry) verdictOnToken(rd kv.Reader, s credentials.Scanned, claims credentials.Claims, distrusted bool, now time.Time) (credentials.Verdict, error) {
	v, err := r.versionBy(rd, indexVersionsByStatusIndex, kv.Key(uint64(claims.Status)))
	if err != nil {
		return credentials.Verdict{}, err
	}
	if v.Number == "" || v.Number != claims.Number {
		return notAsRegistered(credentials.ReasonUnknownCertificate, distrusted, now), nil
	}
	out, printed, err := r.verdictOn(rd, v, now)
	if err != nil || out.First() == credentials.ReasonUnknownCertificate {
		return out, err
	}
	if claims != printed || s.Handle != "" && s.Handle != v.Handle {
		return notAsRegistered(credentials.ReasonBadSignature, distrusted, now), nil
	}
	return out, nil
}

// notAsRegistered is the verdict on what carries a good signature and does not say
// what the ledger says; from a distrusted key it is taken for a forgery.
func notAsRegistered(reason credentials.Reason, distrusted bool, now time.Time) credentials.Verdict {
	if distrusted {
		reason = credentials.ReasonKeyDistrusted
	}
	out := credentials.Verdict{CheckedAt: now, Online: true}
	out.Decide(reason)
	return out
}

func unknownCertificate(now time.Time) credentials.Verdict {
	v := credentials.Verdict{CheckedAt: now, Online: true}
	v.Decide(credentials.ReasonUnknownCertificate)
	return v
}

// versionBy is the version under an entry of a unique index; the zero Version when
// there is none.
func (r *Registry) versionBy(rd kv.Reader, index kv.Table, entry []byte) (Version, error) {
	key, err := rd.Get(index, entry)
	if err != nil || key == nil {
		return Version{}, err
	}
	v, raw, err := through(rd, &r.read.versions, versions, key)
	if err == nil && raw == nil {
		err = fmt.Errorf("%s: entry %x has no record", index, entry)
	}
	return v, err
}

// versionIn is a version as a state of the store has it.
type versionIn struct {
	state   uint64
	version Version
}

// versionWith is the version with a handle. While nothing at all is written, the same
// handle is not looked up twice.
func (r *Registry) versionWith(rd kv.Reader, h credentials.Handle) (Version, error) {
	state := kv.StateOf(rd)
	if known, ok := r.handles.look(h); ok && state != 0 && known.state == state {
		return known.version, nil
	}
	v, err := r.versionBy(rd, indexVersionsByHandle, kv.Key(string(h)))
	if err == nil && state != 0 && v.Number != "" {
		r.handles.keep(h, versionIn{state, v})
	}
	return v, err
}

// placeOfVersion names a version of a certificate.
type placeOfVersion struct {
	number string
	n      int
}

// verdictFound is a verdict without its times, and everything it rests on: it
// holds for as long as these are the same.
type verdictFound struct {
	version     Version
	certificate []byte // as it is stored
	directory   uint64 // version of all institutions, filings and decisions
	day         standards.Date
	batch       string // id; empty for one from elsewhere
	reported    []byte // the batch as it is stored: where it stands in the national query
	apart       bool   // some of its part of the batch stand elsewhere than the others
	row         []byte // its own record of that, as it is stored; nil for none

	verdict credentials.Verdict
	claims  credentials.Claims

	state atomic.Uint64 // of the store in which all of this was so last
}

// sameVersion reports whether two readings of a version are of the same state.
// Nothing else of a version ever changes.
func (v Version) sameVersion(w Version) bool {
	return v.KID == w.KID && v.Handle == w.Handle && v.Status == w.Status && v.LogIndex == w.LogIndex && v.Signed == w.Signed
}

// verdictOn is the verdict on one version of a certificate, and what its code
// should say. The full name is in it: whoever has the handle holds the paper.
//
// A verdict that was given before holds as long as everything it rests on is what
// it was; all of that is read here.
func (r *Registry) verdictOn(rd kv.Reader, v Version, now time.Time) (credentials.Verdict, credentials.Claims, error) {
	place := placeOfVersion{v.Number, v.N}
	found, ok := r.verdicts.look(place)
	if ok = ok && found.day == standards.DateOf(now) && found.version.sameVersion(v); ok {
		var err error
		if ok, err = found.holds(rd); err != nil {
			return credentials.Verdict{}, credentials.Claims{}, err
		}
	}
	if !ok {
		var err error
		if found, err = r.findVerdict(rd, v, now); err != nil {
			return credentials.Verdict{}, credentials.Claims{}, err
		}
		if found.verdict.First() == credentials.ReasonUnknownCertificate {
			return found.verdict, found.claims, nil
		}
		found.state.Store(kv.StateOf(rd))
		r.verdicts.keep(place, found)
	}
	out := found.verdict
	face := *out.Certificate
	out.CheckedAt, out.StatusChecked, out.Certificate = now, &now, &face
	out.Receipt = r.receipt(v.Number, v.N, out)
	return out, found.claims, nil
}

// holds reports whether everything that f rests on is what it was, which it is while
// nothing at all is written.
func (f *verdictFound) holds(rd kv.Reader) (same bool, err error) {
	state := kv.StateOf(rd)
	if state != 0 && f.state.Load() == state {
		return true, nil
	}
	defer func() {
		if same {
			f.state.Store(state)
		}
	}()
	directory, err := counter(rd, counterDirectory(), 0)
	if err != nil || directory != f.directory {
		return false, err
	}
	for _, one := range []struct {
		needed bool
		table  kv.Table
		key    string
		was    []byte
	}{
		{true, tableCertificates, f.version.Number, f.certificate},
		{f.batch != "", tableBatches, f.batch, f.reported},
		{f.apart, tableNationalRows, f.version.Number, f.row},
	} {
		if !one.needed {
			continue
		}
		if now, err := rd.Get(one.table, kv.Key(one.key)); err != nil || (now == nil) != (one.was == nil) || !bytes.Equal(now, one.was) {
			return false, err
		}
	}
	return true, nil
}

// restsOn notes what a verdict on c rests on besides the version.
func (f *verdictFound) restsOn(rd kv.Reader, c Certificate, b Batch) (err error) {
	if f.directory, err = counter(rd, counterDirectory(), 0); err != nil || b.ID == "" {
		return err
	}
	f.batch = b.ID
	if part, ok := uploads.PartOf(b.National, c.Row); ok && part.Apart > 0 {
		f.apart = true
		f.row, err = rd.Get(tableNationalRows, kv.Key(c.Number))
	}
	return err
}

func (r *Registry) findVerdict(rd kv.Reader, v Version, now time.Time) (*verdictFound, error) {
	found := &verdictFound{version: v, day: standards.DateOf(now)}
	var err error
	if found.certificate, err = rd.Get(tableCertificates, kv.Key(v.Number)); err != nil || found.certificate == nil {
		return &verdictFound{verdict: unknownCertificate(now)}, err
	}
	c, err := certificates.Decode(kv.Key(v.Number), found.certificate)
	if err != nil {
		return nil, err
	}
	var b Batch
	public, received := true, c.Created
	if c.Origin == OriginHere {
		if b, found.reported, err = through(rd, &r.read.batches, batches, kv.Key(c.Batch)); err != nil {
			return nil, err
		}
		public, received = b.public()
	}
	if !public || v.N > c.Versions { // not out yet, or begun and not yet the one that counts
		return &verdictFound{verdict: unknownCertificate(now)}, nil
	}
	p, err := r.paper(rd, v.Number, v.N)
	if err != nil {
		return nil, err
	}
	found.claims = claimsOf(c, v, p)
	if err := found.restsOn(rd, c, b); err != nil {
		return nil, err
	}
	out := credentials.Verdict{Online: true, KeyID: v.KID, Handle: v.Handle, LogIndex: &v.LogIndex}
	out.Certificate = r.face(c, p)
	if out.Institution, err = r.issuerOf(rd, c, received, found.directory, now); err != nil {
		return nil, err
	}
	reasons, since := c.reasons(v.N)
	out.Since = string(since)
	standing, decides, err := r.nationalOf(rd, c, b)
	if err != nil {
		return nil, err
	}
	if out.National = nationalFact(standing); decides {
		reasons = append(reasons, credentials.ReasonNotYetPublished)
	}
	out.Decide(reasons...)
	out.Matches = r.matchKinds(p, v, now)
	found.verdict = out
	return found, nil
}

// reasons is what speaks against version n of a certificate, and the day from
// which the change of status holds. It is pure.
func (c Certificate) reasons(n int) (out []credentials.Reason, since standards.Date) {
	for status, rule := range map[CertificateStatus]struct {
		reason credentials.Reason
		change ChangeKind
	}{
		CertificateVoided:    {credentials.ReasonVoided, ChangeVoid},
		CertificateCancelled: {credentials.ReasonCancelled, ChangeCancel},
		CertificateSuspended: {credentials.ReasonSuspended, ChangeSuspend},
	} {
		if c.Status == status {
			out = append(out, rule.reason)
			if change := c.last(rule.change); change != nil {
				since = change.Effective
			}
		}
	}
	if n < c.Versions {
		out = append(out, credentials.ReasonSuperseded)
	}
	if c.Entitlement != nil && !c.Entitlement.Entitled {
		out = append(out, notEntitled(*c.Entitlement))
	}
	return out, since
}

// notEntitled tells a certificate that came after its institution had to stop
// from one that its filing never covered.
func notEntitled(e evaluators.Entitlement) credentials.Reason {
	for _, late := range []evaluators.Reason{evaluators.ReasonSuspended, evaluators.ReasonExited, evaluators.ReasonRemoved, evaluators.ReasonFinishOver} {
		if slices.Contains(e.Reasons, late) {
			return credentials.ReasonReceivedTooLate
		}
	}
	return credentials.ReasonIssuerNotEntitled
}

func (r *Registry) face(c Certificate, p Paper) *credentials.Face {
	f := credentials.Face{Number: c.Number, NumberGrouped: credentials.GroupNumber(c.Number), Name: p.Name, Document: p.Document.Masked(),
		OccupationCode: c.Occupation, Occupation: c.OccupationName, Trade: c.TradeName,
		Level: c.Level.Code(), LevelZH: c.Level.Certificate(), LevelEN: c.Level.English(), Issued: string(c.Issued)}
	if c.Origin != OriginHere {
		f.Origin = string(c.Origin)
		if p.Number != "" {
			f.Number = p.Number
		}
		f.NumberGrouped = credentials.GroupNumber(f.Number)
	}
	return &f
}

// issuerPlace is all that a certificate says of its institution's standing: those
// of a batch have it in common.
type issuerPlace struct {
	filing, institution, name, occupation, trade string
	level                                        standards.Level
	issued                                       standards.Date
	received                                     int64
}

// issuerFound is an issuer, as long as nothing is recorded of any institution and
// the day has not changed.
type issuerFound struct {
	directory uint64
	day       standards.Date
	issuer    *credentials.Issuer
}

// issuerOf is issuer, remembered. directory is the version read in this snapshot.
func (r *Registry) issuerOf(rd kv.Reader, c Certificate, received time.Time, directory uint64, now time.Time) (*credentials.Issuer, error) {
	place := issuerPlace{c.Filing, c.Institution, c.InstitutionName, c.Occupation, c.Trade, c.Level, c.Issued, received.Unix()}
	if known, ok := r.issuers.look(place); ok && known.directory == directory && known.day == standards.DateOf(now) {
		return known.issuer, nil
	}
	out, err := r.issuer(rd, c, received, now)
	if err == nil {
		r.issuers.keep(place, issuerFound{directory, standards.DateOf(now), out})
	}
	return out, err
}

// issuer shows the institution at issue and now, apart.
func (r *Registry) issuer(rd kv.Reader, c Certificate, received, now time.Time) (*credentials.Issuer, error) {
	out := credentials.Issuer{Name: c.InstitutionName, NameNow: c.InstitutionName}
	if c.Filing == "" {
		return &out, nil
	}
	f, raw, err := through(rd, &r.read.filings, filings, kv.Key(c.Filing))
	if err == nil && raw == nil {
		_, err = filingByID(rd, c.Filing)
	}
	if err != nil {
		return nil, err
	}
	inst, raw, err := through(rd, &r.read.institutions, institutions, kv.Key(c.Institution))
	if err == nil && raw == nil {
		_, err = institutionByID(rd, c.Institution)
	}
	if err != nil {
		return nil, err
	}
	ds, err := decisionsOf(rd, inst.ID)
	if err != nil {
		return nil, err
	}
	today := standards.DateOf(now)
	out.Prefix, out.NameNow = f.Prefix(), inst.NameOn(today, now)
	// A renewal without a gap stands for the filing; few certificates need the read.
	filed, err := lineOf(rd, f, c.Issued, today)
	if err != nil {
		return nil, err
	}
	part := evaluators.Part{Occupation: c.Occupation, Trade: c.Trade, Level: c.Level}
	out.StatusAtIssue = institutionStatus(f.InLine(filed, c.Issued, received).Standing(ds, part, c.Issued, received))
	out.StatusNow = institutionStatus(f.InLine(filed, today, now).Standing(ds, part, today, now))
	return &out, nil
}

var institutionStatuses = map[evaluators.Status]credentials.InstitutionStatus{
	evaluators.Registered: credentials.Filed, evaluators.Filed: credentials.Filed, evaluators.Rectifying: credentials.Rectifying,
	evaluators.Suspended: credentials.InstitutionOnHold, evaluators.Exited: credentials.InstitutionExited,
	evaluators.Removed: credentials.FilingRemoved, evaluators.Expired: credentials.FilingExpired,
	evaluators.Terminated: credentials.FilingEnded, evaluators.NotFiled: credentials.InstitutionUnknown,
}

func institutionStatus(s evaluators.Status) credentials.InstitutionStatus {
	return institutionStatuses[s]
}

// receipt 查验回执 is a short code over what was answered and when. Whoever keeps
// number, answer and time can have it recomputed, see CheckReceipt; nothing is
// stored for it.
func (r *Registry) receipt(number string, n int, v credentials.Verdict) string {
	version, _ := r.vault.secrets.Index()
	return r.receiptUnder(version, number, n, v.Reasons, v.CheckedAt)
}

func (r *Registry) receiptUnder(keyVersion uint32, number string, n int, reasons []credentials.Reason, at time.Time) string {
	sum := r.vault.fingerprintUnder(keyVersion, "receipt", fmt.Appendf(nil, "%s\x00%d\x00%v\x00%d", number, n, reasons, at.Unix()))
	code := base32id(sum[:5])
	return upper(code[:4]) + "-" + upper(code[4:8])
}

func upper(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'a' && c <= 'z' {
			b[i] = c - 'a' + 'A'
		}
	}
	return string(b)
}
