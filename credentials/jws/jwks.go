package jws

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"bajigong/internal/fail"
)

// MaxJWKS is the greatest size of a JWK set in bytes.
const MaxJWKS = 1 << 20

// jwk is a key in a JWK set (RFC 7517). purpose and distrusted_from are
// our own members, which others ignore (RFC 7517 §4).
type jwk struct {
	Kty            string `json:"kty"`
	Crv            string `json:"crv"`
	X              string `json:"x"`
	Y              string `json:"y"`
	Use            string `json:"use"`
	Alg            string `json:"alg"`
	KID            string `json:"kid"`
	Purpose        string `json:"purpose"`
	DistrustedFrom string `json:"distrusted_from,omitempty"`
}

// Thumbprint is the SHA-256 thumbprint of the public key (RFC 7638), base64url.
func (k Key) Thumbprint() string {
	point, err := k.Public.Bytes()
	if err != nil { // no set holds such a key
		return ""
	}
	sum := sha256.Sum256(fmt.Appendf(nil, `{"crv":"P-256","kty":"EC","x":"%s","y":"%s"}`,
		base64.RawURLEncoding.EncodeToString(point[1:33]), base64.RawURLEncoding.EncodeToString(point[33:65])))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// JWKS returns the JWK set (RFC 7517) of the keys of the given purposes, by id:
//
//	{"keys":[{"kty":"EC","crv":"P-256","x":"…","y":"…","use":"sig","alg":"ES256","kid":"js01","purpose":"qr"}]}
//
// Next and retired keys are in it like active ones. A distrusted key stays and
// carries "distrusted_from":"2026-03-02T00:00:00Z". Equal sets give equal bytes.
func (s KeySet) JWKS(purposes ...Purpose) []byte {
	out := struct {
		Keys []jwk `json:"keys"`
	}{Keys: []jwk{}}
	for _, k := range s.Keys(purposes...) {
		point, err := k.Public.Bytes()
		if err != nil { // checkKey let only points of P-256 in
			continue
		}
		j := jwk{
			Kty: "EC", Crv: "P-256", Use: "sig", Alg: "ES256", KID: k.ID, Purpose: string(k.Purpose),
			X: base64.RawURLEncoding.EncodeToString(point[1:33]),
			Y: base64.RawURLEncoding.EncodeToString(point[33:65]),
		}
		if k.State == Distrusted {
			j.DistrustedFrom = k.DistrustedFrom.UTC().Format(time.RFC3339)
		}
		out.Keys = append(out.Keys, j)
	}
	b, err := json.Marshal(out)
	if err != nil { // strings only
		return []byte(`{"keys":[]}`)
	}
	return b
}

// ParseJWKS reads a JWK set written by [KeySet.JWKS] whose keys are all for one
// of purposes (at least one must be given). It fails (fail.Invalid,
// bad_key_set; fail.TooLarge) when the set is empty, a key is of another
// purpose or says none, is not an ES256 verification key, is private, is not on
// the curve, or an id is repeated. Members it does not know are ignored.
//
// The life of the keys is not in the set: they come back as Active, or
// Distrusted.
func ParseJWKS(data []byte, purposes ...Purpose) (KeySet, error) {
	if len(data) > MaxJWKS {
		return KeySet{}, fail.New(fail.TooLarge, "key_set_too_large", "a key set may have at most %d bytes", MaxJWKS).In("公钥集文件过大")
	}
	var doc struct {
		Keys []json.RawMessage `json:"keys"`
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	if err := dec.Decode(&doc); err != nil {
		return KeySet{}, badSet("this is not a JWK set: a JSON object with a list of keys is expected")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return KeySet{}, badSet("text follows the JWK set")
	}
	if len(doc.Keys) == 0 {
		return KeySet{}, badSet("the JWK set has no keys")
	}
	var keys []Key
	for i, raw := range doc.Keys {
		k, err := parseJWK(raw, i+1)
		if err != nil {
			return KeySet{}, err
		}
		if !slices.Contains(purposes, k.Purpose) {
			return KeySet{}, badSet("key %q is for %q, but a key set for %v is expected here", k.ID, k.Purpose, purposes)
		}
		keys = append(keys, k)
	}
	return NewKeySet(keys...)
}

// JWKSPurposes returns the purposes that the keys of a JWK set say they are
// for, so that a command can sort several files. It fails like [ParseJWKS].
func JWKSPurposes(data []byte) ([]Purpose, error) {
	set, err := ParseJWKS(data, Purposes()...)
	if err != nil {
		return nil, err
	}
	var out []Purpose
	for _, p := range Purposes() {
		if len(set.Keys(p)) > 0 {
			out = append(out, p)
		}
	}
	return out, nil
}

// parseJWK reads the nth key of a set.
func parseJWK(raw json.RawMessage, n int) (Key, error) {
	members, err := objectMembers(raw)
	if err != nil {
		return Key{}, badSet("key %d of the set is not a JSON object with distinct members", n)
	}
	// Private members (RFC 7518 §6.2.2, §6.3.2, §6.4.1) and keys that live
	// elsewhere (RFC 7517 §4.6–4.9) have no place in a file to be trusted.
	for _, m := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "x5u", "x5c", "x5t", "x5t#S256"} {
		if slices.Contains(members, m) {
			return Key{}, badSet("key %d of the set has the member %q, which is not allowed here", n, m)
		}
	}
	var j jwk
	if err := json.Unmarshal(raw, &j); err != nil {
		return Key{}, badSet("key %d of the set has a member of a wrong type", n)
	}
	if j.Kty != "EC" || j.Crv != "P-256" || j.Use != "sig" || j.Alg != "ES256" {
		return Key{}, badSet("key %d of the set is not an ES256 signature key (kty EC, crv P-256, use sig, alg ES256)", n)
	}
	k := Key{ID: j.KID, Purpose: Purpose(j.Purpose), State: Active}
	if j.DistrustedFrom != "" {
		if k.DistrustedFrom, err = time.Parse(time.RFC3339, j.DistrustedFrom); err != nil {
			return Key{}, badSet("key %d of the set: distrusted_from is not an RFC 3339 time", n)
		}
		k.State = Distrusted
	}
	if k.Public, err = parsePoint(j.X, j.Y); err != nil {
		return Key{}, badSet("key %d of the set is not a point of P-256", n)
	}
	return k, checkKey(k)
}

func parsePoint(x, y string) (*ecdsa.PublicKey, error) {
	xb, err := decodePart(x)
	if err != nil {
		return nil, err
	}
	yb, err := decodePart(y)
	if err != nil {
		return nil, err
	}
	if len(xb) != 32 || len(yb) != 32 { // RFC 7518 §6.2.1.2: full size
		return nil, ErrMalformed
	}
	return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, xb, yb))
}

// objectMembers returns the names of the members of a JSON object and fails
// when one is repeated, compared without case as encoding/json does.
func objectMembers(raw []byte) ([]string, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, ErrMalformed
	}
	var names []string
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return nil, err
		}
		name, ok := t.(string)
		if !ok || slices.ContainsFunc(names, func(n string) bool { return bytes.EqualFold([]byte(n), []byte(name)) }) {
			return nil, ErrMalformed
		}
		names = append(names, name)
		var skip json.RawMessage
		if err := dec.Decode(&skip); err != nil {
			return nil, err
		}
	}
	return names, nil
}
