package credentials

import (
	"encoding/binary"
	"io"
	"strings"

	"bajigong/internal/fail"
)

// A Handle is the random public name of one version of a certificate: 64
// random bits, written as 13 characters of Crockford's base 32 in lower case,
// most significant first:
//
//	7k3m9qh2c4x5t
//
// 13 characters rather than 11 of base64url, because a handle is also read from
// paper and typed: it has one case, no i, l, o or u, and the two characters cost
// 16 of 2,672 bits of a V13 code. Guessing one of ten million handles takes
// about 10^12 tries.
type Handle string

const handleAlphabet = "0123456789abcdefghjkmnpqrstvwxyz"

// handleChars × 5 = 65 bits, so the first character is at most 'f'.
const handleChars = 13

// NewHandle draws a handle from rand.
func NewHandle(rand io.Reader) (Handle, error) {
	var b [8]byte
	if _, err := io.ReadFull(rand, b[:]); err != nil {
		return "", err
	}
	return handleOf(binary.BigEndian.Uint64(b[:])), nil
}

func handleOf(n uint64) Handle {
	var out [handleChars]byte
	for i := handleChars - 1; i >= 0; i-- {
		out[i] = handleAlphabet[n&31]
		n >>= 5
	}
	return Handle(out[:])
}

// ParseHandle accepts the one proper text of a handle. It fails (fail.Invalid,
// bad_handle) for anything else.
func ParseHandle(s string) (Handle, error) {
	ok := len(s) == handleChars && s[0] <= 'f'
	for i := 0; ok && i < len(s); i++ {
		ok = strings.IndexByte(handleAlphabet, s[i]) >= 0
	}
	if !ok {
		return "", fail.New(fail.Invalid, "bad_handle", "a certificate address ends in 13 letters and digits, such as 7k3m9qh2c4x5t").
			In("证书查验码应为13位小写字母和数字，例如 7k3m9qh2c4x5t")
	}
	return Handle(s), nil
}

var typedHandle = strings.NewReplacer(" ", "", "-", "", "o", "0", "i", "1", "l", "1")

// ParseTypedHandle reads a handle that a person has typed: case, spaces and
// hyphens do not count, and o, i and l stand for the digits they look like. It
// fails like [ParseHandle].
func ParseTypedHandle(s string) (Handle, error) {
	if len(s) > 64 {
		return ParseHandle("")
	}
	return ParseHandle(typedHandle.Replace(strings.ToLower(s)))
}

// Grouped returns h as it is printed for people: "7k3m9-qh2c-4x5t".
func (h Handle) Grouped() string {
	if len(h) != handleChars {
		return string(h)
	}
	return string(h[:5] + "-" + h[5:9] + "-" + h[9:])
}
