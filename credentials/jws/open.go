package jws

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"bajigong/internal/fail"
)

// What [Open] refuses, to be compared with errors.Is. All are fail.Invalid but
// ErrTooLarge, which is fail.TooLarge.
var (
	ErrMalformed    = fail.New(fail.Invalid, "jws_malformed", "this is not a signed text of this system").In("不是本系统的签名内容")
	ErrTooLarge     = fail.New(fail.TooLarge, "jws_too_large", "the signed text is longer than allowed").In("签名内容超过长度限制")
	ErrNoncanonical = fail.New(fail.Invalid, "jws_noncanonical", "the signed text is not written in its one proper form").In("签名内容的写法不规范")
	ErrWrongAlg     = fail.New(fail.Invalid, "jws_wrong_alg", "the signature algorithm is not ES256").In("签名算法不是 ES256")
	ErrWrongType    = fail.New(fail.Invalid, "jws_wrong_type", "the signed text is of another type").In("签名内容类型不符")
	ErrUnknownKey   = fail.New(fail.Invalid, "jws_unknown_key", "the signing key is not known").In("签名密钥不明")
	ErrWrongPurpose = fail.New(fail.Invalid, "jws_wrong_purpose", "the signing key is for another purpose").In("签名密钥用途不符")
	ErrBadSignature = fail.New(fail.Invalid, "jws_bad_signature", "the signature does not match the content").In("签名与内容不符")
	ErrDistrusted   = fail.New(fail.Invalid, "jws_distrusted", "the signing key is no longer trusted").In("签名密钥已停止信任")
)

// MaxToken is the default size limit of [Open] in characters. A QR token has
// about 300.
const MaxToken = 4096

// maxHeader bounds the decoded protected header; ours have less than 130 bytes.
const maxHeader = 256

// Limits says what [Open] may accept.
type Limits struct {
	// MaxChars is the greatest length of the compact text; 0 means MaxToken.
	MaxChars int
	// Typ is the exact value of the header member typ; "" means that it must be
	// absent.
	Typ string
	// Existed is a time at which the signature is known to have existed by
	// evidence outside the text (the audit log's receive time). It matters for
	// distrusted keys only. Zero means that there is no such evidence: a date
	// inside the text is none, since whoever holds the key can write any date.
	Existed time.Time
}

// Opened is what a valid signed text holds.
type Opened struct {
	Payload []byte
	KID     string
	Typ     string
	Key     Key
}

// Open returns the content of a compact JWS if it was signed with ES256 by a
// key of set made for purpose, and compact is the one canonical text of that
// signature. The error is one of the Err values.
//
// A key that is distrusted from T fails with ErrDistrusted unless lim.Existed
// is before T. In that case alone Opened is filled beside an error, so that the
// caller can say what the signature would have stood for.
func Open(compact string, set KeySet, purpose Purpose, lim Limits) (Opened, error) {
	limit := lim.MaxChars
	if limit == 0 {
		limit = MaxToken
	}
	if len(compact) > limit {
		return Opened{}, ErrTooLarge
	}
	head, payload, err := split(compact)
	if err != nil {
		return Opened{}, err
	}
	h, seen := set.header(head)
	if !seen {
		if h, err = parseHeader(head); err != nil {
			return Opened{}, err
		}
	}
	if h.Typ != lim.Typ {
		return Opened{}, ErrWrongType
	}
	key, ok := set.Key(h.KID)
	if !ok {
		return Opened{}, ErrUnknownKey
	}
	if !seen { // a set with a key was made by NewKeySet
		set.headers.Store(string(head), h)
	}
	if key.Purpose != purpose {
		return Opened{}, ErrWrongPurpose
	}
	signed, err := jose.ParseSignedCompact(compact, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return Opened{}, ErrMalformed.Because(err)
	}
	verified, err := signed.Verify(key.Public)
	if err != nil {
		return Opened{}, ErrBadSignature.Because(err)
	}
	if !bytes.Equal(verified, payload) {
		return Opened{}, ErrBadSignature
	}
	out := Opened{Payload: payload, KID: h.KID, Typ: h.Typ, Key: key}
	if key.State == Distrusted && (lim.Existed.IsZero() || !lim.Existed.Before(key.DistrustedFrom)) {
		return out, ErrDistrusted
	}
	return out, nil
}

// PeekKID returns the key id in the header of a compact JWS without verifying
// anything; it serves to say whose key is unknown, never to trust. It fails
// with ErrMalformed, ErrNoncanonical, ErrWrongAlg or ErrTooLarge.
func PeekKID(compact string) (string, error) {
	if len(compact) > 64*MaxToken {
		return "", ErrTooLarge
	}
	head, _, err := split(compact)
	if err != nil {
		return "", err
	}
	h, err := parseHeader(head)
	return h.KID, err
}

// PeekType returns the header member typ of a compact JWS without verifying
// anything, "" when it has none or its header is not one of ours. It serves to
// tell which kind of text somebody has in hand, never to trust it.
func PeekType(compact string) string {
	head, _, _ := strings.Cut(compact, ".")
	if len(head) > 2*maxHeader {
		return ""
	}
	b, err := decodePart(head)
	if err != nil {
		return ""
	}
	h, err := parseHeader(b)
	if err != nil {
		return ""
	}
	return h.Typ
}

// signatureChars is the length of a 64-byte ES256 signature (RFC 7518 §3.4) in
// base64url.
const signatureChars = 86

// split takes a compact JWS apart and holds each part to its canonical
// base64url text (RFC 7515 §2, RFC 4648 §3.5: zero trailing bits, no padding).
func split(compact string) (head, payload []byte, err error) {
	parts := strings.SplitN(compact, ".", 4)
	if len(parts) != 3 || parts[0] == "" || parts[1] == "" || len(parts[2]) != signatureChars {
		return nil, nil, ErrMalformed
	}
	if head, err = decodePart(parts[0]); err != nil {
		return nil, nil, err
	}
	if payload, err = decodePart(parts[1]); err != nil {
		return nil, nil, err
	}
	if _, err = decodePart(parts[2]); err != nil {
		return nil, nil, err
	}
	return head, payload, nil
}

func decodePart(s string) ([]byte, error) {
	// The comparison is what refuses: the decoder itself skips line breaks and
	// ignores trailing bits.
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return nil, ErrMalformed.Because(err)
	}
	if base64.RawURLEncoding.EncodeToString(b) != s {
		return nil, ErrNoncanonical
	}
	return b, nil
}

type header struct {
	Alg string `json:"alg"`
	KID string `json:"kid"`
	Typ string `json:"typ,omitempty"`
}

// header returns what parseHeader said of the same bytes before. Only headers that
// name a key of the set are kept: there is one canonical text for each key and
// type, so they stay few.
func (s KeySet) header(head []byte) (header, bool) {
	if s.headers == nil {
		return header{}, false
	}
	known, ok := s.headers.Load(string(head))
	if !ok {
		return header{}, false
	}
	return known.(header), true
}

// parseHeader accepts exactly what [Signer] writes. jwk, jku, x5c, x5u, crit,
// b64, zip and every other member are refused, and so are repeated members and
// another spelling of the same JSON, by comparing with a re-encoding.
func parseHeader(b []byte) (header, error) {
	if len(b) > maxHeader {
		return header{}, ErrMalformed
	}
	var h header
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&h); err != nil {
		return header{}, ErrMalformed.Because(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return header{}, ErrMalformed
	}
	if h.Alg != "ES256" {
		return header{}, ErrWrongAlg
	}
	if !validKID(h.KID) || !validTyp(h.Typ) {
		return header{}, ErrMalformed
	}
	canonical, err := json.Marshal(h)
	if err != nil {
		return header{}, ErrMalformed.Because(err)
	}
	if !bytes.Equal(canonical, b) {
		return header{}, ErrNoncanonical
	}
	return h, nil
}
