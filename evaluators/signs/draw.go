package signs

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"

	"bajigong/internal/fail"
)

// Algorithm names what [Draw] and [Assign] do, as a draw's record says it:
//
//  1. ids are sorted as bytes, each once
//  2. block i of the stream is SHA-256(seed ‖ label ‖ 0x00 ‖ i as 8 bytes, big
//     endian), i from 0; each block gives four 8-byte big-endian numbers
//  3. a number below k is the next number x of the stream modulo k; an x of
//     2^64 − (2^64 mod k) or more is passed over, so that all are equally likely
//  4. Fisher–Yates: for i = 0 … n−1 the element i changes places with the element
//     i + (a number below len − i); the first n are drawn, in this order
//
// Sessions are drawn with the label "sessions", the inspectors of a session with
// the label "inspectors/" and its id.
const Algorithm = "sha256-counter-fisher-yates-1"

// Seed is what a draw depends on besides its population.
type Seed [sha256.Size]byte

// String returns 64 hexadecimal digits.
func (s Seed) String() string { return hex.EncodeToString(s[:]) }

// LogSeed is the seed of a draw from the audit log: SHA-256 of the root hash of
// the log at the size just after the entry that announced the draw, followed by
// the draw's id. That root is not known before the entry is written.
func LogSeed(root [sha256.Size]byte, draw string) Seed {
	return sha256.Sum256(append(root[:], draw...))
}

// PublicSeed is the seed of a draw from a value that others publish after the
// announcement, such as the result of a lottery named in it: SHA-256 of the
// value, a line feed and the draw's id.
func PublicSeed(value, draw string) Seed { return sha256.Sum256([]byte(value + "\n" + draw)) }

// stream gives the numbers of one label.
type stream struct {
	prefix []byte
	next   uint64
	block  []byte
}

func newStream(seed Seed, label string) *stream {
	return &stream{prefix: append(append(seed[:], label...), 0)}
}

func (s *stream) number() uint64 {
	if len(s.block) == 0 {
		sum := sha256.Sum256(binary.BigEndian.AppendUint64(slices.Clone(s.prefix), s.next))
		s.block = sum[:]
		s.next++
	}
	x := binary.BigEndian.Uint64(s.block)
	s.block = s.block[8:]
	return x
}

// below is a number from 0 to k-1, all equally likely.
func (s *stream) below(k int) int {
	n := uint64(k)
	surplus := (^uint64(0)%n + 1) % n // 2^64 mod n
	for {
		if x := s.number(); surplus == 0 || x < -surplus {
			return int(x % n)
		}
	}
}

// Draw draws n of a population, each subset and order equally likely; all of it
// when n is larger. The order in which the population is given does not count.
func Draw(seed Seed, label string, population []string, n int) []string {
	ids := slices.Compact(slices.Sorted(slices.Values(population)))
	n = max(0, min(n, len(ids)))
	s := newStream(seed, label)
	for i := range n {
		j := i + s.below(len(ids)-i)
		ids[i], ids[j] = ids[j], ids[i]
	}
	return ids[:n:n]
}

// PopulationHash is SHA-256 over the sorted ids, each once and followed by a line
// feed, in hexadecimal.
func PopulationHash(population []string) string {
	ids := slices.Compact(slices.Sorted(slices.Values(population)))
	h := sha256.New()
	for _, id := range ids {
		h.Write([]byte(id + "\n"))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Inspector is somebody who may be sent: 外督. ID is the id of a record, or the
// number of a card, never a name.
type Inspector struct {
	ID string `json:"id"`
	// Avoid are the institutions that this inspector has to keep away from 回避.
	Avoid []string `json:"avoid,omitempty"`
}

// Assign draws who goes to a session of an institution, from those who need not
// avoid it. It answers fewer than n when there are not enough.
func Assign(seed Seed, session, institution string, inspectors []Inspector, n int) []string {
	return Draw(seed, "inspectors/"+session, Free(inspectors, institution), n)
}

// Free lists the inspectors who need not avoid an institution.
func Free(inspectors []Inspector, institution string) (out []string) {
	for _, i := range inspectors {
		if !slices.Contains(i.Avoid, institution) {
			out = append(out, i.ID)
		}
	}
	return out
}

// Limits of one draw.
const (
	PopulationMax = 2000
	InspectorsMax = 200
	DrawnMax      = 200
)

// CheckInspectors says what is wrong with a list of inspectors of whom each
// session gets n.
func CheckInspectors(in []Inspector, n int) (bad []fail.Field) {
	if n < 1 || n > 10 {
		bad = append(bad, fail.Field{Name: "each", Code: "range", ZH: "每批检查人员应为 1 至 10 名", EN: "each session gets 1 to 10 inspectors"})
	}
	if len(in) < n || len(in) > InspectorsMax {
		bad = append(bad, fail.Field{Name: "inspectors", Code: "length", ZH: text("检查人员名录应为 %d 至 %d 名", max(n, 1), InspectorsMax),
			EN: text("there are %d to %d inspectors", max(n, 1), InspectorsMax)})
	}
	seen := map[string]bool{}
	for i, one := range in {
		if strings.TrimSpace(one.ID) != one.ID || one.ID == "" || len(one.ID) > 64 || strings.ContainsAny(one.ID, "\n\x00") || len(one.Avoid) > 100 {
			bad = append(bad, fail.Field{Name: "inspectors", Row: i + 1, Code: "shape", ZH: "检查人员标识 1 至 64 个字符，回避机构不超过 100 家",
				EN: "an inspector has an id of 1 to 64 characters and avoids at most 100 institutions"})
		}
		if seen[one.ID] {
			bad = append(bad, fail.Field{Name: "inspectors", Row: i + 1, Code: "repeated", ZH: "检查人员重复", EN: "the inspector is named twice"})
		}
		seen[one.ID] = true
	}
	return bad
}
