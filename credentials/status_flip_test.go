package credentials

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"bajigong/credentials/jws"
	"bajigong/internal/fail"
	"bajigong/internal/needed"
)

// Every bit of a sparse list's text is flipped, one after the other. Each change
// is refused for what it is: none is taken for a list of other content, since the
// signature is looked at before the content is.
func TestEveryFlippedBitIsRefusedWithItsReason(t *testing.T) {
	t.Parallel()
	k := newKeys(t, "js")
	l, compact := newList(t, k, Suspension, testNow, 5, 77, 131071)
	past := *l // a list of the past has no ttl, and ends when it begins
	past.ValidUntil, past.TTL = past.ValidFrom, 0
	ofPast, err := past.Sign(k.signers[jws.Status])
	noFail(t, err)
	for what, text := range map[string]string{"present": compact, "past": ofPast} {
		_, err := OpenStatusList(text, k.set, testNow)
		noFail(t, err)
		head := strings.IndexByte(text, '.')
		payload := head + 1 + strings.IndexByte(text[head+1:], '.')
		reasons := map[string]map[string]int{"header": {}, "content": {}, "signature": {}, "dot": {}}
		for i := range len(text) {
			part := "signature"
			switch {
			case i == head || i == payload:
				part = "dot"
			case i < head:
				part = "header"
			case i < payload:
				part = "content"
			}
			for bit := range 8 {
				if !needed.Tried(8*i+bit, 3, 9) { // odd: each bit of a byte comes in turn
					continue
				}
				b := []byte(text)
				b[i] ^= 1 << bit
				_, err := OpenStatusList(string(b), k.set, testNow)
				if err == nil {
					t.Fatalf("%s: accepted with bit %d of character %d flipped", what, bit, i)
				}
				if e := (*fail.Error)(nil); !errors.As(err, &e) || e.Kind != fail.Invalid || e.ZH == "" {
					t.Fatalf("%s: bit %d of character %d: %v has no reason to show", what, bit, i, err)
				}
				reasons[part][fail.CodeOf(err)]++
			}
		}
		malformed, signature, unproper := fail.CodeOf(jws.ErrMalformed), fail.CodeOf(jws.ErrBadSignature), fail.CodeOf(jws.ErrNoncanonical)
		allowed := map[string][]string{
			// An altered header is no header of ours, or names another key, algorithm or type.
			"header": {malformed, signature, fail.CodeOf(jws.ErrUnknownKey), fail.CodeOf(jws.ErrWrongPurpose), fail.CodeOf(jws.ErrWrongType),
				fail.CodeOf(jws.ErrWrongAlg), unproper},
			"content":   {malformed, signature, unproper},
			"signature": {malformed, signature, unproper},
			"dot":       {malformed, unproper},
		}
		for part, codes := range reasons {
			for code, n := range codes {
				if !slices.Contains(allowed[part], code) {
					t.Errorf("%s: %d changes of the %s are refused as %s", what, n, part, code)
				}
			}
		}
		if reasons["content"][signature] == 0 || reasons["signature"][signature] == 0 {
			t.Errorf("%s: nothing is refused for its signature", what)
		}
		t.Logf("%s: %d characters: %v", what, len(text), reasons)
	}
}
