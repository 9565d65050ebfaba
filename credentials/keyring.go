package credentials

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"bajigong/credentials/jws"
	"bajigong/internal/fail"
)

// The names of the secrets in a key ring, 32 bytes each.
const (
	SecretSealing     = "sealing"     // AES-256-GCM of personal data; versions
	SecretIndex       = "index"       // HMAC-SHA256 of document numbers; versions
	SecretPermutation = "permutation" // StatusPermutation; one version for ever
	SecretCheckpoint  = "checkpoint"  // Ed25519 seed of the log's note key; versions
)

func secretNames() []string {
	return []string{SecretSealing, SecretIndex, SecretPermutation, SecretCheckpoint}
}

const secretBytes = 32

// KeyRing is the registry's keys and secrets: a directory that lies outside the
// store, so that a stolen store opens nothing.
//
//	ring.json            what there is, and which state it is in; written last
//	js01.pem …           ES256 private keys, PKCS#8
//	sealing-1.key …      secrets, 32 bytes as 64 hexadecimal digits
//
// Both kinds can be encrypted, by a passphrase or a key file; see [KeyRing.Encrypt].
// Directory and files are readable by their owner only (0700, 0600); a ring
// that others can read is refused. Every change writes new files first, synced,
// and then replaces ring.json: after a crash the ring is as before or as after
// the change, with at most a file that nothing names, which the next change
// overwrites.
//
// For each purpose there is one active key and one next key, which is published
// before it is used so that caches hold it. A ring is safe for use by several
// goroutines; a change made by another process is seen after [KeyRing.Reload].
type KeyRing struct {
	dir    string
	opener Opener

	changing sync.Mutex // one change at a time in this process

	mu      sync.RWMutex
	ring    ringFile
	private map[string]*ecdsa.PrivateKey // by kid; retired and distrusted ones are not held
	secrets map[string][]byte            // by file name
	public  jws.KeySet
	data    []byte               // key of the encrypted files; nil when they are not
	heeded  map[string]time.Time // keys that others distrust, by kid; see Heed
	edition uint64               // see Edition
	seen    os.FileInfo          // of ring.json, taken before it was read
}

// ringFile is ring.json. Generation counts the changes.
type ringFile struct {
	Format     int          `json:"format"`
	Code       string       `json:"code"`
	Created    time.Time    `json:"created"`
	Generation int          `json:"generation"`
	Serial     int          `json:"serial"` // of the last key id
	Keys       []ringKey    `json:"keys"`
	Secrets    []ringSecret `json:"secrets"`
	// Schedule is by purpose.
	Schedule map[string]Schedule `json:"schedule,omitempty"`
	Seal     *ringSeal           `json:"seal,omitempty"`
}

type ringKey struct {
	KID            string     `json:"kid"`
	Purpose        string     `json:"purpose"`
	State          string     `json:"state"`
	NotBefore      time.Time  `json:"not_before"`      // made and published
	Since          *time.Time `json:"since,omitempty"` // taken into use; NotBefore when absent
	RetiredAt      *time.Time `json:"retired_at,omitempty"`
	DistrustedFrom *time.Time `json:"distrusted_from,omitempty"`
	X              string     `json:"public"` // uncompressed point, hexadecimal
}

type ringSecret struct {
	Name    string    `json:"name"`
	Version int       `json:"version"`
	Since   time.Time `json:"since"`
}

func (s ringSecret) file() string { return s.Name + "-" + strconv.Itoa(s.Version) + ".key" }

const ringName = "ring.json"

// signs reports whether the private key is needed.
func (k ringKey) signs() bool {
	return k.State == string(jws.Active) || k.State == string(jws.Next)
}

// CreateKeyRing makes the directory dir, which must not exist or be empty, with
// new keys for every purpose and new secrets, encrypted unless opener is zero.
// code is the registry's code, two or three lower-case letters or digits; key ids
// are code and a serial of two base-36 digits. The directory appears complete or
// not at all.
//
// It fails with fail.Invalid (bad_registry_code) and fail.Conflict
// (key_ring_exists).
func CreateKeyRing(dir, code string, opener Opener, rand io.Reader, now time.Time) (*KeyRing, error) {
	if !validRegistryCode(code) {
		return nil, fail.New(fail.Invalid, "bad_registry_code", "a registry code is two or three lower-case letters or digits, such as js").
			In("登记系统代码应为2至3位小写字母或数字，例如 js")
	}
	exists := fail.New(fail.Conflict, "key_ring_exists", "there is something at %s already; a key ring is never overwritten", dir).
		In("%s 已存在；密钥库不会被覆盖", dir)
	dir = filepath.Clean(dir)
	switch entries, err := os.ReadDir(dir); {
	case err == nil && len(entries) > 0:
		return nil, exists
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, exists.Because(err)
	}
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return nil, fmt.Errorf("make %s: %w", parent, err)
	}
	temp, err := os.MkdirTemp(parent, ".keyring-*")
	if err != nil {
		return nil, fmt.Errorf("make key ring: %w", err)
	}
	defer func() { _ = os.RemoveAll(temp) }() // gone already when all went well
	if err := os.Chmod(temp, 0o700); err != nil {
		return nil, err
	}
	r := &KeyRing{dir: temp}
	next := ringFile{Format: 1, Code: code, Created: wholeSecond(now)}
	if !opener.none() {
		r.data = make([]byte, secretBytes)
		if _, err := io.ReadFull(rand, r.data); err != nil {
			return nil, fmt.Errorf("make key: %w", err)
		}
		if next.Seal, err = opener.wrap(code, r.data, rand); err != nil {
			return nil, err
		}
	}
	for _, p := range jws.Purposes() {
		for _, state := range []jws.State{jws.Active, jws.Next} {
			if err := r.addKey(&next, p, state, rand, now); err != nil {
				return nil, err
			}
		}
	}
	for _, name := range secretNames() {
		if err := r.addSecret(&next, name, rand, now); err != nil {
			return nil, err
		}
	}
	if err := r.commit(next); err != nil {
		return nil, err
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, exists.Because(err)
	}
	if err := os.Rename(temp, dir); err != nil {
		return nil, exists.Because(err)
	}
	if err := syncDir(parent); err != nil {
		return nil, err
	}
	return OpenKeyRing(dir, opener)
}

// OpenKeyRing reads the ring in dir. It fails with fail.NotFound (no_key_ring),
// fail.Forbidden (key_ring_open_to_others when directory or files can be read or
// written by others than their owner, key_ring_locked when opener does not open
// it), and fail.Invalid (bad_key_ring) when something is missing or does not fit
// together.
func OpenKeyRing(dir string, opener Opener) (*KeyRing, error) {
	r := &KeyRing{dir: filepath.Clean(dir), opener: opener}
	if err := r.Reload(); err != nil {
		return nil, err
	}
	return r, nil
}

// Reload reads the ring again, after another process has changed it. When it
// fails, with the errors of [OpenKeyRing], the ring stays as it was.
func (r *KeyRing) Reload() error {
	loaded, err := r.load()
	if err != nil {
		return err
	}
	r.adopt(loaded)
	return nil
}

// adopt takes over what was loaded, unless a newer state has been taken over
// since it was read.
func (r *KeyRing) adopt(loaded *KeyRing) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if loaded.ring.Generation >= r.ring.Generation {
		if loaded.ring.Generation > r.ring.Generation {
			r.edition++
		}
		r.ring, r.private, r.secrets, r.public, r.data = loaded.ring, loaded.private, loaded.secrets, loaded.public, loaded.data
		r.opener, r.seen = loaded.opener, loaded.seen
		r.applyHeeded()
	}
}

// load reads the ring with the opener it has.
func (r *KeyRing) load() (*KeyRing, error) {
	r.mu.RLock()
	opener, seal, data := r.opener, r.ring.Seal, r.data
	r.mu.RUnlock()
	return loadRing(r.dir, opener, seal, data)
}

// loadRing reads a ring. data is the key of its files under the seal known, which
// saves the work of the passphrase; anything else is asked of the opener.
func loadRing(dir string, opener Opener, known *ringSeal, data []byte) (*KeyRing, error) {
	info, err := os.Stat(dir)
	if err != nil || !info.IsDir() {
		return nil, fail.New(fail.NotFound, "no_key_ring", "there is no key ring at %s; bajigong init makes one", dir).
			In("%s 没有密钥库；请先运行 bajigong init", dir).Because(err)
	}
	if err := ownerOnly(dir, info); err != nil {
		return nil, err
	}
	seen, _ := os.Stat(filepath.Join(dir, ringName))
	text, err := readPrivate(filepath.Join(dir, ringName))
	if err != nil {
		return nil, err
	}
	r := &KeyRing{dir: dir, opener: opener, seen: seen, private: map[string]*ecdsa.PrivateKey{}, secrets: map[string][]byte{}}
	if err := json.Unmarshal(text, &r.ring); err != nil {
		return nil, badRing("%s cannot be read", ringName).Because(err)
	}
	if r.ring.Format != 1 || !validRegistryCode(r.ring.Code) {
		return nil, badRing("%s has a format or registry code that this version does not know", ringName)
	}
	if seal := r.ring.Seal; seal != nil {
		if r.data = data; known == nil || *known != *seal || data == nil {
			if r.data, err = opener.unwrap(r.ring.Code, *seal); err != nil {
				return nil, err
			}
		}
	}
	var public []jws.Key
	for _, k := range r.ring.Keys {
		key, err := r.loadKey(k)
		if err != nil {
			return nil, err
		}
		public = append(public, key)
	}
	if r.public, err = jws.NewKeySet(public...); err != nil {
		return nil, badRing("the keys do not fit together").Because(err)
	}
	for _, s := range r.ring.Secrets {
		if r.secrets[s.file()], err = r.loadSecret(s.file()); err != nil {
			return nil, err
		}
	}
	for _, p := range jws.Purposes() {
		if _, ok := r.ring.key(p, jws.Active); !ok {
			return nil, badRing("there is no active key for %s", p)
		}
	}
	for _, name := range secretNames() {
		if r.ring.newest(name) == 0 {
			return nil, badRing("there is no secret %s", name)
		}
	}
	return r, nil
}

// loadKey returns the public key of k and keeps the private one of a key that
// may still sign.
func (r *KeyRing) loadKey(k ringKey) (jws.Key, error) {
	point, err := hex.DecodeString(k.X)
	if err != nil {
		return jws.Key{}, badRing("key %s has no public point", k.KID)
	}
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		return jws.Key{}, badRing("key %s has no public point", k.KID).Because(err)
	}
	out := jws.Key{ID: k.KID, Purpose: jws.Purpose(k.Purpose), State: jws.State(k.State), NotBefore: k.NotBefore, Public: public}
	if k.RetiredAt != nil {
		out.RetiredAt = *k.RetiredAt
	}
	if k.DistrustedFrom != nil {
		out.DistrustedFrom = *k.DistrustedFrom
	}
	if !k.signs() {
		return out, nil // its private key may have been destroyed
	}
	data, err := r.readFile(k.KID + ".pem")
	if err != nil {
		return jws.Key{}, err
	}
	private, err := parsePrivate(data)
	if err != nil || !private.PublicKey.Equal(public) {
		return jws.Key{}, badRing("the private key of %s cannot be read or is that of another key", k.KID)
	}
	r.private[k.KID] = private
	return out, nil
}

func parsePrivate(data []byte) (*ecdsa.PrivateKey, error) {
	block, rest := pem.Decode(data)
	if block == nil || block.Type != "PRIVATE KEY" || len(rest) != 0 {
		return nil, errors.New("not one PKCS#8 block")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	private, ok := key.(*ecdsa.PrivateKey)
	if !ok || private.Curve != elliptic.P256() {
		return nil, errors.New("not a P-256 key")
	}
	return private, nil
}

func (r *KeyRing) readFile(name string) ([]byte, error) {
	return readRingFile(r.dir, r.ring.Code, name, r.ring.Seal != nil, r.data)
}

func (r *KeyRing) loadSecret(name string) ([]byte, error) {
	data, err := r.readFile(name)
	if err != nil {
		return nil, err
	}
	secret, err := hex.DecodeString(strings.TrimSuffix(string(data), "\n"))
	if err != nil || len(secret) != secretBytes {
		return nil, badRing("%s does not hold %d bytes in hexadecimal", name, secretBytes)
	}
	return secret, nil
}

const maxRegistryCode, serialChars = 3, 2

// kidRegistry returns the registry code in a key id: all but the serial.
func kidRegistry(kid string) string {
	if len(kid) <= serialChars {
		return ""
	}
	return kid[:len(kid)-serialChars]
}

func validRegistryCode(code string) bool {
	return len(code) >= 2 && len(code) <= maxRegistryCode &&
		strings.Trim(code, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}

func wholeSecond(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

func at(t time.Time) *time.Time {
	t = wholeSecond(t)
	return &t
}

func badRing(format string, args ...any) *fail.Error {
	return fail.New(fail.Invalid, "bad_key_ring", "the key ring is damaged: "+format, args...).In("密钥库已损坏")
}
