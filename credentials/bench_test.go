package credentials

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"testing"
	"time"

	"bajigong/credentials/jws"
)

// Each figure beside the limit of its necessary part: the bare signature of the
// standard library over the same bytes, in the same run.
func BenchmarkToken(b *testing.B) {
	k := newKeys(b, "js")
	signer := k.signers[jws.QR]
	token := k.token(b, sample())
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	noFail(b, err)
	sum := sha256.Sum256([]byte(token))
	r, s, err := ecdsa.Sign(rand.Reader, private, sum[:])
	noFail(b, err)
	b.Run("sign", func(b *testing.B) {
		for b.Loop() {
			if _, err := SignToken(signer, sample()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("sign/limit=ecdsa", func(b *testing.B) {
		for b.Loop() {
			sum := sha256.Sum256([]byte(token))
			if _, _, err := ecdsa.Sign(rand.Reader, private, sum[:]); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			if _, _, err := OpenToken(token, k.set, time.Time{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("open/limit=ecdsa", func(b *testing.B) {
		for b.Loop() {
			sum := sha256.Sum256([]byte(token))
			if !ecdsa.Verify(&private.PublicKey, sum[:], r, s) {
				b.Fatal("bad signature")
			}
		}
	})
}

func BenchmarkStatusPermutation(b *testing.B) {
	key := make([]byte, 32)
	n := uint64(0)
	for b.Loop() {
		StatusPermutation(key, n)
		n++
	}
}

// A credential is signed for each download. The limit is the bare signature over
// as many bytes.
func BenchmarkCredential(b *testing.B) {
	k := newKeys(b, "js")
	compact := k.vc(b, sampleVC())
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	noFail(b, err)
	sum := sha256.Sum256([]byte(compact))
	r, s, err := ecdsa.Sign(rand.Reader, private, sum[:])
	noFail(b, err)
	b.Run("sign", func(b *testing.B) {
		for b.Loop() {
			if _, err := SignVC(k.signers[jws.VC], sampleVC()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("sign/limit=ecdsa", func(b *testing.B) {
		for b.Loop() {
			sum := sha256.Sum256([]byte(compact))
			if _, _, err := ecdsa.Sign(rand.Reader, private, sum[:]); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			if _, _, err := OpenVC(compact, k.set, testNow, jws.Limits{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("open/limit=ecdsa", func(b *testing.B) {
		for b.Loop() {
			sum := sha256.Sum256([]byte(compact))
			if !ecdsa.Verify(&private.PublicKey, sum[:], r, s) {
				b.Fatal("bad signature")
			}
		}
	})
}
