package credentials

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/argon2"

	"bajigong/internal/fail"
)

// Opener is what opens a key ring that is encrypted at rest: a passphrase or a
// key file. The zero Opener opens a ring that is not encrypted.
type Opener struct {
	passphrase string
	key        []byte
}

// WithPassphrase opens with a passphrase of at least 12 characters; line breaks
// at its end are not part of it. It fails with fail.Invalid (short_passphrase).
func WithPassphrase(text string) (Opener, error) {
	text = strings.TrimRight(text, "\r\n")
	if len([]rune(text)) < minPassphrase {
		return Opener{}, fail.New(fail.Invalid, "short_passphrase", "a passphrase has at least %d characters", minPassphrase).In("口令至少 %d 个字符", minPassphrase)
	}
	return Opener{passphrase: text}, nil
}

// WithKeyFile opens with the content of a key file: 32 random bytes as 64
// hexadecimal digits and a line break. It fails with fail.Invalid
// (bad_key_file).
func WithKeyFile(content []byte) (Opener, error) {
	key, err := hex.DecodeString(strings.TrimRight(string(content), "\r\n"))
	if err != nil || len(key) != secretBytes {
		return Opener{}, fail.New(fail.Invalid, "bad_key_file", "a key file holds %d bytes in hexadecimal; make one with: openssl rand -hex %d", secretBytes, secretBytes).
			In("密钥文件应为 %d 字节的十六进制文本，可用 openssl rand -hex %d 生成", secretBytes, secretBytes)
	}
	return Opener{key: key}, nil
}

const minPassphrase = 12

// ringSeal says in ring.json that the files of a ring are encrypted, and how the
// key that encrypts them is kept. A new passphrase wraps the same key anew, so
// that one write of ring.json changes it.
//
//	{"by":"passphrase","salt":"…","time":3,"memory_kib":65536,"threads":4,"wrapped":"…"}
//
// by is passphrase (Argon2id, RFC 9106) or key (HKDF-SHA256 of the key file);
// wrapped is nonce and AES-256-GCM of the key, in hexadecimal. A private file
// NAME of an encrypted ring lies in NAME.sealed: nonce and AES-256-GCM of what
// NAME would hold, in hexadecimal, bound to the registry's code and to NAME.
type ringSeal struct {
	By      string `json:"by"`
	Salt    string `json:"salt"`
	Time    uint32 `json:"time,omitempty"`
	Memory  uint32 `json:"memory_kib,omitempty"`
	Threads uint8  `json:"threads,omitempty"`
	Wrapped string `json:"wrapped"`
}

const (
	byPassphrase = "passphrase"
	byKey        = "key"
	sealedSuffix = ".sealed"

	// RFC 9106 §4, the second recommended option.
	argonTime, argonMemory, argonThreads = 3, 64 << 10, 4

	// What ring.json may ask for before it can be believed.
	maxArgonTime, maxArgonMemory = 64, 1 << 20
)

// Encrypted reports whether the files of the ring are encrypted, and by what:
// "passphrase", "key", or "" when they are not.
func (r *KeyRing) Encrypted() string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.ring.Seal == nil {
		return ""
	}
	return r.ring.Seal.By
}

// Encrypt encrypts the files of the ring, or wraps the key of an encrypted ring
// anew: another passphrase, a key file instead of one. The zero Opener stores
// the ring in the clear again. Other processes need the new one from their next
// Reload.
//
// A crash before the change is durable leaves the ring as it was. After it, files
// of the former kind may lie there still; they are removed, as far as a disk
// forgets, by this call or the next.
func (r *KeyRing) Encrypt(with Opener, rand io.Reader) error {
	return r.changeAs(with, func(f *ringFile, data []byte) ([]byte, error) {
		was := f.Seal
		if with.none() {
			f.Seal = nil
			return nil, r.rewrite(*f, was, data, nil, rand)
		}
		if was == nil {
			data = make([]byte, secretBytes)
			if _, err := io.ReadFull(rand, data); err != nil {
				return nil, fmt.Errorf("make key: %w", err)
			}
		}
		var err error
		if f.Seal, err = with.wrap(f.Code, data, rand); err != nil || was != nil {
			return data, err
		}
		return data, r.rewrite(*f, nil, nil, data, rand)
	})
}

// rewrite writes every private file in its other form; the form it has stays
// until the ring says otherwise.
func (r *KeyRing) rewrite(f ringFile, was *ringSeal, from, to []byte, rand io.Reader) error {
	for _, name := range f.privateFiles() {
		b, err := readRingFile(r.dir, f.Code, name, was != nil, from)
		if err == nil {
			err = writeRingFile(r.dir, f.Code, name, b, to, rand)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Leftovers are private files that lie in the ring in the form it no longer has,
// after a crash in the middle of Encrypt. [KeyRing.Encrypt] removes them.
func (r *KeyRing) Leftovers() []string {
	r.mu.RLock()
	f := r.ring
	r.mu.RUnlock()
	var out []string
	for _, name := range f.privateFiles() {
		if f.Seal == nil {
			name += sealedSuffix
		}
		if _, err := os.Lstat(filepath.Join(r.dir, name)); err == nil {
			out = append(out, name)
		}
	}
	return out
}

func (r *KeyRing) removeLeftovers() error {
	for _, name := range r.Leftovers() {
		if err := os.Remove(filepath.Join(r.dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove %s of the key ring: %w", name, err)
		}
	}
	return syncDir(r.dir)
}

// privateFiles are the names of all private files that must be there.
func (f ringFile) privateFiles() []string {
	var out []string
	for _, k := range f.Keys {
		if k.signs() {
			out = append(out, k.KID+".pem")
		}
	}
	for _, s := range f.Secrets {
		out = append(out, s.file())
	}
	return out
}

func (o Opener) none() bool { return o.passphrase == "" && o.key == nil }

// wrap encrypts the key data under a key made from o.
func (o Opener) wrap(code string, data []byte, rand io.Reader) (*ringSeal, error) {
	salt := make([]byte, 16)
	if _, err := io.ReadFull(rand, salt); err != nil {
		return nil, fmt.Errorf("make salt: %w", err)
	}
	s := &ringSeal{By: byKey, Salt: hex.EncodeToString(salt)}
	if o.key == nil {
		s.By, s.Time, s.Memory, s.Threads = byPassphrase, argonTime, argonMemory, argonThreads
	}
	key, err := o.derive(*s)
	if err != nil {
		return nil, err
	}
	wrapped, err := sealBytes(key, data, "bajigong/key-ring/1\x00"+code, rand)
	s.Wrapped = hex.EncodeToString(wrapped)
	return s, err
}

// unwrap returns the key that encrypts the files of a ring. It fails with
// fail.Forbidden (key_ring_locked) when o is of another kind or none, or wrong.
func (o Opener) unwrap(code string, s ringSeal) ([]byte, error) {
	if (s.By == byPassphrase) != (o.passphrase != "") || (s.By == byKey) != (o.key != nil) {
		return nil, fail.New(fail.Forbidden, "key_ring_locked", "the key ring is encrypted; give its %s", map[string]string{byPassphrase: "passphrase (--ring-passphrase-file)", byKey: "key file (--ring-key-file)"}[s.By]).
			In("密钥库已加密，请提供%s", map[string]string{byPassphrase: "口令（--ring-passphrase-file）", byKey: "密钥文件（--ring-key-file）"}[s.By])
	}
	key, err := o.derive(s)
	if err != nil {
		return nil, err
	}
	wrapped, err := hex.DecodeString(s.Wrapped)
	if err != nil {
		return nil, badRing("the wrapped key cannot be read").Because(err)
	}
	data, err := openBytes(key, wrapped, "bajigong/key-ring/1\x00"+code)
	if err != nil || len(data) != secretBytes {
		return nil, fail.New(fail.Forbidden, "key_ring_locked", "this %s does not open the key ring", map[string]string{byPassphrase: "passphrase", byKey: "key file"}[s.By]).
			In("%s不正确，无法打开密钥库", map[string]string{byPassphrase: "口令", byKey: "密钥文件"}[s.By]).Because(err)
	}
	return data, nil
}

func (o Opener) derive(s ringSeal) ([]byte, error) {
	salt, err := hex.DecodeString(s.Salt)
	if err != nil || len(salt) != 16 {
		return nil, badRing("its salt cannot be read").Because(err)
	}
	if s.By == byKey {
		return hkdf.Key(sha256.New, o.key, salt, "bajigong/key-ring/1", secretBytes)
	}
	if s.Time == 0 || s.Time > maxArgonTime || s.Memory < 8<<10 || s.Memory > maxArgonMemory || s.Threads == 0 {
		return nil, badRing("the cost of its passphrase is out of bounds")
	}
	return argon2.IDKey([]byte(o.passphrase), salt, s.Time, s.Memory, s.Threads, secretBytes), nil
}

// readRingFile reads a private file, encrypted with data or in the clear.
func readRingFile(dir, code, name string, encrypted bool, data []byte) ([]byte, error) {
	if !encrypted {
		return readPrivate(filepath.Join(dir, name))
	}
	text, err := readPrivate(filepath.Join(dir, name+sealedSuffix))
	if err != nil {
		return nil, err
	}
	sealed, err := hex.DecodeString(string(bytes.TrimRight(text, "\n")))
	if err != nil {
		return nil, badRing("%s cannot be read", name+sealedSuffix).Because(err)
	}
	b, err := openBytes(data, sealed, ringFileContext(code, name))
	if err != nil {
		return nil, badRing("%s was altered or belongs to another ring", name+sealedSuffix).Because(err)
	}
	return b, nil
}

// writeRingFile writes a private file, encrypted when there is a key for it.
func writeRingFile(dir, code, name string, b, data []byte, rand io.Reader) error {
	if data == nil {
		return writePrivate(filepath.Join(dir, name), b)
	}
	sealed, err := sealBytes(data, b, ringFileContext(code, name), rand)
	if err != nil {
		return err
	}
	return writePrivate(filepath.Join(dir, name+sealedSuffix), []byte(hex.EncodeToString(sealed)+"\n"))
}

func ringFileContext(code, name string) string {
	return "bajigong/key-ring-file/1\x00" + code + "\x00" + name
}

func sealBytes(key, plain []byte, context string, rand io.Reader) ([]byte, error) {
	aead, err := aesGCM(key)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, aead.NonceSize())
	if _, err := io.ReadFull(rand, nonce); err != nil {
		return nil, fmt.Errorf("make nonce: %w", err)
	}
	return aead.Seal(nonce, nonce, plain, []byte(context)), nil
}

func openBytes(key, sealed []byte, context string) ([]byte, error) {
	aead, err := aesGCM(key)
	if err != nil {
		return nil, err
	}
	if len(sealed) < aead.NonceSize() {
		return nil, errors.New("too short")
	}
	return aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], []byte(context))
}

func aesGCM(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
