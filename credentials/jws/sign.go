package jws

import (
	"crypto/ecdsa"
	"fmt"

	"github.com/go-jose/go-jose/v4"

	"bajigong/internal/fail"
)

// A Signer makes compact JWS with one key. File keys are one kind
// ([NewSigner]); keys in hardware can be another.
type Signer interface {
	// KID is the id of the key.
	KID() string
	// Purpose is what the key may sign.
	Purpose() Purpose
	// Sign returns the compact JWS of payload; typ becomes the header member of
	// that name and is left out when empty. It is safe for use by several
	// goroutines.
	Sign(payload []byte, typ string) (string, error)
}

type fileSigner struct {
	kid     string
	purpose Purpose
	key     *ecdsa.PrivateKey
}

var _ Signer = (*fileSigner)(nil)

// NewSigner returns a signer with a private key on P-256. It fails
// (fail.Invalid, bad_key_set) on another curve, a bad id or an unknown purpose.
func NewSigner(kid string, purpose Purpose, key *ecdsa.PrivateKey) (Signer, error) {
	if key == nil {
		return nil, badSet("key %q is missing", kid)
	}
	if err := checkKey(Key{ID: kid, Purpose: purpose, State: Active, Public: &key.PublicKey}); err != nil {
		return nil, err
	}
	return &fileSigner{kid: kid, purpose: purpose, key: key}, nil
}

func (s *fileSigner) KID() string      { return s.kid }
func (s *fileSigner) Purpose() Purpose { return s.purpose }

func (s *fileSigner) Sign(payload []byte, typ string) (string, error) {
	if len(payload) == 0 || !validTyp(typ) {
		return "", fail.New(fail.Invalid, "malformed_payload", "a signed text needs a payload and a plain type").In("待签名内容为空或类型不合要求")
	}
	var opt jose.SignerOptions
	if typ != "" {
		opt.WithType(jose.ContentType(typ))
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: s.key, KeyID: s.kid}}, &opt)
	if err != nil {
		return "", fmt.Errorf("signer for key %s: %w", s.kid, err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("sign with key %s: %w", s.kid, err)
	}
	compact, err := signed.CompactSerialize()
	if err != nil {
		return "", fmt.Errorf("write signed text: %w", err)
	}
	return compact, nil
}

// validTyp allows media-type characters that JSON never escapes.
func validTyp(typ string) bool {
	for _, c := range []byte(typ) {
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '+' || c == '.') {
			return false
		}
	}
	return len(typ) <= 64
}
