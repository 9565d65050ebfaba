package blanks

import (
	"strings"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/form"
)

// PrintKind says whether a version of a certificate was printed before.
type PrintKind string

// The kinds.
const (
	FirstPrint PrintKind = "first"
	Reprint    PrintKind = "reprint" // 补打
)

// Printing is one print of a certificate. It is never removed.
type Printing struct {
	Number  string    `json:"number"`  // of the certificate
	N       int       `json:"n"`       // 1, 2, … of the certificate
	Version int       `json:"version"` // of the certificate
	Code    *Code     `json:"code,omitempty"`
	Kind    PrintKind `json:"kind"`
	Reason  string    `json:"reason,omitempty"` // of a reprint
	Session string    `json:"session"`
	Job     string    `json:"job,omitempty"`
	Place   int       `json:"place,omitempty"` // within the job, from 1
	By      string    `json:"by"`              // account
	At      time.Time `json:"at"`
	// Spoiled is why the print counts no more 作废.
	Spoiled *Step `json:"spoiled,omitempty"`
}

// Prints is what was printed of a certificate: how often, and how many prints of
// its newest printed version stand, which is to say are not spoiled.
type Prints struct {
	Number   string `json:"number"`
	N        int    `json:"n"`
	Version  int    `json:"version"`
	OfIt     int    `json:"of_it"` // prints of Version
	Standing int    `json:"standing"`
}

// Due reports whether a version has no print that stands.
func (p Prints) Due(version int) bool { return p.Version != version || p.Standing == 0 }

// Next is the rule for one more print of a certificate in its newest version.
// Where a print of that version stands a reason is needed; where all were spoiled
// it is printed again on another blank without one. Errors: Invalid print_reason.
func (p Prints) Next(version int, reason string) (Prints, PrintKind, error) {
	reason = strings.TrimSpace(reason)
	if p.Version != version {
		p.Version, p.OfIt, p.Standing = version, 0, 0
	}
	kind := FirstPrint
	if p.OfIt > 0 {
		kind = Reprint
	}
	if p.Standing > 0 && reason == "" {
		return p, kind, fail.New(fail.Invalid, "print_reason", "this version was printed before; say why it is printed again, or reissue the certificate if the paper is lost").
			In("该版本证书已打印，补打须说明原因；证书遗失的，应办理补发").
			At(fail.Field{Name: "reason", Code: "required", ZH: "请说明补打原因", EN: "a reason is needed"})
	}
	if err := form.Refuse("print_reason", "补打原因有误", "the reason cannot be taken", form.Text("reason", reason, false, TextMost, "补打原因", "reason")); err != nil {
		return p, kind, err
	}
	p.N++
	p.OfIt++
	p.Standing++
	return p, kind, nil
}

// Spoil counts a print of a version no more.
func (p Prints) Spoil(version int) Prints {
	if p.Version == version {
		p.Standing--
	}
	return p
}
