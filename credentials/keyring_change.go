package credentials

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"bajigong/credentials/jws"
	"bajigong/internal/fail"
)

// Rotate makes the next key of a purpose the active one, retires the active
// one, which verifies for ever, and adds a new next key. It returns the id of
// the key that signs now. It fails with fail.NotFound (no_key), and with
// fail.Conflict when the next key has not been published long enough for those
// who check offline (next_key_young; see [Schedule]) or another process has
// changed the ring meanwhile (key_ring_changed).
func (r *KeyRing) Rotate(p jws.Purpose, rand io.Reader, now time.Time) (kid string, err error) {
	return r.rotate(p, rand, now, false)
}

// RotateEarly is Rotate without waiting for the next key to be known.
func (r *KeyRing) RotateEarly(p jws.Purpose, rand io.Reader, now time.Time) (kid string, err error) {
	return r.rotate(p, rand, now, true)
}

func (r *KeyRing) rotate(p jws.Purpose, rand io.Reader, now time.Time, early bool) (kid string, err error) {
	err = r.change(func(f *ringFile) error {
		at, err := f.rotation(p)
		if err != nil {
			return err
		}
		if now.Before(at.Earliest) && !early {
			return fail.New(fail.Conflict, "next_key_young", "the next key %s has been published since %s and may be used from %s on; who checks offline would not know it", at.Next, at.Earliest.Add(-at.lead()).Format(time.RFC3339), at.Earliest.Format(time.RFC3339)).
				In("备用密钥 %s 公布时间不足，须至 %s 方可启用；过早启用会使离线查验者无法识别", at.Next, at.Earliest.In(civil).Format("2006-01-02 15:04"))
		}
		f.retire(p, now)
		kid = f.activate(p, now)
		return r.addKey(f, p, jws.Next, rand, now)
	})
	return kid, err
}

func (f *ringFile) retire(p jws.Purpose, now time.Time) {
	for i := range f.Keys {
		if k := &f.Keys[i]; k.Purpose == string(p) && k.State == string(jws.Active) {
			k.State, k.RetiredAt = string(jws.Retired), at(now)
		}
	}
}

// activate takes the next key of a purpose into use and returns its id.
func (f *ringFile) activate(p jws.Purpose, now time.Time) (kid string) {
	for i := range f.Keys {
		if k := &f.Keys[i]; k.Purpose == string(p) && k.State == string(jws.Next) {
			k.State, k.Since, kid = string(jws.Active), at(now), k.KID
		}
	}
	return kid
}

// Distrust declares that what the key kid signed from the given time on is not
// to be trusted. An active key is replaced by the next one, a next key by a new
// one. It fails with fail.NotFound (no_key), and fail.Conflict (already
// distrusted from an earlier time: key_distrusted; key_ring_changed).
func (r *KeyRing) Distrust(kid string, from time.Time, rand io.Reader, now time.Time) error {
	return r.change(func(f *ringFile) error {
		i := slices.IndexFunc(f.Keys, func(k ringKey) bool { return k.KID == kid })
		if i < 0 {
			return fail.New(fail.NotFound, "no_key", "there is no key %q", kid).In("没有编号为 %s 的密钥", kid)
		}
		k := &f.Keys[i]
		if k.DistrustedFrom != nil && !from.Before(*k.DistrustedFrom) {
			return fail.New(fail.Conflict, "key_distrusted", "key %s is distrusted from %s already", kid, k.DistrustedFrom.Format(time.RFC3339)).In("密钥 %s 已停止信任", kid)
		}
		was, p := jws.State(k.State), jws.Purpose(k.Purpose)
		k.State, k.DistrustedFrom = string(jws.Distrusted), at(from)
		if was == jws.Active {
			f.activate(p, now)
		}
		if was == jws.Active || was == jws.Next {
			return r.addKey(f, p, jws.Next, rand, now)
		}
		return nil
	})
}

// RotateSecret adds a version of a secret, which is the current one from now
// on; older versions stay readable. It fails with fail.Invalid
// (fixed_secret) for a secret that never changes or is unknown, and
// fail.Conflict (key_ring_changed).
func (r *KeyRing) RotateSecret(name string, rand io.Reader, now time.Time) (version int, err error) {
	if name == SecretPermutation || !slices.Contains(secretNames(), name) {
		return 0, fail.New(fail.Invalid, "fixed_secret", "%q is not a secret that can be renewed", name).In("%s 不能更换", name)
	}
	err = r.change(func(f *ringFile) error { return r.addSecret(f, name, rand, now) })
	version, _ = r.Current(name)
	return version, err
}

// change applies fn to a copy of the ring and commits it.
func (r *KeyRing) change(fn func(*ringFile) error) error {
	r.mu.RLock()
	opener := r.opener
	r.mu.RUnlock()
	return r.changeAs(opener, func(f *ringFile, data []byte) ([]byte, error) { return data, fn(f) })
}

// changeAs is change that leaves a ring which opener opens. fn is given the key of
// the encrypted files and answers that of the ring it leaves.
func (r *KeyRing) changeAs(opener Opener, fn func(f *ringFile, data []byte) ([]byte, error)) error {
	r.changing.Lock()
	defer r.changing.Unlock()
	unlock, err := lockDir(r.dir)
	if err != nil {
		return fail.New(fail.Conflict, "key_ring_changed", "another process is changing the key ring; try again").In("其他进程正在修改密钥库，请重试").Because(err)
	}
	defer unlock()
	onDisk, err := r.load()
	if err != nil {
		return err
	}
	r.mu.RLock()
	same := onDisk.ring.Generation == r.ring.Generation
	r.mu.RUnlock()
	if !same {
		return fail.New(fail.Conflict, "key_ring_changed", "another process has changed the key ring; load it again").In("其他进程已修改密钥库，请重新载入")
	}
	next := onDisk.ring
	next.Keys, next.Secrets = slices.Clone(next.Keys), slices.Clone(next.Secrets)
	data, err := fn(&next, onDisk.data)
	if err != nil {
		return err
	}
	if err := r.commit(next); err != nil {
		return err
	}
	loaded, err := loadRing(r.dir, opener, next.Seal, data)
	if err != nil {
		return err
	}
	r.adopt(loaded)
	return r.removeLeftovers()
}

// commit replaces ring.json. Before it the change does not exist, after it the
// change is durable.
func (r *KeyRing) commit(next ringFile) error {
	next.Generation++
	data, err := json.MarshalIndent(next, "", "\t")
	if err != nil {
		return err
	}
	// The new files are durable before anything names them.
	if err := syncDir(r.dir); err != nil {
		return err
	}
	if err := writePrivate(filepath.Join(r.dir, ringName), append(data, '\n')); err != nil {
		return err
	}
	return syncDir(r.dir)
}

// writeFile writes a private file as the ring f has it.
func (r *KeyRing) writeFile(f *ringFile, name string, b []byte, rand io.Reader) error {
	if f.Seal == nil {
		return writeRingFile(r.dir, f.Code, name, b, nil, rand)
	}
	return writeRingFile(r.dir, f.Code, name, b, r.data, rand)
}

func (r *KeyRing) addKey(f *ringFile, p jws.Purpose, state jws.State, rand io.Reader, now time.Time) error {
	serial := f.Serial + 1
	if serial >= 36*36 {
		return fail.New(fail.Conflict, "key_serials_used_up", "all %d key ids of this registry code are used", 36*36-1).In("本代码下的密钥编号已用完")
	}
	digits := strconv.FormatInt(int64(serial), 36)
	kid := f.Code + strings.Repeat("0", serialChars-len(digits)) + digits
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand)
	if err != nil {
		return fmt.Errorf("make key %s: %w", kid, err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return fmt.Errorf("write key %s: %w", kid, err)
	}
	point, err := private.PublicKey.Bytes()
	if err != nil {
		return fmt.Errorf("write key %s: %w", kid, err)
	}
	if err := r.writeFile(f, kid+".pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), rand); err != nil {
		return err
	}
	f.Serial = serial
	f.Keys = append(f.Keys, ringKey{KID: kid, Purpose: string(p), State: string(state), NotBefore: wholeSecond(now), X: hex.EncodeToString(point)})
	return nil
}

func (r *KeyRing) addSecret(f *ringFile, name string, rand io.Reader, now time.Time) error {
	secret := make([]byte, secretBytes)
	if _, err := io.ReadFull(rand, secret); err != nil {
		return fmt.Errorf("make secret %s: %w", name, err)
	}
	s := ringSecret{Name: name, Version: f.newest(name) + 1, Since: wholeSecond(now)}
	if err := r.writeFile(f, s.file(), []byte(hex.EncodeToString(secret)+"\n"), rand); err != nil {
		return err
	}
	f.Secrets = append(f.Secrets, s)
	return nil
}

// key returns the key of a purpose in a state of which there is at most one.
func (f ringFile) key(p jws.Purpose, state jws.State) (ringKey, bool) {
	for _, k := range f.Keys {
		if k.Purpose == string(p) && k.State == string(state) {
			return k, true
		}
	}
	return ringKey{}, false
}

func (f ringFile) newest(name string) int {
	version := 0
	for _, s := range f.Secrets {
		if s.Name == name {
			version = max(version, s.Version)
		}
	}
	return version
}
