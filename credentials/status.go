package credentials

import (
	"bytes"
	"compress/gzip"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"bajigong/credentials/jws"
	"bajigong/internal/fail"
)

// StatusListBits is the length of every status list: the least that Bitstring
// Status List v1.0 allows, for herd privacy, and a power of two.
const StatusListBits = 131072

const statusIndexBits = 17

// A StatusPurpose says what a set bit means.
type StatusPurpose string

// The purposes (Bitstring Status List v1.0 §2.1). The lists of all purposes
// share their indices.
const (
	Revocation StatusPurpose = "revocation" // voided, cancelled or superseded; never undone
	Suspension StatusPurpose = "suspension" // under review; may be undone
	Refresh    StatusPurpose = "refresh"    // a newer version exists; optional, lets an offline check say so
)

// StatusPurposes lists the purposes in a fixed order.
func StatusPurposes() []StatusPurpose { return []StatusPurpose{Revocation, Suspension, Refresh} }

// StatusListName returns the name of a list in its address: "revocation-0".
func StatusListName(p StatusPurpose, list int) string { return string(p) + "-" + strconv.Itoa(list) }

// ParseStatusListName is the opposite of [StatusListName]; it fails
// (fail.NotFound, no_status_list) for any other text.
func ParseStatusListName(s string) (StatusPurpose, int, error) {
	p, number, _ := strings.Cut(s, "-")
	n, err := strconv.Atoi(number)
	for _, known := range StatusPurposes() {
		if err == nil && n >= 0 && n <= maxStatus/StatusListBits && StatusListName(known, n) == s && p == string(known) {
			return known, n, nil
		}
	}
	return "", 0, fail.New(fail.NotFound, "no_status_list", "there is no status list of that name").In("没有该状态清单")
}

// StatusListURL returns the address of a list: origin/status/revocation-0.
func StatusListURL(origin string, p StatusPurpose, list int) string {
	return origin + "/status/" + StatusListName(p, list)
}

// StatusPermutation returns the place of the version with the given counter:
// each counter has one place, each place one counter, list after list, in an
// order within a list that only the holder of key can tell. Claims.Status is
// list × StatusListBits + index.
//
// It is a Feistel network over 17 bits (halves of 9 and 8 bits taking turns, so
// that no value falls outside), with AES-256 as the round function under a key
// that HMAC-SHA256 derives from key for each list.
func StatusPermutation(key []byte, counter uint64) (list int, index int) {
	l := counter >> statusIndexBits
	block := listCipher(key, l)
	v := uint32(counter & (StatusListBits - 1))
	left, right := v>>8, v&0xff // 9 and 8 bits
	wide := true                // left is the half of 9 bits
	var in, out [aes.BlockSize]byte
	for round := range byte(12) {
		in[0] = round
		binary.BigEndian.PutUint32(in[1:], right)
		block.Encrypt(out[:], in[:])
		f := binary.BigEndian.Uint32(out[:])
		mask := uint32(0xff)
		if wide {
			mask = 0x1ff
		}
		left, right = right, (left^f)&mask
		wide = !wide
	}
	// After an even number of rounds left has 9 bits again.
	return int(l), int(left<<8 | right)
}

func listCipher(key []byte, list uint64) cipher.Block {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("bajigong/status-permutation/1\x00"))
	mac.Write(binary.BigEndian.AppendUint64(nil, list))
	block, err := aes.NewCipher(mac.Sum(nil))
	if err != nil { // a sum of SHA-256 is an AES-256 key
		panic(err)
	}
	return block
}

// A StatusList is one list of one purpose. Make it with [NewStatusList] or
// [OpenStatusList].
type StatusList struct {
	Origin     string
	Purpose    StatusPurpose
	List       int
	ValidFrom  time.Time     // the list tells the state of the ledger at this time
	ValidUntil time.Time     // after it the list proves a set bit, no longer a clear one
	TTL        time.Duration // how long a copy may serve before it is fetched again
	bits       []byte        // MSB of byte 0 is index 0
}

// NewStatusList returns a list with no bit set.
func NewStatusList(origin string, p StatusPurpose, list int) *StatusList {
	return &StatusList{Origin: origin, Purpose: p, List: list, TTL: time.Minute, bits: make([]byte, StatusListBits/8)}
}

// Set sets or clears the bit of index. It fails (fail.Invalid, status_range)
// when index is outside the list.
func (l *StatusList) Set(index int, on bool) error {
	if index < 0 || index >= 8*len(l.bits) {
		return statusRange(index)
	}
	mask := byte(0x80) >> (index % 8)
	if on {
		l.bits[index/8] |= mask
	} else {
		l.bits[index/8] &^= mask
	}
	return nil
}

// Get returns the bit of index. It fails (fail.Invalid, status_range, RANGE_ERROR
// of the specification) when index is outside the list.
func (l *StatusList) Get(index int) (bool, error) {
	if index < 0 || index >= 8*len(l.bits) {
		return false, statusRange(index)
	}
	return l.bits[index/8]&(0x80>>(index%8)) != 0, nil
}

// Bits returns a copy of the bits; index 0 is the most significant bit of byte 0.
func (l *StatusList) Bits() []byte { return slices.Clone(l.bits) }

// SetBits replaces all bits by a copy of bits. It fails (fail.Invalid,
// status_range) when they are not StatusListBits/8 bytes.
func (l *StatusList) SetBits(bits []byte) error {
	if len(bits) != StatusListBits/8 {
		return statusRange(8 * len(bits))
	}
	l.bits = slices.Clone(bits)
	return nil
}

// Len returns the number of bits.
func (l *StatusList) Len() int { return 8 * len(l.bits) }

// URL returns the address of the list.
func (l *StatusList) URL() string { return StatusListURL(l.Origin, l.Purpose, l.List) }

func statusRange(index int) error {
	return fail.New(fail.Invalid, "status_range", "index %d is outside the status list", index).In("状态序号 %d 超出清单范围", index)
}

// TypVC is the header type of W3C credentials as JWT (VC-JOSE-COSE).
const TypVC = "vc+jwt"

// MaxStatusList is the size limit of a signed status list in characters: a list
// of random bits has 29,200.
const MaxStatusList = 1 << 20

// maxStatusBytes bounds what a list may unpack to; ours has 16 KiB.
const maxStatusBytes = 1 << 20

type statusVC struct {
	Context    []string      `json:"@context"`
	ID         string        `json:"id"`
	Type       []string      `json:"type"`
	Issuer     string        `json:"issuer"`
	Iss        string        `json:"iss"`
	ValidFrom  string        `json:"validFrom"`
	ValidUntil string        `json:"validUntil,omitempty"`
	Subject    statusSubject `json:"credentialSubject"`
}

type statusSubject struct {
	ID      string `json:"id"`
	Type    string `json:"type"`
	Purpose string `json:"statusPurpose"`
	Encoded string `json:"encodedList"`
	TTL     int64  `json:"ttl,omitempty"` // milliseconds
}

const vcContext = "https://www.w3.org/ns/credentials/v2"

// Sign returns l as a signed BitstringStatusListCredential (W3C Bitstring
// Status List v1.0 under VC-JOSE-COSE), with ValidFrom, ValidUntil and TTL as
// they stand in l:
//
//	{"alg":"ES256","kid":"js03","typ":"vc+jwt"}
//	{"@context":["https://www.w3.org/ns/credentials/v2"],
//	 "id":"https://skills.example.org/status/revocation-0",
//	 "type":["VerifiableCredential","BitstringStatusListCredential"],
//	 "issuer":"https://skills.example.org","iss":"https://skills.example.org",
//	 "validFrom":"2026-03-02T00:00:00Z","validUntil":"2026-03-03T00:00:00Z",
//	 "credentialSubject":{"id":"https://skills.example.org/status/revocation-0#list","type":"BitstringStatusList",
//	  "statusPurpose":"revocation","encodedList":"uH4sI…","ttl":60000}}
//
// VC-JOSE-COSE wants kid to be an absolute URL when a credential has a URL as
// issuer and no iss. Our kid is short, so iss is present, as a claim, and equals
// issuer; the key is in the issuer's /.well-known/jwks.json under that kid.
func (l *StatusList) Sign(s jws.Signer) (string, error) {
	if s.Purpose() != jws.Status {
		return "", fail.New(fail.Invalid, "wrong_purpose", "key %s is for %q and may not sign status lists", s.KID(), s.Purpose()).In("密钥 %s 不用于状态清单签名", s.KID())
	}
	encoded, err := encodeBits(l.bits)
	if err != nil {
		return "", err
	}
	vc := statusVC{
		Context: []string{vcContext}, ID: l.URL(), Type: []string{"VerifiableCredential", "BitstringStatusListCredential"},
		Issuer: l.Origin, Iss: l.Origin, ValidFrom: l.ValidFrom.UTC().Format(time.RFC3339),
		Subject: statusSubject{ID: l.URL() + "#list", Type: "BitstringStatusList", Purpose: string(l.Purpose), Encoded: encoded, TTL: l.TTL.Milliseconds()},
	}
	if !l.ValidUntil.IsZero() {
		vc.ValidUntil = l.ValidUntil.UTC().Format(time.RFC3339)
	}
	payload, err := marshalPlain(vc)
	if err != nil {
		return "", err
	}
	return s.Sign(payload, TypVC)
}

// OpenStatusList returns the list in a signed status list credential after
// everything that Bitstring Status List v1.0 §3.2 and VC-JOSE-COSE ask of a
// verifier: signature by a status key, types, issuer equal to iss, an address
// that fits issuer, purpose and number, validity begun (5 minutes of clock
// difference allowed) and in order, encoding, and at least 131,072 bits. A list
// whose ValidUntil has passed is returned: it still proves the bits that are
// set; see [StatusList.Stale].
//
// The error is a jws.Err value or fail.Invalid with bad_status_list,
// status_list_length or status_list_not_yet_valid.
func OpenStatusList(compact string, set jws.KeySet, now time.Time) (*StatusList, error) {
	opened, err := jws.Open(compact, set, jws.Status, jws.Limits{MaxChars: MaxStatusList, Typ: TypVC})
	if err != nil {
		return nil, err
	}
	if err := distinctMembers(opened.Payload); err != nil {
		return nil, err
	}
	var vc statusVC
	if err := json.Unmarshal(opened.Payload, &vc); err != nil {
		return nil, badList("the content is not a status list credential").Because(err)
	}
	l := &StatusList{Origin: vc.Issuer, Purpose: StatusPurpose(vc.Subject.Purpose), TTL: time.Duration(vc.Subject.TTL) * time.Millisecond}
	if len(vc.Context) == 0 || vc.Context[0] != vcContext || !hasAll(vc.Type, "VerifiableCredential", "BitstringStatusListCredential") || vc.Subject.Type != "BitstringStatusList" {
		return nil, badList("the content is not a status list credential")
	}
	if _, err := ParseOrigin(vc.Issuer); err != nil || vc.Iss != vc.Issuer {
		return nil, badList("issuer and iss must be the same origin")
	}
	purpose, number, err := ParseStatusListName(strings.TrimPrefix(vc.ID, vc.Issuer+"/status/"))
	if err != nil || purpose != l.Purpose || vc.Subject.TTL < 0 || vc.Subject.TTL > int64(365*24*time.Hour/time.Millisecond) {
		return nil, badList("address, purpose and lifetime do not fit together")
	}
	l.List = number
	if l.ValidFrom, err = time.Parse(time.RFC3339, vc.ValidFrom); err != nil {
		return nil, badList("validFrom is not a time with its zone")
	}
	if vc.ValidUntil != "" {
		if l.ValidUntil, err = time.Parse(time.RFC3339, vc.ValidUntil); err != nil || l.ValidUntil.Before(l.ValidFrom) {
			return nil, badList("validUntil is not a time with its zone, or before validFrom")
		}
	}
	if l.ValidFrom.After(now.Add(clockDifference)) {
		return nil, fail.New(fail.Invalid, "status_list_not_yet_valid", "the status list is from the future; is the clock of this device right?").In("状态清单的时间晚于本机时间，请检查本机时钟")
	}
	if l.bits, err = decodeBits(vc.Subject.Encoded); err != nil {
		return nil, err
	}
	return l, nil
}

// clockDifference is how far two honest clocks may differ.
const clockDifference = 5 * time.Minute

// Age returns how old the list is at now, never less than zero.
func (l *StatusList) Age(now time.Time) time.Duration { return max(now.Sub(l.ValidFrom), 0) }

// Stale reports whether a clear bit of l no longer proves anything at now.
func (l *StatusList) Stale(now time.Time) bool {
	return !l.ValidUntil.IsZero() && now.After(l.ValidUntil)
}

func badList(format string, args ...any) *fail.Error {
	return fail.New(fail.Invalid, "bad_status_list", format, args...).In("状态清单不合要求")
}

func hasAll(have []string, want ...string) bool {
	for _, w := range want {
		if !slices.Contains(have, w) {
			return false
		}
	}
	return true
}

// encodeBits is 'u' (multibase base64url) and the gzipped bits.
func encodeBits(bits []byte) (string, error) {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return "", err
	}
	if _, err := z.Write(bits); err != nil {
		return "", err
	}
	if err := z.Close(); err != nil {
		return "", err
	}
	return "u" + base64.RawURLEncoding.EncodeToString(b.Bytes()), nil
}

func decodeBits(encoded string) ([]byte, error) {
	text, ok := strings.CutPrefix(encoded, "u")
	if !ok {
		return nil, badList("encodedList does not begin with 'u'")
	}
	packed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil, badList("encodedList is not base64url").Because(err)
	}
	in := bytes.NewReader(packed)
	z, err := gzip.NewReader(in)
	if err != nil {
		return nil, badList("encodedList is not gzip").Because(err)
	}
	z.Multistream(false)
	bits, err := io.ReadAll(io.LimitReader(z, maxStatusBytes+1))
	if err != nil || in.Len() != 0 {
		return nil, badList("encodedList is damaged").Because(errors.Join(err, fmt.Errorf("%d bytes follow", in.Len())))
	}
	if len(bits) < StatusListBits/8 || len(bits) > maxStatusBytes {
		return nil, fail.New(fail.Invalid, "status_list_length", "a status list has at least %d bits; this one has %d", StatusListBits, 8*len(bits)).In("状态清单长度不合要求")
	}
	return bits, nil
}
