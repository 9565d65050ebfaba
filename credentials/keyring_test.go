package credentials

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"bajigong/credentials/jws"
	"bajigong/internal/fail"
)

func mustRing(t testing.TB) *KeyRing {
	t.Helper()
	r, err := CreateKeyRing(filepath.Join(t.TempDir(), "keys"), "js", Opener{}, rand.Reader, testNow)
	noFail(t, err)
	return r
}

func TestKeyRingHasEverythingOnce(t *testing.T) {
	r := mustRing(t)
	if r.Code() != "js" {
		t.Fatal(r.Code())
	}
	if got := len(r.Public().Keys()); got != 2*len(jws.Purposes()) {
		t.Fatalf("%d keys", got)
	}
	for _, p := range jws.Purposes() {
		s, err := r.Signer(p)
		noFail(t, err)
		if kidRegistry(s.KID()) != "js" || len(s.KID()) != 4 || s.Purpose() != p {
			t.Errorf("%s: key %s for %s", p, s.KID(), s.Purpose())
		}
		compact, err := s.Sign([]byte(`{}`), "")
		noFail(t, err)
		set, err := jws.ParseJWKS(r.JWKS(p), p)
		noFail(t, err)
		if len(set.Keys()) != 2 {
			t.Errorf("%s: the next key must be published too", p)
		}
		if _, err := jws.Open(compact, set, p, jws.Limits{}); err != nil {
			t.Errorf("%s: %v", p, err)
		}
	}
	if _, err := r.Signer(jws.Checkpoint); fail.CodeOf(err) != "no_key" {
		t.Errorf("checkpoint: %v", err)
	}
	seen := map[string]bool{}
	for _, name := range secretNames() {
		v, secret := r.Current(name)
		if v != 1 || len(secret) != 32 || seen[string(secret)] || bytes.Equal(secret, make([]byte, 32)) {
			t.Errorf("%s: version %d, %d bytes", name, v, len(secret))
		}
		seen[string(secret)] = true
	}
	if _, err := r.Secret("x", 1); fail.CodeOf(err) != "no_secret" {
		t.Error(err)
	}
	if v, secret := r.Current("x"); v != 0 || secret != nil {
		t.Error("an unknown name has a secret")
	}
}

func TestKeyRingSurvivesReopening(t *testing.T) {
	r := mustRing(t)
	again, err := OpenKeyRing(r.Dir(), Opener{})
	noFail(t, err)
	if !bytes.Equal(again.JWKS(jws.Purposes()...), r.JWKS(jws.Purposes()...)) {
		t.Error("other keys")
	}
	v, k := r.Sealing()
	if v2, k2 := again.Sealing(); v2 != v || k2 != k {
		t.Error("another sealing key")
	}
	if _, err := CreateKeyRing(r.Dir(), "js", Opener{}, rand.Reader, testNow); fail.CodeOf(err) != "key_ring_exists" {
		t.Errorf("overwritten: %v", err)
	}
	empty := t.TempDir()
	if _, err := CreateKeyRing(empty, "js1", Opener{}, rand.Reader, testNow); err != nil {
		t.Errorf("in an empty directory: %v", err)
	}
	if _, err := OpenKeyRing(filepath.Join(empty, "none"), Opener{}); fail.CodeOf(err) != "no_key_ring" {
		t.Errorf("nothing there: %v", err)
	}
	for _, code := range []string{"", "j", "JS", "jsjs", "j-", "江苏"} {
		if _, err := CreateKeyRing(filepath.Join(empty, "x"), code, Opener{}, rand.Reader, testNow); fail.CodeOf(err) != "bad_registry_code" {
			t.Errorf("code %q: %v", code, err)
		}
	}
}

func TestKeyRingCreationIsAllOrNothing(t *testing.T) {
	parent := t.TempDir()
	// Randomness that ends in the middle: the secrets cannot be made.
	if _, err := CreateKeyRing(filepath.Join(parent, "keys"), "js", Opener{}, bytes.NewReader(make([]byte, 40)), testNow); err == nil {
		t.Fatal("made from nothing")
	}
	left, err := os.ReadDir(parent)
	noFail(t, err)
	if len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestKeyRingFilesAreForTheirOwnerOnly(t *testing.T) {
	r := mustRing(t)
	files, err := os.ReadDir(r.Dir())
	noFail(t, err)
	for _, f := range files {
		info, err := f.Info()
		noFail(t, err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %04o", f.Name(), info.Mode().Perm())
		}
	}
	if info, err := os.Stat(r.Dir()); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("directory: %v, %v", info.Mode(), err)
	}
	for _, c := range []struct {
		name string
		mode os.FileMode
	}{{"", 0o750}, {"", 0o701}, {ringName, 0o640}, {"js01.pem", 0o604}, {"sealing-1.key", 0o620}} {
		path := filepath.Join(r.Dir(), c.name)
		info, err := os.Stat(path)
		noFail(t, err)
		noFail(t, os.Chmod(path, c.mode))
		_, err = OpenKeyRing(r.Dir(), Opener{})
		if fail.CodeOf(err) != "key_ring_open_to_others" || !strings.Contains(fail.Of(err).Text, "chmod") {
			t.Errorf("%q with mode %04o: %v", c.name, c.mode, err)
		}
		noFail(t, os.Chmod(path, info.Mode().Perm()))
	}
	if _, err := OpenKeyRing(r.Dir(), Opener{}); err != nil {
		t.Error(err)
	}
}

func TestKeyRingKeepsNoPrivateKeyInPublicPlaces(t *testing.T) {
	r := mustRing(t)
	data, err := os.ReadFile(filepath.Join(r.Dir(), ringName))
	noFail(t, err)
	for _, name := range secretNames() {
		_, secret := r.Current(name)
		if bytes.Contains(data, []byte(hex.EncodeToString(secret))) {
			t.Errorf("%s is in %s", name, ringName)
		}
	}
	if bytes.Contains(r.JWKS(jws.Purposes()...), []byte(`"d"`)) {
		t.Error("a private member in a JWK set")
	}
}

func TestRotateAndDistrust(t *testing.T) {
	r := mustRing(t)
	old, err := r.Signer(jws.QR)
	noFail(t, err)
	token, err := SignToken(old, sample())
	noFail(t, err)
	published := r.JWKS(jws.QR)

	kid, err := r.RotateEarly(jws.QR, rand.Reader, testNow.Add(time.Hour))
	noFail(t, err)
	now, err := r.Signer(jws.QR)
	noFail(t, err)
	if now.KID() != kid || kid == old.KID() {
		t.Fatalf("signs with %s, rotated from %s to %s", now.KID(), old.KID(), kid)
	}
	set, err := jws.ParseJWKS(published, jws.QR)
	noFail(t, err)
	newToken, err := SignToken(now, sample())
	noFail(t, err)
	if _, _, err := OpenToken(newToken, set, time.Time{}); err != nil {
		t.Errorf("a copy of the keys made before the rotation does not know the new key: %v", err)
	}
	if _, _, err := OpenToken(token, r.Public(), time.Time{}); err != nil {
		t.Errorf("a retired key verifies for ever: %v", err)
	}
	k, _ := r.Public().Key(old.KID())
	if k.State != jws.Retired || !k.RetiredAt.Equal(testNow.Add(time.Hour)) {
		t.Errorf("%+v", k)
	}

	// The active key is stolen.
	noFail(t, r.Distrust(kid, testNow.Add(2*time.Hour), rand.Reader, testNow.Add(3*time.Hour)))
	after, err := r.Signer(jws.QR)
	noFail(t, err)
	if after.KID() == kid {
		t.Error("a distrusted key still signs")
	}
	if _, _, err := OpenToken(newToken, r.Public(), time.Time{}); !errors.Is(err, jws.ErrDistrusted) {
		t.Errorf("distrusted: %v", err)
	}
	if !bytes.Contains(r.JWKS(jws.QR), []byte(`"distrusted_from":"2026-03-02T06:00:00Z"`)) {
		t.Errorf("not marked: %s", r.JWKS(jws.QR))
	}
	if err := r.Distrust(kid, testNow.Add(4*time.Hour), rand.Reader, testNow); fail.CodeOf(err) != "key_distrusted" {
		t.Errorf("later than it is already: %v", err)
	}
	noFail(t, r.Distrust(kid, testNow, rand.Reader, testNow)) // it was earlier than thought
	if err := r.Distrust("js99", testNow, rand.Reader, testNow); fail.CodeOf(err) != "no_key" {
		t.Error(err)
	}
	// A next key too can be lost; and a retired one.
	for _, x := range r.Public().Keys(jws.VC) {
		if x.State == jws.Next {
			noFail(t, r.Distrust(x.ID, testNow, rand.Reader, testNow))
		}
	}
	noFail(t, r.Distrust(old.KID(), testNow, rand.Reader, testNow))
	again, err := OpenKeyRing(r.Dir(), Opener{})
	noFail(t, err)
	for _, p := range jws.Purposes() {
		states := map[jws.State]int{}
		for _, x := range again.Public().Keys(p) {
			states[x.State]++
		}
		if states[jws.Active] != 1 || states[jws.Next] != 1 {
			t.Errorf("%s: %v", p, states)
		}
	}
	if _, err := r.RotateEarly(jws.Checkpoint, rand.Reader, testNow); fail.CodeOf(err) != "no_key" {
		t.Error(err)
	}
}

func TestSecretsHaveVersions(t *testing.T) {
	r := mustRing(t)
	_, first := r.Sealing()
	v, err := r.RotateSecret(SecretSealing, rand.Reader, testNow)
	noFail(t, err)
	cur, second := r.Sealing()
	if v != 2 || cur != 2 || first == second {
		t.Fatalf("version %d", v)
	}
	if old, ok := r.SealingVersion(1); !ok || old != first {
		t.Error("the older key must stay readable")
	}
	if _, ok := r.SealingVersion(3); ok {
		t.Error("a key of the future")
	}
	if got := r.Versions(SecretSealing); !slices.Equal(got, []int{2, 1}) {
		t.Error(got)
	}
	if v, k := r.Index(); v != 1 || k == first {
		t.Error("index key")
	}
	if _, ok := r.IndexVersion(1); !ok {
		t.Error("index version")
	}
	seed := r.CheckpointSeed()
	if bytes.Equal(r.Permutation(), seed[:]) || len(r.Permutation()) != 32 {
		t.Error("permutation key")
	}
	for _, name := range []string{SecretPermutation, "x"} {
		if _, err := r.RotateSecret(name, rand.Reader, testNow); fail.CodeOf(err) != "fixed_secret" {
			t.Errorf("%s: %v", name, err)
		}
	}
	secret := r.Permutation()
	secret[0] ^= 1
	if bytes.Equal(secret, r.Permutation()) {
		t.Error("a caller can change the ring's secret")
	}
}

// What a crash in the middle of a change may leave does not hurt: files that
// nothing names.
func TestKeyRingAfterACrash(t *testing.T) {
	r := mustRing(t)
	for _, name := range []string{".new-123", "js0b.pem", "sealing-2.key"} {
		noFail(t, os.WriteFile(filepath.Join(r.Dir(), name), []byte("half"), 0o600))
	}
	again, err := OpenKeyRing(r.Dir(), Opener{})
	noFail(t, err)
	_, err = again.RotateEarly(jws.QR, rand.Reader, testNow) // makes js0b
	noFail(t, err)
	_, err = again.RotateSecret(SecretSealing, rand.Reader, testNow)
	noFail(t, err)
	_, err = OpenKeyRing(r.Dir(), Opener{})
	noFail(t, err)
}

func copyRing(t *testing.T, from string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	noFail(t, os.Mkdir(to, 0o700))
	files, err := os.ReadDir(from)
	noFail(t, err)
	for _, f := range files {
		data, err := os.ReadFile(filepath.Join(from, f.Name()))
		noFail(t, err)
		noFail(t, os.WriteFile(filepath.Join(to, f.Name()), data, 0o600))
	}
	return to
}

func TestDamagedKeyRingIsRefused(t *testing.T) {
	whole := mustRing(t)
	for name, damage := range map[string]func(dir string) error{
		"no ring.json":   func(d string) error { return os.Remove(filepath.Join(d, ringName)) },
		"half ring.json": func(d string) error { return os.Truncate(filepath.Join(d, ringName), 100) },
		"no private key": func(d string) error { return os.Remove(filepath.Join(d, "js01.pem")) },
		"half key":       func(d string) error { return os.Truncate(filepath.Join(d, "js01.pem"), 50) },
		"another's key": func(d string) error {
			return errors.Join(os.Remove(filepath.Join(d, "js01.pem")), os.Link(filepath.Join(d, "js02.pem"), filepath.Join(d, "js01.pem")))
		},
		"no secret":       func(d string) error { return os.Remove(filepath.Join(d, "index-1.key")) },
		"half secret":     func(d string) error { return os.Truncate(filepath.Join(d, "index-1.key"), 10) },
		"no active key":   func(d string) error { return replaceIn(d, `"state": "active"`, `"state": "retired"`) },
		"unknown state":   func(d string) error { return replaceIn(d, `"state": "next"`, `"state": "resting"`) },
		"newer format":    func(d string) error { return replaceIn(d, `"format": 1`, `"format": 2`) },
		"unknown purpose": func(d string) error { return replaceIn(d, `"purpose": "vc"`, `"purpose": "all"`) },
	} {
		r, err := OpenKeyRing(copyRing(t, whole.Dir()), Opener{})
		noFail(t, err)
		noFail(t, damage(r.Dir()))
		if _, err := OpenKeyRing(r.Dir(), Opener{}); fail.CodeOf(err) != "bad_key_ring" {
			t.Errorf("%s: %v", name, err)
		}
		if err := r.Reload(); err == nil {
			t.Errorf("%s: reloaded", name)
		}
		if _, err := r.Signer(jws.QR); err != nil {
			t.Errorf("%s: the ring in memory must stay as it was: %v", name, err)
		}
	}
}

func replaceIn(dir, old, with string) error {
	path := filepath.Join(dir, ringName)
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, bytes.ReplaceAll(data, []byte(old), []byte(with)), 0o600)
}

func TestTwoProcessesAndOneRing(t *testing.T) {
	a := mustRing(t)
	b, err := OpenKeyRing(a.Dir(), Opener{})
	noFail(t, err)
	kid, err := b.RotateEarly(jws.QR, rand.Reader, testNow)
	noFail(t, err)
	if _, err := a.RotateEarly(jws.QR, rand.Reader, testNow); fail.CodeOf(err) != "key_ring_changed" {
		t.Errorf("a change on top of an unseen one: %v", err)
	}
	before, err := a.load()
	noFail(t, err)
	_, err = b.RotateEarly(jws.VC, rand.Reader, testNow)
	noFail(t, err)
	b.adopt(before) // a slow reader must not bring back an older state
	if s, err := b.Signer(jws.VC); err != nil || s.KID() != "js04" {
		t.Errorf("an older state came back: %s, %v", s.KID(), err)
	}
	noFail(t, a.Reload())
	if s, err := a.Signer(jws.QR); err != nil || s.KID() != kid {
		t.Errorf("after reload: %v", err)
	}
}

func TestKeyRingUnderConcurrency(t *testing.T) {
	r := mustRing(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 3 {
				if _, err := r.RotateEarly(jws.QR, rand.Reader, testNow); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			for range 20 {
				s, err := r.Signer(jws.QR)
				if err != nil {
					t.Error(err)
					return
				}
				token, err := SignToken(s, sample())
				if err != nil {
					t.Error(err)
					return
				}
				if _, _, err := OpenToken(token, r.Public(), time.Time{}); err != nil {
					t.Error(err)
				}
				_ = r.Reload()
			}
		})
	}
	wg.Wait()
	if got := len(r.Public().Keys(jws.QR)); got != 14 {
		t.Errorf("%d QR keys after 12 rotations", got)
	}
}
