package web

import (
	"encoding/json"
	"testing"
)

// What the shortcut takes, the general reader reads the same.
func FuzzShortVerify(f *testing.F) {
	for _, s := range []string{`{"token":"abc"}`, `{"token":""}`, `{"token":"a\u0041"}`, `{"token":"a","x":1}`, `{"token":"a"} `, `{"token":"a","token":"b"}`, `{"token":"中"}`, `{"token":"`, `{"token":"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var in verifyRequest
		if !in.short(data) {
			return
		}
		var want struct {
			Token string `json:"token"`
		}
		if err := json.Unmarshal(data, &want); err != nil || want.Token != in.Token {
			t.Fatalf("%q: %q, %q %v", data, in.Token, want.Token, err)
		}
	})
}
