package torture

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"runtime"
	"sync"
)

// Crypto is the cryptography that no register can do without, by itself: what a
// verdict and an issue are held against.
type Crypto struct {
	key    *ecdsa.PrivateKey
	digest [32]byte
	sig    []byte
	aead   cipher.AEAD
	block  []byte
}

// sealedSize is the size of a sealed paper with its token, in bytes.
const sealedSize = 600

// NewCrypto makes keys.
func NewCrypto() (*Crypto, error) {
	c := &Crypto{digest: sha256.Sum256([]byte("a certificate"))}
	var err error
	if c.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, err
	}
	if c.sig, err = ecdsa.SignASN1(rand.Reader, c.key, c.digest[:]); err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(c.digest[:])
	if err != nil {
		return nil, err
	}
	if c.aead, err = cipher.NewGCM(block); err != nil {
		return nil, err
	}
	nonce := make([]byte, c.aead.NonceSize())
	c.block = c.aead.Seal(nil, nonce, make([]byte, sealedSize), nil)
	return c, nil
}

// Sign makes n ES256 signatures on all processors.
func (c *Crypto) Sign(n int) error {
	var wg sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	errs := make([]error, workers)
	for i := range workers {
		wg.Go(func() {
			for range n*(i+1)/workers - n*i/workers {
				if _, err := ecdsa.SignASN1(rand.Reader, c.key, c.digest[:]); err != nil {
					errs[i] = err
				}
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// Verify checks one ES256 signature.
func (c *Crypto) Verify() bool { return ecdsa.VerifyASN1(&c.key.PublicKey, c.digest[:], c.sig) }

// Open opens one sealed block.
func (c *Crypto) Open() error {
	_, err := c.aead.Open(nil, make([]byte, c.aead.NonceSize()), c.block, nil)
	return err
}
