package credentials

import (
	"encoding/json"
	"slices"
	"time"
)

// A Reason is one thing that decides a verdict. `not found` is not `fake`, and
// each wrong has its own name, because what to do next differs.
type Reason string

// The reasons.
const (
	ReasonValid              Reason = "valid"
	ReasonVoided             Reason = "voided"                       // 撤销: void from the start
	ReasonCancelled          Reason = "cancelled"                    // 注销: ended on Verdict.Since
	ReasonSuspended          Reason = "suspended"                    // 暂停: under review
	ReasonSuperseded         Reason = "superseded"                   // a corrected or reissued version exists
	ReasonNotYetPublished    Reason = "not-yet-published"            // registered here, not yet in the national query
	ReasonIssuerNotEntitled  Reason = "issuer-not-entitled-at-issue" // no filing covered occupation, trade and level
	ReasonReceivedTooLate    Reason = "received-too-late"            // received after the institution was suspended or left
	ReasonBadSignature       Reason = "bad-signature"                // altered, or a token under another certificate's address
	ReasonUnknownKey         Reason = "unknown-key"                  // names this registry, but no QR key known here
	ReasonUnknownCertificate Reason = "unknown-certificate"          // nothing found
	ReasonWrongRegistry      Reason = "wrong-registry"               // another registry's address or key

	// Offline only, where less can be known.
	ReasonRevoked         Reason = "revoked"          // the revocation bit is set: voided, cancelled or superseded
	ReasonKeyDistrusted   Reason = "key-distrusted"   // signed with a key that is no longer trusted
	ReasonStatusStale     Reason = "status-stale"     // issued so, but the status list has run out
	ReasonStatusUnchecked Reason = "status-unchecked" // issued so, no status list was at hand
)

// gravest has every reason, the one that decides first.
var gravest = []Reason{
	ReasonWrongRegistry, ReasonBadSignature, ReasonUnknownKey, ReasonKeyDistrusted,
	ReasonVoided, ReasonIssuerNotEntitled, ReasonReceivedTooLate, ReasonRevoked, ReasonCancelled,
	ReasonSuspended, ReasonSuperseded,
	ReasonUnknownCertificate, ReasonNotYetPublished, ReasonStatusStale, ReasonStatusUnchecked,
	ReasonValid,
}

// Reasons lists every reason, the gravest first.
func Reasons() []Reason { return slices.Clone(gravest) }

// A Band is the colour and shape of a verdict.
type Band string

// The bands.
const (
	Good     Band = "good"     // green, ✓ in a circle
	Bad      Band = "bad"      // red, ✕ in an octagon
	Caution  Band = "caution"  // amber, ‖ in a triangle
	Unproven Band = "unproven" // grey, ? in a square
)

// Band returns the band that r alone gives.
func (r Reason) Band() Band {
	switch r {
	case ReasonValid:
		return Good
	case ReasonSuspended, ReasonSuperseded:
		return Caution
	case ReasonUnknownCertificate, ReasonNotYetPublished, ReasonStatusStale, ReasonStatusUnchecked:
		return Unproven
	}
	return Bad
}

// Face is what the paper shows, to be compared with it, and no more.
type Face struct {
	Number         string `json:"number"`          // ungrouped
	NumberGrouped  string `json:"number_grouped"`  // "S 0000 32 058300 25 3 000001", for the eye
	Name           string `json:"name"`            // holder
	Document       string `json:"document"`        // masked
	OccupationCode string `json:"occupation_code"` // 6-31-01-03
	Occupation     string `json:"occupation"`      // name; empty when the directory is not at hand
	Trade          string `json:"trade"`           // name, "--" when none, the catalogue id when the directory is not at hand
	Level          string `json:"level"`           // code, e.g. "senior"
	LevelZH        string `json:"level_zh"`        // 三级/高级工
	LevelEN        string `json:"level_en"`
	Issued         string `json:"issued"`           // civil date YYYY-MM-DD
	Origin         string `json:"origin,omitempty"` // "elsewhere" for one registered from elsewhere, "imported" for one of the records before the register: entitlement is not asserted
}

// Issuer is the institution of a verdict. Its status at issue and now are apart:
// leaving does not void lawful certificates.
type Issuer struct {
	Prefix        string            `json:"prefix"`          // first 13 characters of the number
	Name          string            `json:"name"`            // at issue
	NameNow       string            `json:"name_now"`        // today
	StatusAtIssue InstitutionStatus `json:"status_at_issue"` // on the date of issue
	StatusNow     InstitutionStatus `json:"status_now"`      // when checked
}

// Verdict answers one question about one certificate. In JSON it also carries
// what people read:
//
//	{"valid":false,"reasons":["cancelled"],"since":"2026-03-01",
//	 "certificate":{…},"institution":{…},"checked_at":"2026-11-21T12:53:00Z","online":true,
//	 "status_checked":"2026-11-21T12:53:00Z","key":"js01","log_index":1234,
//	 "band":"bad","text":{"zh":"证书已于 2026年3月1日 注销","en":"…"},"next":{"zh":"…","en":"…"}}
type Verdict struct {
	// Valid: nothing that could be checked speaks against the certificate. With
	// StatusChecked nil it means "issued so", never "still valid": the first
	// reason is then status-unchecked and not valid.
	Valid       bool      `json:"valid"`
	Reasons     []Reason  `json:"reasons"`         // never empty, the gravest first: it decides the band
	Since       string    `json:"since,omitempty"` // civil date from which the first reason holds
	Certificate *Face     `json:"certificate,omitempty"`
	Institution *Issuer   `json:"institution,omitempty"`
	National    *National `json:"national,omitempty"` // where its report to the national query stands; online only
	CheckedAt   time.Time `json:"checked_at"`
	Online      bool      `json:"online"`
	// StatusChecked is the time as of which the status is known: when checked
	// online, the time of the older list offline, nil when it is not known.
	StatusChecked *time.Time `json:"status_checked,omitempty"`
	KeyID         string     `json:"key,omitempty"` // signing key, if the signature was checked
	Handle        Handle     `json:"handle,omitempty"`
	LogIndex      *uint64    `json:"log_index,omitempty"` // entry of this version in the audit log
	Receipt       string     `json:"receipt,omitempty"`   // 查验回执
	// Form is "vc+jwt" when what was checked is a W3C credential, empty for a QR
	// code, its address or facts.
	Form string `json:"form,omitempty"`
	// Matches are what of the holder can be compared besides: the last characters
	// of the document, the photo.
	Matches []MatchKind `json:"matches,omitempty"`
}

// A MatchKind is something of the holder that can be compared with what is
// registered; the answer says only whether it is the same.
type MatchKind string

// The kinds of comparison.
const (
	MatchDocument MatchKind = "document" // 核对证件号后四位
	MatchPhoto    MatchKind = "photo"    // 核对照片
)

// Decide sets Valid and Reasons from what was found: sorted, without repeats;
// none at all, or ReasonValid alone, is valid. ReasonValid beside others is
// dropped.
func (v *Verdict) Decide(found ...Reason) {
	sorted := make([]Reason, 0, len(found)+1)
	for _, r := range gravest {
		if r != ReasonValid && slices.Contains(found, r) {
			sorted = append(sorted, r)
		}
	}
	if len(sorted) == 0 {
		sorted = append(sorted, ReasonValid)
	}
	v.Reasons = sorted
	v.Valid = sorted[0] == ReasonValid || sorted[0] == ReasonStatusStale || sorted[0] == ReasonStatusUnchecked
}

// First returns the reason that decides.
func (v Verdict) First() Reason {
	if len(v.Reasons) == 0 {
		return ReasonUnknownCertificate
	}
	return v.Reasons[0]
}

// Band returns the band of the first reason.
func (v Verdict) Band() Band { return v.First().Band() }

// Sentence returns the first line for people.
func (v Verdict) Sentence(lang Lang) string { return Sentence(v.First(), lang, v.args()) }

// Next returns what to do next.
func (v Verdict) Next(lang Lang) string {
	if v.Form == TypVC && v.First() == ReasonKeyDistrusted {
		return credentialNext.in(lang)
	}
	return Next(v.First(), lang)
}

func (v Verdict) args() Args { return Args{Since: v.Since, Credential: v.Form == TypVC} }

// MarshalJSON adds band, text and next to the fields.
func (v Verdict) MarshalJSON() ([]byte, error) {
	type plain Verdict
	type words struct {
		EN string `json:"en"`
		ZH string `json:"zh"`
	}
	both := func(f func(Lang) string) words { return words{EN: f(EN), ZH: f(ZH)} }
	return json.Marshal(struct {
		plain
		Band Band  `json:"band"`
		Text words `json:"text"`
		Next words `json:"next"`
	}{plain(v), v.Band(), both(v.Sentence), both(v.Next)})
}
