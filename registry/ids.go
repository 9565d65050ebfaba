package registry

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"bajigong/internal/fail"
)

// idAlphabet is Crockford's base 32 in lower case: no i, l, o or u, so an id can
// be read over the telephone.
const idAlphabet = "0123456789abcdefghjkmnpqrstvwxyz"

// PersonID is the random 128-bit name of a person. Only the table
// persons_by_document knows which document it stands for.
type PersonID [16]byte

// String returns 32 hexadecimal digits.
func (p PersonID) String() string { return hex.EncodeToString(p[:]) }

// MarshalText is the form of String.
func (p PersonID) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads the form of String.
func (p *PersonID) UnmarshalText(b []byte) error {
	raw, err := hex.DecodeString(string(b))
	if err != nil || len(raw) != len(p) {
		return fail.New(fail.Invalid, "person_id", "a person id is 32 hexadecimal digits").In("人员标识应为 32 位十六进制数")
	}
	copy(p[:], raw)
	return nil
}

// randomness is the injected source, made safe for the several goroutines that
// draw from it. Drawing is the one effect a transaction function may have: a
// rerun draws anew and nothing outside sees what the dropped run drew.
type randomness struct {
	mu sync.Mutex
	r  io.Reader
}

func (r *randomness) fill(b []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, err := io.ReadFull(r.r, b); err != nil {
		// crypto/rand never fails on the systems Go supports; a registry
		// without randomness must not go on.
		panic(fmt.Sprintf("randomness: %v", err))
	}
}

// Read lets r be handed to whoever draws from an io.Reader.
func (r *randomness) Read(b []byte) (int, error) { r.fill(b); return len(b), nil }

func (r *randomness) person() (p PersonID) { r.fill(p[:]); return p }

func (r *randomness) salt() (s [16]byte) { r.fill(s[:]); return s }

// id returns prefix, a hyphen and 80 random bits as 16 characters.
func (r *randomness) id(prefix string) string {
	var b [10]byte
	r.fill(b[:])
	return prefix + "-" + base32id(b[:])
}

// idAt is id that begins with the second it was made in: records under such ids are
// stored beside one another, in the order in which they come.
func (r *randomness) idAt(prefix string, now time.Time) string {
	var b [10]byte
	binary.BigEndian.PutUint32(b[:], uint32(now.Unix()))
	r.fill(b[4:])
	return prefix + "-" + base32id(b[:])
}

func base32id(b []byte) string {
	var s strings.Builder
	var acc, bits uint
	for _, c := range b {
		acc, bits = acc<<8|uint(c), bits+8
		for bits >= 5 {
			bits -= 5
			s.WriteByte(idAlphabet[acc>>bits&31])
		}
	}
	if bits > 0 {
		s.WriteByte(idAlphabet[acc<<(5-bits)&31])
	}
	return s.String()
}
