package credentials

import (
	"errors"
	"slices"
	"time"

	"bajigong/credentials/jws"
	"bajigong/internal/fail"
)

// Trust is what an offline verifier has at hand. Keys is needed, the rest makes
// the answer better.
type Trust struct {
	Keys        jws.KeySet    // QR keys; VC keys too, to check W3C credentials
	Directory   *Directory    // names; nil when not at hand
	StatusLists []*StatusList // of any purpose and number; the newest of each counts
	Origins     []string      // origins of the registry; when empty, that of the directory counts
}

// VerifyOffline says what can be known about text (see [ParseAny]), a QR code or
// a W3C credential, without a server. It proves "issued so"; that the certificate is still good it can only
// say as of a status list, and without one the verdict is status-unchecked.
//
// It fails, with the errors of ParseAny, when text is nothing of this system's
// making, with fail.Invalid, no_token, when text is only an address, and with
// credential_form or credential_not_yet_valid of [OpenVC].
func VerifyOffline(text string, trust Trust, now time.Time) (Verdict, error) {
	scanned, err := ParseAny(text)
	if err != nil {
		return Verdict{}, err
	}
	if scanned.Token == "" && scanned.Credential == "" {
		return Verdict{}, fail.New(fail.Invalid, "no_token", "this is only the address of a certificate; without a server the whole text of the QR code is needed").
			In("这只是查验网址；离线查验需要二维码的完整内容")
	}
	v := Verdict{CheckedAt: now.UTC().Truncate(time.Second), Handle: scanned.Handle}
	var found []Reason
	origins := trust.origins()
	if scanned.Origin != "" && len(origins) > 0 && !slices.Contains(origins, scanned.Origin) {
		found = append(found, ReasonWrongRegistry)
	}
	if scanned.Credential != "" {
		return trust.verifyVC(v, scanned.Credential, now)
	}
	claims, key, err := OpenToken(scanned.Token, trust.Keys, time.Time{})
	if err != nil {
		found = append(found, trust.refusal(string(scanned.Token), err))
	}
	if err == nil || errors.Is(err, jws.ErrDistrusted) {
		v.KeyID = key.ID
		v.Certificate, v.Institution = trust.face(claims, key, now)
		found = append(found, trust.status(&v, claims, now)...)
	}
	v.Decide(found...)
	return v, nil
}

// verifyVC is the part of VerifyOffline for a W3C credential. It brings its own
// names, so that a directory adds only where the institution stands.
func (t Trust) verifyVC(v Verdict, compact string, now time.Time) (Verdict, error) {
	v.Form = TypVC
	c, key, err := OpenVC(compact, t.Keys, now, jws.Limits{})
	if code := fail.CodeOf(err); code == "credential_form" || code == "credential_not_yet_valid" {
		return Verdict{}, err // says something of this verifier, nothing of the credential
	}
	var found []Reason
	if err != nil {
		found = append(found, t.refusal(compact, err))
	}
	if err == nil || errors.Is(err, jws.ErrDistrusted) {
		v.KeyID, v.Handle = key.ID, c.Handle
		if origins := t.origins(); len(origins) > 0 && !slices.Contains(origins, c.Origin) {
			found = append(found, ReasonWrongRegistry)
		}
		_, v.Institution = t.face(c.Claims, key, now)
		v.Certificate = c.face()
		if v.Institution == nil {
			v.Institution = &Issuer{Prefix: c.Claims.InstitutionPrefix()}
		}
		v.Institution.Name = c.Institution
		found = append(found, t.status(&v, c.Claims, now)...)
	}
	v.Decide(found...)
	return v, nil
}

// face is what the paper shows, as the credential says it.
func (c Credential) face() *Face {
	f := c.Claims.Face()
	f.Occupation, f.Trade = c.OccupationName, c.TradeName
	return &f
}

func (t Trust) origins() []string {
	if len(t.Origins) == 0 && t.Directory != nil {
		return []string{t.Directory.Origin}
	}
	return t.Origins
}

// refusal turns the error of OpenToken or OpenVC into a reason.
func (t Trust) refusal(compact string, err error) Reason {
	switch {
	case errors.Is(err, jws.ErrDistrusted):
		return ReasonKeyDistrusted
	case errors.Is(err, jws.ErrWrongPurpose):
		return ReasonUnknownKey
	case !errors.Is(err, jws.ErrUnknownKey):
		return ReasonBadSignature
	}
	kid, err := jws.PeekKID(compact)
	if err != nil {
		return ReasonBadSignature
	}
	code := kidRegistry(kid)
	ours := t.Directory != nil && t.Directory.Registry == code
	for _, k := range t.Keys.Keys() {
		ours = ours || kidRegistry(k.ID) == code
	}
	if ours {
		return ReasonUnknownKey
	}
	return ReasonWrongRegistry
}

// face says what the paper should show, with names from the directory if it is
// that of the registry which signed.
func (t Trust) face(c Claims, key jws.Key, now time.Time) (*Face, *Issuer) {
	f := c.Face()
	d := t.Directory
	if d == nil || d.Registry != kidRegistry(key.ID) {
		return &f, nil
	}
	if o, ok := d.Occupations[c.Occupation]; ok {
		f.Occupation = o.Name
		if name, ok := o.Trades[c.Trade]; ok {
			f.Trade = name
		}
	}
	i, ok := d.Institution(c.InstitutionPrefix())
	if !ok {
		return &f, nil
	}
	today := civilDate(now)
	return &f, &Issuer{
		Prefix: i.Prefix, Name: i.NameAt(c.Issued), NameNow: i.NameAt(today),
		StatusAtIssue: i.StatusAt(c.Issued), StatusNow: i.StatusAt(today),
	}
}

// Face returns what the paper shows as far as the token itself tells.
func (c Claims) Face() Face {
	level := levels[c.Level]
	f := Face{
		Number: c.Number, NumberGrouped: GroupNumber(c.Number), Name: c.Name, Document: c.DocumentMasked,
		OccupationCode: c.Occupation, Trade: c.Trade, Level: level.code, LevelZH: level.zh, LevelEN: level.en, Issued: c.Issued,
	}
	if c.Trade == "" {
		f.Trade = "--"
	}
	return f
}

// GroupNumber sets spaces between the parts of a 22-character number and leaves
// any other alone.
func GroupNumber(s string) string {
	if !validNumber(s) {
		return s
	}
	return s[:1] + " " + s[1:5] + " " + s[5:7] + " " + s[7:13] + " " + s[13:15] + " " + s[15:16] + " " + s[16:]
}

// status looks the certificate up in the lists at hand and sets
// v.StatusChecked.
func (t Trust) status(v *Verdict, c Claims, now time.Time) []Reason {
	number, index := c.StatusPlace()
	revocation, suspension := t.list(Revocation, number), t.list(Suspension, number)
	var found []Reason
	if bit(revocation, index) {
		if bit(t.list(Refresh, number), index) {
			found = append(found, ReasonSuperseded)
		} else {
			found = append(found, ReasonRevoked)
		}
	}
	if bit(suspension, index) {
		found = append(found, ReasonSuspended)
	}
	if revocation == nil || suspension == nil {
		return append(found, ReasonStatusUnchecked)
	}
	asOf := revocation.ValidFrom
	if suspension.ValidFrom.Before(asOf) {
		asOf = suspension.ValidFrom
	}
	asOf = asOf.UTC()
	v.StatusChecked = &asOf
	if revocation.Stale(now) || suspension.Stale(now) {
		found = append(found, ReasonStatusStale)
	}
	return found
}

// list returns the newest list at hand of that purpose and number, of our
// registry if its origins are known.
func (t Trust) list(p StatusPurpose, number int) *StatusList {
	var newest *StatusList
	origins := t.origins()
	for _, l := range t.StatusLists {
		if l == nil || l.Purpose != p || l.List != number || len(origins) > 0 && !slices.Contains(origins, l.Origin) {
			continue
		}
		if newest == nil || l.ValidFrom.After(newest.ValidFrom) {
			newest = l
		}
	}
	return newest
}

func bit(l *StatusList, index int) bool {
	if l == nil {
		return false
	}
	on, err := l.Get(index)
	return err == nil && on
}
