package credentials

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bajigong/credentials/jws"
	"bajigong/internal/fail"
)

func passphrase(t testing.TB, text string) Opener {
	t.Helper()
	o, err := WithPassphrase(text)
	noFail(t, err)
	return o
}

func keyFile(t testing.TB, b byte) Opener {
	t.Helper()
	o, err := WithKeyFile([]byte(strings.Repeat(string("0123456789abcdef"[b]), 64) + "\n"))
	noFail(t, err)
	return o
}

// plainFiles are the names in a ring that hold something in the clear.
func plainFiles(t testing.TB, dir string) (out []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	noFail(t, err)
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".pem") || strings.HasSuffix(e.Name(), ".key") {
			out = append(out, e.Name())
		}
	}
	return out
}

// secretsIn are the private values of a ring, as they would lie on a disk.
func secretsIn(r *KeyRing) (out [][]byte) {
	for _, name := range secretNames() {
		_, s := r.Current(name)
		out = append(out, s)
	}
	return out
}

func TestEncryptedRing(t *testing.T) {
	pass, other, key := passphrase(t, "一个足够长的口令，不少于十二字"), passphrase(t, "another long passphrase"), keyFile(t, 1)
	r, err := CreateKeyRing(filepath.Join(t.TempDir(), "keys"), "js", pass, rand.Reader, testNow)
	noFail(t, err)
	permutation := r.Permutation()
	locked := func(with Opener) {
		t.Helper()
		if _, err := OpenKeyRing(r.Dir(), with); fail.CodeOf(err) != "key_ring_locked" || fail.KindOf(err) != fail.Forbidden {
			t.Fatalf("opened: %v", err)
		}
	}
	opens := func(with Opener) {
		t.Helper()
		again, err := OpenKeyRing(r.Dir(), with)
		noFail(t, err)
		if !bytes.Equal(again.Permutation(), permutation) {
			t.Fatal("another secret came back")
		}
		if left := plainFiles(t, r.Dir()); len(left) > 0 && !with.none() {
			t.Fatalf("in the clear: %v", left)
		}
	}
	if r.Encrypted() != "passphrase" {
		t.Fatal(r.Encrypted())
	}
	opens(pass)
	locked(Opener{})
	locked(other)
	locked(key)

	// Changes keep it encrypted.
	if _, err := r.RotateEarly(jws.QR, rand.Reader, testNow); err != nil {
		t.Fatal(err)
	}
	if _, err := r.RotateSecret(SecretSealing, rand.Reader, testNow); err != nil {
		t.Fatal(err)
	}
	opens(pass)
	// Another passphrase, a key file, the clear, and back.
	noFail(t, r.Encrypt(other, rand.Reader))
	opens(other)
	locked(pass)
	noFail(t, r.Encrypt(key, rand.Reader))
	opens(key)
	locked(other)
	locked(keyFile(t, 2))
	noFail(t, r.Encrypt(Opener{}, rand.Reader))
	opens(Opener{})
	if r.Encrypted() != "" || len(plainFiles(t, r.Dir())) == 0 {
		t.Fatal("still encrypted")
	}
	noFail(t, r.Encrypt(pass, rand.Reader))
	opens(pass)
	noFail(t, r.Reload())
	for _, s := range secretsIn(r) {
		if len(s) != secretBytes {
			t.Fatal("a secret is gone")
		}
	}
	// No file holds a secret in a form that a search would find.
	entries, err := os.ReadDir(r.Dir())
	noFail(t, err)
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(r.Dir(), e.Name()))
		noFail(t, err)
		for _, s := range secretsIn(r) {
			if bytes.Contains(b, s) || bytes.Contains(b, []byte(hexText(s))) {
				t.Errorf("%s holds a secret in the clear", e.Name())
			}
		}
	}
}

func hexText(b []byte) string {
	const digits = "0123456789abcdef"
	var out strings.Builder
	for _, c := range b {
		out.WriteByte(digits[c>>4])
		out.WriteByte(digits[c&15])
	}
	return out.String()
}

func TestOpenersAreChecked(t *testing.T) {
	for _, short := range []string{"", "elevenchars", "口令口令口令口令口令口\n"} {
		if _, err := WithPassphrase(short); fail.CodeOf(err) != "short_passphrase" {
			t.Errorf("%q: %v", short, err)
		}
	}
	for _, bad := range []string{"", "00", strings.Repeat("0", 63), strings.Repeat("0", 66), strings.Repeat("x", 64)} {
		if _, err := WithKeyFile([]byte(bad)); fail.CodeOf(err) != "bad_key_file" {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// Each bit of an encrypted file and of the seal matters: what was altered does
// not open, and nothing that is not the ring's own comes out.
func TestEncryptedRingFlips(t *testing.T) {
	key := keyFile(t, 3)
	r, err := CreateKeyRing(filepath.Join(t.TempDir(), "keys"), "js", key, rand.Reader, testNow)
	noFail(t, err)
	flip := func(path string, at int) {
		t.Helper()
		b, err := os.ReadFile(path)
		noFail(t, err)
		was := b[at]
		for bit := range 8 {
			b[at] = was ^ 1<<bit
			if strings.EqualFold(string(b[at]), string(was)) || at == len(b)-1 {
				continue // the same hexadecimal digit, or the line break at the end
			}
			noFail(t, os.WriteFile(path, b, 0o600))
			if _, err := OpenKeyRing(r.Dir(), key); err == nil {
				t.Fatalf("%s: bit %d of byte %d flipped, and it opens", filepath.Base(path), bit, at)
			}
		}
		b[at] = was
		noFail(t, os.WriteFile(path, b, 0o600))
	}
	sealed := filepath.Join(r.Dir(), "permutation-1.key"+sealedSuffix)
	b, err := os.ReadFile(sealed)
	noFail(t, err)
	for at := range b {
		flip(sealed, at)
	}
	ring, err := os.ReadFile(filepath.Join(r.Dir(), ringName))
	noFail(t, err)
	wrapped := bytes.Index(ring, []byte(r.ring.Seal.Wrapped))
	for at := range r.ring.Seal.Wrapped {
		flip(filepath.Join(r.Dir(), ringName), wrapped+at)
	}
	// A file under another's name is refused.
	noFail(t, os.Rename(sealed, sealed+"x"))
	noFail(t, os.Rename(filepath.Join(r.Dir(), "index-1.key"+sealedSuffix), sealed))
	if _, err := OpenKeyRing(r.Dir(), key); fail.CodeOf(err) != "bad_key_ring" {
		t.Error(err)
	}
}

// short is a source of randomness that ends.
type short struct{ left int }

func (s *short) Read(b []byte) (int, error) {
	if s.left < len(b) {
		return 0, errors.New("no more randomness")
	}
	s.left -= len(b)
	return io.ReadFull(rand.Reader, b)
}

// Encrypting that stops anywhere leaves the ring as it was, in the clear; the next
// attempt cleans up.
func TestEncryptStopsAnywhere(t *testing.T) {
	r := mustRing(t)
	key := keyFile(t, 4)
	for left := 0; ; left += 12 {
		err := r.Encrypt(key, &short{left})
		if err == nil {
			break
		}
		if _, err := OpenKeyRing(r.Dir(), Opener{}); err != nil {
			t.Fatalf("after %d random bytes: %v", left, err)
		}
		if left > 10_000 {
			t.Fatal("never ends")
		}
	}
	if _, err := OpenKeyRing(r.Dir(), key); err != nil {
		t.Fatal(err)
	}
	if left := plainFiles(t, r.Dir()); len(left) > 0 || len(r.Leftovers()) > 0 {
		t.Fatalf("left in the clear: %v", left)
	}
	// A crash after the change, before the clean-up.
	noFail(t, os.WriteFile(filepath.Join(r.Dir(), "permutation-1.key"), []byte("x"), 0o600))
	again, err := OpenKeyRing(r.Dir(), key)
	noFail(t, err)
	if got := again.Leftovers(); len(got) != 1 || got[0] != "permutation-1.key" {
		t.Fatal(got)
	}
	noFail(t, again.Encrypt(key, rand.Reader))
	if len(again.Leftovers()) > 0 {
		t.Fatal("still there")
	}
}

func TestRotationWaitsUntilTheNextKeyIsKnown(t *testing.T) {
	r := mustRing(t)
	at, err := r.Rotation(jws.QR)
	noFail(t, err)
	if at.Earliest != testNow.Add(DefaultLead) || !at.Due.IsZero() {
		t.Fatalf("%+v", at)
	}
	if _, err := r.Rotate(jws.QR, rand.Reader, at.Earliest.Add(-time.Second)); fail.CodeOf(err) != "next_key_young" {
		t.Fatal(err)
	}
	kid, err := r.Rotate(jws.QR, rand.Reader, at.Earliest)
	noFail(t, err)
	if kid != at.Next {
		t.Fatalf("%s signs, not %s", kid, at.Next)
	}
	if _, err := r.Rotate(jws.VC, rand.Reader, testNow); fail.CodeOf(err) != "next_key_young" {
		t.Fatal(err)
	}
	if _, err := r.RotateEarly(jws.VC, rand.Reader, testNow); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Rotation(jws.Checkpoint); fail.CodeOf(err) != "no_key" {
		t.Fatal(err)
	}
}

func TestScheduleRotates(t *testing.T) {
	r := mustRing(t)
	year, month := 365*24*time.Hour, 30*24*time.Hour
	for _, bad := range []Schedule{{Every: time.Hour}, {Every: 30 * year}, {Every: year, Lead: time.Minute}, {Every: month, Lead: month}, {Every: 6 * 24 * time.Hour}} {
		if err := r.SetSchedule(jws.QR, bad); fail.CodeOf(err) != "bad_schedule" {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	if err := r.SetSchedule(jws.Checkpoint, Schedule{Every: year}); fail.CodeOf(err) != "no_key" {
		t.Error(err)
	}
	noFail(t, r.SetSchedule(jws.QR, Schedule{Every: year, Lead: month}))
	noFail(t, r.SetSchedule(jws.Status, Schedule{Every: month}))
	now, qr, status := testNow, 0, 0
	for now.Before(testNow.Add(11 * year)) {
		kids, err := r.RotateDue(rand.Reader, now)
		noFail(t, err)
		for _, kid := range kids {
			k, _ := r.Public().Key(kid)
			switch k.Purpose {
			case jws.QR:
				qr++
				if now.Sub(k.NotBefore) < month {
					t.Fatalf("%s was published %s before its use", kid, now.Sub(k.NotBefore))
				}
			case jws.Status:
				status++
			default:
				t.Fatalf("%s has no schedule", k.Purpose)
			}
		}
		now = now.Add(24 * time.Hour)
	}
	if qr != 10 || status < 130 || status > 134 {
		t.Errorf("%d and %d rotations in 11 years", qr, status)
	}
	// The schedule survives the disk; the clock going back rotates nothing.
	again, err := OpenKeyRing(r.Dir(), Opener{})
	noFail(t, err)
	at, err := again.Rotation(jws.QR)
	noFail(t, err)
	if at.Every != year || at.Lead != month || at.Due.Before(now) {
		t.Errorf("%+v at %s", at, now)
	}
	if kids, err := again.RotateDue(rand.Reader, testNow); err != nil || len(kids) > 0 {
		t.Error(kids, err)
	}
}
