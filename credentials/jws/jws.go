// Package jws signs and strictly opens the signed texts of bajigong. It is the
// one wrapper of go-jose: nothing else imports that module.
//
// Every signed text is a compact JWS (RFC 7515 §3.1) made with ES256 (RFC 7518
// §3.4) under exactly this protected header, members in this order, no other:
//
//	{"alg":"ES256","kid":"js01"}
//	{"alg":"ES256","kid":"js02","typ":"vc+jwt"}
//
// Opening is strict on purpose. A general JOSE library accepts several texts
// for one signature (non-zero trailing bits, padding, white space), keys that
// the text itself brings along, and any key of a set whatever it is for. [Open]
// accepts one text only, keys from a given [KeySet] only, and only a key that
// was made for the purpose at hand.
//
// ECDSA itself has two signatures (r, s) and (r, n-s) for one message, so the
// text of a token or its hash never identifies anything.
package jws

import (
	"crypto/ecdsa"
	"slices"
	"strings"
	"sync"
	"time"

	"bajigong/internal/fail"
)

// A Purpose says what a key may sign. A key has exactly one.
type Purpose string

// The purposes. Checkpoint keys are Ed25519 note keys, never JWKs: the name is
// here so that one list of purposes serves the key ring and its commands.
const (
	QR         Purpose = "qr"         // the token in a QR code
	VC         Purpose = "vc"         // W3C credentials for download
	Status     Purpose = "status"     // bitstring status lists
	Decision   Purpose = "decision"   // answers on claims
	Directory  Purpose = "directory"  // the signed directory
	Checkpoint Purpose = "checkpoint" // heads of the audit log (Ed25519)
)

// Purposes lists the purposes whose keys are ES256 keys, in a fixed order.
func Purposes() []Purpose { return []Purpose{QR, VC, Status, Decision, Directory} }

// ParsePurpose returns the purpose called s. It fails (fail.Invalid,
// unknown_purpose) for any other word; "checkpoint" is a purpose too.
func ParsePurpose(s string) (Purpose, error) {
	if p := Purpose(s); p == Checkpoint || slices.Contains(Purposes(), p) {
		return p, nil
	}
	return "", fail.New(fail.Invalid, "unknown_purpose", "%q is no key purpose; the purposes are qr, vc, status, decision, directory, checkpoint", s).
		In("没有“%s”这种密钥用途；可用：qr、vc、status、decision、directory、checkpoint", s)
}

// A State is where a key stands in its life: next, active, then retired or
// distrusted.
type State string

// The states.
const (
	Next       State = "next"       // published, not yet used
	Active     State = "active"     // signs
	Retired    State = "retired"    // signs no more, verifies for ever
	Distrusted State = "distrusted" // what it signed counts only if it is known to be older than DistrustedFrom
)

// A Key is a public ES256 key with its purpose and its life. Times are UTC,
// whole seconds; zero when they do not apply.
type Key struct {
	ID             string // kid: registry code and serial, e.g. "js01"
	Purpose        Purpose
	State          State
	NotBefore      time.Time // since when it is published
	RetiredAt      time.Time
	DistrustedFrom time.Time
	Public         *ecdsa.PublicKey // on P-256
}

// A KeySet is an immutable set of keys with distinct ids. The zero value is
// empty and serves.
type KeySet struct {
	byID    map[string]Key
	headers *sync.Map // canonical header of a key of this set → header; nil in the zero value
}

// NewKeySet returns the set of keys. It fails (fail.Invalid, bad_key_set) when
// an id is repeated or malformed, a purpose unknown, or a key not on P-256.
func NewKeySet(keys ...Key) (KeySet, error) {
	s := KeySet{byID: make(map[string]Key, len(keys)), headers: &sync.Map{}}
	for _, k := range keys {
		if err := checkKey(k); err != nil {
			return KeySet{}, err
		}
		if _, twice := s.byID[k.ID]; twice {
			return KeySet{}, badSet("key %q occurs twice", k.ID)
		}
		s.byID[k.ID] = k
	}
	return s, nil
}

// Merge returns the union of s and others. It fails (fail.Invalid, bad_key_set)
// when an id is in more than one of them.
func (s KeySet) Merge(others ...KeySet) (KeySet, error) {
	all := s.Keys()
	for _, o := range others {
		all = append(all, o.Keys()...)
	}
	return NewKeySet(all...)
}

// Key returns the key with the id kid.
func (s KeySet) Key(kid string) (Key, bool) {
	k, ok := s.byID[kid]
	return k, ok
}

// Keys returns the keys of the given purposes, or all keys when none is given,
// ordered by id.
func (s KeySet) Keys(purposes ...Purpose) []Key {
	var out []Key
	for _, k := range s.byID {
		if len(purposes) == 0 || slices.Contains(purposes, k.Purpose) {
			out = append(out, k)
		}
	}
	slices.SortFunc(out, func(a, b Key) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// MaxKID is the greatest length of a key id in characters.
const MaxKID = 32

// validKID keeps ids to characters that JSON never escapes.
func validKID(kid string) bool {
	if kid == "" || len(kid) > MaxKID {
		return false
	}
	for _, c := range []byte(kid) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.') {
			return false
		}
	}
	return true
}

func checkKey(k Key) error {
	switch {
	case !validKID(k.ID):
		return badSet("a key id must be 1 to %d letters, digits, '-', '_' or '.'", MaxKID)
	case !slices.Contains(Purposes(), k.Purpose):
		return badSet("key %q has no purpose known here", k.ID)
	case k.Public == nil || k.Public.Curve == nil || k.Public.Curve.Params().Name != "P-256":
		return badSet("key %q is not on the curve P-256", k.ID)
	case !slices.Contains([]State{Next, Active, Retired, Distrusted}, k.State):
		return badSet("key %q has no state known here", k.ID)
	case (k.State == Distrusted) == k.DistrustedFrom.IsZero():
		return badSet("key %q: state and distrusted_from contradict each other", k.ID)
	}
	return nil
}

func badSet(format string, args ...any) error {
	return fail.New(fail.Invalid, "bad_key_set", format, args...).In("公钥集文件不合要求")
}
