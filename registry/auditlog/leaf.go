package auditlog

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"bajigong/internal/fail"
)

// LeafSize is the size in bytes of a formatted leaf.
const LeafSize = 1 + 8 + sha256.Size

const leafVersion = 1

// maxSeconds is the last second of the year 9999, the last that RFC 3339 can say.
const maxSeconds = 253402300799

// A Leaf is one public entry of the log. Its format, 41 bytes:
//
//	0x01                                 version of the format
//	seconds since 1970 as uint64, big-endian
//	SHA-256(salt ‖ event)
//
// For example, at 2025-03-01T00:00:00Z, the event {} under a salt of sixteen
// bytes 0x01:
//
//	01 0000000067c24e00
//	d355d911d2f26a54dc0366196d99e2ffef085bb9edf7a495a342ea52c2a4c2f3
//
// The tree's leaf hash is RFC 6962's over these bytes: SHA-256(0x00 ‖ leaf).
type Leaf struct {
	Time   time.Time // when the change was received, UTC, whole seconds
	Digest [sha256.Size]byte
}

// Digest returns SHA-256(salt ‖ event). The salt has a fixed size, so the two
// cannot be cut in another way.
func Digest(salt [SaltSize]byte, event []byte) [sha256.Size]byte {
	h := sha256.New()
	h.Write(salt[:])
	h.Write(event)
	return [sha256.Size]byte(h.Sum(nil))
}

// Format returns the 41 bytes of l. It refuses a time with a fraction of a
// second or outside the years 1970 to 9999, which ParseLeaf could not give back.
func (l Leaf) Format() ([]byte, error) {
	s := l.Time.Unix()
	if s < 0 || s > maxSeconds || l.Time.Nanosecond() != 0 {
		return nil, fail.New(fail.Internal, "leaf_time", "a log entry needs a time in whole seconds between 1970 and 9999").
			In("日志记录的时间必须精确到整秒，且在 1970 年至 9999 年之间")
	}
	b := make([]byte, 0, LeafSize)
	b = append(b, leafVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(s))
	return append(b, l.Digest[:]...), nil
}

// ParseLeaf reads what [Leaf.Format] wrote and nothing else. Errors: Invalid
// leaf_malformed.
func ParseLeaf(b []byte) (Leaf, error) {
	if len(b) != LeafSize || b[0] != leafVersion {
		return Leaf{}, malformedLeaf()
	}
	s := binary.BigEndian.Uint64(b[1:9])
	if s > maxSeconds {
		return Leaf{}, malformedLeaf()
	}
	return Leaf{Time: time.Unix(int64(s), 0).UTC(), Digest: [sha256.Size]byte(b[9:])}, nil
}

func malformedLeaf() error {
	return fail.New(fail.Invalid, "leaf_malformed", "a log entry must be %d bytes: version %d, time, digest", LeafSize, leafVersion).
		In("日志条目格式不正确：应为 %d 字节（版本 %d、时间、摘要）", LeafSize, leafVersion)
}
