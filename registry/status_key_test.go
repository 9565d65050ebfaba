package registry

import (
	"bytes"
	"testing"

	"bajigong/credentials"
	"bajigong/internal/kv"
)

// What is read as a key of the history, of a base or of a list is written again as
// the same key; anything else is refused.
func FuzzStatusKeys(f *testing.F) {
	at := statusMoment{time: 1772413200, version: 7}
	f.Add(statusHistoryKey(credentials.Suspension, 3, at, 131071))
	f.Add(statusBaseKey(credentials.Revocation, 0, at))
	f.Add(statusListKey(credentials.Refresh, 762))
	f.Add(kv.Key("message", uint64(0)))
	f.Add(kv.Key("revocation", uint64(0), "a", uint64(1), uint64(2)))
	f.Fuzz(func(t *testing.T, key []byte) {
		p, err := parseStatusPlace(key)
		if err != nil {
			return
		}
		if !bytes.HasPrefix(key, p.key()) {
			t.Fatalf("%x is read as %+v", key, p)
		}
		if at, index, err := parseStatusKey(key, 5); err == nil && !bytes.Equal(statusHistoryKey(p.purpose, p.list, at, int(index)), key) {
			t.Fatalf("%x is read as %+v, %+v, %d", key, p, at, index)
		}
		if at, _, err := parseStatusKey(key, 4); err == nil && !bytes.Equal(statusBaseKey(p.purpose, p.list, at), key) {
			t.Fatalf("%x is read as %+v, %+v", key, p, at)
		}
	})
}
