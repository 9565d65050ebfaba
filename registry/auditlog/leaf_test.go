package auditlog

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"bajigong/internal/fail"
)

func ExampleLeaf() {
	salt := [SaltSize]byte(bytes.Repeat([]byte{1}, SaltSize))
	leaf := Leaf{Time: time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC), Digest: Digest(salt, []byte("{}"))}
	b, _ := leaf.Format()
	fmt.Printf("%x %x %x\n", b[:1], b[1:9], b[9:])
	// Output: 01 0000000067c24e00 d355d911d2f26a54dc0366196d99e2ffef085bb9edf7a495a342ea52c2a4c2f3
}

func TestLeafFormatRefusesWhatItCouldNotGiveBack(t *testing.T) {
	for _, at := range []time.Time{
		time.Date(1969, 12, 31, 23, 59, 59, 0, time.UTC),
		time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC),
		testStart.Add(time.Millisecond),
		{},
	} {
		_, err := Leaf{Time: at}.Format()
		wantCode(t, err, fail.Internal, "leaf_time")
	}
}

func TestParseLeafIsStrict(t *testing.T) {
	b, err := Leaf{Time: testStart}.Format()
	if err != nil {
		t.Fatal(err)
	}
	late := bytes.Clone(b)
	late[3] = 1 // seconds beyond the year 9999
	other := bytes.Clone(b)
	other[0] = 2
	for _, bad := range [][]byte{nil, b[:len(b)-1], append(bytes.Clone(b), 0), late, other} {
		_, err := ParseLeaf(bad)
		wantCode(t, err, fail.Invalid, "leaf_malformed")
	}
}

func FuzzParseLeaf(f *testing.F) {
	b, _ := Leaf{Time: testStart, Digest: Digest(testSalt(1), testEvent(1))}.Format()
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := ParseLeaf(b)
		if err != nil {
			return
		}
		if again, err := l.Format(); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%x parses and formats as %x (%v)", b, again, err)
		}
	})
}
