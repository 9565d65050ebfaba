package standards

import (
	"fmt"
	"strings"
	"testing"

	"bajigong/internal/fail"
)

// wantCode checks that err is an Invalid error with the code and texts in both
// languages that contain none of the secrets.
func wantCode(t *testing.T, err error, code string, secrets ...string) *fail.Error {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %s", code)
	}
	e := fail.Of(err)
	if e.Kind != fail.Invalid || e.Code != code {
		t.Fatalf("got %s %s (%s), want %s", e.Kind, e.Code, e.Text, code)
	}
	texts := e.Text + e.ZH
	if e.Text == "" || e.ZH == "" {
		t.Fatalf("%s: text %q, zh %q: both are needed", code, e.Text, e.ZH)
	}
	for _, f := range e.Fields {
		if f.ZH == "" || f.EN == "" || f.Code == "" {
			t.Fatalf("field without texts: %+v", f)
		}
		texts += f.ZH + f.EN
	}
	for _, s := range secrets {
		if len(s) >= 12 && strings.Contains(texts, s) {
			t.Fatalf("the error shows the whole number: %s", texts)
		}
	}
	if strings.Contains(texts, "%!") {
		t.Fatalf("bad format: %s", texts)
	}
	return e
}

// numberWith returns a valid GB 11643 number from its first 17 digits.
func numberWith(t testing.TB, first17 string) string {
	t.Helper()
	c, ok := ResidentIDCheck(first17)
	if !ok {
		t.Fatalf("not 17 digits: %q", first17)
	}
	return fmt.Sprintf("%s%c", first17, c)
}
