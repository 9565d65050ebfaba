package registry

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"encoding/json"
	"fmt"

	"bajigong/credentials"
	"bajigong/internal/kv"
)

// vault seals personal data. A block is
//
//	key version (4 bytes, big endian) ‖ nonce (12) ‖ AES-256-GCM ciphertext and tag
//
// with table, key and field of its place as additional data, so that a block
// that is moved or copied to another place does not open. The keys live outside
// the store: a stolen store shows no name and no identity number.
type vault struct {
	secrets *credentials.KeyRing
	rand    *randomness
}

// sealedPlace names one block: the table and key of the record it belongs to,
// and the field.
type sealedPlace struct {
	table kv.Table
	key   []byte
	field string
}

func (p sealedPlace) storeKey() []byte { return kv.Key(string(p.table), p.key, p.field) }

func (v *vault) aead(key [32]byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

func (v *vault) sealBytes(p sealedPlace, plain []byte) ([]byte, error) {
	version, key := v.secrets.Sealing()
	aead, err := v.aead(key)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 4+aead.NonceSize(), 4+aead.NonceSize()+len(plain)+aead.Overhead())
	binary.BigEndian.PutUint32(out, version)
	v.rand.fill(out[4:])
	return aead.Seal(out, out[4:], plain, p.storeKey()), nil
}

func (v *vault) openBytes(p sealedPlace, block []byte) ([]byte, error) {
	if len(block) < 4+12+16 {
		return nil, fmt.Errorf("sealed block %s %x is too short", p.table, p.key)
	}
	version := binary.BigEndian.Uint32(block)
	key, ok := v.secrets.SealingVersion(version)
	if !ok {
		return nil, fmt.Errorf("sealed block %s %x: no sealing key of version %d in the key ring", p.table, p.key, version)
	}
	aead, err := v.aead(key)
	if err != nil {
		return nil, err
	}
	n := aead.NonceSize()
	plain, err := aead.Open(nil, block[4:4+n], block[4+n:], p.storeKey())
	if err != nil {
		return nil, fmt.Errorf("sealed block %s %x does not open: %w", p.table, p.key, err)
	}
	return plain, nil
}

// seal stores value, as JSON, sealed at p.
func (v *vault) seal(tx kv.Tx, p sealedPlace, value any) error {
	block, err := v.sealValue(p, value)
	if err != nil {
		return err
	}
	tx.Put(tableSealed, p.storeKey(), block)
	return nil
}

// sealValue is seal without the store, for pages that are sealed outside the
// writer.
func (v *vault) sealValue(p sealedPlace, value any) ([]byte, error) {
	plain, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	return v.sealBytes(p, plain)
}

// open reads the block at p into value. ok is false when there is none.
func (v *vault) open(r kv.Reader, p sealedPlace, value any) (ok bool, err error) {
	block, err := r.Get(tableSealed, p.storeKey())
	if err != nil || block == nil {
		return false, err
	}
	return true, v.openValue(p, block, value)
}

func (v *vault) openValue(p sealedPlace, block []byte, value any) error {
	plain, err := v.openBytes(p, block)
	if err != nil {
		return err
	}
	return kv.Unmarshal(plain, value)
}

// indexVersions are the versions of the index key, the newest first.
func (v *vault) indexVersions() []uint32 {
	var out []uint32
	for _, n := range v.secrets.Versions(credentials.SecretIndex) {
		out = append(out, uint32(n))
	}
	return out
}

// documentKey is where the person behind a document is found: an HMAC, because
// a plain hash of an identity number is undone by trying the 10^9 candidates.
func (v *vault) documentKey(version uint32, kind, number string) ([]byte, error) {
	key, ok := v.secrets.IndexVersion(version)
	if !ok {
		return nil, fmt.Errorf("no index key of version %d in the key ring", version)
	}
	mac := hmac.New(sha256.New, key[:])
	fmt.Fprintf(mac, "document\x00%s\x00%s", kind, number)
	return kv.Key(uint64(version), mac.Sum(nil)), nil
}

// fingerprint is a keyed hash of something that may hold personal data, for
// comparing two requests without keeping either.
func (v *vault) fingerprint(purpose string, data []byte) []byte {
	version, _ := v.secrets.Index()
	return v.fingerprintUnder(version, purpose, data)
}

// fingerprintUnder is fingerprint with an older index key, to recompute what was
// handed out before a rotation.
func (v *vault) fingerprintUnder(version uint32, purpose string, data []byte) []byte {
	key, _ := v.secrets.IndexVersion(version)
	mac := hmac.New(sha256.New, key[:])
	fmt.Fprintf(mac, "%s\x00", purpose)
	mac.Write(data)
	return mac.Sum(nil)
}

// numberHash is the keyed hash by which the ledger knows a certificate whose
// number has an identity number in it. It uses the first index key for ever:
// the number is the certificate's identity and must not change with a rotation.
func (v *vault) numberHash(number string) []byte {
	key, _ := v.secrets.IndexVersion(1)
	mac := hmac.New(sha256.New, key[:])
	fmt.Fprintf(mac, "number\x00%s", number)
	return mac.Sum(nil)[:20]
}

// equalSecret compares without telling by its time where two texts differ.
func equalSecret(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
